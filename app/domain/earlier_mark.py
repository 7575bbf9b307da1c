"""Attributes of a second reader's mark that was compared with an earlier study of the patient."""

from __future__ import annotations

from enum import StrEnum

STATE = "earlier_state"
DATE = "earlier_date"
"""YYYYMMDD of the study that was compared."""
CHANCE = "earlier_chance"
"""The reader's calibrated chance at the same place of the earlier images, 0 to 1."""


class EarlierState(StrEnum):
    NEW = "new"
    """Nothing of the shadow stood there."""
    MORE = "more"
    """There was less of it, or nothing: grown or new."""
    THERE = "there"
    """About as now."""
    UNLIKE = "unlike"
    """The two images do not lie on each other there: not compared."""
