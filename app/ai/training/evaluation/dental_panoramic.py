"""Panoramic films: average precision at an overlap of 0.5 by class, films weighted so that copies of one count once.

All-point interpolation; classes by the names of the set. ``ap50`` is an object by class, ``map50`` the mean of the classes
that occur; film-level areas under the curve take a film's highest score of the class. Intervals: bootstrap by film.
Baseline on the same films: for each class the commonest boxes of the training films, scored by how often they fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.ai.readers.dental.boxes import CLASSES, FLIPS, ToothBox, answer, decode
from app.ai.readers.dental.film import prepared
from app.ai.training.dental_set import LabelledFilm, film_weights, load_films
from app.ai.training.evaluation.common import Figures, Opened
from app.domain.scoring import Box, Interval, all_point_ap, auc, average_precision, bootstrap, box_iou

ROUNDS = 300
Hits = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]


def boxes_on(films: Sequence[LabelledFilm], opened: Opened) -> list[list[ToothBox]]:
    flips = FLIPS[: int(opened.parameters.get("flips", 4))]
    out = []
    for film in films:
        square, content = prepared(film.values)
        out.append(decode(answer(square, opened.nets, flips), content))
    return out


def as_boxes(found: Sequence[Sequence[ToothBox]], kind: str) -> list[Box]:
    return [Box(n, b.box, b.score) for n, boxes in enumerate(found) for b in boxes if b.kind == kind]


def truth_of(films: Sequence[LabelledFilm], kind: str) -> list[Box]:
    return [
        Box(n, (float(b[0]), float(b[1]), float(b[2]), float(b[3])))
        for n, film in enumerate(films)
        for k, b in zip(film.kinds, film.boxes, strict=True)
        if k == kind
    ]


def matched(found: Sequence[Box], truth: Sequence[Box], iou: float = 0.5) -> Hits:
    """(image, score, true) of every box in falling score; the matching of an image does not depend on other images."""
    by_image: dict[int, list[int]] = {}
    for n, t in enumerate(truth):
        by_image.setdefault(t.image, []).append(n)
    taken: set[int] = set()
    rows = []
    for mark in sorted(found, key=lambda b: -b.score):
        best, overlap = -1, iou
        for n in by_image.get(mark.image, []):
            value = box_iou(mark.box, truth[n].box)
            if n not in taken and value >= overlap:
                best, overlap = n, value
        if best >= 0:
            taken.add(best)
        rows.append((mark.image, mark.score, best >= 0))
    return (
        np.asarray([r[0] for r in rows], np.int64),
        np.asarray([r[1] for r in rows], np.float64),
        np.asarray([r[2] for r in rows], bool),
    )


def curve_of(
    hits: Hits, positives: npt.NDArray[np.float64], weight: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(recall, precision) at every distinct score in falling order, each image counting ``weight``."""
    total = float((positives * weight).sum())
    image, score, true = hits
    w = weight[image]
    keep = w > 0
    w, true, score = w[keep], true[keep], score[keep]
    hit, every = np.cumsum(w * true), np.cumsum(w)
    ends = np.append(np.nonzero(np.diff(score))[0], len(score) - 1) if len(score) else np.zeros(0, int)
    return (hit / max(total, 1e-12))[ends], (hit / np.maximum(every, 1e-12))[ends]


def ap_from(hits: Hits, positives: npt.NDArray[np.float64], weight: npt.NDArray[np.float64]) -> float:
    """Average precision with a weight for each image; ``positives`` true boxes by image."""
    if float((positives * weight).sum()) <= 0:
        return float("nan")
    return all_point_ap(*curve_of(hits, positives, weight))


def evaluate(folder: Path, split: str, opened: Opened) -> Figures:
    films = load_films(folder, split)
    found = boxes_on(films, opened)
    weight = np.asarray(film_weights(films))
    names = sorted({f.film for f in films})
    group = np.asarray([names.index(f.film) for f in films])
    kinds = list(dict.fromkeys([*CLASSES, *sorted({k for f in films for k in f.kinds})]))
    values: dict[str, Interval] = {}
    more: dict[str, object] = {"n_films": len(names), "n_boxes": {}}
    table, intervals, prior, curves = {}, {}, {}, {}
    for kind in kinds:
        marks, truth = as_boxes(found, kind), truth_of(films, kind)
        positives = np.bincount([t.image for t in truth], minlength=len(films)).astype(float)
        counts = more["n_boxes"]
        assert isinstance(counts, dict)
        counts[kind] = len(truth)
        if not truth:
            continue
        hits = matched(marks, truth)

        def figure(i: npt.NDArray[np.int64], hits: Hits = hits, positives: npt.NDArray[np.float64] = positives) -> float:
            drawn = np.bincount(i, minlength=len(films)).astype(float)
            return ap_from(hits, positives, weight * drawn)

        at = bootstrap(figure, group.tolist(), ROUNDS)
        table[kind], intervals[kind] = round(at.value, 4), [round(at.low, 4), round(at.high, 4)]
        prior[kind] = round(average_precision(prior_boxes(opened.parameters, kind, films), truth, 0.5, weight.tolist()), 4)
        recall, precision = curve_of(hits, positives, weight)
        curves[kind] = {"recall": recall.tolist(), "precision": precision.tolist()}
        film_truth = np.bincount(group, positives, len(names)) > 0
        best = np.zeros(len(names))
        for n, g in enumerate(group):
            best[g] = max([best[g], *(b.score for b in found[n] if b.kind == kind)])
        if film_truth.all() or not film_truth.any():
            continue
        key = f"film_auc_{kind.lower().replace(' ', '_')}"
        values[key] = bootstrap(lambda i, y=film_truth, s=best: auc(y[i], s[i]), list(range(len(names))), ROUNDS)
    mean = float(np.mean(list(table.values()))) if table else float("nan")
    more |= {"ap50": table, "ap50_ci": intervals, "map50": round(mean, 4), "baseline_prior_ap50": prior}
    return Figures(values, len(films), more, curves)


def prior_boxes(parameters: Mapping[str, object], kind: str, films: Sequence[LabelledFilm]) -> list[Box]:
    """The class's commonest places (of the training films, as shares of the exposed part) on every film."""
    priors = parameters.get("prior_boxes")
    if not isinstance(priors, Mapping) or kind not in priors:
        return []
    out = []
    for n, film in enumerate(films):
        _, content = prepared(film.values)
        w, h = content.x1 - content.x0, content.y1 - content.y0
        for x0, y0, x1, y1, score in priors[kind]:
            box = Box(n, (content.x0 + x0 * w, content.y0 + y0 * h, content.x0 + x1 * w, content.y0 + y1 * h), score)
            out.append(replace(box))
    return out
