"""The command of a reader with one network: its stages keep their results in a working folder, the last one packs them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from app.ai.engines.torch_engine import TorchEngine, load_module, module_arrays
from app.ai.package import NetworkSpec
from app.ai.training.card_figures import metrics_of
from app.ai.weights_file import read_tensors, write_tensors

if TYPE_CHECKING:
    import torch

NETWORK_FILE = "network.safetensors"


@dataclass(frozen=True)
class Given:
    """What the command line said. ``data`` is the folder of the shared data, where the reader uses any."""

    data: Path
    work: Path
    threads: int


Stage = Callable[[Given], None]
Pack = Callable[[Path, Mapping[str, Any]], bytes]
"""(working folder, figures of the card) to the signed package."""


class PlainNetworks:
    """Networks straight from modules, for the stages before there is a package."""

    def __init__(self, modules: Mapping[str, torch.nn.Module]) -> None:
        self._engines = {name: TorchEngine(module) for name, module in modules.items()}

    def run(self, name: str, batch: np.ndarray) -> np.ndarray:
        parts = [self._engines[name].run(batch[n : n + 24]) for n in range(0, len(batch), 24)]
        return np.concatenate(parts)


def save_network(work: Path, module: torch.nn.Module, name: str = NETWORK_FILE) -> None:
    (work / name).write_bytes(write_tensors(module_arrays(module, half=False)))


def load_network(work: Path, spec: NetworkSpec, name: str = NETWORK_FILE) -> torch.nn.Module:
    return load_module(spec, read_tensors((work / name).read_bytes()))


def write_json(path: Path, what: object) -> None:
    path.write_text(json.dumps(what, indent=1), encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Empty where the stage that writes it has not run."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


@dataclass(frozen=True)
class OneNetworkReader:
    """``stages`` in their order; *figures* and *package* come after them."""

    name: str
    version: str
    stages: Mapping[str, Stage]
    pack: Pack
    measured: Path
    """What the evaluation reads, below ``Given.data``."""
    keys: tuple[str, ...]
    measured_on: str
    """The data's name on the card."""
    command: str
    """Reproduces the figures of the card."""
    needs_data: bool = True

    def figures(self, given: Given) -> None:
        """Runs the evaluation with a package of the same weights that has no figures yet."""
        from app.ai.training import evaluate

        draft = given.work / "draft.ekmodel"
        draft.write_bytes(self.pack(given.work, {}))
        result = evaluate.run(self.name, given.data / self.measured, "test", draft, given.threads)
        write_json(given.work / "test.json", result)
        metrics = metrics_of(result, self.keys, self.measured_on, self.command)
        write_json(given.work / "figures.json", {"metrics": [m.__dict__ for m in metrics]})

    def main(self, arguments: list[str] | None = None) -> int:
        names = (*self.stages, "figures", "package")
        parser = argparse.ArgumentParser(prog=f"python -m app.ai.training.{self.name}")
        parser.add_argument("--data", type=Path, required=self.needs_data, default=Path())
        parser.add_argument("--out", type=Path, required=True)
        parser.add_argument("--work", type=Path, default=Path("build") / self.name)
        parser.add_argument("--threads", type=int, default=1)
        parser.add_argument("--seconds", type=float, help="measured time on two cores of the case named in docs/evaluation")
        parser.add_argument("--stages", nargs="*", choices=names, default=list(names))
        asked = parser.parse_args(arguments)
        given = Given(asked.data, asked.work, asked.threads)
        given.work.mkdir(parents=True, exist_ok=True)
        for name, stage in {**self.stages, "figures": self.figures}.items():
            if name in asked.stages:
                stage(given)
        if "package" in asked.stages:
            figures = read_json(given.work / "figures.json")
            asked.out.write_bytes(self.pack(given.work, {**figures, "seconds": asked.seconds}))
            print(f"{asked.out}: version {self.version}, {asked.out.stat().st_size / 2**20:.2f} MiB")
        return 0
