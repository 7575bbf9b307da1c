"""Eighteen films in their mount: by codes, by words, by side; the rest is a guess that says so."""

from __future__ import annotations

import random

import pytest

from app.viewer.layouts import layout_cells
from app.viewer.mount import SLOTS, Film, mounted


def test_the_places_are_a_mouth_as_one_faces_it() -> None:
    assert len(SLOTS) == len(layout_cells("mount18")) == 18
    every = sorted(t for s in SLOTS if not s.bitewing for t in s.teeth)
    assert every == sorted([*range(11, 19), *range(21, 29), *range(31, 39), *range(41, 49)])
    assert [s.side for s in SLOTS[:7]] == ["R", "R", "R", "", "L", "L", "L"]
    assert {s.jaw for s in SLOTS[11:]} == {"lower"}


def test_coded_films_find_their_places_in_any_order() -> None:
    films = [Film(s.teeth) for s in SLOTS]
    order = list(range(18))
    random.Random(4).shuffle(order)
    places, rest = mounted([films[n] for n in order])
    assert rest == ()
    assert [order[p.film] for p in places if p is not None] == list(range(18))
    assert not any(p.guessed for p in places if p is not None)


@pytest.mark.parametrize(
    ("film", "place"),
    [
        (Film(frozenset({16, 17})), "upper_molar_r"),
        (Film(frozenset({36})), "lower_molar_l"),
        (Film(frozenset({16, 17, 46, 47})), "bitewing_molar_r"),
        (Film(frozenset({41, 31, 32})), "lower_incisors"),
        (Film(words="Periapical upper left premolar"), "upper_premolar_l"),
        (Film(words="BW molar", side="L"), "bitewing_molar_l"),
        (Film(words="нижние резцы"), "lower_incisors"),
        (Film(side="R", words="lower molar"), "lower_molar_r"),
    ],
)
def test_one_film(film: Film, place: str) -> None:
    places, rest = mounted([film])
    (at,) = [n for n, p in enumerate(places) if p is not None]
    assert (SLOTS[at].name, places[at].guessed, rest) == (place, False, ())


def test_what_says_nothing_is_laid_in_order_and_told_as_a_guess() -> None:
    films = [Film(), Film(frozenset({11, 21})), Film(), *[Film()] * 17]
    places, rest = mounted(films)
    assert places[3].film == 1
    assert not places[3].guessed
    assert (places[0].film, places[1].film, places[2].film, places[4].film) == (0, 2, 3, 4)
    assert places[0].guessed
    assert rest == (18, 19)


def test_two_films_of_one_place_do_not_push_a_third_out_of_its_own() -> None:
    twice = [Film(frozenset({16, 17, 18})), Film(frozenset({16, 17})), Film(frozenset({14, 15}))]
    places, _ = mounted(twice)
    assert places[0].film == 0
    assert places[1].film == 2
    assert [p.guessed for p in places if p is not None and p.film == 1] == [True]
