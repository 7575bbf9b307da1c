"""Speaks only when there is something to say: running work with a number and a way out, notices with a way on."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from app.domain.problem import Severity
from app.session.views import NOTHING, Notice, TaskState, TaskView, Words
from app.ui.i18n import tr, tr_problem
from app.ui.theme import colour
from app.ui.widgets.boxes import ProgressBar, row
from app.ui.widgets.buttons import OUTLINE, TOOL, Button
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.text import Text

HEIGHT = 40


class StatusLine(QWidget):
    cancel = Signal(str)
    retry = Signal(str)
    """Name of the command."""
    retry_task = Signal(str)
    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(HEIGHT)
        self._notice: Notice | None = None
        self._task: TaskView | None = None
        self._seen: set[str] = set()
        lay = row(self, (16, 0, 16, 0), 10)
        self._glyph = Glyph()
        self._text = Text("")
        self._bar = ProgressBar()
        self._bar.setFixedWidth(200)
        self._percent = Text("", "body", "medium")
        self._again = Button(Words("ui.retry"), OUTLINE, height=28)
        self._stop = Button(Words("ui.cancel"), OUTLINE, height=28)
        self._close = Button(NOTHING, TOOL, "x", tip=Words("ui.close"), height=28)
        for widget, stretch in ((self._glyph, 0), (self._text, 1), (self._bar, 0), (self._percent, 0)):
            lay.addWidget(widget, stretch)
        for widget in (self._again, self._stop, self._close):
            lay.addWidget(widget)
        self._stop.clicked.connect(lambda: self._task and self.cancel.emit(self._task.task_id))
        self._again.clicked.connect(self._try_again)
        self._close.clicked.connect(self.dismiss)
        self._show()

    def say(self, notice: Notice) -> None:
        self._notice = notice
        self._show()

    def show_tasks(self, tasks: Sequence[TaskView]) -> None:
        running = [t for t in tasks if t.state is TaskState.RUNNING]
        failed = [t for t in tasks if t.state is TaskState.FAILED and t.task_id not in self._seen]
        self._task = running[-1] if running else failed[-1] if failed else None
        self._show()

    def dismiss(self) -> None:
        if self._notice is None and self._task is not None:
            self._seen.add(self._task.task_id)
            self._task = None
        self._notice = None
        self._show()
        self.closed.emit()

    def _try_again(self) -> None:
        if self._notice is not None and self._notice.retry:
            command = self._notice.retry
            self._notice = None
            self._show()
            self.retry.emit(command)
        elif self._task is not None:
            self.retry_task.emit(self._task.task_id)

    def retranslate(self) -> None:
        self._show()

    def _show(self) -> None:
        notice, task = self._notice, self._task
        running = notice is None and task is not None and task.state is TaskState.RUNNING
        self._bar.setVisible(running)
        self._percent.setVisible(running)
        self._stop.setVisible(running)
        self._again.setVisible(
            (notice is not None and bool(notice.retry)) or (notice is None and task is not None and not running)
        )
        self._again.say(notice.action if notice is not None and notice.action != NOTHING else Words("ui.retry"))
        self._close.setVisible(notice is not None or (task is not None and not running))
        if notice is not None:
            note = notice.problem.severity is Severity.NOTE
            self._glyph.show_icon(*(("info", "secondary") if note else ("warning", "bad")))
            self._text.say(tr_problem(notice.problem))
        elif task is not None and running:
            self._glyph.show_icon("hourglass-medium")
            stage = f" · {tr(task.stage)}" if task.stage else ""
            self._text.say(tr(task.title) + stage)
            self._bar.set_fraction(task.fraction)
            self._percent.say(f"{round(task.fraction * 100)} %")
        elif task is not None:
            self._glyph.show_icon("warning-circle", "bad")
            self._text.say(tr_problem(task.problem) if task.problem else tr(task.title))
        self.setVisible(notice is not None or task is not None)
        self.setAccessibleName(self._text.text())

    def sizeHint(self) -> QSize:
        return QSize(600, HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), colour("raised"))
        painter.fillRect(QRectF(0, 0, self.width(), 1), colour("line"))
        painter.end()
