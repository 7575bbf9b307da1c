"""Where a mark lies: along the skull or not, told on drawn slices; the sentence on the card; the table of right hints."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from app.ai.readers.head.place import Skull, inside_bone
from app.ai.training.head_place import figures
from app.domain.bleed_place import BRAIN, LIES, SKULL
from app.domain.finding import Finding, Location, ReaderIdentity, Source
from app.domain.measurement import Code
from app.domain.messages import translate
from app.session.bleed_words import bleed_place_words
from app.session.views import NOTHING

ROWS, COLUMNS = 190, 220
CENTRE = np.array([104.0, 92.0])
AXES = np.array([88.0, 72.0])


def radius() -> np.ndarray:
    """1 at the inner table, more outside."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    return np.asarray(np.hypot((x - CENTRE[0]) / AXES[0], (y - CENTRE[1]) / AXES[1]))


def slice_of(*bleeds: np.ndarray) -> np.ndarray:
    r = radius()
    plane = np.where(r < 1, 105, np.where(r < 1.09, 255, 0)).astype(np.uint8)
    for mask in bleeds:
        plane[mask] = 200
    return plane


def crescent() -> np.ndarray:
    y, x = np.mgrid[:ROWS, :COLUMNS]
    return np.asarray((radius() < 1) & (radius() > 0.92) & (y < CENTRE[1] - 30) & (np.abs(x - CENTRE[0]) < 50))


def lens() -> np.ndarray:
    y, x = np.mgrid[:ROWS, :COLUMNS]
    return np.asarray((radius() < 1) & ((x - CENTRE[0]) ** 2 + (y - 8.0) ** 2 < 27.0**2))


def ball(x0: float, y0: float, wide: float) -> np.ndarray:
    y, x = np.mgrid[:ROWS, :COLUMNS]
    return np.asarray((np.hypot(x - x0, y - y0) < wide) & (radius() < 1))


@pytest.mark.parametrize(
    ("mask", "lies"),
    [
        (crescent(), SKULL),
        (lens(), SKULL),
        (ball(100, 80, 12), BRAIN),
        (ball(104, 34, 11), BRAIN),  # round, and it touches the bone
    ],
)
def test_flat_blood_at_the_bone_lies_along_the_skull(mask: np.ndarray, lies: str) -> None:
    planes = np.stack([slice_of(mask)] * 3)
    assert Skull(planes).lies(mask[None], (1, 0, 0)) == lies
    rows, columns = np.nonzero(mask)
    block = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert Skull(planes).lies(np.stack([block] * 2), (0, int(rows.min()), int(columns.min()))) == lies


@pytest.mark.parametrize("turn", [cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180])
def test_the_way_the_head_lies_changes_nothing(turn: int) -> None:
    for mask, lies in ((crescent(), SKULL), (ball(100, 80, 12), BRAIN)):
        plane = cv2.rotate(slice_of(mask), turn)
        turned = cv2.rotate(mask.astype(np.uint8), turn) > 0
        assert Skull(plane[None]).lies(turned[None], (0, 0, 0)) == lies


def test_nothing_is_told_where_no_ring_was_found() -> None:
    mask = ball(100, 80, 12)
    assert inside_bone(np.full((ROWS, COLUMNS), 100, np.uint8)) is None
    assert Skull(np.full((1, ROWS, COLUMNS), 100, np.uint8)).lies(mask[None], (0, 0, 0)) == ""
    outside = np.zeros((ROWS, COLUMNS), bool)
    outside[2:8, 2:40] = True
    assert Skull(slice_of()[None]).lies(outside[None], (0, 0, 0)) == ""


def mark(*attributes: tuple[str, str]) -> Finding:
    where = Location((1.0, 2.0, 3.0))
    code = Code("1386000", "SCT", "Intracranial hemorrhage")
    return Finding("2.25.1", Source.AI, code, where, attributes=attributes, reader=ReaderIdentity("head_ct", "0", "ab" * 32))


@pytest.mark.parametrize("language", ["en", "ru", "kk"])
def test_the_card_gives_the_place_as_a_hint(language: str) -> None:
    texts = {translate(language, bleed_place_words(mark((LIES, lies))).id) for lies in (SKULL, BRAIN)}
    assert len(texts) == 2
    assert not any(t.startswith("finding.") for t in texts)
    assert bleed_place_words(mark()) is NOTHING
    assert bleed_place_words(mark((LIES, "elsewhere"))) is NOTHING


def test_right_hints_are_counted_beside_the_commonest_group() -> None:
    rows = [("a", SKULL, SKULL), ("a", BRAIN, BRAIN), ("b", BRAIN, SKULL), ("c", BRAIN, "not_told")]
    told = figures(rows)
    assert told["right"][0] == 0.5
    assert told["commonest"] == 0.25
    assert told["gain"][0] == 0.25
    assert told["table_true_then_hint"][BRAIN] == {SKULL: 1, BRAIN: 1, "not_told": 1}
