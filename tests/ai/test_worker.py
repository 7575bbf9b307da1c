"""What crosses the border to the worker: messages, arrays, results. No pickle, no leak, one byte form."""

from __future__ import annotations

import struct
from dataclasses import replace
from multiprocessing import shared_memory

import numpy as np
import pytest

from app.ai import messages
from app.ai.result_codec import decode_result, encode_result, padded
from app.ai.shared_array import ArrayHandle, AttachedArray, OwnedArray
from app.ai.worker import load_reader
from app.domain.finding import Band, Finding, Heatmap, Location, ReaderIdentity, ReadResult, ReadState, SegmentMask, Source
from app.domain.geometry import VolumeGeometry
from app.domain.measurement import Code, Measurement, Quantity
from app.domain.problem import Problem, ProblemError, Severity
from tests.ai.conftest import shared_blocks
from tests.ai.tiny_package import CODE

GEOMETRY = VolumeGeometry((-120.5, 85.25, -1310.125), (0.1, 0.2, 2.5), (0.0, 0.7, 0.0), (0.8, 0.0, 0.01), (3, 5, 7), "1.2.3")
NODULE = Code("27925004", "SCT", "Nodule")
IDENTITY = ReaderIdentity("tiny", "1.0.0", "ab" * 32, "balanced", "torch")


def _messages() -> list[messages.Message]:
    handle = ArrayHandle("ek1_a", "int16", (3, 5, 7))
    volume = messages.VolumeInput(handle, GEOMETRY, "HU", ("1.2", "1.3", "1.4"), True)
    film = messages.FilmInput(handle, "1.5", (0.1, 0.1), (0.2, 0.2), "L", "CC", ("A", "R"), handle)
    return [
        messages.Job("a", "p", "d", "00", "1.2", "set", volume, (film,), 64.0, "F", {"kvp": "120"}),
        messages.Job("b", "p", "d", "00", "1.2"),
        messages.SelfTest("a", "p"),
        messages.Cancel("a"),
        messages.Shutdown(),
        messages.Ready(12, True),
        messages.Progress("a", 0.25, "ai.stage.measure"),
        messages.Heartbeat("a", 3),
        messages.Done("a", 1024, 1.5),
        messages.Refused("a", Problem("ai.package.untrusted", {"n": 1, "x": 0.5, "word": "w"}, Severity.NOTE, "s", "n")),
        messages.Failed("a", Problem("ai.run.crashed"), 2.0),
        messages.Cancelled("a"),
        messages.SelfTested("a", {"networks": {"x": [1, 2.5, None, True]}}),
    ]


@pytest.mark.parametrize("message", _messages(), ids=lambda m: type(m).__name__)
def test_messages_survive_the_border(message: messages.Message) -> None:
    data = messages.encode(message)
    assert data.startswith(b"{")
    assert messages.decode(data) == message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04K\x01.",
        b"{}",
        b'{"kind":"Job","body":{}}',
        b'{"kind":"os.system","body":{}}',
        b'{"kind":"Cancel","body":{"job_id":1}}',
        b'{"kind":"Cancel","body":{"job_id":"a","more":1}}',
        b'{"kind":"Progress","body":{"job_id":"a","fraction":NaN}}',
        b'{"kind":["Job"],"body":{}}',
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ProblemError, match=r"ai\.message\.bad"):
        messages.decode(data)


# -- shared arrays -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "uint16", "float16", "float32"])
def test_an_array_is_seen_on_the_other_side_and_cannot_be_written_there(dtype: str) -> None:
    values = (np.arange(3 * 5 * 7).reshape(3, 5, 7) % 2).astype(dtype)
    with OwnedArray(values[:, ::-1]) as owned:
        other = AttachedArray(owned.handle)
        assert np.array_equal(other.values, values[:, ::-1])
        with pytest.raises(ValueError, match="read-only"):
            other.values[0, 0, 0] = 1
        other.close()
        third = AttachedArray(owned.handle)
        assert np.array_equal(third.values, values[:, ::-1])
        third.close()
    assert not shared_blocks()
    with pytest.raises(ProblemError, match=r"ai\.shared_array\.gone"):
        AttachedArray(owned.handle)


def test_closing_twice_and_a_view_kept_too_long_do_no_harm() -> None:
    owned = OwnedArray(np.ones((4, 4), np.float32))
    other = AttachedArray(owned.handle)
    kept = other.values
    other.close()
    other.close()
    owned.close()
    owned.close()
    assert kept.sum() == 16
    assert not shared_blocks()


def test_a_lying_handle_is_refused() -> None:
    with OwnedArray(np.ones((4, 4), np.float32)) as owned:
        for handle in (
            replace(owned.handle, shape=(4096, 4096)),
            replace(owned.handle, dtype="object"),
            replace(owned.handle, shape=(-4, -4)),
            replace(owned.handle, shape=()),
        ):
            with pytest.raises(ProblemError, match=r"bad_handle"):
                AttachedArray(handle)
    with pytest.raises(ProblemError, match=r"bad_array"):
        OwnedArray(np.array([object()]))
    with pytest.raises(ProblemError, match=r"bad_array"):
        OwnedArray(np.empty((0, 3), np.int16))


