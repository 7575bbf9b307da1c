"""Scenes that the demonstration does not play: why a file did not open, a look as somebody saved it, documents in panes.

Made-up patients only: the sample studies and the phantoms of the tests. ``perform(folder, language)`` leaves
``<folder>/screens/<name>.png``; ``docs/make_images.py`` calls it in a process of its own.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("explorer", "saved-look", "documents")


def perform(out: Path, language: str) -> None:
    sys.path.insert(0, str(ROOT))
    from app.demo import Demo
    from app.samples.catalogue import write_samples
    from app.session.wiring import open_workstation
    from app.ui.app_window import AppWindow, application
    from app.ui.main_loop import QtMainLoop
    from tests.flows.stage import options

    application(["ekinshi-images"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study = next(s for s in write_samples(folder / "samples", small=True) if s.modality == "CT")
        _beside(study.folder)
        workstation = open_workstation(options(folder / "home", None, language=language), QtMainLoop())
        window = AppWindow(workstation)
        window.resize(1600, 900)
        window.show()
        demo = Demo(window, workstation, out, quiet=True)

        def wait() -> None:
            demo.pump(0.3)
            demo.until(lambda: not workstation.busy(), 60.0, "the window")
            demo.pump(0.5)

        def keep(picture: str) -> None:
            wait()
            target = out / "screens" / f"{picture}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            window.grab().save(str(target))

        window.import_paths([study.folder])
        demo.until(lambda: workstation.last_import_summary() is not None, 60.0, "the import")
        wait()
        for sheet in window.findChildren(type(window)) + [w for w in window.children() if hasattr(w, "leave")]:
            sheet.leave()
        window.explorer.refused()
        wait()
        explorer = window.explorer.sheet
        reason = explorer._shown.reasons[-1]
        explorer._show_element(explorer._shown.element(reason))
        keep("explorer")
        explorer.leave()
        window.open_study(study.study_instance_uid)
        wait()
        reading = workstation.reading
        reading.set_layout("1x1")
        wait()
        card = next(c for c in reading.series_cards() if c.looks)
        reading.saved.apply_look(card.display_set_id, card.looks[0].sop_instance_uid)
        keep("saved-look")
        reading.saved.apply_look(card.display_set_id, "")
        reading.set_layout("1x2")
        curves = next(c for c in reading.series_cards() if c.kind == "document" and c.modality == "ECG")
        report = next(c for c in reading.series_cards() if c.kind == "document" and c.modality == "KO")
        reading.put_in_pane("pane-0", report.display_set_id)
        reading.put_in_pane("pane-1", curves.display_set_id)
        wait()
        keep("documents")
        window.close()
        demo.pump(0.1)
        workstation.shutdown()


def _beside(folder: Path) -> None:
    """A presentation state, key images, curves and a cut file, of the study's own made-up patient."""
    import numpy as np
    import pydicom
    from pydicom.sequence import Sequence

    from tests.dicom import saved_phantom as made

    slices = sorted(folder.glob("**/*.dcm"), key=lambda p: float(pydicom.dcmread(p, stop_before_pixels=True).ImagePositionPatient[2]))
    source = pydicom.dcmread(slices[len(slices) // 2])
    columns, rows = int(source.Columns), int(source.Rows)
    ref = made.item(ReferencedSOPClassUID=source.SOPClassUID, ReferencedSOPInstanceUID=source.SOPInstanceUID)

    def put(name: str, data: bytes, number: int, **changes: object) -> None:
        ds = pydicom.dcmread(io.BytesIO(data))
        for keyword in (
            "PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate",
            "StudyTime", "AccessionNumber", "StudyDescription", "SpecificCharacterSet",
        ):  # fmt: skip
            if keyword in source:
                setattr(ds, keyword, source[keyword].value)
        ds.SOPInstanceUID, ds.SeriesInstanceUID, ds.SeriesNumber = f"2.25.9900{number}", f"2.25.9800{number}", 90 + number
        for keyword, value in changes.items():
            setattr(ds, keyword, value)
        (folder / name).write_bytes(made.part10(ds))

    ring = made.item(
        GraphicAnnotationUnits="PIXEL", GraphicDimensions=2, NumberOfGraphicPoints=2, GraphicType="CIRCLE", GraphicFilled="N",
        GraphicData=[columns * 0.3, rows * 0.5, columns * 0.36, rows * 0.5],
    )  # fmt: skip
    words = made.item(
        BoundingBoxAnnotationUnits="PIXEL", AnchorPointAnnotationUnits="PIXEL", AnchorPointVisibility="Y",
        UnformattedTextValue="DEMONSTRATION", BoundingBoxTextHorizontalJustification="LEFT",
        BoundingBoxTopLeftHandCorner=[columns * 0.4, rows * 0.68], BoundingBoxBottomRightHandCorner=[columns * 0.7, rows * 0.72],
        AnchorPoint=[columns * 0.34, rows * 0.55],
    )  # fmt: skip
    area = made.item(
        DisplayedAreaTopLeftHandCorner=[1, 1], DisplayedAreaBottomRightHandCorner=[columns, rows],
        PresentationSizeMode="SCALE TO FIT", PresentationPixelAspectRatio=[1, 1],
    )  # fmt: skip
    state = made.presentation_state(
        ImageRotation=0,
        ImageHorizontalFlip="N",
        RescaleIntercept=str(source.RescaleIntercept),
        SoftcopyVOILUTSequence=[made.item(WindowCenter="-600", WindowWidth="1500")],
        DisplayedAreaSelectionSequence=[area],
        GraphicLayerSequence=[made.item(GraphicLayer="M", GraphicLayerOrder=1, GraphicLayerRecommendedDisplayCIELabValue=[54000, 30000, 60000])],
        GraphicAnnotationSequence=[made.item(GraphicLayer="M", GraphicObjectSequence=[ring], TextObjectSequence=[words])],
        ReferencedSeriesSequence=[made.item(SeriesInstanceUID=source.SeriesInstanceUID, ReferencedImageSequence=[ref])],
    )
    put("look.dcm", made.part10(state), 1)
    code = made.item(CodeValue="113000", CodingSchemeDesignator="DCM", CodeMeaning="Of Interest")
    word = made.item(CodeValue="113012", CodingSchemeDesignator="DCM", CodeMeaning="Key Object Description")
    content = [
        made.item(RelationshipType="CONTAINS", ValueType="TEXT", ConceptNameCodeSequence=[word], TextValue="DEMONSTRATION"),
        made.item(RelationshipType="CONTAINS", ValueType="IMAGE", ReferencedSOPSequence=[ref]),
    ]
    keys = made.plain_object("1.2.840.10008.5.1.4.1.1.88.59", "KO", ValueType="CONTAINER", ConceptNameCodeSequence=[code])
    put("keys.dcm", keys, 2, ContentSequence=Sequence(content))

    t = np.arange(0, 10, 1 / 500)
    phase = (t * 1.2) % 1
    waves = ((0.3, 0.012, 1.2), (0.33, 0.012, -0.25), (0.15, 0.03, 0.15), (0.55, 0.05, 0.3))
    beat = sum(height * np.exp(-(((phase - at) / width) ** 2)) for at, width, height in waves)
    leads = {"I": 0.8, "II": 1.1, "III": 0.5, "aVR": -0.9, "aVL": 0.3, "aVF": 0.8}
    unit = made.item(CodeValue="uV", CodingSchemeDesignator="UCUM", CodeMeaning="microvolt")
    group = made.item(
        NumberOfWaveformChannels=len(leads),
        NumberOfWaveformSamples=len(t),
        SamplingFrequency="500",
        MultiplexGroupLabel="RHYTHM",
        WaveformBitsAllocated=16,
        WaveformSampleInterpretation="SS",
        ChannelDefinitionSequence=[
            made.item(ChannelLabel=n, ChannelSensitivity="5", ChannelSensitivityUnitsSequence=[unit], ChannelBaseline="0") for n in leads
        ],
    )
    group.add_new(0x54001010, "OW", np.stack([beat * a * 200 for a in leads.values()], axis=1).astype("<i2").tobytes())
    put("curves.dcm", made.waveform(), 3, WaveformSequence=Sequence([group]), WaveformAnnotationSequence=Sequence([]))
    (folder / "cut.dcm").write_bytes(slices[0].read_bytes()[:1700])
