"""Finds the kinds of storage target: every module in ``targets/`` with a ``KIND`` and a ``make``."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import app.sync.targets as targets_package
from app.domain.ports import Clock
from app.domain.problem import Problem, fail
from app.sync.target import StorageTarget

Maker = Callable[[str, Mapping[str, str], Clock], StorageTarget]


@dataclass(frozen=True)
class Kinds:
    makers: Mapping[str, Maker]
    problems: tuple[Problem, ...]
    """One for every file that could not be used, naming it."""


def find_kinds() -> Kinds:
    """Imports the modules of ``targets``; a broken one is a problem, not the end of the others."""
    makers: dict[str, Maker] = {}
    problems: list[Problem] = []
    for module_info in sorted(pkgutil.iter_modules(targets_package.__path__), key=lambda m: m.name):
        try:
            module = importlib.import_module(f"{targets_package.__name__}.{module_info.name}")
            makers[str(module.KIND)] = module.make
        except Exception as error:  # a file that somebody added: whatever it raises, it is named and left out
            problems.append(
                Problem("sync.broken_target_file", {"file": f"{module_info.name}.py", "error": type(error).__name__})
            )
    return Kinds(makers, tuple(problems))


def make_target(name: str, kind: str, settings: Mapping[str, str], clock: Clock) -> StorageTarget:
    """Raises ``sync.unknown_kind`` or ``sync.bad_settings``."""
    maker = find_kinds().makers.get(kind)
    if maker is None:
        raise fail("sync.unknown_kind", kind=kind)
    try:
        return maker(name, settings, clock)
    except (KeyError, ValueError) as error:
        raise fail("sync.bad_settings", name=name, reason=str(error).strip("'")) from error
