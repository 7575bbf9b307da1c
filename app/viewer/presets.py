"""Window presets of ``resources/window_presets.toml``: name, values, key; only for units with an absolute meaning."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from functools import lru_cache

from app.domain.pixels import VoiFunction, VoiWindow
from app.domain.problem import fail
from app.domain.resources import resource_path
from app.viewer.suv import window_from_suv


@dataclass(frozen=True)
class WindowPreset:
    name: str
    """Also its message id ``preset.<name>``."""
    window: VoiWindow
    key: str
    """Shortcut by default, may be empty."""
    unit: str
    """"HU" or "SUV"; a preset never applies to values without that unit."""
    source: str


@lru_cache(maxsize=1)
def window_presets() -> tuple[WindowPreset, ...]:
    """In the file's order. Raises ``ProblemError`` viewer.presets_broken."""
    try:
        data = tomllib.loads(resource_path("window_presets.toml").read_text(encoding="utf-8"))
        return tuple(
            WindowPreset(
                entry["name"],
                VoiWindow(float(entry["center"]), float(entry["width"]), VoiFunction.LINEAR, entry["name"]),
                entry.get("key", ""),
                entry["unit"],
                entry["source"],
            )
            for entry in data["preset"]
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise fail("viewer.presets_broken") from error


def preset(name: str) -> WindowPreset | None:
    return next((p for p in window_presets() if p.name == name), None)


def presets_for(unit: str, suv: float | None = None) -> tuple[WindowPreset, ...]:
    """Those that make sense for values of ``unit``; none where the modality has no absolute scale (MR, MG).

    ``suv``: the factor to SUV of values that are none; the windows are then given in those values.
    """
    if suv is not None and not unit.upper().startswith("SUV") and unit != "GML":
        return tuple(replace(p, window=window_from_suv(p.window, suv)) for p in window_presets() if p.unit == "SUV")
    unit = "SUV" if unit == "GML" else unit
    return tuple(p for p in window_presets() if p.unit == unit or (p.unit == "SUV" and unit.upper().startswith("SUV")))


def is_suv_preset(window: VoiWindow) -> bool:
    """Exactly a preset in SUV, not yet turned into stored values."""
    return any(p.unit == "SUV" and p.window == window for p in window_presets())


def preset_name(window: VoiWindow | None, unit: str, suv: float | None = None) -> str:
    """The preset that has exactly these numbers, or ""."""
    if window is None:
        return ""
    same = (p for p in presets_for(unit, suv) if (p.window.center, p.window.width) == (window.center, window.width))
    return next((p.name for p in same), "")
