"""What the flow tests stand on: a study with four bright balls, a reader that finds them, a workstation, a line to cut."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from app.ai.package import Limits, PackageParts, build_package
from app.ai.trust import write_trust
from app.domain.finding import Finding
from app.domain.geometry import Point3
from app.domain.identity import uid_for
from app.domain.measurement import Measurement, Quantity
from app.domain.model_card import ModelCard, SelectionRules
from app.domain.person import Person
from app.domain.study import Patient
from app.security.keys import MemoryKeyProvider
from app.security.secrets_box import open_box
from app.session.clock import SystemClock
from app.session.loop import QueueLoop
from app.session.sync_service import keep_password
from app.session.views import WorklistQuery
from app.session.wiring import Options, open_workstation
from app.session.workstation import Workstation
from app.store.library import Library
from tests import phantoms
from tests.ai.tiny_package import PRIVATE_KEY, trust

CODE = Path(__file__).parent / "code"
KEY = bytes(range(32))
READER = Person("reader-1", "Жақсыбекова Айнұр Ерланқызы", organisation="DEMONSTRATION")
OTHER = Person("reader-2", "Ким Ольга Сергеевна", organisation="DEMONSTRATION")
SIZE_MM, SCORE, PROBABILITY = 7.773141, 0.918273, 0.764531
"""What the beacon reader says: ``SIZE_MM`` plus the finding's number, ``SCORE`` less a hundredth of it."""
BALLS: tuple[Point3, ...] = tuple(
    (phantoms.ORIGIN_MM[0] + x, phantoms.ORIGIN_MM[1] + y, phantoms.ORIGIN_MM[2] + z)
    for x, y, z in ((6.0, 8.0, 5.0), (22.2, 8.8, 12.5), (6.6, 24.0, 17.5), (21.6, 23.2, 22.5))
)


@dataclass(frozen=True)
class Beacon:
    """The installed reader and the file that makes it misbehave."""

    folder: Path
    order: Path

    def misbehave(self, how: str) -> None:
        self.order.write_text(how, encoding="ascii")

    def behave(self) -> None:
        self.order.unlink(missing_ok=True)


