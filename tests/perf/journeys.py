"""What a reader does in one sitting, as named steps for :mod:`tests.perf.event_loop`: keys and mouse of the real window."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.demo import Demo
from app.domain.verdict import Overall
from app.session.views import AiState, WorklistQuery
from app.session.wiring import DEMO_PIN
from app.ui.reading.viewport import Viewport

Step = tuple[str, Callable[[], object]]


@dataclass
class Reader:
    """Hands on the keyboard and the mouse of one window."""

    demo: Demo

    @property
    def reading(self) -> object:
        return self.demo.workstation.reading

    def press(self, name: str) -> None:
        """A key as the table of shortcuts writes it, to whatever has the focus."""
        chord = QKeySequence(name)[0]
        key, modifiers = chord.key(), chord.keyboardModifiers()
        text = name if len(name) == 1 else ""
        target = QApplication.focusWidget() or self.demo.window
        for kind in (QKeyEvent.Type.KeyPress, QKeyEvent.Type.KeyRelease):
            QApplication.sendEvent(target, QKeyEvent(kind, key, modifiers, text.lower()))
        self.demo.pump(0.01)

    def keys(self, name: str, times: int) -> None:
        for _ in range(times):
            self.press(name)

    def pane(self) -> Viewport:
        panes = [v for v in self.demo.window.findChildren(Viewport) if v.isVisible()]
        return next((v for v in panes if v.active), panes[0])

    def drag(self, tool: str, steps: int = 25, button: Qt.MouseButton = Qt.MouseButton.LeftButton) -> None:
        """A stroke through the middle of the active pane."""
        if tool:
            self.reading.set_tool(tool)  # type: ignore[attr-defined]
        pane = self.pane()
        at = QPoint(pane.width() // 2 - 40, pane.height() // 2 - 30)
        QTest.mousePress(pane, button, Qt.KeyboardModifier.NoModifier, at)
        for n in range(steps):
            QTest.mouseMove(pane, at + QPoint(3 * n, 2 * n))
            self.demo.pump(0.01)
        QTest.mouseRelease(pane, button, Qt.KeyboardModifier.NoModifier, at + QPoint(3 * steps, 2 * steps))
        self.demo.pump(0.02)

    def until_read(self, seconds: float) -> None:
        waiting = (AiState.WAITING, AiState.RUNNING)
        self.demo.until(lambda: self.reading.second_read().state not in waiting, seconds, "read")  # type: ignore[attr-defined]


def opening(reader: Reader, folders: Sequence[Path]) -> Iterator[Step]:
    """Import, the list, and the study to its pictures."""
    demo, window = reader.demo, reader.demo.window

    def bring() -> None:
        demo.workstation.import_paths(folders)
        demo.until(lambda: not demo.workstation.tasks(), 300, "import")

    def search() -> None:
        reader.press("/")
        for letter in "ali":
            reader.press(letter)
        demo.pump(0.3)
        window.worklist.search.edit.clear()
        demo.pump(0.3)
        window.go("worklist")

    def newest() -> str:
        rows = [r.study_instance_uid for r in demo.workstation.worklist(WorklistQuery()).rows]
        return max(rows, key=lambda uid: demo.workstation.library.studies.load(uid).study_datetime)

    yield "import", bring
    yield "list", lambda: (reader.keys("Down", 4), reader.keys("Up", 4))
    yield "search", search
    wanted = newest()
    yield "open", lambda: window.open_study(wanted)


def looking(reader: Reader) -> Iterator[Step]:
    """Everything that only looks."""
    command = lambda name: reader.reading.command(name)  # type: ignore[attr-defined]  # noqa: E731
    yield "scroll", lambda: reader.keys("Down", 40)
    yield "page", lambda: (reader.keys("PgDown", 5), reader.press("Home"), reader.press("End"))
    yield "window", lambda: reader.drag("window")
    yield "presets", lambda: [reader.press(str(n)) for n in (1, 2, 3)]
    yield "zoom", lambda: reader.drag("zoom")
    yield "pan", lambda: reader.drag("pan")
    yield "rotate, flip, invert", lambda: [reader.press(k) for k in (".", "Y", "U", "I", "I", "U", "Y", ",")]
    yield "reset", lambda: reader.press("Ctrl+R")
    yield "layout 2x2", lambda: reader.reading.set_layout("2x2")  # type: ignore[attr-defined]
    yield "linked scroll", lambda: reader.keys("Down", 20)
    yield "layout 1x1", lambda: reader.reading.set_layout("1x1")  # type: ignore[attr-defined]
    yield "next stage", lambda: reader.press("]")
    yield "previous stage", lambda: reader.press("[")
    yield "cine", lambda: (reader.press("Space"), reader.demo.pump(0.8), reader.press("Space"))
    yield "volume view", lambda: command("volume_view")
    yield "turn", lambda: reader.drag("turn")
    yield "volume view off", lambda: command("volume_view")
    yield "three planes", lambda: (reader.press("Alt+M"), reader.demo.pump(0.5))
    yield "turn planes", lambda: reader.drag("turn")
    yield "crosshair", lambda: reader.drag("crosshair")
    yield "slab", lambda: [reader.press(k) for k in ("Alt+X", "Alt+Up", "Alt+Up", "Alt+V", "Alt+Z")]
    yield "three planes off", lambda: (reader.press("Alt+M"), reader.demo.pump(0.2))
    yield "planes", lambda: [reader.press(k) for k in ("Alt+C", "Alt+S", "Alt+A", "Alt+O")]
    yield "magnifier", lambda: reader.drag("magnifier")
    yield "probe", lambda: reader.drag("probe")
    yield "key sheet", lambda: (reader.press("F1"), reader.demo.pump(0.1), _close_sheets(reader))
    yield "strip and panel", lambda: [reader.press(k) for k in ("O", "O", "P", "P")]
    yield (
        "language",
        lambda: [(reader.demo.workstation.set_language(code), reader.demo.pump(0.1)) for code in ("ru", "kk", "en")],
    )


def marking(reader: Reader) -> Iterator[Step]:
    for tool in ("length", "bidirectional", "angle", "ellipse", "rectangle", "freehand", "arrow", "region_grow", "brush"):
        yield tool, lambda tool=tool: reader.drag(tool)
    yield "brush again", lambda: reader.drag("brush")
    yield "name the mark", lambda: reader.press("F")
    yield "key image", lambda: reader.press("*")
    yield "undo", lambda: reader.keys("Ctrl+Z", 6)
    yield "redo", lambda: reader.keys("Ctrl+Y", 6)
    yield "keep arrangement", lambda: reader.reading.command("save_arrangement")  # type: ignore[attr-defined]


def judging(reader: Reader) -> Iterator[Step]:
    """Commit, verdicts, report, signature, and back to the list."""
    window, workstation = reader.demo.window, reader.demo.workstation

    def answers() -> None:
        for card in reader.reading.second_read().ai_only[:6]:  # type: ignore[attr-defined]
            reader.reading.jump_to(card.finding.finding_id)  # type: ignore[attr-defined]
            reader.demo.pump(0.05)
            reader.press("A")

    def rest() -> None:
        for card in reader.reading.second_read().ai_only:  # type: ignore[attr-defined]
            reader.reading.accept(card.finding.finding_id)  # type: ignore[attr-defined]
            reader.demo.pump(0.01)

    def first_opinion() -> None:
        marked = bool(reader.reading.desk.own_findings())  # type: ignore[attr-defined]
        reader.reading.commit(Overall.FINDINGS if marked else Overall.CANNOT_JUDGE)  # type: ignore[attr-defined]

    def sign() -> None:
        blocked = [p.code for p in reader.reading.report().blocked_by]  # type: ignore[attr-defined]
        if blocked:
            print(f"not signed: {blocked}")
        else:
            reader.reading.sign(DEMO_PIN)  # type: ignore[attr-defined]
            reader.demo.until(lambda: not workstation.tasks(), 60, "signature")

    def pages() -> None:
        there: list[bool] = []
        reader.reading.report_pdf_to(reader.demo.out / "draft.pdf", lambda: there.append(True))  # type: ignore[attr-defined]
        reader.demo.until(lambda: bool(there), 30, "pages")

    yield "commit", first_opinion
    yield "answers", answers
    yield "accept the rest", rest
    yield "report", lambda: window.go("report")
    yield (
        "report language",
        lambda: [
            (reader.reading.set_report_language(code), reader.demo.pump(0.05))  # type: ignore[attr-defined]
            for code in ("ru", "kk", "en")
        ],
    )
    yield "report pages", pages
    yield "sign", sign
    yield "tray", lambda: window.go("tray")
    yield "back to the list", lambda: (window.go("worklist"), workstation.close_study())


def _close_sheets(reader: Reader) -> None:
    reader.press("Esc")
    reader.demo.pump(0.1)
