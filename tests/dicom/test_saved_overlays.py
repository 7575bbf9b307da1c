"""Segments, maps and structures of other makers: where they lie, their colours, what is refused."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pydicom
import pytest

from app.dicom.grids import paste, plane_arguments
from app.dicom.object_header import evidence_of, finished
from app.dicom.saved_overlays import read_overlay
from app.domain.geometry import PlaneGeometry, VolumeGeometry
from app.domain.pixels import FramePixels, VoiWindow
from app.domain.problem import ProblemError
from app.domain.saved_overlay import Fraction, OverlayKind, ValueMap
from app.session.saved_drawing import values_there
from app.viewer.compositor import render
from app.viewer.layers import FractionLayer, ImageLayer
from app.viewer.primitives import Polyline
from app.viewer.structures import structure_primitives
from app.viewer.view_state import Appearance, ImageGeometry, ViewState, resolve
from tests.dicom.objects_phantom import GEOMETRY, ai_finding, ai_result, ct_study, header
from tests.dicom.saved_phantom import FRAME_OF_REFERENCE, IMAGE, item, part10, plain_object, structure_set
from tests.dicom.test_shared_data import ROOT

needs_data = pytest.mark.skipif(not ROOT.is_dir(), reason="the shared development data is not here")

SIZE = (240, 200)


def _plane(z: float) -> PlaneGeometry:
    return VolumeGeometry.axial((1, 40, 60), (2.5, 0.7, 0.8), (-123.5, -310.25, z), FRAME_OF_REFERENCE).plane(0)


def _square(z: float, x: float = -110.0, y: float = -300.0, side: float = 10.0) -> np.ndarray:
    return np.array([[x, y, z], [x + side, y, z], [x + side, y + side, z], [x, y + side, z]])


def test_structures_with_name_colour_and_frame_of_reference() -> None:
    overlay = read_overlay(structure_set([_square(-742.0), _square(-739.5)]))
    assert (overlay.kind, overlay.title, overlay.frame_of_reference_uid) == (
        OverlayKind.STRUCTURES,
        "PLAN A",
        FRAME_OF_REFERENCE,
    )
    (liver,) = overlay.parts
    assert (liver.number, liver.label, liver.meaning, liver.rgb) == (1, "Liver", "ORGAN", (255, 0, 64))
    assert [c.points_mm.shape for c in liver.contours] == [(4, 3), (4, 3)]
    assert overlay.source_sop_instance_uids == (IMAGE,)
    assert [p.code for p in overlay.remarks] == ["overlay.empty_structure"]


def test_a_contour_is_drawn_on_its_own_slice_only() -> None:
    overlay = read_overlay(structure_set([_square(-742.0), _square(-739.5)]))
    resolved = resolve(ViewState("x"), SIZE, ImageGeometry.of_plane(_plane(-742.0)))
    drawn = structure_primitives(overlay.parts, resolved, 1.25, 1.0)
    (line,) = drawn
    assert isinstance(line, Polyline)
    assert line.closed
    assert line.rgb == (255, 0, 64)
    expected = [resolved.patient_to_pane((float(p[0]), float(p[1]), float(p[2]))) for p in _square(-742.0)]
    assert np.allclose(line.points, [e[:2] for e in expected if e is not None])
    between = resolve(ViewState("x"), SIZE, ImageGeometry.of_plane(_plane(-736.0)))
    assert structure_primitives(overlay.parts, between, 1.25, 1.0) == []


def test_a_plane_across_cuts_the_contours() -> None:
    contours = [_square(-742.0 + 2.5 * n) for n in range(4)]
    notch = np.array([[0, 0], [10, 0], [10, 10], [6, 10], [6, 4], [4, 4], [4, 10], [0, 10.0]])  # a U, open to the back
    contours[1] = np.column_stack([notch + (-110.0, -300.0), np.full(len(notch), -739.5)])
    overlay = read_overlay(structure_set(contours))
    coronal = PlaneGeometry(
        origin_mm=(-123.5, -292.0, -742.0),
        row_cosines=(1.0, 0.0, 0.0),
        column_cosines=(0.0, 0.0, 1.0),
        row_spacing_mm=1.0,
        column_spacing_mm=0.8,
        rows=20,
        columns=60,
        frame_of_reference_uid=FRAME_OF_REFERENCE,
    )
    resolved = resolve(ViewState("x"), SIZE, ImageGeometry.of_plane(coronal))
    lines = [p for p in structure_primitives(overlay.parts, resolved, 1.25, 1.0) if isinstance(p, Polyline)]
    # One cut through each square; two through the arms of the U, which is open 8 mm behind its front.
    assert len(lines) == 5

    def ends(line: Polyline) -> list[float]:
        return sorted(round(float(resolved.pane_to_patient(*p)[0]), 3) for p in line.points)  # type: ignore[index]

    assert sorted(map(tuple, map(ends, lines))) == [
        (-110.0, -106.0),
        (-110.0, -100.0),
        (-110.0, -100.0),
        (-110.0, -100.0),
        (-104.0, -100.0),
    ]


def test_our_own_segmentation_comes_back_in_its_place() -> None:
    from app.dicom.segmentation import finding_masks_seg
    from app.domain.finding import SegmentMask

    values = np.zeros(GEOMETRY.shape, dtype=bool)
    values[2:4, 5:9, 6:12] = True
    finding = ai_finding()
    result = replace(ai_result(finding), masks=(SegmentMask(finding.finding_id, values, GEOMETRY),))
    overlay = read_overlay(finding_masks_seg(ct_study(), result, header("seg")))
    (part,) = overlay.parts
    (mask,) = part.masks
    assert mask.geometry is not None
    assert mask.values.sum() == values.sum()
    there = mask.geometry.to_patient(tuple(float(v) for v in np.argwhere(mask.values)[0]))  # type: ignore[arg-type]
    assert np.allclose(there, GEOMETRY.to_patient((2.0, 5.0, 6.0)))


def _labels(values: np.ndarray, kind: str = "1.2.840.10008.5.1.4.1.1.66.7", **changes: object) -> bytes:
    """A segmentation of three planes 2.5 mm apart with labels 1 (red) and 7."""
    groups = [
        item(PlanePositionSequence=[item(ImagePositionPatient=[-123.5, -310.25, -742.0 + 2.5 * n])])
        for n in range(len(values))
    ]
    shared = item(
        PixelMeasuresSequence=[item(PixelSpacing=[0.7, 0.8], SliceThickness="2.5", SpacingBetweenSlices="2.5")],
        PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
    )
    red = (round(0.5429 * 65535), round((80.81 + 128) / 255 * 65535), round((69.89 + 128) / 255 * 65535))
    fields: dict[str, object] = {
        "Rows": values.shape[1],
        "Columns": values.shape[2],
        "NumberOfFrames": len(values),
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        "FrameOfReferenceUID": FRAME_OF_REFERENCE,
        "SegmentSequence": [
            item(SegmentNumber=1, SegmentLabel="one", RecommendedDisplayCIELabValue=list(red)),
            item(SegmentNumber=7, SegmentLabel="seven"),
            item(SegmentNumber=9, SegmentLabel="nowhere"),
        ],
        "SharedFunctionalGroupsSequence": [shared],
        "PerFrameFunctionalGroupsSequence": groups,
        "PixelData": values.astype(np.uint8).tobytes(),
    }
    return plain_object(kind, "SEG", **{**fields, **changes})


def test_label_maps_and_fractions_lie_in_their_place() -> None:
    values = np.zeros((3, 6, 8), dtype=np.uint8)
    values[1, 2:4, 3:6] = 1
    values[2, 5, 7] = 7
    overlay = read_overlay(_labels(values))
    one, seven = overlay.parts
    assert (one.label, seven.label) == ("one", "seven")
    assert np.abs(np.array(one.rgb) - (255, 0, 0)).max() <= 2
    (mask,) = one.masks
    assert mask.values.shape == (1, 2, 3)
    assert mask.values.all()
    assert mask.geometry is not None
    # Row 2, column 3 of the second plane: 3 x 0.8 to the left, 2 x 0.7 to the back, 2.5 up.
    assert np.allclose(mask.geometry.origin_mm, (-123.5 + 2.4, -310.25 + 1.4, -739.5))
    (mask,) = seven.masks
    assert np.allclose(mask.geometry.origin_mm, (-123.5 + 5.6, -310.25 + 3.5, -737.0))  # type: ignore[union-attr]
    fractions = np.zeros((3, 6, 8), dtype=np.uint8)
    fractions[0, 0] = [0, 99, 100, 101, 199, 200, 1, 0]
    groups = [
        item(
            SegmentIdentificationSequence=[item(ReferencedSegmentNumber=1)],
            PlanePositionSequence=[item(ImagePositionPatient=[-123.5, -310.25, -742.0 + 2.5 * n])],
        )
        for n in range(3)
    ]
    data = _labels(
        fractions,
        "1.2.840.10008.5.1.4.1.1.66.4",
        SegmentationType="FRACTIONAL",
        SegmentationFractionalType="OCCUPANCY",
        MaximumFractionalValue=200,
        PerFrameFunctionalGroupsSequence=groups,
    )
    overlay = read_overlay(data)
    assert overlay.fractional
    assert [p.code for p in overlay.remarks] == ["overlay.occupancy"]
    (part,) = overlay.parts
    assert (part.label, part.masks) == ("one", ())
    (fraction,) = part.fractions
    assert np.allclose(fraction.values, [[[0.495, 0.5, 0.505, 0.995, 1.0, 0.005]]], atol=5e-4)
    assert fraction.geometry is not None
    assert np.allclose(fraction.geometry.origin_mm, (-123.5 + 0.8, -310.25, -742.0))
    with pytest.raises(ProblemError, match="overlay.unreadable"):
        read_overlay(_labels(values, PixelData=b"\0" * 16))


def test_fractions_are_as_opaque_as_they_are_large() -> None:
    values = np.array([[0.0, 0.2, 0.5], [1.0, 0.0, 0.0]], np.float16)
    frame = FramePixels(np.full((2, 3), 100, np.uint8), windows=(VoiWindow(127.5, 256.0),))
    image = ImageLayer(frame=frame, geometry=ImageGeometry(3, 2, 1.0, 1.0), sop_instance_uid=IMAGE)
    over = FractionLayer(Fraction(values, None, IMAGE), (200, 0, 100), Appearance(opacity=0.5))
    shown = render(ViewState("x"), (image, over), (3, 2)).pixels.astype(int)
    base = int(render(ViewState("x"), (image,), (3, 2)).pixels[0, 0])
    # Opacity 0.5 times 0.2, 0.5 and 1: blue, green, red.
    for (row, column), alpha in {(0, 1): 0.1, (0, 2): 0.25, (1, 0): 0.5, (0, 0): 0.0, (1, 2): 0.0}.items():
        expected = [base + (c - base) * alpha for c in (100, 0, 200)]
        assert np.abs(shown[row, column, :3] - expected).max() <= 1, (row, column)
    elsewhere = render(ViewState("x"), (image, replace(over, fraction=Fraction(values, None, "2.25.9"))), (3, 2)).pixels
    assert (elsewhere == base).all()


def test_fractions_and_overlapping_segments_come_back() -> None:
    """Written by highdicom over the slices of a study, read by us: the same numbers at the same places, both segments."""
    import highdicom as hd

    rng = np.random.default_rng(7)
    fractions = np.zeros((*GEOMETRY.shape, 2), np.float32)
    fractions[2:4, 5:9, 6:12, 0] = rng.uniform(0.01, 1.0, (2, 4, 6))
    fractions[3:5, 7:11, 8:14, 1] = rng.uniform(0.01, 1.0, (2, 4, 6))
    overlap = (fractions > 0).all(axis=-1)
    assert overlap.sum() == 1 * 2 * 4
    study = ct_study()
    uids = [i.sop_instance_uid for i in study.series[0].instances]
    algorithm = hd.AlgorithmIdentificationSequence(
        name="x", family=hd.sr.CodedConcept("123109", "DCM", "Artificial Intelligence"), version="1"
    )
    organ = hd.sr.CodedConcept("10200004", "SCT", "Liver")
    described = [
        hd.seg.SegmentDescription(n, f"part {n}", hd.sr.CodedConcept("123037004", "SCT", "Anatomical Structure"), organ,
                                  "AUTOMATIC", algorithm)
        for n in (1, 2)
    ]  # fmt: skip
    for kind in ("FRACTIONAL", "BINARY"):
        own = header(f"seg {kind}")
        ds = hd.seg.Segmentation(
            source_images=evidence_of(study, uids), pixel_array=fractions if kind == "FRACTIONAL" else fractions > 0,
            segmentation_type=kind, segment_descriptions=described, series_instance_uid=own.series_instance_uid,
            series_number=9, sop_instance_uid=own.sop_instance_uid, instance_number=1, manufacturer="x",
            manufacturer_model_name="x", software_versions="1", device_serial_number="1",
            **({"fractional_type": "PROBABILITY"} if kind == "FRACTIONAL" else {}),
            **plane_arguments(GEOMETRY),
        )  # fmt: skip
        overlay = read_overlay(finished(ds, study, own))
        assert [p.code for p in overlay.remarks] == (["overlay.probability"] if kind == "FRACTIONAL" else [])
        for n, part in enumerate(overlay.parts):
            (found,) = part.fractions if kind == "FRACTIONAL" else part.masks
            assert found.geometry is not None
            whole = np.zeros(GEOMETRY.shape, np.float32)
            assert paste(whole, GEOMETRY, found.values, found.geometry) is not None
            wanted = fractions[..., n] if kind == "FRACTIONAL" else fractions[..., n] > 0
            assert np.abs(whole - wanted).max() <= 0.5 / 255 + 1e-3


def test_what_is_no_overlay_is_refused() -> None:
    with pytest.raises(ProblemError, match="overlay.not_one"):
        read_overlay(plain_object("1.2.840.10008.5.1.4.1.1.66.3", "REG"))
    with pytest.raises(ProblemError, match="overlay.unreadable"):
        read_overlay(b"\0" * 400)
    with pytest.raises(ProblemError, match="overlay.unreadable"):
        read_overlay(plain_object("1.2.840.10008.5.1.4.1.1.30", "OT"))


@needs_data
def test_real_segmentations_and_maps() -> None:
    derived = ROOT / "derived-dcmqi"
    liver = read_overlay((derived / "seg_liver.dcm").read_bytes())
    assert [(p.label, p.meaning, p.rgb) for p in liver.parts] == [("Liver", "Liver", (217, 130, 101))]
    (mask,) = liver.parts[0].masks
    # Only the box that holds the liver is kept; nothing of it is lost and nothing moved.
    import pydicom

    ds = pydicom.dcmread(derived / "seg_liver.dcm")
    stored = ds.pixel_array
    assert mask.values.sum() == stored.sum()
    assert mask.values.shape < (3, 300, 300)
    assert mask.geometry is not None
    k, j, i = (int(v) for v in np.argwhere(mask.values)[0])
    place = np.asarray(mask.geometry.to_patient((float(k), float(j), float(i))))
    planes = [
        np.asarray(g.PlanePositionSequence[0].ImagePositionPatient, float) for g in ds.PerFrameFunctionalGroupsSequence
    ]
    n = int(np.argmin([abs(p[2] - place[2]) for p in planes]))
    row, column = np.argwhere(stored[n])[0]
    spacing = ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing
    expected = planes[n] + (column * float(spacing[1]), row * float(spacing[0]), 0.0)
    assert np.allclose(place, expected, atol=1e-6)
    fractional = read_overlay((derived.parent / "derived-highdicom" / "seg_image_ct_true_fractional.dcm").read_bytes())
    assert fractional.fractional
    found = read_overlay((derived.parent / "decode-pydicom-data" / "parametric_map_float.dcm").read_bytes())
    assert found.value_map is not None
    assert (found.value_map.quantity, found.value_map.unit) == ("feature_001", "1")
    assert 0 < found.value_map.low < found.value_map.high < 1


def _map(values: np.ndarray, maps: list[list[object]], shared_map: list[object] | None = None) -> bytes:
    """A parametric map of planes 2.5 mm apart; ``maps`` are those of each frame's own."""
    groups = [
        item(PlanePositionSequence=[item(ImagePositionPatient=[-123.5, -310.25, -742.0 + 2.5 * n])])
        for n in range(len(values))
    ]
    for group, own in zip(groups, maps, strict=True):
        if own:
            group.RealWorldValueMappingSequence = own
    data = _labels(values, "1.2.840.10008.5.1.4.1.1.30", PerFrameFunctionalGroupsSequence=groups)
    ds = pydicom.dcmread(io.BytesIO(data))
    if shared_map:
        ds.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence = shared_map
    return part10(ds)


