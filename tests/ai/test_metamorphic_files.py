"""Relations 6 to 8: files of the same body, told another way, give a second reader the same bytes and millimetres."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest

from app.dicom.byte_source import FileByteSource
from app.dicom.display_sets import display_sets
from app.dicom.scanner import scan
from app.dicom.volume_builder import build_volume
from app.domain.volume import Volume
from tests.dicom.builders import ORIGIN, compressed, image, save

SLICES = 8


def body(k: int) -> np.ndarray:
    """Stored values of 12 bits, 0 is air."""
    return np.random.default_rng(k).integers(0, 3000, (16, 20)).astype(np.uint16)


def written(folder: Path, how: str) -> Path:
    order = list(range(SLICES))
    if how == "shuffled":
        order = [3, 0, 7, 5, 1, 6, 2, 4]
    for n, k in enumerate(order):
        values = body(k)
        changes: dict[str, Any] = {"SOPInstanceUID": f"2.25.50{k}", "BitsStored": 12, "HighBit": 11}
        changes["InstanceNumber"] = str(SLICES - n if how == "shuffled" else k + 1)
        if how == "slope in the pixels":
            values, changes = (values * 2).astype(np.uint16), {**changes, "BitsStored": 16, "HighBit": 15}
            changes |= {"RescaleSlope": "0.5", "RescaleIntercept": "-1024"}
        d = image(values, **changes)
        d.ImagePositionPatient = [*ORIGIN[:2], ORIGIN[2] + 2.5 * k]
        path = folder / f"{n:02d}.dcm"
        if how == "JPEG-LS":
            compressed(d, [imagecodecs.jpegls_encode(values)], path, "1.2.840.10008.1.2.4.80")
        elif how == "JPEG 2000":
            stream = imagecodecs.jpeg2k_encode(values, level=0, codecformat="j2k", reversible=True, bitspersample=12)
            compressed(d, [stream], path, "1.2.840.10008.1.2.4.90")
        elif how == "JPEG Lossless":
            compressed(d, [imagecodecs.ljpeg_encode(values, bitspersample=12)], path, "1.2.840.10008.1.2.4.70")
        elif how == "big endian":
            d.PixelData = values.astype(">u2").tobytes()
            save(d, path, "1.2.840.10008.1.2.2")
        else:
            save(d, path)
    return folder


def volume(folder: Path) -> Volume:
    (study,) = scan([folder]).studies
    (shown,) = display_sets(study)
    return build_volume(study, shown, FileByteSource())


@pytest.mark.parametrize("how", ["shuffled", "JPEG-LS", "JPEG 2000", "JPEG Lossless", "big endian", "slope in the pixels"])
def test_06_07_08_order_syntax_and_rescale_change_nothing(how: str, tmp_path: Path) -> None:
    plain, other = volume(written(tmp_path / "plain", "plain")), volume(written(tmp_path / "other", how))
    assert np.array_equal(other.voxels, plain.voxels)
    assert np.array_equal(plain.voxels[2], body(2).astype(int) - 1024)
    assert other.geometry == plain.geometry
    assert other.unit == plain.unit == "HU"
