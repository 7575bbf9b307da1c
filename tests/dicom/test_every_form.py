"""Pixel forms and objects of the long tail: each made here, read whole, its values and millimetres by hand."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom.dataset import Dataset

from app.dicom.byte_source import FileByteSource
from app.dicom.display_sets import display_sets
from app.dicom.frame_pixels import frame_pixels
from app.dicom.info import inspect
from app.dicom.scanner import scan
from app.dicom.volume_builder import build_volume
from app.domain.pixels import FramePixels
from app.domain.problem import ProblemError
from app.domain.study import DisplaySetKind, Instance, Study
from app.viewer.image_geometry import image_geometry
from app.viewer.view_state import ImageGeometry
from tests.dicom.builders import compressed, image, save

SOURCE = FileByteSource()
RAMP = np.arange(48, dtype=np.uint8).reshape(6, 8)


def flat(values: np.ndarray, sop_class: str, modality: str, **changes: Any) -> Dataset:
    """Without a place in the patient."""
    d = image(values, RescaleSlope=None, RescaleIntercept=None, Modality=modality)
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "FrameOfReferenceUID"):
        del d[name]
    d.SOPClassUID = sop_class
    for name, value in changes.items():
        setattr(d, name, value)
    return d


def opened(path: Path) -> tuple[Study, Instance]:
    found = scan([path])
    assert not found.refused, found.refused
    return found.studies[0], found.files[0].instance


def read(path: Path, frame: int = 0) -> tuple[FramePixels, ImageGeometry]:
    study, instance = opened(path)
    return frame_pixels(instance, frame, SOURCE), image_geometry(instance, frame, study.series[0].modality)


def palette(bits: int, data: Callable[[int], bytes], segmented: bool) -> dict[str, Any]:
    out: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for n, colour in enumerate(("Red", "Green", "Blue")):
        out[f"{colour}PaletteColorLookupTableDescriptor"] = [48, 0, bits]
        out[("Segmented" if segmented else "") + f"{colour}PaletteColorLookupTableData"] = data(n)
    return out


def test_a_palette_of_sixteen_bits(tmp_path: Path) -> None:
    fields = palette(16, lambda n: (np.arange(48) * 256 * (n + 1)).astype("<u2").tobytes(), False)
    pixels, _ = read(save(flat(RAMP.astype(np.uint16), "1.2.840.10008.5.1.4.1.1.7", "OT", **fields), tmp_path / "p.dcm"))
    assert pixels.values[2, 3].tolist() == [19, 38, 57]


def test_a_segmented_palette_with_linear_and_indirect_segments(tmp_path: Path) -> None:
    # One entry of 0, then 7 by a line to 7 * 256; the same two segments five times more through an indirect one.
    once = [0, 1, 0, 1, 7, 7 * 256]
    data = np.array(once + [2, 2, 0, 0] * 5, "<u2").tobytes()
    fields = palette(16, lambda n: data, True)
    pixels, _ = read(save(flat(RAMP.astype(np.uint16), "1.2.840.10008.5.1.4.1.1.7", "OT", **fields), tmp_path / "p.dcm"))
    assert pixels.values[..., 0].tolist() == [list(range(8))] * 6


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    _, geometry = read(save(flat(RAMP, "1.2.840.10008.5.1.4.1.1.7", "OT", PixelAspectRatio=[2, 1]), tmp_path / "a.dcm"))
    assert (geometry.row_spacing, geometry.column_spacing, geometry.calibrated) == (2.0, 1.0, False)


def swapped_primaries(srgb: bytes) -> bytes:
    """A profile whose red is sRGB's green and the other way round: its known answer is the swap of the two channels."""
    table = {srgb[at : at + 4]: at for at in range(132, 132 + 12 * int.from_bytes(srgb[128:132], "big"), 12)}
    made = bytearray(srgb)
    red, green = table[b"rXYZ"], table[b"gXYZ"]
    made[red + 4 : red + 12], made[green + 4 : green + 12] = srgb[green + 4 : green + 12], srgb[red + 4 : red + 12]
    # Another name: a profile that says that it is sRGB is taken at its word.
    return bytes(made).replace("sRGB".encode("utf-16-be"), "Test".encode("utf-16-be"))


def test_a_profile_changes_colours_and_srgb_does_not(tmp_path: Path) -> None:
    from PIL import ImageCms

    coloured = np.dstack([RAMP * 5, 240 - RAMP * 5, np.full_like(RAMP, 40)])
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    def shown(name: str, profile: bytes) -> np.ndarray:
        file = flat(coloured, "1.2.840.10008.5.1.4.1.1.77.1.4", "XC", ICCProfile=profile + b"\0" * (len(profile) % 2))
        return read(save(file, tmp_path / name))[0].values

    assert np.array_equal(shown("s.dcm", srgb), coloured)
    changed = shown("w.dcm", swapped_primaries(srgb)).astype(int)
    assert np.abs(changed - coloured[..., [1, 0, 2]]).max() <= 2
    assert np.abs(changed - coloured).max() > 100


