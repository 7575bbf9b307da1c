"""A spawned process that reads hostile bytes for us: it is started at the first need and replaced when it dies or hangs.

Messages are JSON and raw bytes (no pickle); what they say is agreed between the owner of the process and its ``serve``.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import TypeVar

from app.domain.problem import ProblemError

Answer = TypeVar("Answer")


def expendable_already() -> bool:
    """This process is such a child: it may have no children, and a crash here costs no more than one there."""
    return bool(multiprocessing.current_process().daemon)


class ExpendableProcess:
    """One at a time. ``lock`` is the owner's: whoever asks holds it, so that question and answer stay together."""

    def __init__(self, serve: Callable[[Connection], None], name: str, died: Callable[[], ProblemError]) -> None:
        """``serve`` is a module's function, run in the child until the pipe closes; ``died`` says what a death means."""
        self.lock = threading.Lock()
        self.process: BaseProcess | None = None
        self.started = 0
        """How many children there have been: what one was told, the next does not know."""
        self._pipe: Connection | None = None
        self._serve, self._name, self._died = serve, name, died

    def ask(self, send: Callable[[Connection], None], receive: Callable[[Connection], Answer], timeout_s: float) -> Answer:
        """Raises what ``died`` gives when the process dies or is silent too long. After any error it is gone."""
        try:
            pipe = self._started()
            send(pipe)
            if not pipe.poll(timeout_s):
                raise TimeoutError
            return receive(pipe)
        except ProblemError:
            self.stop()  # the source of the bytes gave up halfway
            raise
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            self.stop()
            raise self._died() from error

    def alive(self) -> bool:
        return self._pipe is not None and self.process is not None and self.process.is_alive()

    def stop(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
        if self.process is not None:
            self.process.kill()
            self.process.join(5)
        self._pipe = self.process = None

    def _started(self) -> Connection:
        if self._pipe is not None and self.alive():
            return self._pipe
        self.stop()
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self.process = context.Process(target=self._serve, args=(theirs,), daemon=True, name=self._name)
        self.process.start()
        self.started += 1
        theirs.close()
        self._pipe = ours
        return ours
