"""Bleeding on head slices: the area under the curve by slice, the overlap of outlines, the volume by scan.

``slice_auc`` over slices (a mask, or the table says bleeding); ``dice_pooled`` over all pixels of the set; ``dice_slice``
the mean over slices with a mask; ``volume_r`` Pearson's r of mask sizes over scans, in pixels. Intervals: bootstrap by scan.
``marks_shown`` counts as the reader does: connected parts of at least 0.3 ml whose calibrated probability reaches the card's
threshold. The overlap counts every outlined pixel, shown or not. Baselines on the same slices: the area inside the skull,
and its share of bright pixels (60 HU and more).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.ai.readers.head.frame import head_outline
from app.ai.readers.head.planes import off_grid
from app.ai.readers.head.segment import bleed_map, outlines, slice_scores
from app.ai.readers.head_ct import calibrated
from app.ai.training.evaluation.common import Figures, Opened
from app.ai.training.head_figures import is_true, marks_on
from app.ai.training.head_set import SUBTYPES, HeadScan, load_scans
from app.domain.scoring import Interval, auc, bootstrap, paired_bootstrap, roc

BRIGHT = 190
"""Grey value of 60 HU in the brain window."""


@dataclass(frozen=True, eq=False)
class Counts:
    """By slice."""

    scan: npt.NDArray[np.int64]
    bleed: npt.NDArray[np.bool_]
    score: npt.NDArray[np.float64]
    both: npt.NDArray[np.float64]
    found: npt.NDArray[np.float64]
    truth: npt.NDArray[np.float64]
    area: npt.NDArray[np.float64]
    bright: npt.NDArray[np.float64]
    subtypes: tuple[tuple[str, ...], ...]
    shown: tuple[tuple[int, bool], ...] = ()
    """(scan, true) of the marks that a reader of the study sees."""


def counted(scans: Sequence[HeadScan], opened: Opened) -> Counts:
    rows: list[tuple[float, ...]] = []
    kinds: list[tuple[str, ...]] = []
    shown: list[tuple[int, bool]] = []
    for s, scan in enumerate(scans):
        around = scan.around()
        found = bleed_map(scan.planes, scan.frame, around, opened.nets, int(opened.parameters.get("flips", 4)))
        score = slice_scores(found, around, opened.parameters)
        masks = outlines(found, around, opened.parameters)
        for _, _, mark, shared in marks_on([(scan, found)], opened.parameters):
            if calibrated(mark.score, opened.parameters) >= float(opened.parameters.get("threshold", 0.5)):
                shown.append((s, is_true(mark, shared)))
        for n in range(len(scan.planes)):
            shape = (scan.planes.shape[1], scan.planes.shape[2])
            mask = off_grid(masks[n].astype(np.float32), scan.frame, shape) > 0.5
            truth = scan.masks[n]
            outline = head_outline(scan.planes[n])
            inside = np.zeros(shape, bool) if outline is None else (outline > 0) & (scan.planes[n] < 250)
            tissue = inside & (scan.planes[n] > 50)
            bright = float((tissue & (scan.planes[n] >= BRIGHT)).sum())
            both = float((mask & truth).sum())
            rows.append(
                (s, scan.bleed[n], score[n], both, float(mask.sum()), float(truth.sum()), float(tissue.sum()), bright)
            )
            kinds.append(scan.subtypes[n])
    c = np.asarray(rows, np.float64).T
    return Counts(c[0].astype(int), c[1] > 0, c[2], c[3], c[4], c[5], c[6], c[7], tuple(kinds), tuple(shown))


def pooled(c: Counts, i: npt.NDArray[np.int64]) -> float:
    total = float(c.found[i].sum() + c.truth[i].sum())
    return 2 * float(c.both[i].sum()) / total if total else float("nan")


def by_slice(c: Counts, i: npt.NDArray[np.int64]) -> float:
    i = i[c.truth[i] > 0]
    return float(np.mean(2 * c.both[i] / (c.found[i] + c.truth[i]))) if len(i) else float("nan")


def by_scan(c: Counts) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(found, truth, both) pixels of each scan."""
    n = int(c.scan.max()) + 1
    found, truth, both = (np.bincount(c.scan, w, n) for w in (c.found, c.truth, c.both))
    return found, truth, both


def _r(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if len(a) > 2 and a.std() > 0 and b.std() > 0 else float("nan")


def evaluate(folder: Path, split: str, opened: Opened) -> Figures:
    scans = load_scans(folder, split)
    c = counted(scans, opened)
    groups = c.scan.tolist()
    found, truth, both = by_scan(c)
    values: dict[str, Interval] = {
        "slice_auc": bootstrap(lambda i: auc(c.bleed[i], c.score[i]), groups, 1000),
        "dice_pooled": bootstrap(lambda i: pooled(c, i), groups, 1000),
        "dice_slice": bootstrap(lambda i: by_slice(c, i), groups, 1000),
        "volume_r": bootstrap(lambda i: _r(found[i], truth[i]), list(range(len(scans))), 1000),
        "brain_area_auc": bootstrap(lambda i: auc(c.bleed[i], c.area[i]), groups, 1000),
        "bright_pixels_auc": bootstrap(lambda i: auc(c.bleed[i], c.bright[i]), groups, 1000),
        "gain_over_area": paired_bootstrap(
            lambda i: auc(c.bleed[i], c.score[i]), lambda i: auc(c.bleed[i], c.area[i]), groups, 1000
        ),
    }
    positive = truth > 0
    missed = [scans[n].name for n in np.nonzero(positive & (both == 0))[0]]
    more: dict[str, object] = {
        "n_scans": len(scans),
        "n_positive_slices": int(c.bleed.sum()),
        "n_positive_scans": int(positive.sum()),
        "positive_scans_with_dice_0": missed,
        "scans_without_bleed_marked": int((found[~positive] > 0).sum()),
        "marks_shown": len(c.shown),
        "marks_shown_true": sum(true for _, true in c.shown),
        "scans_without_bleed_with_a_shown_mark": len({s for s, _ in c.shown if not positive[s]}),
        "positive_scans_with_a_true_shown_mark": len({s for s, true in c.shown if true}),
        "false_pixels_per_empty_slice": round(float(c.found[c.truth == 0].mean()), 2) if (c.truth == 0).any() else None,
    }
    for name, low, high in (
        ("below_150_pixels", 1, 150),
        ("150_to_600_pixels", 150, 600),
        ("600_pixels_and_more", 600, 1e9),
    ):
        here = np.nonzero((c.truth >= low) & (c.truth < high))[0]
        if len(here):
            more[f"dice_slice_{name}"] = round(by_slice(c, here), 4)
            more[f"n_{name}"] = len(here)
    for kind in SUBTYPES:
        here = np.nonzero([kind in k for k in c.subtypes])[0]
        if len(here):
            more[f"dice_slice_{kind}"] = round(by_slice(c, here), 4)
            more[f"n_{kind}"] = len(here)
    curve = roc(c.bleed, c.score)
    curves = {"roc": [a.tolist() for a in curve[:2]], "volume": [found.tolist(), truth.tolist()]}
    return Figures(values, len(c.bleed), more, curves)
