"""The rendering processes as their callers see them: what was sent, what is asked, what happens when one dies.

Two of them: one for pictures while something moves, one for pictures at rest and surfaces, which stops when overtaken. They
are started at the first need, or ahead by ``make_ready``. A death costs one request, which is repeated once.
"""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from app.dicom.expendable import ExpendableProcess
from app.domain.problem import ProblemError, fail
from app.domain.volume import Volume
from app.viewer.mesh import Mesh
from app.viewer.volume_scene import serve_fine, serve_quick

T = TypeVar("T")
_KEPT = 2
"""Parts of volumes that a process keeps."""
_KEPT_SURFACES = 48
_LONGEST_S = 60.0
_STOP = b'{"do": "stop"}'
_READY = b'{"do": "ready"}'


class GivenUp(Exception):
    """Something moved while a resting picture was being cast."""


def _died() -> ProblemError:
    return fail("viewer.volume.renderer_died")


def _bytes(values: npt.NDArray[np.generic]) -> memoryview:
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8).data


class Engine:
    """One process. Callers wait for each other."""

    def __init__(self, serve: Callable[[Connection], None], name: str) -> None:
        self.child = ExpendableProcess(serve, name, _died)
        self._told = 0
        self._volumes: OrderedDict[str, None] = OrderedDict()
        self._surfaces: OrderedDict[str, None] = OrderedDict()

    def has(self, key: str) -> bool:
        """What was sent is still there, as far as is known."""
        return self._is_same() and (key in self._volumes or key in self._surfaces)

    def _is_same(self) -> bool:
        process = self.child.process
        return self._told == self.child.started and process is not None and process.is_alive()

    def make_ready(self) -> None:
        """Starts the process and loads the driver."""
        with self.child.lock:
            self.child.ask(lambda pipe: pipe.send_bytes(_READY), lambda pipe: pipe.recv_bytes(), _LONGEST_S)

    def picture(
        self,
        head: Mapping[str, Any],
        volume: tuple[str, Callable[[], Volume]] | None,
        surfaces: Mapping[str, Mesh],
        overtaken: Callable[[], bool] = lambda: False,
    ) -> tuple[npt.NDArray[np.uint8], float]:
        """((h, w, 3) RGB, milliseconds it took there). Raises ``GivenUp``, ``viewer.volume.renderer_died``."""

        def send(pipe: Connection) -> None:
            self._send_missing(pipe, volume, surfaces)
            pipe.send_bytes(json.dumps(head).encode())
            until, stopped = time.monotonic() + _LONGEST_S, False
            while not pipe.poll(0.02):
                if overtaken() and not stopped:
                    pipe.send_bytes(_STOP)
                    stopped = True
                if time.monotonic() > until:
                    raise TimeoutError

        w, h = head["size"]

        def receive(pipe: Connection) -> tuple[npt.NDArray[np.uint8], float] | None:
            said = json.loads(pipe.recv_bytes())
            if said["given_up"]:
                return None
            return np.frombuffer(pipe.recv_bytes(), np.uint8).reshape(h, w, 3), float(said["ms"])

        with self.child.lock:
            if overtaken():
                raise GivenUp
            got = self._ask(send, receive)
        if got is None:
            raise GivenUp
        return got

    def shape(
        self, values: npt.NDArray[np.generic], spacing: tuple[float, float, float], level: float, passes: int, most: int
    ) -> Mesh:
        """The surface where values pass ``level``; points as (i, j, k) times their spacing."""
        head = {
            "do": "shape", "dtype": values.dtype.str, "shape": values.shape, "spacing": spacing, "level": level,
            "passes": passes, "most": most,
        }  # fmt: skip

        def send(pipe: Connection) -> None:
            pipe.send_bytes(json.dumps(head).encode())
            pipe.send_bytes(_bytes(values))

        with self.child.lock:
            return self._ask(send, _received)

    def fewer(self, mesh: Mesh, most: int) -> Mesh:
        """The mesh with at most ``most`` triangles: neighbours are merged."""

        def send(pipe: Connection) -> None:
            pipe.send_bytes(json.dumps({"do": "fewer", "most": most}).encode())
            pipe.send_bytes(mesh.points.tobytes())
            pipe.send_bytes(mesh.corners.tobytes())

        with self.child.lock:
            return self._ask(send, _received)

    def _send_missing(
        self, pipe: Connection, volume: tuple[str, Callable[[], Volume]] | None, surfaces: Mapping[str, Mesh]
    ) -> None:
        """In a child that was started anew nothing is left of what its forerunner was told."""
        if self._told != self.child.started:
            self._volumes.clear()
            self._surfaces.clear()
            self._told = self.child.started
        if volume is not None:
            key, make = volume
            if key not in self._volumes:
                part = make()
                g = part.geometry
                head = {
                    "do": "volume", "key": key, "dtype": part.voxels.dtype.str, "shape": part.voxels.shape,
                    "origin": g.origin_mm, "steps": [g.k_step_mm, g.j_step_mm, g.i_step_mm],
                }  # fmt: skip
                pipe.send_bytes(json.dumps(head).encode())
                pipe.send_bytes(_bytes(part.voxels))
            self._keep(pipe, self._volumes, key, _KEPT)
        for key, mesh in surfaces.items():
            if key not in self._surfaces:
                pipe.send_bytes(json.dumps({"do": "surface", "key": key}).encode())
                pipe.send_bytes(mesh.points.tobytes())
                pipe.send_bytes(mesh.corners.tobytes())
            self._keep(pipe, self._surfaces, key, max(_KEPT_SURFACES, len(surfaces)))

    @staticmethod
    def _keep(pipe: Connection, kept: OrderedDict[str, None], key: str, most: int) -> None:
        kept[key] = None
        kept.move_to_end(key)
        gone = [kept.popitem(last=False)[0] for _ in range(len(kept) - most)]
        if gone:
            pipe.send_bytes(json.dumps({"do": "forget", "keys": gone}).encode())

    def _ask(self, send: Callable[[Connection], None], receive: Callable[[Connection], T]) -> T:
        try:
            return self.child.ask(send, receive, _LONGEST_S)
        except ProblemError as error:
            if error.problem.code != "viewer.volume.renderer_died":
                raise
            return self.child.ask(send, receive, _LONGEST_S)

    def forget(self) -> None:
        """Ends the process; the next request starts another."""
        with self.child.lock:
            self.child.stop()


def _received(pipe: Connection) -> Mesh:
    said = json.loads(pipe.recv_bytes())
    points = np.frombuffer(pipe.recv_bytes(), np.float32).reshape(-1, 3)
    corners = np.frombuffer(pipe.recv_bytes(), np.int32).reshape(-1, 3)
    return Mesh(points, corners, int(said["before"]))


quick = Engine(serve_quick, "ekinshi-3d-quick")
fine = Engine(serve_fine, "ekinshi-3d-fine")
_ready: threading.Thread | None = None


def make_ready() -> None:
    """Both processes are started beside whatever goes on; main thread."""
    global _ready
    if _ready is None or not _ready.is_alive():
        _ready = threading.Thread(target=_make_ready, name="ekinshi-3d-ready", daemon=True)
        _ready.start()


def ready() -> None:
    """Waits for ``make_ready``."""
    if _ready is not None:
        _ready.join()


def _make_ready() -> None:
    for engine in (quick, fine):
        try:
            engine.make_ready()
        except ProblemError:
            return  # what fails here fails again where it is needed, by name
