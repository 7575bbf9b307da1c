"""The labelled nodule volumes (a folder with ``labels.csv``, ``image/`` and ``nodule_mask/``)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.ai.training.nifti import read_nifti

RATINGS = ("malignancy", "spiculation", "lobulation", "margin", "sphericity", "texture", "subtlety")


@dataclass(frozen=True, eq=False)
class Nodule:
    """One nodule cut from a chest CT. ``hu`` and ``mask`` are ``[k, j, i]``; spacing (k, j, i) in mm."""

    file: str
    patient: str
    hu: npt.NDArray[np.int16]
    mask: npt.NDArray[np.bool_]
    spacing_mm: tuple[float, float, float]
    diameter_mm: float
    malignant: int | None
    ratings: tuple[float, ...]
    """In the order of ``RATINGS``; NaN where not given."""
    calcified: float
    split: str

    @property
    def volume_mm3(self) -> float:
        return float(self.mask.sum() * np.prod(self.spacing_mm))

    @property
    def equivalent_diameter_mm(self) -> float:
        return float((6.0 * self.volume_mm3 / np.pi) ** (1 / 3))

    @property
    def centroid(self) -> tuple[float, float, float]:
        k, j, i = (float(a.mean()) for a in np.nonzero(self.mask))
        return k, j, i


def _number(text: str | None) -> float:
    try:
        return float(text) if text not in (None, "") else float("nan")
    except ValueError:
        return float("nan")


def load_nodules(folder: Path, split: str = "all") -> list[Nodule]:
    """Nodules of ``split`` (train, val, test, all) in the order of the table.

    Where the table has no ``split`` column every row counts as test. Raises ``ValueError`` when there is nothing to read.
    """
    table = folder / "labels.csv"
    if not table.is_file():
        raise ValueError(f"{folder} has no labels.csv")
    with table.open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    nodules = []
    for row in rows:
        part = (row.get("split") or "").strip() or "test"
        if split != "all" and part != split:
            continue
        image = read_nifti(folder / "image" / row["file"])
        mask = read_nifti(folder / "nodule_mask" / row["file"]).values > 0
        if mask.shape != image.values.shape or not mask.any():
            continue
        malignant = _number(row.get("malignant"))
        diameter = _number(row.get("diameter_mm"))
        calcification = _number(row.get("calcification"))
        nodules.append(
            Nodule(
                row["file"],
                row.get("patient_id") or row["file"],
                np.asarray(image.values, np.int16),
                mask,
                image.spacing_mm,
                diameter,
                None if np.isnan(malignant) else int(malignant),
                tuple(_number(row.get(name)) for name in RATINGS),
                float("nan") if np.isnan(calcification) else float(calcification < 6),
                part,
            )
        )
    if not nodules:
        raise ValueError(f"no nodule of split {split} in {folder}")
    return nodules
