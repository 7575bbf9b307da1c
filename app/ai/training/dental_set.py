"""The labelled panoramic films (a folder with ``images/`` and ``boxes.csv``); ``film`` and ``split`` may be absent."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class LabelledFilm:
    """One image with its boxes: ``kinds[n]`` and ``boxes[n]`` (x0, y0, x1, y1) in its own pixels."""

    image: str
    film: str
    values: npt.NDArray[np.float32]
    kinds: tuple[str, ...]
    boxes: npt.NDArray[np.float64]


def load_films(folder: Path, split: str = "all") -> list[LabelledFilm]:
    """Films of one split; without the column every film belongs to every split. Raises ``ValueError`` when none is left.

    Images that no row of ``boxes.csv`` names are films without a finding where the table has no ``split`` column, or
    where all films are asked for.
    """
    table = folder / "boxes.csv"
    rows: dict[str, list[dict[str, str]]] = {}
    divided = False
    if table.is_file():
        with table.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            divided = "split" in (reader.fieldnames or ())
            for row in reader:
                rows.setdefault(row["image"], []).append(row)
    images = folder / "images"
    if not divided or split == "all":
        for path in sorted(images.rglob("*")):
            if path.suffix.lower() in (".jpg", ".jpeg", ".png"):
                rows.setdefault(path.relative_to(images).as_posix(), [])
    found = []
    for name in sorted(rows):
        mine = rows[name]
        if divided and split != "all" and mine[0]["split"] != split:
            continue
        pixels = cv2.imdecode(np.fromfile(images / name, np.uint8), cv2.IMREAD_GRAYSCALE)
        if pixels is None:
            raise ValueError(f"{name} is no picture")
        named = [r for r in mine if r.get("finding") and r.get("x") not in (None, "")]
        boxes = [[float(r["x"]), float(r["y"]), float(r["x"]) + float(r["w"]), float(r["y"]) + float(r["h"])] for r in named]
        found.append(
            LabelledFilm(
                name,
                (mine[0].get("film") if mine else None) or name,
                pixels.astype(np.float32),
                tuple(r["finding"] for r in named),
                np.asarray(boxes, np.float64).reshape(-1, 4),
            )
        )
    if not found:
        raise ValueError(f"no film of the split {split} in {folder.name}")
    return found


def film_weights(films: list[LabelledFilm]) -> list[float]:
    """One over the number of images of the same film: copies together count as one."""
    copies: dict[str, int] = {}
    for film in films:
        copies[film.film] = copies.get(film.film, 0) + 1
    return [1.0 / copies[f.film] for f in films]
