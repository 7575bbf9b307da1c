"""The mammography reader's result as a CAD report: valid, read back exactly, and the same bytes each time."""

from __future__ import annotations

import io
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from app.dicom.coding import FINDING_KINDS
from app.dicom.mammography_cad import MAMMOGRAPHY_CAD_SR, mammography_cad_sr, wanted
from app.dicom.object_header import ObjectHeader
from app.dicom.sr_groups import RESEARCH_USE
from app.dicom.sr_reader import SrNode, read_sr
from app.dicom.sr_shapes import shapes_of
from app.domain.finding import Band, ReadState
from app.domain.identity import uid_for
from app.domain.messages import sentence
from app.domain.problem import Problem, ProblemError, Severity
from app.domain.saved_overlay import ShapeKind
from tests.dicom.mammogram_phantom import BREAST, DENSITY, FILMS, film, mark, read_of, study
from tests.dicom.objects_phantom import header, iod_errors


def nodes(node: SrNode, value: str) -> list[SrNode]:
    own = [node] if node.concept is not None and node.concept.value == value else []
    return own + [found for child in node.children for found in nodes(child, value)]


def said(node: SrNode, value: str) -> list[str]:
    return [n.code.value if n.code is not None else n.text for n in nodes(node, value)]


def is_valid(data: bytes, folder: Path) -> bool:
    assert iod_errors(data, folder) == []
    return True


def test_marks_come_back_where_they_were_put(tmp_path: Path) -> None:
    first = mark(FILMS[2], 123.5, 210.25, 0.4375, attributes=(("asymmetry", "4.1"),))
    second = mark(FILMS[2], 60.0, 88.0, 0.125, band=Band.LOW)
    third = mark(FILMS[1], 33.0, 301.0, 0.25, laterality="L", band=Band.MID)
    data = mammography_cad_sr(study(), read_of(third, first, second, measurements=DENSITY), header("cad"))
    assert is_valid(data, tmp_path)
    document = read_sr(data)
    assert (document.sop_class_uid, document.title) == (MAMMOGRAPHY_CAD_SR, "Mammography CAD Report")
    assert (document.complete, document.verified, document.observer_is_device) == (True, False, True)
    assert document.summary is not None
    assert document.summary.meaning == "All algorithms succeeded; with findings"
    placed = [(s.kind, s.sop_instance_uid, s.points_px) for s in shapes_of(document)]
    box = ((103.0, 180.25), (144.0, 180.25), (144.0, 240.25), (103.0, 240.25), (103.0, 180.25))
    assert placed[0] == (ShapeKind.POINTS, FILMS[1], ((33.0, 301.0),))
    assert placed[2:4] == [(ShapeKind.POINTS, FILMS[2], ((123.5, 210.25),)), (ShapeKind.OUTLINE, FILMS[2], box)]
    assert [p[1] for p in placed] == [FILMS[1]] * 2 + [FILMS[2]] * 4
    words = shapes_of(document)[2].words
    assert words == (
        "Selected region",
        "Brighter than the same place of the other breast, z 4.1; mark 1 of 3 of the examination, 1 of 2 of the view; "
        f"tracking {first.finding_id}",
        "Certainty of Finding 43.75 %",
    )


def test_a_viewer_is_told_what_to_show(tmp_path: Path) -> None:
    high, low = mark(FILMS[0], 50.0, 60.0, 0.5), mark(FILMS[0], 150.0, 60.0, 0.1, band=Band.LOW)
    alone = mark(FILMS[3], 150.0, 60.0, 0.11, band=Band.LOW)
    document = read_sr(mammography_cad_sr(study(), read_of(high, low, alone), header("cad")))
    views = nodes(document.root, "111034")
    assert [said(v, "111056") for v in views] == [["111150", "111150", "111151"], ["111151", "111151"]]
    assert [[n.meaning for n in (c.code for c in nodes(v, "111059")) if n] for v in views] == [
        ["Selected region"] * 2,
        ["Selected region"],
    ]
    assert {n.number for n in nodes(document.root, "111012")} == {50.0, 10.0, 11.0}
    assert nodes(document.root, "111047") == []  # never a probability of cancer
    one = nodes(document.root, "111059")[0]
    assert (said(one, "111001"), said(one, "111003")) == (["breast"], ["1.4.0"])
    assert RESEARCH_USE in said(one, "111002")


