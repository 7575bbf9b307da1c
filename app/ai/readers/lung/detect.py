"""Candidates sorted by the network: a first look at all, a second at the best from several mirrored sides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.ai.reader_api import Networks
from app.ai.readers.lung.candidates import Candidates, LungField, find_candidates
from app.ai.readers.lung.cubes import cubes

Triple = tuple[float, float, float]
BATCH = 48
SECOND_LOOK = 48
MIRRORS = ((), (4,), (3,), (2,), (3, 4), (2, 3, 4))


@dataclass(frozen=True, eq=False)
class Detections:
    """``kji`` (n, 3) source indices, ``score`` (n,) raw output, best first; the rest as for candidates."""

    kji: npt.NDArray[np.float64]
    score: npt.NDArray[np.float64]
    sigma_mm: npt.NDArray[np.float64]
    side: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.score)


def detect(
    voxels: npt.NDArray[np.generic],
    spacing_mm: Triple,
    field: LungField,
    nets: Networks,
    step: Callable[[float], None] = lambda _: None,
    candidates: Candidates | None = None,
) -> Detections:
    """Every candidate once, the nearest of a neighbourhood kept. ``step(share)`` is called between batches and may raise.

    ``candidates``: those of ``field``, where they are at hand already.
    """
    found = find_candidates(field) if candidates is None else candidates
    step(0.2)
    if not len(found):
        return Detections(np.zeros((0, 3)), np.zeros(0), np.zeros(0), np.zeros(0, np.int64))
    scores = np.empty(len(found))
    for first in range(0, len(found), BATCH):
        part = slice(first, first + BATCH)
        scores[part] = nets.run("lung_candidate", cubes(voxels, spacing_mm, found.kji[part]))[:, 0]
        step(0.2 + 0.6 * min(1.0, (first + BATCH) / len(found)))
    order = np.argsort(-scores, kind="stable")
    kept = _apart(found, scores, order, spacing_mm)
    best = kept[:SECOND_LOOK]
    for first in range(0, len(best), 8):
        index = best[first : first + 8]
        base = cubes(voxels, spacing_mm, found.kji[index])
        looks = np.concatenate([np.ascontiguousarray(np.flip(base, m) if m else base) for m in MIRRORS])
        scores[index] = nets.run("lung_candidate", looks)[:, 0].reshape(len(MIRRORS), -1).mean(0)
        step(0.8 + 0.2 * min(1.0, (first + 8) / len(best)))
    # What was not looked at twice never overtakes what was.
    floor = float(scores[best].min()) if len(best) else 0.0
    scores[kept[SECOND_LOOK:]] = np.minimum(scores[kept[SECOND_LOOK:]], floor)
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    return Detections(found.kji[kept], scores[kept], found.sigma_mm[kept], found.side[kept])


def _apart(
    found: Candidates, scores: npt.NDArray[np.float64], order: npt.NDArray[np.int64], spacing_mm: Triple
) -> npt.NDArray[np.int64]:
    """Best of every neighbourhood of 5 mm, or of the blob's own size for large ones."""
    mm = found.kji * np.asarray(spacing_mm)
    kept: list[int] = []
    for n in order:
        if kept:
            gap = np.linalg.norm(mm[kept] - mm[n], axis=1)
            reach = np.maximum(5.0, 1.9 * np.maximum(found.sigma_mm[kept], found.sigma_mm[n]))
            if (gap < reach).any():
                continue
        kept.append(int(n))
    return np.asarray(kept, np.int64)
