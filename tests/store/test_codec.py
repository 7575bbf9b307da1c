"""Dataclasses to JSON and back: equal, strict, without surprises."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings

from app.domain.finding import Finding, Heatmap, ReadResult, ReadState, SegmentMask
from app.domain.geometry import VolumeGeometry
from app.domain.measurement import Placement
from app.domain.outbox import Receipt
from app.domain.problem import Problem
from app.domain.report import Report
from app.domain.study import Instance, Study
from app.domain.verdict import Decision, FirstOpinion, RejectReason, Verdict
from app.store import codec
from tests.store import made

VALUES = [
    made.study(count=4),
    made.instance("1.2.3"),
    made.mark(),
    made.opinion("1.2", "p", "h", (made.mark(), made.mark("2.25.2", -7.0))),
    Verdict("v", "f", Decision.REJECTED, "p", "h", RejectReason.ARTEFACT, "сосуд"),
    Verdict("v", "f", Decision.MODIFIED, "p", "h", modified=made.mark()),
    made.report(),
    made.stored("2.25.3"),
    Receipt("i", "t", "u", "verified", "aa", "aa", details={"etag": "x"}),
    Problem("a.b", {"n": 3, "share": 0.25, "name": "x", "one": 1.0}),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda v: type(v).__name__)
@pytest.mark.parametrize("compact", [False, True])
def test_the_same_comes_back(value: Any, compact: bool) -> None:
    back = codec.loads(type(value), codec.dumps(value, compact=compact))
    assert back == value
    assert codec.unpack(type(value), codec.pack(value)) == value


def test_numbers_keep_their_kind_in_a_mapping() -> None:
    back = codec.loads(Problem, codec.dumps(Problem("a", {"i": 1, "f": 1.0, "t": "1"})))
    assert [type(v) for v in back.params.values()] == [int, float, str]


def test_numbers_of_numpy_become_plain_ones() -> None:
    encoded = codec.encode((np.float64(1.5), np.float32(0.5), np.int16(-3), np.bool_(True), np.float64("inf")))
    assert encoded == [1.5, 0.5, -3, True, "Infinity"]
    assert [type(v) for v in encoded] == [float, float, int, bool, str]


def test_arrays_keep_shape_type_and_values() -> None:
    back = codec.loads(Instance, codec.dumps(made.with_lut()))
    lut = back.frames[0].modality_transform.lut
    assert lut is not None
    assert (lut.table.dtype, lut.first_mapped) == (np.uint16, -5)
    assert np.array_equal(lut.table, np.arange(10))
    geometry = VolumeGeometry.axial((2, 3, 4), (2.5, 0.5, 0.8), (-90.0, 40.0, 1200.0))
    heat = Heatmap(made.NODULE, np.linspace(0, 1, 24, dtype=np.float16).reshape(2, 3, 4), geometry)
    mask = SegmentMask("f", np.arange(24).reshape(2, 3, 4) % 3 == 0, geometry)
    result = ReadResult(made.READER, "1.2", ReadState.COMPLETED, (made.mark(),), (heat,), (mask,))
    back_result = codec.unpack(ReadResult, codec.pack(result))
    assert back_result.findings == result.findings
    assert np.array_equal(back_result.heatmaps[0].values, heat.values)
    assert back_result.heatmaps[0].values.dtype == np.float16
    assert np.array_equal(back_result.masks[0].values, mask.values)
    assert back_result.masks[0].geometry == geometry


@dataclasses.dataclass(frozen=True)
class Sample:
    number: float = 0.0
    names: tuple[str, ...] = ()
    pair: tuple[int, float] | None = None
    options: Mapping[str, int] = dataclasses.field(default_factory=dict)
    blob: bytes = b""
    values: npt.NDArray[np.int32] | None = None
    child: Sample | None = None


def test_special_numbers_and_recursion() -> None:
    value = Sample(math.inf, child=Sample(-math.inf, pair=(3, 4.5), blob=b"\x00\xff"))
    assert codec.loads(Sample, codec.dumps(value)) == value
    assert math.isnan(codec.loads(Sample, codec.dumps(Sample(math.nan))).number)


@pytest.mark.parametrize(
    "text",
    [
        '{"unknown": 1}',
        '{"number": "x"}',
        '{"number": true}',
        '{"names": "abc"}',
        '{"names": [1]}',
        '{"pair": [1]}',
        '{"pair": [1.5, 2]}',
        '{"options": {"a": 1.5}}',
        '{"blob": "*"}',
        '{"values": {"dtype": "|O", "shape": [1], "zlib": ""}}',
        '{"values": {"dtype": "<i4", "shape": [3], "zlib": "eJxjYGBgAAAABAAB"}}',
        '{"child": []}',
        "[]",
        "null",
    ],
)
def test_what_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(codec.CodecError):
        codec.loads(Sample, text)


def test_the_class_s_own_checks_run_and_values_stay_out_of_the_message() -> None:
    data = json.loads(codec.dumps(Verdict("v", "f", Decision.ACCEPTED, "p", "h")))
    data["decision"] = "rejected"
    with pytest.raises(codec.CodecError):
        codec.decode(Verdict, data)
    data["decision"] = "Ахметова"
    with pytest.raises(codec.CodecError) as caught:
        codec.decode(Verdict, data)
    assert "Ахметова" not in str(caught.value)


def test_unwritable_things_are_refused() -> None:
    class Loose(StrEnum):
        A = "a"

    assert codec.encode(Loose.A) == "a"
    for value in ({1: 2}, {1, 2}, object(), np.array([object()])):
        with pytest.raises(codec.CodecError):
            codec.encode(value)


def test_compact_study_is_small() -> None:
    study = made.study(count=300)
    assert len(codec.pack(study)) < 60_000
    assert codec.unpack(Study, codec.pack(study)) == study


def test_types_of_the_domain_all_have_a_reading() -> None:
    for kind in (Study, Finding, FirstOpinion, Verdict, Receipt, ReadResult):
        with pytest.raises(codec.CodecError):
            codec.decode(kind, {})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_subnormal=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
places = st.lists(st.integers(0, 50), min_size=1, max_size=8)


def replaced(data: Any, place: list[int], value: Any) -> Any:
    """A copy of JSON data with one thing in it exchanged; ``place`` chooses the way down."""
    if not place or not data or not isinstance(data, dict | list):
        return value
    copy = data.copy()
    key = sorted(copy)[place[0] % len(copy)] if isinstance(copy, dict) else place[0] % len(copy)
    copy[key] = replaced(copy[key], place[1:], value)
    return copy


WHOLE = codec.encode((made.study(count=1), made.with_lut(), made.report(), made.opinion("1", "p", "h", (made.mark(),))))


@settings(max_examples=400, deadline=None)
@given(which=st.integers(0, 3), place=places, value=json_values)
def test_a_changed_body_is_read_or_refused_and_nothing_else(which: int, place: list[int], value: Any) -> None:
    kind = (Study, Instance, Report, FirstOpinion)[which]
    with contextlib.suppress(codec.CodecError):
        codec.decode(kind, replaced(WHOLE[which], place, value))


def test_a_number_too_large_is_refused() -> None:
    with pytest.raises(codec.CodecError):
        codec.loads(Sample, '{"number": 1' + "0" * 400 + "}")


@pytest.mark.parametrize("blob", [b"", b"x", b"x\x9c", codec.pack(made.mark())[:-3]])
def test_a_cut_body_is_refused(blob: bytes) -> None:
    with pytest.raises(codec.CodecError):
        codec.unpack(Finding, blob)
    with pytest.raises(codec.CodecError):
        codec.loads(Finding, "[" * 100_000)


def outlined(points: tuple[tuple[float, float], ...]) -> Placement:
    return Placement("1.2.3", 1, points, tuple((x, y, -0.1) for x, y in points))


def test_an_outline_of_many_points_is_written_as_one_array_and_comes_back_to_the_last_bit() -> None:
    many = tuple((n / 3, -n / 7) for n in range(codec.MANY_POINTS))
    written = codec.encode(outlined(many), compact=True)
    assert set(written["points_px"]) == {"dtype", "shape", "zlib"}
    assert codec.loads(Placement, json.dumps(written)) == outlined(many)
    few = codec.encode(outlined(many[:3]))
    assert few["points_px"] == [list(p) for p in many[:3]]
    odd = codec.encode(Placement("1", 1, (*many, (1, 2.0))))
    assert isinstance(odd["points_px"], list), "whole numbers stay whole numbers"


def test_outlines_that_were_written_point_by_point_are_still_read() -> None:
    many = tuple((n / 3, -n / 7) for n in range(codec.MANY_POINTS))
    before = {"sop_instance_uid": "1.2.3", "frame": 1, "points_px": [list(p) for p in many]}
    assert codec.decode(Placement, before) == Placement("1.2.3", 1, many)


@pytest.mark.parametrize("array", [np.zeros((300, 3)), np.zeros(600), np.zeros((300, 2), np.int32)])
def test_an_array_that_holds_no_such_points_is_refused(array: np.ndarray) -> None:
    with pytest.raises(codec.CodecError):
        codec.decode(Placement, {"points_px": codec.encode(array)})
