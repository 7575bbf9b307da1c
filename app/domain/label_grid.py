"""Many segments on one grid as numbers: what a viewer asks of it. One number a voxel, however many segments there are."""

from __future__ import annotations

from typing import Any, Protocol

import numpy.typing as npt

from app.domain.geometry import VolumeGeometry

Labels = npt.NDArray[Any]
"""uint8 or uint16."""


class LabelGrid(Protocol):
    """0 is no segment; n is the n-th part of the overlay. Where segments overlap the later part is on top."""

    @property
    def geometry(self) -> VolumeGeometry: ...

    @property
    def complete(self) -> bool:
        """All slices are made: what runs across them can be shown without waiting."""
        ...

    def plane(self, k: int) -> Labels:
        """(rows, columns) of slice k; made when it is first asked for. Any thread."""
        ...

    def whole(self) -> Labels:
        """``[k, j, i]``, all slices made. Any thread."""
        ...

    def under(self) -> LabelGrid | None:
        """The segments right below those on top; None while none was met. Of three at one place the lowest is not seen."""
        ...
