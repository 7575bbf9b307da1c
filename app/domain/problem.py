"""A problem told to a person: code and parameters here, the sentence at the edge in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Problem:
    """What happened (``code``, ``params``), what stayed safe and what to do next (message ids of their own).

    ``code`` is a dotted message id such as ``dicom.truncated``. ``params`` hold no patient data: they reach the logs.
    """

    code: str
    params: Mapping[str, str | int | float] = field(default_factory=dict)
    severity: Severity = Severity.ERROR
    kept_safe: str = ""
    next_step: str = ""


class ProblemError(Exception):
    """Carries a :class:`Problem` to the edge."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.code} {dict(problem.params)}")
        self.problem = problem


def fail(code: str, *, kept_safe: str = "", next_step: str = "", **params: str | int | float) -> ProblemError:
    """Shorthand: ``raise fail("dicom.truncated", path=name)``."""
    return ProblemError(Problem(code, params, Severity.ERROR, kept_safe, next_step))
