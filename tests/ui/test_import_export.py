"""The import dialog and the export sheet by hand and by key."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from app.domain.problem import Problem
from app.session.aside_desk import AsideLine
from app.session.import_views import CutImport, Phase
from app.session.views import Changes
from app.ui.worklist.import_film import day_of
from tests.ui.conftest import Open, settle, settled


def opened(open_window: Open, language: str = "en") -> object:
    window = open_window(language)
    window.offer_import([Path("/media/KINGSTON")])
    settle(0.15)
    return window


def test_nothing_starts_before_the_button(open_window: Open) -> None:
    window = opened(open_window)
    desk, dialog = window._workstation.imports, window.imports.dialog
    assert dialog.isVisible()
    assert desk.phase is Phase.CHOOSING
    QTest.keyClick(dialog, Qt.Key.Key_Return)
    assert ("start",) in desk.asked
    assert settled(lambda: dialog._pause.isVisible() and dialog._of.text() == "of 2.0 GB")
    assert dialog._left_time.text() == "about 1 min 12 s left"
    dialog._pause.click()
    assert settled(lambda: dialog._pause.text() == "Go on")


def test_boxes_by_mouse_and_by_key(open_window: Open) -> None:
    window = opened(open_window)
    desk, tree = window._workstation.imports, window.imports.dialog._tree
    second = tree._model.index(1, 0)
    box = tree.visualRect(second)
    QTest.mouseClick(tree.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(box.left() + 48, box.center().y()))
    assert ("toggle", "p2") in desk.asked
    tree.setFocus()
    QTest.keyClick(tree, Qt.Key.Key_Up)
    QTest.keyClick(tree, Qt.Key.Key_Space)
    assert desk.asked[-1][0] == "toggle"
    child = tree._model.index(0, 0, second)
    area = tree.visualRect(child)
    QTest.mouseClick(tree.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(area.right() - 40, area.center().y()))
    assert "never mixed" in window.imports.dialog._why_text.text()


def test_a_film_is_bound_only_when_all_is_said_and_confirmed(open_window: Open) -> None:
    window = opened(open_window)
    form = window.imports.dialog._films
    assert form.isVisible()
    assert not form._bind.isEnabled()
    form._select.chosen.emit("chest_pa")
    form._choose(window._workstation.imports.patients("t")[0])
    assert not form._bind.isEnabled(), "the name on the film has not been compared"
    form._sure.setChecked(True)
    assert form._bind.isEnabled()
    form._taken.set_text("31.02.2019")
    assert not form._bind.isEnabled()
    form._taken.set_text("2019")
    form._bind.click()
    name, picture, binding = window._workstation.imports.asked[-1]
    assert (name, picture, binding.taken_on, binding.kind.name) == ("bind", "picture/1", "2019", "chest_pa")
    assert binding.patient.patient_id == "580802300116"


def test_a_new_patient_needs_a_name_and_a_real_birthday(open_window: Open) -> None:
    window = opened(open_window)
    form = window.imports.dialog._films
    form._show_new(True)
    assert form.patient() is None
    form._family.set_text("Иванов")
    form._given.set_text("Иван Иванович")
    form._born.set_text("30.02.1990")
    assert form.patient() is None
    form._born.set_text("28.02.1990")
    made = form.patient()
    assert made is not None
    assert (made.name.alphabetic, made.birth_date) == ("Иванов^Иван^Иванович", "19900228")


def test_days() -> None:
    assert [day_of(t) for t in ("", "2019", "12.11.2019", "2019-11-12", "20191112")] == ["", "2019", *["20191112"] * 3]
    assert [day_of(t) for t in ("31.02.2019", "1.1.1800", "2999", "soon", "12.11.2999")] == [None] * 5


def test_a_cut_import_is_offered_over_the_worklist(open_window: Open) -> None:
    window = open_window()
    assert not window.worklist.cut_imports.isVisible()
    window._workstation.imports.cut = (CutImport("job", "KINGSTON", "", 10, 20, True),)
    window._workstation.imports.tell()
    assert settled(window.worklist.cut_imports.isVisible)
    window.worklist.cut_imports.go_on.emit("job")
    assert ("resume", "job") in window._workstation.imports.asked
    assert window.imports.dialog.isVisible()


def test_export_asks_for_identity_and_shows_what_comes_of_it(open_window: Open) -> None:
    window = open_window()
    QTest.keyClick(window.worklist.table.list, Qt.Key.Key_E)
    sheet = window.exports.sheet
    assert sheet is not None
    assert sheet.isVisible()
    settle(0.05)
    assert not sheet._more.isVisible()
    sheet._identity.chosen.emit(True)
    settle(0.05)
    assert sheet._more.isVisible()
    assert "3" in sheet._burned.text()
    assert sheet.wish().deidentified
    sheet.start(Path("/media/stick"), sheet.wish())
    assert sheet._pages.currentIndex() == 1
    QTest.keyClick(sheet, Qt.Key.Key_Escape)
    assert not sheet.isVisible()


def waiting(open_window: Open) -> object:
    window = open_window("en")
    desk = window._workstation.imports
    desk.aside.lines = (
        AsideLine("1|a", "Тілеубаев Ғалым", "Chest with contrast", "/media/KINGSTON/OLD/CT000412.dcm"),
        AsideLine("2|b", "KIM Alexandr", "Heart", "/media/KINGSTON/OLD/US1.dcm"),
    )
    window._workstation.changed.emit(Changes(worklist=True))
    assert settled(lambda: window.worklist.aside.isVisible())
    return window


def test_what_lies_aside_is_offered_compared_and_chosen(open_window: Open) -> None:
    window = waiting(open_window)
    desk = window._workstation.imports.aside
    window.worklist.aside.compare.emit()
    sheet = window.imports.sheet
    assert settled(lambda: sheet.isVisible() and sheet._keep.isEnabled())
    assert sheet._who.text() == "Тілеубаев Ғалым"
    assert sheet._differences.text() == "3 elements differ"
    shown = [[sheet._model.data(sheet._model.index(r, c)) for c in range(4)] for r in range(3)]
    assert shown[0] == ["(0008,0023)", "ContentDate", "20260301", "20260302"]
    assert shown[1][3] == "missing"
    assert shown[2][2] == shown[2][3] == "pixels: other bytes"
    QTest.mouseClick(sheet._keep, Qt.MouseButton.LeftButton)
    assert desk.asked == [("keep", "1|a")]
    assert settled(lambda: sheet._who.text() == "KIM Alexandr")
    QTest.mouseClick(sheet._take, Qt.MouseButton.LeftButton)
    assert desk.asked[-1] == ("take", "2|b")
    assert settled(lambda: not sheet.isVisible())
    window._workstation.changed.emit(Changes(worklist=True))
    assert settled(lambda: not window.worklist.aside.isVisible())


def test_what_may_not_take_the_place_says_why(open_window: Open) -> None:
    window = waiting(open_window)
    window._workstation.imports.aside.cannot_take = Problem("aside.in_use")
    window.imports.compare("/media/KINGSTON/OLD/US1.dcm")
    sheet = window.imports.sheet
    assert settled(lambda: sheet._keep.isEnabled())
    assert sheet._who.text() == "KIM Alexandr", "it begins with the file that was asked for"
    assert not sheet._take.isEnabled()
    assert "has begun with this study" in sheet._why.text()


def test_a_medium_is_ejected_after_its_import_and_only_where_it_can_be(open_window: Open) -> None:
    window = opened(open_window)
    desk, dialog = window._workstation.imports, window.imports.dialog
    assert not dialog._eject.isVisible()
    desk.medium = "KINGSTON"
    desk.tell()
    assert settled(dialog._eject.isVisible)
    assert dialog._eject.text() == "Eject KINGSTON"
    QTest.mouseClick(dialog._eject, Qt.MouseButton.LeftButton)
    assert desk.ejector.started == 1
