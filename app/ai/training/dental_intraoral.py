"""Trains and packs the intra-oral reader: ``python -m app.ai.training.dental_intraoral --out FILE.ekmodel``.

Everything is generated (``samples.intraoral``), seeds are fixed. Each stage keeps its result in ``--work``:

1. *train*: the network of points;
2. *choose*: thresholds (one false mark in two films, of each kind) and calibration on validation films;
3. *figures*: the evaluation on held-out films, for the card;
4. *package*: weights, card, calibration and golden case, signed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from app.ai.engines.torch_engine import golden_cases, load_module, module_arrays
from app.ai.package import Limits, NetworkSpec, PackageParts, build_package
from app.ai.readers.dental.intraoral import NETWORK, POINTS, SIDE, maps_of, placed, read_maps
from app.ai.training.card_figures import metrics_of
from app.ai.training.dental_intraoral_card import VERSION, intraoral_card
from app.ai.training.evaluation.dental_intraoral import GENERATED, KINDS, Counts, count, generated
from app.ai.training.intraoral_net import VALIDATION_SEEDS, WIDTHS, Settings, training_films
from app.ai.training.intraoral_net import train as train_net
from app.ai.training.lung_ct import PlainNetworks
from app.ai.weights_file import Arrays, read_tensors, write_tensors
from app.domain.model_card import CalibrationBand, Metric

if TYPE_CHECKING:
    import torch

PACKAGE_ID = "org.ekinshi.dental_intraoral"
NETWORKS = {NETWORK: NetworkSpec("film_detector_v1", {"classes": len(POINTS), "widths": list(WIDTHS)}, (1, SIDE, SIDE))}
STAGES = ("train", "choose", "figures", "package")
COMMAND = "python -m app.ai.training.evaluate dental_intraoral --data generated --json"
KEYS = (
    "bone_within_05", "bone_found", "bone_error_median_mm", "percent_error_median",
    "sensitivity_at_1", "sensitivity_at_1_caries", "sensitivity_at_1_periapical",
)  # fmt: skip
DATA = "generated held-out films"
BANDS = (0.5, 0.8)


def load(work: Path) -> torch.nn.Module:
    return load_module(NETWORKS[NETWORK], read_tensors((work / "network.safetensors").read_bytes()))


def train(work: Path, threads: int) -> None:
    def keep(net: torch.nn.Module) -> None:
        (work / "network.safetensors").write_bytes(write_tensors(module_arrays(net, half=False)))

    keep(train_net(training_films(), Settings(threads=threads), keep))


def choose(work: Path) -> None:
    nets = PlainNetworks({NETWORK: load(work)})
    counts = Counts()
    films = generated(VALIDATION_SEEDS)
    for film in films:
        square, placing = placed(film.values, film.pixel_mm)
        count(film, read_maps(maps_of(square, nets), placing), counts)
    (work / "chosen.json").write_text(json.dumps(chosen_on(counts), indent=1), encoding="utf-8")


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

    chosen = json.loads((work / "chosen.json").read_text(encoding="utf-8"))
    arrays: dict[str, Arrays] = {NETWORK: module_arrays(load(work))}
    card = intraoral_card(
        [Metric(**m) for m in metrics.get("metrics", [])],
        [CalibrationBand(**b) for b in chosen["calibration_bands"]],
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


def figures(work: Path, threads: int) -> None:
    from app.ai.training import evaluate

    draft = work / "draft.ekmodel"
    draft.write_bytes(package(work, {}))
    result = evaluate.run("dental_intraoral", Path(GENERATED), "test", draft, threads)
    (work / "test.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    metrics = metrics_of(result, KEYS, DATA, COMMAND)
    (work / "figures.json").write_text(json.dumps({"metrics": [m.__dict__ for m in metrics]}, indent=1), encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.ai.training.dental_intraoral")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("build/dental_intraoral"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, help="measured time on two cores of the film named in docs/evaluation")
    parser.add_argument("--stages", nargs="*", choices=STAGES, default=list(STAGES))
    given = parser.parse_args(arguments)
    given.work.mkdir(parents=True, exist_ok=True)
    if "train" in given.stages:
        train(given.work, given.threads)
    if "choose" in given.stages:
        choose(given.work)
    if "figures" in given.stages:
        figures(given.work, given.threads)
    if "package" in given.stages:
        known = given.work / "figures.json"
        metrics = json.loads(known.read_text(encoding="utf-8")) if known.exists() else {}
        given.out.write_bytes(package(given.work, {**metrics, "seconds": given.seconds}))
        print(f"{given.out}: version {VERSION}, {given.out.stat().st_size / 2**20:.2f} MiB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
