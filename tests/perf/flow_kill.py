"""Kills the whole session at random moments: import, mark, second read, commit, verdicts, signature, sending.

``python -m tests.perf.flow_kill [N]`` (also the second half of ``python -m tests.perf.outbox_kill N``). The process is the
session that the window has, without the window: real import, real worker process, real signature, two targets. It notes a
thing in a plain list only after the call that confirms it to a person has returned.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from app.domain.problem import ProblemError
from app.domain.verdict import Overall, RejectReason
from app.session.clock import SystemClock
from app.session.wiring import DEMO_PIN
from app.store.library import Library
from tests import phantoms
from tests.flows import stage
from tests.flows.stage import READER, Beacon, Stage, install_beacon
from tests.perf import outbox_kill
from tests.perf.outbox_kill import KILLED, ROOT, confirmed, examine, finish, moody
from tests.servers import ScriptedServer, Step
from tests.store.conftest import FixedKey

PERSON = READER.person_id
SHM = Path("/dev/shm")


# -- the process that gets killed


class Reader:
    """A person at the session, study after study."""

    def __init__(self, made: Stage, folder: Path, name: str) -> None:
        self.stage = made
        self.folder = folder
        self.name = name
        self._notes = os.open(folder / "notes", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(self, kind: str, **facts: str) -> None:
        os.write(self._notes, (json.dumps({"kind": kind, **facts}) + "\n").encode())

    def forever(self) -> None:
        self.note("ready")
        count = 0
        while True:
            count += 1
            self.one(f"{self.name}-{count}")

    def one(self, key: str) -> None:
        s, dicom = self.stage, self.folder / "dicom" / key
        uid = stage.write_study(dicom, key)
        s.bring(dicom)
        summary = s.ws.last_import_summary()
        assert summary is not None
        assert summary.studies == (uid,), summary
        self.note("study", study=uid)
        reading = s.ws.open_study(uid)
        for pane in reading.layout().panes:
            reading.picture_request(pane.pane_id, 200, 200)()
        s.until(lambda: not s.ws.images_busy())
        reading.room.show_point(stage.BALLS[0])
        mark = reading.add_mark()
        assert mark is not None
        s.ws.library.write(lambda tx: None)  # marks are written beside; this returns when they are on the disk
        self.note("mark", study=uid, finding=mark)
        s.read()
        reading.commit(Overall.FINDINGS)
        self.note("opinion", study=uid)
        reading.accept_agreed()
        first, second, third = (c.finding.finding_id for c in reading.second_read().ai_only)
        reading.accept(first)
        self.note("verdict", study=uid, finding=first, decision="accepted")
        reading.modify(second, long_axis_mm=11.5)
        self.note("verdict", study=uid, finding=second, decision="modified")
        reading.reject(third, RejectReason.NOT_PRESENT)
        self.note("verdict", study=uid, finding=third, decision="rejected")
        reading.sign(DEMO_PIN)
        s.until(lambda: not s.ws.tasks(), 60)
        signed = s.ws.library.reports.latest(uid)
        assert signed is not None
        self.note("report", study=uid, report=signed.report.report_id)
        s.ws.close_study()
        s.loop.run_until(lambda: False, 0.3)


def child(folder: Path, name: str) -> None:
    beacon = Beacon(folder / "packages", folder / "packages" / "order")
    made = Stage(folder / "home", beacon, keys=FixedKey())
    Reader(made, folder, name).forever()


# -- what must be there afterwards


@dataclasses.dataclass
class FlowTally(outbox_kill.Tally):
    confirmed: int = 0
    unreadable: int = 0
    """Studies confirmed as imported of which a byte is missing."""
    unreferenced: int = 0
    """Objects that lie in the library and belong to nothing."""
    left_shared: int = 0
    """Blocks of shared memory that killed processes left; said, not counted: their names are reused by nobody."""

    @property
    def clean(self) -> bool:
        return super().clean and not self.unreadable and not self.unreferenced


def look(library: Library, folder: Path, server: ScriptedServer, tally: FlowTally) -> None:
    """Adds up what is wrong after a kill."""
    examine(library, folder / "notes", folder / "archive", server, tally)
    facts = confirmed(folder / "notes")
    tally.confirmed = len(facts)
    for fact in facts:
        study = fact.get("study", "")
        if fact["kind"] == "study" and not is_whole(library, study, folder):
            tally.unreadable += 1
        elif fact["kind"] == "mark":
            marks = {m.finding_id for m in library.drafts.marks(study, PERSON)}
            tally.lost += fact["finding"] not in marks
        elif fact["kind"] == "opinion":
            opinion, shown = library.opinions.get(study, PERSON), library.opinions.revealed(study, PERSON)
            tally.lost += opinion is None or shown is None
        elif fact["kind"] == "verdict":
            held = library.verdicts.current(study).get(fact["finding"])
            tally.lost += held is None or held.decision.value != fact["decision"]
    tally.unreferenced += len(library.unreferenced())


def is_whole(library: Library, study: str, folder: Path) -> bool:
    """Every imported object is the file that it came from."""
    try:
        instances = [i for s in library.studies.load(study).series for i in s.instances]
        contents = [library.objects.read(i.locator) for i in instances]
    except ProblemError:
        return False
    same = all(hashlib.sha256(c).hexdigest() == i.sha256 for c, i in zip(contents, instances, strict=True))
    return same and len(instances) == phantoms.SHAPE[0]


def prepare(folder: Path, url: str) -> None:
    install_beacon(folder / "packages")
    (folder / "notes").touch()
    home = folder / "home"
    Library.open(home, FixedKey(), SystemClock(), demo=True).close()
    (home / "site.toml").write_text(
        f'[[target]]\nname = "folder"\nkind = "folder"\npath = {json.dumps(str(folder / "archive"))}\n\n'
        f'[[target]]\nname = "archive"\nkind = "dicomweb"\nurl = {json.dumps(url)}\n',
        encoding="utf-8",
    )


def run(kills: int, seed: int, folder: Path) -> FlowTally:
    """``kills`` kills of one home below ``folder``; the first comes after a whole round, so that something was signed."""
    chance = random.Random(seed)
    tally = FlowTally()
    blocks = shared_blocks()
    with ScriptedServer() as server:
        server.keep_bodies = False
        server.usually = lambda: moody(chance)
        prepare(folder, server.url)
        round_s = 6.0
        while tally.kills < kills:
            seen = counted(folder, "ready")
            command = [sys.executable, "-m", "tests.perf.flow_kill", "--child", str(folder), f"{seed}-{tally.kills}"]
            process = subprocess.Popen(command, cwd=ROOT)  # noqa: S603
            wait(process, lambda seen=seen: counted(folder, "ready") > seen)  # type: ignore[misc]
            if tally.kills == 0:
                started = time.monotonic()
                wait(process, lambda: counted(folder, "report") >= 1)
                round_s = min(30.0, time.monotonic() - started)
            else:
                time.sleep(chance.uniform(0.0, round_s))
            process.kill()
            if process.wait(60) != KILLED:
                tally.died_otherwise += 1
            tally.kills += 1
            with Library.open(folder / "home", FixedKey(), SystemClock()) as library:
                look(library, folder, server, tally)
        server.usually = lambda: Step("good")
        with Library.open(folder / "home", FixedKey(), SystemClock()) as library:
            finish(library, folder / "archive", server, tally)
            look(library, folder, server, tally)
        tally.sent_as_new = len(server.sent_again) + len(server.other_bytes)
    left = shared_blocks() - blocks
    tally.left_shared = len(left)
    for name in left:
        with contextlib.suppress(OSError):
            (SHM / name).unlink()
    return tally


def shared_blocks() -> set[str]:
    """Blocks of processes that no longer live (``ek<pid>_...``); those of a workstation that is open are its own."""
    if not SHM.is_dir():
        return set()
    return {p.name for p in SHM.glob("ek*_*") if not Path("/proc", p.name[2:].split("_")[0]).exists()}


def counted(folder: Path, kind: str) -> int:
    return sum(f["kind"] == kind for f in confirmed(folder / "notes"))


def wait(process: subprocess.Popen[bytes], done) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + 90
    while process.poll() is None and time.monotonic() < end and not done():
        time.sleep(0.02)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kills", nargs="?", type=int, default=50)
    parser.add_argument("--quick", action="store_true", help="three kills")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--child", nargs=2, metavar=("FOLDER", "NAME"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(Path(options.child[0]), options.child[1])
        return 0
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ekinshi-kill-") as folder:
        tally = run(3 if options.quick else options.kills, options.seed, Path(folder))
    details = {**dataclasses.asdict(tally), "seed": options.seed, "seconds": round(time.monotonic() - started, 1)}
    for name, value in details.items():
        print(f"{name:>16} {value}")
    faults = tally.lost + tally.torn + tally.falsely_proven + tally.sent_as_new + tally.unreadable
    passed = tally.clean and tally.reports > 0
    result = {
        "name": "flow_kill", "value": faults, "unit": "faults", "peer": "", "peer_value": None, "ratio": None,
        "passed": passed, "details": details,
    }  # fmt: skip
    print(json.dumps(result))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
