"""How a lung nodule tells the estimate of its suspicion on the card. Pure."""

from __future__ import annotations

from app.domain.finding import SUSPICION, Finding
from app.session.views import NOTHING, Words


def suspicion_words(finding: Finding) -> Words:
    """A sentence with nodules of 100, never none and never all; nothing for every other finding."""
    told = dict(finding.attributes).get(SUSPICION, "")
    return Words("finding.suspicion", {"of_100": min(99, max(1, round(100 * float(told))))}) if told else NOTHING
