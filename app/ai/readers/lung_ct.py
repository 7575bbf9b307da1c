"""Second reader for nodules on chest CT: lungs, candidates, a network that sorts them, outlines, measurements.

Works on the voxels turned to head-back-left, whatever their order in the file; everything that leaves is in patient mm.
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
from app.ai.readers.lung.candidates import LungField, prepare
from app.ai.readers.lung.canonical import Turned, turn
from app.ai.readers.lung.detect import Detections, detect
from app.ai.readers.lung.lobes import region_told
from app.ai.readers.lung.malignancy import malignancy_of
from app.ai.readers.lung.nodule import Measured, measure
from app.ai.readers.lung.outline import Outline, Within, connected, outline
from app.ai.readers.lung.scope import mask_refusals, refusals, remarks
from app.ai.readers.lung.trim import without_tail
from app.ai.readers.lung.window import support, to_array
from app.domain.finding import SUSPICION, Band, Finding, Heatmap, Location, ReadState, SegmentMask, Source
from app.domain.geometry import VolumeGeometry
from app.domain.identity import uid_for
from app.domain.measurement import Code, Measurement, Quantity
from app.domain.ports import Cancelled, Progress
from app.domain.problem import Problem

NODULE = Code("27925004", "SCT", "Nodule")
HU_UNIT = "[hnsf'U]"
SMALLEST_MM = 3.0
OUTLINES_AT_ONCE = 4


def calibrated(score: float, parameters: Mapping[str, Any]) -> float:
    """Probability of a true nodule for a raw score, read from the package's table; the logistic where there is none."""
    table = parameters.get("calibration")
    if not table:
        return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, score))))
    return float(np.interp(score, table["score"], table["probability"]))


@dataclass(frozen=True, eq=False)
class _Nodule:
    score: float
    probability: float
    outline: Outline
    mask: npt.NDArray[np.bool_]
    """On the turned grid from ``low`` on."""
    low: tuple[int, int, int]
    measured: Measured
    centre_kji: tuple[float, float, float]
    side: int


class LungCtReader:
    name = "lung_ct"

    def run(self, job: ReaderJob, nets: Networks, parameters: Mapping[str, Any], progress: Progress) -> ReaderOutput:
        volume = job.volume
        if volume is None:
            return ReaderOutput(ReadState.OUT_OF_SCOPE, problems=(Problem("ai.lung.no_volume", {}),))

        def step(share: float, stage: str) -> None:
            if progress.cancelled():
                raise Cancelled
            progress.report(share, stage)

        step(0.0, "lung.lungs")
        turned = turn(volume.voxels, volume.geometry)
        spacing = turned.geometry.spacing_mm
        problems = refusals(turned.voxels, spacing, volume.unit)
        if problems:
            return ReaderOutput(ReadState.OUT_OF_SCOPE, problems=problems)
        field = prepare(turned.voxels, spacing)
        problems = mask_refusals(field)
        if problems:
            return ReaderOutput(ReadState.OUT_OF_SCOPE, problems=problems)
        step(0.15, "lung.candidates")
        found = detect(turned.voxels, spacing, field, nets, lambda s: step(0.15 + 0.5 * s, "lung.candidates"))
        step(0.65, "lung.outlines")
        nodules = self.nodules(turned, field, found, nets, parameters, lambda s: step(0.65 + 0.3 * s, "lung.outlines"))
        step(0.95, "lung.heatmap")
        heatmap = _heatmap(turned.geometry, field, found, nodules, parameters)
        findings, masks = [], []
        for nodule in nodules:
            finding, mask = _told(job, turned, field, nodule, parameters, _suspicion(turned, nodule, parameters))
            findings.append(finding)
            masks.append(mask)
        step(1.0, "lung.done")
        millilitres = sum(field.mask.millilitres)
        return ReaderOutput(
            ReadState.COMPLETED,
            tuple(findings),
            (heatmap,),
            tuple(masks),
            remarks(field),
            (("lung.volume", round(millilitres / 1000.0, 2), "l"),),
        )

    def nodules(
        self,
        turned: Turned,
        field: LungField,
        found: Detections,
        nets: Networks,
        parameters: Mapping[str, Any],
        step: Any,
    ) -> list[_Nodule]:
        """Outlined detections above the threshold, best first, one for each nodule."""
        threshold = float(parameters.get("threshold", 0.5))
        most = int(parameters.get("most_findings", 12))
        mirrors = int(parameters.get("mirrors", 8))
        probability = np.asarray([calibrated(float(s), parameters) for s in found.score])
        chosen = [n for n in range(len(found)) if probability[n] >= threshold][: 2 * most]
        kept: list[_Nodule] = []
        within = _lungs_and_rim(field)
        for first in range(0, len(chosen), OUTLINES_AT_ONCE):
            part = chosen[first : first + OUTLINES_AT_ONCE]
            seeds = [(float(found.kji[n, 0]), float(found.kji[n, 1]), float(found.kji[n, 2])) for n in part]
            spacing = turned.geometry.spacing_mm
            outlines = outline(turned.voxels, seeds, spacing, nets, min(mirrors, 4), within=within)
            for n, one in zip(part, outlines, strict=True):
                place = (float(found.kji[n, 0]), float(found.kji[n, 1]), float(found.kji[n, 2]))
                score, side = float(found.score[n]), int(found.side[n])
                nodule = _outlined(turned, one, place, score, float(probability[n]), side, parameters)
                if nodule is not None and not any(_same(nodule, o) or _satellite(place, o, spacing) for o in kept):
                    kept.append(nodule)
            step(min(1.0, (first + OUTLINES_AT_ONCE) / max(1, len(chosen))))
        return kept[:most]


