"""The order of the arch: numbers decided together, and what the detector's boxes say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.ai.readers.dental.arch import (
    KIND,
    NUMBERS,
    Places,
    Weights,
    behind_impacted,
    decided,
    evidence,
    impacted_ratio,
    steps,
)
from app.ai.readers.dental.boxes import ToothBox
from app.ai.readers.dental.film import Content
from app.ai.readers.dental.numbering import CELLS, OTHER_SIDE, TEETH, ToothPlace, closer, guess, number_teeth
from app.ai.readers.dental.tooth_places import places_of
from tests.ai.test_numbering import CONTENT, TEMPLATE, cell_of, maps, numbered

WEIGHTS = Weights()
EVEN = np.arange(NUMBERS) * 4.0 + 10.0


def row(numbers: list[int], strength: float = 0.8, at: list[float] | None = None) -> Places:
    """Places whose network says ``numbers``; they stand where the arch has those numbers, or ``at``."""
    likely = np.zeros((len(numbers), NUMBERS))
    likely[np.arange(len(numbers)), numbers] = strength
    x = EVEN[numbers] if at is None else np.array(at)
    where = np.stack([x, np.full(len(numbers), 20.0)], 1)
    none = np.zeros(len(numbers))
    return Places(where, np.full((len(numbers), 2), 3.0), likely, none, none)


def picked(places: Places) -> list[int]:
    return [n for _, n in decided(places, EVEN, 4.0, WEIGHTS).picks]


def test_numbers_rise_and_gaps_are_left_out() -> None:
    assert picked(row([1, 2, 4, 5, 6, 7, 8, 11])) == [1, 2, 4, 5, 6, 7, 8, 11]


def test_doubtful_places_are_put_into_the_order_of_their_neighbours() -> None:
    right = [2, 3, 4, 5, 6, 7]
    said = row([2, 3, 5, 4, 6, 7], at=EVEN[right].tolist())
    likely = said.likely.copy()
    likely[2, 4] = likely[3, 5] = 0.6
    assert likely[2].argmax() == 5
    assert picked(replace(said, likely=likely)) == right


def test_two_places_never_share_a_number() -> None:
    found = picked(row([4, 5, 5, 6], at=[26.0, 30.0, 31.5, 34.0]))
    assert len(set(found)) == len(found)
    assert found == sorted(found)


def test_a_place_that_leaves_its_neighbours_no_room_is_no_tooth() -> None:
    assert decided(row([]), EVEN, 4.0, WEIGHTS).picks == ()
    places = row([4, 5, 6], at=[26.0, 26.6, 30.0])
    likely = places.likely.copy()
    likely[1] = 0.05
    found = decided(replace(places, likely=likely), EVEN, 4.0, WEIGHTS).picks
    assert 1 not in [i for i, _ in found]


def test_bone_behind_the_last_tooth_is_no_third_molar() -> None:
    """A word that is weak beside the other teeth of its film is none, however clear it is about the number."""
    teeth = row([8, 9, 10, 11, 12, 13, 14, 15])
    for share, seen in ((0.2, False), (0.6, True)):
        likely = teeth.likely.copy()
        likely[7] *= share
        for film in (1.0, 0.4):
            places = replace(teeth, likely=film * likely, usual=film * 0.8)
            assert (picked(places)[-1] == 15) is seen
            assert bool(decided(places, EVEN, 4.0, WEIGHTS).chance[7].sum() > 0.5) is seen


def test_how_clear_a_number_is_says_nothing_about_there_being_a_tooth() -> None:
    clear = row([15], strength=0.3)
    halves = clear.likely.copy()
    halves[0, 14] = 0.3
    best = [evidence(p, EVEN, 4.0, WEIGHTS).max() for p in (clear, replace(clear, likely=halves))]
    assert best[0] == pytest.approx(best[1])
    # Strength 0.3 where teeth are usually 1 is as likely no tooth.
    assert best[0] == pytest.approx(0.0)


def test_even_a_doubtful_mark_of_an_impacted_tooth_is_the_last_of_its_row() -> None:
    gain = evidence(replace(row([14]), impacted=np.array([0.3])), EVEN, 4.0, WEIGHTS)[0]
    plain = evidence(row([14]), EVEN, 4.0, WEIGHTS)[0]
    sure = 1.0 - 0.1 * 0.7
    by = impacted_ratio()
    np.testing.assert_allclose(gain - plain, np.log(1.0 - sure + sure * by), rtol=1e-9)
    assert (gain - plain)[15] - (gain - plain)[14] > 3.5


def test_behind_an_impacted_molar_lies_bone_unless_a_box_or_a_strong_word_says_else() -> None:
    """An impacted tooth a little behind the second molar, and a third molar's word farther back."""
    said = [8, 9, 10, 11, 12, 13, 14, 14, 15]
    at = [*EVEN[said[:7]].tolist(), EVEN[14] + 2.0, EVEN[15] + 1.0]
    places = row(said, at=at)
    likely = places.likely.copy()
    likely[7], likely[8] = 0.0, likely[8] * 0.6
    likely[7, 14] = likely[7, 15] = 0.4
    impacted = np.array([0.0] * 7 + [0.5, 0.0])
    marked = replace(places, likely=likely, impacted=impacted, boxed=impacted)
    picks = dict(decided(marked, EVEN, 4.0, WEIGHTS).picks)
    assert (picks[6], picks[7]) == (14, 15)
    assert 8 not in picks
    boxed = np.array([0.0] * 7 + [0.5, 0.9])
    assert behind_impacted(marked, EVEN, WEIGHTS).tolist() == pytest.approx([0.0] * 8 + [0.95])
    assert behind_impacted(replace(marked, boxed=boxed), EVEN, WEIGHTS).max() == 0.0
    # A strong word loses sureness, not its number.
    strong = replace(row(said[:7] + [15]), impacted=np.array([0.0] * 6 + [0.5, 0.0]), boxed=np.array([0.0] * 6 + [0.5, 0.0]))
    assert picked(strong)[-1] == 15


