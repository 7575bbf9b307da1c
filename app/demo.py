"""The whole path played through the real window, without a person: for a first run without a screen, and for the pictures.

Only a store that was created as a demonstration takes part: the verdicts and the signature are scripted, every page and
object says DEMONSTRATION, and the certificate is one that the demonstration made for itself.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.domain.problem import ProblemError, fail

if TYPE_CHECKING:
    from app.domain.finding import Finding
    from app.samples.catalogue import SampleStudy
    from app.session.reading_session import ReadingSession
    from app.session.workstation import Workstation
    from app.ui.app_window import AppWindow

SIZE = (1920, 1080)
QUIET_TURNS = 16
"""Turns of the event loop, of 20 ms each, without anything under way before a picture is taken."""
HIT_MM = 8.0
"""A finding this near to a generated nodule's surface is one of it."""


@dataclass
class Demo:
    """One performance: the window, where the pictures go, and the wait that keeps the window alive."""

    window: AppWindow
    workstation: Workstation
    out: Path
    quiet: bool = False

    def say(self, text: str) -> None:
        if not self.quiet:
            print(f"ekinshi · {text}", flush=True)

    def pump(self, seconds: float = 0.0) -> None:
        """Lets the window live for a while."""
        from PySide6.QtCore import QCoreApplication, QEvent, QEventLoop

        end = time.monotonic() + seconds
        while True:
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)
            # Outside of exec() Qt keeps what is to be deleted; a window that is used for long would grow.
            QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
            if time.monotonic() >= end:
                return
            time.sleep(0.005)

    def until(self, done: Callable[[], bool], seconds: float, what: str) -> None:
        """Waits for something that must happen; raises ``demo.stuck`` when it does not."""
        end = time.monotonic() + seconds
        while not done():
            self.pump(0.02)
            if time.monotonic() > end:
                raise fail("demo.stuck", what=what, seconds=round(seconds))

    def settle(self, seconds: float = 30.0) -> None:
        """Until nothing is decoded or drawn, and for some turns of the event loop after: changes are told in later turns."""
        panes = getattr(self.window.screen_widget(self.window.screen), "panes", None)
        quiet = 0
        end = time.monotonic() + seconds
        while quiet < QUIET_TURNS:
            self.pump(0.02)
            working = self.workstation.images_busy() or (panes is not None and not panes.idle())
            quiet = 0 if working else quiet + 1
            if time.monotonic() > end:
                raise fail("demo.stuck", what="pictures", seconds=round(seconds))

    def picture(self, name: str) -> Path:
        """A picture of the window as it stands."""
        folder = self.out / "screens"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.png"
        self.window.grab().save(str(path))
        return path


def truth_points(sample: SampleStudy) -> list[tuple[tuple[float, float, float], float]]:
    """(centre in LPS mm, diameter in mm) of the nodules that the generator put into a study."""
    return [
        (a.centre_lps_mm, a.diameter_mm or 6.0) for a in sample.answers if a.centre_lps_mm is not None and a.kind == "nodule"
    ]


def is_true(finding: Finding, truth: list[tuple[tuple[float, float, float], float]]) -> bool:
    centre = finding.location.centre_lps_mm
    return centre is not None and any(math.dist(centre, point) <= d / 2 + HIT_MM for point, d in truth)


def draw_nodule(demo: Demo, reading: ReadingSession, centre: tuple[float, float, float], diameter_mm: float) -> None:
    """Measures a nodule by the bidirectional tool, by the mouse, in the first pane."""
    from app.viewer.tool_api import Button, PointerEvent

    pane = reading.layout().panes[0].pane_id
    reading.room.show_point(centre)
    demo.settle()
    context = reading.room.context(pane)
    at = context.resolved.patient_to_pane(centre) if context is not None else None
    scale = context.resolved.mm_per_pane_px if context is not None else None
    if at is None or scale is None:
        raise fail("demo.stuck", what="measurement", seconds=0)
    half = diameter_mm / 2 / scale
    reading.set_tool("bidirectional")
    strokes = (((at[0] - half, at[1]), (at[0] + half, at[1])), ((at[0], at[1] - half * 0.9), (at[0], at[1] + half * 0.9)))
    for start, end in strokes:
        reading.pointer(pane, "press", PointerEvent(start[0], start[1], Button.LEFT))
        reading.pointer(pane, "drag", PointerEvent(end[0], end[1], Button.LEFT))
        reading.pointer(pane, "release", PointerEvent(end[0], end[1], Button.LEFT))
    reading.set_tool("window")


