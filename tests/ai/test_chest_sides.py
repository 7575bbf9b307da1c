"""Side markers of chest films: drawn letters are found and read, what they say is weighed, and doubt is silent."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest

from app.ai.reader_api import FilmImage, ReaderJob
from app.ai.readers.chest.field import prepare
from app.ai.readers.chest.marker import LETTERS, MEANS, SideMarker, crops_of, grid_of, outshining, parts_of
from app.ai.readers.chest.sides import lungs_on, side_remarks
from app.ai.readers.chest_xray import READER
from app.ai.training.chest_letters import drawing, overlap, with_drawing
from app.ai.training.evaluation.common import open_reader
from app.domain.finding import ReaderIdentity
from app.domain.ports import SilentProgress
from app.domain.problem import Severity

OWN_FONTS = ("Inter-Medium.ttf", "Inter-SemiBold.ttf")
IDENTITY = ReaderIdentity("chest_xray", "0.0.1", "ef" * 32)


@cache
def person() -> np.ndarray:
    from app.samples.chest_film import generate_chest_film

    return generate_chest_film(3, columns=512).pixels.astype(np.float32)


@cache
def shipped():
    return open_reader("chest_xray", None, 1, "torch")


def lettered(text: str, x: float, y: float = 0.06, height: int = 26) -> np.ndarray:
    """The generated film with a letter of lead at shares (x, y)."""
    from PIL import Image, ImageDraw, ImageFont

    from app.domain.resources import resource_path

    values = person().copy()
    face = ImageFont.truetype(str(resource_path("fonts") / "Inter-SemiBold.ttf"), height * 4 // 3)
    picture = Image.new("L", values.shape[::-1])
    ImageDraw.Draw(picture).text((x * values.shape[1], y * values.shape[0]), text, 255, face, anchor="mm")
    amount = np.asarray(picture, np.float32) / 255
    return values * (1 - amount) + 3600 * amount


def sides_said(values: np.ndarray, orientation: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    film = FilmImage(values.astype(np.float32), "1.2.3", None, "", "PA", orientation)
    one = shipped()
    out = READER.run(ReaderJob("1.2", IDENTITY, None, (film,)), one.nets, one.parameters, SilentProgress())
    return [(p.code, str(p.params["letter"])) for p in out.problems if "marker" in p.code]


@pytest.mark.parametrize("letter", ["L", "R", "Л", "П"])
def test_a_marker_that_stands_rightly_is_told_quietly_and_on_the_mirrored_film_the_sides_are_doubted(letter):
    right_half = MEANS[letter] == "L"
    values = lettered(letter, 0.9 if right_half else 0.1)
    assert sides_said(values, ("L", "F")) == [("ai.chest.marker_agrees", letter)]
    # The picture as it is, the header says that it is mirrored; and the picture mirrored, the header as usual.
    place = "right" if right_half else "left"
    assert sides_said(values, ("R", "F")) == [(f"ai.chest.marker_on_{place}_stated", letter)]
    mirrored = np.ascontiguousarray(values[:, ::-1])
    assert sides_said(mirrored) == [(f"ai.chest.marker_on_{place}_usual", letter)]


@pytest.mark.parametrize("text", ["", "PORTABLE", "8K"])
def test_a_film_without_a_marker_says_nothing_of_sides(text):
    assert sides_said(lettered(text, 0.25) if text else person()) == []


def marker(letter: str, x: float, chance: float = 0.99, whole: bool = True) -> SideMarker:
    return SideMarker(letter, MEANS[letter], x, 0.1, chance, whole)


@pytest.mark.parametrize(
    ("markers", "code"),
    [
        ([], None),
        ([marker("L", 0.9)], "ai.chest.marker_agrees"),
        ([marker("R", 0.1), marker("L", 0.9)], "ai.chest.marker_agrees"),
        ([marker("R", 0.9)], "ai.chest.marker_on_left_usual"),
        ([marker("Л", 0.1)], "ai.chest.marker_on_right_usual"),
        ([marker("R", 0.9), marker("L", 0.9)], None),  # they contradict each other
        ([marker("R", 0.9, 0.9)], None),  # not sure enough to doubt the film
        ([marker("R", 0.9, whole=False)], None),
        ([marker("R", 0.52)], None),  # on no side
    ],
)
def test_only_what_is_sure_doubts_the_sides(markers, code):
    film = FilmImage(person(), "1")
    told = side_remarks(film, markers, 0.5, 0.95)
    assert [p.code for p in told] == ([code] if code else [])
    for problem in told:
        assert problem.severity is (Severity.NOTE if code == "ai.chest.marker_agrees" else Severity.WARNING)


def test_most_drawn_letters_are_cut_out_where_they_were_drawn():
    grid = grid_of(person())
    lungs = lungs_on(prepare(person()), person().shape, grid.shape)
    found = 0
    for n in range(24):
        rng = np.random.default_rng([4, n])
        kind = 1 + n % 4
        shown, drawn = with_drawing(grid, kind, OWN_FONTS, rng, lungs)
        assert drawn.kind == kind
        hat = outshining(shown)
        parts, masks = parts_of(hat)
        share = [overlap((p.x, p.y, p.x + p.width, p.y + p.height), drawn.box) for p in parts]
        best = int(np.argmax(share))
        found += share[best] > 0.5
        crop = crops_of(hat, parts[best : best + 1], masks[best : best + 1])
        assert crop.shape[:2] == (1, 2)
        assert 0.0 <= float(crop.min()) <= float(crop.max()) <= 1.5
    assert found >= 18  # others lie on bone or the edge


def test_what_is_drawn_beside_the_letters_is_none():
    for n in range(30):
        shown, mask, box = drawing(0, OWN_FONTS, np.random.default_rng([5, n]))
        assert float(mask.max()) > 0.4
        assert box[2] > box[0]
        assert float(shown.max()) <= 1.0
    assert LETTERS[0] == ""


def test_lungs_lie_on_both_grids_alike():
    values = person()
    field = replace(prepare(values), origin=(0, 0))
    laid = lungs_on(field, values.shape, (614, 512))
    small = cv2.resize(laid.astype(np.uint8), field.lungs.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    assert float((small == field.lungs).mean()) > 0.98
