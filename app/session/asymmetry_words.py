"""How a mark of a mammogram that outshines the same place of the other breast says so on its card. Pure."""

from __future__ import annotations

from app.domain.finding import ASYMMETRY, Finding
from app.session.views import NOTHING, Words

STRONG_Z = 5.0


def asymmetry_words(finding: Finding) -> Words:
    """A sentence with its z value; nothing for every other finding."""
    told = dict(finding.attributes).get(ASYMMETRY, "")
    if not told:
        return NOTHING
    degree = "strong" if float(told) >= STRONG_Z else "clear"
    return Words(f"finding.asymmetry.{degree}", {"z": told})
