"""A marked shadow against an earlier film: laid on each other, subtracted, told with the day and the chance then."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from app.ai.reader_api import EarlierFilms, FilmImage, ReaderJob
from app.ai.readers.chest.change import compared, laid
from app.ai.readers.chest.field import ChestField, prepare
from app.ai.readers.chest_xray import READER
from app.ai.training.chest_change import RIGHT, summed_up, taken_otherwise
from app.ai.training.evaluation.common import open_reader
from app.domain.earlier_mark import EarlierState
from app.domain.finding import ReaderIdentity
from app.domain.messages import translate
from app.domain.ports import SilentProgress
from app.session.earlier_words import earlier_words
from app.session.views import NOTHING

COLUMNS = 420
NODULE = (-70.0, 150.0)


@cache
def film(size_mm: float, exam: int) -> np.ndarray:
    from app.samples.chest_film import FilmNodule, generate_chest_film

    nodules = (FilmNodule(*NODULE, size_mm),) if size_mm else ()
    return generate_chest_film(4, nodules=nodules, columns=COLUMNS, exam=exam).pixels.astype(np.float32)


def centre(field: ChestField) -> tuple[float, float]:
    per_mm = COLUMNS / 350.0
    return field.to_grid((NODULE[0] + 175.0) * per_mm, NODULE[1] * per_mm)


@pytest.mark.parametrize(("before_mm", "kind"), [(0.0, "new"), (13.0, "grown"), (22.0, "unchanged")])
def test_what_became_of_a_shadow(before_mm, kind):
    now = prepare(film(22.0, 0))
    then = prepare(taken_otherwise(film(before_mm, 1), np.random.default_rng(8)))
    place = laid(now, then)
    assert place is not None
    assert place.alike > 0.9
    assert compared(now, then, place, *centre(now)).state in RIGHT[kind]


def test_films_are_laid_where_the_earlier_one_was_turned_and_shifted():
    rng = np.random.default_rng(8)
    now = prepare(film(22.0, 0))
    old = film(22.0, 1)
    then = prepare(taken_otherwise(old, rng))
    place = laid(now, then)
    assert place is not None
    x, y = centre(now)
    there = compared(now, then, place, x, y).place
    # Where the nodule went: the same turn again, on a picture that holds only its place.
    spot = np.zeros_like(old)
    per_mm = COLUMNS / 350.0
    row, column = round(NODULE[1] * per_mm), round((NODULE[0] + 175) * per_mm)
    spot[row - 2 : row + 3, column - 2 : column + 3] = 1000
    moved = taken_otherwise(spot, np.random.default_rng(8))
    row, column = np.unravel_index(int(moved.argmax()), moved.shape)
    assert there == pytest.approx(then.to_grid(float(column), float(row)), abs=3.0)


def test_another_part_of_the_body_is_not_compared():
    noise = np.random.default_rng(1).normal(100, 20, (500, 420)).astype(np.float32)
    assert laid(prepare(film(22.0, 0)), prepare(noise)) is None


@cache
def present() -> FilmImage:
    from app.samples.chest_film import FilmNodule, generate_chest_film

    mm = 350.0 / 700
    made = generate_chest_film(4, nodules=(FilmNodule(*NODULE, 22),), columns=700)
    return FilmImage(made.pixels.astype(np.float32), "2.25.1", None, "", "PA", ("L", "F"), None, (mm, mm))


@cache
def shipped():
    return open_reader("chest_xray", None, 1, "torch")


def read(earlier: EarlierFilms | None):
    one = shipped()
    job = ReaderJob("2.25.5", ReaderIdentity("chest_xray", "0", "ab" * 32), None, (present(),), earlier=earlier)
    return READER.run(job, one.nets, one.parameters, SilentProgress())


def earlier_film(size_mm: float, **told) -> EarlierFilms:
    mm = 350.0 / COLUMNS
    one = FilmImage(film(size_mm, 1), "2.25.2", None, "", "PA", ("L", "F"), None, (mm, mm))
    from dataclasses import replace

    return EarlierFilms("20250302", (replace(one, **told),))


def test_the_reader_tells_the_day_and_its_chance_then():
    (alone,) = read(None).findings
    assert alone.attributes == ()
    assert earlier_words(alone) == NOTHING
    (new,) = read(earlier_film(0.0)).findings
    (same,) = read(earlier_film(22.0)).findings
    told = [dict(f.attributes) for f in (new, same)]
    assert told[0]["earlier_state"] in (EarlierState.NEW, EarlierState.MORE)
    assert told[1]["earlier_state"] == EarlierState.THERE
    assert {t["earlier_date"] for t in told} == {"20250302"}
    assert float(told[0]["earlier_chance"]) < float(told[1]["earlier_chance"])
    # The comparison moves no mark and changes no number of it.
    assert (new.location, new.score, new.probability) == (alone.location, alone.score, alone.probability)
    for language, day in (("en", "02.03.2025"), ("ru", "02.03.2025"), ("kk", "02.03.2025")):
        words = earlier_words(same)
        assert day in translate(language, words.id, dict(words.params))


@pytest.mark.parametrize("told", [{"view_position": "LL"}, {"patient_orientation": ("R", "F")}])
def test_a_lateral_or_a_mirrored_earlier_film_is_not_compared(told):
    out = read(earlier_film(22.0, **told))
    assert all(not f.attributes for f in out.findings)
    unlike = "ai.chest.earlier_unlike" in [p.code for p in out.problems]
    assert unlike == ("patient_orientation" in told)


def test_the_share_counts_marked_and_compared_pairs_only():
    answers = [
        ("new", EarlierState.NEW, True),
        ("grown", EarlierState.NEW, True),
        ("unchanged", EarlierState.THERE, True),
        ("new", None, False),
        ("new", None, True),
    ]
    got = summed_up(answers)
    assert (got["pairs"], got["marked"], got["compared"]) == (5, 4, 3)
    assert got["share_right"] == pytest.approx(2 / 3, abs=1e-3)
