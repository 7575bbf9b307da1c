"""Which images lie where in which others: rigid registration beside the main thread, asked for once a pair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.domain.geometry import VolumeGeometry
from app.domain.ports import Cancelled
from app.domain.problem import Problem, ProblemError
from app.imaging.registration import RigidTransform, moved_geometry, register_rigid
from app.session.images import Images
from app.session.views import Changes, Notice

_FAILED = Problem("imaging.registration_failed", next_step="imaging.registration_by_hand")


@dataclass(frozen=True)
class Running:
    """A registration that has been asked for; volumes may still be on their way."""


class _Stop:
    """Progress of a registration: only its flag matters."""

    def __init__(self) -> None:
        self.stopped = False

    def report(self, fraction: float, stage: str = "") -> None:
        del fraction, stage

    def cancelled(self) -> bool:
        return self.stopped


class Registrations:
    """Main thread only. A pair is (fixed, moving) by display set; its answer announces itself as a changed view."""

    def __init__(self, images: Images, announce: Callable[[Changes], None], notice: Callable[[Notice], None]) -> None:
        self._images = images
        self._announce, self._notice = announce, notice
        self.same_scale: Callable[[str, str], bool] = lambda fixed, moving: True
        """Whether values mean the same in two display sets; set by whoever knows them."""
        self._pairs: dict[tuple[str, str], RigidTransform | Problem | Running] = {}
        self._started: set[tuple[str, str]] = set()
        self._stop = _Stop()

    def found(self, fixed: str, moving: str) -> RigidTransform | None:
        """Fixed patient millimetres to moving ones; None when unknown, running or failed."""
        answer = self._pairs.get((fixed, moving))
        return answer if isinstance(answer, RigidTransform) else None

    def failed(self, fixed: str, moving: str) -> Problem | None:
        answer = self._pairs.get((fixed, moving))
        return answer if isinstance(answer, Problem) else None

    def running(self, fixed: str, moving: str) -> bool:
        return isinstance(self._pairs.get((fixed, moving)), Running)

    def want(self, fixed: str, moving: str) -> RigidTransform | None:
        """The transform if it is here; else it is on its way (the volumes first)."""
        key = (fixed, moving)
        if isinstance(self._pairs.get(key), (RigidTransform, Problem)):
            return self.found(fixed, moving)
        self._pairs.setdefault(key, Running())
        a, b = self._images.volume(fixed), self._images.volume(moving)
        if a is None or b is None:
            problem = self._images.volume_problem(fixed) or self._images.volume_problem(moving)
            if problem is not None:
                self._pairs[key] = problem
            return None
        if key in self._started:
            return None
        self._started.add(key)
        same = self.same_scale(fixed, moving)

        def work() -> tuple[RigidTransform | Problem]:
            try:
                return (register_rigid(a, b, self._stop, same_scale=same),)
            except ProblemError as error:
                return (error.problem,)
            except Cancelled:
                return (_FAILED,)

        def came(answer: tuple[RigidTransform | Problem] | None) -> None:
            found = answer[0] if answer is not None else _FAILED
            self._pairs[key] = found
            if isinstance(found, Problem):
                self._notice(Notice(found))
            self._announce(Changes(view=True))

        self._images.beside(work, came, slow=True)
        return None

    def placed(self, fixed: str, moving: str, geometry: VolumeGeometry, reference: str) -> VolumeGeometry | None:
        """The moving grid in the fixed patient space; None while that is not known."""
        transform = self.want(fixed, moving)
        return moved_geometry(geometry, transform, reference) if transform is not None else None

    def close(self) -> None:
        self._stop.stopped = True


def matrix_to_fixed(transform: RigidTransform) -> npt.NDArray[np.float64]:
    """4 x 4 from the moving patient space to the fixed one."""
    back = transform.inverse()
    out = np.eye(4)
    out[:3, :3] = back.rotation
    out[:3, 3] = back.translation_mm
    return out
