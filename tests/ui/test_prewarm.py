from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from app.session import memory
from app.ui import prewarm
from tests.ui.conftest import settle, settled

ROOT = Path(__file__).resolve().parents[2]


def test_the_reading_room_is_made_ready_without_anything_heavy() -> None:
    code = (
        "import gc, sys\n"
        "from app.ui import prewarm\n"
        "thread = prewarm.begin()\n"
        "thread.join(60)\n"
        "from app.viewer.hanging_protocols import shipped_protocols\n"
        "assert shipped_protocols.cache_info().currsize == 1\n"
        "assert 'app.ui.reading.screen' in sys.modules\n"
        "assert gc.get_freeze_count() > 10_000\n"
        "from app.ui import icons\n"
        "from app.viewer import anatomy, word_match\n"
        "made, read = word_match._compiled.cache_info().misses, icons._source.cache_info().misses\n"
        "for words in ('knee', 'rechts oberschenkel', 'Қол басы', 'сонная артерия слева', 'BOTH ANKLES'):\n"
        "    anatomy.regions_in(words), anatomy.side_in(words)\n"
        "assert word_match._compiled.cache_info().misses == made\n"
        "assert icons._source('x') and icons._source.cache_info().misses == read\n"
        "heavy = {'vtkmodules', 'torch', 'highdicom', 'SimpleITK', 'onnxruntime', 'openvino', 'reportlab'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


class _Workstation:
    def __init__(self) -> None:
        self.at_work = True

    def busy(self) -> bool:
        return self.at_work


def test_memory_is_warmed_when_nothing_is_under_way(qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    warmed: list[str] = []
    monkeypatch.setattr(memory, "study_opened", threading.Event())
    monkeypatch.setattr(memory, "warm_a_volume", lambda: warmed.append(threading.current_thread().name))
    workstation = _Workstation()
    warmth = prewarm.VolumeWarmth(workstation, idle_ms=1)
    settle()
    assert warmth.waits
    assert not warmed, "while something is under way nothing is warmed"
    workstation.at_work = False
    assert settled(lambda: bool(warmed))
    assert warmed == ["prewarm-volume"], "beside the main thread"
    assert not warmth.waits


def test_after_a_study_was_opened_nothing_is_warmed_any_more(qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = threading.Event()
    opened.set()
    monkeypatch.setattr(memory, "study_opened", opened)
    monkeypatch.setattr(memory, "warm_a_volume", lambda: pytest.fail("too late"))
    workstation = _Workstation()
    workstation.at_work = False
    warmth = prewarm.VolumeWarmth(workstation, idle_ms=1)
    assert settled(lambda: not warmth.waits)
    assert warmth.thread_ is None


def test_a_window_that_is_closed_at_once_ends_cleanly() -> None:
    code = (
        "import sys, time\n"
        "from PySide6.QtWidgets import QApplication\n"
        "app = QApplication([])\n"
        "from app.ui import prewarm\n"
        "thread = prewarm.begin()\n"
        "assert not thread.daemon\n"
        "time.sleep(float(sys.argv[1]))\n"
    )
    for delay_s in ("0.0", "0.15", "0.3"):
        done = subprocess.run(
            [sys.executable, "-c", code, delay_s],
            cwd=ROOT,
            env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
