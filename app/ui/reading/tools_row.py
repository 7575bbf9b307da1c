"""The row above the panes: window, the tools used most, the rest behind one button, layout, hanging."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QMenu, QWidget

from app.session.views import NOTHING, Words
from app.ui.i18n import tr
from app.ui.icons import has_icon, icon
from app.ui.reading.cine_buttons import CineButtons
from app.ui.reading.fusion_menu import fusion_menu
from app.ui.reading.hanging_menu import add_hanging_actions
from app.ui.reading.mpr_menu import mpr_menu
from app.ui.reading.quadrant_buttons import QuadrantButtons
from app.ui.reading.volume_menu import add_volume_actions
from app.ui.shortcuts import key_of
from app.ui.widgets.boxes import Line, Surface, clear, row
from app.ui.widgets.buttons import QUIET, TOOL, Button, show_menu
from app.ui.widgets.text import Text, note
from app.viewer.presets import is_suv_preset

if TYPE_CHECKING:
    from app.session.workstation import Workstation

HEIGHT = 40
TIGHT = 800
"""Narrower: the most used tools stand behind *More* like the others, nothing is cut."""
MOST_USED = ("zoom", "pan", "length", "bidirectional", "ellipse")
_LOOKS = {
    "volume_view": "cube",
    "invert": "swap",
    "rotate_left": "arrow-counter-clockwise",
    "rotate_right": "arrow-clockwise",
    "flip_h": "flip-horizontal",
    "flip_v": "flip-vertical",
    "fit": "arrows-in",
    "one_to_one": "frame-corners",
    "reset": "repeat",
    "undo": "arrow-u-up-left",
    "redo": "arrow-u-up-right",
    "toggle_overlay_text": "text-aa",
}
"""Commands behind *More* and their icons."""


_OUT = {
    "true_size": "ruler",
    "link_by_hand": "link-simple-horizontal",
    "change_view": "swap",
    "carry_over": "target",
    "toggle_key_image": "star",
    "time_curve": "time_curve",
    "patient_window": "user",
    "spread_panes": "columns",
    "display_check": "monitor",
}
"""Further ones: places, curves, and the monitor."""

_LEAVING = {
    "copy_image": "copy",
    "copy_image_identified": "copy",
    "save_image": "floppy-disk",
    "save_image_identified": "floppy-disk",
    "save_video": "play",
    "save_video_identified": "play",
    "print_images": "printer",
}
"""What takes pictures out of the window, with a name or without: a menu of their own."""


class ToolsRow(Surface):
    wanted = Signal(str)
    """A command for the window."""

    def __init__(self, workstation: Workstation, parent: QWidget | None = None) -> None:
        super().__init__("panel", "", parent)
        self._workstation = workstation
        self._shown: tuple[object, ...] = ()
        self._tight = False
        self.setFixedHeight(HEIGHT)
        lay = row(self, (8, 0, 8, 0), 2)
        self._unfold = Button(NOTHING, TOOL, "sidebar-simple", tip=Words("ui.reading.show_strip"), key="O")
        self._unfold.hide()
        lay.addWidget(self._unfold)
        self._window = Button(
            NOTHING, TOOL, "window", tip=Words("ui.tool.window"), key=key_of("reading", "tool_window"), checkable=True
        )
        self._window.clicked.connect(lambda: self._choose("window"))
        self._preset = Button(NOTHING, QUIET, caret=True, tip=Words("ui.reading.presets"))
        self._preset.clicked.connect(lambda: show_menu(self._preset, self._preset_menu()))
        lay.addWidget(self._window)
        lay.addWidget(self._preset)
        lay.addSpacing(6)
        lay.addWidget(Line(vertical=True, length=20))
        lay.addSpacing(6)
        self._tools = row(gap=2)
        lay.addLayout(self._tools)
        self._more = Button(Words("ui.reading.more"), QUIET, "dots-three")
        self._more.clicked.connect(lambda: show_menu(self._more, self._more_menu()))
        lay.addWidget(self._more)
        self.cine = CineButtons(workstation)
        lay.addWidget(self.cine)
        self._arch = Button(
            Words("ui.curve.suggest"),
            QUIET,
            "bezier-curve",
            tip=Words("ui.key.suggest_curve"),
            key=key_of("reading", "suggest_curve"),
        )
        self._arch.clicked.connect(lambda: self._command("suggest_curve"))
        self._arch.hide()
        lay.addWidget(self._arch)
        self.fusion = Button(
            NOTHING, TOOL, "fusion", tip=Words("ui.fusion"), key=key_of("reading", "fuse_next"), checkable=True
        )
        self.fusion.clicked.connect(self._open_fusion)
        self.fusion.hide()
        lay.addWidget(self.fusion)
        self.quadrants = QuadrantButtons(workstation)
        lay.addWidget(self.quadrants)
        lay.addSpacing(6)
        lay.addWidget(Line(vertical=True, length=20))
        lay.addSpacing(6)
        self._crosshair = self._toggle("crosshair", "toggle_crosshair", Words("ui.reading.crosshair"))
        self._linking = self._toggle("link-simple-horizontal", "toggle_linking", Words("ui.reading.linking"))
        lay.addWidget(self._crosshair)
        lay.addWidget(self._linking)
        self.mpr = Button("", QUIET, "mpr", caret=True, tip=Words("ui.mpr.tip"))
        self.mpr.clicked.connect(lambda: show_menu(self.mpr, mpr_menu(self, workstation.reading)))
        lay.addWidget(self.mpr)
        self._layout_button = Button("", QUIET, "layout", caret=True, tip=Words("ui.reading.layout"))
        self._layout_button.clicked.connect(lambda: show_menu(self._layout_button, self._layout_menu()))
        lay.addWidget(self._layout_button)
        lay.addStretch(1)
        self._hung = note(Words("ui.reading.hung_as"))
        self._protocol = Text("", "body", "medium")
        self._stage = Text("", "small", "regular", "third", elide=False)
        lay.addWidget(self._hung)
        lay.addSpacing(6)
        lay.addWidget(self._protocol)
        lay.addSpacing(6)
        lay.addWidget(self._stage)
        lay.addSpacing(6)
        self._back = Button(NOTHING, TOOL, "caret-left", tip=Words("ui.reading.previous_stage"), key="[")
        self._next = Button(NOTHING, TOOL, "caret-right", tip=Words("ui.reading.next_stage"), key="]")
        self._why = Button(NOTHING, TOOL, "info", tip=Words("ui.reading.why_hung"))
        self._back.clicked.connect(lambda: self._step(-1))
        self._next.clicked.connect(lambda: self._step(1))
        self._why.clicked.connect(self._say_why)
        for button in (self._back, self._next, self._why):
            lay.addWidget(button)

    def resizeEvent(self, event: QResizeEvent) -> None:
        if (self.width() < TIGHT) != self._tight:
            self._tight = not self._tight
            self.refresh()
        for button in (self._back, self._next):
            button.setVisible(self.width() >= 640)
        self._protocol.setVisible(self.width() >= 860)
        self._fit_words()
        super().resizeEvent(event)

    def _fit_words(self) -> None:
        """How it hangs, in as many words as there is room for: the stage grows short before the protocol does."""
        reading = self._workstation.reading
        stage, of = reading.hanging_stage() if reading is not None else (1, 1)
        roomy = self.width() >= 1000
        for before, words in ((True, "ui.reading.stage"), (False, "ui.reading.stage"), (False, "ui.why_hung.stage_short")):
            self._hung.setVisible(roomy and before)
            self._stage.setVisible(roomy)
            self._stage.say(tr(words, n=stage, of=of) if of > 1 else "")
            if self.layout().sizeHint().width() <= self.width():
                return

    @property
    def unfold(self) -> Button:
        return self._unfold

    def _toggle(self, icon_name: str, command: str, tip: Words) -> Button:
        made = Button(NOTHING, TOOL, icon_name, tip=tip, key=key_of("reading", command), checkable=True)
        made.clicked.connect(lambda: self._command(command))
        return made

    def refresh(self) -> None:
        reading = self._workstation.reading
        if reading is None:
            return
        tools = {t.name: t for t in reading.tools()}
        names = () if self._tight else tuple(n for n in MOST_USED if n in tools)
        if names != self._shown:
            self._shown = names
            clear(self._tools)
            for name in names:
                tool = tools[name]
                key = key_of("reading", f"tool_{name}")
                button = Button(
                    NOTHING, TOOL, tool.icon if has_icon(tool.icon) else name, tip=tool.title, key=key, checkable=True
                )
                button.setProperty("tool", name)
                button.clicked.connect(lambda _=False, n=name: self._choose(n))
                self._tools.addWidget(button)
        for number in range(self._tools.count()):
            widget = self._tools.itemAt(number).widget()
            if isinstance(widget, Button):
                widget.setChecked(tools[str(widget.property("tool"))].active)
        self._window.setChecked("window" in tools and tools["window"].active)
        hidden = [t for n, t in tools.items() if t.active and n not in self._shown and n != "window"]
        if hidden:
            self._more.say(hidden[0].title, icon=hidden[0].icon if has_icon(hidden[0].icon) else "dots-three")
        else:
            self._more.say(Words("ui.reading.more"), icon="dots-three")
        self.cine.refresh()
        self.quadrants.refresh()
        self._arch.setVisible(reading.jaw.possible())
        self.fusion.setVisible(reading.room.fusion.possible())
        self.fusion.setChecked(reading.room.fusion.is_on())
        self._preset.say(self._preset_words())
        presets = reading.window_presets()
        self._preset.setEnabled(bool(presets) or bool(reading.room.volume_looks()))
        name = reading.layout().name.split(":")[0].replace("cells", "…").replace("mount18", "18")
        # In a narrow row the grid is told by its menu alone.
        self._layout_button.say("" if self._tight else name.replace("x", " × ").replace("+", " + "))
        self._crosshair.setChecked(reading.room.crosshair)
        self._linking.setChecked(reading.room.linked)
        stage, of = reading.hanging_stage()
        self._protocol.say(reading.hanging_title())
        self._fit_words()
        self._back.setEnabled(stage > 1)
        self._next.setEnabled(stage < of)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.refresh()

    def _preset_words(self) -> Words:
        """The name of the window in use, where it has one."""
        room = self._workstation.reading.room
        look = next((name for name, chosen in room.volume_looks() if chosen), "")
        if look:
            return Words(f"volume.{look}")
        pane = room.pane(room.active)
        window, presets = pane.appearance.window, room.presets()
        found = next((p.name for p in presets if p.window == window or p.name == pane.preset), "") if window else ""
        if found:
            return Words(f"preset.{found}")
        unmet = window is not None and not presets and is_suv_preset(window)  # hung for SUV that the header does not allow
        return Words("ui.reading.window_image" if window is None or unmet else "ui.reading.window_own")

    # what the buttons do

    def _choose(self, name: str) -> None:
        if self._workstation.reading is not None:
            self._workstation.reading.set_tool(name)
        self.refresh()

    def _command(self, name: str) -> None:
        if self._workstation.reading is not None:
            self._workstation.reading.command(name)
        self.refresh()

    def _asked(self, name: str) -> None:
        """What needs the window (clipboard, files) goes to it by name; the rest is the session's."""
        if name in _OUT or name == "true_size":
            self.wanted.emit(name)
        else:
            self._command(name)

    def _step(self, by: int) -> None:
        reading = self._workstation.reading
        if reading is not None:
            (reading.next_stage if by > 0 else reading.previous_stage)()

    def _open_fusion(self) -> None:
        reading = self._workstation.reading
        if reading is not None:
            show_menu(self.fusion, fusion_menu(reading.room.fusion, self))
            self.refresh()

    def _preset_menu(self) -> QMenu:
        menu = QMenu(self)
        reading = self._workstation.reading
        if reading is not None and add_volume_actions(menu, reading):
            return menu
        if reading is not None:
            for name, title, key in reading.window_presets():
                action = menu.addAction(tr(title) + (f"\t{key}" if key else ""))
                action.triggered.connect(lambda _=False, n=name: reading.command("window_preset", name=n))
        return menu

    def _more_menu(self) -> QMenu:
        menu = QMenu(self)
        reading = self._workstation.reading
        if reading is None:
            return menu
        for tool in reading.tools():
            if tool.name in self._shown or tool.name == "window":
                continue
            key = key_of("reading", f"tool_{tool.name}")
            action = menu.addAction(tr(tool.title) + (f"\t{key}" if key else ""))
            if has_icon(tool.icon):
                action.setIcon(icon(tool.icon))
            action.triggered.connect(lambda _=False, n=tool.name: self._choose(n))
        menu.addSeparator()
        self._offer(menu, {**_LOOKS, **_OUT})
        leaving = menu.addMenu(icon("floppy-disk"), tr("ui.reading.leaving"))
        self._offer(leaving, _LEAVING)
        return menu

    def _offer(self, menu: QMenu, commands: Mapping[str, str]) -> None:
        """Commands and their icons, each with its key."""
        for name, picture in commands.items():
            key = key_of("reading", name)
            action = menu.addAction(icon(picture), tr(f"ui.key.{name}") + (f"\t{key}" if key else ""))
            action.triggered.connect(lambda _=False, n=name: self._asked(n))

    def _layout_menu(self) -> QMenu:
        menu = QMenu(self)
        reading = self._workstation.reading
        if reading is not None:
            for name in reading.layouts():
                title = name.replace("x", " × ").replace("+", " + ")
                menu.addAction(title).triggered.connect(lambda _=False, n=name: reading.set_layout(n))
            if reading.hangings is not None:
                add_hanging_actions(menu, reading.hangings, self, self._workstation.notice.emit)
        return menu

    def _say_why(self) -> None:
        from app.ui.reading.why_sheet import WhySheet

        reading = self._workstation.reading
        if reading is not None:
            sheet = WhySheet(reading.hanging_explanation(), self.window())
            sheet.closed.connect(sheet.deleteLater)
            sheet.open()
