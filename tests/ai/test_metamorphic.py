"""What must not matter does not: the shipped readers of films on a film, and on the same film told another way.

1 mirrored and said so, 2 mirrored in silence, 3 turned by a quarter, 4 other pixels, 5 a border, 10 photometric
interpretation, 11 padding values and pixels that are not square, 12 a lesion moved, 13 a second far lesion, 15 the work
cut in other pieces and films of another kind beside, 16 contrast, 17 sound films. 6 to 8: ``test_metamorphic_files.py``,
scans: ``test_metamorphic_volumes.py``. Limits and what was measured: ``docs/evaluation/metamorphic.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from app.ai.engines import networks
from app.ai.inputs import dense_bright, without_padding
from app.ai.reader_api import FilmImage
from app.domain.finding import ReadState
from app.domain.pixels import FramePixels
from tests.ai.metamorphic import (
    CHEST_MM,
    FILMS,
    MASS_PX,
    OTHER,
    Films,
    answered,
    as_it_is,
    at,
    away,
    case,
    chest_film,
    compared,
    intraoral,
    mammogram,
    one_mass,
    panoramic,
    read,
    same,
    with_shadow,
)


def width(reader: str) -> int:
    return case(reader)[0].values.shape[1]


def mirrored(film: FilmImage, tell: bool) -> FilmImage:
    stated = film.patient_orientation
    along = (OTHER[stated[0]], *stated[1:]) if tell and stated else stated
    return replace(film, values=np.ascontiguousarray(film.values[:, ::-1]), patient_orientation=along)


@pytest.mark.parametrize("reader", FILMS)
def test_01_a_mirrored_film_that_says_so_has_the_same_findings(reader: str) -> None:
    out = read(reader, films=tuple(mirrored(f, True) for f in case(reader)))
    same(reader, out, lambda x, y: (width(reader) - x, y))


@pytest.mark.parametrize("reader", ["chest_xray", "dental_panoramic"])
def test_02_a_mirrored_film_that_does_not_say_so_shows_on_the_other_side(reader: str) -> None:
    out = read(reader, films=tuple(mirrored(f, False) for f in case(reader)))
    same(reader, out, lambda x, y: (width(reader) - x, y), lambda s: OTHER[s])


def test_03_findings_of_an_intraoral_film_turn_with_it() -> None:
    """The only film that is exposed both ways; the others are refused or read as they hang."""
    reader = "dental_intraoral"
    turned = tuple(replace(f, values=np.ascontiguousarray(np.rot90(f.values, -1))) for f in case(reader))
    rows = case(reader)[0].values.shape[0]
    same(reader, read(reader, films=turned), lambda x, y: (y, rows - x))


@pytest.mark.parametrize("factor", [0.8, 1.2])
@pytest.mark.parametrize("reader", FILMS)
def test_04_finer_and_coarser_pixels_change_nothing(reader: str, factor: float) -> None:
    films = tuple(resized(f, factor, factor) for f in case(reader))
    same(reader, read(reader, films=films), lambda x, y: (x / factor, y / factor))


def resized(film: FilmImage, across: float, down: float) -> FilmImage:
    how = cv2.INTER_AREA if min(across, down) < 1 else cv2.INTER_LINEAR
    mm = (film.spacing_mm[0] / down, film.spacing_mm[1] / across) if film.spacing_mm else None
    values = cv2.resize(film.values, None, fx=across, fy=down, interpolation=how)
    return replace(film, values=values, spacing_mm=mm, detector_spacing_mm=mm)


@pytest.mark.parametrize("reader", FILMS)
def test_05_a_border_of_padding_shifts_findings_by_its_width(reader: str) -> None:
    left, top = 40, 24

    def bordered(film: FilmImage) -> FilmImage:
        edges = ((top, 8), (left, 16))
        seen = np.pad(np.ones(film.values.shape, bool), edges)
        return replace(film, values=without_padding(np.pad(film.values, edges), seen), valid=seen)

    out = read(reader, films=tuple(bordered(f) for f in case(reader)))
    same(reader, out, lambda x, y: (x - left, y - top), wider=FILMS[reader].learned_from_padding)


@pytest.mark.parametrize("reader", FILMS)
def test_10_the_photometric_interpretation_changes_nothing(reader: str) -> None:
    films = []
    for film in case(reader):
        top, bottom = float(film.values.max()), float(film.values.min())
        films.append(replace(film, values=dense_bright(FramePixels(top + bottom - film.values, inverse=True))))
    same(reader, read(reader, films=tuple(films)))


@pytest.mark.parametrize("reader", FILMS)
def test_11_padding_may_hold_any_value(reader: str) -> None:
    outs = []
    for value in (0.0, 60000.0):
        films = []
        for film in case(reader):
            seen = np.ones(film.values.shape, bool)
            seen[:, :24] = seen[:12] = False
            padded = np.where(seen, film.values, np.float32(value))
            films.append(replace(film, values=without_padding(padded, seen), valid=seen))
        outs.append([(f.code, f.location.centre_px, f.score) for f in read(reader, films=tuple(films)).findings])
    assert outs[0] == outs[1]


@pytest.mark.parametrize("reader", FILMS)
def test_11_pixels_that_are_not_square_change_nothing(reader: str) -> None:
    """A fifth wider than high."""
    across = 1 / 1.2
    films = tuple(resized(f, across, 1.0) for f in case(reader))
    same(reader, read(reader, films=films), lambda x, y: (x / across, y))


def test_12_a_nodule_that_lies_elsewhere_in_the_chest_is_found_there() -> None:
    (old,) = as_it_is("chest_xray")
    (new,) = read("chest_xray", films=chest_film((-82, 168, 22))).findings
    print("chest film: shift off by", np.subtract(at(new), at(old)) * CHEST_MM - [-12, 18])
    shift = np.subtract(at(new), at(old)) * CHEST_MM
    assert shift == pytest.approx([-12, 18], abs=FILMS["chest_xray"].place_px * CHEST_MM)


def test_12_a_mass_that_lies_elsewhere_in_the_breast_is_found_there() -> None:
    old = as_it_is("breast")[0]
    assert away(old, MASS_PX) < 40, "the first mark of the case lies in its mass"
    new = compared("breast", read("breast", films=one_mass((440.0, 400.0))))[0]
    print("breast: shift", np.subtract(at(new), at(old)))
    assert np.hypot(*(np.subtract(at(new), at(old)) - [20, -40])) <= 40, "within the radius of the mass"


def test_13_a_second_far_nodule_leaves_the_first_as_it_is() -> None:
    """The reader marks one place of a film: the second shows on its map."""
    two = read("chest_xray", films=chest_film((-70, 150, 22), (85, 210, 16)))
    same("chest_xray", two)
    before, after = (
        out.heatmaps[0].values.astype(np.float32) for out in (read("chest_xray", films=case("chest_xray")), two)
    )
    row, column = round(210 / 420 * before.shape[0]), round((85 + 175) / 350 * before.shape[1])
    near = (slice(row - 4, row + 5), slice(column - 4, column + 5))
    assert after[near].max() > before[near].max() + 0.05


def test_13_a_second_far_mass_leaves_the_first_as_it_is() -> None:
    right, left = case("breast")
    found = compared("breast", read("breast", films=(with_shadow(right, (500.0, 640.0), 30.0, 500.0), left)))
    first = as_it_is("breast")[0]
    twin = next(f for f in found if f.laterality == "R")
    assert away(twin, at(first)) <= FILMS["breast"].place_px
    assert twin.score == pytest.approx(first.score, rel=FILMS["breast"].score)


@pytest.mark.parametrize("reader", ["chest_xray", "breast"])
def test_15_the_pieces_the_work_is_cut_in_change_nothing(reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Places by the thousand; the dental readers look at whole films."""
    whole = read(reader, films=case(reader))
    monkeypatch.setattr(networks, "_CHUNK_ELEMENTS", 1 << 13)
    cut = read(reader, films=case(reader))
    same(reader, cut)
    for a, b in zip(whole.heatmaps, cut.heatmaps, strict=True):
        assert np.abs(a.values.astype(np.float32) - b.values.astype(np.float32)).max() <= 0.01


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("reader", FILMS)
def test_15_films_of_another_kind_beside_change_nothing(reader: str, first: bool) -> None:
    other = other_kind(reader)
    films = (*other, *case(reader)[::-1]) if first else (*case(reader)[::-1], *other)
    out = read(reader, films=films)
    same(reader, replace(out, findings=tuple(f for f in out.findings if f.location.sop_instance_uid != "2.25.9")))


