"""Pixels and geometry that never travel apart."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from app.domain.geometry import VolumeGeometry
from app.domain.problem import Problem
from app.domain.voxel_mask import VoxelMask


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

    no_value: VoxelMask | None = None
    """Where nothing was measured: Pixel Padding, and what a correction put around. None when all voxels have values.

    The voxels hold air or a low value there, for whatever interpolates; nobody may measure it."""

    def __post_init__(self) -> None:
        if self.voxels.shape != self.geometry.shape:
            raise ValueError(f'"voxels" are {self.voxels.shape}, the geometry says {self.geometry.shape}')
        if self.source_sop_instance_uids and len(self.source_sop_instance_uids) != self.voxels.shape[0]:
            raise ValueError('"source_sop_instance_uids" must name every slice or none')
        if self.no_value is not None and self.no_value.shape != self.voxels.shape:
            raise ValueError('"no_value" must mark every voxel')

    @property
    def nbytes(self) -> int:
        return self.voxels.nbytes + (self.no_value.nbytes if self.no_value is not None else 0)

    def crop(self, k: slice = slice(None), j: slice = slice(None), i: slice = slice(None)) -> Volume:
        """A new volume on the same patient positions; views, not copies."""
        uids = self.source_sop_instance_uids[k] if self.source_sop_instance_uids else ()
        return replace(
            self,
            voxels=self.voxels[k, j, i],
            geometry=self.geometry.cropped(k, j, i),
            source_sop_instance_uids=uids,
            no_value=self.no_value.crop(k, j, i) if self.no_value is not None else None,
        )
