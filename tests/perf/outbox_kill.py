"""Kills the signing and sending process at random moments and looks whether anything confirmed is lost or falsely proven.

``python -m tests.perf.outbox_kill [N]``: N kills (default 50; ``--quick`` 3) of the whole session (``flow_kill``), then N of
a process that only signs and sends, in quick succession (``--only flow`` or ``--only sending``: one of them). That process
imports, commits, decides, signs (report PDF and verdict SR, manifest, one transaction with the outbox rows of two targets)
and sends to a folder archive and to a DICOMweb server that itself cuts lines, loses answers, is busy, and forgets. It notes
a thing in a plain list only after the store has confirmed it. After every kill the home is examined; at the end everything
must have arrived.
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
from datetime import UTC, datetime
from pathlib import Path

from app.dicom.encapsulated import ENCAPSULATED_PDF, encapsulate_pdf
from app.dicom.media_writer import MediaFolder
from app.dicom.object_header import ObjectHeader
from app.dicom.structured_report import COMPREHENSIVE_3D_SR, Answer, OwnFinding, verdict_sr
from app.domain.finding import Finding
from app.domain.identity import uid_for
from app.domain.outbox import OutboxState
from app.domain.person import Person
from app.domain.problem import ProblemError
from app.domain.report import Origin, StoredObject
from app.domain.study import Study
from app.domain.verdict import Decision, FirstOpinion, ImageQuality, Overall, RejectReason, Verdict
from app.report.compose import ReportFinding, compose
from app.report.pdf import SignatureBlock, VerdictRow, render_pdf
from app.report.signature import build_manifest, sign_manifest, sign_report
from app.report.verification import verify_file, verify_manifest
from app.security.certificates import SigningIdentity, load_pkcs12, make_demo_certificate
from app.session.clock import SystemClock
from app.store.database import Tx
from app.store.library import Library
from app.sync.store_outbox import StoreOutbox
from app.sync.targets.dicomweb import DicomWebSettings, DicomWebTarget
from app.sync.targets.folder import FolderTarget
from app.sync.worker import SyncWorker
from tests.dicom.objects_phantom import ai_finding, ct_study, own_mark
from tests.servers import ScriptedServer, Step
from tests.store.conftest import FixedKey

ROOT = Path(__file__).resolve().parents[2]
KILLED = 1 if os.name == "nt" else -9
PERSON = Person("p1", "Жақсыбекова Айнұр Ерланқызы", organisation="Аудандық аурухана")
PIN = "1234"
TARGETS = ("folder", "archive")
LONGEST_ROUND_S = 5.0


# -- the process that gets killed


class Flow:
    """A reader's day in an endless loop."""

    def __init__(self, library: Library, identity: SigningIdentity, notes: Path, worker: SyncWorker, seed: int) -> None:
        self.library = library
        self.identity = identity
        self.worker = worker
        self.prefix = f"{os.getpid()}.{seed}"
        self._notes = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(self, kind: str, **facts: str) -> None:
        os.write(self._notes, (json.dumps({"kind": kind, **facts}) + "\n").encode())

    def forever(self) -> None:
        import highdicom  # noqa: F401 - the first import takes seconds in which nothing could go wrong
        import pyhanko.sign.signers  # noqa: F401
        import reportlab.platypus  # noqa: F401

        count = 0
        self.note("ready")
        while True:
            count += 1
            self.read_and_sign(f"{self.prefix}.{count}")
            self.worker.drain_once()

    def read_and_sign(self, name: str) -> None:
        library = self.library
        study = study_of(name)
        library.write(lambda tx: library.studies.import_study(tx, study, person=PERSON.person_id))
        mine = on_study(own_mark(), name)
        opinion = FirstOpinion(
            study.study_instance_uid, PERSON.person_id, "", Overall.FINDINGS, ImageQuality.DIAGNOSTIC, (mine,)
        )
        library.write(lambda tx: library.opinions.commit(tx, dataclasses.replace(opinion, hlc=tx.tick())))
        library.write(lambda tx: library.opinions.reveal(tx, study.study_instance_uid, PERSON.person_id, ["lung_ct"]))
        proposal = on_study(ai_finding(), name)
        verdict = Verdict(f"v{name}", proposal.finding_id, Decision.REJECTED, PERSON.person_id, "h", RejectReason.ARTEFACT)
        library.write(lambda tx: library.verdicts.give(tx, study.study_instance_uid, verdict))
        self.sign(study, opinion, Answer(proposal, verdict), OwnFinding(mine), verdict)

    def sign(self, study: Study, opinion: FirstOpinion, answer: Answer, own: OwnFinding, verdict: Verdict) -> None:
        library, identity = self.library, self.identity
        report = compose(study, language="kk", findings=(ReportFinding(own.finding, Origin.MINE),), opinion=opinion)
        at = datetime.now(UTC)
        block = SignatureBlock(identity.common_name, identity.issuer, identity.sha256, at, identity.demonstration)
        pdf = render_pdf(report, verdicts=(VerdictRow("A1", answer.finding, verdict),), signature=block)
        contents = {
            "report_pdf": (ENCAPSULATED_PDF, sign_report(pdf, identity).pdf),
            "verdict_sr": (COMPREHENSIVE_3D_SR, b""),
        }
        objects = []
        for kind, (sop_class, content) in contents.items():
            header = ObjectHeader(
                uid_for(kind, report.report_id), uid_for("series", kind, report.report_id), at, series_description=kind
            )
            if kind == "report_pdf":
                data = encapsulate_pdf(study, content, report.title, header)
            else:
                data = verdict_sr(study, PERSON, header, answers=(answer,), own=(own,), opinion=opinion)
            put = library.objects.put(data)
            objects.append(
                StoredObject(
                    header.sop_instance_uid, sop_class, header.series_instance_uid, study.study_instance_uid, kind,
                    put.sha256, put.size_bytes, put.name,
                )
            )  # fmt: skip
        manifest = build_manifest(
            report_id=report.report_id,
            version=1,
            study_instance_uid=study.study_instance_uid,
            objects=objects,
            signer=identity,
            signed_at=at,
        )
        signature = sign_manifest(manifest, identity)

        def work(tx: Tx) -> None:
            library.reports.sign(
                tx,
                report,
                objects,
                person_id=PERSON.person_id,
                manifest=manifest,
                signature=signature,
                certificate_sha256=identity.sha256,
            )
            for target in TARGETS:
                for n, stored in enumerate(objects):
                    library.outbox.enqueue(tx, target, stored, report_id=report.report_id, priority=n)

        library.write(work)
        self.note("report", study=study.study_instance_uid, report=report.report_id)