def other_kind(reader: str) -> Films:
    """A lateral chest film, a view from above, a film of single teeth, an empty exposure."""
    film = case(reader)[0]
    view = {"chest_xray": "LL", "breast": "CC"}.get(reader, "")
    values = film.values if view else np.zeros_like(film.values)
    if reader == "dental_panoramic":
        values = np.ascontiguousarray(case("dental_intraoral")[0].values)
    return (replace(film, values=values, view_position=view, sop_instance_uid="2.25.9"),)


# --- 16 contrast ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reader", "kind", "radius", "contrasts"),
    [
        ("chest_xray", "Nodule", 40.0, (0.0, 80.0, 160.0)),
        ("breast", "Lesion", 45.0, (0.0, 80.0, 160.0)),
        ("dental_panoramic", "Impacted tooth", 30.0, (0.0, 150.0, 300.0)),
        ("dental_intraoral", "Periapical lesion", 25.0, (0.0, -60.0, -120.0)),
    ],
)
def test_16_a_stronger_shadow_never_scores_lower(
    reader: str, kind: str, radius: float, contrasts: tuple[float, ...]
) -> None:
    one = next(f for f in as_it_is(reader) if f.code.meaning == kind)
    grown = []
    for contrast in contrasts:
        first, *rest = case(reader)
        out = read(reader, films=(with_shadow(first, at(one), radius, contrast), *rest))
        near = [f.score or 0.0 for f in out.findings if f.code.meaning == kind and away(f, at(one)) < radius]
        grown.append(max(near, default=0.0))
    print(reader, grown)
    assert grown[0] > 0
    assert all(b >= a - 0.02 * abs(a) for a, b in zip(grown[:-1], grown[1:], strict=True)), grown


