"""``python -m app.ai.training.evaluate READER --data DIR [--split test|all] [--json]``: figures of a shipped reader.

DIR has the form of a labelled set (pictures, ``labels.csv`` and/or ``boxes.csv``, masks). The last line of standard output
is one JSON object: each figure with its 95 % bootstrap interval by patient, ``n`` and the package's hash. What the figures
mean stands in the reader's module in ``app/ai/training/evaluation/``.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
import time
from pathlib import Path

from app.ai.training import evaluation
from app.ai.training.evaluation.common import open_reader, plain
from app.domain.problem import ProblemError

NOT_READERS = {"common"}


def readers() -> list[str]:
    """Readers that can be evaluated: the modules of the folder."""
    return sorted(m.name for m in pkgutil.iter_modules(evaluation.__path__) if m.name not in NOT_READERS)


def run(
    reader: str, folder: Path, split: str, package: Path | None = None, threads: int = 2, engine: str = "auto"
) -> dict[str, object]:
    """The figures as the JSON object that is printed."""
    module = importlib.import_module(f"app.ai.training.evaluation.{reader}")
    started = time.monotonic()
    opened = open_reader(reader, package, threads, engine)
    figures = module.evaluate(folder, split, opened)
    return {
        "schema": "ekinshi.evaluate/1",
        "reader": reader,
        "data": folder.name,
        "split": split,
        **plain(figures),
        "package_sha256": opened.package.digest,
        "package_version": opened.package.card.version,
        "engine": opened.engine,
        "seconds": round(time.monotonic() - started, 1),
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.ai.training.evaluate", description=__doc__.splitlines()[0])
    parser.add_argument("reader", choices=readers())
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", choices=["train", "val", "test", "all"], default="test")
    parser.add_argument("--package", type=Path, help="another .ekmodel than the one that ships")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--engine", choices=["auto", "torch", "onnx", "openvino"], default="auto")
    parser.add_argument("--json", action="store_true", help="print nothing but the JSON line")
    given = parser.parse_args(arguments)
    try:
        result = run(given.reader, given.data, given.split, given.package, given.threads, given.engine)
    except (ValueError, OSError, ProblemError) as error:
        print(f"{given.reader}: {error}", file=sys.stderr)
        return 1
    if not given.json:
        for key, value in result.items():
            if not key.endswith("_ci"):
                interval = result.get(f"{key}_ci")
                print(f"{key:28} {value}" + (f"   95 % {interval}" if interval else ""))
    print(json.dumps(result, sort_keys=False))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
