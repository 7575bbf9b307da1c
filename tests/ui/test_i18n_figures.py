"""Numbers and data inside sentences stand in the language of the screen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.ai.catalogue import Catalogue
from app.domain.messages import LANGUAGES
from app.domain.problem import Problem
from app.domain.resources import resource_path
from app.session.views import Words
from app.ui import i18n


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    before = i18n.language()
    yield
    i18n.set_language(before)


def test_decimals_of_parameters_follow_the_language() -> None:
    place = Words("place.z", {"z": "-310.6"})
    refused = Problem("ai.scope.slices_too_far", {"spacing_mm": 4.0, "wanted_mm": "3.5"})
    i18n.set_language("ru")
    assert "\u2212310,6" in i18n.tr(place)
    assert "4,0" in i18n.tr_problem(refused)
    assert "3,5" in i18n.tr_problem(refused)
    i18n.set_language("en")
    assert "\u2212310.6" in i18n.tr(place)
    assert "4.0" in i18n.tr_problem(refused)


def test_what_is_no_number_stays() -> None:
    i18n.set_language("kk")
    assert "1.2.840.10008" in i18n.tr(Words("place.z", {"z": "1.2.840.10008"}))


def test_the_data_of_every_shipped_card_has_words_in_every_language() -> None:
    catalogue = Catalogue([resource_path("models")], [resource_path("models", "trust.json")])
    names = {b.data for p in catalogue.installed() for b in p.card.calibration}
    assert names
    for name in names:
        told = []
        for language in LANGUAGES:
            i18n.set_language(language)
            told.append(i18n.data_words(name))
        assert len(set(told)) == len(LANGUAGES), name
    assert i18n.data_words("scans of another maker") == "scans of another maker"