def test_behind_an_impacted_canine_stand_teeth() -> None:
    said = [8, 9, 10, 11, 12, 13, 14]
    canine = replace(row(said), impacted=np.where(np.array(said) == 10, 0.9, 0.0))
    assert behind_impacted(canine, EVEN, WEIGHTS).max() == 0.0
    assert picked(canine) == said


def test_an_impacted_tooth_keeps_no_distance() -> None:
    places = row([14, 15], at=[EVEN[14], EVEN[14] + 0.5])
    free = replace(places, impacted=np.array([0.0, 0.9]))
    usual, less = (steps(p, EVEN, 4.0, WEIGHTS)[0, 1, 14, 15] for p in (places, free))
    assert usual > 3.0
    assert less == pytest.approx(usual * (1.0 - WEIGHTS.let_off * 0.99))
    # A number left out beside it costs what it costs: rather do all the others move along.
    usual, same = (steps(p, EVEN, 4.0, WEIGHTS)[0, 1, 13, 15] for p in (places, free))
    assert same == pytest.approx(usual)


def test_an_impacted_premolar_keeps_a_sure_number_and_loses_confidence() -> None:
    said = [8, 9, 10, 11, 12, 13, 14]
    places = row(said)
    impacted = replace(places, impacted=np.where(np.array(said) == 12, 0.9, 0.0))
    assert KIND[12] == 5
    assert picked(impacted) == said
    before, after = (decided(p, EVEN, 4.0, WEIGHTS).chance[4, 12] for p in (places, impacted))
    assert 0.5 < after < before


def test_chances_are_those_of_all_sequences_and_no_more_than_one() -> None:
    places = row([2, 3, 4, 6], strength=0.3)
    found = decided(places, EVEN, 4.0, WEIGHTS)
    assert (found.chance.sum(axis=1) <= 1 + 1e-9).all()
    # One number stands at one place only.
    assert (found.chance.sum(axis=0) <= 1 + 1e-9).all()
    # Two places by hand: every sequence of one or two of them, weighed as the tables say.
    pair = row([4, 5], strength=0.3)
    gain, cost = (WEIGHTS.temper * t for t in (evidence(pair, EVEN, 4.0, WEIGHTS), steps(pair, EVEN, 4.0, WEIGHTS)))
    before = WEIGHTS.temper * (np.maximum(np.arange(NUMBERS) - 1, 0) + WEIGHTS.left_out_last * (np.arange(NUMBERS) > 0))
    after = before[::-1]
    none = np.exp(-WEIGHTS.temper * (NUMBERS - 2 + 2 * WEIGHTS.left_out_last))
    alone = np.exp(gain - before - after)
    both = np.exp((gain[0] - before)[:, None] + (gain[1] - after)[None] - cost[0, 1])
    whole = none + alone.sum() + both.sum()
    got = decided(pair, EVEN, 4.0, WEIGHTS).chance
    np.testing.assert_allclose(got[0], (alone[0] + both.sum(axis=1)) / whole, rtol=1e-6)
    np.testing.assert_allclose(got[1], (alone[1] + both.sum(axis=0)) / whole, rtol=1e-6)


def test_an_impacted_tooth_moves_its_neighbours_along() -> None:
    """Everything seems one number nearer the middle; that the last one is impacted puts all of them right."""
    said = [7, 8, 9, 10, 11, 12, 13, 14]
    places = row(said, strength=0.25, at=(EVEN[said] + 2.0).tolist())
    places = replace(places, likely=places.likely + 0.24 * np.roll(places.likely > 0, 1, axis=1))
    assert picked(places) == said
    impacted = replace(places, impacted=np.array([0.0] * 7 + [0.95]))
    assert picked(impacted) == [n + 1 for n in said]
    assert KIND[15] == 8


