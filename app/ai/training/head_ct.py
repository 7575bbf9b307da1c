"""Trains and packs the head reader: ``python -m app.ai.training.head_ct --data DIR --out resources/models/head_ct.ekmodel``.

DIR is the folder of the shared data (``labelled/head-ct-ich``). Seeds are fixed. Each stage keeps its result in ``--work``:

1. *train*: the network, on the train scans;
2. *choose*: thresholds and calibration, on the validation scans;
3. *figures*: the evaluation on the test scans, for the card;
4. *package*: weights, card, calibration and golden case, signed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from app.ai.engines.torch_engine import golden_cases, module_arrays
from app.ai.package import Limits, NetworkSpec, PackageParts, build_package
from app.ai.readers.head.frame import COLUMNS, ROWS
from app.ai.readers.head.planes import CHANNELS
from app.ai.readers.head.segment import NETWORK
from app.ai.training.head_card import CARD, SHOWN_FROM
from app.ai.training.stages import Given, OneNetworkReader, PlainNetworks, load_network, read_json, save_network, write_json
from app.ai.weights_file import Arrays
from app.domain.model_card import CalibrationBand, Metric

PACKAGE_ID = "org.ekinshi.head_ct"
NETWORKS = {NETWORK: NetworkSpec("plane_unet_v1", {"widths": [32, 48, 80, 112, 144]}, (CHANNELS, ROWS, COLUMNS))}
LABELLED = Path("labelled/head-ct-ich")
COMMAND = "python -m app.ai.training.evaluate head_ct --data DIR/labelled/head-ct-ich --split test --json"
KEYS = ("slice_auc", "dice_pooled", "dice_slice", "volume_r", "brain_area_auc", "bright_pixels_auc", "gain_over_area")


def train(given: Given) -> None:
    from app.ai.training import head_net
    from app.ai.training.head_set import load_scans

    keep = partial(save_network, given.work)
    scans = load_scans(given.data / LABELLED, "train")
    keep(head_net.train(scans, head_net.Settings(threads=given.threads), keep))


def choose(given: Given) -> None:
    from app.ai.training.head_figures import figures_of
    from app.ai.training.head_set import load_scans

    scans = load_scans(given.data / LABELLED, "val")
    nets = PlainNetworks({NETWORK: load_network(given.work, NETWORKS[NETWORK])})
    chosen = figures_of(scans, nets, "CT-ICH, validation scans")
    write_json(given.work / "chosen.json", chosen)


def parameters(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """``pipeline.json``."""
    return {"bands": [0.28, 0.45], **chosen.get("parameters", {})}


def package(work: Path, metrics: Mapping[str, Any]) -> bytes:
    from app.ai.training.signing_key import private_key

    chosen = read_json(work / "chosen.json")
    arrays: dict[str, Arrays] = {NETWORK: module_arrays(load_network(work, NETWORKS[NETWORK]))}
    card = CARD.with_figures(
        [Metric(**m) for m in metrics.get("metrics", [])],
        [CalibrationBand(**b) for b in chosen.get("calibration_bands", [])],
        SHOWN_FROM,
        f"marks with a calibrated probability of {SHOWN_FROM} and more",
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


READER = OneNetworkReader(
    "head_ct",
    CARD.version,
    {"train": train, "choose": choose},
    package,
    LABELLED,
    KEYS,
    "CT-ICH, test scans",
    COMMAND,
)


if __name__ == "__main__":
    raise SystemExit(READER.main())
