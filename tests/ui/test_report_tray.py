"""Report desk and tray: writing where the text stands, signing with a PIN, following to the proof."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from app.domain.problem import Problem
from app.ui.app_window import AppWindow
from app.ui.report.line_edit import LineEdit
from tests.ui.conftest import Open, settle


def report_desk(open_window: Open) -> AppWindow:
    window = open_window()
    window.open_study("1.2.0")
    window._workstation.reading.reveal()
    for finding in ("2.25.10", "2.25.11", "2.25.20"):
        window._workstation.reading.accept(finding)
    window.go("report")
    settle(0.1)
    return window


def test_a_line_is_edited_where_it_stands(open_window: Open) -> None:
    window = report_desk(open_window)
    screen, reading = window.screen_widget("report"), window._workstation.reading
    line = screen.document.findChildren(LineEdit)[1]
    line.edit.setFocus()
    line.edit.setPlainText("Солидный очаг 6 мм.")
    screen.right.box.pin.edit.setFocus()
    assert ("edit_line", "lungs", 1, "Солидный очаг 6 мм.") in reading.asked
    line.edit.setFocus()
    line.edit.setPlainText("")
    screen.right.box.pin.edit.setFocus()
    assert ("remove_line", "lungs", 1) in reading.asked


def test_lines_take_the_room_that_their_words_need(open_window: Open) -> None:
    screen = report_desk(open_window).screen_widget("report")
    lines = screen.document.findChildren(LineEdit)
    assert lines[0].height() > lines[1].height()
    for line in lines:
        bar = line.edit.verticalScrollBar()
        assert bar.maximum() == 0, line.line.text


def test_a_wrong_pin_is_said_and_forgotten(open_window: Open) -> None:
    window = report_desk(open_window)
    box = window.screen_widget("report").right.box
    assert box.button.isEnabled()
    box.pin.edit.setText("9999")
    QTest.keyClick(window.screen_widget("report"), Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert box.pin.edit.text() == ""
    assert "PIN is wrong" in box._said.text()
    assert window._workstation.reading.signed == ""
    box.pin.edit.setText("1234")
    box.sign()
    settle()
    assert window._workstation.reading.signed
    assert window.screen_widget("report").right._signed.isVisible()


def test_what_is_not_confirmed_is_said_before_signing_and_blocks_nothing(open_window: Open) -> None:
    window = report_desk(open_window)
    box, view = window.screen_widget("report").right.box, window._workstation.reading.report()
    assert not box._remarks.isVisible()
    box.show_view(replace(view, remarks=(Problem("report.remark.mismatch", {"n": 2}),)))
    assert box._remarks.isVisible()
    assert "2 measurements are not confirmed" in box._remarks.text()
    assert box.button.isEnabled()
    box.show_view(view)
    assert not box._remarks.isVisible()


def test_unanswered_findings_block_signing(open_window: Open) -> None:
    window = open_window()
    window.open_study("1.2.0")
    window._workstation.reading.reveal()
    window.go("report")
    box = window.screen_widget("report").right.box
    assert not box.button.isEnabled()
    box.pin.edit.setText("1234")
    box.sign()
    assert window._workstation.reading.signed == ""
    assert box._said.text()


def test_key_images_lead_back_to_the_finding(open_window: Open) -> None:
    window = report_desk(open_window)
    window.screen_widget("report").images.chosen.emit("2.25.10")
    assert window.screen == "reading"
    assert window._workstation.reading.selected_finding == "2.25.10"


def test_tray_rows_act_and_prove(open_window: Open) -> None:
    window = open_window()
    window.go("tray")
    screen = window.screen_widget("tray")
    table = screen.table
    rect = table.list.rect_of("r1")
    x, width = table.columns(rect.width())[-1]
    spot = QPoint(round(rect.left() + x + width - 40), round(rect.center().y()))
    QTest.mouseClick(table.list.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, spot)
    assert ("retry_item", "r1") in window._workstation.asked
    screen.proof.copy()
    copied = QGuiApplication.clipboard().text()
    assert "SHA-256 equal, 4 of 4" in copied
    assert "Әбдірахман" not in copied


def test_tray_filters_and_targets(open_window: Open) -> None:
    window = open_window()
    window.go("tray")
    screen = window.screen_widget("tray")
    assert len(screen.table.list.rows()) == 4
    screen.filters._rows["proven"].click()
    assert [r.key for r in screen.table.list.rows()] == ["r4"]
    screen.filters._rows["everything"].click()
    columns = len(screen.table.columns(1300))
    screen.filters._targets.itemAt(1).widget().click()
    assert len(screen.table.columns(1300)) == columns - 1
    QTest.keyClick(screen, "r", Qt.KeyboardModifier.ControlModifier)
    assert ("try_now",) in window._workstation.asked


def test_an_empty_tray_says_what_will_come(open_window: Open) -> None:
    window = open_window(empty=True)
    window.go("tray")
    screen = window.screen_widget("tray")
    assert screen._empty.isVisible()
    assert not screen.table.isVisible()
    assert not screen.proof.isVisible()