def study_of(name: str) -> Study:
    """The study of the phantom under UIDs of its own."""
    study = ct_study()
    instances = tuple(
        dataclasses.replace(
            i, sop_instance_uid=uid_for(i.sop_instance_uid, name), sha256=hashlib.sha256(name.encode()).hexdigest()
        )
        for i in study.series[0].instances
    )
    series = dataclasses.replace(study.series[0], series_instance_uid=uid_for("kill series", name), instances=instances)
    return dataclasses.replace(study, study_instance_uid=uid_for("kill study", name), series=(series,))


def on_study(finding: Finding, name: str) -> Finding:
    return dataclasses.replace(
        finding,
        finding_id=uid_for(finding.finding_id, name),
        location=dataclasses.replace(finding.location, sop_instance_uid=uid_for(finding.location.sop_instance_uid, name)),
        source_sop_instance_uids=(),
    )


def worker_of(library: Library, archive: Path, url: str) -> SyncWorker:
    clock = SystemClock()
    targets = {
        "folder": FolderTarget("folder", archive, clock),
        "archive": DicomWebTarget(DicomWebSettings("archive", url, read_timeout_s=10.0), clock),
    }
    return SyncWorker(StoreOutbox(library), targets, clock, draw=lambda: 0.0)


def child(home: Path, url: str, seed: int) -> None:
    identity = load_pkcs12((home.parent / "doctor.p12").read_bytes(), PIN)
    with Library.open(home, FixedKey(), SystemClock()) as library:
        worker = worker_of(library, home.parent / "archive", url)
        Flow(library, identity, home.parent / "notes", worker, seed).forever()


