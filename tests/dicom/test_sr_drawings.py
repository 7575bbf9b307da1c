"""Own drawings go out with their own geometry and unrounded values, and come back as they were, shape by shape."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from app.dicom import coding
from app.dicom.documents import read_document
from app.dicom.key_objects import key_objects
from app.dicom.sr_drawing import UNDRAWN
from app.dicom.sr_shapes import shapes_of
from app.dicom.structured_report import OwnFinding, read_sr, verdict_sr
from app.domain.finding import Finding, Source
from app.domain.identity import uid_for
from app.domain.measurement import MarkShape, Measurement, Placement, Quantity
from app.domain.person import Person
from app.domain.pixels import PixelFormat
from app.domain.saved_overlay import ShapeKind
from app.domain.study import FrameHeader, Study
from app.session.marks import MEASUREMENT_ONLY, drawn, location_of, with_axes
from tests.dicom.objects_phantom import FRAME_OF_REFERENCE, GEOMETRY, ct_study, film_study, header, iod_errors

DOCTOR = Person("doctor-7", "Ахметов Ержан", organisation="Аудандық аурухана")
ODD = 10.0 / 3.0
"""No decimal string of 16 characters holds it."""
Q = Quantity
POINTS: dict[MarkShape, tuple[tuple[float, float], ...]] = {
    MarkShape.POINT: ((7.3, 8.1),),
    MarkShape.LENGTH: ((3.25, 4.5), (17.1, 11.7)),
    # the second line is the longer: the long axis is it
    MarkShape.BIDIRECTIONAL: ((6.0, 7.1), (8.3, 7.1), (2.2, 9.0), (19.4, 3.3)),
    MarkShape.ANGLE: ((2.0, 3.0), (9.5, 12.25), (20.0, 4.4)),
    MarkShape.ELLIPSE: ((15.5, 4.0), (4.25, 9.75)),
    MarkShape.RECTANGLE: ((15.5, 14.0), (4.25, 9.75)),
    MarkShape.POLYGON: ((3.1, 3.2), (12.0, 2.5), (14.5, 13.0), (5.5, 11.0)),
    MarkShape.ARROW: ((8.0, 8.0), (16.5, 3.5)),
    MarkShape.FREEHAND: tuple((10 + 5 * math.cos(n / 5), 9 + 4 * math.sin(n / 5)) for n in range(30)),
    MarkShape.COBB: ((2.0, 3.0), (20.0, 4.0), (3.0, 15.0), (19.0, 11.0)),
    MarkShape.CARDIOTHORACIC: ((7.0, 9.0), (15.0, 9.5), (2.0, 12.0), (22.5, 12.0)),
    MarkShape.LEG_LENGTH: ((5.0, 1.0), (5.5, 18.0), (17.0, 1.5), (16.5, 18.5)),
    MarkShape.TEXT: ((9.0, 5.0),),
    MarkShape.SPINE: ((9.0, 6.0),),
    MarkShape.TOOTH: ((9.0, 7.0),),
    MarkShape.CURVE: ((2.0, 15.0), (9.0, 6.0), (13.0, 5.0), (21.0, 14.0)),
}
VALUES: dict[MarkShape, tuple[Quantity, ...]] = {
    MarkShape.POINT: (Q.VALUE,),
    MarkShape.LENGTH: (Q.LENGTH,),
    MarkShape.BIDIRECTIONAL: (Q.LONG_AXIS, Q.SHORT_AXIS, Q.MEAN_DIAMETER),
    MarkShape.ANGLE: (Q.ANGLE,),
    MarkShape.COBB: (Q.ANGLE,),
    MarkShape.CARDIOTHORACIC: (Q.RATIO, Q.HEART_WIDTH, Q.THORAX_WIDTH),
    MarkShape.LEG_LENGTH: (Q.FIRST_LENGTH, Q.SECOND_LENGTH, Q.DIFFERENCE),
    MarkShape.CURVE: (Q.LENGTH,),
} | dict.fromkeys((MarkShape.ELLIPSE, MarkShape.RECTANGLE, MarkShape.POLYGON), (Q.AREA, Q.MEAN, Q.STANDARD_DEVIATION))
LINES = {
    MarkShape.LENGTH: 1,
    MarkShape.BIDIRECTIONAL: 2,
    MarkShape.ANGLE: 1,
    MarkShape.COBB: 2,
    MarkShape.CARDIOTHORACIC: 2,
    MarkShape.LEG_LENGTH: 2,
    MarkShape.ARROW: 1,
    MarkShape.CURVE: 1,
}
CLOSED = {MarkShape.RECTANGLE, MarkShape.POLYGON, MarkShape.FREEHAND}
IMAGE = uid_for("objects", "ct", "3")
DRAWN = [s for s in MarkShape if s not in UNDRAWN]
ROW, COLUMN = (0.6, 0.8, 0.0), (0.0, 0.0, -1.0)
"""An oblique plane: none of the patient's axes."""


