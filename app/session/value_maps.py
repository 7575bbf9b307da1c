"""Real-world value maps of images: those of objects that refer to them, and which of several the probe tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from app.dicom.real_world import on_modality_values
from app.domain.pixels import RealWorldMapping
from app.domain.problem import Problem, Severity
from app.session.images import Images
from app.viewer.layers import ImageLayer


class ValueMaps:
    """Main thread only."""

    def __init__(self, images: Images) -> None:
        self._images = images
        self._maps: dict[str, tuple[RealWorldMapping, ...]] = {}
        self.choice = 0
        """Which of several maps is told."""

    def bring(self, maps: Mapping[str, tuple[RealWorldMapping, ...]]) -> None:
        """SOP Instance UID to the maps of its stored values."""
        self._maps.update(maps)

    def measured(self, layer: ImageLayer) -> ImageLayer:
        """The layer with the maps that refer to its image, the chosen one first."""
        maps = self._maps.get(layer.sop_instance_uid, ())
        instance = self._images.instance(layer.sop_instance_uid)
        if instance is None or layer.frame is None or not (maps or layer.frame.real_world):
            return layer
        transform = instance.frames[layer.frame_number].modality_transform
        own = tuple(m for found in maps if (m := on_modality_values(found, transform)) is not None)
        return replace(layer, real_world=own, real_world_choice=self.choice)

    def next(self, layer: ImageLayer | None) -> bool:
        """The next map of an image is told; False where there are not several."""
        count = len(self.measured(layer).real_world_maps) if layer is not None else 0
        if count > 1:
            self.choice = (self.choice + 1) % count
        return count > 1

    def remark(self, layer: ImageLayer) -> tuple[Problem, ...]:
        """Which of several maps the probe tells."""
        maps = self.measured(layer).real_world_maps
        if len(maps) < 2:
            return ()
        told: dict[str, str | int | float] = {"label": maps[0].label or "–", "unit": maps[0].unit or "–"}
        return (Problem("viewer.value_map", {**told, "n": self.choice % len(maps) + 1, "of": len(maps)}, Severity.NOTE),)
