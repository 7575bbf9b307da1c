"""Chest films: nodule and mass by film, each against all other films, and whether the highest mark lies in a box.

Labels are mined from reports and the boxes few: ``n_boxes`` stands beside ``localisation_hit_rate``. ``mass_shown_auc`` is
of the films on which the reader shows a score for a mass, ``mass_auc`` of all. Intervals: bootstrap by patient. Baseline on
the same films: the strongest blob of the lung fields (difference of Gaussians).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.ai.readers.chest.measure import NAMES
from app.ai.readers.chest.scope import scores_mass
from app.ai.readers.chest_xray import KINDS, FilmScored, film_log_odds, run_network, scored_film
from app.ai.training.evaluation.common import Figures, Opened
from app.ai.training.nih import LabelledChest, load_set, measured_set
from app.domain.scoring import Interval, auc, bootstrap, paired_bootstrap, roc

ROUNDS = 1000
BASELINE = "blob_4.7"


def in_box(result: FilmScored, film: LabelledChest) -> bool:
    if not result.marks:
        return False
    x, y = result.measured.field.to_film(result.marks[0].x, result.marks[0].y)
    return any(a <= x <= a + w and b <= y <= b + h for a, b, w, h in film.boxes)


def figures_of(
    films: Sequence[LabelledChest],
    results: Sequence[FilmScored],
    score: dict[str, npt.NDArray[np.float64]],
    rounds: int = ROUNDS,
) -> tuple[dict[str, Interval], dict[str, object], dict[str, object]]:
    """(values, more, curves); shared with the training's cross-validation."""
    patients = [f.patient for f in films]
    simple = []
    for result in results:
        values = result.measured.features[:, NAMES.index(BASELINE)]
        simple.append(float(values.max()) if len(values) else 0.0)
    blob = np.asarray(simple)
    values_of: dict[str, Interval] = {}
    curves: dict[str, object] = {}
    truths = {"nodule": [f.nodule for f in films], "mass": [f.mass for f in films]}
    for kind, listed in truths.items():
        truth, own = np.asarray(listed, bool), score[kind]
        values_of[f"{kind}_auc"] = bootstrap(lambda i, t=truth, s=own: auc(t[i], s[i]), patients, rounds)
        values_of[f"baseline_blob_{kind}_auc"] = bootstrap(lambda i, t=truth: auc(t[i], blob[i]), patients, rounds)
        values_of[f"{kind}_gain"] = paired_bootstrap(
            lambda i, t=truth, s=own: auc(t[i], s[i]), lambda i, t=truth: auc(t[i], blob[i]), patients, rounds
        )
        if truth.any() and not truth.all():
            curves[f"roc_{kind}"] = [a.tolist() for a in roc(truth, own)[:2]]
    own = np.asarray([n for n, f in enumerate(films) if scores_mass(f.view)], int)
    masses, of_mass = np.asarray(truths["mass"], bool)[own], score["mass"][own]
    values_of["mass_shown_auc"] = bootstrap(lambda i: auc(masses[i], of_mass[i]), [patients[n] for n in own], rounds)
    boxed = [n for n, f in enumerate(films) if f.boxes]
    if boxed:
        hit = np.asarray([in_box(results[n], films[n]) for n in boxed], float)
        values_of["localisation_hit_rate"] = bootstrap(lambda i: float(hit[i].mean()), [patients[n] for n in boxed], rounds)
    else:
        values_of["localisation_hit_rate"] = Interval(float("nan"), float("nan"), float("nan"), 0)
    more: dict[str, object] = {
        "n_nodule": int(np.sum(truths["nodule"])),
        "n_mass": int(np.sum(truths["mass"])),
        "n_mass_shown": int(masses.sum()),
        "n_boxes": len(boxed),
        "n_lung_not_found": sum(not all(r.measured.field.found) for r in results),
    }
    return values_of, more, curves


def evaluate(folder: Path, split: str, opened: Opened) -> Figures:
    films = load_set(folder, split)
    if not films:
        raise ValueError(f"no film of the split {split}")
    results = [scored_film(m, run_network(m, opened.nets)) for m in measured_set(films)]
    score = {kind: np.asarray([film_log_odds(kind, r, opened.nets, opened.parameters) for r in results]) for kind in KINDS}
    values, more, curves = figures_of(films, results, score)
    return Figures(values, len(films), more, curves)
