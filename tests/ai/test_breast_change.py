"""A mark against an earlier view of the same breast: laid on each other, subtracted, told with the day."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from app.ai.reader_api import EarlierFilms, FilmImage, ReaderJob
from app.ai.readers.breast import outlined
from app.ai.readers.mammogram.change import compared, laid, state_of
from app.ai.readers.mammogram.earlier import same_view, then_of, views_then, with_earlier
from app.ai.readers.mammogram.view import BreastView, prepare
from app.ai.training.breast_change import taken_otherwise, with_mass
from app.ai.training.chest_change import RIGHT
from app.domain.earlier_mark import EarlierState
from app.domain.finding import Finding, Location, ReaderIdentity, Source
from app.domain.measurement import Code
from app.domain.messages import translate
from app.samples.mammogram import Lesion, generate_mammogram
from app.session.earlier_words import earlier_words

MM = 0.4
SHAPE = (512, 384)


@cache
def view(size_mm: float, exam: int = 0, seed: int = 31, name: str = "LMLO") -> tuple[np.ndarray, tuple[float, float]]:
    """(values, middle of the mass in film pixels)."""
    lesions = (Lesion(name[0], "mass", 0.45, 0.3, 0.1, size_mm or 14.0),)
    drawn = lesions if size_mm else ()
    (made,) = generate_mammogram(seed, density=0.15, lesions=drawn, shape=SHAPE, views=(name,), exam=exam, threads=1)
    return made.pixels.astype(np.float32), made.lesions[0].centre_px if made.lesions else (0.0, 0.0)


def film(values: np.ndarray, uid: str = "2.25.1", name: str = "LMLO") -> FilmImage:
    return FilmImage(values, uid, (MM, MM), name[0], name[1:], (), None, (MM, MM))


def prepared(values: np.ndarray) -> BreastView:
    return prepare(values, (MM, MM), True)


@pytest.mark.parametrize(("before_mm", "kind"), [(0.0, "new"), (6.0, "grown"), (16.0, "unchanged")])
def test_what_became_of_a_mass(before_mm: float, kind: str) -> None:
    values, at = view(16.0)
    now, then = prepared(values), prepared(taken_otherwise(view(before_mm, 1)[0], np.random.default_rng(3)))
    place = laid(now, then)
    assert place is not None
    assert compared(place, *now.to_grid(*at)).state in RIGHT[kind]


def test_the_place_is_found_again_where_the_breast_was_pressed_and_turned() -> None:
    values, at = view(16.0)
    spot = np.zeros_like(values)
    x, y = round(at[0]), round(at[1])
    spot[y - 2 : y + 3, x - 2 : x + 3] = 1000.0
    moved = taken_otherwise(spot, np.random.default_rng(3), noise=0.0)
    row, column = np.unravel_index(int(moved.argmax()), moved.shape)
    now, then = prepared(values), prepared(taken_otherwise(values, np.random.default_rng(3)))
    place = laid(now, then)
    assert place is not None
    found = then.to_film(*compared(place, *now.to_grid(*at)).place)
    assert found == pytest.approx((column + 0.5, row + 0.5), abs=7.0)


def test_another_woman_or_a_magnified_view_is_not_compared() -> None:
    now = prepared(view(16.0)[0])
    assert laid(now, prepared(view(16.0, 0, 77)[0])) is None
    part = view(16.0, 1)[0][120:376, :192]
    assert laid(now, prepare(part, (2 * MM, 2 * MM), True)) is None


def test_surroundings_that_differ_are_not_compared() -> None:
    values, at = view(16.0)
    now = prepared(values)
    place = laid(now, now)
    assert place is not None
    rest = compared(place, *now.to_grid(*at))
    assert rest.state is EarlierState.THERE
    assert state_of(replace(rest.rest, alike=0.2)) is EarlierState.UNLIKE
    assert state_of(replace(rest.rest, left=1.0)) is EarlierState.NEW
    assert state_of(replace(rest.rest, left=0.6)) is EarlierState.MORE


def test_only_the_same_side_and_projection_are_taken() -> None:
    one = film(view(16.0)[0])
    assert same_view(one, replace(one, view_position="mlo"))
    for other in (
        replace(one, laterality="R"),
        replace(one, view_position="CC"),
        replace(one, laterality="", view_position=""),
    ):
        assert not same_view(one, other)
    old = EarlierFilms(
        "20250302", (replace(one, view_position="CC"), replace(one, spacing_mm=None, detector_spacing_mm=None))
    )
    assert views_then(old, [one], lambda f: outlined(f)[0]) == ()


def test_a_mark_says_the_day_and_keeps_its_numbers() -> None:
    values, at = view(16.0)
    one = film(values)
    mine, _ = outlined(one)
    assert mine is not None
    old = EarlierFilms("20250302", (film(taken_otherwise(view(16.0, 1)[0], np.random.default_rng(3)), "2.25.2"),))
    before = views_then(old, [one], lambda f: outlined(f)[0])
    who = ReaderIdentity("breast", "0", "ab" * 32)
    lesion = Code("52988006", "SCT", "Lesion")
    mark = Finding("2.25.9", Source.AI, lesion, Location(centre_px=at), score=1.5, probability=0.3, reader=who)
    told = with_earlier(mark, mine, then_of(one, mine, old, before))
    assert dict(told.attributes) == {"earlier_state": "there", "earlier_date": "20250302"}
    assert (told.score, told.probability, told.location) == (mark.score, mark.probability, mark.location)
    assert with_earlier(mark, mine, then_of(one, mine, None, ())) == mark
    stranger = EarlierFilms("20250302", (film(view(16.0, 0, 77)[0], "2.25.3"),))
    apart = with_earlier(mark, mine, then_of(one, mine, stranger, views_then(stranger, [one], lambda f: outlined(f)[0])))
    assert dict(apart.attributes)["earlier_state"] == "unlike"
    for language in ("en", "ru", "kk"):
        for finding in (told, apart):
            words = earlier_words(finding)
            text = translate(language, words.id, dict(words.params))
            assert "02.03.2025" in text
            assert text != words.id


def test_a_drawn_mass_is_brightest_at_its_place() -> None:
    drawn = with_mass(np.zeros((60, 80), np.float32), (30.0, 20.0), 12.0, 5.0, 1)
    assert np.unravel_index(int(drawn.argmax()), drawn.shape) == pytest.approx((20, 30), abs=3)


def test_the_reader_hands_the_earlier_views_on() -> None:
    from app.ai.readers.breast import READER
    from app.ai.training.evaluation.common import open_reader
    from app.domain.ports import SilentProgress

    one = open_reader("breast", None, 1, "torch")
    values, _ = view(16.0)
    old = EarlierFilms("20250302", (film(taken_otherwise(view(16.0, 1)[0], np.random.default_rng(3)), "2.25.2"),))
    who = ReaderIdentity("breast", "0", "ab" * 32)
    alone, beside = (
        READER.run(ReaderJob("2.25.5", who, None, (film(values),), earlier=e), one.nets, one.parameters, SilentProgress())
        for e in (None, old)
    )
    marks = [f for f in beside.findings if f.code.value == "52988006"]
    assert marks
    assert all("earlier_state" in dict(f.attributes) for f in marks)
    assert [(f.location, f.probability) for f in alone.findings] == [(f.location, f.probability) for f in beside.findings]
