"""Trains and packs the panoramic reader: ``python -m app.ai.training.dental_panoramic --data DIR --out FILE.ekmodel``.

DIR is the folder of the shared data (``labelled/dental-panoramic``). Seeds are fixed. Each stage keeps its result in
``--work``:

1. *learn*: the detector, on the train films, at one rate;
2. *finish*: the same, at a rate that falls to nothing, at last on unmixed films;
3. *choose*: thresholds and calibration on the validation films, the baseline's boxes on the train films;
4. *figures*: the evaluation on the test films, for the card;
5. *package*: weights, card, calibration and golden case, signed. ``dental_teeth --into`` then adds the numbering.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.ai.engines.torch_engine import golden_cases, module_arrays
from app.ai.package import Limits, NetworkSpec, PackageParts, build_package
from app.ai.readers.dental.boxes import CLASSES, NETWORK, answer, decode
from app.ai.readers.dental.film import COLUMNS, ROWS, prepared
from app.ai.training.dental_card import CARD
from app.ai.training.stages import Given, OneNetworkReader, PlainNetworks, load_network, read_json, save_network, write_json
from app.ai.weights_file import Arrays
from app.domain.model_card import CalibrationBand, Metric

if TYPE_CHECKING:
    import torch

PACKAGE_ID = "org.ekinshi.dental_panoramic"
NETWORKS = {
    NETWORK: NetworkSpec(
        "tooth_detector_v1",
        {"classes": len(CLASSES), "widths": [48, 64, 96, 128, 96]},
        (1, ROWS, COLUMNS),
        dynamic=True,
    )
}
LABELLED = Path("labelled/dental-panoramic")
COMMAND = "python -m app.ai.training.evaluate dental_panoramic --data DIR/labelled/dental-panoramic --split test --json"
KEYS = (*(f"ap50/{kind}" for kind in CLASSES), *(f"film_auc_{kind.lower().replace(' ', '_')}" for kind in CLASSES))


LEARNT = "learnt.safetensors"


def learn(given: Given) -> None:
    from app.ai.training import dental_net
    from app.ai.training.dental_set import load_films

    def keep(net: torch.nn.Module, step: int = 0) -> None:
        save_network(given.work, net, LEARNT)

    films = load_films(given.data / LABELLED, "train")
    keep(dental_net.train(films, dental_net.learning(given.threads), keep_to=keep))


def finish(given: Given) -> None:
    from app.ai.training import dental_net
    from app.ai.training.dental_set import load_films

    films = load_films(given.data / LABELLED, "train")
    start = load_network(given.work, NETWORKS[NETWORK], LEARNT)
    save_network(given.work, dental_net.train(films, dental_net.finishing(given.threads), start))


def choose(given: Given) -> None:
    from app.ai.training.dental_figures import chosen_on, priors_of
    from app.ai.training.dental_set import load_films

    nets = PlainNetworks({NETWORK: load_network(given.work, NETWORKS[NETWORK])})
    films = load_films(given.data / LABELLED, "val")
    found = []
    for film in films:
        picture, content = prepared(film.values)
        found.append(decode(answer(picture, nets), content))
    chosen = chosen_on(films, found, "dental-panoramic, validation films")
    chosen["parameters"]["prior_boxes"] = priors_of(load_films(given.data / LABELLED, "train"))
    write_json(given.work / "chosen.json", chosen)


def package(work: Path, metrics: Mapping[str, Any]) -> bytes:
    from app.ai.training.signing_key import private_key

    chosen = read_json(work / "chosen.json")
    arrays: dict[str, Arrays] = {NETWORK: module_arrays(load_network(work, NETWORKS[NETWORK]))}
    card = CARD.with_figures(
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
        # A small input will do: the whole one would add a quarter of a megabyte.
        golden_cases(NETWORKS, arrays, shapes={NETWORK: (1, 96, 128)}),
        Limits(ram_mb=1500),
        "Ekinshi developers",
    )
    return build_package(parts, private_key())


READER = OneNetworkReader(
    "dental_panoramic",
    CARD.version,
    {"learn": learn, "finish": finish, "choose": choose},
    package,
    LABELLED,
    KEYS,
    "dental-panoramic, test films",
    COMMAND,
)


if __name__ == "__main__":
    raise SystemExit(READER.main())
