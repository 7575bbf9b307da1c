"""Where a mark lies, told from its shape and its gap to the skull: along the skull, or within the brain and its fluid.

Epidural and subdural blood spreads between bone and brain: flat, and touching the inner table. No part of this is learned,
and no diagnosis: the labelled set has too few subdural bleeds to tell them from epidural ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.readers.head.frame import head_outline
from app.ai.readers.head.planes import Bytes
from app.domain.bleed_place import BRAIN, SKULL

Bools = npt.NDArray[np.bool_]
_BONE = 250
_RIM = 9
_CONTACT_PX = 2.5
_SMALLEST_PIXELS = 6
LEAST_CONTACT = 0.1
"""Share of the outline within ``_CONTACT_PX`` of the inner table from which on blood lies along it."""
MOST_ROUND = 0.51
"""Width through length of the smallest box around the outline: rounder ones lie in the brain although they touch bone."""
MOST_OUTSIDE = 0.5


@dataclass(frozen=True)
class Shape:
    """Means over the slices of a mark, each weighing as many pixels as it has."""

    contact: float
    roundness: float
    outside: float
    """Share of the mark that lies outside the bony ring as it was found: near the base and the vertex nothing is told."""

    def lies(self, least_contact: float = LEAST_CONTACT, most_round: float = MOST_ROUND) -> str:
        """``SKULL``, ``BRAIN``, or nothing where the ring was not found around it."""
        if self.outside > MOST_OUTSIDE:
            return ""
        return SKULL if self.contact >= least_contact and self.roundness <= most_round else BRAIN


class Skull:
    """The gap of every pixel to the inner table, slice by slice, worked out where a mark asks for it."""

    def __init__(self, planes: Bytes) -> None:
        self._planes = planes
        self._gaps: dict[int, npt.NDArray[np.float32] | None] = {}

    def gap(self, n: int) -> npt.NDArray[np.float32] | None:
        """Pixels to the bone, 0 outside the ring; None where there is no bone."""
        if n not in self._gaps:
            inside = inside_bone(self._planes[n])
            found = None if inside is None else cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5)
            self._gaps[n] = None if found is None else np.asarray(found, np.float32)
        return self._gaps[n]

    def shape_of(self, mask: Bools, low: tuple[int, int, int]) -> Shape | None:
        """Of a mark's block that starts at ``low`` (slice, row, column); None where no slice of it has bone."""
        weights, rows = [], []
        for k, flat in enumerate(mask):
            gap = self.gap(low[0] + k)
            if gap is None or flat.sum() < _SMALLEST_PIXELS:
                continue
            here = gap[low[1] : low[1] + flat.shape[0], low[2] : low[2] + flat.shape[1]]
            weights.append(float(flat.sum()))
            rows.append((_contact(flat, here), _roundness(flat), float((here[flat] == 0).mean())))
        if not rows:
            return None
        contact, roundness, outside = np.average(rows, axis=0, weights=weights)
        return Shape(float(contact), float(roundness), float(outside))

    def lies(self, mask: Bools, low: tuple[int, int, int]) -> str:
        """``SKULL``, ``BRAIN`` or empty."""
        shape = self.shape_of(mask, low)
        return "" if shape is None else shape.lies()


def inside_bone(plane: Bytes) -> Bools | None:
    """What the skull encloses: the hull of the ring without the bone that reaches its rim. Dense blood stays inside."""
    outline = head_outline(plane)
    if outline is None:
        return None
    bone = cv2.morphologyEx((plane >= _BONE).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    rim = (outline > 0) & (cv2.erode(outline, np.ones((_RIM, _RIM), np.uint8)) == 0)
    _, parts = cv2.connectedComponents(bone)
    of_skull = np.unique(parts[rim & (bone > 0)])
    return np.asarray((outline > 0) & ~np.isin(parts, of_skull[of_skull > 0]), bool)


def _contact(flat: Bools, gap: npt.NDArray[np.float32]) -> float:
    inner = cv2.erode(np.pad(flat, 1).astype(np.uint8), np.ones((3, 3), np.uint8))[1:-1, 1:-1] > 0
    edge = flat & ~inner
    return float((gap[edge] <= _CONTACT_PX).mean())


def _roundness(flat: Bools) -> float:
    parts, _ = cv2.findContours(np.pad(flat, 1).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    width, height = cv2.minAreaRect(max(parts, key=cv2.contourArea))[1]
    return float((min(width, height) + 1) / (max(width, height) + 1))
