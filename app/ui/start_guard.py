"""What would make Qt abort the process, said before in a sentence: PySide6 6.12 on Python 3.11, or no screen."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib import metadata

from app.domain.problem import Problem, ProblemError


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())


def problem_with(pyside: str | None, python: tuple[int, int]) -> Problem | None:
    """What hinders the window, or None. ``pyside`` is the installed version or None when it is missing."""
    if pyside is None:
        return Problem("ui.start.no_pyside", next_step="ui.start.run_bootstrap")
    if _version(pyside) >= (6, 12) and python < (3, 12):
        return Problem(
            "ui.start.pyside_too_new",
            {"pyside": pyside, "python": f"{python[0]}.{python[1]}"},
            kept_safe="ui.start.nothing_changed",
            next_step="ui.start.run_bootstrap",
        )
    return None


def installed_pyside() -> str | None:
    for name in ("PySide6-Essentials", "PySide6"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def no_screen(platform: str, environment: Mapping[str, str]) -> Problem | None:
    """A Linux without a display, where nobody asked for a platform that needs none."""
    if not platform.startswith("linux") or any(
        environment.get(n) for n in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    ):
        return None
    return Problem("ui.start.no_screen", kept_safe="ui.start.nothing_changed", next_step="ui.start.run_demo")


def guard() -> None:
    """Raises ``ProblemError`` where Qt must not be imported."""
    problem = problem_with(installed_pyside(), sys.version_info[:2]) or no_screen(sys.platform, os.environ)
    if problem is not None:
        raise ProblemError(problem)
