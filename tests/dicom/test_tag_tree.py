"""The tolerant walk: positions, values, breaches of the standard with their offsets, and samples without identity."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from app.dicom.byte_source import FileByteSource, file_locator
from app.dicom.examine import EXACT, REFUSED, REPAIRED, examine
from app.dicom.rules import RULES, rule_of
from app.dicom.sample_export import sample_of
from app.dicom.tag_tree import TagElement, TagTree, read_tree
from app.dicom.tag_values import hex_dump, multiplicity, search, shown
from app.domain.messages import load_catalogues
from app.domain.resources import resource_path
from tests.dicom import raw_files

NAME = "Серікбаева^Әлия=芹川=せり"


def _dataset() -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    ds.SOPInstanceUID = "1.2.3.4.5"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3.4", "1.2.3.4.1"
    ds.Modality = "OT"
    ds.StudyDate = "20240305"
    ds.PatientName = NAME
    ds.PatientID = "620314-KZ"
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "T-1", "99TEST", "Ключ"
    ds.ProcedureCodeSequence = Sequence([item, Dataset()])
    block = ds.private_block(0x0029, "EKINSHI TEST", create=True)
    block.add_new(0x01, "LO", "private words")
    ds.Rows, ds.Columns, ds.SamplesPerPixel = 2, 3, 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 0
    ds.PixelSpacing = [0.5, 0.25]
    ds.PixelData = struct.pack("<6H", *range(6))
    return ds


def _file(ds: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = "1.2.3"
    ds.file_meta, ds.preamble = meta, b"P" * 128
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def _tree(data: bytes) -> TagTree:
    return read_tree(lambda offset, length: data[offset : offset + length], len(data))


def _at(tree: TagTree, tag: int) -> TagElement:
    return next(e for e in tree.walk() if e.tag == tag)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_every_element_has_its_place_and_its_words(syntax: str) -> None:
    ds = _dataset()
    if syntax == ExplicitVRBigEndian:
        ds.PixelData = struct.pack(">6H", *range(6))
    data = _file(ds, syntax)
    tree = _tree(data)
    assert tree.breaches == []
    assert tree.transfer_syntax_uid == syntax
    name = _at(tree, 0x00100010)
    assert shown(tree, name).text == NAME
    assert data[name.value_offset :].startswith("Серікбаева".encode())
    assert (name.keyword, name.vr, multiplicity(tree, name)) == ("PatientName", "PN", 1)
    rows = _at(tree, 0x00280010)
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    assert struct.unpack_from(f"{order}HH", data, rows.offset) == (0x0028, 0x0010)
    assert shown(tree, rows).text == "2"
    spacing = _at(tree, 0x00280030)
    assert (shown(tree, spacing).text, multiplicity(tree, spacing)) == ("0.5\\0.25", 2)
    private = _at(tree, 0x00291001)
    assert (private.creator, shown(tree, private).text) == ("EKINSHI TEST", "private words")
    sequence = _at(tree, 0x00081032)
    assert [i.number for i in sequence.children] == [1, 2]
    meaning = _at(tree, 0x00080104)
    assert meaning.path() == "(0008,1032)[1] (0008,0104)"
    assert shown(tree, meaning).text == "Ключ"
    pixels = _at(tree, 0x7FE00010)
    assert tree.raw(pixels) == ds.PixelData
    assert hex_dump(tree, pixels).startswith(f"{pixels.value_offset:08x}  ")


def test_search_by_keyword_tag_and_value() -> None:
    tree = _tree(_file(_dataset()))
    assert [e.tag for e in search(tree, "patientname")] == [0x00100010]
    assert [e.tag for e in search(tree, "0028,0010")] == [0x00280010]
    assert [e.tag for e in search(tree, "00280010")] == [0x00280010]
    assert 0x00100010 in [e.tag for e in search(tree, "әлия")]
    assert [e.path() for e in search(tree, "ключ")] == ["(0008,1032)[1] (0008,0104)"]
    assert search(tree, "nothing of the kind") == []
    assert len(search(tree, "00", limit=3)) == 3


def test_a_cut_file_is_read_up_to_the_cut() -> None:
    data = _file(_dataset())
    whole = _tree(data)
    name = _at(whole, 0x00100010)
    cut = _tree(data[: name.value_offset + 5])
    assert [(b.code, b.offset, b.path, b.stops) for b in cut.breaches] == [
        ("breach.value_beyond_end", name.offset, "(0010,0010)", True)
    ]
    assert dict(cut.breaches[0].params) == {"stated": name.length, "found": 5}
    assert [e.offset for e in cut.walk()] == [e.offset for e in whole.walk() if e.offset <= name.offset]


def _one(code: str, data: bytes) -> Any:
    found = [b for b in _tree(data).breaches if b.code == code]
    assert found, [b.code for b in _tree(data).breaches]
    return found[0]


def test_breaches_are_named_where_they_are() -> None:
    data = _file(_dataset())
    tree = _tree(data)
    name, rows, sequence = _at(tree, 0x00100010), _at(tree, 0x00280010), _at(tree, 0x00081032)
    assert _one("breach.no_preamble", data[132:]).offset == 0
    assert _one("breach.not_dicom", b"just some words, nothing more").stops
    assert _one("breach.empty", b"").stops
    broken = bytearray(data)
    broken[rows.offset + 4 : rows.offset + 6] = b"??"
    broken[rows.offset + 6 : rows.offset + 8] = b"\xff\xff"
    found = _one("breach.unknown_vr", bytes(broken))
    assert (found.offset, found.clause, dict(found.params)) == (rows.offset, "PS3.5 6.2", {"vr": "3f3f"})
    wrong = bytearray(data)
    wrong[rows.offset + 4 : rows.offset + 6] = b"SH"
    found = _one("breach.vr_differs", bytes(wrong))
    assert dict(found.params) == {"found": "SH", "expected": "US"}
    lost = bytearray(data)
    lost[sequence.value_offset : sequence.value_offset + 4] = b"\x08\x00\x05\x00"
    assert _one("breach.no_item", bytes(lost)).path == "(0008,1032)"
    odd = (
        data[: name.offset] + struct.pack("<HH2sH", 0x10, 0x10, b"PN", 3) + b"abc" + data[name.value_offset + name.length :]
    )
    assert _one("breach.odd_length", odd).path == "(0010,0010)"
    twice = data[: name.offset] + data[name.offset : name.value_offset + name.length] * 2 + data[rows.offset :]
    assert _one("breach.twice", twice).path == "(0010,0010)"


def test_deflated_data_sets_are_read_even_when_cut() -> None:
    plain = _file(_dataset())
    tree = _tree(plain)
    start = next(e.offset for e in tree.roots if e.tag >> 16 != 2)
    head = plain[:start].replace(b"1.2.840.10008.1.2.1\x00", b"1.2.840.10008.1.2.1.99")
    length = head.index(b"1.2.840.10008.1.2.1.99") - 2
    head = head[:length] + struct.pack("<H", 22) + head[length + 2 :]
    head = head[:140] + struct.pack("<I", struct.unpack_from("<I", head, 140)[0] + 2) + head[144:]
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(plain[start:]) + packer.flush()
    found = _tree(head + packed)
    assert found.inflated
    assert found.breaches == []
    assert shown(found, _at(found, 0x00100010)).text == NAME
    cut = _tree(head + packed[: len(packed) // 2])
    assert [b.code for b in cut.breaches][0] == "breach.deflate_cut"
    assert any(e.tag == 0x00080016 for e in cut.walk())


def test_hostile_bytes_end_the_walk_without_an_error() -> None:
    data = _file(_dataset())
    nested = b"\x08\x00\x32\x10SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    deep = _tree(data[:132] + nested * 500)
    assert [b.code for b in deep.breaches if b.stops] == ["breach.too_deep"]
    for step in range(0, len(data), 7):
        flipped = bytearray(data)
        flipped[step] ^= 0xFF
        tree = _tree(bytes(flipped))
        assert all(0 <= e.offset <= len(data) and e.available >= 0 for e in tree.walk())
        for element in tree.walk():
            shown(tree, element)


def _written(folder: Path, data: bytes) -> str:
    path = folder / "it.dcm"
    path.write_bytes(data)
    return file_locator(path)


def test_an_examination_names_state_rule_and_place(tmp_path: Path) -> None:
    data = _file(_dataset())
    source = FileByteSource()
    good = examine(_written(tmp_path, data), source)
    assert (good.state, good.reasons, good.sop_class) == (EXACT, (), "Secondary Capture Image Storage")
    start = next(e.offset for e in _tree(data).roots if e.tag >> 16 != 2)
    bare = examine(_written(tmp_path, data[start:]), source)
    assert bare.state == REPAIRED
    assert [r.problem.code for r in bare.reasons if r.problem] == ["dicom.repaired.no_preamble"]
    tree = _tree(data)
    without = data[: _at(tree, 0x7FE00010).offset]
    refused = examine(_written(tmp_path, without), source)
    assert refused.state == REFUSED
    first = refused.reasons[0]
    assert first.refuses
    assert (first.problem.code, first.clause) == ("dicom.pixels_missing", "PS3.3 C.7.6.3")  # type: ignore[union-attr]


def test_every_rule_and_breach_has_its_words() -> None:
    catalogue = load_catalogues(resource_path("i18n", "messages"))["en"]
    assert all(rule.message in catalogue for rule in RULES.values())
    assert rule_of("something.else").message in catalogue
    source = (Path(__file__).parents[2] / "app" / "dicom" / "tag_tree.py").read_text(encoding="utf-8")
    codes = {part.split('"')[0] for part in source.split('"breach.')[1:]}
    assert len(codes) > 20
    assert all(f"breach.{code}" in catalogue for code in codes)


def test_a_sample_keeps_the_structure_and_says_nothing_of_the_patient() -> None:
    data = _file(_dataset())
    sample = sample_of(data, noise=True)
    assert len(sample.data) == len(data)
    before, after = _tree(data), _tree(sample.data)
    assert [(e.tag, e.vr, e.length, e.offset) for e in before.walk()] == [
        (e.tag, e.vr, e.length, e.offset) for e in after.walk()
    ]
    for secret in ("Серікбаева", "Әлия", "芹川", "620314", "20240305", "private words", "1.2.3.4.5", "P" * 128):
        assert secret.encode() not in sample.data
    assert shown(after, _at(after, 0x00080020)).text == "19000101"
    assert shown(after, _at(after, 0x00280030)).text == "0.5\\0.25"
    assert shown(after, _at(after, 0x00080104)).text == "Ключ"
    assert after.raw(_at(after, 0x7FE00010)) != before.raw(_at(before, 0x7FE00010))
    kept = sample_of(data, noise=False)
    assert _tree(kept.data).raw(_at(after, 0x7FE00010)) == before.raw(_at(before, 0x7FE00010))
    # One UID, one dummy: references inside the file still meet.
    uid = after.raw(_at(after, 0x00080018)).rstrip(b"\0")
    assert uid == after.raw(_at(after, 0x00020003)).rstrip(b"\0") != b"1.2.3.4.5"


def test_a_sample_of_a_broken_file_breaks_in_the_same_place() -> None:
    data = _file(_dataset())
    rows = _at(_tree(data), 0x00280010)
    broken = bytearray(data)
    broken[rows.offset + 4 : rows.offset + 8] = b"??\xff\xff"
    sample = sample_of(bytes(broken), noise=False)
    assert [(b.code, b.offset) for b in _tree(sample.data).breaches] == [("breach.unknown_vr", rows.offset)]
    assert sample.data[rows.offset + 12 :] == bytes(len(data) - rows.offset - 12)


def test_a_sample_of_a_deflated_file_keeps_nothing_that_was_not_understood() -> None:
    """Places in the file meta information are no places in the inflated data set: counted there, they kept a name."""
    body = raw_files.element(0x00080060, "CS", b"OT") + b"\x10\x00\x10\x00??\xff\xff" + b"SECRET^NAME " * 12
    sample = sample_of(raw_files.whole(body, raw_files.DEFLATED), noise=False)
    start = len(raw_files.whole(b"", raw_files.EXPLICIT, raw_files.meta(raw_files.DEFLATED)))
    plain = zlib.decompress(sample.data[start:], -zlib.MAX_WBITS)
    assert plain.startswith(body[:8])
    assert len(plain) == len(body)
    assert b"SECRET" not in plain
