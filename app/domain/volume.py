"""Pixels and geometry that never travel apart."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from app.domain.geometry import VolumeGeometry
from app.domain.problem import Problem


@dataclass(frozen=True, eq=False)
class Volume:
    """A regular grid of modality values ``voxels[k, j, i]`` with its place in the patient."""

    voxels: npt.NDArray[np.generic]
    geometry: VolumeGeometry
    unit: str = ""
    """Unit of the modality values: "HU", "SUVbw", "" when the object has none."""
    source_sop_instance_uids: tuple[str, ...] = ()
    """One per slice k; empty when the slices were resampled."""
    interpolated: bool = False
    remarks: tuple[Problem, ...] = ()
    """What was corrected or is doubtful (gap filled, tilt resampled, ...), to be labelled on the image."""

    def __post_init__(self) -> None:
        if self.voxels.shape != self.geometry.shape:
            raise ValueError(f'"voxels" are {self.voxels.shape}, the geometry says {self.geometry.shape}')
        if self.source_sop_instance_uids and len(self.source_sop_instance_uids) != self.voxels.shape[0]:
            raise ValueError('"source_sop_instance_uids" must name every slice or none')

    def crop(self, k: slice = slice(None), j: slice = slice(None), i: slice = slice(None)) -> Volume:
        """A new volume on the same patient positions; views, not copies."""
        uids = self.source_sop_instance_uids[k] if self.source_sop_instance_uids else ()
        return replace(
            self,
            voxels=self.voxels[k, j, i],
            geometry=self.geometry.cropped(k, j, i),
            source_sop_instance_uids=uids,
        )