def judge(demo: Demo, reading: ReadingSession, truth: list[tuple[tuple[float, float, float], float]]) -> None:
    """Scripted verdicts of a demonstration: what lies on a generated nodule is accepted (one with the reader's own
    size), everything else is rejected as not present."""
    from app.domain.verdict import RejectReason

    modified = False
    reading.accept_agreed()
    for card in reading.second_read().ai_only:
        finding = card.finding
        if not is_true(finding, truth):
            reading.reject(finding.finding_id, RejectReason.NOT_PRESENT)
        elif not modified and (long := finding.measured("long_axis")) is not None:
            reading.modify(finding.finding_id, long_axis_mm=round(long.value + 0.4, 1))
            modified = True
        else:
            reading.accept(finding.finding_id)
        demo.pump(0.02)


def play(demo: Demo, samples: list[SampleStudy]) -> str:
    """From the empty library to the proof; returns the report's id. Raises ``ProblemError`` when a step does not come."""
    from app.domain.verdict import ImageQuality, Overall
    from app.session.views import AiState
    from app.session.wiring import DEMO_PIN

    window, workstation = demo.window, demo.workstation
    chest = next(s for s in samples if s.key == "chest_ct")
    truth = truth_points(chest)
    demo.pump(0.3)
    demo.picture("1-first-run")
    workstation.import_paths([s.folder for s in samples])
    demo.until(lambda: not workstation.tasks(), 60, "import")
    demo.say(f"{len(samples)} studies imported, encrypted")
    window.go("worklist")
    demo.settle()

    window.open_study(chest.study_instance_uid)
    reading = workstation.reading
    assert reading is not None
    demo.settle(40)
    largest = max(truth, key=lambda item: item[1])
    draw_nodule(demo, reading, *largest)
    mark = reading.add_mark()
    if mark is not None:
        reading.edit_mark(mark, composition="solid", confidence=4)
    reading.select_finding("")
    has_reader = reading.second_read().state is not AiState.NO_READER
    if has_reader:
        waiting = (AiState.WAITING, AiState.RUNNING)
        demo.until(lambda: reading.second_read().state not in waiting, 300, "second read")
    demo.settle()
    demo.picture("3-reading-sealed")
    window.go("worklist")
    demo.settle()
    demo.picture("2-worklist")
    window.go("reading")
    reading.commit(Overall.FINDINGS, ImageQuality.DIAGNOSTIC)
    second = reading.second_read()
    demo.say(f"first opinion kept; second read: {second.state.value}, {second.total_ai} findings")
    if second.ai_only:
        reading.jump_to(second.ai_only[0].finding.finding_id)
    demo.settle()
    demo.picture("4-reading-revealed")

    judge(demo, reading, truth)
    demo.settle()
    demo.picture("5-reading-judged")
    window.go("report")
    demo.settle()
    demo.pump(0.3)
    demo.picture("6-report")
    reading.sign(DEMO_PIN)
    demo.until(lambda: not workstation.tasks(), 60, "signature")
    latest = workstation.library.reports.latest(chest.study_instance_uid)
    if latest is None:
        raise fail("demo.stuck", what="signature", seconds=60)
    demo.say("report signed with a test certificate")
    report_id = latest.report.report_id
    demo.until(lambda: _proven(workstation, report_id), 60, "proof")
    window.go("tray")
    demo.settle()
    demo.picture("7-tray")
    window.go("report")
    demo.settle()
    demo.picture("8-report-signed")
    return report_id


def show_chairside(demo: Demo, samples: list[SampleStudy]) -> None:
    """The dental page with the generated panoramic film: the second read open, some of it answered, one entry of the
    dentist's own. A second reader that is not installed or not ready leaves the chart to the dentist."""
    from app.session.views import AiState

    film = next((s for s in samples if s.key == "panoramic"), None)
    if film is None:
        return
    demo.window.open_study(film.study_instance_uid)
    reading = demo.workstation.reading
    if reading is None or reading.teeth is None:
        return
    demo.settle(40)
    waiting = (AiState.WAITING, AiState.RUNNING)
    demo.until(lambda: reading.second_read().state not in waiting, 120, "second read")
    reading.show_ai()
    known = {(a.region, a.kind) for a in film.answers}
    kinds = {"finding.filled_tooth": "filling", "finding.impacted_tooth": "impacted", "finding.missing_tooth": "missing"}
    for card in reading.second_read().ai_only:
        if (card.finding.region, kinds.get(card.title.id, "")) in known:
            reading.accept(card.finding.finding_id)
    reading.teeth.toggle(46, "crown_fracture")
    reading.teeth.toggle_surface(46, "M")
    left = reading.second_read().ai_only
    if left:
        reading.jump_to(next((c for c in left if c.verdict is None), left[0]).finding.finding_id)
    demo.settle(40)
    demo.picture("9-chairside")


