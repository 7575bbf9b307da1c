"""Trains and packs the head reader: ``python -m app.ai.training.head_ct --data DIR --out resources/models/head_ct.ekmodel``.

DIR is the folder of the shared data (``labelled/head-ct-ich``). Seeds are fixed. Each stage keeps its result in ``--work``:

1. *folds*: four networks, each trained without a fourth of the train and validation scans, and their maps of that fourth;
2. *choose*: thresholds and calibration, on these maps;
3. *train*: the network, on all train and validation scans;
4. *figures*: the evaluation on the test scans, for the card;
5. *package*: weights, card, calibration and golden case, signed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from app.ai.engines.torch_engine import golden_cases, module_arrays
from app.ai.package import Limits, NetworkSpec, PackageParts, build_package
from app.ai.readers.head.frame import COLUMNS, ROWS
from app.ai.readers.head.planes import CHANNELS
from app.ai.readers.head.segment import NETWORK
from app.ai.training.head_card import CARD, SHOWN_FROM
from app.ai.training.stages import Given, OneNetworkReader, PlainNetworks, load_network, read_json, save_network, write_json
from app.ai.weights_file import Arrays
from app.domain.model_card import CalibrationBand, Metric

if TYPE_CHECKING:
    from app.ai.training.head_set import HeadScan

PACKAGE_ID = "org.ekinshi.head_ct"
NETWORKS = {NETWORK: NetworkSpec("plane_unet_v1", {"widths": [32, 48, 80, 112, 144]}, (CHANNELS, ROWS, COLUMNS))}
LABELLED = Path("labelled/head-ct-ich")
COMMAND = "python -m app.ai.training.evaluate head_ct --data DIR/labelled/head-ct-ich --split test --json"
KEYS = ("slice_auc", "dice_pooled", "dice_slice", "volume_r", "brain_area_auc", "bright_pixels_auc", "gain_over_area")


FOLDS = 4
FOLD_STEPS = 1600
SEED = 4


def _known(given: Given) -> list[HeadScan]:
    from app.ai.training.head_set import load_scans

    return [scan for split in ("train", "val") for scan in load_scans(given.data / LABELLED, split)]


def folds_of(scans: Sequence[HeadScan]) -> dict[str, int]:
    """Scan to fold: bleeds of every size and sound scans in each."""
    rng = np.random.default_rng(0)
    bleeding = sorted((s for s in scans if s.masks.any()), key=lambda s: -int(s.masks.sum()))
    sound = [s for s in scans if not s.masks.any()]
    fold: dict[str, int] = {}
    for first in range(0, len(bleeding), FOLDS):
        fold |= {s.name: int(f) for s, f in zip(bleeding[first : first + FOLDS], rng.permutation(FOLDS), strict=False)}
    return fold | {sound[i].name: n % FOLDS for n, i in enumerate(rng.permutation(len(sound)))}


def folds(given: Given) -> None:
    from app.ai.training import head_net

    scans = _known(given)
    fold = folds_of(scans)
    for f in range(FOLDS):
        settings = head_net.Settings(steps=FOLD_STEPS, seed=SEED + 1 + f, threads=given.threads)
        save_network(
            given.work, head_net.train([s for s in scans if fold[s.name] != f], settings), f"without_{f}.safetensors"
        )


def choose(given: Given) -> None:
    from app.ai.training.head_figures import figures_of, maps_of

    scans = _known(given)
    fold = folds_of(scans)
    found = []
    for f in range(FOLDS):
        nets = PlainNetworks({NETWORK: load_network(given.work, NETWORKS[NETWORK], f"without_{f}.safetensors")})
        found += maps_of([s for s in scans if fold[s.name] == f], nets)
    write_json(given.work / "chosen.json", figures_of(found, "CT-ICH, train and validation scans in four folds"))


def train(given: Given) -> None:
    from app.ai.training import head_net

    keep = partial(save_network, given.work)
    keep(head_net.train(_known(given), head_net.Settings(seed=SEED, threads=given.threads), keep))


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
    {"folds": folds, "choose": choose, "train": train},
    package,
    LABELLED,
    KEYS,
    "CT-ICH, test scans",
    COMMAND,
)


if __name__ == "__main__":
    raise SystemExit(READER.main())