def test_impacted_teeth_are_third_molars_or_canines() -> None:
    ratio = impacted_ratio()
    by = {int(k): ratio[n] for n, k in enumerate(KIND)}
    assert by[8] > 5
    assert by[3] > 1
    assert max(by[k] for k in (1, 2, 4, 5, 6, 7)) < 0.4
    assert float((ratio / 8).sum() / 2) == pytest.approx(1.0)


def test_a_box_without_a_peak_is_a_tooth_of_the_jaw_on_its_side_and_one_with_two_peaks_is_one_tooth() -> None:
    present = [n for n in range(32) if n != 20]
    x, y = cell_of(20)
    upper, lower = places_of(maps(present), [ToothBox("Fillings", (x - 1.5, y - 4, x + 1.5, y + 4), 0.9)])
    assert (len(upper), len(lower)) == (16, 16)
    assert lower.boxed.max() == 0.9
    assert upper.boxed.max() == 0.0
    a, b = cell_of(4), cell_of(5)
    wide = ToothBox("Impacted Tooth", (a[0] - 5, a[1] - 4, b[0] + 5, b[1] + 4), 0.7)
    upper, _ = places_of(maps(list(range(32))), [wide])
    assert len(upper) < 16
    assert upper.impacted.max() == 0.7
    assert len(places_of(maps(present), [replace(wide, score=0.1)])[0]) == 16


def test_a_box_is_of_the_jaw_on_whose_side_it_lies_whatever_the_network_says() -> None:
    """A lower third molar in the channel of an upper one, and the strongest peak of its box."""
    wrong = maps(list(range(32)), wrong={31: 15})
    x, y = cell_of(31)
    assert len(places_of(wrong)[1]) == 15
    upper, lower = places_of(wrong, [ToothBox("Impacted Tooth", (x - 2, y - 4, x + 2, y + 4), 0.9)])
    assert (len(upper), len(lower)) == (16, 16)
    assert (upper.impacted.max(), lower.impacted.max()) == (0.0, 0.9)
    assert lower.where[lower.impacted.argmax()] == pytest.approx((x, y))


def test_the_usual_strength_is_that_of_the_film() -> None:
    found = maps(list(range(32)))
    assert places_of(found)[0].usual == pytest.approx(0.8)
    found[:32] *= 0.5
    upper, lower = places_of(found)
    assert upper.usual == lower.usual == pytest.approx(0.4)


def test_boxes_of_the_film_reach_the_cells() -> None:
    plain = numbered(number_teeth(maps([n for n in range(32) if n != 20]), CONTENT, TEMPLATE))
    assert not plain[TEETH[20]].seen
    box = plain[TEETH[20]].box_px
    told = numbered(
        number_teeth(maps([n for n in range(32) if n != 20]), CONTENT, TEMPLATE, [ToothBox("Fillings", box, 0.9)])
    )
    assert told[TEETH[20]].seen
    assert told[TEETH[20]].centre_px == pytest.approx(plain[TEETH[20]].centre_px, abs=0.2)


def test_the_mirror_image_counts_for_the_other_side() -> None:
    assert [TEETH[n] for n in OTHER_SIDE[:3]] == [28, 27, 26]
    assert [TEETH[n] for n in OTHER_SIDE[-3:]] == [46, 47, 48]

    class Seen:
        """Says 18 at the left edge of whatever it is shown."""

        def run(self, name: str, batch: np.ndarray) -> np.ndarray:
            out = np.full((1, 36, *CELLS), -20.0, np.float32)
            out[0, 32:] = 0.25
            out[0, 0, 20, 3] = 20.0
            return out

    got = guess(np.zeros((192, 320), np.float32), Seen())
    assert got[0, 20, 3] == pytest.approx(0.5)
    assert got[TEETH.index(28), 20, CELLS[1] - 4] == pytest.approx(0.5)
    assert got[32, 0, 0] == pytest.approx(0.5)
    assert got[33, 0, 0] == pytest.approx(0.25)


def test_only_a_small_arch_on_a_wide_film_is_looked_at_again() -> None:
    teeth = [ToothPlace(f, (300.0 + 12 * (n % 16), 200.0, 312.0 + 12 * (n % 16), 240.0), 0.9) for n, f in enumerate(TEETH)]
    around = closer(teeth, Content(0.0, 0.0, 1000.0, 500.0))
    assert around is not None
    assert around.x0 < 300 < 490 < around.x1 < 1000
    assert closer(teeth, Content(250.0, 150.0, 550.0, 300.0)) is None
    assert closer([], CONTENT) is None
