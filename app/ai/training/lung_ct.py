"""Trains and packs the lung reader: ``python -m app.ai.training.lung_ct --data DIR --out resources/models/lung_ct.ekmodel``.

DIR is the folder of the shared data (``labelled/lung-nodule-voi``, ``dicom/ct-chest-nlst``; without it no real scan is
used). Seeds are fixed. Each stage keeps its result in ``--work``, so that a run that was cut off goes on:

1. *nodule*: the outline network on the train nodules, then in turns on these and on train and validation nodules,
   with the mirrored border;
2. *earlier*: a first network for sorting candidates from few scans; it only tells which places are mistaken for nodules;
3. *examples*: scans with known nodules and, two thirds of what is none, places that the earlier network mistakes;
4. *candidate*: the network that sorts candidates, and two more that each never saw one lung of the real scan;
5. *figures*: calibration and operating point on calibration scans, the weights of the malignancy estimate;
6. *measure*: the evaluations on the test nodules and the held-out scans, for the card;
7. *package*: weights, card, calibration and golden cases, signed.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from app.ai.engines.torch_engine import golden_cases, module_arrays
from app.ai.package import Limits, NetworkSpec, PackageParts, build_package
from app.ai.training.lung_card import CARD
from app.ai.training.stages import PlainNetworks, load_network, read_json, save_network, write_json
from app.ai.weights_file import Arrays
from app.domain.model_card import CalibrationBand, Metric

if TYPE_CHECKING:
    import torch

    from app.ai.training.lidc import Nodule
    from app.ai.training.lung_scans import Scan

PACKAGE_ID = "org.ekinshi.lung_ct"
NETWORKS = {
    "lung_nodule": NetworkSpec("lung_nodule_v1", {"widths": [16, 32, 64, 96]}, (3, 24, 48, 48)),
    "lung_candidate": NetworkSpec("lung_candidate_v1", {"widths": [32, 64, 96]}, (2, 32, 32, 32)),
}
STAGES = ("nodule", "earlier", "examples", "candidate", "figures", "measure", "package")
HELD_OUT_SCANS = 24
LABELLED, REAL = Path("labelled/lung-nodule-voi"), Path("dicom/ct-chest-nlst")


def load(path: Path, network: str) -> torch.nn.Module:
    return load_network(path.parent, NETWORKS[network], path.name)


def train_nodule(data: Path, work: Path, threads: int) -> None:
    from app.ai.training import lung_nodule
    from app.ai.training.lidc import load_nodules

    first, last = load_nodules(data / LABELLED, "train"), load_nodules(data / LABELLED, "val")
    net = lung_nodule.train(first, lung_nodule.Settings(epochs=34, threads=threads, seed=7, mirrored=False))
    courses = (  # the third leaves the validation nodules out: they told what it brings and how traits count
        (first + last, lung_nodule.Settings(epochs=8, rate=1e-3, threads=threads, seed=8, keep_stem=True)),
        (first, lung_nodule.Settings(epochs=46, rate=1.5e-3, threads=threads, seed=9)),
        (first + last, lung_nodule.Settings(epochs=8, rate=1e-3, threads=threads, seed=10)),
    )
    for nodules, settings in courses:
        net = lung_nodule.train(nodules, settings, net)
    save_network(work, net, "nodule.safetensors")


def _scans(data: Path) -> tuple[list[Nodule], Scan | None]:
    from app.ai.training.lidc import load_nodules
    from app.ai.training.lung_scans import real_scan

    nodules = load_nodules(data / LABELLED, "train") + load_nodules(data / LABELLED, "val")
    return nodules, real_scan(data / REAL) if (data / REAL).is_dir() else None


def train_earlier(data: Path, work: Path, threads: int) -> None:
    from app.ai.training import lung_candidate
    from app.ai.training.lung_scans import build_examples

    made = build_examples(*_scans(data), generated=25, real_copies=6)
    settings = lung_candidate.Settings(epochs=6, threads=threads)
    save_network(work, lung_candidate.train(made, np.arange(len(made.truth)), settings), "earlier.safetensors")


def make_examples(data: Path, work: Path) -> None:
    from app.ai.training.lung_scans import build_examples

    nets = PlainNetworks({"lung_candidate": load(work / "earlier.safetensors", "lung_candidate")})
    made = build_examples(*_scans(data), earlier=lambda x: nets.run("lung_candidate", x)[:, 0])
    np.savez(work / "examples.npz", cubes=made.cubes, truth=made.truth, side=made.side, origin=made.origin)


def train_candidate(work: Path, threads: int) -> None:
    from app.ai.training import lung_candidate
    from app.ai.training.lung_scans import Examples, allowed_without

    with np.load(work / "examples.npz") as z:
        data = Examples(z["cubes"], z["truth"], z["side"], z["origin"])
    everything = np.arange(len(data.truth))
    shorter = lung_candidate.Settings(threads=threads, epochs=4)
    plan = {
        "candidate": (everything, lung_candidate.Settings(threads=threads)),
        "candidate_without_1": (allowed_without(data, 1), shorter),
        "candidate_without_2": (allowed_without(data, 2), shorter),
        "candidate_ring": (everything, lung_candidate.Settings(threads=threads, ring_only=True, epochs=3)),
    }
    for name, (chosen, settings) in plan.items():
        if not (work / f"{name}.safetensors").exists():
            save_network(work, lung_candidate.train(data, chosen, settings), f"{name}.safetensors")


def parameters(figures: Mapping[str, Any]) -> dict[str, Any]:
    """``pipeline.json``."""
    return {
        "mirrors": 4,
        "mask_threshold": figures.get("mask_threshold", 0.5),
        "most_findings": 12,
        "bands": figures.get("bands", [0.5, 0.8]),
        "malignancy": figures["malignancy"],
    }


def package(work: Path, figures: Mapping[str, Any]) -> bytes:
    from app.ai.training.signing_key import private_key

    arrays: dict[str, Arrays] = {
        "lung_nodule": module_arrays(load(work / "nodule.safetensors", "lung_nodule")),
        "lung_candidate": module_arrays(load(work / "candidate.safetensors", "lung_candidate")),
    }
    bands = [CalibrationBand(**b) for b in figures.get("calibration_bands", [])]
    metrics = [Metric(**m) for m in figures.get("metrics", [])]
    card = CARD.with_figures(
        metrics,
        bands,
        float(figures.get("threshold", 0.3)),
        str(figures.get("operating_point", "")),
        figures.get("seconds"),
    )
    parts = PackageParts(
        PACKAGE_ID,
        card,
        parameters(figures),
        NETWORKS,
        arrays,
        figures.get("calibration"),
        golden_cases(NETWORKS, arrays),
        Limits(ram_mb=3000),
        "Ekinshi developers",
    )
    return build_package(parts, private_key())


def measure(data: Path, work: Path, threads: int) -> None:
    """Runs the evaluations with a package of the same weights that has no figures yet."""
    from app.ai.training import evaluate
    from app.ai.training.evaluate_scan import phantom_figures
    from app.ai.training.evaluation.common import open_reader
    from app.ai.training.lidc import load_nodules
    from app.ai.training.lung_figures import metric

    draft = work / "draft.ekmodel"
    draft.write_bytes(package(work, read_json(work / "figures.json")))
    nodules = evaluate.run("lung_ct", data / LABELLED, "test", draft)
    command = "python -m app.ai.training.evaluate lung_ct --data DIR/labelled/lung-nodule-voi --split test --json"
    keys = ("dice", "volume_error_median", "malignancy_auc", "diameter_auc", "malignancy_gain")
    metrics = [metric(key, nodules, "LIDC nodules, test split", command) for key in keys]
    opened = open_reader("lung_ct", draft, threads)
    scans = phantom_figures(opened.nets, load_nodules(data / LABELLED, "test"), HELD_OUT_SCANS, True)
    command = "python -m app.ai.training.evaluate_scan phantom --data DIR/labelled/lung-nodule-voi --json"
    metrics.append(metric("cpm", scans, "generated held-out chests with test nodules blended in", command))
    write_json(work / "measured.json", {"metrics": metrics, "nodules": nodules, "scans": scans})


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.ai.training.lung_ct")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("build/lung_ct"))
    parser.add_argument("--threads", type=int, default=max(1, (os.cpu_count() or 2)))
    parser.add_argument("--seconds", type=float, help="measured time on two cores of the case named in docs/evaluation")
    parser.add_argument("--stages", nargs="*", choices=STAGES, default=list(STAGES))
    given = parser.parse_args(arguments)
    given.work.mkdir(parents=True, exist_ok=True)
    if "nodule" in given.stages and not (given.work / "nodule.safetensors").exists():
        train_nodule(given.data, given.work, given.threads)
    if "earlier" in given.stages and not (given.work / "earlier.safetensors").exists():
        train_earlier(given.data, given.work, given.threads)
    if "examples" in given.stages and not (given.work / "examples.npz").exists():
        make_examples(given.data, given.work)
    if "candidate" in given.stages:
        train_candidate(given.work, given.threads)
    if "figures" in given.stages:
        from app.ai.training.lung_figures import figures_of

        write_json(given.work / "figures.json", figures_of(given.data, given.work))
    if "measure" in given.stages:
        measure(given.data, given.work, given.threads)
    if "package" in given.stages:
        figures = {
            **read_json(given.work / "figures.json"),
            **read_json(given.work / "measured.json"),
            "seconds": given.seconds,
        }
        given.out.write_bytes(package(given.work, figures))
        print(f"{given.out}: version {CARD.version}, {given.out.stat().st_size / 2**20:.2f} MiB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
