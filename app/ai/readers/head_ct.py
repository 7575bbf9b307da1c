"""Second reader for bleeding on plain head CT: slices through the brain window, a small network, volumes in the patient.

The voxels are turned to head-back-left, brought to slabs and pixels of the labelled set's size and straightened along the
midline. Dense parts that are bone or calcification are left out. How far the midline is shifted is a value of the study,
an estimate that the network has no part in. Everything that leaves is in patient millimetres.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from app.ai.reader_api import Networks, ReaderJob, ReaderOutput
from app.ai.readers.head.midline import midline_of
from app.ai.readers.head.midline import told as told_of_midline
from app.ai.readers.head.place import Skull
from app.ai.readers.head.scope import refusals, remarks, ring_and_tissue, stack_refusals
from app.ai.readers.head.segment import along, bleed_map, outlines, slice_scores
from app.ai.readers.head.stack import Stack, stack_of, to_source
from app.ai.readers.lung.canonical import Turned, turn
from app.domain.bleed_place import LIES
from app.domain.finding import Band, Finding, Heatmap, Location, ReadState, SegmentMask, Source
from app.domain.identity import uid_for
from app.domain.measurement import Code, Measurement, Quantity
from app.domain.ports import Cancelled, Progress
from app.domain.problem import Problem

BLEED = Code("1386000", "SCT", "Intracranial hemorrhage")
HU_UNIT = "[hnsf'U]"
SMALLEST_ML = 0.3
CALCIFIED_HU = 100.0
"""Clotted blood reaches about 90 HU; what is denser is calcium, bone or metal."""
MIDDLE_MM = 4.0
PEAK_VOXELS = 12
BEST = 10


def calibrated(score: float, parameters: Mapping[str, Any]) -> float:
    """Probability of true bleeding for a mark's score, from the package's table; the score itself where there is none."""
    table = parameters.get("calibration")
    if not table:
        return float(min(1.0, max(0.0, score)))
    return float(np.clip(np.interp(score, table["score"], table["probability"]), 0.0, 1.0))


@dataclass(frozen=True, eq=False)
class Mark:
    """One connected part on the slabs' grid, its block starting at ``low``."""

    mask: npt.NDArray[np.bool_]
    low: tuple[int, int, int]
    score: float
    mean_hu: float
    dense_share: float


def marks_of(stack: Stack, masks: npt.NDArray[np.bool_], probability: npt.NDArray[np.float32]) -> list[Mark]:
    """Connected parts of at least ``SMALLEST_ML``, the most suspicious first; calcified ones left out."""
    parts, count = ndimage.label(masks, np.ones((3, 3, 3)))
    found = []
    for name, box in enumerate(ndimage.find_objects(parts), 1):
        if box is None or name > count:
            continue
        mask = parts[box] == name
        if mask.sum() * stack.voxel_mm3 < SMALLEST_ML * 1000:
            continue
        values = stack.hu[box][mask]
        dense = float((values > CALCIFIED_HU).mean())
        if dense > 0.5:
            continue
        peak = np.sort(probability[box][mask])[-PEAK_VOXELS:]
        low = (int(box[0].start), int(box[1].start), int(box[2].start))
        found.append(Mark(mask, low, float(peak.mean()), float(values.mean()), dense))
    return sorted(found, key=lambda m: -m.score)


class HeadCtReader:
    name = "head_ct"

    def run(self, job: ReaderJob, nets: Networks, parameters: Mapping[str, Any], progress: Progress) -> ReaderOutput:
        volume = job.volume
        if volume is None:
            return ReaderOutput(ReadState.OUT_OF_SCOPE, problems=(Problem("ai.head.no_volume", {}),))

        def step(share: float, stage: str) -> None:
            if progress.cancelled():
                raise Cancelled
            progress.report(share, stage)

        step(0.0, "head.skull")
        turned = turn(volume.voxels, volume.geometry)
        problems = refusals(turned.voxels, turned.geometry.spacing_mm, volume.unit)
        if problems:
            return ReaderOutput(ReadState.OUT_OF_SCOPE, problems=problems)
        stack = stack_of(turned)
        area, tissue = ring_and_tissue(stack)
        problems = stack_refusals(area, tissue)
        if problems:
            return ReaderOutput(ReadState.OUT_OF_SCOPE, problems=problems)
        step(0.2, "head.bleeding")
        flips = int(parameters.get("flips", 4))
        found = bleed_map(
            stack.planes, stack.frame, stack.around, nets, flips, lambda s: step(0.2 + 0.65 * s, "head.bleeding")
        )
        step(0.85, "head.outlines")
        masks = stack.back(outlines(found, stack.around, parameters).astype(np.float32)) > 0.5
        smooth = along(found.probability, stack.around, float(parameters.get("mask_smoothing", 0.0)))
        probability = stack.back(smooth)
        told = []
        skull = Skull(stack.planes)
        for mark in marks_of(stack, masks, probability)[:BEST]:
            likely = calibrated(mark.score, parameters)
            if likely >= float(parameters.get("threshold", 0.5)):
                told.append(_told(job, turned, stack, mark, likely, parameters, skull.lies(mark.mask, mark.low)))
        highest = float(slice_scores(found, stack.around, parameters).max())
        total_ml = sum(f.measurements[0].value for f, _ in told) / 1000.0
        values, notes = told_of_midline(midline_of(stack)) if volume.unit == "HU" else ((), ())
        step(1.0, "head.done")
        return ReaderOutput(
            ReadState.COMPLETED,
            tuple(f for f, _ in told),
            (Heatmap(BLEED, np.clip(probability, 0, 1).astype(np.float16), stack.geometry),),
            tuple(m for _, m in told),
            (*remarks(stack, area, tissue, dict(job.attributes)), *notes),
            (("head.bleed_volume", round(total_ml, 1), "ml"), ("head.highest_slice_score", round(highest, 3), "1"), *values),
        )


