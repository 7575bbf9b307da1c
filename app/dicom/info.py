"""What ``ekinshi info`` says about files: studies, series, display sets, and each file's state with its reason.

The JSON object has ``"schema": "ekinshi.info/1"``; keys are only added within a version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.dicom.byte_source import FileByteSource
from app.dicom.display_sets import display_sets
from app.dicom.frame_decoder import fragment_note, stored_frame
from app.dicom.one_value import PICTURES, remark
from app.dicom.scanner import scan
from app.dicom.sentences import sentence
from app.dicom.suv import suv_of
from app.dicom.transfer_syntaxes import name_of
from app.domain.ports import ByteSource, Cancelled, Progress, SilentProgress
from app.domain.problem import Problem, ProblemError, Severity
from app.domain.study import DisplaySet, Instance, RefusedFile, Series, Study

SCHEMA = "ekinshi.info/1"


def inspect(
    paths: Sequence[Path], pixels: bool = False, progress: Progress | None = None, source: ByteSource | None = None
) -> dict[str, Any]:
    """The report as a JSON-able dictionary. Raises ``Cancelled`` only."""
    watch = progress if progress is not None else SilentProgress()
    files_source: ByteSource = source if source is not None else FileByteSource()
    found = scan(paths, watch, files_source)
    files = []
    for n, opened in enumerate(found.files):
        if watch.cancelled():
            raise Cancelled
        files.append(file_entry(opened.path, opened.instance, files_source, pixels))
        if pixels:
            watch.report((n + 1) / len(found.files), "pixels")
    files.extend(refused_entry(r) for r in found.refused)
    files.extend({"path": p, **_EMPTY, "state": "exact", "reason": "", "kind": "not_an_object"} for p in found.ignored)
    files.sort(key=lambda f: str(f["path"]))
    counts = {s: sum(f["state"] == s for f in files) for s in ("exact", "repaired", "refused")}
    return {
        "schema": SCHEMA,
        "files_seen": found.files_seen,
        "counts": counts,
        "studies": [_study(s) for s in found.studies],
        "files": files,
        "duplicates": [
            {"path": d.path, "sop_instance_uid": d.sop_instance_uid, **_told(d.problem)} for d in found.duplicates
        ],
        "remarks": [_told(p) for p in found.remarks],
    }


def all_opened(report: dict[str, Any]) -> bool:
    """False when a file was refused: exit code 1 of the command."""
    return bool(report["counts"]["refused"] == 0)


_EMPTY: dict[str, Any] = {"sop_instance_uid": "", "transfer_syntax_uid": ""}


def _told(problem: Problem) -> dict[str, Any]:
    return {"reason": problem.code, "params": dict(problem.params), "sentence": sentence(problem)}


def _duplicate(found: RefusedFile) -> dict[str, Any]:
    return {"path": found.path, "sop_instance_uid": found.sop_instance_uid, **_told(found.problem)}


def refused_entry(refused: RefusedFile) -> dict[str, Any]:
    return {
        "path": refused.path,
        "sop_instance_uid": refused.sop_instance_uid,
        "transfer_syntax_uid": refused.transfer_syntax_uid,
        "state": "refused",
        **_told(refused.problem),
    }


def file_entry(path: str, instance: Instance, source: ByteSource, pixels: bool) -> dict[str, Any]:
    """One opened file; with ``pixels`` its stored values are decoded and summed up."""
    entry: dict[str, Any] = {
        "path": path,
        "sop_instance_uid": instance.sop_instance_uid,
        "sop_class_uid": instance.sop_class_uid,
        "transfer_syntax_uid": instance.transfer_syntax_uid,
        "transfer_syntax": name_of(instance.transfer_syntax_uid),
        "state": "repaired" if instance.repairs else "exact",
        "reason": instance.repairs[0].code if instance.repairs else "",
    }
    if instance.repairs:
        entry["params"] = dict(instance.repairs[0].params)
        entry["sentence"] = sentence(instance.repairs[0])
        entry["repairs"] = [_told(p) for p in instance.repairs]
    if pixels and instance.pixel_format is not None:
        try:
            entry["pixels"] = pixel_summary(instance, source)
            note = fragment_note(instance, source)
            told = [Problem(note, {}, Severity.WARNING)] if note else []
            alike = entry["pixels"]["min"] == entry["pixels"]["max"] and int(np.prod(entry["pixels"]["shape"])) > 1
            if alike and instance.sop_class_uid in PICTURES:
                told.append(remark())
            for mended in told:
                entry["repairs"] = [*entry.get("repairs", ()), _told(mended)]
                if entry["state"] == "exact":
                    entry["state"] = "repaired"
                    entry.update(_told(mended))
        except ProblemError as error:
            entry["state"] = "refused"
            entry.update(_told(error.problem))
    return entry


def pixel_summary(instance: Instance, source: ByteSource) -> dict[str, Any]:
    """Shape, dtype, min, max, mean and SHA-256 of the stored values, frame by frame in constant memory."""
    frames = instance.pixel_format.frames if instance.pixel_format else 0
    digest = hashlib.sha256()
    total: float | int = 0
    count = 0
    low: float | int | None = None
    high: float | int | None = None
    shape: tuple[int, ...] = ()
    kind = ""
    for n in range(frames):
        values = np.ascontiguousarray(stored_frame(instance, n, source))
        if n == 0:
            shape, kind = values.shape, values.dtype.name
        digest.update(values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes())
        lowest, highest, added = _moments(values)
        low = lowest if low is None else min(low, lowest)
        high = highest if high is None else max(high, highest)
        total += added
        count += values.size
    return {
        "shape": [frames, *shape],
        "dtype": kind,
        "min": low,
        "max": high,
        "mean": total / count if count else None,
        "sha256": digest.hexdigest(),
    }


def _moments(values: npt.NDArray[Any]) -> tuple[float | int, float | int, float | int]:
    """(min, max, sum); whole numbers are summed exactly. Values that are not numbers are left out of floats."""
    if values.dtype.kind == "f":
        finite = values[np.isfinite(values)]
        if not finite.size:
            return 0.0, 0.0, 0.0
        return float(finite.min()), float(finite.max()), float(finite.sum(dtype=np.float64))
    kind = np.int64 if values.dtype.kind == "i" else np.uint64
    return int(values.min()), int(values.max()), int(values.sum(dtype=kind))


def _study(study: Study) -> dict[str, Any]:
    sets: dict[str, list[DisplaySet]] = {}
    for found in display_sets(study):
        sets.setdefault(found.series_instance_uid, []).append(found)
    return {
        "study_instance_uid": study.study_instance_uid,
        "patient_id": study.patient.patient_id,
        "patient_name": study.patient.name.display(),
        "patient_birth_date": study.patient.birth_date,
        "patient_sex": study.patient.sex,
        "study_datetime": study.study_datetime,
        "accession_number": study.accession_number,
        "description": study.description,
        "modalities": list(study.modalities),
        "instances": study.instance_count(),
        "series": [_series(s, sets.get(s.series_instance_uid, [])) for s in study.series],
    }


def _suv(series: Series) -> dict[str, Any]:
    found = suv_of(series.instances)
    if isinstance(found, Problem):
        return {"factor": None, **_told(found)}
    return {"factor": found.factor, "decay_s": found.decay_s, "remarks": [_told(p) for p in found.remarks]}


def _series(series: Series, sets: list[DisplaySet]) -> dict[str, Any]:
    return {
        "series_instance_uid": series.series_instance_uid,
        "modality": series.modality,
        "series_number": series.series_number,
        "description": series.description,
        "body_part_examined": series.body_part_examined,
        "instances": len(series.instances),
        "frames": sum(len(i.frames) for i in series.instances),
        "transfer_syntaxes": sorted({i.transfer_syntax_uid for i in series.instances}),
        **({"suv": _suv(series)} if series.modality == "PT" else {}),
        "display_sets": [
            {
                "display_set_id": d.display_set_id,
                "kind": d.kind.value,
                "frames": len(d.frames),
                "label": d.label,
                "split_reason": d.split_reason.code if d.split_reason else "",
                **({"moment": f"{d.moment.number}/{d.moment.count} {d.moment.value}"} if d.moment else {}),
                "remarks": [_told(p) for p in d.remarks],
            }
            for d in sets
        ],
    }