def on_plane(x: float, y: float) -> tuple[float, float, float]:
    centre = GEOMETRY.to_patient((2.0, 9.0, 12.0))
    return tuple(c + (x - 10) * r + (y - 8) * d for c, r, d in zip(centre, ROW, COLUMN, strict=True))  # type: ignore[return-value]


def mark(shape: MarkShape, placement: Placement) -> Finding:
    values = tuple(Measurement(q, ODD * (n + 1), "mm") for n, q in enumerate(VALUES.get(shape, ())))
    return Finding(
        uid_for("drawing", shape.value),
        Source.MINE,
        coding.FINDING_KINDS["lesion"],
        location_of(placement),
        values,
        attributes=(MEASUREMENT_ONLY,),
        shape=shape,
        placement=placement,
        comment="L4" if shape in (MarkShape.TEXT, MarkShape.SPINE) else "",
    )


def placements(shape: MarkShape) -> tuple[Placement, Placement]:
    """On an acquired slice, and on an oblique plane without one."""
    flat = Placement(IMAGE, 0, POINTS[shape], (), FRAME_OF_REFERENCE)
    solid = Placement(
        points_mm=tuple(on_plane(*p) for p in POINTS[shape]),
        frame_of_reference_uid=FRAME_OF_REFERENCE,
        axes_mm=(ROW, COLUMN),
    )
    return flat, solid


def test_every_shape_that_is_drawn_has_its_case() -> None:
    assert set(POINTS) == set(DRAWN)
    assert set(coding.QUANTITIES) == set(Quantity)


@pytest.mark.parametrize("solid", [False, True], ids=["image", "patient"])
@pytest.mark.parametrize("shape", DRAWN)
def test_a_drawing_comes_back_as_it_was(shape: MarkShape, solid: bool, tmp_path: Path) -> None:
    was = mark(shape, placements(shape)[solid])
    data = verdict_sr(ct_study(), DOCTOR, header("verdict"), measured=(was,))
    assert iod_errors(data, tmp_path) == []
    document = read_sr(data)
    read = next(f for f in document.findings if f.tracking_uid == was.finding_id)
    assert read.code is None  # a measured mark claims no finding
    assert read.measurements == was.measurements  # to the last bit
    assert (read.shape, read.attributes, read.comment) == (was.shape, was.attributes, was.comment)
    assert read.placement is not None
    assert was.placement is not None
    if solid:
        assert read.placement.frame_of_reference_uid == FRAME_OF_REFERENCE
        np.testing.assert_allclose(read.placement.points_mm, was.placement.points_mm, rtol=1e-6)  # FL
    else:
        assert (read.placement.sop_instance_uid, read.placement.frame) == (IMAGE, 0)
        np.testing.assert_allclose(read.placement.points_px, was.placement.points_px, rtol=1e-6)


