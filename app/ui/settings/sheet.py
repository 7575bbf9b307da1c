"""Settings: language and size, memory, mouse, monitors, passwords of storages, where things lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import QApplication, QLineEdit, QWidget

from app.domain.messages import available_languages
from app.domain.problem import ProblemError
from app.session.settings_desk import PasswordView, SettingsDesk
from app.session.site_rules import TEXT_PERCENT
from app.session.views import NOTHING, Words
from app.ui.i18n import NATIVE_NAMES, language, number, tr_problem
from app.ui.settings.mouse import MouseSection
from app.ui.settings.parts import Section
from app.ui.widgets.boxes import VScroll, clear, column, row
from app.ui.widgets.buttons import OUTLINE, Button
from app.ui.widgets.field import Field
from app.ui.widgets.segments import Segments
from app.ui.widgets.select import Options, Select
from app.ui.widgets.sheet import Sheet
from app.ui.widgets.text import Text, note

if TYPE_CHECKING:
    from app.session.workstation import Workstation

_GB = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
_DEFAULT = "default"


class SettingsSheet(Sheet):
    command = Signal(str)
    """A command of the window: the second window, the display check, the keys."""
    resized = Signal()
    """The interface has another size now: the window has to be made again."""

    def __init__(self, workstation: Workstation, parent: QWidget) -> None:
        super().__init__(Words("settings.title"), QSize(980, 900), parent)
        self._workstation = workstation
        self._desk: SettingsDesk = workstation.settings
        content = QWidget()
        self._sections = column(content, (20, 16, 20, 20), 12)
        self._scroll = VScroll(content)
        self.body.addWidget(self._scroll, 1)
        self._fill()
        QApplication.instance().focusChanged.connect(self._follow_focus)  # type: ignore[union-attr]
        self.closed.connect(lambda: QApplication.instance().focusChanged.disconnect(self._follow_focus))  # type: ignore[union-attr]

    def open(self) -> None:
        super().open()
        self._language.setFocus(Qt.FocusReason.TabFocusReason)

    def _follow_focus(self, before: QWidget | None, now: QWidget | None) -> None:
        if now is not None and self._scroll.widget().isAncestorOf(now):
            self._scroll.ensureWidgetVisible(now, 0, 40)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange and hasattr(self, "_memory"):
            self._show_memory()

    def _fill(self) -> None:
        clear(self._sections)
        for section in (
            self._interface(),
            self._memory_section(),
            MouseSection(self._desk.mouse),
            self._monitors(),
            self._readers(),
            self._passwords(),
            self._places(),
        ):
            self._sections.addWidget(section)
        self._sections.addStretch(1)

    # -- sections

    def _interface(self) -> Section:
        made = Section(Words("settings.interface"))
        codes = [(code, NATIVE_NAMES.get(code, code.upper())) for code in available_languages()]
        self._language = Segments(codes, language(), name=Words("ui.top.language"))
        self._language.chosen.connect(lambda code: self._workstation.set_language(str(code)))
        made.add(Words("ui.top.language"), self._language, fixed=self._desk.language_fixed)
        sizes = [(p, f"{p} %") for p in TEXT_PERCENT]
        self.size_choice = Segments(sizes, self._desk.text_percent, name=Words("settings.text_size"))
        self.size_choice.chosen.connect(self._resize)
        made.add(Words("settings.text_size"), self.size_choice, Words("settings.text_size.how"), fixed=self._desk.text_fixed)
        return made

    def _resize(self, percent: object) -> None:
        if isinstance(percent, int) and percent != self._desk.text_percent:
            self._desk.set_text_percent(percent)
            QTimer.singleShot(0, self, self.resized.emit)

    def _memory_section(self) -> Section:
        made = Section(Words("settings.memory"), Words("settings.memory.how"))
        view = self._desk.memory()
        self._memory = Select(Words("settings.memory.ceiling"), self._sizes, NOTHING)
        self._memory.chosen.connect(self._set_memory)
        made.add(Words("settings.memory.ceiling"), self._memory, fixed=view.fixed)
        self._memory_said = note("", wrap=True)
        made.lines.addWidget(self._memory_said)
        self._show_memory()
        return made

    def _sizes(self) -> Options:
        view = self._desk.memory()
        fit = [g for g in _GB if view.least_gb <= g <= max(view.least_gb, view.machine_gb)]
        default = Words("settings.memory.default", {"value": number(view.default_gb)})
        return [(_DEFAULT, default), *((str(g), Words("settings.memory.gb", {"value": g})) for g in fit)]

    def _set_memory(self, value: str) -> None:
        try:
            self._desk.set_memory(None if value == _DEFAULT else float(value))
        except ProblemError as error:
            self._memory_said.say(tr_problem(error.problem))
            return
        self._show_memory()

    def _show_memory(self) -> None:
        view = self._desk.memory()
        params = {"value": number(view.ceiling_gb)}
        own = view.own or view.fixed
        self._memory.show_value(Words("settings.memory.gb" if own else "settings.memory.default", params))
        self._memory_said.say(
            Words("settings.memory.machine", {"machine": number(view.machine_gb), "default": number(view.default_gb)})
        )

    def _monitors(self) -> Section:
        made = Section(Words("settings.monitors"), Words("settings.monitors.how"))
        line = row(gap=8)
        doors = (("patient_window", "user"), ("spread_panes", "columns"), ("display_check", "monitor"), ("keys", "keyboard"))
        for name, icon in doors:
            button = Button(Words("ui.top.keys" if name == "keys" else f"ui.key.{name}"), OUTLINE, icon)
            button.clicked.connect(lambda _=False, n=name: self._leave_for(n))
            button.setEnabled(name not in ("patient_window", "spread_panes") or self._workstation.reading is not None)
            line.addWidget(button)
        line.addStretch(1)
        made.lines.addLayout(line)
        return made

    def _readers(self) -> Section:
        made = Section(Words("readers.title"), Words("readers.open.how"))
        line = row(gap=8)
        button = Button(Words("readers.open"), OUTLINE, "certificate")
        button.clicked.connect(lambda: self._leave_for("readers"))
        line.addWidget(button)
        line.addStretch(1)
        made.lines.addLayout(line)
        return made

    def _leave_for(self, command: str) -> None:
        self.leave()
        self.command.emit(command)

    def _passwords(self) -> Section:
        made = Section(Words("settings.storages"), Words("settings.storages.how"))
        targets = self._desk.passwords()
        for target in targets:
            made.lines.addWidget(_Password(self._desk, target))
        if not targets:
            made.lines.addWidget(note(Words("settings.storages.none"), wrap=True))
        return made

    def _places(self) -> Section:
        made = Section(Words("settings.places"))
        for place in self._desk.places():
            line = row(gap=12)
            name = Text(place.what, "body", "medium", wrap=True)
            name.setFixedWidth(240)
            where = Text(place.where, "body", "regular", "secondary")
            where.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            line.addWidget(name)
            line.addWidget(where, 1)
            made.lines.addLayout(line)
        made.lines.addWidget(Text(self._desk.key_words(), "body", "regular", "secondary", wrap=True))
        return made


class _Password(QWidget):
    """One storage: its password goes in here and is never shown again."""

    def __init__(self, desk: SettingsDesk, target: PasswordView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk, self._name = desk, target.target
        lay = column(self, gap=6)
        who = f"{target.title} · {target.username}" if target.username else target.title
        lay.addWidget(Text(who, "body", "medium"))
        lay.addWidget(Text(target.where, "small", "regular", "secondary"))
        line = row(gap=8)
        self.field = Field(Words("settings.password"), Words("settings.password.hint"))
        self.field.edit.setEchoMode(QLineEdit.EchoMode.Password)
        self.field.entered.connect(self._keep)
        keep, drop = Button(Words("settings.password.keep"), OUTLINE), Button(Words("settings.password.drop"), OUTLINE)
        keep.clicked.connect(self._keep)
        drop.clicked.connect(self._drop)
        line.addWidget(self.field, 1)
        line.addWidget(keep)
        line.addWidget(drop)
        lay.addLayout(line)
        self._said = note("", wrap=True)
        lay.addWidget(self._said)
        self._show()

    def _show(self) -> None:
        now = next(p for p in self._desk.passwords() if p.target == self._name)
        state = "kept" if now.kept else "in_file" if now.in_file else "missing"
        self._said.say(Words(f"settings.password.{state}"))

    def _keep(self) -> None:
        if self.field.text():
            self._set(self.field.text())

    def _drop(self) -> None:
        self._set("")

    def _set(self, password: str) -> None:
        try:
            self._desk.set_password(self._name, password)
        except ProblemError as error:
            self._said.say(tr_problem(error.problem))
            return
        self.field.set_text("")
        self._show()
