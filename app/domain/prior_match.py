"""What a person has said of where a finding was in an earlier study: how it goes into report and structured report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Change(StrEnum):
    """By more than two measurements of one thing differ."""

    NEW = "new"
    """Not found in the earlier study."""
    GROWN = "grown"
    SHRUNK = "shrunk"
    STEADY = "steady"
    UNKNOWN = "unknown"
    """Sizes that cannot be compared."""


@dataclass(frozen=True)
class PriorMatch:
    """``finding_id`` of the present study was ``then_id`` (its tracking UID) of ``study_instance_uid``; "" when it is new.

    Sizes and volumes are those that were compared; None where there was nothing to compare.
    """

    finding_id: str
    then_id: str
    study_instance_uid: str
    study_date: str
    """YYYYMMDD of the earlier study."""
    days: int
    change: Change
    now_mm: float | None = None
    then_mm: float | None = None
    now_mm3: float | None = None
    then_mm3: float | None = None
    doubling_days: float | None = None
