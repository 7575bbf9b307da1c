"""The reading room: strip, tools, panes, findings. Strip and panel fold away by one key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from app.domain.problem import ProblemError
from app.session.views import Changes, Notice
from app.ui.chairside.odontogram import Odontogram
from app.ui.display_check import screen_name
from app.ui.pictures import Thumbnails
from app.ui.reading import image_out
from app.ui.reading.findings_panel import FindingsPanel
from app.ui.reading.paint_primitives import text_width
from app.ui.reading.pane_grid import PaneGrid
from app.ui.reading.strip import Strip
from app.ui.reading.time_curve_sheet import show_time_curves
from app.ui.reading.tools_row import ToolsRow
from app.ui.widgets.boxes import column, row

if TYPE_CHECKING:
    from app.session.workstation import Workstation

SMALL = 1200
"""Narrower than this, the strip leaves its place to the panes."""
_WINDOWS = ("keys", "settings", "import_files", "full_screen", "display_check", "patient_window", "spread_panes")
"""Commands that are the window's, not this screen's."""


class ReadingScreen(QWidget):
    to_worklist = Signal()
    to_report = Signal()
    open_wanted = Signal(str)
    window_command = Signal(str)
    """A command of the menu that is the window's."""
    tags_wanted = Signal(str, str)
    """Study Instance UID, display set id: its objects and their tags."""

    def __init__(self, workstation: Workstation, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workstation = workstation
        self._reading: object = None
        self._small = False
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        lay = row(self, gap=0)
        self.strip = Strip(workstation, thumbnails)
        self.strip.set_chosen.connect(self._show_set)
        self.strip.study_wanted.connect(self.open_wanted)
        self.strip.fold.connect(self.toggle_strip)
        self.strip.tags_wanted.connect(self.tags_wanted)
        middle = column()
        self.tools = ToolsRow(workstation)
        self.tools.unfold.clicked.connect(self.toggle_strip)
        self.tools.wanted.connect(self._tool_wanted)
        self.panes = PaneGrid(workstation)
        middle.addWidget(self.tools)
        middle.addWidget(self.panes, 1)
        self.teeth = Odontogram()
        self.teeth.hide()
        middle.addWidget(self.teeth)
        self.findings = FindingsPanel(workstation)
        self.findings.noticed.connect(workstation.notice.emit)
        self.findings.to_report.connect(self.to_report)
        self.findings.own.said.connect(self.findings.refresh)
        lay.addWidget(self.strip)
        lay.addLayout(middle, 1)
        lay.addWidget(self.findings)

    def refresh(self) -> None:
        reading = self._workstation.reading
        if reading is None:
            return
        reading.room.screen_mm_per_px = self._workstation.display.mm_per_px(screen_name(self.screen()))
        if reading is not self._reading:
            self._reading = reading
            reading.room.text_width = text_width
            self.findings.own.start()
            self.findings.revealed.start()
            # Beside the patient the film gets the room; the strip comes back by its key.
            if self.chairside == self.strip.isVisibleTo(self):
                self.toggle_strip()
        self.strip.refresh()
        self.tools.refresh()
        self.panes.refresh()
        self.findings.refresh()
        self._refresh_teeth()

    @property
    def chairside(self) -> bool:
        """A dental film is open: light, with the tooth chart."""
        reading = self._workstation.reading
        return reading is not None and reading.teeth is not None and reading.teeth.available

    def _refresh_teeth(self) -> None:
        self.teeth.setVisible(self.chairside)
        if self.chairside:
            self.teeth.refresh(self._workstation.reading)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Large text on a small screen: the strip folds away and comes back by its key, or with the room."""
        small = self.width() < SMALL
        if small != self._small:
            self._small = small
            if small == self.strip.isVisibleTo(self) and not self.chairside:
                self.toggle_strip()
        super().resizeEvent(event)

    def changed(self, changes: Changes) -> None:
        if self._workstation.reading is not self._reading:
            self.refresh()
            return
        if self._reading is None:
            return
        self.panes.changed(changes)
        if changes.layout or changes.view or changes.settings:
            self.tools.refresh()
        if changes.study or changes.layout or changes.second_read or changes.worklist or changes.settings:
            self.strip.refresh()
        if changes.images:
            self.strip.pictures_came()
            self.findings.own.forget()
            self.findings.revealed.forget()
        if changes.findings or changes.second_read or changes.study or changes.settings or changes.images:
            self.findings.refresh()
            self._refresh_teeth()

    def _show_set(self, display_set_id: str) -> None:
        reading = self._workstation.reading
        if reading is not None:
            reading.put_in_pane(reading.layout().active, display_set_id)

    def is_settled(self) -> bool:
        """True when every pane has painted what was asked last."""
        return self.panes.idle()

    def toggle_strip(self) -> None:
        self.strip.setVisible(self.strip.isHidden())
        self.tools.unfold.setVisible(self.strip.isHidden())

    def toggle_panel(self) -> None:
        self.findings.setVisible(self.findings.isHidden())

    def command(self, name: str) -> bool:
        reading = self._workstation.reading
        if reading is None:
            return False
        if name == "toggle_strip":
            self.toggle_strip()
        elif name == "toggle_panel":
            self.toggle_panel()
        elif name.startswith("tool_"):
            reading.set_tool(name.removeprefix("tool_"))
            self.tools.refresh()
        elif name.startswith("preset_"):
            key = name.removeprefix("preset_")
            for preset, _, own_key in reading.window_presets():
                if own_key == key:
                    reading.command("window_preset", name=preset)
        elif name == "point_by_keys":
            self.panes.toggle_pointing()
        elif name == "pane_alone":
            self.panes.toggle_alone()
        elif name in ("next_pane", "previous_pane"):
            self._step_pane(1 if name == "next_pane" else -1)
        elif self.findings.command(name):
            return True
        elif name.startswith("go_") or name in _WINDOWS:
            return False
        elif name == "back":
            reading.command("cancel_gesture")
            return False
        elif name == "print_images":
            self.show_print()
        elif name == "time_curve":
            show_time_curves(self._workstation, self.window())
        elif name in image_out.COMMANDS:
            self._image_out(name)
        else:
            if name == "true_size":
                reading.room.screen_mm_per_px = self._workstation.display.mm_per_px(screen_name(self.screen()))
            self._plain(name)
        return True

    def _tool_wanted(self, name: str) -> None:
        if not self.command(name):
            self.window_command.emit(name)

    def show_print(self) -> None:
        """The pages over the whole window, not only over this screen."""
        from app.ui.reading.print_sheet import PrintSheet

        reading = self._workstation.reading
        if reading is not None and reading.prints is not None:
            sheet = PrintSheet(reading.prints, self._workstation, self.window())
            sheet.closed.connect(sheet.deleteLater)
            sheet.open()

    def _image_out(self, name: str) -> None:
        pane = self.panes.active_pane()
        if pane is not None:
            image_out.run(name, self._workstation, self._workstation.reading, pane.device_size(), self)

    def _plain(self, name: str) -> None:
        try:
            self._workstation.reading.command(name)
        except KeyError:
            return
        except ProblemError as error:
            self._workstation.notice.emit(Notice(error.problem))

    def _step_pane(self, by: int) -> None:
        reading = self._workstation.reading
        layout = reading.layout()
        ids = [p.pane_id for p in layout.panes]
        reading.activate(ids[(ids.index(layout.active) + by) % len(ids)])

    def shut(self) -> None:
        self.panes.shut()