def _proven(workstation: Workstation, report_id: str) -> bool:
    from app.domain.outbox import OutboxState

    items = workstation.library.outbox.items(report_id=report_id)
    return bool(items) and all(i.state is OutboxState.VERIFIED for i in items)


def write_results(demo: Demo, report_id: str) -> None:
    """findings.json, report.pdf and receipt.json beside the pictures."""
    from app.report.verification import receipt_document
    from app.session.headless_read import findings_document

    reading = demo.workstation.reading
    assert reading is not None
    library, uid = demo.workstation.library, reading.study.study_instance_uid
    verdicts = reading.desk.verdicts
    results = reading.desk.results
    runs = [{"name": r.reader.name, "version": r.reader.version, "state": r.state.value, "reason": ""} for r in results]
    document = findings_document(reading.study, results, runs, "revealed after a first opinion")
    document["demonstration"] = True
    for entry in document["findings"]:
        verdict = verdicts.get(entry["finding_id"])
        entry["verdict"] = (
            {"decision": verdict.decision.value, "reason": verdict.reason.value if verdict.reason else ""}
            if verdict
            else None
        )
    _write_json(demo.out / "findings.json", document)
    pdf = reading.reports.signed_pdf()
    assert pdf is not None
    (demo.out / "report.pdf").write_bytes(pdf)
    signed = next(s for s in library.reports.signed(uid) if s.report.report_id == report_id)
    rows = []
    for item in library.outbox.items(report_id=report_id):
        proof = next(r for r in reversed(library.outbox.receipts(item.item_id)) if r.level == "verified")
        rows.append(
            {
                "sop_instance_uid": item.sop_instance_uid,
                "kind": item.kind,
                "target": item.target,
                "level": proof.level,
                "sha256_sent": proof.sha256_sent,
                "sha256_read_back": proof.sha256_read_back,
                "checked_at": proof.checked_at,
                "server": proof.server,
            }
        )
    receipt = receipt_document(
        report_id=report_id, manifest=signed.manifest, signature=signed.signature, receipts=rows, state="verified"
    )
    _write_json(demo.out / "receipt.json", {**receipt, "demonstration": True})


def _write_json(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def main(out: Path, language: str = "en", size: tuple[int, int] = SIZE) -> int:
    """Plays the path and leaves screens/, findings.json, report.pdf and receipt.json in ``out``. Exit code 0 or 1."""
    started = time.monotonic()
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from app.domain.messages import sentence

    try:
        perform(out, language, size)
    except ProblemError as error:
        print(f"ekinshi: {sentence(language, error.problem)}", file=sys.stderr)
        return 1
    print(f"ekinshi · done in {time.monotonic() - started:.0f} s. A demonstration on generated studies lies in {out}:")
    for path in sorted(out.rglob("*")):
        if path.is_file():
            print(f"  {path}")
    return 0


def perform(out: Path, language: str = "en", size: tuple[int, int] = SIZE, quiet: bool = False) -> None:
    """Raises ``ProblemError`` when a step of the path does not come."""
    from app.ui.app_window import AppWindow, application

    application()
    from app.samples.catalogue import write_samples
    from app.session.homes import cache_folder
    from app.session.wiring import EphemeralHome, Options, open_workstation
    from app.ui.main_loop import QtMainLoop

    out.mkdir(parents=True, exist_ok=True)
    with EphemeralHome() as home:
        loop = QtMainLoop()
        workstation = open_workstation(Options(home.path, home.keys, demo=True, language=language), loop)
        try:
            window = AppWindow(workstation)
            window.resize(*size)
            window.show()
            demo = Demo(window, workstation, out, quiet)
            demo.say("writing the sample studies")
            samples = write_samples(cache_folder() / "samples")
            report_id = play(demo, list(samples))
            write_results(demo, report_id)
            show_chairside(demo, list(samples))
            window.close()
            window.deleteLater()
            demo.pump(0.1)
        finally:
            workstation.shutdown()
