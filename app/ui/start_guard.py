"""PySide6 6.12 aborts the process on Python 3.11 and older. Said before Qt is imported, in a sentence."""

from __future__ import annotations

import sys
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


def guard() -> None:
    """Raises ``ProblemError`` where Qt must not be imported."""
    problem = problem_with(installed_pyside(), sys.version_info[:2])
    if problem is not None:
        raise ProblemError(problem)
