"""Trains and packs the panoramic reader: ``python -m app.ai.training.dental_panoramic --data DIR --out FILE.ekmodel``.

DIR is the folder of the shared data (``labelled/dental-panoramic``). Seeds are fixed. Each stage keeps its result in
``--work``:

1. *train*: the detector, on the train films;
2. *choose*: thresholds and calibration on the validation films, the baseline's boxes on the train films;
3. *figures*: the evaluation on the test films, for the card;
4. *package*: weights, card, calibration and golden case, signed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.ai.engines.torch_engine import golden_cases, load_module, module_arrays
from app.ai.package import Limits, NetworkSpec, PackageParts, build_package
from app.ai.readers.dental.boxes import CLASSES, NETWORK, answer, decode
from app.ai.readers.dental.film import SIDE, prepared
from app.ai.training.card_figures import metrics_of
from app.ai.training.dental_card import VERSION, dental_card
from app.ai.training.lung_ct import PlainNetworks
from app.ai.weights_file import Arrays, read_tensors, write_tensors
from app.domain.model_card import CalibrationBand, Metric

if TYPE_CHECKING:
    import torch

PACKAGE_ID = "org.ekinshi.dental_panoramic"
NETWORKS = {
    NETWORK: NetworkSpec("film_detector_v1", {"classes": len(CLASSES), "widths": [16, 48, 80, 112, 144]}, (1, SIDE, SIDE))
}
STAGES = ("train", "choose", "figures", "package")
LABELLED = Path("labelled/dental-panoramic")
COMMAND = "python -m app.ai.training.evaluate dental_panoramic --data DIR/labelled/dental-panoramic --split test --json"
KEYS = (*(f"ap50/{kind}" for kind in CLASSES), *(f"film_auc_{kind.lower().replace(' ', '_')}" for kind in CLASSES))


def load(work: Path) -> torch.nn.Module:
    return load_module(NETWORKS[NETWORK], read_tensors((work / "network.safetensors").read_bytes()))


def train(data: Path, work: Path, threads: int) -> None:
    from app.ai.training import dental_net
    from app.ai.training.dental_set import load_films

    def keep(net: torch.nn.Module) -> None:
        (work / "network.safetensors").write_bytes(write_tensors(module_arrays(net, half=False)))

    films = load_films(data / LABELLED, "train")
    keep(dental_net.train(films, dental_net.Settings(threads=threads), keep))


def choose(data: Path, work: Path) -> None:
    from app.ai.training.dental_figures import chosen_on, priors_of
    from app.ai.training.dental_set import load_films

    nets = PlainNetworks({NETWORK: load(work)})
    films = load_films(data / LABELLED, "val")
    found = []
    for film in films:
        square, content = prepared(film.values)
        found.append(decode(answer(square, nets), content))
    chosen = chosen_on(films, found, "dental-panoramic, validation films")
    chosen["parameters"]["prior_boxes"] = priors_of(load_films(data / LABELLED, "train"))
    (work / "chosen.json").write_text(json.dumps(chosen, indent=1), encoding="utf-8")


def package(work: Path, metrics: Mapping[str, Any]) -> bytes:
    from app.ai.training.signing_key import private_key

    known = work / "chosen.json"
    chosen: dict[str, Any] = json.loads(known.read_text(encoding="utf-8")) if known.exists() else {}
    arrays: dict[str, Arrays] = {NETWORK: module_arrays(load(work))}
    card = dental_card(
        [Metric(**m) for m in metrics.get("metrics", [])],
        [CalibrationBand(**b) for b in chosen.get("calibration_bands", [])],
        0.5,
        "for each kind the calibrated probability with the best balance on the validation films",
        metrics.get("seconds"),
    )
    parts = PackageParts(
        PACKAGE_ID,
        card,
        {"bands": [0.5, 0.8], **chosen.get("parameters", {})},
        NETWORKS,
        arrays,
        chosen.get("calibration"),
        golden_cases(NETWORKS, arrays),
        Limits(ram_mb=1500),
        "Ekinshi developers",
    )
    return build_package(parts, private_key())


def figures(data: Path, work: Path) -> None:
    """Runs the evaluation with a package of the same weights that has no figures yet."""
    from app.ai.training import evaluate

    draft = work / "draft.ekmodel"
    draft.write_bytes(package(work, {}))
    result = evaluate.run("dental_panoramic", data / LABELLED, "test", draft)
    (work / "test.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    metrics = metrics_of(result, KEYS, "dental-panoramic, test films", COMMAND)
    (work / "figures.json").write_text(json.dumps({"metrics": [m.__dict__ for m in metrics]}, indent=1), encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.ai.training.dental_panoramic")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("build/dental_panoramic"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, help="measured time on two cores of the film named in docs/evaluation")
    parser.add_argument("--stages", nargs="*", choices=STAGES, default=list(STAGES))
    given = parser.parse_args(arguments)
    given.work.mkdir(parents=True, exist_ok=True)
    if "train" in given.stages:
        train(given.data, given.work, given.threads)
    if "choose" in given.stages:
        choose(given.data, given.work)
    if "figures" in given.stages:
        figures(given.data, given.work)
    if "package" in given.stages:
        known = given.work / "figures.json"
        metrics = json.loads(known.read_text(encoding="utf-8")) if known.exists() else {}
        given.out.write_bytes(package(given.work, {**metrics, "seconds": given.seconds}))
        print(f"{given.out}: version {VERSION}, {given.out.stat().st_size / 2**20:.2f} MiB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
