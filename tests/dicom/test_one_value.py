"""A picture of one single value is told: at import, in the explorer, by ``info`` and in the pane."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from app.dicom.byte_source import FileByteSource, file_locator
from app.dicom.examine import REPAIRED, examine
from app.dicom.frame_pixels import frame_pixels
from app.dicom.info import inspect
from app.dicom.one_value import CODE, all_alike, has_one_value
from app.dicom.scanner import scan
from tests.dicom.builders import BIG, DEFLATED, EXPLICIT, IMPLICIT, compressed, image, save

DX, SC, CT = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.2"
ZEROS = np.zeros((64, 64), np.uint16)
ONE_OFF = ZEROS.copy()
ONE_OFF[63, 63] = 1


def told(path: Path) -> bool:
    source = FileByteSource()
    instance = scan([path]).files[0].instance
    (entry,) = inspect([path], pixels=True)["files"]
    found = has_one_value(instance, source)
    said = CODE in [r["reason"] for r in entry.get("repairs", ())]
    examined = [r for r in examine(file_locator(path), source).reasons if r.problem is not None and r.problem.code == CODE]
    assert said == found == bool(examined)
    assert frame_pixels(instance, 0, source).one_value or not found
    return found


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, DEFLATED, BIG])
def test_uncompressed_zeros_are_told(tmp_path: Path, syntax: str) -> None:
    big = syntax == BIG
    assert told(save(image(ZEROS.byteswap() if big else ZEROS), tmp_path / "zero.dcm", syntax))
    assert not told(save(image(ONE_OFF.byteswap() if big else ONE_OFF), tmp_path / "one.dcm", syntax))


def test_any_value_any_kind_any_frame(tmp_path: Path) -> None:
    assert told(save(image(np.full((40, 30), 1234, np.uint16), SOPClassUID=DX, Modality="DX"), tmp_path / "dx.dcm"))
    red = np.zeros((20, 30, 3), np.uint8)
    red[..., 0] = 9
    kept = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.6.1", "Modality": "US"}
    coloured = save(image(red, RescaleSlope=None, RescaleIntercept=None, **kept), tmp_path / "us.dcm")
    assert has_one_value(scan([coloured]).files[0].instance, FileByteSource())
    frames = np.zeros((3, 64, 64), np.uint16)
    assert told(save(image(frames), tmp_path / "frames.dcm"))
    frames[1, 5, 5] = 1
    assert not told(save(image(frames), tmp_path / "middle.dcm"))
    assert not told(save(image(np.zeros((1, 1), np.uint16)), tmp_path / "pixel.dcm"))


def test_what_may_well_be_flat_is_not_told(tmp_path: Path) -> None:
    assert not told(save(image(ZEROS, SOPClassUID=SC, Modality="OT"), tmp_path / "page.dcm"))


def test_compressed_ones_are_told_when_they_are_decoded(tmp_path: Path) -> None:
    path = compressed(image(ZEROS), [imagecodecs.jpegls_encode(ZEROS)], tmp_path / "j.dcm", "1.2.840.10008.1.2.4.80")
    instance = scan([path]).files[0].instance
    assert frame_pixels(instance, 0, FileByteSource()).one_value
    (entry,) = inspect([path], pixels=True)["files"]
    assert entry["reason"] == CODE
    assert examine(file_locator(path), FileByteSource()).state == REPAIRED


def test_samples_before_all() -> None:
    values = np.full((300, 400), 7, np.int16)
    assert all_alike(values)
    values[299, 399] = 8
    assert not all_alike(values)
    assert not all_alike(np.zeros((1, 1, 3), np.uint8))
