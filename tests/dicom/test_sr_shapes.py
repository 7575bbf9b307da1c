"""Reports of other makers: every coordinate is placed once, with the words of what it belongs to."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from app.dicom.sr_reader import read_sr
from app.dicom.sr_shapes import shapes_of
from app.domain.geometry import PlaneGeometry
from app.domain.pixels import FramePixels
from app.domain.saved_overlay import PlacedShape, ShapeKind
from app.viewer.decorations import Style
from app.viewer.layers import ImageLayer
from app.viewer.primitives import Polyline, Text
from app.viewer.report_shapes import shape_primitives
from app.viewer.view_state import Appearance, ImageGeometry, ViewState, resolve
from tests.dicom import saved_phantom as made

SHARED = Path(os.environ.get("EKINSHI_SHARED_DATA", Path(__file__).parents[2].parent / "shared" / "data")) / "dicom"


def code(value: str, scheme: str, meaning: str) -> Dataset:
    return made.item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def content(kind: str, concept: Dataset | None = None, children: tuple = (), **values: object) -> Dataset:
    item = made.item(RelationshipType=values.pop("relation", "CONTAINS"), ValueType=kind, **values)
    if concept is not None:
        item.ConceptNameCodeSequence = [concept]
    if children:
        item.ContentSequence = list(children)
    return item


def image(uid: str, frame: int | None = None) -> Dataset:
    ref = made.item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID=uid)
    if frame is not None:
        ref.ReferencedFrameNumber = frame
    return content("IMAGE", relation="SELECTED FROM", ReferencedSOPSequence=[ref])


def number(concept: Dataset, value: str, unit: str, children: tuple = ()) -> Dataset:
    measured = made.item(NumericValue=value, MeasurementUnitsCodeSequence=[code(unit, "UCUM", unit)])
    return content("NUM", concept, children, MeasuredValueSequence=[measured])


def report(*children: Dataset) -> tuple[PlacedShape, ...]:
    from pydicom.sequence import Sequence

    data = made.plain_object(
        "1.2.840.10008.5.1.4.1.1.88.50",
        "SR",
        ValueType="CONTAINER",
        ConceptNameCodeSequence=[code("111036", "DCM", "Mammography CAD Report")],
        ContentSequence=Sequence(children),
    )
    return shapes_of(read_sr(data))


def test_a_cad_report_places_centre_and_outline_by_meaning() -> None:
    finding = content(
        "CODE",
        code("111059", "DCM", "Single Image Finding"),
        (
            content(
                "SCOORD", code("111010", "DCM", "Center"), (image("1.2.3"),), GraphicType="POINT", GraphicData=[10.0, 20.0]
            ),
            content(
                "SCOORD",
                code("111041", "DCM", "Outline"),
                (image("1.2.3", 2),),
                GraphicType="POLYLINE",
                GraphicData=[5.0, 5.0, 9.0, 5.0, 9.0, 9.0, 5.0, 5.0],
            ),
            number(code("111047", "DCM", "Probability of cancer"), "32", "%"),
        ),
        ConceptCodeSequence=[code("X-17", "99MAKER", "Speculated architectural thing")],
    )
    tree = content("CONTAINER", code("111034", "DCM", "Individual Impression/Recommendation"), (finding,))
    centre, outline = report(tree)
    assert (centre.kind, centre.points_px, centre.sop_instance_uid, centre.frame) == (
        ShapeKind.POINTS, ((10.0, 20.0),), "1.2.3", 0,
    )  # fmt: skip
    assert (outline.kind, outline.frame, len(outline.points_px)) == (ShapeKind.OUTLINE, 1, 4)
    assert centre.words == ("Speculated architectural thing", "Probability of cancer 32 %")


def reference(*path: int) -> Dataset:
    return made.item(RelationshipType="SELECTED FROM", ReferencedContentItemIdentifier=list(path))


def point(link: Dataset) -> Dataset:
    centre = content("SCOORD", code("111010", "DCM", "Center"), (link,), GraphicType="POINT", GraphicData=[10.0, 20.0])
    intent = content(
        "CODE", code("111056", "DCM", "Rendering Intent"), relation="HAS CONCEPT MOD",
        ConceptCodeSequence=[code("111150", "DCM", "Presentation Required")],
    )  # fmt: skip
    said = content("TEXT", code("111058", "DCM", "Selected Region Description"), TextValue="dense spot")
    return content("CODE", code("111059", "DCM", "Single Image Finding"), (intent, centre, said))


def test_marks_that_point_into_the_image_library_lie_on_its_images() -> None:
    library = content("CONTAINER", code("111028", "DCM", "Image Library"), (image("1.2.3"), image("1.2.4", 5)))
    (first,), (second,) = (report(library, point(reference(1, 1, n))) for n in (1, 2))
    assert (first.sop_instance_uid, first.frame, second.sop_instance_uid, second.frame) == ("1.2.3", 0, "1.2.4", 4)
    # Without a value of its own a finding takes no name from how it is to be shown.
    assert first.words == ("dense spot",)


@pytest.mark.parametrize("path", [(1, 1, 3), (1, 9), (2, 1, 1), (1,), (1, 2), (1, 0)])
def test_a_reference_that_leads_to_no_image_places_nothing(path: tuple[int, ...]) -> None:
    library = content("CONTAINER", code("111028", "DCM", "Image Library"), (image("1.2.3"),))
    assert report(library, point(reference(*path))) == ()


def test_a_length_that_stands_alone_keeps_its_number() -> None:
    line = content(
        "SCOORD", None, (image("1.2.4"),), relation="INFERRED FROM", GraphicType="POLYLINE", GraphicData=[0, 0, 30, 40]
    )
    (shape,) = report(number(code("G-D7FE", "SRT", "Length"), "7.25", "mm", (line,)))
    assert (shape.kind, shape.words) == (ShapeKind.LINE, ("Length 7.25 mm",))
    assert shape.points_px == ((0.0, 0.0), (30.0, 40.0))


def test_coordinates_without_an_image_are_placed_nowhere() -> None:
    lost = content("SCOORD", None, (), GraphicType="CIRCLE", GraphicData=[1.0, 1.0, 2.0, 2.0])
    floating = content("SCOORD3D", None, (), GraphicType="POINT", GraphicData=[1.0, 2.0, 3.0])
    short = content("SCOORD", None, (image("1.2.5"),), GraphicType="ELLIPSE", GraphicData=[1.0, 1.0, 2.0, 2.0])
    assert report(lost, floating, short) == ()


def test_a_key_object_of_anybody_marks_its_images() -> None:
    from pydicom.sequence import Sequence

    said = content("TEXT", code("113012", "DCM", "Key Object Description"), TextValue="for the tumour board")
    data = made.plain_object(
        "1.2.840.10008.5.1.4.1.1.88.59",
        "KO",
        ValueType="CONTAINER",
        ConceptNameCodeSequence=[code("113003", "DCM", "For Surgery")],
        ContentSequence=Sequence([said, image("1.2.3"), image("1.2.7", 4)]),
    )
    shapes = shapes_of(read_sr(data))
    assert [(s.kind, s.sop_instance_uid, s.frame) for s in shapes] == [
        (ShapeKind.IMAGE, "1.2.3", 0), (ShapeKind.IMAGE, "1.2.7", 3),
    ]  # fmt: skip
    _, (star,) = _drawn(shapes[0])
    assert star.text == "\u2605 For Surgery \u00b7 for the tumour board"
    assert _drawn(shapes[1]) == ([], [])


PLANE = PlaneGeometry((-51.0, 12.0, -300.0), (1, 0, 0), (0, 1, 0), 0.8, 0.5, 100, 120, "1.9")


def _drawn(shape: PlacedShape, half_mm: float = 1.0) -> tuple[list[Polyline], list[Text]]:
    frame = FramePixels(np.zeros((100, 120), np.float32), "HU")
    layer = ImageLayer(Appearance(), frame=frame, geometry=ImageGeometry.of_plane(PLANE), sop_instance_uid="1.2.3")
    resolved = resolve(ViewState(), (960, 800), ImageGeometry.of_plane(PLANE))
    out = shape_primitives(shape, layer, resolved, Style(), half_mm)
    return [p for p in out if isinstance(p, Polyline)], [p for p in out if isinstance(p, Text)]


def _mm(line: Polyline) -> np.ndarray:
    resolved = resolve(ViewState(), (960, 800), ImageGeometry.of_plane(PLANE))
    return np.array([resolved.pane_to_patient(*p) for p in line.points])


def test_shapes_lie_on_their_own_image_only() -> None:
    shape = PlacedShape(ShapeKind.CIRCLE, ("Mass", "Diameter 9 mm"), ((60.0, 50.0), (70.0, 50.0)), "1.2.3", 0)
    (ring,), words = _drawn(shape)
    assert np.hypot(
        *(
            np.array([resolve(ViewState(), (960, 800), ImageGeometry.of_plane(PLANE)).pane_to_px(*p) for p in ring.points])
            - (60, 50)
        ).T
    ) == pytest.approx(10.0)
    assert [w.text for w in words] == ["Mass", "Diameter 9 mm"]
    assert _drawn(PlacedShape(ShapeKind.CIRCLE, (), shape.points_px, "1.2.3", 1)) == ([], [])
    assert _drawn(PlacedShape(ShapeKind.CIRCLE, (), shape.points_px, "1.2.9", 0)) == ([], [])


def test_an_ellipsoid_is_cut_where_the_slice_cuts_it() -> None:
    centre = np.array([-20.0, 40.0, -297.0])
    axes = np.array([[9.0, 0, 0], [0, 6.0, 0], [0, 0, 5.0]])
    ends = tuple(tuple(float(v) for v in centre + s * a) for a in axes for s in (-1, 1))
    shape = PlacedShape(ShapeKind.ELLIPSOID, ("Lesion",), points_mm=ends, frame_of_reference_uid="1.9")
    (ring,), _ = _drawn(shape)
    at = _mm(ring) - centre
    assert at[:, 2] == pytest.approx(-3.0, abs=1e-6)
    assert ((at / np.diag(axes)) ** 2).sum(axis=1) == pytest.approx(1.0, abs=1e-6)
    assert np.abs(at[:, 0]).max() == pytest.approx(9.0 * math.sqrt(1 - 0.36), rel=0.01)
    far = tuple((x, y, z + 9.0) for x, y, z in ends)
    assert _drawn(PlacedShape(ShapeKind.ELLIPSOID, (), points_mm=far, frame_of_reference_uid="1.9")) == ([], [])
    assert _drawn(PlacedShape(ShapeKind.ELLIPSOID, (), points_mm=ends, frame_of_reference_uid="1.8")) == ([], [])


def test_a_polygon_in_the_patient_lies_on_its_slice() -> None:
    points = ((-20.0, 40.0, -300.4), (-10.0, 40.0, -300.4), (-10.0, 50.0, -300.4))
    shape = PlacedShape(ShapeKind.OUTLINE, (), points_mm=points, frame_of_reference_uid="1.9")
    (ring,), _ = _drawn(shape)
    assert _mm(ring)[:, :2] == pytest.approx(np.array(points)[:, :2])
    assert _drawn(shape, half_mm=0.2) == ([], [])


@pytest.mark.skipif(not SHARED.is_dir(), reason="shared test data are not here")
@pytest.mark.parametrize(
    ("file", "count", "check"),
    [
        (
            "ct-chest-nlst/SR/*",
            8,
            lambda s: s.kind is ShapeKind.OUTLINE and s.sop_instance_uid and s.words == ("Lesion, Lung structure",),
        ),
        ("mr-prostatex/SR/*", 2, lambda s: s.frame_of_reference_uid and len(s.points_mm) >= 1),
        ("derived-highdicom/sr_document.dcm", 1, lambda s: s.words[0].startswith("Spinal cord") and "1.7 cm2" in s.words[1]),
        ("derived-dcmqi/sr_tid1500.dcm", 0, lambda s: True),
        ("robustness-fo-dicom/test_SR.dcm", 0, lambda s: True),
    ],
)
def test_real_reports_of_other_makers(file: str, count: int, check: Callable[[PlacedShape], bool]) -> None:
    (path,) = SHARED.glob(file)
    shapes = shapes_of(read_sr(io.BytesIO(path.read_bytes()).getvalue()))
    assert len(shapes) == count
    assert all(check(s) for s in shapes)
