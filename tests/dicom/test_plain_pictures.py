"""Every kind of picture keeps every bit; hostile ones are refused with a reason before a decoder sees them."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pydicom
import pytest

from app.dicom.encapsulated import extract_pdf
from app.dicom.plain_pictures import decode_pages, inspect_picture, small, sniff
from app.dicom.secondary_capture import Binding, convert, film_kinds
from app.domain.messages import LANGUAGES, sentence, translate
from app.domain.problem import ProblemError
from app.domain.study import Patient, PersonName

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
PATIENT = Patient("930412400123", "", PersonName("Тілеубаев^Ғалым"), "19930412", "M")
BINDING = Binding(PATIENT, film_kinds()["panoramic"], "2019", description="Panoramic, 2019")
GREY = (np.arange(60 * 84) % 251).astype(np.uint8).reshape(60, 84)
WIDE = (np.arange(60 * 84, dtype=np.uint32) * 13 % 65521).astype(np.uint16).reshape(60, 84)
COLOUR = np.dstack([GREY, GREY[::-1], 255 - GREY])


def saved(values: Any, form: str, more: tuple[Any, ...] = (), **options: Any) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    pages = [Image.fromarray(v) for v in more]
    Image.fromarray(values).save(out, form, **({"save_all": True, "append_images": pages} if pages else {}), **options)
    return out.getvalue()


def png16_rgb() -> bytes:
    import imagecodecs

    return bytes(imagecodecs.png_encode(np.dstack([WIDE, WIDE[::-1], WIDE[:, ::-1]])))


def converted(data: bytes, binding: Binding = BINDING) -> list[Any]:
    made = convert(data, inspect_picture(data), binding, NOW, "film")
    return [pydicom.dcmread(io.BytesIO(c.data)) for c in made]


NATIVE = {
    "png grey": (saved(GREY, "PNG"), GREY),
    "png 16 bit": (saved(WIDE, "PNG"), WIDE),
    "png 16 bit colour": (png16_rgb(), np.dstack([WIDE, WIDE[::-1], WIDE[:, ::-1]])),
    "png colour": (saved(COLOUR, "PNG"), COLOUR),
    "png one bit": (saved(GREY > 100, "PNG"), (GREY > 100).astype(np.uint8) * 255),
    "png with alpha": (saved(np.dstack([COLOUR, GREY]), "PNG"), COLOUR),
    "tiff grey": (saved(GREY, "TIFF"), GREY),
    "tiff 16 bit lzw": (saved(WIDE, "TIFF", compression="tiff_lzw"), WIDE),
    "tiff colour": (saved(COLOUR, "TIFF"), COLOUR),
    "tiff fax": (saved(GREY > 100, "TIFF", compression="group4"), (GREY > 100).astype(np.uint8) * 255),
}


@pytest.mark.parametrize("name", NATIVE)
def test_every_bit_of_the_source_is_kept(name: str) -> None:
    data, expected = NATIVE[name]
    (ds,) = converted(data)
    assert ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert np.array_equal(ds.pixel_array, expected)
    assert ds.BitsStored == 8 * expected.dtype.itemsize
    assert "LossyImageCompression" not in ds
    assert hashlib.sha256(data).hexdigest() in ds.DerivationDescription


def test_no_millimetre_is_written_whatever_the_file_says_of_its_resolution() -> None:
    for data in (saved(GREY, "PNG", dpi=(300, 300)), saved(GREY, "TIFF", dpi=(600, 600)), saved(GREY, "JPEG", dpi=(96, 96))):
        (ds,) = converted(data)
        for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
            assert keyword not in ds
    (fax,) = converted(saved(GREY > 100, "TIFF", compression="group4", dpi=(204, 98)))
    assert [int(v) for v in fax.PixelAspectRatio] == [20400, 9800]


def test_a_baseline_jpeg_lies_in_its_object_byte_for_byte() -> None:
    for values, photometric in ((GREY, "MONOCHROME2"), (COLOUR, "YBR_FULL_422")):
        data = saved(values, "JPEG", quality=88)
        (ds,) = converted(data)
        assert ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"
        (stream,) = pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=1)
        assert stream[: len(data)] == data
        assert ds.PhotometricInterpretation == photometric
        assert (ds.LossyImageCompression, ds.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
        assert float(ds.LossyImageCompressionRatio) == pytest.approx(values.size / len(data), abs=0.01)


def test_what_cannot_lie_there_as_it_is_is_decoded_and_still_called_lossy() -> None:
    (ds,) = converted(saved(COLOUR, "JPEG", progressive=True))
    assert ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert ds.LossyImageCompression == "01"


@pytest.mark.parametrize("way", range(1, 9))
def test_the_orientation_is_honoured(way: int) -> None:
    from PIL import Image, ImageOps

    exif = Image.Exif()
    exif[0x0112] = way
    data = saved(GREY, "PNG", exif=exif)
    (_, values), *_ = decode_pages(data, inspect_picture(data))
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert np.array_equal(values, expected)
    (ds,) = converted(data)
    assert np.array_equal(ds.pixel_array, expected)
    assert ("turned upright" in ds.DerivationDescription) == (way != 1)


def test_a_film_that_lay_the_wrong_way_round_is_mirrored() -> None:
    from dataclasses import replace

    (ds,) = converted(saved(GREY, "JPEG"), replace(BINDING, mirrored=True))
    (plain,) = converted(saved(GREY, "PNG"), replace(BINDING, mirrored=True))
    assert np.array_equal(plain.pixel_array, GREY[:, ::-1])
    assert ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert "mirrored" in ds.DerivationDescription


@pytest.mark.parametrize(
    ("values", "sop_class"), [(GREY, "7.2"), (WIDE, "7.3"), (COLOUR, "7.4")], ids=["grey", "16 bit", "colour"]
)
def test_pages_become_frames(values: np.ndarray, sop_class: str) -> None:
    more = (np.ascontiguousarray(values[::-1]), np.ascontiguousarray(values[:, ::-1]))
    (ds,) = converted(saved(values, "TIFF", more))
    assert str(ds.SOPClassUID).endswith(f".1.1.{sop_class}")
    assert ds.NumberOfFrames == 3
    assert np.array_equal(ds.pixel_array, np.stack([values, *more]))
    assert list(ds.PageNumberVector) == [1, 2, 3]


def test_pages_of_different_sizes_become_objects() -> None:
    made = converted(saved(GREY, "TIFF", (np.ascontiguousarray(GREY[:30]),)))
    assert [ds.Rows for ds in made] == [60, 30]
    assert len({ds.SOPInstanceUID for ds in made}) == 2
    assert len({ds.SeriesInstanceUID for ds in made}) == 1


def test_white_is_zero_stays_what_is_stored() -> None:
    data = bytearray(saved(GREY, "TIFF"))
    at = data.index(struct.pack("<HHI", 262, 3, 1))
    struct.pack_into("<H", data, at + 8, 0)
    (ds,) = converted(bytes(data))
    assert ds.PhotometricInterpretation == "MONOCHROME1"
    assert np.array_equal(ds.pixel_array, GREY)


def test_a_pdf_comes_back_byte_for_byte_and_nobody_has_verified_it() -> None:
    pdf = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer<<>>\n%%EOF\n"
    (made,) = convert(pdf, inspect_picture(pdf), BINDING, NOW, "letter")
    found = extract_pdf(made.data)
    assert (found.pdf, found.title, found.patient_id) == (pdf, "letter", PATIENT.patient_id)
    assert pydicom.dcmread(io.BytesIO(made.data)).VerificationFlag == "UNVERIFIED"


def test_uids_follow_from_bytes_and_person() -> None:
    data = saved(GREY, "PNG")
    (one,), (again,) = converted(data), converted(data)
    (other,) = converted(data, Binding(Patient("2", "", PersonName("Doe^J")), film_kinds()["panoramic"]))
    assert one.SOPInstanceUID == again.SOPInstanceUID != other.SOPInstanceUID
    assert one.StudyInstanceUID != other.StudyInstanceUID
    assert (one.PatientName, one.AcquisitionDateTime, one.StudyDate) == ("Тілеубаев^Ғалым", "2019", "")


def png_of(columns: int, rows: int, body: bytes = b"") -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", columns, rows, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


def tiff_loop() -> bytes:
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 0) + struct.pack("<I", 8)


HOSTILE = {
    "huge png": (png_of(60_000, 60_000, bytes(1000)), "picture.too_big"),
    "wide png": (png_of(70_000, 2), "picture.too_big"),
    "png without a size": (png_of(0, 5), "picture.broken"),
    "png that is cut": (saved(GREY, "PNG")[:-20], "picture.cut"),
    "jpeg that is cut": (saved(GREY, "JPEG")[:-30], "picture.cut"),
    "tiff that runs in a circle": (tiff_loop(), "picture.broken"),
    "tiff without a directory": (b"II*\0\xff\xff\xff\x7f", "picture.broken"),
    "nothing": (b"", "picture.unknown"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pictures_are_refused_with_a_reason(name: str) -> None:
    data, code = HOSTILE[name]
    with pytest.raises(ProblemError) as caught:
        inspect_picture(data)
    assert caught.value.problem.code == code
    assert all(sentence(language, caught.value.problem) != code for language in LANGUAGES)


def test_a_png_whose_pixels_are_broken_is_refused_when_it_is_decoded() -> None:
    data = png_of(50, 50, b"short")
    with pytest.raises(ProblemError) as caught:
        decode_pages(data, inspect_picture(data))
    assert caught.value.problem.code == "picture.broken"


def test_a_png_with_one_wrong_byte_is_never_a_picture() -> None:
    data = bytearray(saved(GREY, "PNG"))
    data[data.index(b"IDAT") + 40] ^= 1
    with pytest.raises(ProblemError) as caught:
        inspect_picture(bytes(data))
    assert caught.value.problem.code == "picture.broken"


def test_mutated_pictures_are_pictures_or_problems() -> None:
    """Nothing else comes out of hostile bytes: no other exception, no hang."""
    import random

    chance = random.Random(7)
    seeds = [data for data, _ in NATIVE.values()] + [saved(COLOUR, "JPEG"), saved(COLOUR, "JPEG", progressive=True)]
    told = 0
    for _ in range(600):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 5)):
            at = chance.randrange(min(len(data), 300))
            data[at : at + 4] = chance.choice((b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", bytes([chance.randrange(256)])))
        try:
            info = inspect_picture(bytes(data))
            if info.kind != "pdf":
                decode_pages(bytes(data), info)
        except ProblemError:
            told += 1
    assert told > 100


def test_a_decoder_that_dies_costs_one_picture() -> None:
    from app.dicom.picture_process import PictureProcess

    data, expected = NATIVE["png 16 bit"]
    process = PictureProcess()
    try:
        info = inspect_picture(data)
        assert np.array_equal(process.pages(data, info)[0][1], expected)
        process._child.process.kill()
        process._child.process.join()
        assert np.array_equal(process.pages(data, info)[0][1], expected), "a dead one is replaced"
        with pytest.raises(ProblemError) as caught:
            process.pages(HOSTILE["huge png"][0], info)
        assert caught.value.problem.code == "picture.too_big"
        made = process.small(data, info, 40)
        assert made is not None
        assert made.dtype == np.uint8
    finally:
        process.close()


def test_kinds_have_words_and_modalities() -> None:
    for kind in film_kinds().values():
        assert kind.modality
        assert all(translate(language, f"film.{kind.name}") != f"film.{kind.name}" for language in LANGUAGES)


def test_small_pictures_are_small_and_upright() -> None:
    made = small(saved(WIDE, "PNG"), inspect_picture(saved(WIDE, "PNG")), 40)
    assert made is not None
    assert max(made.shape) <= 40
    assert made.dtype == np.uint8
    assert sniff(b"hello") == ""


@pytest.mark.parametrize("shape", [(3, 4000), (4000, 1)])
def test_a_strip_thinner_than_a_block_has_a_small_picture_too(shape: tuple[int, int]) -> None:
    data = saved(np.full(shape, 77, np.uint8), "PNG")
    made = small(data, inspect_picture(data))
    assert made is not None
    assert made.size
    assert (made == 77).all()
