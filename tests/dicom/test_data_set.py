"""What pydicom is spared: sequences in the file meta group, which it would print for ever."""

from __future__ import annotations

import ast
import struct
from pathlib import Path

import pytest

from app.dicom.data_set import OddFileMeta, data_set
from app.dicom.documents import read_document
from app.domain.problem import ProblemError
from tests.dicom.builders import image, save
from tests.source_trees import syntax_tree

ROOT = Path(__file__).resolve().parents[2]


def sound(folder: Path) -> bytes:
    import numpy as np

    return save(image(np.zeros((2, 2), np.uint16)), folder / "a.dcm").read_bytes()


def nested(depth: int) -> bytes:
    """Items of (0002,0000) within each other, all of undefined length."""
    opened = struct.pack("<HH2sHI", 2, 0, b"SQ", 0, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    closed = struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return opened * depth + closed * depth


def test_a_sound_file_is_read_from_bytes_and_from_the_disk(tmp_path: Path) -> None:
    content = sound(tmp_path)
    assert data_set(content).PatientID == data_set(tmp_path / "a.dcm").PatientID == "KZ-1"
    assert data_set(content[132:], force=True).PatientID == "KZ-1"  # without preamble


@pytest.mark.parametrize("behind", [0, 1, 3])
def test_a_deep_sequence_among_the_file_meta_is_refused_at_once(tmp_path: Path, behind: int) -> None:
    content = sound(tmp_path)
    at = 132
    for _ in range(behind):
        long = content[at + 4 : at + 6] in (b"OB", b"UN")
        at += 12 + struct.unpack_from("<I", content, at + 8)[0] if long else 8 + struct.unpack_from("<H", content, at + 6)[0]
    assert content[at : at + 2] == b"\x02\x00"
    odd = content[:at] + nested(400) + content[at:]
    with pytest.raises(OddFileMeta):
        data_set(odd)
    (tmp_path / "odd.dcm").write_bytes(odd)
    with pytest.raises(OddFileMeta):
        data_set(tmp_path / "odd.dcm", force=True)
    with pytest.raises(ProblemError) as caught:
        read_document(odd)
    assert caught.value.problem.code == "document.unreadable"


def test_an_unknown_element_of_undefined_length_counts_as_a_sequence(tmp_path: Path) -> None:
    content = sound(tmp_path)
    odd = content[:132] + struct.pack("<HH2sHI", 2, 0, b"UN", 0, 0xFFFFFFFF) + content[132:]
    with pytest.raises(OddFileMeta):
        data_set(odd)


def test_a_cut_head_ends_the_look() -> None:
    assert len(data_set(b"\0" * 128 + b"DICM\x02\x00\x10\x00UI")) == 0
    assert len(data_set(b"", force=True)) == 0


def test_nothing_else_in_the_product_reads_with_pydicom_directly() -> None:
    callers = {
        file.name
        for file in sorted((ROOT / "app").rglob("*.py"))
        for node in ast.walk(syntax_tree(file))
        if (isinstance(node, ast.Attribute) and node.attr == "dcmread")
        or (isinstance(node, ast.ImportFrom) and any(n.name == "dcmread" for n in node.names))
    }
    assert callers == {"data_set.py"}
