"""What a second reader's mark says of an earlier study at the same place. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from app.domain import earlier_mark
from app.domain.earlier_mark import EarlierState
from app.domain.finding import Finding
from app.domain.messages import translate
from app.session.clock import dicom_date
from app.session.views import NOTHING, Words

REPORTED = frozenset({EarlierState.NEW.value, EarlierState.MORE.value, EarlierState.THERE.value})


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


def earlier_sentence(language: str, finding: Finding) -> str:
    """The same for the report, behind the line of the finding; "" for a mark that was not compared. No chances are told."""
    told = dict(finding.attributes)
    state, date = told.get(earlier_mark.STATE, ""), dicom_date(told.get(earlier_mark.DATE, ""))
    if not date or state not in REPORTED:
        return ""
    return translate(language, f"report.earlier.{state}", {"date": date})


def report_sentences(
    language: str, marks: Iterable[Finding], accepted: Iterable[Finding], agreed: Mapping[str, str]
) -> dict[str, str]:
    """By the id of the report's finding. ``marks`` as the second reader made them: of one that a person moved nothing is
    said, its place was not compared. ``agreed``: accepted mark to the reader's own finding that stands for both.
    """
    places = {m.finding_id: m.location for m in marks}
    found = {}
    for finding in accepted:
        text = earlier_sentence(language, finding)
        if text and places.get(finding.finding_id) == finding.location:
            found[agreed.get(finding.finding_id, finding.finding_id)] = text
    return found
