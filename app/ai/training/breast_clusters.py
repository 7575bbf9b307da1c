"""Trains and measures the clusters of the mammography reader on generated views (``breast_specks``). Fixed seeds.

Training views give the network, its operating point and its table of chances (five folds by view); held-out views the
figures. The simple baseline on the same points: how many of them lie within a centimetre, as the usual rule counts them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.reader_api import Networks
from app.ai.readers.film.places import probability
from app.ai.readers.mammogram.clusters import NAMES, NETWORK, groups_of, scored_groups
from app.ai.readers.mammogram.specks import specks_of
from app.ai.readers.mammogram.view import prepare
from app.ai.training.breast_specks import CONTRASTS, SIZES_MM, DrawnCluster, SpeckView, speck_view
from app.ai.training.card_figures import bands_of, table_of
from app.ai.training.mias import Mammogram, grey_of, view_of
from app.ai.training.place_net import Places, PlaceSettings, balanced, scores, train_places
from app.domain.model_card import CalibrationBand
from app.domain.scoring import Interval, auc, bootstrap, paired_bootstrap

Values = npt.NDArray[np.float64]

TRAINING_SEEDS = range(100_000, 100_120)
HELD_OUT_SEEDS = range(200_000, 200_100)
SETTINGS = PlaceSettings(hidden=12, members=4, dropout=0.2, decay=0.1, rate=1e-2, epochs=60, batch=256)
FOLDS = 5
MOST_MARKS = 2
FALSE_PER_VIEW = 0.1
"""False marks on a training view without a cluster that the operating point allows."""
LEAST_HIT_MM = 3.0
BASELINE = NAMES.index("points_5")
DATA = "generated mammograms"
KIND = "calcification_cluster"
CALCIUM = "CALC"
BANDS = (0.0, 0.5, 0.8, 1.0)
ROUNDS = 1000


@dataclass(frozen=True)
class ClusterCase:
    """One generated view with the groups that the reader finds on it."""

    clusters: tuple[DrawnCluster, ...]
    vessels: int
    features: tuple[tuple[float, ...], ...]
    """Of each group."""
    hits: tuple[int, ...]
    """Of each group: the cluster that it lies in, or -1."""

    def plain(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def of(told: dict[str, Any]) -> ClusterCase:
        drawn = tuple(DrawnCluster(**c) for c in told["clusters"])
        return ClusterCase(drawn, told["vessels"], tuple(tuple(f) for f in told["features"]), tuple(told["hits"]))


def case_of(view: SpeckView) -> ClusterCase:
    spacing = (view.pixel_mm, view.pixel_mm)
    groups = groups_of(specks_of(view.values, spacing, prepare(view.values, spacing, view.name.endswith("MLO"))))
    hits = []
    for group in groups:
        inside = [
            n
            for n, c in enumerate(view.clusters)
            if np.hypot(group.x_mm - c.x_mm, group.y_mm - c.y_mm) <= max(c.radius_mm, LEAST_HIT_MM)
        ]
        hits.append(inside[0] if inside else -1)
    rows = tuple(tuple(round(float(v), 5) for v in g.features) for g in groups)
    return ClusterCase(view.clusters, view.vessels, rows, tuple(hits))


def cases_of(seeds: Sequence[int], told: Callable[[str], None] = lambda line: None) -> list[ClusterCase]:
    cv2.setNumThreads(1)
    found = []
    for n, seed in enumerate(seeds, 1):
        found.append(case_of(speck_view(seed)))
        if n % 20 == 0:
            told(f"{n} of {len(seeds)} generated views")
    return found


def _stacked(cases: Sequence[ClusterCase]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """(features, whether it is a cluster, view) of all groups."""
    x = np.asarray([f for c in cases for f in c.features], np.float32).reshape(-1, len(NAMES))
    y = np.asarray([h >= 0 for c in cases for h in c.hits], bool)
    view = np.asarray([n for n, c in enumerate(cases) for _ in c.hits], np.int64)
    return x, y, view


def trained(cases: Sequence[ClusterCase], seed: int = 7) -> Any:
    x, y, _ = _stacked(cases)
    truth = y.astype(np.float32)
    return train_places(Places(x, truth, balanced(truth, np.ones(len(x), np.float32))), replace(SETTINGS, seed=seed))


def split_by(cases: Sequence[ClusterCase], values: Values) -> list[Values]:
    """Values of all groups, view by view."""
    ends = np.cumsum([len(c.hits) for c in cases])
    return [np.asarray(v) for v in np.split(np.asarray(values, float), ends[:-1])]


def scored_cases(net: Any, cases: Sequence[ClusterCase]) -> list[Values]:
    return split_by(cases, np.asarray(scores(net, _stacked(cases)[0]), float))


def out_of_fold(cases: Sequence[ClusterCase]) -> list[Values]:
    fold = np.random.default_rng(3).permutation(len(cases)) % FOLDS
    found: dict[int, Values] = {}
    for f in range(FOLDS):
        net = trained([c for c, k in zip(cases, fold, strict=True) if k != f], seed=f)
        own = [n for n, k in enumerate(fold) if k == f]
        found |= dict(zip(own, scored_cases(net, [cases[n] for n in own]), strict=True))
    return [found[n] for n in range(len(cases))]


def baseline_scores(cases: Sequence[ClusterCase]) -> list[Values]:
    """The count alone; equal counts in the order of the groups."""
    return [np.asarray([f[BASELINE] - 1e-6 * n for n, f in enumerate(c.features)]) for c in cases]


def threshold_at(cases: Sequence[ClusterCase], values: Sequence[Values], false_per_view: float = FALSE_PER_VIEW) -> float:
    """Least score of a mark so that views without a cluster get ``false_per_view`` marks."""
    none = [np.sort(v)[::-1][:MOST_MARKS] for c, v in zip(cases, values, strict=True) if not c.clusters]
    false = np.sort(np.concatenate(none))[::-1]
    allowed = int(false_per_view * len(none))
    return float(false[allowed]) + 1e-4 if len(false) > allowed else float("-inf")


def shown(values: Values, threshold: float) -> list[int]:
    """Groups that become marks."""
    return [int(n) for n in np.argsort(-values, kind="stable")[:MOST_MARKS] if values[n] >= threshold]


def chosen(cases: Sequence[ClusterCase]) -> tuple[dict[str, Any], list[CalibrationBand]]:
    """(what ``pipeline.json`` says of clusters, bands for the card)."""
    values = out_of_fold(cases)
    cut = threshold_at(cases, values)
    score = np.concatenate(values)
    true = np.asarray([h >= 0 for c in cases for h in c.hits])
    table = table_of(score.tolist(), true.tolist())
    marks = [(float(v[n]), c.hits[n] >= 0) for c, v in zip(cases, values, strict=True) for n in shown(v, cut)]
    likely = [float(probability(s, table)) for s, _ in marks]
    least = round(float(probability(round(cut, 4), table)), 4)
    bands = bands_of(likely, [t for _, t in marks], BANDS, DATA, kind=KIND, shown_from=least)
    own = {
        "threshold": round(cut, 4),
        "calibration": table,
        "most_marks": MOST_MARKS,
        "bands": list(BANDS[1:3]),
        "features": list(NAMES),
    }
    return own, bands


def figures(
    cases: Sequence[ClusterCase], values: Sequence[Values], threshold: float, rounds: int = ROUNDS
) -> tuple[dict[str, Interval], dict[str, Any], npt.NDArray[np.bool_]]:
    """(values, more, which of the clusters were found): of marks at the operating point."""
    found, of_view, drawn, false, sound_vessels = [], [], [], [], []
    for n, (case, value) in enumerate(zip(cases, values, strict=True)):
        marks = [case.hits[m] for m in shown(value, threshold)]
        for k, cluster in enumerate(case.clusters):
            found.append(k in marks)
            of_view.append(n)
            drawn.append(cluster)
        if not case.clusters:
            false.append(sum(m < 0 for m in marks))
            sound_vessels.append(case.vessels > 0)
    hit, wrong, vessel = np.asarray(found), np.asarray(false, float), np.asarray(sound_vessels)
    told = {
        "cluster_sensitivity": bootstrap(lambda i: float(hit[i].mean()), of_view, rounds),
        "cluster_false_per_view": bootstrap(lambda i: float(wrong[i].mean()), list(range(len(wrong))), rounds),
    }
    more: dict[str, Any] = {
        "n_clusters": len(hit),
        "n_views_without": len(wrong),
        "n_views_with_calcified_vessels": int(vessel.sum()),
    }
    if vessel.any() and not vessel.all():
        more["cluster_false_per_view_calcified_vessels"] = round(float(wrong[vessel].mean()), 4)
        more["cluster_false_per_view_else"] = round(float(wrong[~vessel].mean()), 4)
    for label, classes, of in (
        ("size_mm", SIZES_MM, lambda c: c.diameter_mm),
        ("contrast", CONTRASTS, lambda c: c.contrast),
    ):
        for low, high in classes:
            inside = np.asarray([low <= of(c) < high for c in drawn])
            name = f"cluster_{label}_{low:g}_to_{high:g}"
            more[name] = {"n": int(inside.sum()), "found": int(hit[inside].sum())}
    return told, more, hit


def against_baseline(
    cases: Sequence[ClusterCase], hit: npt.NDArray[np.bool_], threshold: float, rounds: int = ROUNDS
) -> dict[str, Interval]:
    """The count at its own threshold on the same views: its figures, and the gain in clusters found."""
    told, _, simple = figures(cases, baseline_scores(cases), threshold, rounds)
    view = [n for n, c in enumerate(cases) for _ in c.clusters]
    gain = paired_bootstrap(lambda i: float(hit[i].mean()), lambda i: float(simple[i].mean()), view, rounds)
    return {f"baseline_count_{k}": v for k, v in told.items()} | {"cluster_gain_over_count": gain}


def package_figures(nets: Networks, own: Mapping[str, Any]) -> tuple[dict[str, Interval], dict[str, Any], int]:
    """(values, more, views) of a package on the held-out views, its count baseline beside."""
    cases = cases_of(HELD_OUT_SEEDS)
    x = _stacked(cases)[0]
    values = split_by(cases, np.asarray(nets.run(NETWORK, np.ascontiguousarray(x[:, None]))[:, 0], float))
    told, more, hit = figures(cases, values, float(own["threshold"]))
    return told | against_baseline(cases, hit, float(own["baseline_count"])), more, len(cases)


def on_labelled(images: Sequence[Mammogram], nets: Networks, own: Mapping[str, Any]) -> dict[str, Any]:
    """What the search would do on the set's coarse pixels, where the reader makes no such search: CALC against NORM."""
    if not any(lesion.kind == CALCIUM for image in images for lesion in image.lesions):
        return {}
    hits, located, false, normal = 0, 0, 0, 0
    best: list[float] = []
    calcium: list[bool] = []
    for image in images:
        circles = [lesion.circle for lesion in image.lesions if lesion.kind == CALCIUM]
        if image.lesions and not circles:
            continue
        grey, step = grey_of(image)
        groups = groups_of(specks_of(grey, (step, step), view_of(image)))
        score = scored_groups(groups, nets)
        best.append(float(score.max()) if len(score) else -20.0)
        calcium.append(bool(circles))
        marks = [groups[n] for n in np.argsort(-score, kind="stable")[:MOST_MARKS]]
        if not circles:
            normal += 1
            false += sum(bool(s >= float(own["threshold"])) for s in np.sort(score)[::-1][:MOST_MARKS])
        for circle in circles:
            if circle is not None:
                located += 1
                hits += any(np.hypot(g.x_mm / step - circle[0], g.y_mm / step - circle[1]) <= circle[2] for g in marks)
    return {
        "cluster_search_calc_auc": round(auc(np.asarray(calcium), np.asarray(best)), 4) if normal else None,
        "cluster_search_calc_at_2_any_score": {"n": located, "found": hits},
        "cluster_search_false_per_normal_film": round(false / normal, 4) if normal else None,
    }
