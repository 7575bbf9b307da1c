"""Decoded frames within a byte budget; frames on screen are pinned and never thrown out."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable

from app.domain.pixels import FramePixels
from app.domain.study import FrameRef

DEFAULT_BUDGET = 512 << 20


def frame_bytes(frame: FramePixels) -> int:
    """Memory that a decoded frame holds; with padding the viewer makes a second copy that lives as long."""
    total = frame.values.nbytes + sum(o.nbytes for o in frame.overlays)
    total += frame.padding.nbytes + frame.values.nbytes if frame.padding is not None else 0
    return total + (frame.voi_lut.table.nbytes if frame.voi_lut is not None else 0)


class PixelCache:
    """Least recently used goes first. Safe to use from several threads."""

    def __init__(self, budget_bytes: int = DEFAULT_BUDGET) -> None:
        if budget_bytes <= 0:
            raise ValueError('"budget_bytes" must be above 0')
        self.budget_bytes = budget_bytes
        self._lock = threading.Lock()
        self._frames: OrderedDict[FrameRef, tuple[FramePixels, int]] = OrderedDict()
        self._pinned: frozenset[FrameRef] = frozenset()
        self._used = 0

    def limit(self, budget_bytes: int) -> None:
        """Another budget from now on; what no longer fits goes at once."""
        with self._lock:
            self.budget_bytes = max(1, budget_bytes)
            self._shrink()

    def get(self, key: FrameRef) -> FramePixels | None:
        with self._lock:
            found = self._frames.get(key)
            if found is None:
                return None
            self._frames.move_to_end(key)
            return found[0]

    def put(self, key: FrameRef, frame: FramePixels) -> None:
        """Keeps the frame; a frame larger than the whole budget is kept only while it is pinned."""
        size = frame_bytes(frame)
        with self._lock:
            old = self._frames.pop(key, None)
            if old is not None:
                self._used -= old[1]
            self._frames[key] = (frame, size)
            self._used += size
            self._shrink()

    def pin(self, keys: Iterable[FrameRef]) -> None:
        """These frames and no others are on screen now."""
        with self._lock:
            self._pinned = frozenset(keys)
            self._shrink()

    def drop(self, sop_instance_uids: Iterable[str]) -> None:
        """Forgets all frames of these instances (a study was closed)."""
        gone = set(sop_instance_uids)
        with self._lock:
            for key in [k for k in self._frames if k.sop_instance_uid in gone]:
                self._used -= self._frames.pop(key)[1]

    def clear(self) -> None:
        with self._lock:
            self._frames.clear()
            self._used = 0

    @property
    def used_bytes(self) -> int:
        with self._lock:
            return self._used

    def __contains__(self, key: FrameRef) -> bool:
        with self._lock:
            return key in self._frames

    def _shrink(self) -> None:
        if self._used <= self.budget_bytes:
            return
        for key in [k for k in self._frames if k not in self._pinned]:
            if self._used <= self.budget_bytes:
                return
            self._used -= self._frames.pop(key)[1]
