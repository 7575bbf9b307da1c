"""Mammograms: lesion or none by image, and lesions hit by the first one and two marks of an image.

``image_auc``: any lesion, with or without a place, against NORM; ``mass_auc``: CIRC, SPIC or MISC against NORM. A mark hits
when it lies inside the circle; rows without x and y are left out of the sensitivities. The marks are counted whatever their
score. Intervals: bootstrap by patient. Baseline on the same images: the strongest blob (difference of Gaussians, 3.6 mm).

``--data generated``: clusters of calcifications on generated views that were never trained on. ``cluster_sensitivity``:
drawn clusters found by the marks at the operating point; ``cluster_false_per_view``: marks on views without one; baseline:
how many bright points lie within a centimetre. On a folder ``cluster_search_…`` says what that search would do there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.ai.readers.film.places import PlaceMark
from app.ai.readers.mammogram.maps import NAMES
from app.ai.readers.mammogram.patches import looked_again
from app.ai.readers.mammogram.study import Measured, Scored, image_odds, run_network, scored
from app.ai.readers.mammogram.view import GRID_MM
from app.ai.training.breast_clusters import on_labelled, package_figures
from app.ai.training.evaluation.common import Figures, Opened
from app.ai.training.mias import MASSES, Mammogram, load_set, measured_set, partner_of
from app.domain.scoring import Interval, auc, bootstrap, paired_bootstrap, roc

ROUNDS = 1000
BASELINE = "blob_9.0"
GENERATED = "generated"
SIZES = (("below_6_mm", 0.0, 6.0), ("6_to_12_mm", 6.0, 12.0), ("12_mm_and_more", 12.0, 999.0))
"""Radius of the circle."""


@dataclass(frozen=True, eq=False)
class Row:
    """One located lesion: its picture, and whether the first, second... mark hits it."""

    image: int
    kind: str
    radius_mm: float
    contrast: float
    hit_at: int
    """Number of the first mark inside the circle, from 1; 0 when none of them is."""


def hits(marks: Sequence[PlaceMark], found: Measured, circle: tuple[float, float, float]) -> int:
    x, y, radius = circle
    for n, mark in enumerate(marks, 1):
        at = found.view.to_film(mark.x, mark.y)
        if np.hypot(at[0] - x, at[1] - y) <= radius:
            return n
    return 0


def rows_of(images: Sequence[Mammogram], results: Sequence[Scored]) -> list[Row]:
    rows = []
    for n, (image, result) in enumerate(zip(images, results, strict=True)):
        view = result.measured.view
        for lesion in image.lesions:
            if lesion.circle is None:
                continue
            x, y, radius = lesion.circle
            rows.append(
                Row(
                    n,
                    lesion.kind,
                    radius * view.scale[1] * GRID_MM,
                    contrast_to_noise(result.measured, lesion.circle),
                    hits(result.marks, result.measured, lesion.circle),
                )
            )
    return rows


def contrast_to_noise(found: Measured, circle: tuple[float, float, float]) -> float:
    """Mean inside the circle minus the mean of a ring of twice its radius, over the ring's standard deviation."""
    view = found.view
    x, y = view.to_grid(circle[0], circle[1])
    radius = max(circle[2] * view.scale[1], 2.0)
    row, column = np.mgrid[: view.values.shape[0], : view.values.shape[1]]
    far = np.hypot(column - x, row - y)
    inner, ring = view.tissue & (far <= radius), view.tissue & (far > 1.1 * radius) & (far <= 2 * radius)
    if inner.sum() < 3 or ring.sum() < 10:
        return float("nan")
    return float((view.values[inner].mean() - view.values[ring].mean()) / max(float(view.values[ring].std()), 1e-3))


