"""What an independent computation says against a value, wherever the value goes: report, remarks, structured report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from app.domain.finding import Finding
from app.domain.problem import Problem, Severity
from app.session.marks import with_attribute
from app.session.recheck_desk import CROSSED, MISMATCH

_IN_REPORT = {MISMATCH: "report.doubt.mismatch", CROSSED: "report.doubt.crossed"}
_BEFORE_SIGNING = {MISMATCH: "report.remark.mismatch", CROSSED: "report.remark.crossed"}
ATTRIBUTE = "recheck"


def report_words(doubt: str) -> str:
    """Message id of the sentence that follows the value in the report."""
    return _IN_REPORT[doubt]


def remarks(doubts: Mapping[str, str]) -> tuple[Problem, ...]:
    """What is said before signing: how many values are not confirmed, and why."""
    counts = Counter(doubts.values())
    return tuple(
        Problem(message_id, {"n": counts[doubt]}, Severity.WARNING)
        for doubt, message_id in _BEFORE_SIGNING.items()
        if counts[doubt]
    )


def with_doubt(mark: Finding, doubt: str) -> Finding:
    """A mark as it is written: with what speaks against its values."""
    return with_attribute(mark, ATTRIBUTE, doubt) if doubt else mark