def _lungs_and_rim(field: LungField) -> Within:
    """True in the closed lungs and 3 mm around: an outline that runs on into the chest wall is none."""
    near = np.asarray(ndimage.distance_transform_edt(~field.mask.any, field.coarse.step_mm) <= 3.0)
    scale = np.asarray(field.coarse.scale) * np.asarray(field.work.scale)
    first = field.work.to_source(field.coarse.to_source(np.zeros(3)))

    def within(coordinates: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
        index = [
            np.clip(np.rint((coordinates[a] - first[a]) / scale[a]).astype(np.intp), 0, near.shape[a] - 1) for a in range(3)
        ]
        return np.asarray(near[index[0], index[1], index[2]])

    return within


def _outlined(
    turned: Turned,
    one: Outline,
    place: tuple[float, float, float],
    score: float,
    probability: float,
    side: int,
    parameters: Mapping[str, Any],
) -> _Nodule | None:
    cut = float(parameters.get("mask_threshold", 0.5))
    shape = turned.geometry.shape
    low, high = support(one.window, shape)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    values = _on_box(one, low, high)
    seed = tuple(s - a for s, a in zip(one.window.seed, low, strict=True))
    mask = connected(values, cut, (seed[0], seed[1], seed[2]))
    if not mask.any():
        return None
    found_at = (place[0] - low[0], place[1] - low[1], place[2] - low[2])
    mask = without_tail(mask, found_at, turned.geometry.spacing_mm)
    measured = measure(turned.voxels[box], mask, turned.geometry.spacing_mm)
    if measured.mean_diameter_mm < SMALLEST_MM:
        return None
    index = np.nonzero(mask)
    centre = tuple(float(a.mean()) + b for a, b in zip(index, low, strict=True))
    start = [int(a.min()) for a in index]
    stop = [int(a.max()) + 1 for a in index]
    tight = mask[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
    offset = (low[0] + start[0], low[1] + start[1], low[2] + start[2])
    measured_here = Measured(**{**measured.__dict__, "slice_index": measured.slice_index + low[0]})
    return _Nodule(score, probability, one, tight, offset, measured_here, (centre[0], centre[1], centre[2]), side)


def _on_box(one: Outline, low: list[int], high: list[int]) -> npt.NDArray[np.float32]:
    """The outline's probability on a box of the turned grid, without an array of the whole volume."""
    seed = one.window.seed
    moved = type(one.window)(
        one.window.coordinates - np.asarray(low, np.float32)[:, None, None, None],
        one.window.offsets_mm,
        one.window.matrix,
        (seed[0] - low[0], seed[1] - low[1], seed[2] - low[2]),
        one.window.spacing_mm,
        one.window.field_mm,
    )
    return to_array(one.probability, moved, (high[0] - low[0], high[1] - low[1], high[2] - low[2]))


SATELLITE_MM = 4.0


def _satellite(centre: tuple[float, float, float], kept: _Nodule, spacing_mm: tuple[float, float, float]) -> bool:
    """The place lies in the outline or within a few millimetres of it: a spicule, or the rim of the same nodule."""
    points = np.argwhere(kept.mask) + np.asarray(kept.low)
    gap = (points - np.asarray(centre)) * np.asarray(spacing_mm)
    return bool((gap**2).sum(1).min() <= SATELLITE_MM**2)


def _same(a: _Nodule, b: _Nodule) -> bool:
    """Two outlines of one nodule: they share a third of the smaller one."""
    low = [max(x, y) for x, y in zip(a.low, b.low, strict=True)]
    high = [min(x + n, y + m) for x, n, y, m in zip(a.low, a.mask.shape, b.low, b.mask.shape, strict=True)]
    if any(h <= lo for lo, h in zip(low, high, strict=True)):
        return False
    part_a = a.mask[tuple(slice(lo - s, h - s) for lo, h, s in zip(low, high, a.low, strict=True))]
    part_b = b.mask[tuple(slice(lo - s, h - s) for lo, h, s in zip(low, high, b.low, strict=True))]
    return int((part_a & part_b).sum()) > 0.33 * min(int(a.mask.sum()), int(b.mask.sum()))


def _band(probability: float, parameters: Mapping[str, Any]) -> Band:
    mid, high = parameters.get("bands", (0.4, 0.75))
    return Band.HIGH if probability >= high else Band.MID if probability >= mid else Band.LOW


def _suspicion(turned: Turned, nodule: _Nodule, parameters: Mapping[str, Any]) -> float | None:
    """Probability that readers would call the nodule malignant; None where the package does not show it."""
    weights = parameters.get("malignancy")
    if not weights or not weights.get("shown", False):
        return None
    start = [max(0, a - 6) for a in nodule.low]
    stop = [a + n + 6 for a, n in zip(nodule.low, nodule.mask.shape, strict=True)]
    voxels = turned.voxels[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
    mask = np.zeros(voxels.shape, bool)
    inner = zip(nodule.low, start, nodule.mask.shape, strict=True)
    mask[tuple(slice(a - b, a - b + n) for a, b, n in inner)] = nodule.mask
    odds = malignancy_of(voxels, mask, turned.geometry.spacing_mm, nodule.outline.traits, weights)
    return 1.0 / (1.0 + math.exp(-odds))


def _told(
    job: ReaderJob,
    turned: Turned,
    field: LungField,
    nodule: _Nodule,
    parameters: Mapping[str, Any],
    suspicion: float | None,
) -> tuple[Finding, SegmentMask]:
    assert job.volume is not None
    geometry, source = turned.geometry, job.volume.geometry
    block, start = turned.back(nodule.mask, nodule.low)
    centre = geometry.to_patient(nodule.centre_kji)
    corners = source.to_patient_many(
        np.asarray(
            [[start[a] - 0.5 + (block.shape[a] if bit >> a & 1 else 0) for a in range(3)] for bit in range(8)], np.float64
        )
    )
    low, high = corners.min(0), corners.max(0)
    k_of_slice = [int(np.asarray(block[k]).sum()) for k in range(block.shape[0])]
    best = int(np.argmax(k_of_slice))
    uids = job.volume.source_sop_instance_uids
    contour = _contour(np.asarray(block[best], bool), start[1], start[2])
    centre_index = source.to_index(centre)
    laterality, region = _place(field, nodule, geometry)
    m = nodule.measured
    sizes = (
        Measurement(Quantity.LONG_AXIS, m.long_axis_mm, "mm"),
        Measurement(Quantity.SHORT_AXIS, m.short_axis_mm, "mm"),
        Measurement(Quantity.MEAN_DIAMETER, m.mean_diameter_mm, "mm"),
        Measurement(Quantity.VOLUME, m.volume_mm3, "mm3"),
        Measurement(Quantity.MEAN, m.mean_hu, HU_UNIT),
    )
    attributes = [("composition", m.kind)]
    if m.kind == "part_solid":
        attributes.append(("solid_part_mm", f"{m.solid_mm:.1f}"))
    if suspicion is not None:
        attributes.append((SUSPICION, f"{suspicion:.2f}"))
    rounded = tuple(round(c, 1) for c in centre)
    finding_id = uid_for(job.study_instance_uid, job.display_set_id, job.identity.package_sha256, "nodule", repr(rounded))
    # Without a source image (resampled slices) pixels would be those of no image at all.
    on_image = (
        ()
        if not uids
        else (
            uids[start[0] + best],
            0,
            (round(centre_index[2] + 0.5, 2), round(centre_index[1] + 0.5, 2)),
            (float(start[2]), float(start[1]), float(start[2] + block.shape[2]), float(start[1] + block.shape[1])),
            contour,
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
        NODULE,
        location,
        sizes,
        laterality,
        region,
        tuple(attributes),
        score=round(nodule.score, 4),
        probability=round(min(1.0, max(0.0, nodule.probability)), 4),
        band=_band(nodule.probability, parameters),
        reader=job.identity,
        source_sop_instance_uids=tuple(uids[start[0] : start[0] + block.shape[0]]) if uids else (),
    )
    cropped = source.cropped(*(slice(a, a + n) for a, n in zip(start, block.shape, strict=True)))
    return finding, SegmentMask(finding_id, np.asarray(block, bool), cropped)


def _contour(plane: npt.NDArray[np.bool_], row: int, column: int) -> tuple[tuple[float, float], ...]:
    """Outline in image_px (x, y), corner origin, of the largest part."""
    parts, _ = cv2.findContours(np.pad(plane, 1).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not parts:
        return ()
    points = max(parts, key=cv2.contourArea).reshape(-1, 2) - 1
    return tuple((float(x + column) + 0.5, float(y + row) + 0.5) for x, y in points)


def _place(field: LungField, nodule: _Nodule, geometry: VolumeGeometry) -> tuple[str, str]:
    """(R or L, message id of the lobe-side region). Turned i grows to the patient's left."""
    sides = field.mask.sides
    index = field.coarse.to_work(field.work.to_work(np.asarray(nodule.centre_kji)))
    k, j, i = (int(np.clip(round(float(v)), 0, n - 1)) for v, n in zip(index, sides.shape, strict=True))
    side = int(sides[k, j, i]) or nodule.side
    both = [np.argwhere(sides == s) for s in (1, 2)]
    if side == 0 or not len(both[side - 1]):
        side = 2 if i > sides.shape[2] / 2 else 1
    alone = not len(both[2 - side])
    middle = sides.shape[2] / 2
    if alone:  # one lung seen: its place in the body tells which
        side = 2 if float(both[side - 1][:, 2].mean()) > middle else 1
    mine = both[side - 1] if len(both[side - 1]) else both[2 - side]
    laterality = "L" if side == 2 else "R"
    low, high = mine.min(0), mine.max(0)
    up = (k - low[0]) / max(1, high[0] - low[0])
    back = (j - low[1]) / max(1, high[1] - low[1])
    return laterality, region_told(laterality, float(np.clip(up, 0, 1)), float(np.clip(back, 0, 1)))


def _heatmap(
    geometry: VolumeGeometry, field: LungField, found: Detections, nodules: list[_Nodule], parameters: Mapping[str, Any]
) -> Heatmap:
    """Calibrated probability on the coarse grid: each place has the highest value of the marks that cover it."""
    coarse, work = field.coarse, field.work
    values = np.zeros(coarse.values.shape, np.float32)
    step = np.asarray(coarse.step_mm)
    for kji, score, sigma in zip(found.kji, found.score, found.sigma_mm, strict=True):
        probability = calibrated(float(score), parameters)
        if probability < 0.02:
            continue
        centre = coarse.to_work(work.to_work(kji))
        radius = max(3.0, math.sqrt(3) * float(sigma))
        reach = np.ceil(radius * 1.6 / step).astype(int)
        low = np.maximum(np.floor(centre).astype(int) - reach, 0)
        high = np.minimum(np.ceil(centre).astype(int) + reach + 1, values.shape)
        axes = [(np.arange(a, b) - c) * s for a, b, c, s in zip(low, high, centre, step, strict=True)]
        distance = np.sqrt(axes[0][:, None, None] ** 2 + axes[1][None, :, None] ** 2 + axes[2][None, None, :] ** 2)
        fall = (
            np.clip(1.6 - 0.6 * distance / radius, 0, 1)
            * (distance <= 1.6 * radius)
            * np.clip(2.6 - distance / radius * 1.6, 0, 1)
        )
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        values[box] = np.maximum(values[box], probability * fall)
    for nodule in nodules:  # an outlined nodule glows as far as its outline goes
        points = coarse.to_work(work.to_work(np.argwhere(nodule.mask) + np.asarray(nodule.low)))
        index = np.unique(np.clip(np.rint(points).astype(int), 0, np.asarray(values.shape) - 1), axis=0)
        values[tuple(index.T)] = np.maximum(values[tuple(index.T)], nodule.probability)
    first = work.to_source(coarse.to_source(np.zeros(3)))
    scale = np.asarray(coarse.scale) * np.asarray(work.scale)
    steps = [
        np.asarray(s) * c for s, c in zip((geometry.k_step_mm, geometry.j_step_mm, geometry.i_step_mm), scale, strict=True)
    ]

    def point(v: npt.NDArray[np.float64]) -> tuple[float, float, float]:
        return float(v[0]), float(v[1]), float(v[2])

    grid = VolumeGeometry(
        geometry.to_patient((float(first[0]), float(first[1]), float(first[2]))),
        point(steps[0]),
        point(steps[1]),
        point(steps[2]),
        (values.shape[0], values.shape[1], values.shape[2]),
        geometry.frame_of_reference_uid,
    )
    return Heatmap(NODULE, values.astype(np.float16), grid)


READER = LungCtReader()