def test_the_library_tells_side_view_and_pixels() -> None:
    magnified = film("L", "MLO", extra={"view_modifiers": "magnification; rolled sideways"})
    document = read_sr(
        mammography_cad_sr(study(film("R", "CC"), magnified), read_of(films=FILMS[:1] + FILMS[3:]), header("c"))
    )
    (library,) = nodes(document.root, "111028")
    right, left = library.children
    assert (right.value_type, right.sop_instance_uid, right.relationship) == ("IMAGE", FILMS[0], "CONTAINS")
    assert (said(right, "111027"), said(right, "111031"), said(right, "111032")) == (["73056007"], ["399162004"], [])
    assert (said(left, "111027"), said(left, "111031"), said(left, "111032")) == (["80248007"], ["399368009"], ["399163009"])
    assert (said(right, "111044"), said(right, "111043")) == (["P"], ["L"])
    assert (said(right, "111060"), said(right, "111061")) == (["20261119"], ["081000"])
    assert (said(right, "111018"), said(right, "111019")) == (["20261119"], ["081501.250"])
    assert [n.number for n in (*nodes(right, "111026"), *nodes(right, "111066"))] == [0.07, 0.1]


def test_a_cluster_is_one_with_its_number_of_calcifications(tmp_path: Path) -> None:
    cluster = FINDING_KINDS["calcification_cluster"]
    group = mark(FILMS[2], 123.5, 210.25, 0.75, code=cluster, attributes=(("calcifications", "9"),))
    place = mark(FILMS[2], 60.0, 88.0, 0.125, band=Band.LOW)
    searched = (("breast.cluster_views", 4.0, "1"),)
    data = mammography_cad_sr(study(), read_of(place, group, measurements=searched), header("cad"))
    assert is_valid(data, tmp_path)
    root = read_sr(data).root
    assert said(root, "111059") == ["129769006", "111099"]
    first, second = nodes(root, "111059")
    assert [n.number for n in nodes(first, "111038")] == [9.0]
    assert not nodes(first, "111058"), "only a selected region is described in words"
    assert f"tracking={group.finding_id}" in said(first, "111002")
    assert not nodes(second, "111038")
    assert said(root, "111022") == ["111099", "129769006"]
    some = mammography_cad_sr(study(), read_of(place, measurements=(("breast.cluster_views", 2.0, "1"),)), header("cad"))
    assert said(read_sr(some).root, "111022") == ["111099"]


def test_nothing_found_is_a_result(tmp_path: Path) -> None:
    data = mammography_cad_sr(study(), read_of(), header("cad"))
    assert is_valid(data, tmp_path)
    document = read_sr(data)
    assert document.summary is not None
    assert document.summary.value == "111241"
    assert shapes_of(document) == ()
    assert (said(document.root, "111064"), said(document.root, "111065")) == (["111222"], ["111225"])
    (done,) = nodes(document.root, "111022")
    assert [c.sop_instance_uid for c in done.children if c.value_type == "IMAGE"] == list(FILMS)


def test_dense_area_names_the_views_of_its_breast(tmp_path: Path) -> None:
    data = mammography_cad_sr(study(), read_of(measurements=DENSITY), header("cad"))
    assert is_valid(data, tmp_path)
    root = read_sr(data).root
    (density,) = nodes(root, "111059")
    assert (density.text, [n.number for n in nodes(density, "111046")]) == ("Breast composition", [31.5])
    assert [c.sop_instance_uid for c in density.children if c.relationship == "INFERRED FROM"] == [FILMS[0], FILMS[2]]
    assert said(root, "111006") == []  # no composition category of a program
    assert said(root, "111065") == ["111222"]
    assert said(root, "111004") == ["133890006"]


def test_a_view_that_was_not_read_is_named_with_the_reason(tmp_path: Path) -> None:
    remark = Problem("ai.breast.chances_from_film", {}, Severity.NOTE)
    refusal = Problem("ai.breast.no_skin_line", {})
    result = read_of(mark(FILMS[0], 9.0, 9.0, 0.3), films=FILMS[:3], problems=(remark, refusal))
    data = mammography_cad_sr(study(), result, header("cad"))
    assert is_valid(data, tmp_path)
    root = read_sr(data).root
    assert said(root, "111064") == ["111223"]
    assert said(root, "111017") == ["111244"]
    (failed,) = nodes(root, "111025")
    assert [c.sop_instance_uid for c in nodes(failed, "111022")[0].children if c.value_type == "IMAGE"] == [FILMS[3]]
    assert [t for t in said(failed, "111002") if t.startswith("problem=")] == ["problem=ai.breast.no_skin_line"]
    # A certainty stands beside what its reader says of it.
    assert sentence("en", remark) in said(nodes(root, "111059")[0], "111002")


