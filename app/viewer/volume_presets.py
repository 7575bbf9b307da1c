"""Looks of the 3D view, from ``resources/volume_presets.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from app.domain.problem import fail
from app.domain.resources import resource_path


@dataclass(frozen=True)
class SurfaceLook:
    """A surface between values, instead of a picture through the volume."""

    lowest: float | None
    """None: everything up to ``highest``."""
    highest: float | None
    rgb: tuple[int, int, int]
    inside_only: bool = False
    """What touches the sides of the volume (the room's air) does not count."""


@dataclass(frozen=True)
class VolumePreset:
    name: str
    """Also its message id ``volume.<name>``."""
    unit: str
    """Unit of the modality values that it speaks of; "" serves all."""
    opacity: tuple[tuple[float, float], ...] = ()
    colour: tuple[tuple[float, float, float, float], ...] = ()
    relative: bool = False
    """Values are parts 0..1 of the volume's own range: MR and cone beams have no scale of their own."""
    surface: SurfaceLook | None = None
    segments_only: bool = False

    @property
    def is_mip(self) -> bool:
        return not self.opacity and self.surface is None and not self.segments_only

    @property
    def lowest_shown(self) -> float | None:
        """Everything below is transparent; None where that is not known."""
        if self.surface is not None:
            return self.surface.lowest
        below = [value for value, part in self.opacity if part > 0.0]
        if not below:
            return None
        at = [value for value, _ in self.opacity].index(below[0])
        return self.opacity[max(0, at - 1)][0]

    def over(self, low: float, high: float) -> VolumePreset:
        """A relative look laid over a volume's range."""
        if not self.relative:
            return self
        size = high - low
        return replace(
            self,
            relative=False,
            opacity=tuple((low + v * size, o) for v, o in self.opacity),
            colour=tuple((low + v * size, r, g, b) for v, r, g, b in self.colour),
        )


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
                bool(entry.get("relative", False)),
                _surface(entry["surface"]) if "surface" in entry else None,
                bool(entry.get("segments_only", False)),
            )
            for entry in data["preset"]
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise fail("viewer.presets_broken") from error


def _surface(entry: dict[str, Any]) -> SurfaceLook:
    red, green, blue = entry["rgb"]
    lowest, highest = entry.get("lowest"), entry.get("highest")
    return SurfaceLook(
        None if lowest is None else float(lowest),
        None if highest is None else float(highest),
        (int(red), int(green), int(blue)),
        bool(entry.get("inside_only", False)),
    )


def volume_presets_for(unit: str) -> tuple[VolumePreset, ...]:
    """What speaks of the unit, and what serves all; relative looks are for values without a unit."""
    return tuple(p for p in volume_presets() if (p.unit == unit if p.unit or p.relative else True))


def volume_preset(name: str, unit: str) -> VolumePreset:
    """The named look where it fits the unit, else the first that does."""
    fitting = volume_presets_for(unit)
    return next((p for p in fitting if p.name == name), fitting[0])
