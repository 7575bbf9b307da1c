"""What a second reader's mark says of an earlier study at the same place. Pure."""

from __future__ import annotations

from app.domain import earlier_mark
from app.domain.finding import Finding
from app.session.clock import dicom_date
from app.session.views import NOTHING, Words


def earlier_words(finding: Finding) -> Words:
    """A sentence with the date and the chance then, in per cent; nothing for a mark that was not compared."""
    told = dict(finding.attributes)
    state = told.get(earlier_mark.STATE, "")
    if not state:
        return NOTHING
    then = round(100 * float(told.get(earlier_mark.CHANCE, "0")))
    return Words(f"finding.earlier.{state}", {"date": dicom_date(told.get(earlier_mark.DATE, "")) or "–", "n": then})
