"""What every benchmark of ``tests/perf`` shares: medians, alternating peers, cached data, the JSON last line.

A benchmark is ``python -m tests.perf.<name> [--quick]``; its last line of standard output is one JSON object
``{"name", "value", "unit", "peer", "peer_value", "ratio", "passed", "details"}`` with ``ratio`` > 1 when Ekinshi is ahead.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any


def arguments(description: str, argv: Sequence[str] | None = None, **flags: str) -> argparse.Namespace:
    """``--quick`` (ends within 45 s, data included); ``flags`` are further switches with their help."""
    parser = argparse.ArgumentParser(description=description)
    for name, help_text in flags.items():
        parser.add_argument(f"--{name}", action="store_true", help=help_text)
    parser.add_argument("--quick", action="store_true", help="smaller, ends within 45 s, data included")
    return parser.parse_args(argv)


def seconds_of(call: Callable[[], object]) -> float:
    """One timed call with the garbage collector at rest."""
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        start = time.perf_counter()
        call()
        return time.perf_counter() - start
    finally:
        if was_enabled:
            gc.enable()


def median_of(fn: Callable[[], object], n: int = 5) -> float:
    """Median seconds of n calls."""
    return statistics.median(seconds_of(fn) for _ in range(n))


def alternating(peers: Mapping[str, Callable[[], object]], n: int = 5, warm: int = 1) -> dict[str, float]:
    """Median seconds per peer; round after round every peer runs once, so that a noisy minute hits all of them.

    A peer that raises ends the benchmark: a comparison without its peer would be a lie.
    """
    for _ in range(warm):
        for fn in peers.values():
            fn()
    times: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(n):
        for name, fn in peers.items():
            times[name].append(seconds_of(fn))
    return {name: statistics.median(values) for name, values in times.items()}


def cache_folder(name: str) -> Path:
    """Where generated data of a benchmark is kept between runs."""
    folder = Path(tempfile.gettempdir()) / "ekinshi-perf" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def say(text: str = "") -> None:
    """A line of the readable table."""
    print(text, flush=True)


def warn(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def table(rows: Sequence[Sequence[object]], header: Sequence[str]) -> None:
    """Columns padded to their width; floats with three significant places."""
    cells = [[_cell(c) for c in row] for row in [list(header), *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for n, row in enumerate(cells):
        say("  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))))
        if n == 0:
            say("  ".join("-" * w for w in widths))


def bars(rows: Sequence[tuple[str, float, str, float, str]]) -> bool:
    """Each figure beside its bar: (what, figure, "<=" or ">=", bar, unit). True when all are within."""
    fine = [figure <= bar if sign == "<=" else figure >= bar for _, figure, sign, bar, _ in rows]
    say()
    table(
        [
            (what, f"{figure:.4g} {unit}", f"{sign} {bar:g} {unit}", "yes" if good else "NO")
            for (what, figure, sign, bar, unit), good in zip(rows, fine, strict=True)
        ],
        ("bar", "figure", "asked", "within"),
    )
    return all(fine)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def emit(
    name: str,
    value: float | int | None,
    unit: str,
    peer: str = "",
    peer_value: float | int | None = None,
    ratio: float | None = None,
    passed: bool = True,
    details: Mapping[str, Any] | None = None,
) -> int:
    """Prints the JSON last line and returns the exit code (0 when ``passed``)."""
    if ratio is not None and not math.isfinite(ratio):
        ratio = None
    line = {
        "name": name,
        "value": _rounded(value),
        "unit": unit,
        "peer": peer,
        "peer_value": _rounded(peer_value),
        "ratio": _rounded(ratio),
        "passed": bool(passed),
        "details": dict(details or {}),
    }
    sys.stderr.flush()
    print(json.dumps(line, ensure_ascii=False, default=_plain), flush=True)
    return 0 if passed else 1


def _rounded(value: float | int | None) -> float | int | None:
    return round(value, 6) if isinstance(value, float) else value


def _plain(value: Any) -> Any:
    item = getattr(value, "item", None)
    return item() if callable(item) else str(value)
