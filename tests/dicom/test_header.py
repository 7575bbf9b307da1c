"""The thin header reader against what was written, in every layout; text in every alphabet; refusals by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from app.dicom.byte_source import FileByteSource, file_locator
from app.dicom.header import read_header
from app.dicom.text import decode, person_name
from app.domain.problem import ProblemError
from tests.dicom.builders import BIG, DEFLATED, EXPLICIT, IMPLICIT, ORIGIN, compressed, image, save

RAMP = np.arange(48, dtype=np.uint16).reshape(6, 8)


def header(path: Path):
    return read_header(file_locator(path), FileByteSource())


def refusal(path: Path) -> str:
    with pytest.raises(ProblemError) as caught:
        header(path)
    return caught.value.problem.code


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG, DEFLATED])
def test_every_layout_gives_the_same_header(tmp_path: Path, syntax: str) -> None:
    d = image(
        RAMP if syntax != BIG else RAMP.byteswap(),
        PixelPaddingValue=7,
        WindowCenter=["40", "50"],
        WindowWidth=["400", "350"],
    )
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "399162004", "SCT", "cc"
    d.ViewCodeSequence = Sequence([item])
    found = header(save(d, tmp_path / "a.dcm", syntax))
    instance, plane = found.instance, found.instance.frames[0].plane
    assert found.study.patient.name.alphabetic == "Әбдіғали^Нұрлан"
    assert found.study.patient.name.display() == "Әбдіғали Нұрлан"
    assert found.study.study_datetime == "20260301101112"
    assert plane is not None
    assert plane.origin_mm == ORIGIN
    assert (plane.row_spacing_mm, plane.column_spacing_mm) == (0.5, 0.75)
    assert (instance.pixel_format.rows, instance.pixel_format.columns) == (6, 8)
    assert instance.frames[0].modality_transform.unit == "HU"
    assert [(w.center, w.width) for w in instance.frames[0].windows] == [(40, 400), (50, 350)]
    assert instance.padding_value == 7
    assert instance.view_position == "CC"
    assert instance.repairs == ()
    assert instance.transfer_syntax_uid == syntax


def test_sequences_of_undefined_length_are_skipped(tmp_path: Path) -> None:
    d = image(RAMP)
    inner = Dataset()
    inner.ReferencedSOPInstanceUID = "2.25.5"
    outer = Dataset()
    outer.ReferencedSOPSequence = Sequence([inner, inner])
    outer["ReferencedSOPSequence"].is_undefined_length = True
    d.ReferencedStudySequence = Sequence([outer, outer])
    d["ReferencedStudySequence"].is_undefined_length = True
    for item in (outer, inner):
        item.is_undefined_length_sequence_item = True
    found = header(save(d, tmp_path / "a.dcm"))
    assert found.series.series_instance_uid == "2.25.2"
    assert found.instance.repairs == ()


def test_a_header_larger_than_the_first_read(tmp_path: Path) -> None:
    d = image(RAMP)
    d.ImageComments = "x" * 9000
    d.add_new(0x00091001, "OB", b"\x01" * 300_000)
    d.add_new(0x00090010, "LO", "EKINSHI")
    found = header(save(d, tmp_path / "a.dcm"))
    assert found.instance.pixel_data_length == RAMP.nbytes
    with (tmp_path / "a.dcm").open("rb") as stream:
        stream.seek(found.instance.pixel_data_offset)
        assert stream.read(RAMP.nbytes) == RAMP.tobytes()


def test_no_preamble_is_opened_and_named(tmp_path: Path) -> None:
    path = save(image(RAMP), tmp_path / "a.dcm", IMPLICIT)
    raw = path.read_bytes()
    length = int.from_bytes(raw[140:144], "little")
    (tmp_path / "bare").write_bytes(raw[144 + length :])
    found = header(tmp_path / "bare")
    assert [p.code for p in found.instance.repairs] == ["dicom.repaired.no_preamble"]
    assert found.study.patient.patient_id == "KZ-1"


def test_refusals_say_why(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("not a picture")
    good = save(image(RAMP), tmp_path / "good").read_bytes()
    (tmp_path / "cut").write_bytes(good[:-10])
    (tmp_path / "cut_header").write_bytes(good[:400])
    save(image(RAMP, PixelData=None), tmp_path / "no_pixels")
    save(image(RAMP, Rows=None), tmp_path / "no_rows")
    save(image(RAMP, PixelData=RAMP.tobytes()[:20]), tmp_path / "short")
    compressed(image(RAMP), [b"xx"], tmp_path / "unknown", "1.2.840.10008.1.2.4.94")
    assert refusal(tmp_path / "empty") == "dicom.empty_file"
    assert refusal(tmp_path / "text") == "dicom.not_dicom"
    assert refusal(tmp_path / "cut") == "dicom.truncated"
    assert refusal(tmp_path / "cut_header") == "dicom.truncated"
    assert refusal(tmp_path / "no_pixels") == "dicom.pixels_missing"
    assert refusal(tmp_path / "no_rows") == "dicom.image_description_missing"
    assert refusal(tmp_path / "short") == "dicom.pixels_short"
    assert refusal(tmp_path / "unknown") == "dicom.transfer_syntax_unsupported"
    assert refusal(tmp_path / "nowhere") == "dicom.file_gone"


def test_repairs_are_named(tmp_path: Path) -> None:
    def codes(**changes: object) -> list[str]:
        return [p.code for p in header(save(image(RAMP, **changes), tmp_path / "r.dcm")).instance.repairs]

    assert codes(PixelSpacing=[0, 0]) == ["dicom.zero_spacing"]
    assert codes(ImageOrientationPatient=[0, 0, 0, 0, 0, 0]) == ["dicom.bad_orientation"]
    assert codes(RescaleSlope="0") == ["dicom.repaired.slope"]
    assert codes(HighBit=3) == ["dicom.repaired.high_bit"]
    assert codes(NumberOfFrames="0") == ["dicom.repaired.frame_count"]
    assert codes(SeriesInstanceUID=None) == ["dicom.repaired.uids"]
    assert codes() == []


def test_fewer_frames_than_stated(tmp_path: Path) -> None:
    stack = np.stack([RAMP, RAMP + 1])
    found = header(save(image(stack, NumberOfFrames="3"), tmp_path / "a.dcm"))
    assert found.instance.pixel_format.frames == 2
    assert dict(found.instance.repairs[0].params) == {"stated": 3, "used": 2}


def test_implicit_data_under_an_explicit_name_is_arbitrated(tmp_path: Path) -> None:
    path = save(image(RAMP), tmp_path / "a.dcm", IMPLICIT)
    data = bytearray(path.read_bytes())
    at = data.find(b"\x02\x00\x10\x00UI")
    old = int.from_bytes(data[at + 6 : at + 8], "little")
    data[at + 6 : at + 8] = (20).to_bytes(2, "little")
    data[at + 8 : at + 8 + old] = b"1.2.840.10008.1.2.1\0"
    group = data.find(b"\x02\x00\x00\x00UL")
    total = int.from_bytes(data[group + 8 : group + 12], "little") + 20 - old
    data[group + 8 : group + 12] = total.to_bytes(4, "little")
    (tmp_path / "lying.dcm").write_bytes(bytes(data))
    found = header(tmp_path / "lying.dcm")
    assert "dicom.repaired.structure" in [p.code for p in found.instance.repairs]
    assert found.instance.pixel_format.rows == 6


@pytest.mark.parametrize(
    ("raw", "charsets", "name"),
    [
        ("Ермек^Айгүл".encode(), ("ISO_IR 192",), "Ермек^Айгүл"),
        ("Иванов^Пётр".encode("iso8859_5"), ("ISO_IR 144",), "Иванов^Пётр"),
        ("Müller^Jörg".encode("latin_1"), ("ISO_IR 100",), "Müller^Jörg"),
        ("王^小东".encode("gb18030"), ("GB18030",), "王^小东"),
    ],
)
def test_person_names(raw: bytes, charsets: tuple[str, ...], name: str) -> None:
    assert person_name(raw, charsets)[0].alphabetic == name


def test_person_name_groups_with_code_extensions() -> None:
    # PS3.5 H.3.1: Yamada Tarou in three groups.
    raw = (
        b"Yamada^Tarou=\x1b\x24\x42\x3b\x33\x45\x44\x1b\x28\x42^\x1b\x24\x42\x42\x40\x4f\x3a\x1b\x28\x42="
        b"\x1b\x24\x42\x24\x64\x24\x5e\x24\x40\x1b\x28\x42^\x1b\x24\x42\x24\x3f\x24\x6d\x24\x26\x1b\x28\x42"
    )
    name, repaired = person_name(raw, ("", "ISO 2022 IR 87"))
    assert (name.alphabetic, name.ideographic, name.phonetic) == ("Yamada^Tarou", "山田^太郎", "やまだ^たろう")
    assert repaired == ""


@pytest.mark.parametrize(
    ("raw", "charsets", "text", "codec"),
    [
        ("Сәуле".encode(), (), "Сәуле", "utf-8"),
        ("Петров".encode("cp1251"), (), "Петров", "cp1251"),
        (b"Petrov", (), "Petrov", ""),
        ("Петров".encode("cp1251"), ("ISO_IR 192",), "Петров", "cp1251"),
        (b"a\x1b[31mb\x07", ("ISO_IR 192",), "a[31mb", ""),
        (b"\x1b\x24\x29\x41\xd5\xc5", ("", "ISO 2022 IR 58"), "张", ""),
    ],
)
def test_wrong_or_missing_character_sets_are_repaired_visibly(
    raw: bytes, charsets: tuple[str, ...], text: str, codec: str
) -> None:
    found = decode(raw, charsets)
    assert (found.text, found.repaired) == (text, codec)
