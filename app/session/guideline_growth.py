"""What a confirmed match with an earlier study tells a guideline, as proposals that the reader may answer over. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from app.domain.prior_match import Change, PriorMatch
from app.report.guidelines.rules import Fact

_DAYS_A_MONTH = 30.4375
PROPOSED = ("change", "prior_mean_diameter_mm", "prior_months")


def facts_of(match: PriorMatch | None) -> Mapping[str, Fact]:
    """Empty while nobody has said what the nodule was. Growth itself is judged by the guideline's own rule, from the
    diameters and the months; a new nodule is new."""
    if match is None:
        return {}
    facts: dict[str, Fact] = {"prior_months": round(match.days / _DAYS_A_MONTH, 1)}
    if match.change is Change.NEW:
        facts["change"] = "new"
    elif match.then_mm is not None:
        facts["prior_mean_diameter_mm"] = round(match.then_mm, 1)
    return facts
