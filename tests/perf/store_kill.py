"""Kills processes that write to one library at random moments, then looks whether anything confirmed is missing.

``python -m tests.perf.store_kill [N]``: N rounds. In each, two writers share a home; one gets SIGKILL after a random time, a
third one comes and tidies up after it, then all get theirs. A writer notes a thing in its own plain list only after the
store has said that it is durable; all that is noted must be there afterwards, whole, with an unbroken event chain, and
nothing half-written beside it. This proves the death of a process, not of the power.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from app.domain.event import EventKind
from app.domain.finding import Finding
from app.domain.outbox import OutboxEvent, OutboxState, Receipt
from app.domain.problem import ProblemError
from app.domain.verdict import Decision, Verdict
from app.session.clock import SystemClock
from app.store.database import Tx
from app.store.library import Library
from tests.perf import _bench
from tests.store import made
from tests.store.conftest import FixedKey

ROOT = Path(__file__).resolve().parents[2]
PERSON = "p1"
KILLED = 1 if os.name == "nt" else -9


# -- the writer that gets killed


class Writing:
    """Does a reader's work in an endless loop and notes what the store confirmed."""

    def __init__(self, library: Library, notes: Path, seed: int) -> None:
        self.library = library
        self.chance = random.Random(seed)
        self.prefix = f"1.{os.getpid()}.{seed}"
        self.count = 0
        self._notes = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(self, kind: str, **facts: str) -> None:
        os.write(self._notes, (json.dumps({"kind": kind, **facts}) + "\n").encode())

    def forever(self) -> None:
        while True:
            self.count += 1
            uid = f"{self.prefix}.{self.count}"
            self.import_one(uid)
            for n in range(3):
                self.draw(uid, made.mark(f"2.25.{n}", float(n)))
            self.read_and_sign(uid)
            self.send()

    def draw(self, uid: str, mark: Finding) -> None:
        self.library.write(lambda tx: self.library.drafts.put(tx, uid, PERSON, mark))
        self.note("mark", study=uid, finding=mark.finding_id)

    def import_one(self, uid: str) -> None:
        contents = [self.chance.randbytes(self.chance.choice([200, 70_000, 1_200_000])) for _ in range(3)]
        study = made.study(uid, count=3)
        instances = []
        for instance, content in zip(study.series[0].instances, contents, strict=True):
            stored = self.library.objects.put(content)
            instances.append(dataclasses.replace(instance, locator=stored.locator, sha256=stored.sha256))
        series = dataclasses.replace(study.series[0], instances=tuple(instances))
        study = dataclasses.replace(study, series=(series,))
        self.library.write(lambda tx: self.library.studies.import_study(tx, study, person=PERSON))
        self.note("study", study=uid)
        for instance, content in zip(instances, contents, strict=True):
            self.note("object", locator=instance.locator, sha256=hashlib.sha256(content).hexdigest())

    def read_and_sign(self, uid: str) -> None:
        library = self.library
        library.write(lambda tx: library.opinions.commit(tx, made.opinion(uid, PERSON, tx.tick())))
        self.note("opinion", study=uid)
        library.write(lambda tx: library.opinions.reveal(tx, uid, PERSON, ["lung_ct"]))
        verdict = f"v{uid}"
        library.write(
            lambda tx: library.verdicts.give(tx, uid, Verdict(verdict, "f1", Decision.ACCEPTED, PERSON, tx.tick()))
        )
        self.note("verdict", study=uid, verdict=verdict)
        report = dataclasses.replace(made.report(uid), report_id=f"r{uid}")
        objects = [made.stored(f"{uid}.9.{n}", uid) for n in range(2)]

        def sign(tx: Tx) -> None:
            library.reports.sign(
                tx, report, objects, person_id=PERSON, manifest=b"{}", signature=b"0", certificate_sha256="0"
            )
            for stored in objects:
                library.outbox.enqueue(tx, "folder", stored, report_id=report.report_id)

        library.write(sign)
        self.note("report", study=uid, report=report.report_id)

    def send(self) -> None:
        outbox = self.library.outbox
        self.library.write(outbox.recover)
        while (item := self.library.write(lambda tx: outbox.claim(tx, "folder"))) is not None:
            proof = Receipt(item.item_id, item.target, item.sop_instance_uid, "verified", item.sha256, item.sha256)
            self.library.write(lambda tx, i=item, p=proof: outbox.apply(tx, i.item_id, OutboxEvent.PROVE, receipt=p))
            self.note("proof", item=item.item_id)


def write_until_killed(home: Path, notes: Path, seed: int) -> None:
    with Library.open(home, FixedKey(), SystemClock()) as library:
        Writing(library, notes, seed).forever()


# -- what must be there afterwards


@dataclasses.dataclass
class Tally:
    kills: int = 0
    confirmed: int = 0
    lost: int = 0
    torn: int = 0
    """Transactions of which only a part is there."""
    chain_breaks: int = 0
    half_written: int = 0
    """Broken or temporary files, and whole objects of imports that never came into the index."""
    falsely_proven: int = 0
    damaged_pages: int = 0
    died_otherwise: int = 0

    @property
    def clean(self) -> bool:
        faults = self.lost + self.torn + self.chain_breaks + self.half_written + self.falsely_proven + self.damaged_pages
        return faults == 0 and self.died_otherwise == 0


