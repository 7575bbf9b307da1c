"""What a mark was on an earlier film, in the report: behind its line, in the report's language, without any chance."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.dicom.coding import FINDING_KINDS
from app.domain.finding import SUSPICION, Finding, Location, ReaderIdentity, Source
from app.report.words import kind_words
from app.session.earlier_words import earlier_sentence, report_sentences

WHO = ReaderIdentity("chest_xray", "0", "ab" * 32)


def mark(state: str, *more: tuple[str, str]) -> Finding:
    told = (("earlier_state", state), ("earlier_date", "20250302"), ("earlier_chance", "0.41"), *more)
    where = Location(sop_instance_uid="1.2", centre_px=(10.0, 20.0))
    return Finding("2.25.1", Source.AI, FINDING_KINDS["nodule"], where, attributes=told, reader=WHO)


@pytest.mark.parametrize("language", ["en", "ru", "kk"])
@pytest.mark.parametrize("state", ["new", "more", "there"])
def test_an_accepted_mark_carries_the_comparison_with_its_day(language: str, state: str) -> None:
    text = earlier_sentence(language, mark(state))
    assert "02.03.2025" in text
    assert "41" not in text
    assert "report." not in text


def test_what_was_not_compared_is_not_reported() -> None:
    assert earlier_sentence("en", mark("unlike")) == ""
    assert earlier_sentence("en", replace(mark("new"), attributes=())) == ""
    assert earlier_sentence("en", replace(mark("new"), attributes=(("earlier_state", "new"),))) == ""


def test_it_stands_with_the_finding_that_the_report_shows_and_not_with_one_that_was_moved() -> None:
    one = mark("new")
    assert report_sentences("en", [one], [one], {}) == {"2.25.1": "Not seen on 02.03.2025: new."}
    assert report_sentences("en", [one], [one], {"2.25.1": "2.25.7"}) == {"2.25.7": "Not seen on 02.03.2025: new."}
    moved = replace(one, location=replace(one.location, centre_px=(60.0, 20.0)))
    assert report_sentences("en", [one], [moved], {}) == {}


def test_no_estimate_of_malignancy_is_put_into_the_line() -> None:
    plain = kind_words("en", mark("new"))
    assert kind_words("en", mark("new", (SUSPICION, "0.93"))) == plain
    assert plain == kind_words("en", replace(mark("new"), attributes=()))