def install_beacon(folder: Path) -> Beacon:
    """Signs the reader's package into ``folder``, with the trust list beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    order = folder / "order"
    words = {language: f"beacon {language}" for language in ("en", "ru", "kk")}
    limits = {language: (f"limit {language}",) for language in ("en", "ru", "kk")}
    rules = SelectionRules(("CT",), ("CHEST",), 5, 3.0, extra={"kind": "volume"})
    card = ModelCard("beacon", "1.0.0", words, words, limits, rules, ("generated",), "Apache-2.0", ())
    pipeline = {"size_mm": SIZE_MM, "score": SCORE, "probability": PROBABILITY, "order": str(order)}
    parts = PackageParts("kz.ekinshi.beacon", card, pipeline, {}, {}, {"bands": []}, {}, Limits(ram_mb=64))
    (folder / "beacon.ekmodel").write_bytes(build_package(parts, PRIVATE_KEY))
    write_trust(folder / "trust.json", trust())
    return Beacon(folder, order)


def write_study(folder: Path, key: str = "flow", patient: Patient = phantoms.ALIYA) -> str:
    """A chest CT with four balls; returns its Study Instance UID."""
    balls = [phantoms.Sphere(centre, 3.4) for centre in BALLS]
    phantoms.write_ct(folder, phantoms.spheres_volume(balls), patient=patient, key=key)
    return uid_for("phantom", key, patient.patient_id)


def options(home: Path, beacon: Beacon | None, person: Person = READER, **changes: object) -> Options:
    base = Options(home, MemoryKeyProvider(KEY), demo=True, person=person, threads=1, second_readers=beacon is not None)
    base = replace(base, own_models=False)
    if beacon is not None:
        base = replace(base, model_folders=(beacon.folder,), trust=(beacon.folder / "trust.json",), test_code=CODE)
    return replace(base, **changes)  # type: ignore[arg-type]


class Stage:
    """A session without a window, pumped by hand."""

    def __init__(self, home: Path, beacon: Beacon | None, person: Person = READER, **changes: object) -> None:
        self.loop = QueueLoop()
        self.home = home
        self.ws: Workstation = open_workstation(options(home, beacon, person, **changes), self.loop)
        self.notices: list[str] = []
        self.ws.notice.connect(lambda notice: self.notices.append(notice.problem.code))

    def until(self, done: Callable[[], bool], seconds: float = 30.0) -> None:
        assert self.loop.run_until(done, seconds), "it did not come"

    def bring(self, *paths: Path) -> None:
        """Imports and waits for the copy (not for the second readers)."""
        task = self.ws.import_paths(paths)
        self.until(lambda: all(t.task_id != task for t in self.ws.tasks()) or not self.ws._tasks.running())

    def read(self) -> None:
        """Waits for the second readers."""
        self.until(lambda: not self.ws.reads.busy())

    def die(self) -> None:
        """A death: nothing is closed in order; only what a killed process loses too, its file handles and threads, goes."""
        self.ws._parts.sync.stop()
        self.ws.library.close()

    def row(self) -> object:
        return self.ws.worklist(WorklistQuery()).rows[0]


@contextlib.contextmanager
def stage(home: Path, beacon: Beacon | None, person: Person = READER, **changes: object) -> Iterator[Stage]:
    made = Stage(home, beacon, person, **changes)
    try:
        yield made
    finally:
        made.ws.shutdown()


def mark_of(finding: Finding, long_axis_mm: float = 7.0) -> Finding:
    """An own mark with another size."""
    return replace(finding, measurements=(Measurement(Quantity.LONG_AXIS, long_axis_mm, "mm"),))


def configure_dicomweb(home: Path, url: str, username: str, password: str) -> None:
    """Makes the home (as a demonstration) with one DICOMweb target; the password goes into the secrets box."""
    keys = MemoryKeyProvider(KEY)
    Library.open(home, keys, SystemClock(), demo=True).close()
    (home / "site.toml").write_text(
        f'[[target]]\nname = "pacs"\nkind = "dicomweb"\ntitle = "PACS"\nurl = {json.dumps(url)}\n'
        f"username = {json.dumps(username)}\n",
        encoding="utf-8",
    )
    keep_password(open_box(home, keys), "pacs", password)


class Line:
    """A TCP line to a server that can be cut: down, everything that is open breaks and nobody answers."""

    def __init__(self, to_port: int) -> None:
        self._to = to_port
        self._up = threading.Event()
        self._up.set()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, name="line", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                here, _ = self._server.accept()
            except OSError:
                return
            if not self._up.is_set():
                here.close()
                continue
            try:
                there = socket.create_connection(("127.0.0.1", self._to), 5)
            except OSError:
                here.close()
                continue
            with self._lock:
                self._open |= {here, there}
            for source, sink in ((here, there), (there, here)):
                threading.Thread(target=self._carry, args=(source, sink), name="line", daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
            with self._lock:
                self._open.discard(end)

    def down(self) -> None:
        self._up.clear()
        with self._lock:
            ends = list(self._open)
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def up(self) -> None:
        self._up.set()

    def close(self) -> None:
        self.down()
        self._server.close()


class Watchdog:
    """Measures how long the main thread was ever kept from its loop: the longest gap between two beats, in seconds."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self.beats = 0
        self._last = time.monotonic()

    def beat(self) -> None:
        now = time.monotonic()
        self.longest_s = max(self.longest_s, now - self._last)
        self._last = now
        self.beats += 1


def is_near(point: Point3 | None, other: Point3, mm: float = 1.5) -> bool:
    return point is not None and float(np.linalg.norm(np.subtract(point, other))) < mm
