"""Which network shapes a package may name. A file in this folder that exports ``ARCHITECTURES`` adds some; nothing else can.

``ARCHITECTURES: dict[str, Callable[..., torch.nn.Module]]``: name to a function of the package's ``params``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import app.ai.networks as folder
from app.domain.problem import fail

if TYPE_CHECKING:
    import torch

Builder = Callable[..., "torch.nn.Module"]
_SELF = "registry"


def architectures() -> dict[str, Builder]:
    """Every architecture of the folder by name. A name given by two files is an error of the program (``ValueError``)."""
    found: dict[str, Builder] = {}
    for module_info in pkgutil.iter_modules(folder.__path__):
        if module_info.name == _SELF or module_info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{folder.__name__}.{module_info.name}")
        for name, builder in getattr(module, "ARCHITECTURES", {}).items():
            if name in found:
                raise ValueError(f'architecture "{name}" is defined twice')
            found[name] = builder
    return found


def build(name: str, params: Mapping[str, Any], more: Mapping[str, Builder] | None = None) -> torch.nn.Module:
    """A fresh network in evaluation mode. Refuses unknown names and parameters that the builder does not take."""
    builder = {**architectures(), **(more or {})}.get(name)
    if builder is None:
        raise fail("ai.package.unknown_architecture", architecture=name)
    try:
        return builder(**params).eval()
    except (TypeError, ValueError) as error:
        raise fail("ai.package.bad_architecture", architecture=name) from error
