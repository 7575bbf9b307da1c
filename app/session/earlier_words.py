"""What a second reader's mark says of an earlier study at the same place. Pure."""

from __future__ import annotations

from app.domain import earlier_mark
from app.domain.finding import Finding
from app.session.clock import dicom_date
from app.session.views import NOTHING, Words


def earlier_words(finding: Finding) -> Words:
    """A sentence with the date and, where the reader tells it, the chance then; nothing for a mark that was not compared."""
    told = dict(finding.attributes)
    state = told.get(earlier_mark.STATE, "")
    if not state:
        return NOTHING
    date = dicom_date(told.get(earlier_mark.DATE, "")) or "–"
    chance = told.get(earlier_mark.CHANCE)
    if chance is None:
        return Words(f"finding.earlier_place.{state}", {"date": date})
    return Words(f"finding.earlier.{state}", {"date": date, "n": round(100 * float(chance))})
