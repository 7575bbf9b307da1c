"""Trains and packs the intra-oral reader: ``python -m app.ai.training.dental_intraoral --out FILE.ekmodel``.

Everything is generated (``samples.intraoral``), seeds are fixed. Each stage keeps its result in ``--work``:

1. *train*: the network of points;
2. *choose*: thresholds (one false mark in two films, of each kind) and calibration on validation films;
3. *figures*: the evaluation on held-out films, for the card;
4. *package*: weights, card, calibration and golden case, signed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from app.ai.engines.torch_engine import golden_cases, module_arrays
from app.ai.package import Limits, NetworkSpec, PackageParts, build_package
from app.ai.readers.dental.intraoral import NETWORK, POINTS, SIDE, maps_of, placed, read_maps
from app.ai.training.dental_intraoral_card import CARD, OPERATING_POINT
from app.ai.training.evaluation.dental_intraoral import GENERATED, KINDS, Counts, count, generated
from app.ai.training.intraoral_net import VALIDATION_SEEDS, WIDTHS, Settings, training_films
from app.ai.training.intraoral_net import train as train_net
from app.ai.training.stages import Given, OneNetworkReader, PlainNetworks, load_network, read_json, save_network, write_json
from app.ai.weights_file import Arrays
from app.domain.model_card import CalibrationBand, Metric

PACKAGE_ID = "org.ekinshi.dental_intraoral"
NETWORKS = {NETWORK: NetworkSpec("film_detector_v1", {"classes": len(POINTS), "widths": list(WIDTHS)}, (1, SIDE, SIDE))}
COMMAND = "python -m app.ai.training.evaluate dental_intraoral --data generated --json"
KEYS = (
    "bone_within_05", "bone_found", "bone_error_median_mm", "percent_error_median",
    "sensitivity_at_1", "sensitivity_at_1_caries", "sensitivity_at_1_periapical",
)  # fmt: skip
DATA = "generated held-out films"
BANDS = (0.5, 0.8)


def train(given: Given) -> None:
    keep = partial(save_network, given.work)
    keep(train_net(training_films(), Settings(threads=given.threads), keep))


def choose(given: Given) -> None:
    nets = PlainNetworks({NETWORK: load_network(given.work, NETWORKS[NETWORK])})
    counts = Counts()
    films = generated(VALIDATION_SEEDS)
    for film in films:
        square, placing = placed(film.values, film.pixel_mm)
        count(film, read_maps(maps_of(square, nets), placing), counts)
    write_json(given.work / "chosen.json", chosen_on(counts))


def chosen_on(counts: Counts) -> dict[str, Any]:
    """Threshold of each kind at one false mark in two films; probability by score from neighbouring marks."""
    thresholds, tables = {}, {}
    told: list[tuple[float, bool]] = []
    for kind in KINDS:
        marks = sorted((s, hit >= 0) for film in counts.marks for k, s, hit in film if k == kind)
        false = sorted((s for s, hit in marks if not hit), reverse=True)
        allowed = len(counts.marks) // 2
        thresholds[kind] = round(float(false[allowed]) + 1e-4, 4) if len(false) > allowed else 0.05
        scores = np.array([s for s, _ in marks])
        true = np.array([hit for _, hit in marks], float)
        cuts = np.unique(np.quantile(scores, np.linspace(0, 1, 7))) if len(scores) else np.array([0.0, 1.0])
        rising, best = [], 0.0
        for low, high in zip(cuts[:-1], cuts[1:], strict=True):
            inside = (scores >= low) & (scores <= high)
            best = max(best, float((true[inside].sum() + 0.5) / (inside.sum() + 1)))
            rising.append(round(best, 4))
        tables[kind] = {"score": [round(float(c), 4) for c in (cuts[:-1] + cuts[1:]) / 2], "probability": rising}
        told += [(float(np.interp(s, tables[kind]["score"], rising)), hit) for s, hit in marks if s >= thresholds[kind]]
    bands = []
    for low, high in ((0.0, BANDS[0]), BANDS, (BANDS[1], 1.0)):
        inside = [hit for p, hit in told if low <= p < high or (high == 1.0 and p == 1.0)]
        bands.append({"low": low, "high": high, "n": len(inside), "true": sum(inside), "data": "generated films"})
    return {"thresholds": thresholds, "calibration": tables, "calibration_bands": bands}


def package(work: Path, metrics: Mapping[str, Any]) -> bytes:
    from app.ai.training.signing_key import private_key

    chosen = read_json(work / "chosen.json")
    arrays: dict[str, Arrays] = {NETWORK: module_arrays(load_network(work, NETWORKS[NETWORK]))}
    card = CARD.with_figures(
        [Metric(**m) for m in metrics.get("metrics", [])],
        [CalibrationBand(**b) for b in chosen["calibration_bands"]],
        0.5,
        OPERATING_POINT,
        metrics.get("seconds"),
    )
    parts = PackageParts(
        PACKAGE_ID,
        card,
        {"bands": list(BANDS), "thresholds": chosen["thresholds"]},
        NETWORKS,
        arrays,
        chosen["calibration"],
        golden_cases(NETWORKS, arrays),
        Limits(ram_mb=1200),
        "Ekinshi developers",
    )
    return build_package(parts, private_key())


READER = OneNetworkReader(
    "dental_intraoral",
    CARD.version,
    {"train": train, "choose": choose},
    package,
    Path(GENERATED),
    KEYS,
    DATA,
    COMMAND,
    needs_data=False,
)


if __name__ == "__main__":
    raise SystemExit(READER.main())