def test_no_room_in_shared_memory_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object, **_words: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shared_memory, "SharedMemory", full)
    with pytest.raises(ProblemError, match=r"no_room"):
        OwnedArray(np.ones(4, np.int16))


# -- results -----------------------------------------------------------------------------------------------------


def _result() -> ReadResult:
    finding = Finding(
        "2.25.1",
        Source.AI,
        NODULE,
        Location((1.000049, -2.0, 3.25), ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)), "1.2.3", "1.9", 2),
        (Measurement(Quantity.LONG_AXIS, 6.25, "mm"),),
        "L",
        "region.lung.left_upper",
        (("composition", "solid"),),
        score=-1.5,
        probability=0.75,
        band=Band.HIGH,
        reader=IDENTITY,
        source_sop_instance_uids=("1.9",),
    )
    film = replace(finding, finding_id="2.25.2", location=Location(centre_px=(3.5, 4.5), box_px=(1.0, 2.0, 5.0, 6.0)))
    rng = np.random.default_rng(0)
    heat = Heatmap(NODULE, rng.random((3, 5, 7)).astype(np.float16), GEOMETRY)
    flat = Heatmap(NODULE, rng.random((4, 6)).astype(np.float16), None, "1.5", False)
    mask = SegmentMask("2.25.1", rng.random((3, 5, 7)) > 0.5, GEOMETRY)
    return ReadResult(
        IDENTITY,
        "1.2.840",
        ReadState.COMPLETED,
        (finding, film),
        (heat, flat),
        (mask,),
        (Problem("ai.scope.coverage", {"wanted_mm": 100}),),
        "set",
        12.5,
        (("density", 31.25, "%"),),
    )


def test_a_result_survives_and_its_time_is_not_content() -> None:
    result = _result()
    data = encode_result(result)
    assert encode_result(replace(result, seconds=99.0)) == data
    back = decode_result(padded(data), 12.5)
    assert back.findings[0].location.centre_lps_mm == (1.0, -2.0, 3.25)
    assert back.findings[1] == result.findings[1]
    assert (back.reader, back.state, back.problems, back.seconds) == (IDENTITY, ReadState.COMPLETED, result.problems, 12.5)
    assert back.measurements == result.measurements
    for one, other in zip(back.heatmaps, result.heatmaps, strict=True):
        assert np.array_equal(one.values, other.values)
        assert (one.geometry, one.sop_instance_uid, one.is_probability) == (
            other.geometry,
            other.sop_instance_uid,
            other.is_probability,
        )
    assert np.array_equal(back.masks[0].values, result.masks[0].values)
    assert encode_result(back) == data


def test_noise_below_the_last_decimal_does_not_change_the_bytes() -> None:
    result = _result()
    nearly = replace(
        result.findings[0],
        score=-1.5 + 1e-9,
        location=replace(result.findings[0].location, centre_lps_mm=(1.00002, -2.0, 3.25)),
    )
    assert encode_result(replace(result, findings=(nearly, result.findings[1]))) == encode_result(result)


def test_a_result_that_is_not_finite_has_no_bytes() -> None:
    result = _result()
    broken = replace(result.heatmaps[0], values=np.full((3, 5, 7), np.nan, np.float16))
    with pytest.raises(ProblemError, match="not_finite"):
        encode_result(replace(result, heatmaps=(broken,)))
    with pytest.raises(ValueError, match="NaN"):
        encode_result(replace(result, findings=(replace(result.findings[0], score=float("nan")),)))


def test_damaged_results_are_a_problem() -> None:
    data = encode_result(_result())
    cuts = [b"", data[:4], data[:30], data[: len(data) // 2], data[:-1], b"x" + data]
    (length,) = struct.unpack_from("<Q", data, 8)
    bomb = data[:16] + data[16 : 16 + length].replace(b'"shape":[3,5,7]', b'"shape":[9,9,9]') + data[16 + length :]
    for damaged in (*cuts, bomb):
        with pytest.raises(ProblemError, match=r"ai\.result\.damaged"):
            decode_result(damaged)


def test_the_size_does_not_tell_what_was_found() -> None:
    empty = replace(_result(), findings=(), heatmaps=(), masks=())
    assert len(padded(encode_result(_result()))) == len(padded(encode_result(empty))) == 1 << 20
    assert len(padded(bytes((1 << 20) + 1))) == 1 << 21


# -- readers -----------------------------------------------------------------------------------------------------


def test_readers_are_found_by_name_and_nothing_else_is() -> None:
    assert load_reader("tiny", CODE).name == "tiny"
    for name in ("tiny", "does_not_exist"):
        with pytest.raises(ProblemError, match=r"ai\.reader\.missing"):
            load_reader(name)