# -- what must be there afterwards


@dataclasses.dataclass
class Tally:
    kills: int = 0
    reports: int = 0
    items: int = 0
    proven: int = 0
    lost: int = 0
    """Confirmed reports that are gone, changed, unsigned, or never arrive."""
    torn: int = 0
    """Reports without all their outbox rows, rows without their report."""
    falsely_proven: int = 0
    sent_as_new: int = 0
    """Sent although it was there, or with other bytes under its UID."""
    chain_breaks: int = 0
    stuck: int = 0
    half_written: int = 0
    died_otherwise: int = 0

    @property
    def clean(self) -> bool:
        faults = (
            self.lost, self.torn, self.falsely_proven, self.sent_as_new, self.chain_breaks, self.stuck,
            self.half_written, self.died_otherwise,
        )  # fmt: skip
        return not any(faults)


def confirmed(notes: Path) -> list[dict[str, str]]:
    """Facts that were written whole."""
    lines = notes.read_text().split("\n")[:-1] if notes.exists() else []
    return [json.loads(line) for line in lines]


def examine(library: Library, notes: Path, archive: Path, server: ScriptedServer, tally: Tally) -> None:
    """Counts what is wrong now; called after every kill, before anything goes on."""
    media = MediaFolder(archive)
    rows: dict[str, list[str]] = {}
    for item in library.outbox.items(limit=10**6):
        rows.setdefault(item.report_id, []).append(item.sop_instance_uid)
        if item.state is OutboxState.VERIFIED:
            there = server.stored.get(item.sop_instance_uid)
            if item.target == "folder":
                there = media.read(item.study_instance_uid, item.sop_instance_uid)
            if there is None or hashlib.sha256(there).hexdigest() != item.sha256:
                tally.falsely_proven += 1
    facts = [f for f in confirmed(notes) if f["kind"] == "report"]
    tally.reports = len(facts)
    for fact in facts:
        signed = library.reports.latest(fact["study"])
        if signed is None or signed.report.report_id != fact["report"]:
            tally.lost += 1
            continue
        objects = library.reports.objects(fact["report"])
        try:
            contents = {o.sop_instance_uid: library.objects.read(f"object:{o.object_name}") for o in objects}
        except ProblemError:
            tally.lost += 1
            continue
        if not verify_manifest(signed.manifest, signed.signature, objects=contents).valid:
            tally.lost += 1
        wanted = sorted(o.sop_instance_uid for o in objects) * len(TARGETS)
        if sorted(rows.get(fact["report"], [])) != sorted(wanted):
            tally.torn += 1
    known = {f["report"] for f in facts}
    for report_id, uids in rows.items():
        # the last transaction may be durable without the note about it; then it is whole too
        if report_id not in known and len(uids) != len(TARGETS) * len(library.reports.objects(report_id)):
            tally.torn += 1
    if not library.events.verify_chain().intact:
        tally.chain_breaks += 1


def finish(library: Library, archive: Path, server: ScriptedServer, tally: Tally) -> None:
    """Nothing kills it now and the server behaves: everything arrives, once."""
    server.usually = lambda: Step("good")
    worker = worker_of(library, archive, server.url)
    end = time.monotonic() + 120
    while time.monotonic() < end:
        worker.drain_once()
        counts = library.outbox.counts()
        if counts[OutboxState.VERIFIED] == sum(counts.values()):
            break
        time.sleep(0.3)
    worker.drain_once()
    items = library.outbox.items(limit=10**6)
    tally.items = len(items)
    tally.proven = sum(i.state is OutboxState.VERIFIED for i in items)
    tally.stuck = tally.items - tally.proven
    for item in items:
        if item.kind == "report_pdf" and item.target == "archive" and item.sop_instance_uid in server.stored:
            tally.lost += not verify_file(server.stored[item.sop_instance_uid]).valid
    for path in archive.rglob(".*"):
        os.utime(path, (0, 0))  # ten minutes later...
    FolderTarget("folder", archive, SystemClock()).check()
    tally.half_written = sum(p.name.startswith(".") for p in archive.rglob("*") if p.is_file())


