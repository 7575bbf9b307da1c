"""Through the real window: why a file did not open, a look as somebody saved it, overlays, documents beside images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from app.demo import Demo
from app.domain.identity import uid_for
from app.domain.study import DisplaySetKind
from app.ui.reading.document_view import DocumentView
from tests import phantoms
from tests.dicom.saved_phantom import item, part10, plain_object, presentation_state, structure_set
from tests.flows.stage import write_study

Desk = Callable[..., Demo]


def _wait(demo: Demo, done: Callable[[], bool]) -> None:
    demo.until(done, 30.0, "the window")


def _bound(data: bytes, source: pydicom.Dataset, number: int, **changes: object) -> pydicom.Dataset:
    """An object of ``saved_phantom`` as one of the phantom's study and patient."""
    import io

    ds = pydicom.dcmread(io.BytesIO(data))
    for keyword in (
        "PatientID",
        "PatientName",
        "PatientBirthDate",
        "PatientSex",
        "IssuerOfPatientID",
        "StudyInstanceUID",
        "StudyDate",
        "StudyTime",
    ):
        if keyword in source:
            setattr(ds, keyword, source[keyword].value)
    ds.SpecificCharacterSet = source.SpecificCharacterSet
    ds.SOPInstanceUID, ds.SeriesInstanceUID, ds.SeriesNumber = f"2.25.5{number}", f"2.25.6{number}", 90 + number
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    return ds