def there(library: Library, fact: dict[str, str]) -> bool:
    study = fact.get("study", "")
    checks: dict[str, Callable[[], bool]] = {
        "object": lambda: hashlib.sha256(library.objects.read(fact["locator"])).hexdigest() == fact["sha256"],
        "study": lambda: all(
            hashlib.sha256(library.objects.read(i.locator)).hexdigest() == i.sha256
            for s in library.studies.load(study).series
            for i in s.instances
        ),
        "mark": lambda: fact["finding"] in {m.finding_id for m in library.drafts.marks(study, PERSON)},
        "opinion": lambda: library.opinions.get(study, PERSON) is not None,
        "verdict": lambda: library.verdicts.current(study)["f1"].verdict_id == fact["verdict"],
        "report": lambda: [s.report.report_id for s in library.reports.signed(study)] == [fact["report"]],
        "proof": lambda: getattr(library.outbox.item(fact["item"]), "state", None) is OutboxState.VERIFIED,
    }
    try:
        return checks[fact["kind"]]()
    except (ProblemError, KeyError):
        return False


def examine(home: Path, notes: list[Path], tally: Tally) -> None:
    """Adds up what is wrong with the home after everybody in it has died."""
    with Library.open(home, FixedKey(), SystemClock(), create=False) as library:
        facts = [json.loads(line) for file in notes if file.exists() for line in file.read_text().splitlines()]
        tally.confirmed += len(facts)
        tally.lost += sum(not there(library, fact) for fact in facts)
        tally.chain_breaks += not library.events.verify_chain().intact
        tally.damaged_pages += len(library.check_integrity())
        left = [f for f in (home / "objects" / "tmp").rglob("*") if f.is_file() and f.name != "lock"]
        tally.half_written += len(left) + len(library.unreferenced())
        for name in library.objects.names():
            try:
                library.objects.verify(name)
            except ProblemError:
                tally.half_written += 1
        tally.torn += _torn(library)
        for item in library.outbox.items(states=[OutboxState.VERIFIED], limit=10**6):
            tally.falsely_proven += [r.level for r in library.outbox.receipts(item.item_id)] != ["verified"]


def _torn(library: Library) -> int:
    """Events without their rows, rows without their events, signatures without their objects or their outbox items."""
    torn = 0
    counts = {kind: len(library.events.query(kinds=[kind])) for kind in EventKind}

    def rows(table: str) -> int:
        found = library.read(lambda tx: tx.one(f"SELECT count(*) FROM {table}"))
        return int(found[0]) if found else 0

    torn += counts[EventKind.STUDY_IMPORTED] != rows("studies")
    torn += counts[EventKind.OPINION_COMMITTED] != rows("first_opinions")
    torn += counts[EventKind.VERDICT_GIVEN] != rows("verdicts")
    torn += counts[EventKind.REPORT_SIGNED] != rows("signed_reports")
    torn += rows("instances") != 3 * rows("studies")
    torn += rows("outbox") != 2 * rows("signed_reports") or rows("stored_objects") != 2 * rows("signed_reports")
    return torn


def run(rounds: int, seed: int, base: Path) -> Tally:
    """Kills in ``rounds`` rounds, on a fresh home every tenth of them."""
    chance = random.Random(seed)
    tally = Tally()
    home = base / "home-0"
    for number in range(rounds):
        if number % 10 == 0:
            home = base / f"home-{number}"
        notes = [base / f"notes-{number}-{n}" for n in range(3)]
        writers = [_start(home, note, seed * 1000 + number) for note in notes[:2]]
        _wait_until_busy(notes[:2], writers)
        time.sleep(chance.uniform(0.0, 0.4))
        chance.choice(writers).kill()
        # A third one comes and sweeps after the dead while the other still writes.
        writers.append(_start(home, notes[2], seed * 1000 + number))
        _wait_until_busy(notes[2:], writers[2:])
        for writer in chance.sample(writers, 3):
            time.sleep(chance.uniform(0.0, 0.4))
            writer.kill()
        for writer in writers:
            _, errors = writer.communicate()
            tally.kills += 1
            if writer.returncode != KILLED or errors.strip():
                tally.died_otherwise += 1
                _bench.warn(errors.decode(errors="replace")[-800:])
        examine(home, notes, tally)
    return tally


def _start(home: Path, notes: Path, seed: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.perf.store_kill", "--child", str(home), str(notes), str(seed)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)


def _wait_until_busy(notes: list[Path], writers: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + 60
    while not all(note.exists() and note.stat().st_size for note in notes):
        if time.monotonic() > deadline or any(w.poll() is not None for w in writers):
            return
        time.sleep(0.01)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="eight rounds")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--child", nargs=3, metavar=("HOME", "NOTES", "SEED"), help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.child:
        write_until_killed(Path(options.child[0]), Path(options.child[1]), int(options.child[2]))
        return 0
    rounds = min(options.rounds, 8) if options.quick else options.rounds
    with tempfile.TemporaryDirectory() as folder:
        tally = run(rounds, options.seed, Path(folder))
    details = {**dataclasses.asdict(tally), "rounds": rounds, "seed": options.seed}
    _bench.table([[key, value] for key, value in details.items()], ["what", "count"])
    passed = tally.clean and tally.kills == 3 * rounds and tally.confirmed > 10 * rounds
    return _bench.emit("store_kill", tally.lost, "confirmed things lost", passed=passed, details=details)


if __name__ == "__main__":
    sys.exit(main())
