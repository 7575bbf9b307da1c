"""Mammograms in the form of ``labelled/mammo-mias``: pictures, classes, circles, the two breasts of a patient."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.readers.mammogram.study import Measured, measured_views
from app.ai.readers.mammogram.view import BreastView, prepare

FIELD_MM = 204.8
"""Longest side of a picture of the set (512 pixels of 0.4 mm); another size is taken to show the same field."""
NORMAL = "NORM"
MASSES = frozenset({"CIRC", "SPIC", "MISC"})


@dataclass(frozen=True)
class Lesion:
    kind: str
    severity: str
    circle: tuple[float, float, float] | None
    """(x, y, radius) in the picture's pixels, corner origin; None where the table gives no place."""


@dataclass(frozen=True)
class Mammogram:
    name: str
    path: Path
    patient: str
    split: str
    lesions: tuple[Lesion, ...]

    @property
    def abnormal(self) -> bool:
        return bool(self.lesions)

    @property
    def mass(self) -> bool:
        return any(lesion.kind in MASSES for lesion in self.lesions)


def load_set(folder: Path, split: str = "all") -> list[Mammogram]:
    """One entry a picture, by name. Raises ``ValueError`` where the table lacks what is needed."""
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"image", "class"} <= set(rows[0]):
        raise ValueError('labels.csv needs the columns "image" and "class"')
    images: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        images.setdefault(row["image"], []).append(row)
    found = []
    for name in sorted(images):
        own = images[name]
        here = own[0].get("split") or "test"
        if split not in ("all", here):
            continue
        lesions = tuple(
            Lesion(r["class"], r.get("severity") or "", _circle(r)) for r in own if r["class"].strip().upper() != NORMAL
        )
        path = folder / "images" / name if (folder / "images" / name).is_file() else folder / name
        found.append(Mammogram(name, path, own[0].get("patient") or name, here, lesions))
    return found


def _circle(row: dict[str, str]) -> tuple[float, float, float] | None:
    x, y, radius = (row.get(key) or "" for key in ("x", "y", "radius"))
    return (float(x), float(y), float(radius)) if x and y and radius else None


def grey_of(image: Mammogram) -> tuple[npt.NDArray[np.float32], float]:
    """(picture, mm of a pixel)."""
    grey: npt.NDArray[np.uint8] | None = cv2.imread(str(image.path), cv2.IMREAD_GRAYSCALE)  # type: ignore[assignment]
    if grey is None:
        raise ValueError(f"{image.name} cannot be read")
    return grey.astype(np.float32), FIELD_MM / max(grey.shape)


def view_of(image: Mammogram) -> BreastView:
    grey, step = grey_of(image)
    return prepare(grey, (step, step), None)


def partner_of(images: Sequence[Mammogram]) -> list[int | None]:
    """The other picture of the patient, where there are exactly two (the two breasts)."""
    by_patient: dict[str, list[int]] = {}
    for n, image in enumerate(images):
        by_patient.setdefault(image.patient, []).append(n)
    found: list[int | None] = []
    for n, image in enumerate(images):
        same = by_patient[image.patient]
        found.append(next(m for m in same if m != n) if len(same) == 2 else None)
    return found


def measured_set(images: Sequence[Mammogram]) -> list[Measured]:
    """All pictures measured, patient by patient, so that only one patient's maps are in memory."""
    cv2.setNumThreads(1)
    out: dict[int, Measured] = {}
    by_patient: dict[str, list[int]] = {}
    for n, image in enumerate(images):
        by_patient.setdefault(image.patient, []).append(n)
    for members in by_patient.values():
        own = [images[n] for n in members]
        for n, result in zip(members, measured_views([view_of(i) for i in own], partner_of(own)), strict=True):
            out[n] = result
    return [out[n] for n in range(len(images))]