@pytest.mark.parametrize("broken", [False, True], ids=["right", "lying"])
def test_the_extended_offset_table(tmp_path: Path, broken: bool) -> None:
    frames = [RAMP + 7 * n for n in range(3)]
    streams = [imagecodecs.jpegls_encode(f) for f in frames]
    streams = [s + b"\0" * (len(s) % 2) for s in streams]
    starts = [sum(len(s) + 8 for s in streams[:n]) for n in range(3)]
    if broken:
        starts[2] += 4
    d = flat(np.stack(frames), "1.2.840.10008.5.1.4.1.1.3.1", "US")
    d.ExtendedOffsetTable = struct.pack("<3Q", *starts)
    d.ExtendedOffsetTableLengths = struct.pack("<3Q", *(len(s) for s in streams))
    path = compressed(d, streams, tmp_path / "e.dcm", "1.2.840.10008.1.2.4.80", offsets=False)
    for n, frame in enumerate(frames):
        assert np.array_equal(read(path, n)[0].values, frame)
    (entry,) = inspect([path], pixels=True)["files"]
    assert entry["reason"] == ("dicom.repaired.offset_table" if broken else "")


@pytest.mark.parametrize("sizes", [(5,), (3, 2)], ids=["one collection", "two collections"])
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.92", "1.2.840.10008.1.2.4.93"])
def test_jpeg_2000_whose_components_are_frames(tmp_path: Path, sizes: tuple[int, ...], syntax: str) -> None:
    frames = [(RAMP.astype(np.uint16) * 60 + n) for n in range(5)]
    streams, first = [], 0
    for size in sizes:
        block = np.stack(frames[first : first + size], axis=-1)
        streams.append(imagecodecs.jpeg2k_encode(np.ascontiguousarray(block), level=0, codecformat="j2k", reversible=True))
        first += size
    d = flat(np.stack(frames), "1.2.840.10008.5.1.4.1.1.7.3", "OT", BitsStored=12, HighBit=11)
    path = compressed(d, streams, tmp_path / "m.dcm", syntax)
    for n in (4, 0, 3, 2, 1):
        assert np.array_equal(read(path, n)[0].values, frames[n])
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(path.read_bytes().replace(b"\xff\xd9", b"\xff\x00"))
    with pytest.raises(ProblemError, match="stream_cut"):
        read(cut, 4)


@pytest.mark.parametrize("kind", ["YBR_RCT", "YBR_ICT", "XYB", "HSV"])
def test_colour_models_without_a_codec_are_refused_by_name(tmp_path: Path, kind: str) -> None:
    d = flat(np.dstack([RAMP] * 3), "1.2.840.10008.5.1.4.1.1.7", "OT", PhotometricInterpretation=kind)
    with pytest.raises(ProblemError, match="colour_unsupported"):
        read(save(d, tmp_path / "c.dcm"))


def test_an_rt_image_is_measured_at_the_axis_of_the_machine(tmp_path: Path) -> None:
    d = flat(
        RAMP.astype(np.uint16), "1.2.840.10008.5.1.4.1.1.481.1", "RTIMAGE", ImagePlanePixelSpacing=[0.4, 0.6],
        RTImageSID="1500", RadiationMachineSAD="1000",
    )  # fmt: skip
    _, geometry = read(save(d, tmp_path / "r.dcm"))
    assert geometry.calibrated
    assert (geometry.row_spacing, geometry.column_spacing) == (pytest.approx(0.4 / 1.5), pytest.approx(0.6 / 1.5))
    assert geometry.spacing_source == "viewer.spacing.magnification"


def groups(count: int, **shared: Any) -> dict[str, Any]:
    """Functional groups; ``shared``: sequence keyword to the fields of its item."""
    common = Dataset()
    for keyword, fields in shared.items():
        item = Dataset()
        for name, value in fields.items():
            setattr(item, name, value)
        setattr(common, keyword, [item])
    return {
        "SharedFunctionalGroupsSequence": [common],
        "PerFrameFunctionalGroupsSequence": [Dataset() for _ in range(count)],
    }


def test_an_enhanced_object_without_a_place_keeps_its_millimetres(tmp_path: Path) -> None:
    fields = groups(3, PixelMeasuresSequence={"PixelSpacing": [0.3, 0.2]})
    d = flat(np.stack([RAMP] * 3), "1.2.840.10008.5.1.4.1.1.6.2", "US", **fields)
    for n, group in enumerate(d.PerFrameFunctionalGroupsSequence):
        place = Dataset()
        place.ImagePositionVolume = [0, 0, 1.5 * n]
        group.PlanePositionVolumeSequence = [place]
    path = save(d, tmp_path / "u.dcm")
    _, geometry = read(path)
    assert (geometry.row_spacing, geometry.column_spacing, geometry.calibrated, geometry.plane) == (0.3, 0.2, True, None)
    assert display_sets(opened(path)[0])[0].kind is DisplaySetKind.CINE


