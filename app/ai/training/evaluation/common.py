"""What every evaluation module shares: the package's networks, and figures with intervals as plain JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.ai.engines.choose import Options, engines_for
from app.ai.engines.networks import PackageNetworks
from app.ai.package import Package, open_package
from app.ai.trust import read_trust
from app.domain.resources import resource_path
from app.domain.scoring import Interval


@dataclass(frozen=True, eq=False)
class Opened:
    """A package ready to run: what an evaluation module gets."""

    package: Package
    nets: PackageNetworks
    parameters: Mapping[str, Any]
    engine: str


@dataclass(frozen=True, eq=False)
class Figures:
    """``values`` by key, printed with ``<key>_ci``; ``more`` is printed as it is; ``curves`` feed the drawings."""

    values: Mapping[str, Interval]
    n: int
    more: Mapping[str, Any] = field(default_factory=dict)
    curves: Mapping[str, Any] = field(default_factory=dict)


def open_reader(reader: str, path: Path | None = None, threads: int = 2, engine: str = "auto") -> Opened:
    """Opens ``resources/models/<reader>.ekmodel`` (or ``path``) with its signature checked.

    Raises ``ProblemError`` when the package is not to be trusted, ``FileNotFoundError`` when there is none.
    """
    source = path or resource_path("models") / f"{reader}.ekmodel"
    if not source.is_file():
        raise FileNotFoundError(f"{source.name} is not there")
    package = open_package(source, read_trust(resource_path("models") / "trust.json"))
    engines, choices = engines_for(package, Options(threads=threads, engine=engine))
    names = "+".join(sorted({c.engine for c in choices.values()})) or "none"
    return Opened(package, PackageNetworks(engines, lambda: None), package.parameters(), names)


def plain(figures: Figures) -> dict[str, Any]:
    """JSON-ready: each value, its interval, n; figures that cannot be computed are null."""
    out: dict[str, Any] = {}
    for key, interval in figures.values.items():
        known = not math.isnan(interval.value)
        out[key] = round(interval.value, 4) if known else None
        out[f"{key}_ci"] = [round(interval.low, 4), round(interval.high, 4)] if known else None
    out["n"] = figures.n
    out.update(figures.more)
    return out
