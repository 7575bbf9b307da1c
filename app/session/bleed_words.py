"""How a bleeding mark of a head CT says where it lies. Pure."""

from __future__ import annotations

from app.domain.bleed_place import BRAIN, LIES, SKULL
from app.domain.finding import Finding
from app.session.views import NOTHING, Words


def bleed_place_words(finding: Finding) -> Words:
    """A sentence that gives the kinds of blood found there, as a hint; nothing for every other finding."""
    told = dict(finding.attributes).get(LIES, "")
    return Words(f"finding.lies.{told}") if told in (SKULL, BRAIN) else NOTHING