def figures_of(
    images: Sequence[Mammogram], results: Sequence[Scored], score: npt.NDArray[np.float64], rounds: int = ROUNDS
) -> tuple[dict[str, Interval], dict[str, object], dict[str, object]]:
    """(values, more, curves) for scored pictures; shared with the training's cross-validation."""
    patients = [i.patient for i in images]
    abnormal = np.asarray([i.abnormal for i in images])
    mass = np.asarray([i.mass for i in images])
    plain = np.nonzero(mass | ~abnormal)[0]
    blob = [baseline(r.measured) for r in results]
    simple = np.asarray([b.marks[0].score if b.marks else -9.0 for b in blob])
    rows, simple_rows = rows_of(images, results), rows_of(images, blob)
    values = {
        "image_auc": bootstrap(lambda i: auc(abnormal[i], score[i]), patients, rounds),
        "mass_auc": bootstrap(lambda i: auc(mass[plain][i], score[plain][i]), [patients[n] for n in plain], rounds),
        "baseline_blob_image_auc": bootstrap(lambda i: auc(abnormal[i], simple[i]), patients, rounds),
        "gain_over_blob": paired_bootstrap(
            lambda i: auc(abnormal[i], score[i]), lambda i: auc(abnormal[i], simple[i]), patients, rounds
        ),
    }
    for prefix, kinds in (("", None), ("mass_", MASSES)):
        own = [r for r in rows if kinds is None or r.kind in kinds]
        if not own:
            continue
        group = [patients[r.image] for r in own]
        for k in (1, 2):
            reached = np.asarray([0 < r.hit_at <= k for r in own], float)
            values[f"{prefix}sensitivity_at_{k}"] = bootstrap(lambda i, v=reached: float(v[i].mean()), group, rounds)
    more: dict[str, object] = {
        "n_abnormal": int(abnormal.sum()),
        "n_mass": int(mass.sum()),
        "n_located": len(rows),
        "n_located_mass": sum(r.kind in MASSES for r in rows),
    }
    if simple_rows:
        more["baseline_blob_sensitivity_at_2"] = round(float(np.mean([0 < r.hit_at <= 2 for r in simple_rows])), 4)
    for name, low, high in SIZES:
        at2 = [0 < r.hit_at <= 2 for r in rows if low <= r.radius_mm < high]
        more |= {f"n_{name}": len(at2), f"sensitivity_at_2_{name}": round(float(np.mean(at2)), 4) if at2 else None}
    for name, low, high in (("contrast_below_1", -99.0, 1.0), ("contrast_1_and_more", 1.0, 99.0)):
        at2 = [0 < r.hit_at <= 2 for r in rows if low <= r.contrast < high]
        more |= {f"n_{name}": len(at2), f"sensitivity_at_2_{name}": round(float(np.mean(at2)), 4) if at2 else None}
    for kind in sorted({r.kind for r in rows}):
        at2 = [0 < r.hit_at <= 2 for r in rows if r.kind == kind]
        more |= {f"n_{kind.lower()}": len(at2), f"sensitivity_at_2_{kind.lower()}": round(float(np.mean(at2)), 4)}
    curves: dict[str, object] = {}
    if abnormal.any() and not abnormal.all():
        curves["roc"] = {
            "reader": [a.tolist() for a in roc(abnormal, score)[:2]],
            "blob": [a.tolist() for a in roc(abnormal, simple)[:2]],
        }
    if rows:
        masses = [r for r in rows if r.kind in MASSES]
        groups = {"all": rows, "masses": masses, "blob": simple_rows}
        lines = {name: _found_by_marks(group) for name, group in groups.items() if group}
        curves["froc"] = {"across": "marks an image", "lines": lines}
    return values, more, curves


def _found_by_marks(rows: Sequence[Row]) -> tuple[list[int], list[float]]:
    marks = list(range(1, 6))
    return marks, [float(np.mean([0 < r.hit_at <= k for r in rows])) for k in marks]


def baseline(found: Measured) -> Scored:
    return scored(found, found.features[:, NAMES.index(BASELINE)])


def image_scores(images: Sequence[Mammogram], results: Sequence[Scored], parameters: object) -> npt.NDArray[np.float64]:
    assert isinstance(parameters, dict)
    partner = partner_of(images)
    pairs = zip(results, partner, strict=True)
    return np.asarray([image_odds(r, None if p is None else results[p], parameters) for r, p in pairs], np.float64)


def evaluate(folder: Path, split: str, opened: Opened) -> Figures:
    own = opened.parameters.get("clusters")
    if folder.name == GENERATED and not folder.is_dir():
        if not own:
            raise ValueError("this package does not look for clusters")
        told, counts, views = package_figures(opened.nets, own)
        return Figures(told, views, counts)
    images = load_set(folder, split)
    if not images:
        raise ValueError(f"no picture of the split {split}")
    results = [scored(m, run_network(m, opened.nets)) for m in measured_set(images)]
    if opened.parameters.get("patches"):
        results = looked_again(results, partner_of(images), opened.nets)
    values, more, curves = figures_of(images, results, image_scores(images, results, dict(opened.parameters)))
    return Figures(values, len(images), {**more, **(on_labelled(images, opened.nets, own) if own else {})}, curves)
