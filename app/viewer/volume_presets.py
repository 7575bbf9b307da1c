"""Looks of the volume rendering, from ``resources/volume_presets.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache

from app.domain.problem import fail
from app.domain.resources import resource_path


@dataclass(frozen=True)
class VolumePreset:
    name: str
    """Also its message id ``volume.<name>``."""
    unit: str
    """Unit of the modality values that it speaks of; "" serves all."""
    opacity: tuple[tuple[float, float], ...] = ()
    colour: tuple[tuple[float, float, float, float], ...] = ()

    @property
    def is_mip(self) -> bool:
        return not self.opacity


@lru_cache(maxsize=1)
def volume_presets() -> tuple[VolumePreset, ...]:
    """In the file's order. Raises ``ProblemError`` viewer.presets_broken."""
    try:
        data = tomllib.loads(resource_path("volume_presets.toml").read_text(encoding="utf-8"))
        return tuple(
            VolumePreset(
                entry["name"],
                entry["unit"],
                tuple((float(v), float(o)) for v, o in entry.get("opacity", [])),
                tuple((float(v), float(r), float(g), float(b)) for v, r, g, b in entry.get("colour", [])),
            )
            for entry in data["preset"]
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise fail("viewer.presets_broken") from error


def volume_presets_for(unit: str) -> tuple[VolumePreset, ...]:
    return tuple(p for p in volume_presets() if p.unit in ("", unit))


def volume_preset(name: str, unit: str) -> VolumePreset:
    """The named look where it fits the unit, else the first that does."""
    fitting = volume_presets_for(unit)
    return next((p for p in fitting if p.name == name), fitting[0])
