"""Comforts of the person at this PC, in a file of the home: what has to be known before the library can be opened.

Size of the interface and places of windows. Nothing here says anything about a patient; a file that cannot be read counts
as none, and what is in it is checked where it is used.
"""

from __future__ import annotations

import json
import logging
import tomllib
from collections.abc import Mapping
from pathlib import Path

from app.domain.problem import ProblemError
from app.security.files import write_file

FILE = "comforts.toml"
_log = logging.getLogger(__name__)
Value = str | int | bool | list[int]


class Comforts:
    """Groups of named values. Main thread only; every change is written at once."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE

    def group(self, name: str) -> dict[str, Value]:
        """What is kept under a name; empty where nothing is."""
        found = self._all().get(name, {})
        return dict(found) if isinstance(found, dict) else {}

    def keep(self, name: str, values: Mapping[str, Value]) -> None:
        """Replaces a group. A home that cannot be written keeps the old one; the log says so."""
        rest = {k: v for k, v in self._all().items() if k != name}
        self._write({**rest, name: dict(values)})

    def at_most(self, prefix: str, count: int) -> None:
        """Of the groups of one kind only the newest stay."""
        everything = self._all()
        old = [name for name in everything if name.startswith(prefix)][:-count]
        if old:
            self._write({name: values for name, values in everything.items() if name not in old})

    def _write(self, everything: Mapping[str, Mapping[str, Value]]) -> None:
        try:
            write_file(self._path, _toml(everything).encode(), replace=True)
        except ProblemError as error:
            _log.warning("comforts were not kept: %s", error.problem.code)

    def _all(self) -> dict[str, dict[str, Value]]:
        try:
            return tomllib.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}


def _toml(groups: Mapping[str, Mapping[str, Value]]) -> str:
    """JSON strings, whole numbers, booleans and lists of numbers are TOML as they are."""
    lines = []
    for name, values in groups.items():
        lines.append(f"[{json.dumps(name)}]")
        lines += [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"
