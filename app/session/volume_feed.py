"""Volumes of what is open: built beside, within the memory ceiling; made coarser by name where they do not fit."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from app.dicom.behind import FIRST_PICTURES_S, behind_the_window
from app.dicom.memory_budget import MemoryBudget
from app.dicom.volume_builder import build_volume, volume_bytes
from app.domain.ports import ByteSource, Cancelled
from app.domain.problem import Problem, ProblemError, Severity, fail
from app.domain.study import DisplaySet, Study
from app.domain.volume import Volume

_log = logging.getLogger(__name__)
_COARSER = {1: "", 2: "volume.half_resolution", 4: "volume.quarter_resolution"}


class _Stop:
    """Progress of a volume: only its cancel flag matters here."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.fraction = 0.0

    def report(self, fraction: float, stage: str = "") -> None:
        del stage
        self.fraction = fraction

    def cancelled(self) -> bool:
        return self.event.is_set()


class VolumeFeed:
    """Main thread only. ``arrived`` is called there after a volume or its problem came."""

    def __init__(
        self,
        source: ByteSource,
        post: Callable[[Callable[[], None]], None],
        arrived: Callable[[], None],
        budget: MemoryBudget,
    ) -> None:
        self._source = source
        self._post = post
        self._arrived = arrived
        self._budget = budget
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ekinshi-volume", initializer=behind_the_window)
        self._lock = threading.Lock()
        self._calm_until_s = time.monotonic() + FIRST_PICTURES_S
        self._volumes: OrderedDict[str, Volume] = OrderedDict()
        """Least recently asked for first; the building thread makes room, hence the lock."""
        self._problems: dict[str, Problem] = {}
        self._building: dict[str, _Stop] = {}
        self._shown: frozenset[str] = frozenset()
        self._closed = False

    def get(self, study: Study, chosen: DisplaySet, can_be: bool) -> Volume | None:
        """The volume if it is here; else it is being built, or ``problem`` says why it cannot be."""
        key = chosen.display_set_id
        with self._lock:
            found = self._volumes.get(key)
            if found is not None:
                self._volumes.move_to_end(key)
                return found
        if key not in self._building and key not in self._problems and can_be and not self._closed:
            self._build(study, chosen)
        return None

    def if_here(self, display_set_id: str) -> Volume | None:
        """Without asking for it."""
        with self._lock:
            return self._volumes.get(display_set_id)

    def problem(self, display_set_id: str) -> Problem | None:
        return self._problems.get(display_set_id)

    def fraction(self, display_set_id: str) -> float:
        building = self._building.get(display_set_id)
        return building.fraction if building else 0.0

    def showing(self, display_set_ids: Iterable[str]) -> None:
        """These sets are on screen: their volumes are not given up for others."""
        self._shown = frozenset(display_set_ids)

    def busy(self) -> bool:
        return bool(self._building)

    def close(self) -> None:
        self._closed = True
        for progress in self._building.values():
            progress.event.set()
        self._thread.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            gone, self._volumes = self._volumes, OrderedDict()
        for volume in gone.values():
            self._budget.drop_volume(volume.nbytes)

    # -- building --------------------------------------------------------------------------------------------------

    def _build(self, study: Study, chosen: DisplaySet) -> None:
        key = chosen.display_set_id
        progress = self._building[key] = _Stop()

        def build() -> None:
            time.sleep(max(0.0, self._calm_until_s - time.monotonic()))
            try:
                volume = self._built(study, chosen, progress)
            except Cancelled:
                return
            except ProblemError as error:
                problem = error.problem
                self._post(lambda: self._failed(key, problem))
            except MemoryError:
                self._post(lambda: self._failed(key, Problem("images.volume_out_of_memory")))
            except Exception as error:  # a bug of ours: the pane names it instead of loading for ever
                _log.exception("a volume could not be built")
                broken = Problem("images.volume_failed", {"kind": type(error).__name__})
                self._post(lambda: self._failed(key, broken))
            else:
                with self._lock:
                    self._volumes[key] = volume
                self._post(lambda: self._came(key))

        self._thread.submit(build)

    def _built(self, study: Study, chosen: DisplaySet, progress: _Stop) -> Volume:
        """At full resolution, or as coarse as the ceiling asks. Counted in the budget when it returns."""
        whole = volume_bytes(study, chosen)
        for shrink, code in _COARSER.items():
            need = whole // shrink**2
            if not self._room_for(need):
                continue
            try:
                volume = build_volume(study, chosen, self._source, progress=progress, shrink=shrink)
            except (MemoryError, ProblemError) as error:
                self._budget.drop_volume(need)
                lacking = isinstance(error, MemoryError) or error.problem.code == "volume.no_memory"
                if not lacking or shrink == max(_COARSER):
                    raise
                continue  # the system has less than the ceiling promised: coarser is better than nothing
            except BaseException:
                self._budget.drop_volume(need)
                raise
            self._budget.drop_volume(need)
            self._budget.add_volume(volume.nbytes)
            if code:
                params = {"slices": len(chosen.frames), "gigabytes": _gigabytes(whole), "ceiling": self._ceiling()}
                volume = replace(volume, remarks=(Problem(code, params, Severity.WARNING), *volume.remarks))
            return volume
        raise fail("volume.over_ceiling", gigabytes=_gigabytes(whole), ceiling=self._ceiling())

    def _room_for(self, need: int) -> bool:
        """Takes the room in the budget; volumes that no pane shows go for it, the one used longest ago first."""
        while not self._budget.take_volume(need):
            with self._lock:
                unused = [key for key in self._volumes if key not in self._shown]
                if not unused:
                    return False
                gone = self._volumes.pop(unused[0])
            self._budget.drop_volume(gone.nbytes)
        return True

    def _ceiling(self) -> float:
        return _gigabytes(self._budget.ceiling_bytes)

    def _came(self, key: str) -> None:
        self._building.pop(key, None)
        self._arrived()

    def _failed(self, key: str, problem: Problem) -> None:
        self._building.pop(key, None)
        self._problems[key] = problem
        self._arrived()


def _gigabytes(size: int) -> float:
    return round(size / 2**30, 1)
