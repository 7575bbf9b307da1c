"""Lung nodules on cut volumes with a mask each: outline from a seed that is off, and malignancy beside the diameter.

The seed is the mask's centroid moved by up to 3 mm (fixed by ``SEED`` and the file's name). The image is mirrored at the
border of the cut, so that the border tells nothing of the nodule's extent. Dice and volume are counted in the cut.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.ai.readers.lung.malignancy import malignancy_of
from app.ai.readers.lung.outline import Outline, mask_of, outline
from app.ai.readers.lung.window import sample_mask, to_array
from app.ai.training.evaluation.common import Figures, Opened
from app.ai.training.lidc import Nodule, load_nodules
from app.domain.scoring import Interval, auc, bootstrap, dice, paired_bootstrap, roc

SEED = 20260301
SHIFT_MM = 3.0


def seed_of(nodule: Nodule) -> tuple[float, float, float]:
    """The centroid moved at random by up to 3 mm, evenly in the ball; the same for a file whatever else is in the folder."""
    rng = np.random.default_rng([SEED, zlib.crc32(nodule.file.encode())])
    direction = rng.normal(size=3)
    shift = direction / np.linalg.norm(direction) * SHIFT_MM * rng.random() ** (1 / 3)
    k, j, i = np.asarray(nodule.centroid) + shift / np.asarray(nodule.spacing_mm)
    return float(k), float(j), float(i)


def outlines_of(nodules: list[Nodule], opened: Opened) -> list[Outline]:
    mirrors = int(opened.parameters.get("mirrors", 8))
    return [outline(n.hu, [seed_of(n)], n.spacing_mm, opened.nets, mirrors)[0] for n in nodules]


def malignancies_of(nodules: list[Nodule], found: list[Outline], parameters: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    """The package's estimate of each nodule on its found outline, log odds."""
    threshold, told = float(parameters.get("mask_threshold", 0.5)), []
    for n, one in zip(nodules, found, strict=True):
        mask = mask_of(one, (n.hu.shape[0], n.hu.shape[1], n.hu.shape[2]), threshold)
        told.append(malignancy_of(n.hu, mask, n.spacing_mm, one.traits, parameters["malignancy"]))
    return np.asarray(told, np.float64)


def evaluate(folder: Path, split: str, opened: Opened) -> Figures:
    nodules = load_nodules(folder, split)
    found = outlines_of(nodules, opened)
    threshold = float(opened.parameters.get("mask_threshold", 0.5))
    overlap, error = _outlines(nodules, found, threshold)
    patients = [n.patient for n in nodules]
    free = np.asarray([not (n.mask[0].any() or n.mask[-1].any()) for n in nodules])

    def over(values: npt.NDArray[np.float64], statistic: str) -> Interval:
        how = np.median if statistic == "median" else np.mean
        return bootstrap(lambda i: float(how(values[i])), patients)

    values = {"dice": over(overlap, "mean"), "volume_error_median": over(error, "median")}
    more: dict[str, object] = {
        "dice_median": round(float(np.median(overlap)), 4),
        "dice_free_ends": round(float(overlap[free].mean()), 4) if free.any() else None,
        "n_free_ends": int(free.sum()),
        "ellipsoid_dice": round(float(np.mean([_ellipsoid_dice(n) for n in nodules])), 4),
        **_limits(nodules, found),
    }
    for name, low, high in (("below_6_mm", 0, 6), ("6_to_10_mm", 6, 10), ("10_mm_and_more", 10, 999)):
        here = np.asarray([low <= n.equivalent_diameter_mm < high for n in nodules])
        if here.any():
            more[f"dice_{name}"] = round(float(overlap[here].mean()), 4)
            more[f"n_{name}"] = int(here.sum())
    curves: dict[str, object] = {"dice": overlap.tolist(), "diameter": [n.equivalent_diameter_mm for n in nodules]}
    known = [i for i, n in enumerate(nodules) if n.malignant is not None]
    if known:
        y = np.asarray([nodules[i].malignant for i in known])
        score = malignancies_of([nodules[i] for i in known], [found[i] for i in known], opened.parameters)
        size = np.asarray([nodules[i].diameter_mm for i in known])
        size = np.where(np.isnan(size), [nodules[i].equivalent_diameter_mm for i in known], size)
        group = [patients[i] for i in known]
        values["malignancy_auc"] = bootstrap(lambda i: auc(y[i], score[i]), group)
        values["diameter_auc"] = bootstrap(lambda i: auc(y[i], size[i]), group)
        values["malignancy_gain"] = paired_bootstrap(lambda i: auc(y[i], score[i]), lambda i: auc(y[i], size[i]), group)
        more["n_malignancy"] = len(known)
        told = 1 / (1 + np.exp(-score))
        more["malignant_by_estimate"] = {  # [nodules, of them malignant]
            f"{a:g} to {b:g}": [int(((told >= a) & (told < b)).sum()), int(y[(told >= a) & (told < b)].sum())]
            for a, b in ((0.0, 0.1), (0.1, 0.3), (0.3, 0.7), (0.7, 0.9), (0.9, 1.0))
        }
        measured = np.asarray([found[i].diameter_mm for i in known])
        more["measured_diameter_auc"] = round(auc(y, measured), 4)
        curves["roc"] = {
            "estimate (network and measures)": [a.tolist() for a in roc(y, score)[:2]],
            "diameter": [a.tolist() for a in roc(y, size)[:2]],
        }
    return Figures(values, len(nodules), more, curves)


def _outlines(
    nodules: list[Nodule], found: list[Outline], threshold: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    overlap, error = [], []
    for nodule, one in zip(nodules, found, strict=True):
        shape = (nodule.mask.shape[0], nodule.mask.shape[1], nodule.mask.shape[2])
        mask = mask_of(one, shape, threshold)
        overlap.append(dice(mask, nodule.mask))
        error.append(abs(float(mask.sum()) - float(nodule.mask.sum())) / float(nodule.mask.sum()))
    return np.asarray(overlap), np.asarray(error)


def _limits(nodules: list[Nodule], found: list[Outline]) -> dict[str, object]:
    """What could be reached at most: the truth itself through the window, and the best threshold for each nodule apart."""
    grid, best = [], []
    for nodule, one in zip(nodules, found, strict=True):
        shape = (nodule.mask.shape[0], nodule.mask.shape[1], nodule.mask.shape[2])
        there = to_array(sample_mask(nodule.mask, one.window)[0], one.window, shape) >= 0.5
        grid.append(dice(there, nodule.mask))
        best.append(max(dice(mask_of(one, shape, t), nodule.mask) for t in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)))
    return {"dice_of_the_grid": round(float(np.mean(grid)), 4), "dice_best_thresholds": round(float(np.mean(best)), 4)}


def _ellipsoid_dice(nodule: Nodule) -> float:
    """The baseline without pixels: a ball of the annotated diameter at the same seed."""
    grid = np.meshgrid(*(np.arange(n) for n in nodule.mask.shape), indexing="ij")
    seed = seed_of(nodule)
    distance = sum(((g - c) * s) ** 2 for g, c, s in zip(grid, seed, nodule.spacing_mm, strict=True))
    radius = (nodule.equivalent_diameter_mm if math.isnan(nodule.diameter_mm) else nodule.diameter_mm) / 2
    return dice(np.asarray(distance) <= radius**2, nodule.mask)