def _line(slope: float, unit: str = "mm2/s") -> object:
    code = item(CodeValue=unit, CodingSchemeDesignator="UCUM", CodeMeaning=unit)
    return item(LUTLabel="A", RealWorldValueSlope=slope, RealWorldValueIntercept=0.0, MeasurementUnitsCodeSequence=[code])


def _table() -> object:
    code = item(CodeValue="mm2/s", CodingSchemeDesignator="UCUM", CodeMeaning="x")
    made = item(LUTLabel="A", RealWorldValueLUTData=[0.25, 4.0, 1.5], MeasurementUnitsCodeSequence=[code])
    made.add_new(0x00409216, "US", 3)
    made.add_new(0x00409211, "US", 5)
    return made


def test_a_map_takes_each_frames_own_mapping_and_tables() -> None:
    values = np.zeros((3, 6, 8), dtype=np.uint8)
    values[:, 2, 3:7] = (3, 4, 5, 6)
    overlay = read_overlay(_map(values, [[_line(0.5)], [_table()], []], [_line(2.0)]))
    found = overlay.value_map
    assert found is not None
    assert found.geometry is not None
    assert (found.unit, found.quantity) == ("mm2/s", "A")
    assert found.values[0, 2, 3:7].tolist() == [1.5, 2.0, 2.5, 3.0]
    assert np.array_equal(found.values[1, 2, 3:7], [0.25, 4.0, 1.5, np.nan], equal_nan=True)
    assert found.values[2, 2, 3:7].tolist() == [6.0, 8.0, 10.0, 12.0]
    assert overlay.remarks == ()
    # The probe: row 2, column 4 of the middle slice, then a voxel without a value, then beside the grid.
    layer = ImageLayer(frame=FramePixels(np.zeros((6, 8), np.int16)), geometry=ImageGeometry(8, 6, 0.8, 0.7))
    place = found.geometry.to_patient

    def told(k: float, j: float, i: float) -> list[tuple[float, str]]:
        return [(round(m.value, 6), m.unit) for m in values_there([found], layer, (6, 8), place((k, j, i)), (0.0, 0.0))]

    assert told(1, 2, 4) == [(4.0, "mm2/s")]
    assert told(0, 2, 3.5) == [(1.75, "mm2/s")]
    assert told(1, 2, 6) == []
    assert told(5, 2, 4) == []