@pytest.mark.parametrize("solid", [False, True], ids=["image", "patient"])
@pytest.mark.parametrize(
    "ends", [((4.0, 5.0), (16.0, 11.0), (8.5, 11.0), (11.5, 5.0)), ((8.5, 11.0), (11.5, 5.0), (4.0, 5.0), (16.0, 11.0))]
)
def test_a_turned_ellipse_comes_back_as_it_was(ends: tuple[tuple[float, float], ...], solid: bool) -> None:
    """By the ends of its axes, whichever was drawn first; the report names the longer one first."""
    flat = Placement(IMAGE, 0, ends, (), FRAME_OF_REFERENCE)
    lying = Placement(points_mm=tuple(on_plane(*p) for p in ends), frame_of_reference_uid=FRAME_OF_REFERENCE)
    was = mark(MarkShape.ELLIPSE, lying if solid else flat)
    document = read_sr(verdict_sr(ct_study(), DOCTOR, header("verdict"), measured=(was,)))
    read = next(f for f in document.findings if f.tracking_uid == was.finding_id)
    assert read.placement is not None
    assert was.placement is not None
    if solid:
        np.testing.assert_allclose(read.placement.points_mm, was.placement.points_mm, rtol=1e-6)
    else:
        np.testing.assert_allclose(read.placement.points_px, ends, rtol=1e-6)
    (shape,) = shapes_of(document)
    points = np.asarray(shape.points_mm if solid else shape.points_px)
    assert np.linalg.norm(points[1] - points[0]) > np.linalg.norm(points[3] - points[2])


@pytest.mark.parametrize(
    ("quantity", "unit", "calibrated"),
    [
        (Q.LENGTH, "px", False),
        (Q.AREA, "px2", False),
        (Q.AREA, "px2", True),
        (Q.ANGLE, "deg", False),
        (Q.RATIO, "%", True),
        (Q.LENGTH, "mm", True),
    ],
)
def test_units_and_what_is_known_of_millimetres(quantity: Quantity, unit: str, calibrated: bool, tmp_path: Path) -> None:
    was = mark(MarkShape.POLYGON, placements(MarkShape.POLYGON)[0])
    was = replace(
        was, measurements=(Measurement(quantity, ODD, unit, calibrated), Measurement(Q.OVERLAY_MEAN, ODD, "1", True, "PT"))
    )
    data = verdict_sr(ct_study(), DOCTOR, header("verdict"), measured=(was,))
    assert iod_errors(data, tmp_path) == []
    assert read_sr(data).findings[0].measurements == was.measurements


@pytest.mark.parametrize("solid", [False, True], ids=["image", "patient"])
@pytest.mark.parametrize("shape", DRAWN)
def test_anybody_can_draw_it_from_the_report(shape: MarkShape, solid: bool) -> None:
    was = mark(shape, placements(shape)[solid])
    shapes = shapes_of(read_sr(verdict_sr(ct_study(), DOCTOR, header("verdict"), measured=(was,))))
    kinds = [s.kind for s in shapes]
    if shape in LINES:
        assert kinds == [ShapeKind.LINE] * LINES[shape]
    elif shape is MarkShape.ELLIPSE:
        assert kinds == [ShapeKind.ELLIPSE]
    elif shape in CLOSED:
        assert kinds == [ShapeKind.OUTLINE]
    else:
        assert kinds == [ShapeKind.POINTS]
    assert all((s.frame_of_reference_uid == FRAME_OF_REFERENCE) if solid else (s.sop_instance_uid == IMAGE) for s in shapes)


def number_items(data: bytes) -> dict[str, list[pydicom.Dataset]]:
    """Values of the first group by meaning, with what each is inferred from."""
    root = pydicom.dcmread(io.BytesIO(data))
    groups = [
        g
        for c in root.ContentSequence
        if c.ConceptNameCodeSequence[0].CodeMeaning == "Imaging Measurements"
        for g in c.ContentSequence
    ]
    found = {}
    for item in (i for g in groups for i in g.ContentSequence if i.ValueType == "NUM"):
        found[item.ConceptNameCodeSequence[0].CodeMeaning] = list(item.get("ContentSequence") or ())
    return found


