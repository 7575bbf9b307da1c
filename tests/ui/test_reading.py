"""The reading room: pictures, gestures in device pixels, the seal on the screen, verdicts by key."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu

from app.domain.verdict import Decision, Overall, RejectReason
from app.session.views import Changes
from app.ui.app_window import AppWindow
from app.ui.reading.ai_cards import AiCard
from app.ui.reading.card_parts import Badge
from app.ui.reading.paint_primitives import text_width
from app.ui.reading.render_pool import RenderPool
from app.ui.reading.viewport import bgra_image
from tests.ui.conftest import Open, settle, settled


def reading_room(open_window: Open, **kw: object) -> AppWindow:
    window = open_window(**kw)
    window.open_study("1.2.0")
    settled(lambda: window.screen_widget("reading").panes.idle())
    settle()
    return window


def test_every_pane_gets_a_picture_of_its_own_size(open_window: Open) -> None:
    window = reading_room(open_window)
    panes = window.screen_widget("reading").panes.panes
    assert len(panes) == 4
    for pane in panes.values():
        assert pane.picture.pixels.shape == (pane.height(), pane.width())
        assert "Серікбаева" in pane.accessibleName()
    assert window._workstation.reading.room.text_width is text_width


def test_layout_measures_are_those_of_the_design(open_window: Open) -> None:
    window = reading_room(open_window)
    screen = window.screen_widget("reading")
    assert (screen.strip.width(), screen.tools.height(), screen.findings.width()) == (220, 40, 360)
    sizes = [(p.width(), p.height()) for p in screen.panes.panes.values()]
    assert sizes[0] == (889, 992)
    assert all(abs(w - 448) <= 1 and abs(h - 328) <= 1 for w, h in sizes[1:])


def test_gestures_arrive_in_device_pixels_with_their_button(open_window: Open) -> None:
    window = reading_room(open_window)
    screen, reading = window.screen_widget("reading"), window._workstation.reading
    pane = screen.panes.panes["pane-0"]
    reading.asked.clear()
    QTest.mousePress(pane, Qt.MouseButton.RightButton, Qt.KeyboardModifier.ShiftModifier, QPoint(100, 50))
    QTest.mouseMove(pane, QPoint(120, 60))
    QTest.mouseRelease(pane, Qt.MouseButton.RightButton, Qt.KeyboardModifier.NoModifier, QPoint(120, 60))
    kinds = [(a[1], a[2], a[4]) for a in reading.asked if a[0] == "pointer"]
    assert kinds[0] == ("pane-0", "press", "window")
    assert kinds[-1] == ("pane-0", "release", "window")
    first = reading.asked[0][3]
    assert (first.x, first.y, first.shift) == (100 * pane.devicePixelRatioF(), 50 * pane.devicePixelRatioF(), True)


def test_a_double_click_enlarges_and_brings_back(open_window: Open) -> None:
    window = reading_room(open_window)
    panes = window.screen_widget("reading").panes
    QTest.mouseDClick(panes.panes["pane-2"], Qt.MouseButton.LeftButton)
    assert [p for p, w in panes.panes.items() if w.isVisible()] == ["pane-2"]
    assert panes.panes["pane-2"].size() == panes.size()
    QTest.mouseDClick(panes.panes["pane-2"], Qt.MouseButton.LeftButton)
    assert all(w.isVisible() for w in panes.panes.values())


def test_only_the_newest_waiting_request_is_made(qapp: object) -> None:
    pool = RenderPool()
    gate, made, shown = threading.Event(), [], []
    pool.ready.connect(lambda pane, picture: shown.append(picture))
    pool.request("a", lambda: (gate.wait(5), made.append(0), 0)[-1])
    for n in range(1, 6):
        pool.request("a", lambda n=n: (made.append(n), n)[-1])
    gate.set()
    assert settled(lambda: pool.idle())
    settle()
    assert made == [0, 5]
    assert shown == [0, 5]
    pool.shut()


def test_pixels_reach_the_screen_unchanged() -> None:
    grey = np.arange(35, dtype=np.uint8).reshape(5, 7)
    image = bgra_image(grey)
    assert [[image.pixelColor(x, y).red() for x in range(7)] for y in range(5)] == grey.tolist()
    bgra = np.zeros((2, 2, 4), np.uint8)
    bgra[0, 1] = (10, 20, 30, 255)
    assert bgra_image(bgra).pixelColor(1, 0).getRgb() == (30, 20, 10, 255)


def test_nothing_of_the_second_read_is_on_the_screen_before_the_commit(open_window: Open) -> None:
    window = reading_room(open_window)
    findings = window.screen_widget("reading").findings
    assert findings.sealed_foot.isVisible()
    assert not findings.revealed.isVisible()
    assert not findings.findChildren(AiCard)
    assert not [b for b in findings.findChildren(Badge) if b._text.startswith("A")]


def test_a_commit_needs_an_opinion(open_window: Open) -> None:
    window = reading_room(open_window)
    reading, findings = window._workstation.reading, window.screen_widget("reading").findings
    reading.own = []
    window._workstation.changed.emit(Changes(findings=True))
    assert findings.own.overall() is None
    assert not findings.sealed_foot.commit.isEnabled()
    findings.commit()
    assert reading.opinion is None
    findings.own.choose(Overall.NOTHING)
    assert findings.sealed_foot.commit.isEnabled()
    QTest.keyClick(window.screen_widget("reading"), Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert reading.opinion is not None
    assert reading.opinion.overall is Overall.NOTHING


def test_verdicts_by_single_keys(open_window: Open) -> None:
    window = reading_room(open_window)
    screen, reading = window.screen_widget("reading"), window._workstation.reading
    reading.reveal()
    settle()
    QTest.keyClick(screen, "a")
    assert reading.verdicts["2.25.10"].decision is Decision.ACCEPTED
    QTest.keyClick(screen, "n")
    assert reading.selected_finding == "2.25.11"
    QTest.keyClick(screen, "r")
    settle()
    menus = [m for m in window.findChildren(QMenu) if m.isVisible()]
    assert len(menus) == 1
    assert len(menus[0].actions()) == len(RejectReason)
    menus[0].actions()[3].trigger()
    menus[0].close()
    assert reading.verdicts["2.25.11"].reason is RejectReason.ARTEFACT
    QTest.keyClick(screen, "n")
    QTest.keyClick(screen, "a")
    settle()
    assert reading.second_read().unanswered == 0
    assert screen.findings.revealed_foot.report.isVisible()


def test_verdict_buttons_are_equal(open_window: Open) -> None:
    window = reading_room(open_window)
    window._workstation.reading.reveal()
    settle(0.1)
    card = window.screen_widget("reading").findings.findChildren(AiCard)[0]
    buttons = [b for b in card.findChildren(type(card.reject)) if b.text() in ("Accept", "Modify", "Reject")]
    assert len(buttons) == 3
    assert {b._kind for b in buttons} == {"outline"}
    assert max(b.width() for b in buttons) - min(b.width() for b in buttons) <= 1


def test_one_key_hides_all_ai_and_the_sliders_move_the_map(open_window: Open) -> None:
    window = reading_room(open_window)
    screen, reading = window.screen_widget("reading"), window._workstation.reading
    reading.reveal()
    settle()
    QTest.keyClick(screen, "h")
    assert reading.heat["visible"] is False
    card = screen.findings.revealed._heatmap
    card._threshold.setFocus()
    QTest.keyClick(card._threshold, Qt.Key.Key_Right)
    assert reading.heat["threshold"] == 0.35


def test_tools_presets_and_looks_by_key(open_window: Open) -> None:
    window = reading_room(open_window)
    screen, reading = window.screen_widget("reading"), window._workstation.reading
    QTest.keyClick(screen, "l")
    assert reading.active_tool == "length"
    QTest.keyClick(screen, "2")
    QTest.keyClick(screen, "i")
    QTest.keyClick(screen, Qt.Key.Key_Down)
    commands = [(a[1], a[2]) for a in reading.asked if a[0] == "command"]
    assert commands == [("window_preset", {"name": "mediastinum"}), ("invert", {}), ("next_image", {})]


def test_strip_and_panel_fold_away_by_key(open_window: Open) -> None:
    window = reading_room(open_window)
    screen = window.screen_widget("reading")
    QTest.keyClick(screen, "o")
    QTest.keyClick(screen, "p")
    settle()
    assert not screen.strip.isVisible()
    assert not screen.findings.isVisible()
    assert screen.panes.width() == window.width()
    screen.tools.unfold.click()
    assert screen.strip.isVisible()


def test_marks_are_edited_on_their_card(open_window: Open) -> None:
    window = reading_room(open_window)
    reading, findings = window._workstation.reading, window.screen_widget("reading").findings
    QTest.keyClick(window.screen_widget("reading"), "f")
    assert len(reading.own) == 3
    from app.ui.widgets.segments import Segments

    card = findings.own._cards.itemAt(0).widget()
    levels = [s for s in card.findChildren(Segments) if len(s._options) == 5][0]
    levels._choose(1)
    assert reading.asked[-1] == ("edit", "2.25.1", {"confidence": 2})


def test_a_pane_says_why_it_is_empty(open_window: Open) -> None:
    from app.domain.problem import Problem

    window = reading_room(open_window)
    pane = window.screen_widget("reading").panes.panes["pane-1"]
    for picture in (
        SimpleNamespace(pixels=None, decorations=(), loading=True, fraction=0.4, problem=None),
        SimpleNamespace(pixels=None, decorations=(), loading=False, fraction=0.0, problem=Problem("ui.report.choose_place")),
        SimpleNamespace(pixels=None, decorations=(), loading=False, fraction=0.0, problem=None),
    ):
        pane.show_picture(picture)
        image = pane.grab().toImage()
        lit = sum(
            image.pixelColor(x, y).lightness() > 60 for x in range(0, image.width(), 2) for y in range(0, image.height(), 2)
        )
        assert lit > 20


def test_the_first_opinion_can_be_looked_at_again(open_window: Open) -> None:
    from app.ui.reading.opinion_sheet import OpinionSheet

    window = reading_room(open_window)
    window._workstation.reading.reveal()
    settle()
    window.screen_widget("reading").findings.revealed_foot.show_opinion()
    sheet = window.findChildren(OpinionSheet)[0]
    assert sheet._overall.text() == "Findings"
    assert sheet._marks.count() == 3
    QTest.keyClick(sheet, Qt.Key.Key_Escape)
    assert not sheet.isVisible()


def test_a_trackpad_scrolls_one_image_a_notch_and_control_zooms(open_window: Open) -> None:
    from PySide6.QtCore import QPointF
    from PySide6.QtGui import QWheelEvent

    window = reading_room(open_window)
    reading, pane = window._workstation.reading, window.screen_widget("reading").panes.panes["pane-0"]
    reading.asked.clear()

    def turn(delta: int, keys: Qt.KeyboardModifier) -> None:
        at = QPointF(50, 50)
        buttons, phase = Qt.MouseButton.NoButton, Qt.ScrollPhase.NoScrollPhase
        pane.wheelEvent(QWheelEvent(at, at, QPoint(), QPoint(0, delta), buttons, keys, phase, False))

    for _ in range(5):
        turn(-30, Qt.KeyboardModifier.NoModifier)
    turn(120, Qt.KeyboardModifier.ControlModifier)
    sent = [(a[2], a[3].wheel, a[4]) for a in reading.asked if a[0] == "pointer"]
    assert sent == [("wheel", -1.0, ""), ("wheel", 1.0, "zoom")]


def test_a_failed_second_read_says_so_and_offers_a_retry(open_window: Open) -> None:
    from dataclasses import replace

    from app.domain.problem import Problem
    from app.session.views import AiState
    from app.ui.widgets.buttons import Button

    window = reading_room(open_window)
    reading, findings = window._workstation.reading, window.screen_widget("reading").findings
    reading.own = []
    sealed = replace(reading.second_read(), state=AiState.FAILED, problem=Problem("ui.report.choose_place"))
    reading.second_read = lambda: sealed
    for committed in (False, True):
        if committed:
            reading.commit(Overall.NOTHING)
            settle()
        window._workstation.changed.emit(Changes(second_read=True))
        settle()
        again = [b for b in findings.findChildren(Button) if b.isVisible() and b.text() == "Try again"]
        assert len(again) == 1, committed
        reading.asked.clear()
        again[0].click()
        assert ("retry_read",) in reading.asked
