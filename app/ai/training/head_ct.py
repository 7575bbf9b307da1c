"""Trains and packs the head reader: ``python -m app.ai.training.head_ct --data DIR --out resources/models/head_ct.ekmodel``.

DIR is the folder of the shared data (``labelled/head-ct-ich``). Seeds are fixed. Each stage keeps its result in ``--work``:

1. *train*: the network, on the train scans;
2. *choose*: thresholds and calibration, on the validation scans;
3. *figures*: the evaluation on the test scans, for the card;
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
from app.ai.readers.head.frame import COLUMNS, ROWS
from app.ai.readers.head.planes import CHANNELS
from app.ai.readers.head.segment import NETWORK
from app.ai.training.card_figures import metrics_of
from app.ai.training.head_card import VERSION, head_card
from app.ai.training.lung_ct import PlainNetworks
from app.ai.weights_file import Arrays, read_tensors, write_tensors
from app.domain.model_card import CalibrationBand, Metric

if TYPE_CHECKING:
    import torch

PACKAGE_ID = "org.ekinshi.head_ct"
NETWORKS = {NETWORK: NetworkSpec("plane_unet_v1", {"widths": [32, 48, 80, 112, 144]}, (CHANNELS, ROWS, COLUMNS))}
STAGES = ("train", "choose", "figures", "package")
LABELLED = Path("labelled/head-ct-ich")
COMMAND = "python -m app.ai.training.evaluate head_ct --data DIR/labelled/head-ct-ich --split test --json"
KEYS = ("slice_auc", "dice_pooled", "dice_slice", "volume_r", "brain_area_auc", "bright_pixels_auc", "gain_over_area")


def load(work: Path) -> torch.nn.Module:
    return load_module(NETWORKS[NETWORK], read_tensors((work / "network.safetensors").read_bytes()))


def train(data: Path, work: Path, threads: int) -> None:
    from app.ai.training import head_net
    from app.ai.training.head_set import load_scans

    def keep(net: torch.nn.Module) -> None:
        (work / "network.safetensors").write_bytes(write_tensors(module_arrays(net, half=False)))

    scans = load_scans(data / LABELLED, "train")
    keep(head_net.train(scans, head_net.Settings(threads=threads), keep))


def choose(data: Path, work: Path) -> None:
    from app.ai.training.head_figures import figures_of
    from app.ai.training.head_set import load_scans

    scans = load_scans(data / LABELLED, "val")
    chosen = figures_of(scans, PlainNetworks({NETWORK: load(work)}), "CT-ICH, validation scans")
    (work / "chosen.json").write_text(json.dumps(chosen, indent=1), encoding="utf-8")


def parameters(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """``pipeline.json``."""
    return {"bands": [0.28, 0.45], **chosen.get("parameters", {})}


def package(work: Path, metrics: Mapping[str, Any]) -> bytes:
    from app.ai.training.signing_key import private_key

    known = work / "chosen.json"
    chosen: dict[str, Any] = json.loads(known.read_text(encoding="utf-8")) if known.exists() else {}
    arrays: dict[str, Arrays] = {NETWORK: module_arrays(load(work))}
    card = head_card(
        [Metric(**m) for m in metrics.get("metrics", [])],
        [CalibrationBand(**b) for b in chosen.get("calibration_bands", [])],
        float(metrics.get("threshold", 0.25)),
        "marks with a calibrated probability of 0.25 and more",
        metrics.get("seconds"),
    )
    parts = PackageParts(
        PACKAGE_ID,
        card,
        parameters(chosen),
        NETWORKS,
        arrays,
        chosen.get("calibration"),
        golden_cases(NETWORKS, arrays),
        Limits(ram_mb=2500),
        "Ekinshi developers",
    )
    return build_package(parts, private_key())


def figures(data: Path, work: Path) -> None:
    """Runs the evaluation with a package of the same weights that has no figures yet."""
    from app.ai.training import evaluate

    draft = work / "draft.ekmodel"
    draft.write_bytes(package(work, {}))
    result = evaluate.run("head_ct", data / LABELLED, "test", draft)
    (work / "test.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    metrics = metrics_of(result, KEYS, "CT-ICH, test scans", COMMAND)
    (work / "figures.json").write_text(json.dumps({"metrics": [m.__dict__ for m in metrics]}, indent=1), encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.ai.training.head_ct")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("build/head_ct"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, help="measured time on two cores of the study named in docs/evaluation")
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
