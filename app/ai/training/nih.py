"""Chest films in the form of ``labelled/chest-xray-nih``: pictures, findings from reports, a few boxes."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.readers.chest.field import SIDE, prepare
from app.ai.readers.chest.measure import film_traits, place_maps, stacked
from app.ai.readers.chest_xray import FilmMeasured, measured_film
from app.ai.readers.film.places import at_places, places_in
from app.ai.training.film_nodules import with_nodule

Floats = npt.NDArray[np.float32]
BOXED = frozenset({"Nodule", "Mass"})
FINDINGS = (
    "Nodule", "Mass", "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion", "Emphysema", "Fibrosis", "Hernia",
    "Infiltration", "Pleural_Thickening", "Pneumonia", "Pneumothorax", "No_Finding",
)  # fmt: skip
YES = ("1", "1.0")
INSERTED_PLACES = 12


@dataclass(frozen=True)
class LabelledChest:
    name: str
    path: Path
    patient: str
    split: str
    nodule: bool
    mass: bool
    view: str
    boxes: tuple[tuple[float, float, float, float], ...]
    """(x, y, w, h) of nodules and masses in the picture's pixels."""
    findings: frozenset[str] = frozenset()
    """Those of ``FINDINGS`` that the report names."""


def load_set(folder: Path, split: str = "all") -> list[LabelledChest]:
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"image", "Nodule", "Mass"} <= set(rows[0]):
        raise ValueError('labels.csv needs the columns "image", "Nodule" and "Mass"')
    boxes: dict[str, list[tuple[float, float, float, float]]] = {}
    if (folder / "boxes.csv").is_file():
        with (folder / "boxes.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["finding"] in BOXED:
                    box = (float(row["x"]), float(row["y"]), float(row["w"]), float(row["h"]))
                    boxes.setdefault(row["image"], []).append(box)
    found = []
    for row in sorted(rows, key=lambda r: r["image"]):
        here = row.get("split") or "test"
        if split not in ("all", here):
            continue
        name = row["image"]
        path = folder / "images" / name if (folder / "images" / name).is_file() else folder / name
        own = tuple(boxes.get(name, ()))
        told = frozenset(key for key in FINDINGS if (row.get(key) or "").strip() in YES)
        patient, view = row.get("patient") or name, row.get("view") or ""
        found.append(LabelledChest(name, path, patient, here, "Nodule" in told, "Mass" in told, view, own, told))
    return found


def grey_of(film: LabelledChest) -> Floats:
    grey = cv2.imread(str(film.path), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise ValueError(f"{film.name} cannot be read")
    return np.asarray(grey, np.float32)


def measured_set(films: Sequence[LabelledChest]) -> list[FilmMeasured]:
    cv2.setNumThreads(1)
    return [measured_film(prepare(grey_of(film))) for film in films]


@dataclass(frozen=True, eq=False)
class Inserted:
    """A film with one calculated nodule in it."""

    measured: FilmMeasured
    inside: Floats
    """(places, maps) of some places inside the nodule."""
    circle: tuple[float, float, float]
    """(x, y, radius) on the grid."""


def inserted(film: LabelledChest) -> Inserted:
    """The same for a film whatever else is in the folder."""
    grey = grey_of(film)
    rng = np.random.default_rng([11, zlib.crc32(film.name.encode())])
    size = (round(grey.shape[1] * SIDE / max(grey.shape)), round(grey.shape[0] * SIDE / max(grey.shape)))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    changed, (x, y, radius) = with_nodule(small, prepare(grey).lungs, rng)
    field = prepare(changed)
    maps = place_maps(field)
    stack = stacked(maps)
    row, column = np.mgrid[: changed.shape[0], : changed.shape[1]]
    centre = np.argwhere(np.hypot(column - x, row - y) <= max(2.0, 0.5 * radius))
    places = places_in(field.lungs)
    measured = FilmMeasured(field, places, at_places(stack, places), tuple(film_traits(field, maps)))
    return Inserted(measured, at_places(stack, rng.permutation(centre)[:INSERTED_PLACES]), (x, y, radius))
