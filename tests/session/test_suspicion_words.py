"""The estimate of a lung nodule's suspicion in a sentence."""

from __future__ import annotations

import pytest

from app.dicom.coding import FINDING_KINDS
from app.domain.finding import SUSPICION, Finding, Location, Source
from app.session.suspicion_words import suspicion_words
from app.session.views import NOTHING


def _nodule(*attributes: tuple[str, str]) -> Finding:
    return Finding("2.25.1", Source.MINE, FINDING_KINDS["nodule"], Location((0.0, 0.0, 0.0)), attributes=attributes)


@pytest.mark.parametrize(("told", "of_100"), [("0.37", 37), ("0.00", 1), ("1.00", 99)])
def test_the_estimate_is_told_in_nodules_of_100_and_never_as_certain(told: str, of_100: int) -> None:
    words = suspicion_words(_nodule(("composition", "solid"), (SUSPICION, told)))
    assert (words.id, words.params) == ("finding.suspicion", {"of_100": of_100})


def test_a_nodule_without_estimate_says_nothing() -> None:
    assert suspicion_words(_nodule(("composition", "solid"))) is NOTHING
