"""What is shown: modality values, LUTs, colour, padding, overlays; the cache and the pool that hand it out."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from app.dicom.byte_source import FileByteSource, file_locator
from app.dicom.frame_pixels import frame_pixels
from app.dicom.frame_pool import FramePool, Priority
from app.dicom.header import read_header
from app.dicom.luts import expand_segments
from app.dicom.pixel_cache import PixelCache
from app.domain.pixels import FramePixels
from app.domain.problem import fail
from app.domain.study import FrameRef, Instance
from tests.dicom.builders import image, save

RAMP = np.arange(48, dtype=np.uint16).reshape(6, 8)
SOURCE = FileByteSource()


def shown(path: Path) -> FramePixels:
    return frame_pixels(read_header(file_locator(path), SOURCE).instance, 0, SOURCE)


class _Ranges:
    """A source without plain files, as the encrypted store is; counts whole reads."""

    def __init__(self, path: Path) -> None:
        self.data, self.whole = path.read_bytes(), 0

    def read(self, locator: str) -> bytes:
        self.whole += 1
        return self.data

    def read_range(self, locator: str, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]

    def plain_path(self, locator: str) -> None:
        return None


def test_stored_objects_are_read_in_pieces(tmp_path: Path) -> None:
    path = save(image(np.stack([RAMP, RAMP + 1])), tmp_path / "a")
    instance = replace(read_header(file_locator(path), SOURCE).instance, locator="object:1")
    source = _Ranges(path)
    assert np.array_equal(frame_pixels(instance, 1, source).values, RAMP.astype(np.int32) + 1 - 1024)
    assert source.whole == 0


def lut(first: int, table: list[int], bits: int = 16, **more) -> Sequence:
    item = Dataset()
    item.add_new(0x00283002, "US", [len(table), first, bits])
    item.add_new(0x00283006, "US", table)
    for name, value in more.items():
        setattr(item, name, value)
    return Sequence([item])


def test_hounsfield_units(tmp_path: Path) -> None:
    found = shown(save(image(RAMP, BitsStored=12, HighBit=11, WindowCenter="40", WindowWidth="400"), tmp_path / "a"))
    assert found.values.dtype == np.int16
    assert np.array_equal(found.values, RAMP.astype(np.int16) - 1024)
    assert (found.unit, found.inverse, found.padding, found.overlays) == ("HU", False, None, ())
    assert (found.windows[0].center, found.windows[0].width) == (40, 400)


def test_luts(tmp_path: Path) -> None:
    d = image(RAMP, RescaleSlope=None, RescaleIntercept=None)
    d.ModalityLUTSequence = lut(10, [5, 50, 500, 5000], ModalityLUTType="OD")
    d.VOILUTSequence = lut(0, list(range(0, 4096, 16)), 12)
    found = shown(save(d, tmp_path / "a"))
    assert found.unit == "OD"
    assert found.values.ravel()[[0, 10, 11, 12, 13, 40]].tolist() == [5, 5, 50, 500, 5000, 5000]
    assert found.voi_lut is not None
    assert (found.voi_lut.first_mapped, len(found.voi_lut.table), found.voi_lut.bits) == (0, 256, 12)


def test_monochrome1_and_padding(tmp_path: Path) -> None:
    d = image(RAMP, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=40)
    d.add_new(0x00280121, "US", 45)
    found = shown(save(d, tmp_path / "a"))
    assert found.inverse
    assert found.padding is not None
    assert np.array_equal(found.padding, (RAMP >= 40) & (RAMP <= 45))


def test_palette(tmp_path: Path) -> None:
    d = image((RAMP % 4).astype(np.uint8), PhotometricInterpretation="PALETTE COLOR")
    for n, name in enumerate(("Red", "Green", "Blue")):
        setattr(d, f"{name}PaletteColorLookupTableDescriptor", [4, 1, 16])
        table = np.array([0, 64, 128, 255], np.uint16) * 257 if n == 0 else np.zeros(4, np.uint16)
        setattr(d, f"{name}PaletteColorLookupTableData", table.tobytes())
    found = shown(save(d, tmp_path / "a"))
    assert found.is_colour
    assert found.values[0, :4].tolist() == [[0, 0, 0], [0, 0, 0], [64, 0, 0], [128, 0, 0]]


def test_segmented_palette() -> None:
    raw = np.array([0, 2, 10, 20, 1, 4, 60, 2, 2, 0, 0], np.uint16).tobytes()
    found = expand_segments(raw, 16, 12, True)
    assert found is not None
    assert found.tolist() == [10, 20, 30, 40, 50, 60, 10, 20, 30, 40, 50, 60]
    assert expand_segments(np.array([1, 3, 9], np.uint16).tobytes(), 16, 3, True) is None


@pytest.mark.parametrize(
    ("ybr", "rgb"), [((76, 85, 255), (254, 0, 0)), ((150, 44, 21), (0, 255, 1)), ((128, 128, 128), (128, 128, 128))]
)
def test_ybr_full(tmp_path: Path, ybr: tuple[int, ...], rgb: tuple[int, ...]) -> None:
    values = np.tile(np.array(ybr, np.uint8), (4, 4, 1))
    found = shown(save(image(values, PhotometricInterpretation="YBR_FULL"), tmp_path / "a"))
    assert tuple(int(v) for v in found.values[0, 0]) == rgb


def test_overlays_in_a_plane_and_in_unused_bits(tmp_path: Path) -> None:
    mask = np.zeros((6, 8), np.uint8)
    mask[2, 3:6] = 1
    d = image(RAMP | (mask.astype(np.uint16) << 12), BitsStored=12, HighBit=11)
    d.add_new(0x60000010, "US", 2)
    d.add_new(0x60000011, "US", 3)
    d.add_new(0x60000040, "CS", "G")
    d.add_new(0x60000050, "SS", [5, 7])
    d.add_new(0x60000100, "US", 1)
    d.add_new(0x60000102, "US", 0)
    d.add_new(0x60003000, "OW", np.packbits([1, 0, 1, 1, 1, 1], bitorder="little").tobytes() + b"\0")
    d.add_new(0x60020010, "US", 6)
    d.add_new(0x60020011, "US", 8)
    d.add_new(0x60020100, "US", 16)
    d.add_new(0x60020102, "US", 12)
    found = shown(save(d, tmp_path / "a"))
    assert np.array_equal(found.values, RAMP.astype(np.int16) - 1024)
    plane, bits = found.overlays
    assert np.argwhere(plane).tolist() == [[4, 6], [5, 6], [5, 7]]
    assert np.array_equal(bits, mask.astype(bool))


def _frame(size: int) -> FramePixels:
    return FramePixels(np.zeros((size, 1), np.uint8))


def test_cache_keeps_its_budget_and_what_is_pinned() -> None:
    cache = PixelCache(250)
    keys = [FrameRef("1", n) for n in range(4)]
    cache.pin([keys[0]])
    for key in keys[:2]:
        cache.put(key, _frame(100))
    cache.get(keys[1])
    cache.put(keys[2], _frame(100))
    assert keys[0] in cache
    assert keys[1] not in cache
    assert cache.used_bytes == 200
    cache.pin([])
    cache.put(keys[3], _frame(100))
    assert keys[0] not in cache
    cache.drop(["1"])
    assert cache.used_bytes == 0


def _instance(uid: str) -> Instance:
    return Instance(uid, "", "", "")


def test_pool_runs_what_is_visible_first_and_cancels() -> None:
    order: list[str] = []
    gate, begun, ended = threading.Event(), threading.Event(), threading.Semaphore(0)

    def load(instance: Instance, frame: int, source: object) -> FramePixels:
        begun.set()
        gate.wait(10)
        order.append(instance.sop_instance_uid)
        if instance.sop_instance_uid == "bad":
            raise fail("dicom.stream_cut")
        return _frame(10)

    answers: dict[str, str] = {}

    def done(key: FrameRef, frame: FramePixels | None, problem: object) -> None:
        answers[key.sop_instance_uid] = "frame" if frame is not None else problem.code  # type: ignore[attr-defined]
        ended.release()

    cache = PixelCache(1000)
    pool = FramePool(SOURCE, cache, 1, load)
    try:
        pool.request(_instance("first"), 0, Priority.PREFETCH, done)
        assert begun.wait(10)
        pool.request(_instance("ahead"), 0, Priority.PREFETCH, done)
        pool.request(_instance("gone"), 0, Priority.PREFETCH, done)
        pool.request(_instance("near"), 0, Priority.NEIGHBOUR, done)
        pool.request(_instance("bad"), 0, Priority.VISIBLE, done)
        pool.request(_instance("seen"), 0, Priority.VISIBLE, done)
        pool.request(_instance("ahead"), 0, Priority.NEIGHBOUR, done)
        pool.cancel([FrameRef("gone", 0)])
        assert pool.waiting() == 4
        gate.set()
        for _ in range(6):
            assert ended.acquire(timeout=10)
    finally:
        pool.close()
    assert order == ["first", "seen", "bad", "ahead", "near"]
    assert answers == {"first": "frame", "seen": "frame", "bad": "dicom.stream_cut", "ahead": "frame", "near": "frame"}
    assert FrameRef("seen", 0) in cache
    with pytest.raises(RuntimeError):
        pool.request(_instance("late"), 0, Priority.VISIBLE, done)


def test_while_a_window_opens_only_what_is_visible_is_decoded() -> None:
    order: list[str] = []
    ended = threading.Semaphore(0)

    def load(instance: Instance, frame: int, source: object) -> FramePixels:
        order.append(instance.sop_instance_uid)
        return _frame(10)

    pool = FramePool(SOURCE, PixelCache(1000), 1, load, calm_s=0.3)
    try:
        for name, priority in (("ahead", Priority.PREFETCH), ("near", Priority.NEIGHBOUR), ("seen", Priority.VISIBLE)):
            pool.request(_instance(name), 0, priority, lambda *given: ended.release())
        for _ in range(3):
            assert ended.acquire(timeout=10)
    finally:
        pool.close()
    assert order == ["seen", "near", "ahead"]