def test_a_legacy_converted_ct_is_a_volume_in_hu(tmp_path: Path) -> None:
    fields = groups(
        3,
        PixelMeasuresSequence={"PixelSpacing": [0.5, 0.75], "SliceThickness": 1.5},
        PlaneOrientationSequence={"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]},
        PixelValueTransformationSequence={"RescaleSlope": "2", "RescaleIntercept": "-1000", "RescaleType": "HU"},
    )
    values = np.stack([RAMP.astype(np.int16) + 100 * n for n in range(3)])
    d = flat(values, "1.2.840.10008.5.1.4.1.1.2.2", "CT", FrameOfReferenceUID="2.25.3", **fields)
    for n, group in enumerate(d.PerFrameFunctionalGroupsSequence):
        place, loose = Dataset(), Dataset()
        place.ImagePositionPatient = [-121.5, 87.25, 640.125 - 1.5 * n]
        loose.KVP = "120"
        group.PlanePositionSequence, group.UnassignedPerFrameConvertedAttributesSequence = [place], [loose]
    study, _ = opened(save(d, tmp_path / "l.dcm"))
    (chosen,) = display_sets(study)
    volume = build_volume(study, chosen, SOURCE)
    assert volume.unit == "HU"
    assert np.array_equal(volume.voxels, (values[::-1].astype(int) * 2 - 1000))
    assert volume.geometry.to_patient((0, 0, 0)) == pytest.approx((-121.5, 87.25, 637.125))


def test_float_and_double_pixels(tmp_path: Path) -> None:
    wanted = np.linspace(-2.5, 7.5, 48).reshape(6, 8)
    for name, dtype, bits in (("FloatPixelData", np.float32, 32), ("DoubleFloatPixelData", np.float64, 64)):
        d = flat(RAMP.astype(np.uint16), "1.2.840.10008.5.1.4.1.1.30", "OT", BitsAllocated=bits)
        for gone in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
            del d[gone]
        setattr(d, name, wanted.astype(dtype).tobytes())
        pixels, _ = read(save(d, tmp_path / f"{name}.dcm"))
        assert pixels.values.dtype == np.float32
        assert np.array_equal(pixels.values, wanted.astype(np.float32))


def test_single_bits_of_a_secondary_capture(tmp_path: Path) -> None:
    d = flat(RAMP, "1.2.840.10008.5.1.4.1.1.7.1", "OT", BitsAllocated=1, BitsStored=1, HighBit=0)
    d.PixelData = bytes([0b10101010] * 6)
    pixels, _ = read(save(d, tmp_path / "b.dcm"))
    assert pixels.values.tolist() == [[0, 1] * 4] * 6


def test_ten_bits_below_bit_eleven_with_a_sign(tmp_path: Path) -> None:
    stored = np.array([[-512, -1, 0, 511]], np.int16)
    d = flat(stored << 2, "1.2.840.10008.5.1.4.1.1.7.3", "OT", BitsStored=10, HighBit=11, PixelRepresentation=1)
    pixels, _ = read(save(d, tmp_path / "h.dcm"))
    assert pixels.values.tolist() == stored.tolist()


@pytest.mark.parametrize("marker", [0x70, 0x71, 0x72, 0x73, 0x75, 0x76, 0x77, 0x79])
def test_what_part_2_does_to_values_is_refused_by_name(tmp_path: Path, marker: int) -> None:
    """OpenJPEG steps over the marker and hands out the values as if it were not there."""
    stream = imagecodecs.jpeg2k_encode(RAMP, level=0, codecformat="j2k", reversible=True)
    at = stream.index(b"\xff\x52")
    changed = stream[:at] + bytes([0xFF, marker, 0, 4, 0, 0]) + stream[at:]
    path = compressed(flat(RAMP, "1.2.840.10008.5.1.4.1.1.7", "OT"), [changed], tmp_path / "p.dcm", "1.2.840.10008.1.2.4.92")
    with pytest.raises(ProblemError, match="jpeg2000_part_2"):
        read(path)


@pytest.mark.parametrize("tail", range(58, 67))
def test_retired_jpeg_processes_are_refused_by_name(tmp_path: Path, tail: int) -> None:
    d = flat(RAMP, "1.2.840.10008.5.1.4.1.1.7", "OT")
    path = compressed(d, [imagecodecs.jpeg8_encode(RAMP)], tmp_path / "r.dcm", "1.2.840.10008.1.2.4.50")
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.4.50", f"1.2.840.10008.1.2.4.{tail}".encode()))
    (refused,) = scan([path]).refused
    assert refused.problem.code == "dicom.transfer_syntax_unsupported"
    assert "retired" in str(refused.problem.params["name"])
