"""Tried and not shipped: ``python -m app.ai.training.head_refine --data DIR --work DIR [--only-compare]``.

Goes on from the trained network (``network.safetensors`` of the working folder) with the empty slices that it takes for
bleeding ones and with blood in place of fluid, then compares the two on the validation scans: one look each, the outline's
threshold and smoothing chosen for each as well as these scans allow, Dice on the network's grid. NEW - OLD with its 95 %
interval (paired bootstrap by scan): a network ships when the lower end is above 0.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.ai.engines.torch_engine import TorchEngine
from app.ai.readers.head.segment import NETWORK, outlines, slice_scores
from app.ai.training import head_net
from app.ai.training.head_ct import LABELLED, NETWORKS
from app.ai.training.head_figures import Found, maps_of, truth_on_grid
from app.ai.training.head_set import load_scans
from app.ai.training.stages import NETWORK_FILE, load_network, save_network
from app.domain.scoring import auc, paired_bootstrap

REFINED = "refined.safetensors"
SETTINGS = head_net.Settings(320, 5, 3, 6, rate=5e-4, seed=6, fluid=True, mistakes=True, mean_keeps=0.99)
THRESHOLDS = (0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
Table = npt.NDArray[np.float64]
"""By slice: scan, pixels of outline and mask together, of the outline, of the mask."""


class _OneNetwork:
    def __init__(self, work: Path, name: str) -> None:
        self._engine = TorchEngine(load_network(work, NETWORKS[NETWORK], name), bf16=True)

    def run(self, name: str, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return self._engine.run(batch)


def pooled(t: Table, i: npt.NDArray[np.int64]) -> float:
    return float(2 * t[i, 1].sum() / max(1.0, t[i, 2].sum() + t[i, 3].sum()))


def by_slice(t: Table, i: npt.NDArray[np.int64]) -> float:
    bleeding = t[i][t[i, 3] > 0]
    return float((2 * bleeding[:, 1] / (bleeding[:, 2] + bleeding[:, 3])).mean()) if len(bleeding) else float("nan")


def best_table(found: Found) -> Table:
    """With the threshold and the smoothing that give the best sum of both Dice figures."""
    truths = [truth_on_grid(scan) for scan, _ in found]
    best, chosen = -1.0, np.zeros((0, 4))
    for threshold, smoothing in itertools.product(THRESHOLDS, (0.0, 0.3)):
        part = {"mask_threshold": threshold, "mask_smoothing": smoothing, "speck_pixels": 20}
        rows = []
        for n, ((scan, m), truth) in enumerate(zip(found, truths, strict=True)):
            masks = outlines(m, scan.around(), part)
            sums = [(a & b).sum() for a, b in zip(masks, truth, strict=True)]
            rows += [(n, both, a.sum(), b.sum()) for both, a, b in zip(sums, masks, truth, strict=True)]
        table = np.asarray(rows, np.float64)
        every = np.arange(len(table))
        value = pooled(table, every) + by_slice(table, every)
        if value > best:
            best, chosen = value, table
    return chosen


def slice_auc(found: Found) -> float:
    part = {"whole_weight": 0.0, "score_smoothing": 0.6}
    scores = np.concatenate([slice_scores(m, scan.around(), part) for scan, m in found])
    return auc(np.concatenate([scan.bleed for scan, _ in found]), scores)


def compared(new: Table, old: Table) -> dict[str, Any]:
    figures: Sequence[tuple[str, Callable[..., float]]] = (("dice_pooled", pooled), ("dice_slice", by_slice))
    every, out = np.arange(len(new)), {}
    for name, figure in figures:
        gain = paired_bootstrap(partial(figure, new), partial(figure, old), new[:, 0].tolist())
        out[name] = {
            "new": round(figure(new, every), 4),
            "old": round(figure(old, every), 4),
            "gain": [round(float(v), 4) for v in (gain.value, gain.low, gain.high)],
        }
    return out


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.ai.training.head_refine")
    parser.add_argument("--data", type=Path, required=True, help="the folder of the shared data")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only-compare", action="store_true")
    given = parser.parse_args(arguments)
    if not given.only_compare:
        keep = partial(save_network, given.work, name=REFINED)
        start = load_network(given.work, NETWORKS[NETWORK])
        keep(head_net.train(load_scans(given.data / LABELLED, "train"), SETTINGS, keep, start))
    scans = load_scans(given.data / LABELLED, "val")
    new, old = (maps_of(scans, _OneNetwork(given.work, name), 1) for name in (REFINED, NETWORK_FILE))
    areas = {"new": round(slice_auc(new), 4), "old": round(slice_auc(old), 4)}
    print(json.dumps({"scans": len(scans), **compared(best_table(new), best_table(old)), "slice_auc": areas}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