def test_both_axes_are_inferred_from_their_own_lines() -> None:
    was = mark(MarkShape.BIDIRECTIONAL, placements(MarkShape.BIDIRECTIONAL)[0])
    items = number_items(verdict_sr(ct_study(), DOCTOR, header("verdict"), measured=(was,)))
    p = POINTS[MarkShape.BIDIRECTIONAL]
    for name, line in (("Long axis", p[2:]), ("Short axis", p[:2])):
        (item,) = items[name]
        assert (item.RelationshipType, item.ValueType, item.GraphicType) == ("INFERRED FROM", "SCOORD", "POLYLINE")
        np.testing.assert_allclose(np.reshape(item.GraphicData, (-1, 2)), line, rtol=1e-6)
        assert item.ContentSequence[0].RelationshipType == "SELECTED FROM"
        assert item.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == IMAGE
    assert items["Diameter"] == []


def test_a_highdicom_reader_finds_groups_and_coordinates() -> None:
    import highdicom as hd

    marks = tuple(mark(s, placements(s)[0]) for s in (MarkShape.LENGTH, MarkShape.ELLIPSE, MarkShape.COBB))
    data = verdict_sr(ct_study(), DOCTOR, header("verdict"), measured=marks)
    report = hd.sr.srread(io.BytesIO(data))
    (outline,) = report.content.get_planar_roi_measurement_groups()
    assert outline.roi.graphic_type is hd.sr.GraphicTypeValues.ELLIPSE
    plain = report.content.get_image_measurement_groups()
    by_uid = {str(g.tracking_uid): g for g in plain}
    assert {m.finding_id for m in marks} - set(by_uid) == {marks[1].finding_id}
    (length,) = by_uid[marks[0].finding_id].get_measurements()
    assert length.value == ODD
    assert len(length.referenced_coordinates) == 1
    (cobb,) = by_uid[marks[2].finding_id].get_measurements()
    assert len(cobb.referenced_coordinates) == 2


def test_a_finding_made_of_a_drawing_keeps_it() -> None:
    was = mark(MarkShape.LENGTH, placements(MarkShape.LENGTH)[0])
    was = replace(was, attributes=(), measurements=with_axes(was.measurements))
    data = verdict_sr(ct_study(), DOCTOR, header("verdict"), own=(OwnFinding(was),))
    (read,) = read_sr(data).findings
    assert (read.code, read.shape) == (was.code, MarkShape.LENGTH)
    assert [m.quantity for m in read.measurements] == [Quantity.LONG_AXIS]
    assert len(number_items(data)["Long axis"]) == 1


def test_the_most_exact_form_of_a_number_is_read() -> None:
    was = mark(MarkShape.LENGTH, placements(MarkShape.LENGTH)[0])
    ds = pydicom.dcmread(io.BytesIO(verdict_sr(ct_study(), DOCTOR, header("verdict"), measured=(was,))))

    def read(**values: object) -> float:
        for measured in (e.value[0] for e in ds.iterall() if e.keyword == "MeasuredValueSequence"):
            for keyword, value in values.items():
                setattr(measured, keyword, value)
        buffer = io.BytesIO()
        ds.save_as(buffer)
        return read_sr(buffer.getvalue()).findings[0].measurements[0].value

    assert read() == ODD
    assert read(FloatingPointValue=float("nan")) == float("3.33333333333333")
    assert read(RationalNumeratorValue=10, RationalDenominatorValue=3) == ODD
    assert read(RationalDenominatorValue=0, FloatingPointValue=2.5) == 2.5


def test_no_finding_is_still_said_beside_measured_marks() -> None:
    was = mark(MarkShape.LENGTH, placements(MarkShape.LENGTH)[0])
    data = verdict_sr(ct_study(), DOCTOR, header("verdict"), measured=(was,))
    assert coding.NOTHING_REPORTED.meaning.encode() in data


