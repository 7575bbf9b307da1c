"""Threads that decode give way to the window, and nothing else does."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from app.dicom import behind

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the threads of a process apart")


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def in_a_thread(work: object) -> list[int]:
    found: list[int] = []

    def run() -> None:
        work()  # type: ignore[operator]
        found.append(niceness())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    return found


@linux_only
def test_a_thread_goes_behind_and_the_others_stay() -> None:
    before = niceness()
    assert in_a_thread(behind.behind_the_window) == [max(5, before)]
    assert niceness() == before
    assert in_a_thread(lambda: None) == [before]


@linux_only
def test_a_system_that_refuses_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*given: int) -> None:
        raise PermissionError

    monkeypatch.setattr(behind.os, "setpriority", refused)
    assert in_a_thread(behind.behind_the_window) == [niceness()]
