"""Binary masks: parts, holes, size. Arrays ``[k, j, i]`` or ``[j, i]``; neighbours by faces unless said otherwise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from app.domain.geometry import Point3, VolumeGeometry

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Component:
    """One connected part: its label in the label array, its size, its box (slices) and centre (index)."""

    label: int
    count: int
    box: tuple[slice, ...]
    centre_index: tuple[float, ...]


def connected_components(mask: Mask, corners: bool = False) -> tuple[npt.NDArray[np.int32], tuple[Component, ...]]:
    """(labels, parts), the largest part first (then by label). ``corners``: touching edges and corners count too."""
    structure = ndimage.generate_binary_structure(mask.ndim, mask.ndim if corners else 1)
    labels, n = ndimage.label(mask, structure)
    labels = np.asarray(labels, dtype=np.int32)
    if n == 0:
        return labels, ()
    counts = np.bincount(labels.ravel(), minlength=n + 1)
    boxes = ndimage.find_objects(labels)
    parts = []
    for label in range(1, n + 1):
        box = boxes[label - 1]
        inside = np.argwhere(labels[box] == label).mean(axis=0) + [s.start for s in box]
        parts.append(Component(label, int(counts[label]), tuple(box), tuple(float(v) for v in inside)))
    return labels, tuple(sorted(parts, key=lambda c: (-c.count, c.label)))


def largest_component(mask: Mask) -> Mask:
    """The largest part alone; an empty mask stays empty."""
    labels, parts = connected_components(mask)
    return labels == parts[0].label if parts else np.zeros_like(mask)


def component_at(mask: Mask, index: tuple[int, ...]) -> Mask:
    """The part that holds ``index``; empty when the index is not in the mask."""
    if not mask[index]:
        return np.zeros_like(mask)
    labels, _ = connected_components(mask)
    return np.asarray(labels == labels[index])


def fill_holes(mask: Mask, slice_by_slice: bool = False) -> Mask:
    """Closed holes filled; ``slice_by_slice``: also tunnels that leave the volume at its first or last slice."""
    if slice_by_slice and mask.ndim == 3:
        return np.stack([np.asarray(ndimage.binary_fill_holes(s), dtype=np.bool_) for s in mask])
    return np.asarray(ndimage.binary_fill_holes(mask), dtype=np.bool_)


def grown_mm(mask: Mask, geometry: VolumeGeometry, distance_mm: float) -> Mask:
    """Every voxel within ``distance_mm`` of the mask, in true distances of a grid at right angles."""
    if not mask.any():
        return mask.copy()
    distance = ndimage.distance_transform_edt(~mask, sampling=geometry.spacing_mm)
    return np.asarray(distance <= distance_mm)


def voxel_volume_mm3(geometry: VolumeGeometry) -> float:
    """Also right for tilted grids."""
    return float(abs(np.linalg.det(geometry.affine[:3, :3])))


def volume_mm3(mask: Mask, geometry: VolumeGeometry) -> float:
    return int(np.count_nonzero(mask)) * voxel_volume_mm3(geometry)


def centre_mm(mask: Mask, geometry: VolumeGeometry) -> Point3 | None:
    """Centre of mass in the patient; None for an empty mask."""
    index = np.argwhere(mask)
    if len(index) == 0:
        return None
    k, j, i = (float(v) for v in index.mean(axis=0))
    return geometry.to_patient((k, j, i))


def label_boxes(labels: npt.NDArray[np.generic]) -> tuple[tuple[slice, slice, slice] | None, ...]:
    """The box of each number 1, 2, ... in a grid of labels; None for one that is not there."""
    return tuple(ndimage.find_objects(labels))
