"""The present against the past: films by view and side, MR without subtraction, never other images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest

from app.domain.pixels import FramePixels
from app.domain.study import Patient
from app.imaging.film_alignment import aligned, fitted
from app.session.change_view import ChangeView
from app.session.images import Images
from app.session.open_study import OpenStudy
from app.session.pane_content import PaneContent
from app.session.panes import PaneState
from app.viewer.film_flicker import film_grey
from app.viewer.fusion import gain_between
from app.viewer.layers import FilmLayer, OverMode
from app.viewer.view_state import ImageGeometry, ViewState, resolve
from tests.viewer.test_hanging import MAMMO, study_of
from tests.viewer.test_hanging_anatomy import pictures, stack


class _Loop:
    def post(self, call: object) -> None:
        raise AssertionError("nothing is decoded here")


class _Nothing:
    def read(self, locator: str) -> bytes:
        raise AssertionError(locator)


@pytest.fixture
def desk() -> Iterator[object]:
    made: list[Images] = []

    def build(*studies: tuple[str, list[dict[str, object]], str]) -> tuple[ChangeView, list[OpenStudy]]:
        images = Images(_Nothing(), _Loop(), lambda: None)  # type: ignore[arg-type]
        made.append(images)
        opened = []
        for n, (description, sets, day) in enumerate(studies, 2):
            study, display_sets = study_of({"study_description": description, "display_set": sets}, f"1.{n}")
            study = replace(study, study_datetime=day, patient=Patient("1"))
            images.add(study, display_sets)
            opened.append(OpenStudy(study, display_sets))
        return ChangeView(PaneContent(opened, images), images), opened

    yield build
    for images in made:
        images.close()


def pane(display_set_id: str, prior: bool = False) -> PaneState:
    return PaneState(f"pane-{display_set_id}", display_set_id, ViewState(display_set_id), prior=prior)


MR = [stack("MR", "axial", "t1_tse_tra"), stack("MR", "axial", "ep2d_diff_b1000", 90)]


def test_a_t1_is_compared_with_a_t1_of_the_newest_study_and_never_subtracted(desk) -> None:
    change, _ = desk(
        ("MR brain", MR, "20260101"), ("MR brain", MR[1:], "20250101"), ("MR brain", MR, "20240101"),
        ("MR brain", MR, "20200101"), ("MR knee", MR, "20251201"),
    )  # fmt: skip
    changed, said = change.next(pane("1.2.0"), [pane("1.3.0", prior=True)])
    assert (changed.over.display_set_id, changed.over.mode, changed.over.flicker) == ("1.4.0", OverMode.SECOND, True)
    assert said.code == "change.flicker_only"
    off, said = change.next(changed, ())
    assert (off.over, said) == (None, None)
    changed, _ = change.next(pane("1.2.1"), ())
    assert changed.over.display_set_id == "1.3.0", "the diffusion of the newest brain"
    beside, _ = change.next(pane("1.2.0"), [pane("1.5.0", prior=True)])
    assert beside.over.display_set_id == "1.5.0", "what the reader hung beside goes first"


def test_ct_is_subtracted_then_flickers(desk) -> None:
    chest = [stack("CT", "axial", "Lung", 90)]
    change, _ = desk(("CT chest", chest, "20260101"), ("CT chest", chest, "20250101"))
    first, said = change.next(pane("1.2.0"), ())
    assert (first.over.mode, said) == (OverMode.DIFFERENCE, None)
    second, _ = change.next(first, ())
    assert (second.over.mode, second.over.flicker) == (OverMode.SECOND, True)


def test_unlike_ct_is_named_in_the_pane(desk) -> None:
    soft, lung = (stack("CT", "axial", "Chest", 90, kernel=kernel) for kernel in ("B30f", "B70f"))
    plain, given = stack("CT", "axial", "Chest", 90), stack("CT", "axial", "Chest +C", 90)
    for now, then, said in (
        (soft, soft, ()),
        (soft, lung, ("viewer.over.other_kernel",)),
        (plain, lung, ()),
        (plain, given, ("viewer.over.other_contrast",)),
        (
            lung,
            stack("CT", "axial", "Chest +C", 90, kernel="B30f"),
            ("viewer.over.other_contrast", "viewer.over.other_kernel"),
        ),
    ):
        change, _ = desk(("CT chest", [now], "20260101"), ("CT chest", [then], "20250101"))
        first, _ = change.next(pane("1.2.0"), ())
        assert first.over.mode is OverMode.DIFFERENCE
        assert change.states(first) == said
        second, _ = change.next(first, ())
        assert (second.over.flicker, change.states(second)) == (True, said)
        assert change.states(replace(first, over=None)) == ()
        assert change.states(replace(first, over=replace(first.over, mode=OverMode.BLEND))) == ()


def test_there_is_nothing_to_compare_a_knee_with_in_a_head(desk) -> None:
    change, _ = desk(("MR knee", MR, "20260101"), ("MR brain", MR, "20250101"))
    for hung in ((), [pane("1.3.0", prior=True)]):
        changed, said = change.next(pane("1.2.0"), hung)
        assert (changed, said.code) == (None, "viewer.change_without_prior")


def test_films_flicker_by_view_and_side(desk) -> None:
    chest = [*pictures("DX", 1, view_position="LL"), *pictures("DX", 1, view_position="PA")]
    change, _ = desk(("Chest", chest[1:], "20260101"), ("Chest", chest, "20250101"))
    changed, said = change.next(pane("1.2.0"), ())
    assert (changed.over.display_set_id, changed.over.film, changed.over.flicker) == ("1.3.1", 0, True)
    assert said.code == "change.films_flicker"
    assert change.film_fits(changed)
    assert change.remarks(changed.over)[0].params == {"date": "01.01.2025"}
    change, _ = desk(("Mammography", MAMMO["display_set"], "20260101"), ("Other", MAMMO["display_set"], "20250101"))
    for n in range(4):
        changed, _ = change.next(pane(f"1.2.{n}"), ())
        assert changed.over.display_set_id == f"1.3.{n}", "the same view of the same side"
    other = replace(changed, display_set_id="1.2.0", view=ViewState("1.2.0"))
    assert not change.film_fits(other), "the reader turned to another view"
    change, _ = desk(("OPG", pictures("PX", 1), "20260101"), ("Orthopantomogram", pictures("PX", 1), "20250101"))
    assert change.next(pane("1.2.0"), ())[0].over.display_set_id == "1.3.0"


def _film(turn_deg: float, shift: tuple[float, float], size: tuple[int, int] = (420, 360)) -> np.ndarray:
    """An odd picture, turned about its middle and shifted: (rows, columns) uint8."""
    rng = np.random.default_rng(7)
    base = np.zeros((size[1], size[0]), np.float32)
    for _ in range(40):
        at = (int(rng.integers(40, size[0] - 40)), int(rng.integers(40, size[1] - 40)))
        cv2.circle(base, at, int(rng.integers(8, 40)), float(rng.integers(40, 255)), -1)
    base = cv2.GaussianBlur(base, (0, 0), 3)
    m = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), turn_deg, 1.0)
    m[:, 2] += shift
    return cv2.warpAffine(base, m, size).astype(np.uint8)


def test_two_films_are_aligned_by_what_they_show() -> None:
    first, second = _film(0.0, (0.0, 0.0)), _film(4.0, (14.0, -9.0))
    start = fitted((420, 360), (420, 360))
    found = aligned(first, second, start)
    assert found.aligned
    m = cv2.getRotationMatrix2D((210, 180), 4.0, 1.0)
    m[:, 2] += (14.0, -9.0)
    for point in ((120.0, 90.0), (210.0, 180.0), (300.0, 260.0)):
        assert found.to_second @ (*point, 1.0) == pytest.approx(m @ (*point, 1.0), abs=1.0)
    nothing = aligned(first, np.random.default_rng(1).integers(0, 255, first.shape).astype(np.uint8), start)
    assert not nothing.aligned
    assert np.array_equal(nothing.to_second, start.to_second)


def test_a_film_is_fitted_by_millimetres_at_the_chest_wall_and_mirrored_where_it_was_stored_so() -> None:
    place = fitted((400, 600), (200, 300), (0.5, 0.5), anchor=(1.0, 0.5))
    assert place.to_second @ (400.0, 300.0, 1.0) == pytest.approx((200.0, 150.0))
    place = fitted((400, 600), (300, 300), (0.5, 0.5), anchor=(1.0, 0.5), mirrored=(True, False))
    assert place.to_second @ (400.0, 300.0, 1.0) == pytest.approx((0.0, 150.0))
    assert place.to_second @ (390.0, 300.0, 1.0) == pytest.approx((5.0, 150.0))
    assert not place.aligned


def test_the_other_film_lies_where_the_first_one_did() -> None:
    values = np.zeros((100, 200), np.uint16)
    values[40:60, 150:170] = 4000
    frame = FramePixels(values)
    resolved = resolve(ViewState(), (400, 200), ImageGeometry(400, 200))
    shown = film_grey(FilmLayer(frame, fitted((400, 200), (200, 100)).to_second), resolved, False)
    assert (int(shown[100, 320]), int(shown[100, 100])) == (255, 0)
    assert int(film_grey(FilmLayer(frame, fitted((400, 200), (200, 100)).to_second), resolved, True)[100, 100]) == 255


def test_mr_of_another_scale_flickers_at_the_same_brightness() -> None:
    rng = np.random.default_rng(3)
    first = np.zeros((8, 64, 64), np.int16)
    first[:, 12:52, 12:52] = rng.normal(600, 120, (8, 40, 40)).astype(np.int16)
    second = (first * 3.5).astype(np.int16) + 40
    factor, offset = gain_between(first, second)
    inside = second[:, 20:40, 20:40].astype(float) * factor + offset
    assert float(np.abs(inside - first[:, 20:40, 20:40]).mean()) < 6.0
