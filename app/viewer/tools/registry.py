"""Finds the tools by walking this folder. A file that fails to load is told by name, never skipped in silence."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass

from app.domain.problem import Problem
from app.viewer import tools as package
from app.viewer.tool_api import ToolSpec

_HELPERS = {"registry", "drawing", "clicking", "writing"}


@dataclass(frozen=True)
class FoundTools:
    tools: tuple[ToolSpec, ...]
    problems: tuple[Problem, ...]

    def by_name(self) -> dict[str, ToolSpec]:
        return {spec.name: spec for spec in self.tools}


def discover() -> FoundTools:
    """In the order of the toolbar."""
    specs: list[ToolSpec] = []
    problems: list[Problem] = []
    for module_info in pkgutil.iter_modules(package.__path__):
        if module_info.name in _HELPERS:
            continue
        try:
            specs.append(importlib.import_module(f"{package.__name__}.{module_info.name}").TOOL)
        except Exception as error:  # whatever a broken file raises, it is named
            problems.append(Problem("viewer.tool_broken", {"file": module_info.name, "kind": type(error).__name__}))
    return FoundTools(tuple(sorted(specs, key=lambda s: (s.order, s.name))), tuple(problems))
