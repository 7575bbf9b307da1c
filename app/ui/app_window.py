"""The window: the shared bar, the screens, the line that only speaks when needed, and what any screen can do."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QEvent, QProcess, QSize, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDragLeaveEvent, QDropEvent, QKeyEvent
from PySide6.QtWidgets import QApplication, QStackedWidget, QWidget

from app.domain.problem import Problem, ProblemError
from app.session.views import Changes, Notice, Words
from app.ui import i18n
from app.ui.further_windows import FurtherWindows
from app.ui.icons import application_icon
from app.ui.mouse import use_mouse
from app.ui.pictures import Thumbnails
from app.ui.responsive import share_turns
from app.ui.shortcut_sheet import ShortcutSheet
from app.ui.shortcuts import command_for, use_own_keys
from app.ui.status_line import StatusLine
from app.ui.theme import dress, wear
from app.ui.top_bar import TopBar
from app.ui.widgets.boxes import column
from app.ui.worklist.export_door import ExportDoor
from app.ui.worklist.import_door import ImportDoor
from app.ui.worklist.import_sheet import ImportSheet
from app.ui.worklist.screen import WorklistScreen

if TYPE_CHECKING:
    from app.session.workstation import Workstation
    from app.ui.explorer.doors import ExplorerDoor

_log = logging.getLogger(__name__)

SCREENS = ("worklist", "reading", "report", "tray")
_PAUSE_MS = 40
"""Between two screens that are built ahead: what a person does goes first."""


class AppWindow(QWidget):
    """One window a process. It knows the session's :class:`Workstation` and nothing below it."""

    closing = Signal()

    def __init__(self, workstation: Workstation) -> None:
        super().__init__()
        self._workstation = workstation
        self._thumbnails = Thumbnails(workstation)
        self._screen = "worklist"
        self._imports: set[str] = set()
        self._built: dict[str, QWidget] = {}
        self._pending: Changes | None = None
        self.again = False
        """Closed for another one of another size."""
        keys = getattr(workstation, "keys", None)
        use_own_keys(keys.own() if keys is not None else {})
        settings = getattr(workstation, "settings", None)
        use_mouse(settings.mouse.table() if settings is not None else {})
        i18n.set_language(workstation.language)
        self.setWindowTitle("Ekinshi")
        self.setWindowIcon(application_icon())
        # At 200 % a screen of 1920 x 1080 has 960 x 540: the window must not become larger than the screen.
        self.setMinimumSize(QSize(1100, 640).boundedTo(QWidget.screen(self).availableSize()).expandedTo(QSize(640, 400)))
        self.resize(1920, 1080)
        self.setAcceptDrops(True)
        lay = column(self)
        self.top_bar = TopBar(
            [(s, Words(f"ui.screen.{s}")) for s in SCREENS], workstation.person.display_name, workstation.is_demo
        )
        self.top_bar.chosen.connect(self.go)
        self.top_bar.language_chosen.connect(workstation.set_language)
        self.top_bar.keys_wanted.connect(self.show_keys)
        self.top_bar.settings_wanted.connect(self.show_settings)
        lay.addWidget(self.top_bar)
        self._stack = QStackedWidget()
        lay.addWidget(self._stack, 1)
        self.status = StatusLine()
        self.status.cancel.connect(workstation.cancel_task)
        self.status.retry_task.connect(workstation.retry_task)
        self.status.retry.connect(self._retry)
        lay.addWidget(self.status)
        self._keys: ShortcutSheet | None = None
        self._windows = FurtherWindows(workstation, self)
        self._import_sheet: ImportSheet | None = None
        self._explorer: ExplorerDoor | None = None
        self._disconnect: list[Callable[[], None]] = [
            workstation.changed.connect(self._changed),
            workstation.notice.connect(self._noticed),
        ]
        self.worklist = WorklistScreen(workstation, self._thumbnails)
        self.worklist.open_wanted.connect(self.open_study)
        self.worklist.tags_wanted.connect(lambda uid: self.explorer.study(uid))
        listed = self.worklist
        self.imports = ImportDoor(workstation, self, listed.cut_imports, listed.aside, lambda f: self.explorer.these(f))
        self.worklist.import_wanted.connect(self.offer_import)
        self.exports = ExportDoor(workstation, self, self.worklist)
        self.worklist.samples_wanted.connect(self.open_samples)
        self.worklist.keys_wanted.connect(self.show_keys)
        self.worklist.card_wanted.connect(self.show_readers)
        self.worklist.language_chosen.connect(workstation.set_language)
        self._built["worklist"] = self.worklist
        self._stack.addWidget(self.worklist)
        self.worklist.refresh()
        self.imports.refresh_cut()
        self._show_bar()
        self.go("worklist")

    # screens

    def screen_widget(self, name: str) -> QWidget:
        """The screen, built at its first use: the window stands before the reading room is loaded."""
        if name not in self._built:
            self._built[name] = self._build(name)
            self._stack.addWidget(self._built[name])
        return self._built[name]

    def make_ready(self) -> None:
        """Builds the screens that the next keys will ask for, one a turn of the loop, while the list is looked at."""
        waiting = [name for name in SCREENS if name not in self._built]
        if waiting and self._disconnect:
            self.screen_widget(waiting[0])
            QTimer.singleShot(_PAUSE_MS, self, self.make_ready)

    def _build(self, name: str) -> QWidget:
        if name == "reading":
            from app.ui.reading.screen import ReadingScreen

            reading = ReadingScreen(self._workstation, self._thumbnails)
            reading.to_worklist.connect(lambda: self.go("worklist"))
            reading.to_report.connect(lambda: self.go("report"))
            reading.open_wanted.connect(self.open_study)
            reading.window_command.connect(self._run_command)
            reading.tags_wanted.connect(lambda uid, chosen: self.explorer.study(uid, chosen))
            return reading
        if name == "report":
            from app.ui.report.screen import ReportScreen

            report = ReportScreen(self._workstation)
            report.to_reading.connect(lambda: self.go("reading"))
            report.to_tray.connect(lambda: self.go("tray"))
            return report
        from app.ui.tray.screen import TrayScreen

        return TrayScreen(self._workstation)

    @property
    def screen(self) -> str:
        return self._screen

    def go(self, name: str) -> None:
        """Shows a screen; the reading room and the report need an open study."""
        if name in ("reading", "report") and self._workstation.reading is None:
            key = self.worklist.table.list.current_key()
            if not key:
                return
            self.open_study(key)
            if name == "reading" or self._workstation.reading is None:
                return
        self._appear(name)  # before a screen is built: labels take their colours when they are made
        widget = self.screen_widget(name)
        self._screen = name
        refresh = getattr(widget, "refresh", None)
        if refresh is not None:
            refresh()
        self._stack.setCurrentWidget(widget)
        self.top_bar.show_screen(name)
        self._show_bar()
        (widget.focus_target() if isinstance(widget, WorklistScreen) else widget).setFocus()

    def _appear(self, screen: str) -> None:
        """Dental films are read in the light, beside the patient; everything else in the dark."""
        reading = self._workstation.reading
        dental = reading is not None and getattr(reading, "teeth", None) is not None and reading.teeth.available
        wear("light" if dental and screen == "reading" else "dark")

    def open_study(self, study_instance_uid: str) -> None:
        try:
            self._workstation.open_study(study_instance_uid)
        except ProblemError as error:
            self._noticed(Notice(error.problem))
            return
        self.go("reading")

    def restore(self) -> None:
        """After a death of the programme: the study that was open, as it stood."""
        uid = self._workstation.study_to_restore()
        if uid:
            self.open_study(uid)

    def _show_bar(self) -> None:
        tray = self._workstation.queue()
        self.top_bar.show_queue(tray.waiting, tray.proven_today, bool(tray.line_down_since))
        reading = self._workstation.reading
        for name in ("reading", "report"):
            self.top_bar.tab(name).setEnabled(reading is not None or bool(self.worklist.table.list.current_key()))
        if reading is not None and self._screen in ("reading", "report"):
            name, facts = reading.banner()
            self.top_bar.show_patient(name, i18n.tr(facts))
        else:
            self.top_bar.show_patient("", "")

    # what happens

    def _changed(self, changes: Changes) -> None:
        if changes.settings and i18n.language() != self._workstation.language:
            self._switch_language()
        if changes.tasks:
            self._follow_tasks()
        self.imports.changed(changes)
        self.exports.changed(changes)
        current = self._built[self._screen]
        current.changed(changes)  # type: ignore[attr-defined]
        if changes.tray or changes.worklist or changes.study or changes.settings:
            self._show_bar()

    def _switch_language(self) -> None:
        i18n.set_language(self._workstation.language)
        self.top_bar.show_language()
        self.status.retranslate()
        QCoreApplication.sendEvent(self, QEvent(QEvent.Type.LanguageChange))
        if self._keys is not None:
            self._keys.deleteLater()
            self._keys = None

    def _noticed(self, notice: Notice) -> None:
        self.status.say(notice)

    def _retry(self, command: str) -> None:
        if command == "try_now":
            self._workstation.try_now()
        elif self._workstation.reading is not None:
            if command == "retry_read":
                self._workstation.reading.retry_read()
            else:
                self._workstation.reading.command(command)

    def _follow_tasks(self) -> None:
        tasks = self._workstation.tasks()
        self.status.show_tasks(tasks)
        # A task that has ended leaves the list; one that failed stays there and speaks for itself.
        ended = self._imports - {task.task_id for task in tasks}
        self._imports -= ended
        if ended:
            self.show_import_summary()

    def show_import_summary(self) -> None:
        """Says what came where something deserves a word: refusals, doubles, remarks. A clean import shows its studies."""
        summary = self._workstation.last_import_summary()
        if summary is None or not (summary.refused or summary.remarks or summary.known):
            return
        if self._import_sheet is None:
            self._import_sheet = ImportSheet(self)
            self._import_sheet.explore_wanted.connect(lambda: self.explorer.refused())
        self._import_sheet.show_summary(summary)
        self._import_sheet.open()

    def offer_import(self, paths: list[Path]) -> None:
        """Shows what is there first; a person chooses what comes in."""
        if self._screen != "worklist":
            self.go("worklist")
        self.imports.offer(paths)

    def import_paths(self, paths: list[Path]) -> None:
        """Imports everything at once: paths of the command line."""
        if self._screen != "worklist":
            self.go("worklist")
        self._imports.add(self._workstation.import_paths(paths))

    def open_samples(self) -> None:
        """Made-up patients never enter a library of real ones: there they open in a demonstration window of their own."""
        if self._workstation.is_demo:
            self._workstation.open_samples()
        else:
            QProcess.startDetached(sys.executable, ["-m", "app", "window", "--samples"], str(Path(__file__).parents[2]))

    @property
    def explorer(self) -> ExplorerDoor:
        """Why a file did not open; built at its first use."""
        if self._explorer is None:
            from app.ui.explorer.doors import ExplorerDoor

            self._explorer = ExplorerDoor(self._workstation, self)
        return self._explorer

    def toggle_patient_window(self) -> None:
        """The second window for the patient: on another monitor where there is one."""
        self._windows.toggle_patient()

    def show_display_check(self) -> None:
        from app.ui.display_check import DisplayCheck

        sheet = DisplayCheck(self._workstation.display, self)
        sheet.closed.connect(sheet.deleteLater)
        sheet.open()

    def show_readers(self, reader: str = "") -> None:
        """The cards of the second readers, one of them open."""
        from app.ui.readers.sheet import ReadersSheet

        sheet = ReadersSheet(self._workstation, self, reader)
        sheet.closed.connect(sheet.deleteLater)
        sheet.open()

    def show_settings(self) -> None:
        from app.ui.settings.sheet import SettingsSheet

        sheet = SettingsSheet(self._workstation, self)
        sheet.closed.connect(sheet.deleteLater)
        sheet.command.connect(self._run_command)
        sheet.resized.connect(self.begin_again)
        sheet.open()

    def stand(self) -> None:
        """Shows the window where it stood on these monitors, else over the whole of one."""
        self._windows.stand()

    def begin_again(self) -> None:
        """Another size of the interface: this window goes, the next one stands where it stood."""
        self.again = True
        self.close()

    def show_keys(self) -> None:
        if self._keys is None:
            self._keys = ShortcutSheet(self, getattr(self._workstation, "keys", None))
        self._keys.open()

    # keys, files dropped, leaving

    def keyPressEvent(self, event: QKeyEvent) -> None:
        command = command_for(self._screen, event)
        if not command:
            super().keyPressEvent(event)
            return
        try:
            self._run_command(command)
        except Exception as error:  # an exception that leaves a Qt handler can end the process; a person must not lose it
            self.unexpected(error)

    def unexpected(self, error: BaseException) -> None:
        """A bug of ours: written down, said on the status line, and the work goes on."""
        _log.error("unexpected", exc_info=error)
        problem = Problem(
            "ui.unexpected", {"kind": type(error).__name__}, kept_safe="ui.unexpected.safe", next_step="ui.unexpected.next"
        )
        self._noticed(Notice(problem))

    def _run_command(self, command: str) -> None:
        current = self._built[self._screen]
        if current.command(command):  # type: ignore[attr-defined]
            return
        if command.startswith("go_"):
            self.go(command.removeprefix("go_"))
        elif command == "keys":
            self.show_keys()
        elif command == "settings":
            self.show_settings()
        elif command == "readers":
            self.show_readers()
        elif command == "display_check":
            self.show_display_check()
        elif command == "patient_window":
            self.toggle_patient_window()
        elif command == "spread_panes":
            self._windows.toggle_spread()
        elif command == "import_files":
            self.worklist.choose_files()
        elif command == "full_screen":
            self.setWindowState(self.windowState() ^ self.windowState().WindowFullScreen)
        elif command == "back" and self._screen != "worklist":
            self.go("reading" if self._screen == "report" else "worklist")

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()
            self.worklist.empty.drop.set_over(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.worklist.empty.drop.set_over(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self.worklist.empty.drop.set_over(False)
        paths = [Path(u.toLocalFile()) for u in event.mimeData().urls() if u.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            QTimer.singleShot(0, self, lambda: self.offer_import(paths))

    def closeEvent(self, event: QCloseEvent) -> None:
        for disconnect in self._disconnect:
            disconnect()
        self._disconnect = []
        self._windows.leave()
        wear("dark")
        for widget in self._built.values():
            leave = getattr(widget, "shut", None)
            if leave is not None:
                leave()
        self.closing.emit()
        super().closeEvent(event)


def application(arguments: list[str] | None = None) -> QApplication:
    """The one Qt application, dressed in the theme. Raises ``ProblemError`` where Qt must not be loaded."""
    from app.ui.start_guard import guard

    guard()
    share_turns()
    existing = QApplication.instance()
    made = existing if isinstance(existing, QApplication) else QApplication(arguments or ["ekinshi"])
    made.setApplicationName("Ekinshi")
    made.setApplicationDisplayName("Ekinshi")
    dress(made)
    return made
