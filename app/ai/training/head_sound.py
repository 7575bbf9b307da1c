"""False marks on sound generated heads: ``python -m app.ai.training.head_sound [--first SEED] [--heads 12]``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.ai.reader_api import ReaderJob
from app.ai.readers.head_ct import READER
from app.ai.training.evaluation.common import Opened, open_reader
from app.domain.finding import ReaderIdentity, ReadState
from app.domain.ports import SilentProgress

ROWS = 256


def marks_on(seeds: Sequence[int], opened: Opened) -> list[list[float]]:
    """The probabilities of the marks that are shown on each head."""
    from app.samples.head_ct import generate_head_ct

    found = []
    for seed in seeds:
        volume = generate_head_ct(seed, rows=ROWS, bleed=None, threads=1).volume
        job = ReaderJob("2.25.5", ReaderIdentity("head_ct", "0", opened.package.digest), volume)
        out = READER.run(job, opened.nets, opened.parameters, SilentProgress())
        if out.state is not ReadState.COMPLETED:
            raise ValueError(f"head {seed} was not read: {out.problems}")
        found.append([round(f.probability or 0.0, 3) for f in out.findings])
    return found


def figures(marks: Sequence[Sequence[float]]) -> dict[str, Any]:
    return {
        "heads": len(marks),
        "marks": sum(len(m) for m in marks),
        "marks_per_head": round(sum(len(m) for m in marks) / max(1, len(marks)), 2),
        "heads_without_a_mark": sum(not m for m in marks),
        "probabilities": [list(m) for m in marks],
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.ai.training.head_sound")
    parser.add_argument("--first", type=int, default=0, help="seed of the first head")
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--package", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args(arguments)
    opened = open_reader("head_ct", given.package, given.threads)
    print(json.dumps(figures(marks_on(range(given.first, given.first + given.heads), opened))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
