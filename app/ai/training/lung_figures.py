"""Calibration, operating point and the card's figures of the lung reader, from scans and nodules that trained nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.ai.readers.lung.malignancy import measured_terms
from app.ai.readers.lung.outline import mask_of, outline
from app.ai.training.card_figures import bands_of
from app.ai.training.evaluate_scan import marks_on
from app.ai.training.evaluation.lung_ct import seed_of
from app.ai.training.lidc import Nodule, load_nodules
from app.ai.training.lung_ct import LABELLED, REAL, load
from app.ai.training.lung_scans import Scan, blended, generated_scan, real_scan
from app.ai.training.stages import PlainNetworks
from app.domain.scoring import isotonic

CALIBRATION_SEED = 500_000
CALIBRATED_ON = "ten generated chests and one real scan"
EDGES = (0.0, 0.5, 0.8, 1.0)
SHOWN = True
"""On the test nodules the estimate's gain over the diameter has an interval above 0 (docs/evaluation/lung_ct.md)."""
RATING_ODDS = 3.0
"""Log odds of malignant for two points of the expected rating: 2.9 on validation nodules that the network had not seen."""
FALSE_PER_SCAN = 0.25
"""The operating point: marks are shown above the score that gives this many false ones on a calibration scan."""


def calibration_scan(number: int, nodules: Sequence[Nodule]) -> Scan:
    """Chests of their own seeds with validation nodules: they choose thresholds and are in no figure."""
    rng = np.random.default_rng([CALIBRATION_SEED, number])
    return blended(generated_scan(CALIBRATION_SEED + number), nodules, 3, rng)


def fit_malignancy(
    features: npt.NDArray[np.float64], truth: npt.NDArray[np.float64], ridge: float = 1.0
) -> npt.NDArray[np.float64]:
    """Logistic weights (last one the bias) by Newton's method, all but the bias held small."""
    x = np.column_stack([features, np.ones(len(features))])
    penalty = np.diag([ridge] * features.shape[1] + [1e-6])
    w = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ w, -30, 30)))
        gradient = x.T @ (p - truth) + penalty @ w
        hessian = (x.T * (p * (1 - p) + 1e-9)) @ x + penalty
        move = np.linalg.solve(hessian, gradient)
        w = w - move
        if float(np.abs(move).max()) < 1e-8:
            break
    return w


def malignancy_weights(data: Path, nets: PlainNetworks, mirrors: int = 4) -> dict[str, Any]:
    """Half of what is measured, weighed on train and validation nodules, and half of the rating that the network expects.

    The network learned from those nodules and cannot be weighed on them: its rating, in log odds, and the measures count
    alike. The rating has five steps to learn from where its yes or no has two, and stays truer on other nodules.
    """
    learned = load_nodules(data / LABELLED, "train") + load_nodules(data / LABELLED, "val")
    nodules = [n for n in learned if n.malignant is not None]
    found = [outline(n.hu, [seed_of(n)], n.spacing_mm, nets, mirrors)[0] for n in nodules]
    truth = np.asarray([float(n.malignant or 0) for n in nodules])
    rows = [
        measured_terms(n.hu, mask_of(f, (n.hu.shape[0], n.hu.shape[1], n.hu.shape[2])), n.spacing_mm)
        for n, f in zip(nodules, found, strict=True)
    ]
    width, densest, bias = (round(float(v) / 2, 5) for v in fit_malignancy(np.asarray(rows), truth))
    return {"log_width": width, "densest": densest, "rating": RATING_ODDS / 2, "bias": bias, "shown": SHOWN}


def calibrate(marks: Sequence[tuple[float, bool]]) -> dict[str, list[float]]:
    """The table from score to probability, from (score, true) of marks on calibration scans."""
    score = np.asarray([m[0] for m in marks])
    truth = np.asarray([m[1] for m in marks])
    # One true and one false mark at the ends keep the table off 0 and 1.
    low, high = float(score.min()) - 1.0, float(score.max()) + 1.0
    x, p = isotonic(np.concatenate([[low, low, high, high], score]), np.concatenate([[0, 0, 1, 0], truth]))
    p = np.clip(p, 0.002, 0.985)
    kept = np.unique(np.concatenate([[0], np.nonzero(np.diff(p))[0], np.nonzero(np.diff(p))[0] + 1, [len(p) - 1]]))
    return {"score": [round(float(v), 4) for v in x[kept]], "probability": [round(float(v), 4) for v in p[kept]]}


def real_marks(data: Path, work: Path, outlines: Any) -> list[tuple[float, bool]]:
    """(score, false) of the marks on the real scan, each lung read by the network that never saw it; none without it.

    Generated chests alone would promise too much: a real lung mistakes more.
    """
    if not (data / REAL).is_dir():
        return []
    scan = real_scan(data / REAL)
    found: list[tuple[float, bool]] = []
    for side in (1, 2):
        sorter = load(work / f"candidate_without_{side}.safetensors", "lung_candidate")
        nets = PlainNetworks({"lung_nodule": outlines, "lung_candidate": sorter})
        found += [(m.score, False) for m in marks_on(scan, nets, 0, side=side)[0]]
    return found


def figures_of(data: Path, work: Path, scans: int = 10) -> dict[str, Any]:
    """What ``package`` needs beside the weights, without the metrics, which are measured on the package itself."""
    outlines = load(work / "nodule.safetensors", "lung_nodule")
    sorter = load(work / "candidate.safetensors", "lung_candidate")
    nets = PlainNetworks({"lung_nodule": outlines, "lung_candidate": sorter})
    nodules = load_nodules(data / LABELLED, "val")
    marks = real_marks(data, work, outlines)
    scans_in_all = scans + (1 if marks else 0)
    for number in range(scans):
        found, _, _ = marks_on(calibration_scan(number, nodules), nets, number)
        marks += [(m.score, m.lesion is not None) for m in found]
    table = calibrate(marks)
    false = np.sort([s for s, hit in marks if not hit])[::-1]
    cut = float(false[min(len(false) - 1, round(FALSE_PER_SCAN * scans_in_all))])
    above = [p for s, p in zip(table["score"], table["probability"], strict=True) if s > round(cut, 4)]
    threshold = round(min(max(min(above) if above else 1.0, 0.05), 0.9), 3)
    likely = np.interp([s for s, _ in marks], table["score"], table["probability"])
    bands = bands_of(likely.tolist(), [hit for _, hit in marks], EDGES, CALIBRATED_ON, shown_from=threshold)
    return {
        "calibration": table,
        "calibration_bands": [b.__dict__ for b in bands],
        "threshold": threshold,
        "bands": [0.5, 0.8],
        "operating_point": f"about {FALSE_PER_SCAN:g} false marks per calibration scan",
        "malignancy": malignancy_weights(data, nets),
    }


def metric(key: str, result: Mapping[str, Any], data: str, command: str) -> dict[str, Any]:
    """One figure of an evaluation's JSON as a line of the card."""
    low, high = result[f"{key}_ci"]
    return {
        "key": key,
        "value": result[key],
        "low": low,
        "high": high,
        "n": int(result["n"]),
        "data": data,
        "command": command,
    }
