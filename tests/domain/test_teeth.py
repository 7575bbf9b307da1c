from __future__ import annotations

import pytest

from app.domain.teeth import LOWER, PERMANENT, UPPER, NumberedTooth, is_fdi, is_upper, side_of


def test_numbers_stand_as_one_faces_the_patient() -> None:
    assert (UPPER[0], UPPER[-1], LOWER[0], LOWER[-1]) == (18, 28, 48, 38)
    assert len(set(PERMANENT)) == 32


@pytest.mark.parametrize(("fdi", "upper", "side"), [(11, True, "R"), (28, True, "L"), (31, False, "L"), (48, False, "R")])
def test_jaw_and_side(fdi: int, upper: bool, side: str) -> None:
    assert (is_upper(fdi), side_of(fdi)) == (upper, side)


@pytest.mark.parametrize(
    ("text", "known"), [("11", True), ("48", True), ("19", False), ("55", False), ("1", False), ("ab", False)]
)
def test_which_texts_are_numbers(text: str, known: bool) -> None:
    assert is_fdi(text) is known


def test_a_place_needs_a_permanent_number() -> None:
    with pytest.raises(ValueError, match="fdi"):
        NumberedTooth(19, (0, 0, 1, 1), 0.5)
    assert NumberedTooth(11, (2.0, 4.0, 6.0, 10.0), 0.5).centre_px == (4.0, 7.0)
