"""Import, hang, mark, commit, reveal, accept, modify, reject, sign, line down, line up, verified in a real archive."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QMenu

from app.demo import Demo
from app.dicom.encapsulated import extract_pdf
from app.domain.outbox import OutboxState
from app.domain.report import Origin
from app.domain.verdict import Decision, RejectReason
from app.report.verification import verify_file, verify_pdf
from app.session.views import AiState
from app.session.wiring import DEMO_PIN
from app.sync import multipart
from app.ui.reading.ai_cards import AiCard
from app.ui.reading.modify_form import ModifyForm
from app.ui.reading.viewport import Viewport
from tests.flows import stage
from tests.flows.conftest import OpenDesk
from tests.flows.stage import BALLS, SIZE_MM, Beacon, Line
from tests.servers import Orthanc, running_orthanc, unavailable


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path / "orthanc") as server:
        yield server


@pytest.fixture
def line(orthanc: Orthanc) -> Iterator[Line]:
    made = Line(orthanc.port)
    yield made
    made.close()


def key(demo: Demo, name: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier, text: str = "") -> None:
    for kind in (QKeyEvent.Type.KeyPress, QKeyEvent.Type.KeyRelease):
        QApplication.sendEvent(demo.window, QKeyEvent(kind, name, modifier, text))
    demo.pump(0.02)


def draw_across(demo: Demo, centre: tuple[float, float, float], millimetres: float) -> None:
    """Measures by the mouse: L, then a drag over the ball on the large pane."""
    reading = demo.workstation.reading
    assert reading is not None
    reading.room.show_point(centre)
    demo.settle()
    pane = next(v for v in demo.window.findChildren(Viewport) if v.isVisible() and v.pane_id == "pane-0")
    context = reading.room.context("pane-0")
    assert context is not None
    at = context.resolved.patient_to_pane(centre)
    scale = context.resolved.mm_per_pane_px
    assert scale is not None
    half = millimetres / 2 / scale
    ratio = pane.devicePixelRatioF()
    start, end = (QPoint(round((at[0] + d) / ratio), round(at[1] / ratio)) for d in (-half, half))
    key(demo, Qt.Key.Key_L, text="l")
    QTest.mousePress(pane, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
    for step in (0.5, 1.0):
        QTest.mouseMove(pane, QPointF(start + (end - start) * step).toPoint())
        demo.pump(0.02)
    QTest.mouseRelease(pane, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, end)
    demo.pump(0.05)


def test_from_a_folder_to_a_proven_report(
    open_desk: OpenDesk, beacon: Beacon, orthanc: Orthanc, line: Line, tmp_path: Path
) -> None:
    uid = stage.write_study(tmp_path / "dicom")
    home = tmp_path / "home"
    stage.configure_dicomweb(home, f"http://127.0.0.1:{line.port}/dicom-web", Orthanc.USER, Orthanc.PASSWORD)
    demo = open_desk(home, beacon)
    window, workstation = demo.window, demo.workstation

    # import, hang
    window.import_paths([tmp_path / "dicom"])
    demo.until(lambda: not workstation.tasks(), 30, "import")
    demo.pump(0.1)
    assert window.worklist.table.list.current_key() == uid
    key(demo, Qt.Key.Key_Return)
    reading = workstation.reading
    assert reading is not None
    assert window.screen == "reading"
    assert reading.hanging_title().id == "hanging.chest_ct"
    demo.settle()

    # mark
    draw_across(demo, BALLS[0], 6.8)
    assert len(reading.desk.marks) == 1
    assert reading.desk.own_findings() == ()
    key(demo, Qt.Key.Key_F, text="f")
    mine = reading.desk.own_findings()
    assert len(mine) == 1
    long_axis = mine[0].measured("long_axis")
    assert long_axis is not None
    assert long_axis.value == pytest.approx(6.8, abs=0.9)  # a pane pixel is 0.1 to 0.3 mm here
    demo.until(lambda: reading.second_read().state is AiState.SEALED, 60, "second read")
    assert reading.second_read().total_ai == 0

    # commit, reveal
    key(demo, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    view = reading.second_read()
    assert view.state is AiState.REVEALED
    assert (view.total_ai, len(view.agreed), len(view.ai_only), view.unanswered) == (4, 1, 3, 4)
    assert workstation.library.opinions.is_committed(uid, workstation.person.person_id)
    blocked = [p.code for p in reading.report().blocked_by]
    assert "report.blocked.unanswered" in blocked

    # accept, modify, reject by keys; the agreed one with its own button's command
    demo.settle()
    first, second, third = (c.finding.finding_id for c in view.ai_only)
    rejected_mm = view.ai_only[2].finding.measured("long_axis")
    assert rejected_mm is not None
    assert rejected_mm.value > SIZE_MM
    reading.jump_to(first)
    demo.pump(0.05)
    key(demo, Qt.Key.Key_A, text="a")
    reading.jump_to(second)
    demo.pump(0.05)
    key(demo, Qt.Key.Key_M, text="m")
    form = window.findChildren(ModifyForm)[-1]
    form._long.edit.setText("11.5")
    form._save()
    reading.jump_to(third)
    demo.pump(0.05)
    key(demo, Qt.Key.Key_R, text="r")
    open_card = next(c for c in window.findChildren(AiCard) if c.isVisible())
    menu = next(m for m in open_card.findChildren(QMenu) if m.isVisible())
    menu.actions()[0].trigger()
    menu.close()
    reading.accept_agreed()
    demo.pump(0.05)
    verdicts = reading.desk.verdicts
    assert [verdicts[f].decision for f in (first, second, third)] == [
        Decision.ACCEPTED, Decision.MODIFIED, Decision.REJECTED,
    ]  # fmt: skip
    assert verdicts[third].reason is next(iter(reading.reject_reasons()))[0]
    assert isinstance(verdicts[third].reason, RejectReason)
    assert reading.second_read().unanswered == 0

    # sign, with the line down
    line.down()
    window.go("report")
    demo.settle()
    reported = [reference for s in reading.report().report.sections for reference in s.lines]
    assert Origin.BOTH in {r.origin for r in reported}
    pin = next(e for e in window.findChildren(QLineEdit) if e.accessibleName() == "PIN")
    pin.setText("0000")
    key(demo, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert workstation.library.reports.latest(uid) is None, "signed with a wrong PIN"
    pin.setText(DEMO_PIN)
    key(demo, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    demo.until(lambda: not workstation.tasks(), 60, "signature")
    signed = workstation.library.reports.latest(uid)
    assert signed is not None
    report_id = signed.report.report_id

    def states() -> set[OutboxState]:
        return {i.state for i in workstation.library.outbox.items(report_id=report_id)}

    demo.until(lambda: OutboxState.WAITING in states(), 30, "the line is noticed")
    assert not states() & {OutboxState.ACCEPTED, OutboxState.VERIFIED}
    window.go("tray")
    demo.pump(0.1)
    tray = workstation.tray()
    assert tray.line_down_since
    assert [r.group for r in tray.rows] == ["waits"]

    # line up
    line.up()
    workstation.try_now()
    demo.until(lambda: states() == {OutboxState.VERIFIED}, 60, "proof")
    demo.pump(0.1)
    assert [r.group for r in workstation.tray().rows] == ["proven"]
    items = workstation.library.outbox.items(report_id=report_id)
    kinds = {i.kind for i in items}
    assert {"report_pdf", "verdict_sr", "ai_sr", "seg", "heatmap", "key_objects", "presentation"} <= kinds, kinds
    assert orthanc.count() == len(items)

    # read back byte for byte, by somebody else than the programme
    written = tmp_path / "written"
    written.mkdir()
    for item in items:
        ours = workstation.library.objects.read(f"object:{item.object_name}")
        theirs = wado(orthanc, item.study_instance_uid, item.sop_instance_uid)
        assert theirs == ours, item.kind
        assert hashlib.sha256(theirs).hexdigest() == item.sha256
        (written / f"{item.kind}-{item.sop_instance_uid[-6:]}.dcm").write_bytes(theirs)
    pdf = extract_pdf(next(p for p in written.iterdir() if p.name.startswith("report_pdf")).read_bytes()).pdf
    assert verify_pdf(pdf).valid
    assert all(verify_file(p).valid for p in written.glob("report_pdf*"))
    report = workstation.library.reports.latest(uid)
    assert report is not None
    text = " ".join(line.text for s in report.report.sections for line in s.lines)
    assert "11.5" in text or "11,5" in text, text
    assert f"{rejected_mm.value:.1f}" not in text, "the rejected finding stands in the report"
    impression = next(s for s in report.report.sections if s.section_id == "impression")
    assert [line.text[:2] for line in impression.lines] == ["1.", "2.", "3."]
    check_with_dciodvfy(sorted(written.iterdir()))


def wado(server: Orthanc, study: str, sop: str) -> bytes:
    """One object by WADO-RS, found by QIDO-RS."""
    auth = (Orthanc.USER, Orthanc.PASSWORD)
    found = requests.get(f"{server.url}/studies/{study}/instances?SOPInstanceUID={sop}", auth=auth, timeout=10).json()
    series = found[0]["0020000E"]["Value"][0]
    answer = requests.get(
        f"{server.url}/studies/{study}/series/{series}/instances/{sop}",
        auth=auth,
        headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'},
        timeout=10,
    )
    answer.raise_for_status()
    parts = multipart.decode(answer.content, answer.headers["Content-Type"])
    return next(content for _, content in parts)


def check_with_dciodvfy(files: list[Path]) -> None:
    program = shutil.which("dciodvfy")
    if program is None:
        unavailable("dciodvfy (Debian package dicom3tools)")
    for file in files:
        done = subprocess.run([str(program), str(file)], capture_output=True, text=True, check=False)
        errors = [x for x in (done.stdout + done.stderr).splitlines() if x.startswith("Error")]
        assert not errors, (file.name, errors)
