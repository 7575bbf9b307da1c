"""Long work beside the window: it has a name, shows progress, can be cancelled and repeated."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from app.dicom.behind import behind_the_window
from app.domain.ports import Cancelled, MainLoop, Progress
from app.domain.problem import Problem, ProblemError
from app.session.views import TaskState, TaskView, Words

T = TypeVar("T")
_log = logging.getLogger(__name__)
_SHOWN_STEP = 0.005
"""Smaller steps of progress are not announced: the main thread has better things to do."""


@dataclass
class _Task:
    view: TaskView
    cancel: threading.Event = field(default_factory=threading.Event)
    again: Callable[[], str] | None = None


class _TaskProgress:
    def __init__(self, runner: TaskRunner, task_id: str, cancel: threading.Event) -> None:
        self._runner = runner
        self._task_id = task_id
        self._cancel = cancel
        self._last = (-1.0, "")

    def report(self, fraction: float, stage: str = "") -> None:
        if stage == self._last[1] and abs(fraction - self._last[0]) < _SHOWN_STEP:
            return
        self._last = (fraction, stage)
        self._runner.progressed(self._task_id, fraction, stage)

    def cancelled(self) -> bool:
        return self._cancel.is_set()


class TaskRunner:
    """Runs work on its own threads; what it gives back and every announcement arrive on the main thread."""

    def __init__(self, loop: MainLoop, announce: Callable[[], None], threads: int = 2) -> None:
        self._loop = loop
        self._announce = announce
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="ekinshi-task", initializer=behind_the_window)
        self._tasks: dict[str, _Task] = {}
        self._numbers = itertools.count(1)
        self._closed = False

    def start(
        self,
        title: Words,
        work: Callable[[Progress], T],
        done: Callable[[T], None] = lambda _: None,
        failed: Callable[[Problem], None] = lambda _: None,
    ) -> str:
        """Queues ``work``; returns the task's id. ``done`` or ``failed`` is called on the main thread."""
        task_id = f"task-{next(self._numbers)}"
        task = _Task(TaskView(task_id, title, TaskState.RUNNING))
        task.again = lambda: self.start(title, work, done, failed)
        self._tasks[task_id] = task
        progress = _TaskProgress(self, task_id, task.cancel)

        def run() -> None:
            try:
                result = work(progress)
            except Cancelled:
                self._finish(task_id, TaskState.CANCELLED, None, lambda: None)
            except ProblemError as error:
                problem = error.problem
                self._finish(task_id, TaskState.FAILED, problem, lambda: failed(problem))
            except Exception as error:  # a bug of ours: say so instead of leaving the task running for ever
                _log.exception("task %s failed", title.id)
                problem = Problem("task.bug", {"kind": type(error).__name__}, next_step="next.retry_or_report")
                self._finish(task_id, TaskState.FAILED, problem, lambda: failed(problem))
            else:
                self._finish(task_id, TaskState.DONE, None, lambda: done(result))

        self._pool.submit(run)
        self._announce()
        return task_id

    def progressed(self, task_id: str, fraction: float, stage: str) -> None:
        def apply() -> None:
            task = self._tasks.get(task_id)
            if task and task.view.state is TaskState.RUNNING:
                task.view = replace(task.view, fraction=fraction, stage=stage)
                self._announce()

        self._post(apply)

    def _finish(self, task_id: str, state: TaskState, problem: Problem | None, then: Callable[[], Any]) -> None:
        def apply() -> None:
            task = self._tasks[task_id]
            task.view = replace(task.view, state=state, problem=problem, fraction=1.0)
            if state is not TaskState.FAILED:
                del self._tasks[task_id]
            then()
            self._announce()

        self._post(apply)

    def _post(self, call: Callable[[], None]) -> None:
        if not self._closed:
            self._loop.post(call)

    def views(self) -> tuple[TaskView, ...]:
        """Running and failed tasks; finished ones have left."""
        return tuple(task.view for task in self._tasks.values())

    def running(self) -> bool:
        return any(task.view.state is TaskState.RUNNING for task in self._tasks.values())

    def cancel(self, task_id: str) -> None:
        if task := self._tasks.get(task_id):
            task.cancel.set()

    def retry(self, task_id: str) -> str:
        """Starts a failed task again; returns the new id."""
        task = self._tasks.pop(task_id)
        assert task.again is not None
        return task.again()

    def dismiss(self, task_id: str) -> None:
        if task_id in self._tasks and self._tasks[task_id].view.state is not TaskState.RUNNING:
            del self._tasks[task_id]
            self._announce()

    def close(self) -> None:
        self._closed = True
        for task in self._tasks.values():
            task.cancel.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
