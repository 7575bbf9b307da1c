"""What a screen reader says: every control of every screen and sheet has a name; and nothing asks needlessly."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QLabel, QScrollBar, QWidget

from app.demo import Demo
from app.domain.verdict import Overall
from app.session.views import AiState
from app.ui.widgets.sheet import Sheet
from tests.flows import stage
from tests.flows.conftest import OpenDesk
from tests.flows.stage import BALLS, Beacon
from tests.source_trees import syntax_tree

UI = Path(__file__).resolve().parents[2] / "app" / "ui"
SILENT = {"ReadingScreen", "WorklistScreen", "ReportScreen", "TrayScreen", "AppWindow"}
"""They take the keys for what lies in them; the window's title speaks."""


def controls(root: QWidget) -> Iterator[QWidget]:
    """What can be reached by Tab or by a click and does something."""
    for widget in [root, *root.findChildren(QWidget)]:
        if not widget.isVisible() or widget.focusPolicy() == Qt.FocusPolicy.NoFocus or type(widget).__name__ in SILENT:
            continue
        if widget.objectName().startswith("qt_") or isinstance(widget, (QScrollBar, QLabel)):
            continue
        if isinstance(widget, QAbstractScrollArea) and type(widget).__module__.startswith("app.ui.widgets.boxes"):
            continue
        if isinstance(widget.parent(), QAbstractScrollArea) and widget is widget.parent().viewport():
            continue
        if widget.focusProxy() is not None:
            continue
        yield widget


def spoken(widget: QWidget) -> str:
    interface = QAccessible.queryAccessibleInterface(widget)
    return interface.text(QAccessible.Text.Name).strip() if interface is not None else ""


def nameless(demo: Demo, where: str) -> list[str]:
    roots = [w for w in QApplication.topLevelWidgets() if w.isVisible()]
    found = []
    for root in roots:
        for widget in controls(root):
            if not spoken(widget):
                path, at = [], widget
                while at is not None and len(path) < 4:
                    path.append(type(at).__name__)
                    at = at.parentWidget()
                found.append(f"{where}: {' in '.join(path)}")
    del demo
    return list(dict.fromkeys(found))


def close_sheets(demo: Demo) -> None:
    for sheet in demo.window.findChildren(Sheet):
        if sheet.isVisible():
            sheet.leave()
    demo.pump(0.05)
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def test_every_control_says_what_it_is(open_desk: OpenDesk, beacon: Beacon, tmp_path: Path) -> None:
    uid = stage.write_study(tmp_path / "dicom")
    demo = open_desk(tmp_path / "home", beacon)
    window, workstation = demo.window, demo.workstation
    demo.pump(0.2)
    missing = nameless(demo, "first run")
    window.import_paths([tmp_path / "dicom"])
    demo.until(lambda: not workstation.tasks(), 60, "import")
    demo.pump(0.2)
    missing += nameless(demo, "worklist")
    for name, show in (
        ("keys", window.show_keys),
        ("display check", window.show_display_check),
        ("settings", window.show_settings),
        ("import", lambda: window.offer_import([tmp_path / "dicom"])),
        ("export", lambda: window.worklist.command("export")),
    ):
        show()
        demo.pump(0.3)
        missing += nameless(demo, name)
        close_sheets(demo)
    window.open_study(uid)
    reading = workstation.reading
    assert reading is not None
    demo.settle()
    reading.room.show_point(BALLS[0])
    reading.add_mark()
    demo.until(lambda: reading.second_read().state is AiState.SEALED, 60, "second read")
    demo.settle()
    missing += nameless(demo, "reading")
    reading.commit(Overall.FINDINGS)
    demo.settle()
    reading.jump_to(reading.second_read().ai_only[0].finding.finding_id)
    demo.settle()
    for code in ("ru", "kk", "en"):
        workstation.set_language(code)
        demo.pump(0.1)
        missing += nameless(demo, f"revealed, {code}")
    window.screen_widget("reading").command("modify")
    demo.pump(0.1)
    missing += nameless(demo, "modify form")
    window.go("report")
    demo.settle()
    missing += nameless(demo, "report")
    window.go("tray")
    demo.pump(0.2)
    missing += nameless(demo, "tray")
    assert missing == [], chr(10).join(missing)


ASKS = {"question", "warning", "information", "exec", "getText", "getInt", "getItem"}
ALLOWED = {
    ("passphrase_dialog.py", "exec"): "the library cannot be opened without its passphrase",
    ("application.py", "exec"): "the event loop itself",
    ("print_sheet.py", "exec"): "the system's own printer dialog",
    ("strip.py", "exec"): "a series on its way by drag and drop",
    ("mount_labels.py", "exec"): "a film on its way by drag and drop",
}


@pytest.mark.parametrize("file", sorted(UI.rglob("*.py")), ids=lambda p: p.name)
def test_nothing_stops_a_person_to_ask(file: Path) -> None:
    """Whatever can be undone needs no *Are you sure?*: no modal question anywhere in the window."""
    for node in ast.walk(syntax_tree(file)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = node.func.value
        made = owner.func if isinstance(owner, ast.Call) else owner
        told = made.id if isinstance(made, ast.Name) else ""
        if told in ("QMessageBox", "QInputDialog", "QErrorMessage") and node.func.attr in ASKS:
            raise AssertionError(f"{file.name}:{node.lineno} stops to ask")
        if node.func.attr == "exec" and (file.name, "exec") not in ALLOWED:
            raise AssertionError(f"{file.name}:{node.lineno} waits for an answer")
