"""What the buttons and the wheel do over an image."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QWidget

from app.domain.problem import ProblemError
from app.session.mouse_table import BUTTONS, CHOSEN, FIXED, MODIFIERS, MouseTable, gesture, tools_for
from app.session.views import Words
from app.ui.mouse import gesture_words, tool_words, use_mouse
from app.ui.settings.parts import Section, locked
from app.ui.widgets.boxes import row
from app.ui.widgets.buttons import OUTLINE, Button
from app.ui.widgets.select import Options, Select
from app.ui.widgets.text import Text, heading, note


class MouseSection(Section):
    """A button a line, a key a column. The key sheet shows the same table."""

    changed = Signal()

    def __init__(self, table: MouseTable, parent: QWidget | None = None) -> None:
        super().__init__(Words("settings.mouse"), Words("settings.mouse.how"), parent)
        self._table = table
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(8)
        self.selects: dict[str, Select] = {}
        for number, key in enumerate(MODIFIERS):
            grid.addWidget(heading(f"+ {key}" if key else Words("settings.mouse.alone")), 0, number + 1)
            grid.setColumnStretch(number + 1, 1)
        for line, button in enumerate(BUTTONS):
            label = Text(Words(f"mouse.{button}"), "body", "medium", elide=False)
            grid.addWidget(label, line + 1, 0)
            for number, key in enumerate(MODIFIERS):
                name = gesture(button, key)
                made = Select(gesture_words(name), lambda n=name: self._offered(n), Words("mouse.same"))
                made.chosen.connect(lambda tool, n=name: self._choose(n, tool))
                made.setEnabled(not table.fixed and name != FIXED)
                self.selects[name] = made
                grid.addWidget(made, line + 1, number + 1)
        self.lines.addLayout(grid)
        if table.fixed:
            self.lines.addLayout(locked())
        else:
            foot = row(gap=12)
            self._said = note("", wrap=True)
            foot.addWidget(self._said, 1)
            again = Button(Words("ui.keys.reset"), OUTLINE)
            again.clicked.connect(self._reset)
            foot.addWidget(again)
            self.lines.addLayout(foot)
        self._show()

    def _offered(self, name: str) -> Options:
        button = name.rsplit("+", 1)[-1]
        same = [("", Words("mouse.same"))] if "+" in name else []
        chosen = [(CHOSEN, tool_words(CHOSEN))] if button != "wheel" else []
        return [*same, *chosen, *((tool, tool_words(tool)) for tool in tools_for(button))]

    def _choose(self, name: str, tool: str) -> None:
        try:
            self._table.set(name, tool)
        except ProblemError as error:
            self._said.say(Words(error.problem.code))
            return
        self._show()

    def _reset(self) -> None:
        self._table.reset()
        self._show()

    def _show(self) -> None:
        table = self._table.table()
        use_mouse(table)
        for name, select in self.selects.items():
            tool = table.get(name, "")
            select.show_value(tool_words(tool) if tool else "")
        self.changed.emit()
