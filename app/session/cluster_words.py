"""How a cluster on a mammogram tells its points on the card. Pure."""

from __future__ import annotations

from app.domain.finding import CALCIFICATIONS, Finding
from app.session.views import NOTHING, Words


def cluster_words(finding: Finding) -> Words:
    """A sentence with the number of points; nothing for every other finding."""
    told = dict(finding.attributes).get(CALCIFICATIONS, "")
    return Words("finding.cluster.points", {"n": int(told)}) if told else NOTHING