def _band(probability: float, parameters: Mapping[str, Any]) -> Band:
    mid, high = parameters.get("bands", (0.4, 0.75))
    return Band.HIGH if probability >= high else Band.MID if probability >= mid else Band.LOW


def _told(
    job: ReaderJob, turned: Turned, stack: Stack, mark: Mark, likely: float, parameters: Mapping[str, Any], lies: str
) -> tuple[Finding, SegmentMask]:
    assert job.volume is not None
    source = job.volume.geometry
    weights = np.argwhere(mark.mask)
    middle = weights.mean(0) + np.asarray(mark.low)
    centre = stack.geometry.to_patient((float(middle[0]), float(middle[1]), float(middle[2])))
    block, start = to_source(mark.mask, mark.low, stack, turned.geometry.shape)
    block, start = _tight(block, start)
    seen, first = turned.back(block, start)
    seen = np.asarray(seen, bool)
    corners = source.to_patient_many(
        np.asarray([[first[a] - 0.5 + (seen.shape[a] if bit >> a & 1 else 0) for a in range(3)] for bit in range(8)])
    )
    low, high = corners.min(0), corners.max(0)
    best = int(np.argmax(seen.sum((1, 2))))
    uids = job.volume.source_sop_instance_uids
    index = source.to_index(centre)
    volume_mm3 = float(mark.mask.sum()) * stack.voxel_mm3
    extent = max(float(high[0] - low[0]), float(high[1] - low[1]))
    sizes = (
        Measurement(Quantity.VOLUME, round(volume_mm3, 1), "mm3"),
        Measurement(Quantity.LENGTH, round(extent, 1), "mm"),
        Measurement(Quantity.MEAN, round(mark.mean_hu, 1), HU_UNIT),
    )
    rounded = tuple(round(c, 1) for c in centre)
    finding_id = uid_for(job.study_instance_uid, job.display_set_id, job.identity.package_sha256, "bleed", repr(rounded))
    # Without a source image (resampled slices) pixels would be those of no image at all.
    on_image = (
        ()
        if not uids
        else (
            uids[first[0] + best],
            0,
            (round(index[2] + 0.5, 2), round(index[1] + 0.5, 2)),
            (float(first[2]), float(first[1]), float(first[2] + seen.shape[2]), float(first[1] + seen.shape[1])),
            _contour(seen[best], first[1], first[2]),
        )
    )
    location = Location(
        (round(centre[0], 3), round(centre[1], 3), round(centre[2], 3)),
        (
            (round(float(low[0]), 3), round(float(low[1]), 3), round(float(low[2]), 3)),
            (round(float(high[0]), 3), round(float(high[1]), 3), round(float(high[2]), 3)),
        ),
        source.frame_of_reference_uid,
        *on_image,
    )
    finding = Finding(
        finding_id,
        Source.AI,
        BLEED,
        location,
        sizes,
        side_of(stack, (float(middle[1]), float(middle[2]))),
        attributes=((LIES, lies),) if lies else (),
        score=round(mark.score, 4),
        probability=round(likely, 4),
        band=_band(likely, parameters),
        reader=job.identity,
        source_sop_instance_uids=tuple(uids[first[0] : first[0] + seen.shape[0]]) if uids else (),
    )
    cropped = source.cropped(*(slice(a, a + n) for a, n in zip(first, seen.shape, strict=True)))
    return finding, SegmentMask(finding_id, seen, cropped)


def side_of(stack: Stack, row_column: tuple[float, float]) -> str:
    """R or L by the midline; empty near it. Columns of the slabs grow to the patient's left."""
    turn_rad = math.radians(stack.frame.angle_deg)
    across = np.asarray([-math.sin(turn_rad), math.cos(turn_rad)])  # of (x, y), away from the midline
    if across[0] < 0:
        across = -across
    if abs(across[0]) < 0.5:  # the line found runs from side to side: it is not the midline
        across = np.asarray([1.0, 0.0])
    offset = np.asarray([row_column[1] - stack.frame.x, row_column[0] - stack.frame.y]) @ across
    far = float(offset) * stack.geometry.spacing_mm[2]
    return "" if abs(far) < MIDDLE_MM else "L" if far > 0 else "R"


def _tight(block: npt.NDArray[np.bool_], start: tuple[int, int, int]) -> tuple[npt.NDArray[np.bool_], tuple[int, int, int]]:
    index = np.nonzero(block)
    low, high = [int(a.min()) for a in index], [int(a.max()) + 1 for a in index]
    inner = block[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    return inner, (start[0] + low[0], start[1] + low[1], start[2] + low[2])


def _contour(plane: npt.NDArray[np.bool_], row: int, column: int) -> tuple[tuple[float, float], ...]:
    """Outline in image_px (x, y), corner origin, of the largest part."""
    parts, _ = cv2.findContours(np.pad(plane, 1).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not parts:
        return ()
    points = max(parts, key=cv2.contourArea).reshape(-1, 2) - 1
    return tuple((float(x + column) + 0.5, float(y + row) + 0.5) for x, y in points)


READER = HeadCtReader()
