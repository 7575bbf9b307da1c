"""Bright points, clusters and what is trained on them, on drawn breasts with 0.1 mm pixels."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.ai.reader_api import FilmImage, ReaderJob
from app.ai.readers.breast import READER
from app.ai.readers.mammogram.cluster_findings import CLUSTER
from app.ai.readers.mammogram.clusters import NAMES, NETWORK, groups_of
from app.ai.readers.mammogram.specks import specks_of
from app.ai.readers.mammogram.view import prepare
from app.ai.training import breast_clusters, breast_specks, evaluate
from app.ai.training.breast_clusters import (
    MOST_MARKS,
    ClusterCase,
    case_of,
    chosen,
    figures,
    shown,
    threshold_at,
)
from app.ai.training.breast_specks import CONTRASTS, DrawnCluster, speck_view
from app.domain.finding import CALCIFICATIONS, Band, ReaderIdentity, ReadState
from app.domain.ports import SilentProgress
from app.session.cluster_words import cluster_words
from app.session.views import NOTHING

MM = 0.1
SHAPE = (1100, 800)
MIDDLE = (360.0, 560.0)
OFFSETS = ((0, 0), (22, 9), (-14, 20), (8, -25), (-24, -11), (30, 28), (-6, 38), (16, -38))
IDENTITY = ReaderIdentity("breast", "0.0.1", "cd" * 32)
PARAMETERS = {
    "threshold": 2.0,  # no other marks
    "calibration": {"score": [0.0, 1.0], "probability": [0.0, 1.0]},
    "clusters": {
        "threshold": 0.9,
        "most_marks": 2,
        "bands": [0.3, 0.6],
        "calibration": {"score": [0.0, 4.0], "probability": [0.0, 1.0]},
    },
}


class Counts:
    """The number of clear points stands in for the trained network."""

    def run(self, name: str, batch: np.ndarray) -> np.ndarray:
        return batch[:, :, NAMES.index("points_5")] if name == NETWORK else np.zeros((len(batch), 1), np.float32)


def breast(*dots: tuple[float, float], radius: float = 1.6, height: float = 120.0, seed: int = 1) -> np.ndarray:
    """Chest wall on the left; tissue with grain and slow texture; dots at (x, y) pixels from the corner."""
    film = tissue(seed).copy()
    for cx, cy in dots:
        part = (slice(int(cy) - 30, int(cy) + 31), slice(int(cx) - 30, int(cx) + 31))
        y, x = np.mgrid[part].astype(np.float32)
        film[part] += height * np.exp(-((((x + 0.5 - cx) ** 2 + (y + 0.5 - cy) ** 2) / radius**2) ** 2))
    return film


@cache
def tissue(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)
    inside = (x / 720) ** 2 + ((y - 550) / 510) ** 2
    slow = cv2.GaussianBlur(rng.normal(size=SHAPE).astype(np.float32), (0, 0), 12) * 900
    grain = cv2.GaussianBlur(rng.normal(size=SHAPE).astype(np.float32), (0, 0), 0.7) * 20
    return np.where(inside < 1, 400 + 500 * np.sqrt(np.clip(1 - inside, 0, 1)) + slow + grain, 0).astype(np.float32)


def cluster() -> list[tuple[float, float]]:
    return [(MIDDLE[0] + dx, MIDDLE[1] + dy) for dx, dy in OFFSETS]


def points(values: np.ndarray, mm: tuple[float, float] = (MM, MM)):
    return specks_of(values, mm, prepare(values, mm, False))


def read(values: np.ndarray, mm: float = MM, side: str = "L"):
    film = FilmImage(values, "1.2.3", (mm, mm), side, "CC", (), None, (mm, mm))
    job = ReaderJob("1.2", IDENTITY, None, (film,))
    return READER.run(job, Counts(), PARAMETERS, SilentProgress())  # type: ignore[arg-type]


def test_every_dot_is_a_point_at_its_place():
    found = points(breast(*cluster()))
    clear = found.z > 6.0
    assert clear.sum() == len(OFFSETS)
    for x, y in cluster():
        assert np.hypot(found.x_mm[clear] - x * MM, found.y_mm[clear] - y * MM).min() < MM


def test_brighter_dots_stand_out_more_and_numbers_without_unit_do_not_matter():
    faint, bright = (points(breast(MIDDLE, height=h)).z[0] for h in (90.0, 180.0))
    assert bright > 1.5 * faint
    values = breast(MIDDLE)
    assert points(values * 0.01 + 3.0).z[0] == pytest.approx(points(values).z[0], rel=1e-3)


def test_a_coarse_calcification_is_one_point_and_a_thread_hardly_any():
    coarse = points(breast(MIDDLE, radius=8.0, height=400.0))
    near = np.hypot(coarse.x_mm - MIDDLE[0] * MM, coarse.y_mm - MIDDLE[1] * MM) < 2.0
    assert (near & (coarse.z > 4.5)).sum() == 1
    thread = np.zeros(SHAPE, np.float32)
    cv2.line(thread, (300, 400), (420, 700), 150.0, 3, cv2.LINE_AA)
    assert groups_of(points(breast() + cv2.GaussianBlur(thread, (0, 0), 1.0))) == []


def test_pixels_that_are_not_square_keep_the_places():
    values = breast(*cluster())
    wide = cv2.resize(values, (SHAPE[1] * 5 // 4, SHAPE[0]), interpolation=cv2.INTER_LINEAR)
    (group,) = groups_of(points(wide, (MM, MM * 0.8)))
    assert (group.x_mm, group.y_mm) == pytest.approx((MIDDLE[0] * MM, MIDDLE[1] * MM), abs=0.6)


@pytest.mark.parametrize("mirror", [False, True])
def test_a_cluster_becomes_a_finding_with_its_number_of_points(mirror):
    values = breast(*cluster())
    if mirror:
        values = np.ascontiguousarray(values[:, ::-1])
    out = read(values, side="R" if mirror else "L")
    assert out.state is ReadState.COMPLETED
    (found,) = out.findings
    x = SHAPE[1] - MIDDLE[0] if mirror else MIDDLE[0]
    assert found.code == CLUSTER
    assert found.location.centre_px == pytest.approx((x, MIDDLE[1]), abs=8.0)
    assert found.location.box_px is not None
    x0, y0, x1, y1 = found.location.box_px
    assert x0 < x - 24 < x + 30 < x1 or x0 < x - 30 < x + 24 < x1
    assert y0 < MIDDLE[1] - 38 < MIDDLE[1] + 38 < y1
    assert found.laterality == ("R" if mirror else "L")
    assert dict(found.attributes) == {CALCIFICATIONS: str(len(OFFSETS))}
    assert found.probability == pytest.approx(np.log1p(len(OFFSETS)) / 4.0, abs=1e-3)
    assert found.band is Band.MID
    assert "ai.breast.clusters_generated" in [p.code for p in out.problems]
    assert ("breast.cluster_views", 1.0, "1") in out.measurements
    words = cluster_words(found)
    assert (words.id, words.params) == ("finding.cluster.points", {"n": len(OFFSETS)})
    assert cluster_words(replace(found, attributes=())) is NOTHING


def test_a_sound_breast_and_single_grains_get_no_mark():
    for values in (breast(seed=4), breast((200, 300), (420, 760), (300, 620))):
        out = read(values)
        assert not out.findings
        assert "ai.breast.clusters_generated" not in [p.code for p in out.problems]


def test_a_border_and_a_second_cluster_leave_the_first():
    (first,) = read(breast(*cluster())).findings
    far = [(x - 60, y - 300) for x, y in cluster()]
    padded = np.pad(breast(*cluster(), *far), ((30, 0), (0, 40)))
    both = read(padded).findings
    assert len(both) == 2
    moved = [np.hypot(f.location.centre_px[0] - first.location.centre_px[0],
                      f.location.centre_px[1] - 30 - first.location.centre_px[1]) for f in both]  # fmt: skip
    assert min(moved) < 3.0


def test_where_pixels_are_too_large_it_is_said_and_nothing_sought():
    values = cv2.resize(breast(*cluster()), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    out = read(values, mm=0.2)
    assert not out.findings
    assert "ai.breast.no_clusters" in [p.code for p in out.problems]
    assert "breast.cluster_views" not in [name for name, _, _ in out.measurements]


def test_generated_views_repeat_and_their_clusters_stand_where_they_are_told(monkeypatch):
    monkeypatch.setattr(breast_specks, "PIXELS_MM", (0.2,))  # a quarter of the work
    view, again = speck_view(5, True), speck_view(5, True)
    assert np.array_equal(view.values, again.values)
    assert view.clusters == again.clusters
    case = case_of(view)
    assert case.clusters
    assert len(case.features) == len(case.hits)
    assert ClusterCase.of(case.plain()) == case


def _cases(n: int) -> list[ClusterCase]:
    """Half with a cluster whose group has larger features."""
    rng = np.random.default_rng(2)
    drawn = DrawnCluster(10.0, 20.0, 3.0, 9, 0.3, 5.0)
    found = []
    for k in range(n):
        own = (drawn,) if k % 2 else ()
        rows = [tuple(rng.normal(0.0, 1.0, len(NAMES))) for _ in range(3)]
        hits = [-1, -1, -1]
        if own:
            rows[0], hits[0] = tuple(rng.normal(3.0, 1.0, len(NAMES))), 0
        found.append(ClusterCase(own, 0, tuple(rows), tuple(hits)))
    return found


def test_the_operating_point_keeps_to_its_rate_and_the_chances_rise(monkeypatch):
    monkeypatch.setattr(breast_clusters, "SETTINGS", replace(breast_clusters.SETTINGS, epochs=6, batch=64))
    cases = _cases(40)
    told, bands = chosen(cases)
    assert np.all(np.diff(told["calibration"]["probability"]) >= 0)
    assert sum(b.n for b in bands) >= 15
    assert {b.kind for b in bands} == {"calcification_cluster"}
    values = [np.asarray([2.0 * (h >= 0), 1.0, 0.5]) for c in cases for h in c.hits[:1]]
    cut = threshold_at(cases, values, 0.1)
    assert cut > 1.0
    assert shown(np.asarray([0.2, 3.0, 2.5, 2.0]), 1.0) == [1, 2][:MOST_MARKS]
    found, more, hit = figures(cases, values, cut, rounds=20)
    assert found["cluster_sensitivity"].value == 1.0
    assert found["cluster_false_per_view"].value == 0.0
    assert (more["n_clusters"], more["n_views_without"], hit.all()) == (20, 20, True)
    assert more["cluster_size_mm_0.25_to_0.4"] == {"n": 20, "found": 20}


def test_the_shipped_package_is_judged_on_generated_views(monkeypatch):
    monkeypatch.setattr(breast_specks, "PIXELS_MM", (0.2,))
    monkeypatch.setattr(breast_clusters, "HELD_OUT_SEEDS", range(200_000, 200_003))
    result = evaluate.run("breast", Path("generated"), "test", threads=1, engine="torch")
    assert result["n"] == 3
    assert result["n_views_without"] >= 1
    for key in (
        "cluster_sensitivity",
        "cluster_false_per_view",
        "baseline_count_cluster_sensitivity",
        "cluster_gain_over_count",
    ):
        assert len(result[f"{key}_ci"]) == 2
    assert sum(result[f"cluster_contrast_{low:g}_to_{high:g}"]["n"] for low, high in CONTRASTS) == result["n_clusters"]
