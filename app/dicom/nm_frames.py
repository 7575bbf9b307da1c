"""Frames of nuclear medicine objects: slices placed from the detector, time slots, energy windows (PS3.3 C.8.4)."""

from __future__ import annotations

from app.dicom import tags
from app.dicom.frame_headers import modality_transform_of, plane_from, repaired, windows_of
from app.dicom.raw_items import RawDataset
from app.dicom.values import code, codes, number, numbers, unsigned_many
from app.domain.geometry import PlaneGeometry
from app.domain.problem import Problem
from app.domain.study import FrameHeader

_VECTORS = {
    "energy": tags.ENERGY_WINDOW_VECTOR,
    "detector": tags.DETECTOR_VECTOR,
    "phase": tags.PHASE_VECTOR,
    "rr": tags.RR_INTERVAL_VECTOR,
    "slot": tags.TIME_SLOT_VECTOR,
    "slice": tags.SLICE_VECTOR,
    "time_slice": tags.TIME_SLICE_VECTOR,
}


def is_nm(dataset: RawDataset, modality: str, count: int) -> bool:
    return modality == "NM" and count > 1 and not dataset.items(tags.PER_FRAME_FUNCTIONAL_GROUPS)


def nm_frames(
    dataset: RawDataset, modality: str, rows: int, columns: int, count: int, signed: bool, repairs: list[Problem]
) -> tuple[FrameHeader, ...]:
    """Reconstructed slices lie along the normal of the first one, ``SpacingBetweenSlices`` apart (a negative one goes
    against it, C.8.4.15.1.1). Projections and static views have no place in the patient.
    """
    vectors = {name: unsigned_many(dataset, tag, 2) for name, tag in _VECTORS.items()}
    whole = {name: v for name, v in vectors.items() if len(v) == count}
    transform = modality_transform_of(dataset, modality, signed, repairs)
    windows = windows_of(dataset)
    planes = _planes(dataset, whole, rows, columns, count, repairs) if "RECON" in " ".join(_kind(dataset)) else {}
    found = []
    for n in range(count):
        at = {name: v[n] for name, v in whole.items()}
        energy = f"E{at['energy']}" if len(set(whole.get("energy", ()))) > 1 else ""
        found.append(FrameHeader(planes.get(n), transform, windows, tuple(at.values()), _time(whole, n), energy))
    return tuple(found)


def _kind(dataset: RawDataset) -> tuple[str, ...]:
    """Value 3 of Image Type: STATIC, DYNAMIC, GATED, WHOLE BODY, TOMO, GATED TOMO, RECON TOMO, RECON GATED TOMO."""
    return codes(dataset, tags.IMAGE_TYPE)[2:3]


def _time(vectors: dict[str, tuple[int, ...]], n: int) -> float | None:
    """One number for R-R interval and time slot, or for phase and time slice."""
    for outer, inner in (("rr", "slot"), ("phase", "time_slice")):
        if inner in vectors:
            length = max(vectors[inner])
            first = vectors[outer][n] - 1 if outer in vectors else 0
            return float(first * length + vectors[inner][n])
    return None


def _planes(
    dataset: RawDataset, vectors: dict[str, tuple[int, ...]], rows: int, columns: int, count: int, repairs: list[Problem]
) -> dict[int, PlaneGeometry]:
    detectors = dataset.items(tags.DETECTOR_INFORMATION_SEQUENCE)
    step = number(dataset, tags.SPACING_BETWEEN_SLICES)
    if step is None or step == 0:
        step = number(dataset, tags.SLICE_THICKNESS)
        if step:
            repairs.append(repaired("dicom.repaired.slice_step", mm=round(step, 3)))
    if not step:
        return {}
    out: dict[int, PlaneGeometry] = {}
    seen: dict[tuple[int, ...], int] = {}
    for n in range(count):
        detector = vectors["detector"][n] - 1 if "detector" in vectors else 0
        place = detectors[detector] if 0 <= detector < len(detectors) else dataset
        first = plane_from(
            numbers(place, tags.IMAGE_POSITION_PATIENT) or numbers(dataset, tags.IMAGE_POSITION_PATIENT),
            numbers(place, tags.IMAGE_ORIENTATION_PATIENT) or numbers(dataset, tags.IMAGE_ORIENTATION_PATIENT),
            numbers(dataset, tags.PIXEL_SPACING),
            rows,
            columns,
            code(dataset, tags.FRAME_OF_REFERENCE_UID),
            repairs,
        )
        if first is None:
            return {}
        group = tuple(v[n] for name, v in vectors.items() if name != "slice")
        index = vectors["slice"][n] - 1 if "slice" in vectors else seen.get(group, 0)
        seen[group] = index + 1
        out[n] = _moved(first, step * index)
    return out


def _moved(plane: PlaneGeometry, mm: float) -> PlaneGeometry:
    o, n = plane.origin_mm, plane.normal
    return PlaneGeometry(
        (o[0] + n[0] * mm, o[1] + n[1] * mm, o[2] + n[2] * mm),
        plane.row_cosines,
        plane.column_cosines,
        plane.row_spacing_mm,
        plane.column_spacing_mm,
        plane.rows,
        plane.columns,
        plane.frame_of_reference_uid,
    )