# --- 17 sound films ------------------------------------------------------------------------------------------------


def marks_on(reader: str, films: list[Films]) -> tuple[int, int]:
    """(marks with a chance, films that were read). A tooth said to be missing and a bone level are measured elsewhere."""
    outs = [answered(reader, films=f) for f in films]
    outs = [out for out in outs if out.state is ReadState.COMPLETED]
    return sum(f.probability is not None for out in outs for f in out.findings), len(outs)


@pytest.mark.parametrize(
    ("reader", "sound", "most"),
    [
        # The card: a mark on about one of five films.
        ("chest_xray", lambda: [chest_film(seed=s) for s in range(20, 32)], 0.2),
        # The card: at most two marks a view. About one, as on the films of the set, is not kept on generated views.
        ("breast", lambda: [mammogram(s, 768) for s in range(20, 22)], 4.0),
        # The card states no rate: none was measured.
        ("dental_panoramic", lambda: [panoramic(s, sound=True) for s in range(7000, 7003)], 0.0),
        # The card: one of each kind in two films. Only counted with sick films: sound ones have more.
        ("dental_intraoral", lambda: [intraoral(s, healthy=True) for s in range(7000, 7010)], 1.3),
    ],
)
def test_17_sound_films_keep_to_the_rate_of_false_marks(reader: str, sound: Callable[[], list[Films]], most: float) -> None:
    made = sound()
    marks, films = marks_on(reader, made)
    print(f"{reader}: {marks} marks on {films} sound films of {len(made)}")
    assert films >= len(made) / 2
    assert marks <= most * films
