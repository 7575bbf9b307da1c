"""The memory ceiling: what it grants, how a volume is made coarser by name, what the frames on screen are promised."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.dicom.byte_source import FileByteSource
from app.dicom.display_sets import display_sets
from app.dicom.frame_pool import FramePool
from app.dicom.memory_budget import LEAST_CEILING, PROGRAM_BYTES, MemoryBudget, default_ceiling, machine_bytes
from app.dicom.scanner import scan
from app.dicom.volume_builder import build_volume, volume_bytes
from app.domain.problem import ProblemError
from app.domain.study import DisplaySet, FrameRef, Study
from app.domain.volume import Volume
from app.session import frame_feed, memory
from app.session.images import Images
from app.session.loop import QueueLoop
from tests import phantoms

GIB = 1 << 30


@pytest.fixture
def stack(tmp_path: Path) -> tuple[Study, DisplaySet, np.ndarray]:
    """12 slices of 7 x 9: odd sizes, unequal spacing, origin far from zero."""
    grid = phantoms.geometry((12, 7, 9), (2.5, 0.6, 0.8))
    voxels = np.random.default_rng(1).integers(-1000, 1000, grid.shape, dtype=np.int16)
    phantoms.write_ct(tmp_path / "ct", Volume(voxels, grid, "HU"))
    study = scan([tmp_path / "ct"]).studies[0]
    return study, display_sets(study)[0], voxels


def test_the_default_is_half_of_the_machine_and_never_below_two_gigabytes() -> None:
    assert default_ceiling() == max(LEAST_CEILING, machine_bytes() // 2)
    assert MemoryBudget(1).ceiling_bytes == LEAST_CEILING


def test_shares_shrink_when_volumes_grow_and_come_back() -> None:
    budget = MemoryBudget(2 * GIB)
    told: list[int] = []
    release = budget.hold("frames", told.append)
    whole = told[-1]
    size = 2 * GIB - PROGRAM_BYTES - (300 << 20)
    assert budget.take_volume(size)
    assert 0 < told[-1] < whole
    assert not budget.take_volume(200 << 20)
    budget.drop_volume(size)
    assert told[-1] == whole
    other: list[int] = []
    budget.hold("frames", other.append)
    assert told[-1] == other[-1] == whole // 2
    release()
    assert other[-1] == whole


def test_a_coarser_volume_has_the_means_at_their_true_places(stack: tuple[Study, DisplaySet, np.ndarray]) -> None:
    study, chosen, voxels = stack
    whole = build_volume(study, chosen, FileByteSource())
    np.testing.assert_array_equal(whole.voxels, voxels)
    coarse = build_volume(study, chosen, FileByteSource(), shrink=2)
    assert coarse.voxels.shape == (12, 4, 5)
    assert coarse.interpolated
    assert coarse.source_sop_instance_uids == ()
    block = voxels[3, 2:4, 4:6].astype(float)
    assert coarse.voxels[3, 1, 2] == np.rint(block.mean())
    assert coarse.voxels[3, 3, 4] == voxels[3, 6, 8]  # the corner cell has one pixel only
    np.testing.assert_allclose(coarse.geometry.to_patient((3, 1, 2)), whole.geometry.to_patient((3, 2.5, 4.5)))


def test_need_is_counted_before_building(stack: tuple[Study, DisplaySet, np.ndarray]) -> None:
    study, chosen, voxels = stack
    assert volume_bytes(study, chosen) == voxels.nbytes


def feed(
    stack: tuple[Study, DisplaySet, np.ndarray], budget: MemoryBudget, source: FileByteSource | None = None
) -> tuple[Images, QueueLoop]:
    study, chosen, _ = stack
    loop = QueueLoop()
    images = Images(source or FileByteSource(), loop, lambda: None, budget=budget)
    images.add(study, (chosen,))
    return images, loop


@pytest.mark.parametrize(
    ("left", "shape", "code"),
    [(1512, (12, 7, 9), ""), (1000, (12, 4, 5), "volume.half_resolution"), (100, (12, 2, 3), "volume.quarter_resolution")],
)
def test_what_does_not_fit_is_made_coarser_and_says_so(
    stack: tuple[Study, DisplaySet, np.ndarray], left: int, shape: tuple[int, int, int], code: str
) -> None:
    budget = MemoryBudget(4 * GIB)
    budget.add_volume(_free(budget) - left)
    images, loop = feed(stack, budget)
    try:
        uid = stack[1].display_set_id
        assert images.volume(uid) is None
        assert loop.run_until(lambda: not images.busy(), 20)
        volume = images.volume(uid)
        assert volume is not None
        assert volume.voxels.shape == shape
        assert [p.code for p in volume.remarks] == ([code] if code else [])
        if code:
            assert volume.remarks[0].params["slices"] == 12
    finally:
        images.close()
    assert budget.volume_bytes == budget.ceiling_bytes - PROGRAM_BYTES - (256 << 20) - left


def test_nothing_left_is_a_reason_not_a_death(stack: tuple[Study, DisplaySet, np.ndarray]) -> None:
    budget = MemoryBudget(4 * GIB)
    budget.add_volume(_free(budget) - 10)
    images, loop = feed(stack, budget)
    try:
        uid = stack[1].display_set_id
        images.volume(uid)
        assert loop.run_until(lambda: not images.busy(), 20)
        problem = images.volume_problem(uid)
        assert problem is not None
        assert problem.code == "volume.over_ceiling"
    finally:
        images.close()


def _free(budget: MemoryBudget) -> int:
    return budget.ceiling_bytes - PROGRAM_BYTES - (256 << 20)


def test_a_scrolled_stack_is_fetched_ahead_and_what_is_passed_is_dropped(
    stack: tuple[Study, DisplaySet, np.ndarray],
) -> None:
    images, loop = feed(stack, MemoryBudget(4 * GIB))
    chosen = stack[1]
    try:
        images.showing([chosen.frames[5]], [])
        assert images.frame(chosen.frames[5], chosen) is None
        assert loop.run_until(lambda: not images.busy(), 20)
        assert all(images.is_here(f) for f in chosen.frames)  # the whole stack fits and comes
        assert images.frame(chosen.frames[5], chosen) is not None
        for n in (6, 7, 8, 2, 11, 0):
            images.frame(chosen.frames[n], chosen)
        assert loop.run_until(lambda: not images.busy(), 20)
    finally:
        images.close()


class SlowSource(FileByteSource):
    """Three milliseconds a read, so that requests wait and can be dropped."""

    def read_range(self, locator: str, offset: int, length: int) -> bytes:
        time.sleep(0.003)
        return super().read_range(locator, offset, length)


def test_a_wild_scroll_leaves_nothing_behind(
    stack: tuple[Study, DisplaySet, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames asked for, passed and dropped while the rest of the stack is fetched: all of it comes in the end."""
    monkeypatch.setattr(frame_feed, "_RECENT", 1)
    dropped: list[int] = []
    cancel = FramePool.cancel_all_but

    def counted(pool: FramePool, *arguments: Any) -> set[FrameRef]:
        gone = cancel(pool, *arguments)
        dropped.append(len(gone))
        return gone

    monkeypatch.setattr(FramePool, "cancel_all_but", counted)
    images, loop = feed(stack, MemoryBudget(4 * GIB), SlowSource())
    chosen = stack[1]
    try:
        for n in np.random.default_rng(8).integers(0, len(chosen.frames), 300):
            images.showing([chosen.frames[n]], [])
            images.frame(chosen.frames[n], chosen)
            if n % 5 == 0:
                loop.run_pending()
        assert loop.run_until(lambda: not images.busy(), 20)
        assert all(images.is_here(f) for f in chosen.frames)
        assert sum(dropped) > 0
    finally:
        images.close()


def test_the_site_states_the_ceiling(tmp_path: Path) -> None:
    assert memory.ceiling_of(tmp_path) == default_ceiling()
    site = tmp_path / "site.toml"
    site.write_text("[memory]\nceiling_gb = 3.5\n", encoding="utf-8")
    assert memory.ceiling_of(tmp_path) == int(3.5 * GIB)
    site.write_text("[memory]\nceiling_gb = 0.5\n", encoding="utf-8")
    assert memory.ceiling_of(tmp_path) == LEAST_CEILING
    site.write_text('[memory]\nceiling_gb = "much"\n', encoding="utf-8")
    with pytest.raises(ProblemError, match="site.damaged"):
        memory.ceiling_of(tmp_path)
