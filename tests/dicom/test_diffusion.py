"""b-values: the standard attribute, then the makers' own elements with their creators, into the split of a series."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from app.dicom.diffusion import csa_number
from app.dicom.display_sets import display_sets
from app.dicom.scanner import scan
from tests.dicom.builders import image, save

FLAT = np.zeros((4, 4), np.int16)


def csa(**fields: str) -> bytes:
    """A CSA header of the second kind with one item a field."""
    out = b"SV10\4\3\2\1" + struct.pack("<II", len(fields), 77)
    for name, value in fields.items():
        body = value.encode() + b"\0"
        out += name.encode().ljust(64, b"\0") + struct.pack("<i4siii", 1, b"IS", 6, 1, 77)
        out += struct.pack("<4I", len(body), len(body), 77, len(body)) + body + bytes(-len(body) % 4)
    return out


def put(folder: Path, n: int, z: float, *private: tuple[int, str, str, Any], **changes: Any) -> None:
    place = [-3.5, 7.25, z]
    d = image(FLAT, SOPInstanceUID=f"2.25.7{n}", ImagePositionPatient=place, InstanceNumber=n, Modality="MR", **changes)
    for tag, vr, creator, value in private:
        group, block = tag >> 16, tag >> 8 & 0xFF
        d.add_new(group << 16 | block, "LO", creator)
        d.add_new(tag, vr, value)
    folder.mkdir(parents=True, exist_ok=True)
    save(d, folder / f"{n:03}.dcm")


MAKERS = {
    "siemens": (0x0019100C, "IS", "SIEMENS MR HEADER", lambda b: str(b)),
    "siemens second block": (0x0019110C, "IS", "SIEMENS MR HEADER", lambda b: str(b)),
    "siemens csa": (0x00291010, "OB", "SIEMENS CSA HEADER", lambda b: csa(Columns="4", B_value=str(b), Rows="4")),
    "ge": (0x00431039, "IS", "GEMS_PARM_01", lambda b: [str(b), "8", "0", "0"]),
    "ge flagged": (0x00431039, "IS", "GEMS_PARM_01", lambda b: [str(1_000_000_000 + b), "8", "0", "0"]),
    "philips": (0x20011003, "FL", "Philips Imaging DD 001", lambda b: float(b)),
}


@pytest.mark.parametrize("maker", list(MAKERS))
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"])
def test_a_makers_b_values_part_the_series(tmp_path: Path, maker: str, syntax: str) -> None:
    tag, vr, creator, value = MAKERS[maker]
    for n in range(6):
        put(tmp_path, n, n % 3 * 2.5, (tag, vr, creator, value(800 if n > 2 else 50)))
    if syntax.endswith(".2"):
        for path in tmp_path.glob("*.dcm"):
            ds = pydicom.dcmread(path)
            ds.file_meta.TransferSyntaxUID = syntax
            pydicom.dcmwrite(path, ds, implicit_vr=True, little_endian=True, force_encoding=True)
    found = display_sets(scan([tmp_path]).studies[0])
    assert [(s.label, len(s.frames)) for s in found] == [("b = 50 s/mm²", 3), ("b = 800 s/mm²", 3)]
    assert {s.split_reason.code for s in found if s.split_reason} == {"split.b_value"}


def b_values(folder: Path) -> list[float | None]:
    return [i.b_value for i in scan([folder]).studies[0].series[0].instances]


def test_anothers_private_block_is_no_b_value(tmp_path: Path) -> None:
    put(tmp_path, 0, 0.0, (0x0019100C, "IS", "SOMEBODY ELSE", "800"))
    put(tmp_path, 1, 1.0, (0x00431039, "IS", "GEMS_PARM_02", "800"))
    assert b_values(tmp_path) == [None, None]


def test_the_standard_attribute_comes_first_and_nonsense_is_none(tmp_path: Path) -> None:
    put(tmp_path, 0, 0.0, (0x0019100C, "IS", "SIEMENS MR HEADER", "50"), DiffusionBValue=1000.0)
    put(tmp_path, 1, 1.0, (0x0019100C, "IS", "SIEMENS MR HEADER", "-1"))
    put(tmp_path, 2, 2.0, (0x20011003, "FL", "Philips Imaging DD 001", float("nan")))
    put(tmp_path, 3, 3.0, (0x00291010, "OB", "SIEMENS CSA HEADER", csa(B_value="800")[:118]))
    assert b_values(tmp_path) == [1000.0, None, None, None]


def test_only_magnetic_resonance_has_one(tmp_path: Path) -> None:
    d = image(FLAT, Modality="CT")
    d.add_new(0x00430010, "LO", "GEMS_PARM_01")
    d.add_new(0x00431039, "IS", "800")
    save(d, tmp_path / "a.dcm")
    assert b_values(tmp_path) == [None]


def test_csa_headers_are_walked_within_bounds() -> None:
    whole = csa(A="1", B_value=" 650 ", C="3")
    assert csa_number(whole, b"B_value") == 650.0
    assert csa_number(whole, b"D") is None
    assert csa_number(csa(B_value="many"), b"B_value") is None
    for n in range(len(whole)):
        assert csa_number(whole[:n], b"B_value") in (None, 650.0)
    endless = bytearray(csa(A="1"))
    endless[16 + 76 : 16 + 80] = b"\xff\xff\xff\xff"
    assert csa_number(bytes(endless), b"B_value") is None
