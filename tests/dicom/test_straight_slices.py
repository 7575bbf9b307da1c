"""The short way of the common slice gives the values of the long way, or leaves the slice to it untouched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.dicom.byte_source import FileByteSource, file_locator, plain_name
from app.dicom.frame_decoder import stored_frame
from app.dicom.frame_loader import rescale_in_place
from app.dicom.header import read_header
from app.dicom.straight_slices import StraightSlices
from app.domain.problem import ProblemError
from app.domain.study import Instance
from tests.dicom.builders import BIG, EXPLICIT, IMPLICIT, image, save

STORED = np.arange(-32768, 32768, dtype=np.int32).astype(np.uint16).reshape(256, 256)
"""Every bit pattern there is: also such as have bits set above the stored ones."""


def instance_of(folder: Path, values: np.ndarray, syntax: str = EXPLICIT, **changes: Any) -> Instance:
    path = save(image(values, **changes), folder / "slice.dcm", syntax, big=syntax == BIG)
    return read_header(file_locator(path), FileByteSource()).instance


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"BitsStored": 12, "HighBit": 11},
        {"BitsStored": 12, "HighBit": 11, "RescaleIntercept": "0"},
        {"BitsStored": 15, "HighBit": 14, "RescaleIntercept": "-1000"},
        {"BitsStored": 1, "HighBit": 0},
        {"PixelRepresentation": 1},
        {"PixelRepresentation": 1, "RescaleIntercept": "0"},
    ],
)
def test_every_bit_pattern_becomes_the_value_of_the_long_way(tmp_path: Path, syntax: str, changes: dict[str, Any]) -> None:
    instance = instance_of(tmp_path, STORED, syntax, **changes)
    source, transform = FileByteSource(), instance.frames[0].modality_transform
    target = np.zeros(STORED.shape, np.int16)
    assert StraightSlices(source).take(target, instance, 0, transform)
    expected = np.zeros(STORED.shape, np.int32)
    rescale_in_place(stored_frame(instance, 0, source), expected, transform)
    assert np.array_equal(target, expected.astype(np.int16))  # what does not fit is told by the caller's range


@pytest.mark.parametrize(
    ("syntax", "changes"),
    [
        (BIG, {}),
        (EXPLICIT, {"RescaleSlope": "2"}),
        (EXPLICIT, {"RescaleIntercept": "-0.5"}),
        (EXPLICIT, {"BitsStored": 12, "HighBit": 15}),
        (EXPLICIT, {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": 1}),
    ],
)
def test_another_kind_of_slice_is_left_untouched(tmp_path: Path, syntax: str, changes: dict[str, Any]) -> None:
    instance = instance_of(tmp_path, STORED, syntax, **changes)
    target = np.full(STORED.shape, 7, np.int16)
    assert not StraightSlices(FileByteSource()).take(target, instance, 0, instance.frames[0].modality_transform)
    assert (target == 7).all()


def test_a_stack_may_change_its_kind_from_slice_to_slice(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    values = np.full((4, 4), 0x1005, np.uint16)
    first = instance_of(tmp_path, values)
    second = instance_of(tmp_path / "b", values, BitsStored=12, HighBit=11, RescaleIntercept="-10")
    straight, out = StraightSlices(FileByteSource()), np.zeros((3, 4, 4), np.int16)
    for k, instance in enumerate((first, second, first)):
        assert straight.take(out[k], instance, 0, instance.frames[0].modality_transform)
    assert [int(v) for v in out[:, 0, 0]] == [0x1005 - 1024, 5 - 10, 0x1005 - 1024]


def test_frames_of_one_object_lie_behind_each_other(tmp_path: Path) -> None:
    values = np.arange(3 * 4 * 4, dtype=np.uint16).reshape(3, 4, 4)
    instance = instance_of(tmp_path, values, RescaleIntercept="0")
    target = np.zeros((4, 4), np.int16)
    assert StraightSlices(FileByteSource()).take(target, instance, 2, instance.frames[0].modality_transform)
    assert np.array_equal(target, values[2].astype(np.int16))


def test_a_short_or_missing_file_is_told(tmp_path: Path) -> None:
    instance = instance_of(tmp_path, STORED)
    transform, target = instance.frames[0].modality_transform, np.zeros(STORED.shape, np.int16)
    path = tmp_path / "slice.dcm"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(ProblemError) as caught:
        StraightSlices(FileByteSource()).take(target, instance, 0, transform)
    assert caught.value.problem.code == "dicom.truncated"
    gone = replace(instance, locator=file_locator(tmp_path / "gone.dcm"))
    with pytest.raises(ProblemError) as caught:
        StraightSlices(FileByteSource()).take(target, gone, 0, transform)
    assert caught.value.problem.code == "dicom.file_gone"


def test_only_plain_files_have_a_plain_name() -> None:
    source = FileByteSource()
    assert str(plain_name(source, "file:/x/y")) == str(source.plain_path("file:/x/y"))
    assert plain_name(source, "zip:/x!y") is None