def test_frames_of_another_quantity_are_told_not_mixed() -> None:
    values = np.full((3, 6, 8), 4, dtype=np.uint8)
    overlay = read_overlay(_map(values, [[_line(0.5)], [_line(0.5)], [_line(7.0, "s")]]))
    assert overlay.value_map is not None
    assert overlay.value_map.values.shape[0] == 2
    assert set(np.unique(overlay.value_map.values)) == {2.0}
    assert [(p.code, dict(p.params)) for p in overlay.remarks] == [("overlay.other_maps", {"n": 1})]


def test_a_map_over_a_film_is_told_by_its_pixel() -> None:
    found = ValueMap(np.array([[1.0, 2.0], [np.nan, 4.0]], np.float32), None, IMAGE, 1.0, 4.0, "1", "score")
    layer = ImageLayer(
        frame=FramePixels(np.zeros((4, 6), np.int16)), geometry=ImageGeometry(6, 4, 1.0, 1.0), sop_instance_uid=IMAGE
    )
    told = [values_there([found], layer, (4, 6), None, px) for px in ((0.5, 0.5), (3.1, 1.9), (0.5, 2.5), (5.9, 3.9))]
    assert [[m.value for m in t] for t in told] == [[1.0], [2.0], [], [4.0]]
    assert values_there([found], replace(layer, sop_instance_uid="2.25.9"), (4, 6), None, (0.5, 0.5)) == ()
