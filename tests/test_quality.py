"""ruff and mypy as ordinary tests, so that one command tells everything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "app", "tests", "installer"],
        ["ruff", "format", "--check", "app", "tests", "installer"],
        ["mypy"],
    ],
    ids=["ruff", "format", "mypy"],
)
def test_checker_is_content(command: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
