"""Pictures of other numbers and inks: what can be kept is kept bit by bit, the rest is mapped and told in words."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest

from app.dicom.byte_source import FileByteSource
from app.dicom.frame_pixels import frame_pixels
from app.dicom.picture_values import inks_to_rgb, profile_of, whole_numbers
from app.dicom.plain_pictures import decode_pages, inspect_picture, small
from app.dicom.scanner import scan
from app.dicom.secondary_capture import convert
from app.domain.problem import ProblemError
from tests.dicom.test_plain_pictures import BINDING, COLOUR, GREY, NOW, WIDE, converted, saved

ENTRY = {
    "u1": (1, 8),
    "u2": (1, 16),
    "u4": (1, 32),
    "i1": (2, 8),
    "i2": (2, 16),
    "i4": (2, 32),
    "f4": (3, 32),
    "f8": (3, 64),
}


def tiff_of(values: np.ndarray, big: bool = False, order: str = "<", tile: int = 0, photometric: int = 1) -> bytes:
    """An uncompressed TIFF of one page, classic or big, in one strip or in tiles."""
    form, bits = ENTRY[values.dtype.str[1:]]
    rows, columns = values.shape[:2]
    samples = values.shape[2] if values.ndim == 3 else 1
    plain = values.astype(values.dtype.newbyteorder(order))
    blocks = [plain.tobytes()]
    if tile:
        down, across = -(-rows // tile), -(-columns // tile)
        wide = np.zeros((down * tile, across * tile, *values.shape[2:]), plain.dtype)
        wide[:rows, :columns] = plain
        blocks = [
            wide[j * tile : (j + 1) * tile, i * tile : (i + 1) * tile].tobytes() for j in range(down) for i in range(across)
        ]
    size, head = (8, 16) if big else (4, 8)
    places = [head + sum(map(len, blocks[:n])) for n in range(len(blocks))]
    whole = "Q" if big else "I"
    fields: list[tuple[int, str, list[int]]] = [
        (256, "H", [columns]), (257, "H", [rows]), (258, "H", [bits] * samples), (259, "H", [1]),
        (262, "H", [photometric]), (277, "H", [samples]), (339, "H", [form] * samples),
    ]  # fmt: skip
    if tile:
        fields += [(322, "H", [tile]), (323, "H", [tile]), (324, whole, places), (325, whole, [len(b) for b in blocks])]
    else:
        fields += [(273, whole, places), (278, "H", [rows]), (279, whole, [len(blocks[0])])]
    fields.sort()
    body = b"".join(blocks)
    at = head + len(body)
    entries, more = b"", b""
    after = at + (8 if big else 2) + len(fields) * (20 if big else 12) + size
    for tag, kind, numbers in fields:
        data = struct.pack(f"{order}{len(numbers)}{kind}", *numbers)
        code = {"H": 3, "I": 4, "Q": 16}[kind]
        entries += struct.pack(f"{order}HH{whole}", tag, code, len(numbers))
        if len(data) <= size:
            entries += data.ljust(size, b"\0")
        else:
            entries += struct.pack(f"{order}{whole}", after + len(more))
            more += data
    mark = b"II" if order == "<" else b"MM"
    start = struct.pack(f"{order}HHHQ", 43, 8, 0, at) if big else struct.pack(f"{order}HI", 42, at)
    count = struct.pack(f"{order}{'Q' if big else 'H'}", len(fields))
    return mark + start + body + count + entries + bytes(size) + more


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True], ids=["classic", "big"])
@pytest.mark.parametrize("tile", [0, 16], ids=["strip", "tiles"])
@pytest.mark.parametrize("values", [GREY, WIDE, COLOUR], ids=["grey", "16 bit", "colour"])
def test_big_and_tiled_files_keep_every_bit(values: np.ndarray, tile: int, big: bool, order: str) -> None:
    data = tiff_of(values, big, order, tile, 2 if values.ndim == 3 else 1)
    (ds,) = converted(data)
    assert np.array_equal(ds.pixel_array, values)
    assert "no value changed" in ds.DerivationDescription
    with pytest.raises(ProblemError):
        inspect_picture(data[: len(data) - 40])


@pytest.mark.parametrize("kind", ["i1", "i2", "i4", "u4"])
def test_numbers_with_a_sign_or_of_32_bits_come_back_exactly(kind: str) -> None:
    values = (np.arange(60 * 84).reshape(60, 84) % 200 - (100 if kind[0] == "i" else -70_000)).astype(kind)
    (ds,) = converted(tiff_of(values))
    found = ds.pixel_array.astype(np.int64) * int(ds.RescaleSlope) + int(ds.RescaleIntercept)
    assert np.array_equal(found, values)
    assert "no value changed" in ds.DerivationDescription


@pytest.mark.parametrize("kind", ["f4", "f8"])
@pytest.mark.parametrize("scale", [1.0, 1e-7, 3e8])
def test_floating_point_is_mapped_and_told(kind: str, scale: float) -> None:
    values = (np.sin(np.arange(60 * 84)).reshape(60, 84) * scale).astype(kind)
    values[3, 4] = np.nan
    (ds,) = converted(tiff_of(values))
    found = ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
    good = np.isfinite(values)
    assert np.abs(found - values)[good].max() <= 2 * scale / 65535
    assert "mapped to 16 bits" in ds.DerivationDescription
    picture = small(tiff_of(values), inspect_picture(tiff_of(values)))
    assert picture is not None
    assert picture.max() == 255


def test_whole_floats_lose_nothing() -> None:
    values = np.arange(-5.0, 300.0, dtype=np.float32).reshape(5, 61)
    stored, mapping = whole_numbers(values)
    assert mapping.exact
    assert np.array_equal(stored + mapping.intercept, values)
    with pytest.raises(ProblemError):
        whole_numbers(np.full((2, 2), np.nan, np.float32))


def inked(form: str, **options: Any) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(COLOUR).convert("CMYK").save(out, form, **options)
    return out.getvalue()


@pytest.mark.parametrize("form", ["TIFF", "JPEG"])
def test_inks_become_colours_and_are_told(form: str) -> None:
    data = inked(form, **({"quality": 98} if form == "JPEG" else {}))
    (ds,) = converted(data)
    assert ds.PhotometricInterpretation == "RGB"
    assert "CMYK to sRGB" in ds.DerivationDescription
    gap = np.abs(ds.pixel_array.astype(int) - COLOUR)
    assert float(gap.mean()) < (1.0 if form == "TIFF" else 12.0)
    assert ("LossyImageCompression" in ds) == (form == "JPEG")


def test_inks_of_a_broken_file_are_a_problem() -> None:
    with pytest.raises(ProblemError):
        inks_to_rgb(b"II*\0" + bytes(60))


def wide_gamut() -> bytes:
    """A profile whose red and green are exchanged against sRGB: what it does cannot be overlooked."""
    from PIL import ImageCms

    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack_from(">I", data, 128)[0]
    places = {bytes(data[132 + 12 * n : 136 + 12 * n]): 132 + 12 * n for n in range(count)}
    for one, other in ((b"rXYZ", b"gXYZ"),):
        a, b = places[one] + 4, places[other] + 4
        data[a : a + 8], data[b : b + 8] = data[b : b + 8], data[a : a + 8]
    at = data.find("sRGB".encode("utf-16-be"))
    while at >= 0:
        data[at : at + 8] = "Test".encode("utf-16-be")
        at = data.find("sRGB".encode("utf-16-be"))
    return bytes(data)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "JPEG"])
def test_a_profile_of_a_picture_is_kept_and_applied_when_shown(form: str, tmp_path: Any) -> None:
    profile = wide_gamut()
    flat = np.full((20, 24, 3), (200, 40, 90), np.uint8)
    data = saved(flat, form, icc_profile=profile)
    assert profile_of(data, form.lower()) == profile
    (made,) = convert(data, inspect_picture(data), BINDING, NOW, "photograph")
    path = tmp_path / "a.dcm"
    path.write_bytes(made.data)
    shown = frame_pixels(scan([path]).files[0].instance, 0, FileByteSource())
    assert shown.colour_state == "viewer.state.colour_profile"
    assert np.abs(shown.values[5, 5].astype(int) - (40, 200, 90)).max() <= 6
    plain = convert(saved(flat, form), inspect_picture(saved(flat, form)), BINDING, NOW, "photograph")
    path.write_bytes(plain[0].data)
    assert frame_pixels(scan([path]).files[0].instance, 0, FileByteSource()).colour_state == ""


def test_a_profile_that_cannot_be_used_is_told(tmp_path: Any) -> None:
    from pydicom import dcmread

    (made,) = convert(saved(COLOUR, "PNG"), inspect_picture(saved(COLOUR, "PNG")), BINDING, NOW, "photograph")
    ds = dcmread(io.BytesIO(made.data))
    ds.ICCProfile = bytes(36) + b"acsp" + bytes(200)
    ds.save_as(tmp_path / "a.dcm")
    shown = frame_pixels(scan([tmp_path / "a.dcm"]).files[0].instance, 0, FileByteSource())
    assert shown.colour_state == "viewer.state.colour_profile_unusable"
    assert np.array_equal(shown.values, COLOUR)


def test_pages_of_a_big_file_are_all_there() -> None:
    data = saved(WIDE, "TIFF", (np.ascontiguousarray(WIDE[::-1]),), big_tiff=True)
    assert data[:4] == b"II+\0"
    pages = decode_pages(data, inspect_picture(data))
    assert [np.array_equal(v, w) for (_, v), w in zip(pages, (WIDE, WIDE[::-1]), strict=True)] == [True, True]


@pytest.mark.parametrize("form", ["PNG", "TIFF", "JPEG"])
def test_a_profile_that_is_cut_is_none(form: str) -> None:
    data = saved(COLOUR, form, icc_profile=wide_gamut())
    for end in range(0, len(data), 7):
        try:
            found = profile_of(data[:end], form.lower())
        except ProblemError:
            continue
        assert found == b"" or found[36:40] == b"acsp"
