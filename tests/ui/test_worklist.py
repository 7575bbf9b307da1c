"""The worklist by hand and by key: search, filters, opening, dropping, importing."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest

from app.domain.problem import Problem
from app.session.views import Notice, TaskState
from app.ui.widgets.row_list import Row, Section
from tests.ui.conftest import Open, settle, settled


def test_search_lifts_matches_and_hides_nothing(open_window: Open) -> None:
    window = open_window()
    QTest.keyClick(window, "/")
    assert window.worklist.search.edit.hasFocus()
    QTest.keyClicks(window.worklist.search.edit, "aliya")
    settled(lambda: "aliya" in str(window.worklist.table.list.item(0)))
    items = [window.worklist.table.list.item(n) for n in range(12)]
    assert isinstance(items[0], Section)
    assert items[0].count == 3
    assert [i.payload.matched for i in items if isinstance(i, Row)] == [True] * 3 + [False] * 7
    assert "Алия" in window.worklist.search.note.text()


def test_letters_typed_into_the_search_are_no_commands(open_window: Open) -> None:
    window = open_window()
    window.worklist.search.setFocus()
    QTest.keyClicks(window.worklist.search.edit, "iso")
    assert window.worklist.search.text() == "iso"
    assert window._workstation.asked == []


def test_filters_and_days_reach_the_query(open_window: Open) -> None:
    window = open_window()
    asked = []
    real = window._workstation.worklist
    window._workstation.worklist = lambda query: asked.append(query) or real(query)
    window.worklist.filters._rows["sealed"].click()
    window.worklist.filters._day_rows[7].click()
    first_tick = window.worklist.filters._ticks.itemAt(0).widget()
    first_tick.click()
    assert asked[-1].filter == "sealed"
    assert asked[-1].days == 7
    assert asked[-1].modalities == {"MG", "DX", "PX", "MR"}


def test_arrows_and_return_open_the_study(open_window: Open) -> None:
    window = open_window()
    rows = window.worklist.table.list
    first = rows.current_key()
    QTest.keyClick(rows, Qt.Key.Key_Down)
    assert rows.current_key() != first
    assert window.worklist._preview._uid == rows.current_key()
    QTest.keyClick(rows, Qt.Key.Key_Return)
    assert window.screen == "reading"
    QTest.keyClick(window.screen_widget("reading"), Qt.Key.Key_Escape)
    assert window.screen == "worklist"


def test_files_may_be_dropped_anywhere(open_window: Open, tmp_path: Path) -> None:
    window = open_window()
    window.go("tray")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path))])
    event = QDropEvent(
        QPointF(50, 50), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    window.dropEvent(event)
    assert settled(lambda: ("import", tmp_path) in window._workstation.asked)
    assert window.screen == "worklist"


def test_first_day_offers_samples_by_key_and_speaks_the_language(open_window: Open) -> None:
    window = open_window(empty=True)
    QTest.keyClick(window.worklist, "s")
    assert ("samples",) in window._workstation.asked
    window.worklist.empty._languages.set_value("kk")
    window.worklist.empty._languages.chosen.emit("kk")
    assert window._workstation.language == "kk"


def test_running_work_shows_a_number_and_a_way_out(open_window: Open) -> None:
    window = open_window()
    assert not window.status.isVisible()
    window._workstation.run_task(0.42)
    assert window.status.isVisible()
    assert window.status._percent.text() == "42 %"
    window.status._stop.click()
    assert ("cancel", "t1") in window._workstation.asked
    window._workstation.run_task(1.0, TaskState.DONE)
    assert not window.status.isVisible()


def test_an_import_with_refusals_names_each_with_its_reason(open_window: Open) -> None:
    window = open_window()
    window.import_paths([Path("OLD")])
    window._workstation.run_task(0.9)
    assert window._import_sheet is None
    window._workstation.run_task(1.0, TaskState.DONE)
    sheet = window._import_sheet
    assert sheet is not None
    assert sheet.isVisible()
    texts = [t.text() for t in sheet.findChildren(type(window.worklist._foot))]
    assert "OLD/IM000213.dcm" in texts
    assert any("31,744" in t for t in texts)
    QTest.keyClick(sheet, Qt.Key.Key_Escape)
    assert not sheet.isVisible()


def test_a_failed_task_says_why_and_can_be_tried_again(open_window: Open) -> None:
    window = open_window()
    window._workstation.run_task(0.5, TaskState.FAILED, Problem("ui.report.cannot_write", {"why": "disk full"}))
    assert "disk full" in window.status._text.text()
    window.status._again.click()
    assert ("retry", "t1") in window._workstation.asked


def test_notices_stay_until_closed(open_window: Open) -> None:
    window = open_window()
    window._workstation.notice.emit(Notice(Problem("ui.report.choose_place"), "try_now"))
    assert window.status.isVisible()
    window.status._again.click()
    assert ("try_now",) in window._workstation.asked
    assert not window.status.isVisible()


def test_the_key_sheet_opens_and_steps_back(open_window: Open) -> None:
    window = open_window()
    QTest.keyClick(window, Qt.Key.Key_F1)
    assert window._keys is not None
    assert window._keys.isVisible()
    QTest.keyClick(window._keys, Qt.Key.Key_Escape)
    settle()
    assert not window._keys.isVisible()
