"""What is repaired in a copy: feasible things only, proven by opening every frame, the original untouched beside it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread

from app.dicom.byte_source import FileByteSource, file_locator
from app.dicom.examine import Examination, examine
from app.dicom.frame_decoder import stored_frame
from app.dicom.repair import FRAMES, LEAD, SYNTAX, Repair, repaired_copy
from app.domain.ports import Cancelled, SilentProgress
from app.domain.problem import ProblemError
from app.domain.study import Instance, Study
from app.session.clock import SystemClock
from app.session.picture_import import source_bytes
from app.session.repair_copy import repair_into
from app.store.library import Library
from tests.dicom.builders import DEFLATED, compressed, image, save
from tests.dicom.saved_phantom import item
from tests.session.test_import_desk import is_clean
from tests.store.conftest import FixedKey

RAMP = np.arange(48, dtype=np.uint16).reshape(6, 8)
TEN = np.stack([RAMP + 7 * n for n in range(10)])
JPEG_LS, J2K, JPEG = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.70"
EXPLICIT = b"1.2.840.10008.1.2.1"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "home", FixedKey(), SystemClock()) as opened:
        yield opened


def stating(data: bytes, uid: bytes) -> bytes:
    """The file with another transfer syntax in its description."""
    at = data.index(b"\x02\x00\x10\x00UI")
    n = int.from_bytes(data[at + 6 : at + 8], "little")
    new = uid + b"\0" * (len(uid) % 2)
    data = data[: at + 6] + len(new).to_bytes(2, "little") + new + data[at + 8 + n :]
    length = data.index(b"\x02\x00\x00\x00UL") + 8
    whole = int.from_bytes(data[length : length + 4], "little") + len(new) - n
    return data[:length] + whole.to_bytes(4, "little") + data[length + 4 :]


def streams(frames: np.ndarray) -> list[bytes]:
    found = [imagecodecs.jpegls_encode(f) for f in frames]
    return [s + b"\0" * (len(s) % 2) for s in found]


def jpeg_ls(tmp_path: Path, frames: np.ndarray = TEN) -> bytes:
    values = frames if len(frames) > 1 else frames[0]
    return compressed(image(values), streams(frames), tmp_path / "made", JPEG_LS).read_bytes()


def plain(tmp_path: Path, values: np.ndarray = RAMP) -> bytes:
    return save(image(values), tmp_path / "made").read_bytes()


def enhanced(tmp_path: Path) -> bytes:
    d = image(TEN, SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1")
    del d.ImagePositionPatient, d.ImageOrientationPatient, d.PixelSpacing
    d.SharedFunctionalGroupsSequence = [
        item(
            PixelMeasuresSequence=[item(PixelSpacing=[0.5, 0.75])],
            PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        )
    ]
    d.PerFrameFunctionalGroupsSequence = [
        item(PlanePositionSequence=[item(ImagePositionPatient=[-120, 80, 600 + 2 * n])]) for n in range(10)
    ]
    return save(d, tmp_path / "made").read_bytes()


FEASIBLE = {
    "a header of the network in front": (lambda t: b"HTTP/1.1 200 OK\r\n\r\n" + plain(t), LEAD, {"n": 19}, RAMP[None]),
    "half of the preamble gone": (lambda t: plain(t)[64:], LEAD, {"n": 64}, RAMP[None]),
    "JPEG-LS under the name of JPEG 2000": (lambda t: stating(jpeg_ls(t), J2K.encode()), SYNTAX, None, TEN),
    "JPEG-LS under a maker's own name": (lambda t: stating(jpeg_ls(t), b"1.2.840.113619.5.2.9"), SYNTAX, None, TEN),
    "JPEG-LS under the name of plain pixels": (lambda t: stating(jpeg_ls(t), EXPLICIT), SYNTAX, None, TEN),
    "plain pixels under the name of JPEG": (lambda t: stating(plain(t), JPEG.encode()), SYNTAX, None, RAMP[None]),
    "plain frames cut in the seventh": (lambda t: plain(t, TEN)[: -96 * 3 - 40], FRAMES, {"frames": 6, "of": 10}, TEN[:6]),
    "enhanced frames cut": (lambda t: enhanced(t)[: -96 * 7], FRAMES, {"frames": 3, "of": 10}, TEN[:3]),
    "compressed frames cut": (lambda t: jpeg_ls(t)[:-150], FRAMES, None, None),
}


def looked_at(tmp_path: Path, data: bytes) -> tuple[Path, Examination]:
    path = tmp_path / "refused.dcm"
    path.write_bytes(data)
    return path, examine(file_locator(path), FileByteSource())


def instances(study: Study) -> list[Instance]:
    return [i for s in study.series for i in s.instances]


@pytest.mark.parametrize("kind", FEASIBLE)
def test_what_is_offered_opens_and_the_original_is_kept(kind: str, library: Library, tmp_path: Path) -> None:
    make, expected, params, frames = FEASIBLE[kind]
    data = make(tmp_path)
    path, found = looked_at(tmp_path, data)
    assert found.state == "refused"
    repair = found.repair
    assert repair is not None
    assert repair.kind == expected
    if params is not None:
        assert dict(repair.params) == params
    if frames is None:
        frames = TEN[: int(repair.params["frames"])]
        assert 0 < len(frames) < 10
    summary = repair_into(library, FileByteSource(), file_locator(path), repair, SilentProgress(), "reader")
    assert summary.added == 1
    study = library.studies.load(summary.studies[0])
    (copy,) = instances(study)
    assert copy.pixel_format is not None
    assert copy.pixel_format.frames == len(frames) == len(copy.frames)
    for n, frame in enumerate(frames):
        assert np.array_equal(stored_frame(copy, n, library.objects), frame)
    assert path.read_bytes() == data
    assert source_bytes(library, copy.sop_instance_uid) == data
    assert copy.image_type[0] == "DERIVED"
    assert copy.sop_instance_uid != "2.25.11"
    assert study.series[0].series_instance_uid != "2.25.2"
    assert study.series[0].description.endswith("(repaired copy)")
    assert is_clean(library)
    again = repair_into(library, FileByteSource(), file_locator(path), repair, SilentProgress(), "reader")
    assert (again.added, again.known) == (0, 1)
    if kind == "enhanced frames cut":
        assert [f.plane.origin_mm[2] for f in copy.frames if f.plane] == [600, 602, 604]


@pytest.mark.parametrize("frames", [6, 1])
def test_tables_of_all_frames_are_cut_with_them(frames: int, tmp_path: Path) -> None:
    vectors = (
        "TimeSlotVector",
        "EnergyWindowVector",
        "DetectorVector",
        "SliceVector",
        "RRIntervalVector",
        "AngularViewVector",
    )
    d = image(TEN, **{v: list(range(1, 11)) for v in vectors})
    d.GridFrameOffsetVector = [2.5 * n for n in range(10)]
    d.FrameTimeVector = [0, *[40] * 9]
    d.PhaseVector = [1, 2, 3]  # of another length: not a table of frames
    planes = np.arange(480) % 7 == 0
    for group, count in ((0x6000, 10), (0x6002, 3)):
        d.add_new((group, 0x0010), "US", 6)
        d.add_new((group, 0x0011), "US", 8)
        d.add_new((group, 0x0015), "IS", count)
        d.add_new((group, 0x0040), "CS", "G")
        d.add_new((group, 0x0050), "SS", [1, 1])
        d.add_new((group, 0x0100), "US", 1)
        d.add_new((group, 0x0102), "US", 0)
        d.add_new((group, 0x3000), "OW", np.packbits(planes[: 48 * count], bitorder="little").tobytes())
    d.MACParametersSequence = [item(MACIDNumber=1)]
    d.ExtendedOffsetTable = bytes(80)
    d.ExtendedOffsetTableLengths = bytes(80)
    path = save(d, tmp_path / "made")
    whole = path.read_bytes()
    data = whole[: whole.rindex(TEN.tobytes()[-96 * 10 :]) + 96 * frames + 40]
    _, found = looked_at(tmp_path, data)
    assert found.repair is not None
    assert dict(found.repair.params) == {"frames": frames, "of": 10}
    made = dcmread(io.BytesIO(repaired_copy(data, found.repair, SilentProgress())))
    assert made.NumberOfFrames == frames
    assert {made[v].VM for v in (*vectors, "GridFrameOffsetVector", "FrameTimeVector")} == {frames}
    assert made.PhaseVector == [1, 2, 3]
    if frames > 1:
        assert made.GridFrameOffsetVector == [0, 2.5, 5, 7.5, 10, 12.5]
    assert (made[0x6000, 0x0015].value, made[0x6002, 0x0015].value) == (frames, 3)
    kept = np.unpackbits(np.frombuffer(made[0x6000, 0x3000].value, np.uint8), bitorder="little")
    assert kept.size == 48 * frames
    assert np.array_equal(kept, planes[: 48 * frames])
    gone = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths", "MACParametersSequence", "DigitalSignaturesSequence")
    assert [name for name in gone if name in made] == []


NOT_FEASIBLE = {
    "a single image cut": lambda t: plain(t)[:-20],
    "cut in the first frame": lambda t: plain(t, TEN)[: -96 * 10 + 20],
    "plain pixels under a maker's own name": lambda t: stating(plain(t), b"1.2.840.113619.5.2"),
    "plain pixels of another length under the name of JPEG": lambda t: stating(
        plain(t).replace(b"\x28\x00\x10\x00US\x02\x00\x06\x00", b"\x28\x00\x10\x00US\x02\x00\x07\x00"), JPEG.encode()
    ),
    "words": lambda t: b"no image at all" * 40,
    "a deflated one cut": lambda t: save(image(RAMP), t / "made", DEFLATED).read_bytes()[:-6],
}


@pytest.mark.parametrize("kind", NOT_FEASIBLE)
def test_nothing_is_offered_where_something_would_be_made_up(kind: str, tmp_path: Path) -> None:
    _, found = looked_at(tmp_path, NOT_FEASIBLE[kind](tmp_path))
    assert found.state == "refused"
    assert found.repair is None


def test_a_copy_that_does_not_open_to_its_last_frame_is_not_kept(library: Library, tmp_path: Path) -> None:
    data = bytearray(stating(jpeg_ls(tmp_path), J2K.encode()))
    last = data.rindex(b"\xff\xd8\xff")
    data[last : last + 40] = bytes(40)
    path, found = looked_at(tmp_path, bytes(data))
    assert found.repair is not None
    with pytest.raises(ProblemError, match="repair.failed"):
        repair_into(library, FileByteSource(), file_locator(path), found.repair, SilentProgress())
    assert library.studies.count() == 0
    assert not list(library.objects.names())


def test_a_cancel_keeps_nothing(library: Library, tmp_path: Path) -> None:
    class Stop(SilentProgress):
        def cancelled(self) -> bool:
            return True

    path, found = looked_at(tmp_path, plain(tmp_path, TEN)[: -96 * 3])
    assert isinstance(found.repair, Repair)
    with pytest.raises(Cancelled):
        repair_into(library, FileByteSource(), file_locator(path), found.repair, Stop())
    assert not list(library.objects.names())


def test_what_opens_is_offered_nothing(tmp_path: Path) -> None:
    for data in (plain(tmp_path), plain(tmp_path)[132:], jpeg_ls(tmp_path)):
        assert looked_at(tmp_path, data)[1].repair is None
