"""How often the hint about a mark's place is right: ``python -m app.ai.training.head_place --data DIR [--tuning]``.

DIR is a folder in the form of ``labelled/head-ct-ich``. Asked of the true marks of the package, shown or not: does blood
that the table calls epidural or subdural lie along the skull, and the other kinds not? A slice that names kinds of both
says nothing about its part of the mark. Beside it the simple answer: always the commonest group of the tuning scans.

On the test scans with the limits of ``readers/head/place.py``. ``--tuning``: on the train and validation scans, each judged
with limits chosen on the others. The network has seen the train scans: its outlines there are better than on new ones.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.ai.readers.head.place import Shape, Skull
from app.ai.training.evaluation.common import Opened, open_reader
from app.ai.training.head_figures import maps_of, true_marks
from app.ai.training.head_set import HeadScan, load_scans
from app.domain.bleed_place import BRAIN, SKULL
from app.domain.scoring import bootstrap

GROUPS = {
    "epidural": SKULL,
    "subdural": SKULL,
    "intraparenchymal": BRAIN,
    "subarachnoid": BRAIN,
    "intraventricular": BRAIN,
}
COMMONEST = SKULL
"""Of the true marks on the train and validation scans."""
NOT_TOLD = "not_told"
LIMITS = list(itertools.product((0.05, 0.1, 0.15, 0.2, 0.3), (0.42, 0.45, 0.48, 0.51, 0.54, 0.57)))
"""(least contact, most round) that the cross-validation chooses from."""


def group_of(scan: HeadScan, shared: Any, first: int) -> str:
    """The group of a true mark by the pixels shared with masks of slices that name kinds of one group; else empty."""
    pixels = {SKULL: 0, BRAIN: 0}
    for k, flat in enumerate(shared):
        groups = {GROUPS[kind] for kind in scan.subtypes[first + k]}
        if len(groups) == 1:
            pixels[groups.pop()] += int(flat.sum())
    return max(pixels, key=lambda g: pixels[g]) if any(pixels.values()) else ""


def shapes(scans: Sequence[HeadScan], opened: Opened, flips: int) -> list[tuple[str, str, Shape | None]]:
    """(scan, true group, shape) of every true mark whose group is known."""
    rows = []
    for scan, stack, mark, shared in true_marks(maps_of(scans, opened.nets, flips), opened.parameters):
        group = group_of(scan, shared, mark.low[0])
        if group:
            rows.append((scan.name, group, Skull(stack.planes).shape_of(mark.mask, mark.low)))
    return rows


def hint(shape: Shape | None, *limits: float) -> str:
    return (shape.lies(*limits) if shape else "") or NOT_TOLD


def cross_validated(rows: Sequence[tuple[str, str, Shape | None]]) -> list[tuple[str, str, str]]:
    """Each scan's hints with the limits that are right most often on the other scans."""
    out = []
    for name in sorted({r[0] for r in rows}):
        others = [r for r in rows if r[0] != name]
        best = max(LIMITS, key=lambda limits: sum(hint(shape, *limits) == group for _, group, shape in others))
        out += [(scan, group, hint(shape, *best)) for scan, group, shape in rows if scan == name]
    return out


def figures(rows: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    table = {t: {h: sum(r[1:] == (t, h) for r in rows) for h in (SKULL, BRAIN, NOT_TOLD)} for t in (SKULL, BRAIN)}
    names = [r[0] for r in rows]
    right = bootstrap(lambda i: sum(rows[n][1] == rows[n][2] for n in i) / len(i), names)
    gain = bootstrap(lambda i: sum((rows[n][1] == rows[n][2]) - (rows[n][1] == COMMONEST) for n in i) / len(i), names)
    return {
        "marks": len(rows),
        "scans": len(set(names)),
        "table_true_then_hint": table,
        "right": [round(v, 4) for v in (right.value, right.low, right.high)],
        "commonest": round(sum(r[1] == COMMONEST for r in rows) / max(1, len(rows)), 4),
        "gain": [round(v, 4) for v in (gain.value, gain.low, gain.high)],
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.ai.training.head_place")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tuning", action="store_true")
    parser.add_argument("--package", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args(arguments)
    opened = open_reader("head_ct", given.package, given.threads)
    splits, flips = (("train", "val"), 1) if given.tuning else (("test",), int(opened.parameters.get("flips", 4)))
    scans = [s for split in splits for s in load_scans(given.data, split) if s.masks.any()]
    marks = shapes(scans, opened, flips)
    rows = cross_validated(marks) if given.tuning else [(scan, group, hint(shape)) for scan, group, shape in marks]
    print(json.dumps({"splits": splits, **figures(rows), "rows": rows}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
