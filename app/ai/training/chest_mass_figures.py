"""Joins the two looks for a mass, the film's numbers and the network, and tells what each is worth on the same films."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from app.ai.training.nih import LabelledChest
from app.ai.training.place_net import logistic
from app.domain.scoring import Interval, auc, bootstrap, paired_bootstrap

Doubles = npt.NDArray[np.float64]
RIDGE = 20.0
ROUNDS = 1000


def joined_weights(numbers: Doubles, level: Doubles, truth: npt.NDArray[np.bool_]) -> dict[str, object]:
    """Half of each, measured in its own spread over the films; the slope and the bias make log odds of it."""
    scale = np.asarray([0.5 / max(float(numbers.std()), 1e-6), 0.5 / max(float(level.std()), 1e-6)])
    fitted = logistic((np.stack([numbers, level], 1) @ scale)[:, None], truth, RIDGE)
    slope = float(fitted.weights[0] * fitted.scale[0])
    bias = fitted.bias - slope * float(fitted.centre[0])
    return {"weights": [round(float(v), 6) for v in slope * scale], "bias": round(bias, 6)}


def joined_log_odds(weights: dict[str, object], numbers: Doubles, level: Doubles) -> Doubles:
    both = np.stack([numbers, level], 1)
    return np.asarray(both @ np.asarray(weights["weights"], float) + float(str(weights["bias"])))


def mass_parts(films: Sequence[LabelledChest], numbers: Doubles, level: Doubles, joined: Doubles) -> dict[str, list[float]]:
    """AUC of both parts alone, the gain over the numbers on the same films, and against films by what else they show."""
    truth = np.asarray([f.mass for f in films], bool)
    patients = np.asarray([f.patient for f in films])
    other = np.asarray([bool(f.findings - {"Mass", "No_Finding"}) for f in films])

    def against(score: Doubles, use: npt.NDArray[np.bool_]) -> Interval:
        t, s = truth[use], score[use]
        return bootstrap(lambda i: auc(t[i], s[i]), patients[use].tolist(), ROUNDS)

    everything = np.ones(len(films), bool)
    gain = paired_bootstrap(
        lambda i: auc(truth[i], joined[i]), lambda i: auc(truth[i], numbers[i]), patients.tolist(), ROUNDS
    )
    found = {
        "numbers_alone": against(numbers, everything),
        "network_alone": against(level, everything),
        "gain_over_numbers": gain,
        "against_no_finding": against(joined, truth | ~other),
        "against_other_findings": against(joined, truth | other),
    }
    for view in ("PA", "AP"):
        own = np.asarray([f.view == view for f in films])
        if truth[own].any():
            found[f"view_{view}"] = against(joined, own)
            found[f"numbers_alone_view_{view}"] = against(numbers, own)
    return {key: [round(v.value, 4), round(v.low, 4), round(v.high, 4)] for key, v in found.items()}