def moody(chance: random.Random) -> Step:
    """A line and a server as they are in the country."""
    draw = chance.random()
    kinds = ((0.08, "drop_mid_body"), (0.18, "store_then_drop"), (0.26, "status"), (0.31, "forget"), (0.36, "empty"))
    for limit, kind in kinds:
        if draw < limit:
            return Step(kind, 503, {"Retry-After": "0"}) if kind == "status" else Step(kind)
    return Step("good")


def run(kills: int, seed: int, folder: Path) -> Tally:
    """``kills`` kills of one home below ``folder``."""
    chance = random.Random(seed)
    tally = Tally()
    home, notes, archive = folder / "home", folder / "notes", folder / "archive"
    (folder / "doctor.p12").write_bytes(make_demo_certificate(PERSON.display_name, PIN))
    with ScriptedServer() as server:
        server.keep_bodies = False
        server.usually = lambda: moody(chance)
        window_s = LONGEST_ROUND_S
        while tally.kills < kills:
            command = [sys.executable, "-m", "tests.perf.outbox_kill", "--child", str(home), server.url, str(tally.kills)]
            seen = sum(f["kind"] == "ready" for f in confirmed(notes))
            process = subprocess.Popen(command, cwd=ROOT)  # noqa: S603
            # Most kills hit the flow, some the opening of the home.
            if chance.random() < 0.9:
                _wait_ready(process, notes, seen)
            if tally.kills == 0:
                # The first one lives for two reports: the kills of the others fall into as much time on this machine.
                window_s = max(LONGEST_ROUND_S, _time_two_reports(process, notes))
            else:
                time.sleep(chance.uniform(0.0, window_s))
            process.kill()
            if process.wait(60) != KILLED:
                tally.died_otherwise += 1
            tally.kills += 1
            with Library.open(home, FixedKey(), SystemClock()) as library:
                examine(library, notes, archive, server, tally)
        with Library.open(home, FixedKey(), SystemClock()) as library:
            finish(library, archive, server, tally)
            examine(library, notes, archive, server, tally)
        tally.sent_as_new = len(server.sent_again) + len(server.other_bytes)
    return tally


def _wait_ready(process: subprocess.Popen[bytes], notes: Path, seen: int) -> None:
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        if sum(f["kind"] == "ready" for f in confirmed(notes)) > seen:
            return
        time.sleep(0.02)


def _time_two_reports(process: subprocess.Popen[bytes], notes: Path) -> float:
    started = time.monotonic()
    while process.poll() is None and time.monotonic() < started + 60:
        if sum(f["kind"] == "report" for f in confirmed(notes)) >= 2:
            break
        time.sleep(0.02)
    return min(20.0, time.monotonic() - started)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kills", nargs="?", type=int, default=50)
    parser.add_argument("--quick", action="store_true", help="three kills")
    parser.add_argument("--only", choices=("flow", "sending"), help="one of the two; both without it")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--child", nargs=3, metavar=("HOME", "URL", "SEED"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(Path(options.child[0]), options.child[1], int(options.child[2]))
        return 0
    from tests.perf import flow_kill

    kills = 3 if options.quick else options.kills
    details: dict[str, dict[str, float]] = {}
    faults, passed = 0, True
    for name, perform in (("flow", flow_kill.run), ("sending", run)):
        if options.only not in (None, name):
            continue
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="ekinshi-kill-") as folder:
            tally = perform(kills, options.seed, Path(folder))
        seconds = round(time.monotonic() - started, 1)
        details[name] = {**dataclasses.asdict(tally), "seed": options.seed, "seconds": seconds}
        for what, value in details[name].items():
            print(f"{name:>8} {what:>16} {value}")
        faults += tally.lost + tally.torn + tally.falsely_proven + tally.sent_as_new
        passed = passed and tally.clean and tally.reports > 0
    result = {
        "name": "outbox_kill", "value": faults, "unit": "faults", "peer": "", "peer_value": None, "ratio": None,
        "passed": passed, "details": details,
    }  # fmt: skip
    print(json.dumps(result))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
