"""One buffer for the first CT is made ready in idle time, within the ceiling, and never in the way of an open."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from app.dicom.memory_budget import MemoryBudget
from app.dicom.volume_pool import VolumePool
from app.session import memory

GIB = 1 << 30


def test_a_warm_buffer_serves_the_next_volume() -> None:
    pool = VolumePool()
    assert pool.warm(5 << 20)
    assert pool.free_bytes() == 6 << 20  # whole huge pages
    voxels = pool.empty((5, 1024, 512))
    assert pool.free_bytes() == 0
    voxels[...] = 7
    del voxels
    assert pool.free_bytes() == 6 << 20
    # A second warming finds a buffer that would be taken, and makes none.
    assert pool.warm(5 << 20)
    assert pool.free_bytes() == 6 << 20


def test_what_was_warmed_makes_room_for_a_larger_volume() -> None:
    pool = VolumePool()
    assert pool.warm(8 << 20)
    small = pool.empty((1 << 20,), "uint8")
    assert pool.free_bytes() == 8 << 20, "it waits for the volume that it was made for"
    large = pool.empty((9 << 20,), "uint8")
    assert pool.free_bytes() == 0
    del small, large
    assert pool.free_bytes() == (2 << 20) + (10 << 20), "what volumes leave behind is kept as before"


def test_the_pool_holds_nothing_that_it_gave_away() -> None:
    pool = VolumePool()
    assert pool.warm(8 << 20)
    taken = weakref.ref(pool._free[0])
    volume = pool.empty((8 << 20,), "uint8")
    pool.limit(0)
    del volume
    gc.collect()
    assert taken() is None, "memory goes back to the system"
    pool.limit(64 << 20)
    assert pool.warm(8 << 20)
    warmed = weakref.ref(pool._free[0])
    pool.limit(0)
    assert warmed() is None


def test_warming_ends_between_pieces_and_keeps_nothing() -> None:
    pool = VolumePool()
    asked: list[int] = []

    def go_on() -> bool:
        asked.append(1)
        return len(asked) < 3

    assert not pool.warm(64 << 20, go_on)
    assert (len(asked), pool.free_bytes()) == (3, 0)


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> VolumePool:
    pool = VolumePool()
    monkeypatch.setattr(memory, "shared_pool", pool)
    monkeypatch.setattr(memory, "study_opened", threading.Event())
    monkeypatch.setattr(memory, "CT_BYTES", 80 << 20)
    return pool


def test_it_stays_within_the_share_of_free_buffers(own: VolumePool, monkeypatch: pytest.MonkeyPatch) -> None:
    budget = MemoryBudget(2 * GIB)
    budget.hold("free_buffers", own.limit)
    monkeypatch.setattr(memory, "shared_budget", budget)
    assert memory.warm_a_volume()
    assert own.free_bytes() == 80 << 20 <= budget.share_bytes("free_buffers")
    # A volume that takes the room takes it from the free buffer first.
    assert budget.take_volume(2 * GIB - (640 << 20) - (256 << 20))
    assert own.free_bytes() <= budget.share_bytes("free_buffers")
    small = VolumePool()
    monkeypatch.setattr(memory, "shared_pool", small)
    monkeypatch.setattr(memory, "_LEAST_WARM", 70 << 20)
    assert budget.share_bytes("free_buffers") < 70 << 20
    assert memory.warm_a_volume()
    assert small.free_bytes() == 0, "a ceiling that leaves free buffers too little warms nothing"


def test_a_study_that_is_opened_ends_it(own: VolumePool) -> None:
    memory.study_opened.set()
    assert not memory.warm_a_volume()
    assert own.free_bytes() == 0
