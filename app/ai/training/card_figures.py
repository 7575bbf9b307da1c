"""Figures for a card: metrics as the evaluation prints them, bands of marks counted, a table from score to probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from app.domain.model_card import CalibrationBand, Metric
from app.domain.scoring import isotonic, reliability


def metrics_of(result: Mapping[str, Any], keys: Sequence[str], data: str, command: str) -> list[Metric]:
    """``key`` or ``key/part`` (of an object) with its interval; figures that are null are left out."""
    out = []
    for key in keys:
        name, _, part = key.partition("/")
        value, interval = result.get(name), result.get(f"{name}_ci")
        if part:
            value, interval = (value or {}).get(part), (interval or {}).get(part)
        if value is None or interval is None:
            continue
        label = f"{name}_{part.lower().replace(' ', '_')}" if part else name
        out.append(Metric(label, float(value), float(interval[0]), float(interval[1]), int(result["n"]), data, command))
    return out


def bands_of(
    probability: Sequence[float],
    true: Sequence[bool],
    edges: Sequence[float],
    data: str,
    *,
    shown_from: float = 0.0,
    kind: str = "",
) -> list[CalibrationBand]:
    """Marks counted by probability. Those below ``shown_from`` never stand on a screen and would dilute the lowest band."""
    above = [e for e in edges if e > shown_from + 1e-9]
    p, y = np.asarray(probability, float), np.asarray(true, bool)
    seen = p >= shown_from
    rows = reliability(y[seen], p[seen], (shown_from, *above))
    return [CalibrationBand(round(low, 4), high, n, hits, data, kind) for low, high, n, hits in rows if n]


def table_of(score: Sequence[float], true: Sequence[bool], weight_of_prior: float = 2.0) -> dict[str, list[float]]:
    """Rising knots (score, probability). Two made-up marks, one of each kind, at the middle keep small sets from certainty.

    The knots of pool-adjacent-violators are pulled to the share of true marks by ``weight_of_prior`` marks of a block.
    """
    s, y = np.asarray(score, float), np.asarray(true, bool)
    if len(s) < 4 or y.all() or not y.any():
        return {"score": [0.0, 1.0], "probability": [0.0, float(y.mean()) if len(y) else 1.0]}
    knots, level = isotonic(s, y)
    share = float(y.mean())
    table: list[tuple[float, float]] = []
    for at in np.unique(knots):
        raw = float(level[knots == at].max())
        near = int((np.abs(np.interp(s, knots, level) - raw) < 1e-9).sum())
        table.append((float(at), (raw * near + share * weight_of_prior) / (near + weight_of_prior)))
    values = np.maximum.accumulate([p for _, p in table])
    first = [(0.0, 0.0)] if table[0][0] > 0 else []
    points = first + [(k, float(v)) for (k, _), v in zip(table, values, strict=True)]
    return {"score": [round(a, 5) for a, _ in points], "probability": [round(min(b, 0.99), 4) for _, b in points]}
