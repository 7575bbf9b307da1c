"""What is chosen on the validation films: each class's table from score to probability, its threshold, the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from app.ai.readers.dental.boxes import CLASSES, ToothBox
from app.ai.readers.dental.film import blank_area, content_of
from app.ai.readers.dental_panoramic import KINDS
from app.ai.training.card_figures import bands_of, table_of
from app.ai.training.dental_set import LabelledFilm
from app.ai.training.evaluation.dental_panoramic import as_boxes, matched, truth_of
from app.dicom.coding import finding_kind
from app.domain.model_card import CalibrationBand
from app.domain.scoring import average_precision

EDGES = (0.0, 0.5, 0.8, 1.0)
PRIORS = 60
"""Boxes of the baseline for each class."""


def chosen_on(films: Sequence[LabelledFilm], found: Sequence[Sequence[ToothBox]], data: str) -> dict[str, Any]:
    """Calibration by class; the threshold is the probability with the best F1, kept between 0.2 and 0.6."""
    calibration: dict[str, Any] = {}
    thresholds: dict[str, float] = {}
    bands: list[CalibrationBand] = []
    for kind in CLASSES:
        marks, truth = as_boxes(found, kind), truth_of(films, kind)
        _, score, true = matched(marks, truth)
        seen = score >= 0.05
        table = table_of(score[seen].tolist(), true[seen].tolist())
        calibration[kind] = table
        p = np.interp(score[seen], table["score"], table["probability"])
        best, at = -1.0, 0.5
        for cut in np.arange(0.2, 0.61, 0.05):
            hits, marked = float(true[seen][p >= cut].sum()), float((p >= cut).sum())
            f1 = 2 * hits / max(marked + len(truth), 1.0)
            if f1 > best:
                best, at = f1, float(cut)
        thresholds[kind] = round(at, 2)
        word = finding_kind(KINDS[kind])
        bands += bands_of(p.tolist(), true[seen].tolist(), EDGES, data, shown_from=thresholds[kind], kind=word)
    return {
        "parameters": {"flips": 4, "thresholds": thresholds},
        "calibration": calibration,
        "calibration_bands": [b.__dict__ for b in bands],
        "val_ap50": {k: round(average_precision(as_boxes(found, k), truth_of(films, k)), 4) for k in CLASSES},
    }


def priors_of(films: Sequence[LabelledFilm]) -> dict[str, list[list[float]]]:
    """For each class the commonest boxes of these films, as shares of the exposed part, with how often each fits.

    Boxes are rounded to a raster of 1/24; the score is the share of films that have a box in the same raster place.
    """
    counts: dict[str, dict[tuple[int, int], list[np.ndarray]]] = {k: {} for k in CLASSES}
    for film in films:
        content = content_of(blank_area(film.values))
        w, h = content.x1 - content.x0, content.y1 - content.y0
        for kind, box in zip(film.kinds, film.boxes, strict=True):
            if kind not in counts:
                continue
            share = (box - np.asarray([content.x0, content.y0] * 2)) / np.asarray([w, h] * 2)
            place = (int((share[0] + share[2]) * 12), int((share[1] + share[3]) * 12))
            counts[kind].setdefault(place, []).append(share)
    out: dict[str, list[list[float]]] = {}
    for kind, places in counts.items():
        common = sorted(places.values(), key=len, reverse=True)[:PRIORS]
        out[kind] = [
            [*(round(float(v), 4) for v in np.median(np.asarray(b), axis=0)), round(len(b) / len(films), 5)] for b in common
        ]
    return out