@pytest.mark.parametrize(
    ("state", "detections"), [(ReadState.FAILED, "111224"), (ReadState.OUT_OF_SCOPE, "111225")], ids=["failed", "refused"]
)
def test_no_read_is_not_an_empty_result(state: ReadState, detections: str, tmp_path: Path) -> None:
    result = read_of(films=(), state=state, problems=(Problem("ai.breast.child", {}),))
    data = mammography_cad_sr(study(), result, header("cad"))
    assert is_valid(data, tmp_path)
    root = read_sr(data).root
    assert (said(root, "111017"), said(root, "111064"), said(root, "111065")) == (["111245"], [detections], ["111225"])
    assert len(nodes(root, "111025")) == (state is ReadState.FAILED)
    assert nodes(root, "111063") == []
    assert len(nodes(root, "111028")[0].children) == 4


def test_raw_images_beside_those_read_are_no_failure() -> None:
    raw = film("R", "CC", sop_instance_uid=uid_for("raw"), presentation_intent_type="FOR PROCESSING")
    root = read_sr(mammography_cad_sr(study(film("R", "CC"), raw), read_of(films=FILMS[:1]), header("cad"))).root
    assert said(root, "111064") == ["111222"]
    assert [c.sop_instance_uid for c in nodes(root, "111028")[0].children] == [FILMS[0]]


@pytest.mark.skipif(shutil.which("dsrdump") is None, reason="dsrdump (Debian package dcmtk) is not installed")
def test_another_reader_accepts_every_relationship(tmp_path: Path) -> None:
    """DCMTK knows which items a Mammography CAD SR may join, by value and by reference (PS3.3 Table A.35.5-2)."""
    result = read_of(mark(FILMS[0], 90.0, 90.0, 0.3), films=FILMS[:3], measurements=DENSITY)
    (tmp_path / "cad.dcm").write_bytes(mammography_cad_sr(study(), result, header("cad")))
    told = subprocess.run(["dsrdump", str(tmp_path / "cad.dcm")], capture_output=True, text=True, check=True, timeout=30)  # noqa: S603, S607
    assert "nvalid" not in told.stderr, told.stderr
    assert told.stdout.count("<selected from 1.2.1>") == 2
    assert told.stdout.count("Single Image Finding") == 2


def test_the_same_input_gives_the_same_bytes() -> None:
    result = read_of(mark(FILMS[0], 9.0, 9.0, 0.3), measurements=DENSITY)
    assert mammography_cad_sr(study(), result, header("cad")) == mammography_cad_sr(study(), result, header("cad"))
    assert mammography_cad_sr(study(), result, header("cad")) != mammography_cad_sr(study(), result, header("other"))


def test_what_the_iod_asks_for_is_there() -> None:
    made: ObjectHeader = header("cad", demonstration=True)
    ds = pydicom.dcmread(io.BytesIO(mammography_cad_sr(study(), read_of(mark(FILMS[0], 9.0, 9.0, 0.3)), made)))
    assert (ds.SOPClassUID, ds.Modality, ds.file_meta.MediaStorageSOPClassUID) == (
        MAMMOGRAPHY_CAD_SR,
        "SR",
        MAMMOGRAPHY_CAD_SR,
    )
    assert (ds.ContentTemplateSequence[0].MappingResource, ds.ContentTemplateSequence[0].TemplateIdentifier) == (
        "DCMR",
        "4000",
    )
    named = [
        i.ReferencedSOPInstanceUID
        for s in ds.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
        for i in s.ReferencedSOPSequence
    ]
    assert named == list(FILMS)
    assert b"DEMONSTRATION. Not about a real patient." in ds.to_json().encode()
    # Marks point into the image library, as the templates ask (PS3.16 TID 4021).
    links = [e for e in ds.iterall() if e.keyword == "ReferencedContentItemIdentifier"]
    assert links
    for link in links:
        target = ds.ContentSequence[link.value[1] - 1].ContentSequence[link.value[2] - 1]
        assert (link.value[0], target.ValueType) == (1, "IMAGE")


def test_only_the_mammography_reader_has_one() -> None:
    assert wanted(read_of())
    assert not wanted(replace(read_of(), reader=replace(BREAST, name="chest_xray")))
    with pytest.raises(ProblemError, match=r"dicom\.no_images"):
        mammography_cad_sr(replace(study(), series=()), read_of(films=()), header("cad"))
