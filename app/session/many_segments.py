"""Segmentations with many segments as one layer of numbers, within the memory ceiling."""

from __future__ import annotations

import weakref

import numpy as np

from app.dicom.lab_colour import rgb_of_lab
from app.dicom.label_planes import LabelPlanes, LabelSegment, is_large, open_label_planes
from app.dicom.memory_budget import MemoryBudget, shared_budget
from app.dicom.saved_overlays import PALETTE
from app.domain.ports import ByteSource
from app.domain.problem import Problem, Severity, fail
from app.domain.saved_overlay import OverlayKind, OverlayPart, Rgb, SavedOverlay
from app.domain.study import Instance
from app.viewer.labels import table_of
from app.viewer.layers import LabelLayer
from app.viewer.view_state import Appearance

OPACITY = 0.35

__all__ = ["is_large", "read_many"]


def _rgb(segment: LabelSegment, place: int) -> Rgb:
    return rgb_of_lab(segment.lab) if segment.lab is not None else PALETTE[(place - 1) % len(PALETTE)]


def read_many(
    instance: Instance, source: ByteSource, title: str, budget: MemoryBudget | None = None
) -> tuple[SavedOverlay, LabelLayer]:
    """What the object says, and the layer that decodes a slice when it is looked at. Only the header is read here.

    Raises ``overlay.too_large`` when its numbers do not fit under the memory ceiling, and ``overlay.no_place``.
    """
    planes = open_label_planes(instance, source)
    ledger = budget or shared_budget
    if not ledger.take_volume(planes.nbytes):
        raise fail("overlay.too_large")
    weakref.finalize(planes, ledger.drop_volume, planes.nbytes)
    parts = tuple(
        OverlayPart(s.number, s.label, s.meaning, _rgb(s, place)) for place, s in enumerate(planes.segments, start=1)
    )
    remarks = (Problem("overlay.half_of_maximum", {}, Severity.NOTE),) if planes.halved else ()
    overlay = SavedOverlay(
        instance.sop_instance_uid,
        OverlayKind.SEGMENTATION,
        title,
        parts,
        frame_of_reference_uid=planes.geometry.frame_of_reference_uid,
        remarks=remarks,
    )
    return overlay, layer_of(planes, parts)


def layer_of(planes: LabelPlanes, parts: tuple[OverlayPart, ...]) -> LabelLayer:
    """Numbers above 255 share the colours of those below."""
    rgb = np.zeros((256, 3), np.uint8)
    for place, part in enumerate(parts[:255], start=1):
        rgb[place] = part.rgb
    return LabelLayer(planes, rgb, table_of(rgb, OPACITY), Appearance(opacity=OPACITY))