def _put(folder: Path, name: str, ds: pydicom.Dataset) -> None:
    (folder / name).write_bytes(part10(ds))


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A CT with a presentation state, one of another patient, structures, key objects, and a file that does not open."""
    folder = tmp_path / "study"
    write_study(folder)
    source = pydicom.dcmread(sorted(folder.glob("**/*.dcm"))[3])
    ref = item(ReferencedSOPClassUID=source.SOPClassUID, ReferencedSOPInstanceUID=source.SOPInstanceUID)
    series = [item(SeriesInstanceUID=source.SeriesInstanceUID, ReferencedImageSequence=[ref])]
    state = part10(presentation_state(GraphicAnnotationSequence=[], DisplayedAreaSelectionSequence=[]))
    _put(folder, "look.dcm", _bound(state, source, 1, ReferencedSeriesSequence=pydicom.Sequence(series)))
    square = np.array([[0, 0], [9, 0], [9, 9], [0, 9.0]])
    z = float(source.ImagePositionPatient[2])
    x, y = (float(v) for v in source.ImagePositionPatient[:2])
    contour = np.column_stack([square + (x + 2, y + 2), np.full(4, z)])
    structures = _bound(structure_set([contour]), source, 2)
    for roi in structures.StructureSetROISequence:
        roi.ReferencedFrameOfReferenceUID = source.FrameOfReferenceUID
    _put(folder, "structures.dcm", structures)
    code = item(CodeValue="113000", CodingSchemeDesignator="DCM", CodeMeaning="Of Interest")
    content = [item(RelationshipType="CONTAINS", ValueType="IMAGE", ReferencedSOPSequence=[ref])]
    keys = plain_object("1.2.840.10008.5.1.4.1.1.88.59", "KO", ValueType="CONTAINER", ConceptNameCodeSequence=[code])
    _put(folder, "keys.dcm", _bound(keys, source, 3, ContentSequence=pydicom.Sequence(content)))
    whole = (folder / "look.dcm").read_bytes()
    (folder / "cut.dcm").write_bytes(sorted(folder.glob("**/*.dcm"))[0].read_bytes()[:900])
    assert whole
    return folder


def _brought(open_desk: Desk, tmp_path: Path, study: Path) -> Demo:
    demo = open_desk(tmp_path / "home", None)
    demo.window.import_paths([study])
    _wait(demo, lambda: demo.workstation.last_import_summary() is not None)
    _wait(demo, lambda: not demo.workstation.busy())
    return demo


def test_why_a_file_did_not_open(open_desk: Desk, tmp_path: Path, study: Path) -> None:
    demo = _brought(open_desk, tmp_path, study)
    files = demo.workstation.refused_files()
    assert [f.name for f in files] == ["cut.dcm"], [f.problem for f in files]
    demo.window.explorer.refused()
    sheet = demo.window.explorer.sheet
    assert sheet is not None
    _wait(demo, lambda: sheet._shown is not None)
    shown = sheet._shown
    assert shown.state == "refused"
    assert shown.reasons[0].refuses
    stop = next(r for r in shown.reasons if r.breach is not None and r.breach.stops)
    sheet._show_element(shown.element(stop))
    assert "(" in sheet._hex.toPlainText()
    sheet._search.edit.setText("patientname")
    sheet._find()
    _wait(demo, lambda: sheet._looking is None)
    assert sheet._model.rowCount() == 1
    target = tmp_path / "sample.dcm"
    sheet.export(target, True)
    _wait(demo, target.exists)
    name = phantoms.ALIYA.name.alphabetic.split("^")[0]
    assert target.stat().st_size == 900
    assert name.encode() in (study / "cut.dcm").read_bytes()
    assert name.encode() not in target.read_bytes()


def test_a_saved_look_structures_and_documents(open_desk: Desk, tmp_path: Path, study: Path) -> None:
    demo = _brought(open_desk, tmp_path, study)
    demo.window.open_study(uid_for("phantom", "flow", phantoms.ALIYA.patient_id))
    reading = demo.workstation.reading
    assert reading is not None
    assert reading.saved is not None
    saved, room = reading.saved, reading.room
    _wait(demo, lambda: not demo.workstation.busy())
    card = next(c for c in reading.series_cards() if c.looks)
    (look,) = card.looks
    assert (look.title, dict(look.detail.params)) == ("For the board", {"name": "Серікбаева Дана", "date": "05.03.2024"})
    reading.set_layout("1x1")
    if room.pane(room.active).display_set_id != card.display_set_id:
        reading.put_in_pane(room.active, card.display_set_id)
    saved.apply_look(card.display_set_id, look.sop_instance_uid)
    _wait(demo, lambda: not demo.workstation.busy())

    def keys() -> set[str]:
        picture = reading.picture_request(room.active, 400, 300)()
        return {getattr(p, "key", "") for p in picture.decorations}

    _wait(demo, lambda: "saved_look" in keys())
    view = room.pane(room.active).view
    assert (view.rotation_deg, view.flip_h) == (90.0, True)
    (structures,) = [s for s in saved.listed() if s.kind == "structures"]
    saved.toggle(structures.sop_instance_uid)
    _wait(demo, lambda: "structure" in keys())
    assert {"saved_look", "structure", "legend"} <= keys()
    saved.apply_look(card.display_set_id, "")
    saved.toggle(structures.sop_instance_uid)
    assert not {"saved_look", "structure", "legend"} & keys()
    assert room.pane(room.active).view.rotation_deg == 0.0

    document = next(d for d in room.content.sets() if d.kind is DisplaySetKind.DOCUMENT)
    reading.put_in_pane(room.active, document.display_set_id)
    _wait(demo, lambda: (s := saved.document(room.active)) is not None and s.document is not None)
    demo.pump(0.1)
    pane = room.active
    (view_widget,) = demo.window.findChildren(DocumentView)
    assert view_widget.isVisible()
    line = saved.document(pane).document.lines[0]  # type: ignore[union-attr]
    view_widget.jumped.emit(pane, line.sop_instance_uid, line.frame)
    demo.pump(0.1)
    beside = next(p for p in room.panes() if p.pane_id != pane)
    assert room.frame_ref(beside).sop_instance_uid == line.sop_instance_uid  # type: ignore[union-attr]


def test_a_look_of_another_patient_is_never_applied(open_desk: Desk, tmp_path: Path, study: Path) -> None:
    path = study / "look.dcm"
    ds = pydicom.dcmread(path)
    other = study / "other.dcm"
    ds.SOPInstanceUID, ds.PatientID = "2.25.7777", "somebody else"
    _put(study, "other.dcm", ds)
    demo = _brought(open_desk, tmp_path, study)
    demo.window.open_study(uid_for("phantom", "flow", phantoms.ALIYA.patient_id))
    reading = demo.workstation.reading
    assert reading is not None
    assert reading.saved is not None
    _wait(demo, lambda: not demo.workstation.busy())
    looks = [look for card in reading.series_cards() for look in card.looks]
    assert [look.sop_instance_uid for look in looks] == ["2.25.51"]
    assert other.exists()