def test_a_box_drawn_before_its_directions_were_kept_goes_out_where_it_has_one_meaning() -> None:
    low, high = GEOMETRY.to_patient((2.5, 3.0, 4.0)), GEOMETRY.to_patient((2.5, 9.0, 15.0))
    flat = Placement(points_mm=(low, high), frame_of_reference_uid=FRAME_OF_REFERENCE)
    tilted = replace(flat, points_mm=(low, GEOMETRY.to_patient((4.0, 9.0, 15.0))))
    kinds = []
    for placement in (flat, tilted):
        data = verdict_sr(ct_study(), DOCTOR, header("verdict"), measured=(mark(MarkShape.ELLIPSE, placement),))
        kinds.append([s.kind for s in shapes_of(read_sr(data))])
    assert kinds[0] == [ShapeKind.ELLIPSE]
    assert ShapeKind.ELLIPSE not in kinds[1]  # its sides are not known: no outline is made up


def test_pixels_stay_pixels_on_an_uncalibrated_film(tmp_path: Path) -> None:
    study = film_study()
    at = Placement(uid_for("objects", "dx"), 0, ((3.0, 4.0), (30.5, 22.25)))
    was = replace(mark(MarkShape.LENGTH, at), measurements=(Measurement(Quantity.LENGTH, ODD, "px", False),))
    data = verdict_sr(study, DOCTOR, header("verdict"), measured=(was,))
    assert iod_errors(data, tmp_path) == []
    read = read_sr(data).findings[0]
    assert read.measurements == was.measurements
    assert read.placement is not None
    assert read.placement.points_px == at.points_px


def loop_study(frames: int = 5) -> Study:
    study = film_study()
    instance = study.series[0].instances[0]
    changed = replace(
        instance,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.3.1",
        frames=(FrameHeader(),) * frames,
        pixel_format=PixelFormat(rows=40, columns=50),
    )
    return replace(study, series=(replace(study.series[0], modality="US", instances=(changed,)),))


@pytest.mark.parametrize("frames", [(3,), (1, 4), (0, 2, 4)])
def test_key_images_of_a_loop_keep_their_frames(frames: tuple[int, ...], tmp_path: Path) -> None:
    uid = uid_for("objects", "dx")
    data = key_objects(loop_study(), (uid,), header("ko"), frames={uid: frames})
    assert iod_errors(data, tmp_path) == []
    document = read_sr(data)
    (node,) = (c for c in document.root.children if c.value_type == "IMAGE")
    assert node.frames == frames
    assert [(s.kind, s.sop_instance_uid, s.frame) for s in shapes_of(document)] == [
        (ShapeKind.IMAGE, uid, n) for n in frames
    ]


def test_each_frame_of_a_key_object_is_a_line_that_leads_to_it() -> None:
    uid = uid_for("objects", "dx")
    document = read_document(key_objects(loop_study(), (uid,), header("ko"), frames={uid: (1, 4)}))
    leads = [(line.sop_instance_uid, line.frame) for line in document.lines if line.sop_instance_uid]
    assert leads == [(uid, 1), (uid, 4)]


def test_a_single_image_is_named_without_a_frame() -> None:
    uid = uid_for("objects", "dx")
    data = key_objects(film_study(), (uid,), header("ko"), frames={uid: (0,)})
    assert b"\x08\x00\x60\x11" not in data  # Referenced Frame Number (0008,1160)


def test_a_mark_on_a_frame_of_a_loop_names_the_frame() -> None:
    at = Placement(uid_for("objects", "dx"), 3, POINTS[MarkShape.LENGTH])
    data = verdict_sr(loop_study(), DOCTOR, header("verdict"), measured=(mark(MarkShape.LENGTH, at),))
    read = read_sr(data).findings[0]
    assert read.placement == replace(at, points_px=read.placement.points_px if read.placement else ())
    assert [s.frame for s in shapes_of(read_sr(data))] == [3]


def test_the_desk_makes_marks_that_can_be_written() -> None:
    """A drawing as the tools give it, kept as the desk keeps it."""
    from app.domain.measurement import Annotation

    annotation = Annotation(
        uid_for("drawing", "tool"),
        MarkShape.LENGTH,
        placements(MarkShape.LENGTH)[0],
        (Measurement(Quantity.LENGTH, ODD, "mm"),),
    )
    kept = drawn(annotation, None)
    read = read_sr(verdict_sr(ct_study(), DOCTOR, header("verdict"), measured=(kept,))).findings[0]
    assert read.measurements == kept.measurements
