"""The labelled head slices (a folder with ``images/``, ``masks/`` and ``labels.csv``) grouped to scans.

``split``, ``scan`` and ``slice`` may be absent: then the folder of an image is its scan, and the order of names its order.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.readers.head.frame import Frame, frame_of
from app.ai.readers.head.planes import neighbours

SUBTYPES = ("intraventricular", "intraparenchymal", "subarachnoid", "epidural", "subdural")
SUFFIXES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True, eq=False)
class HeadScan:
    """Slices of one scan in their order."""

    name: str
    images: tuple[str, ...]
    planes: npt.NDArray[np.uint8]
    """(k, rows, columns), brain window."""
    masks: npt.NDArray[np.bool_]
    bleed: npt.NDArray[np.bool_]
    """Slice by slice: a mask, or the table says so."""
    order: tuple[float, ...]
    subtypes: tuple[tuple[str, ...], ...]
    frame: Frame

    def around(self) -> list[tuple[int, int]]:
        """The neighbours of each slice; a gap in the numbering has none."""
        return neighbours(self.order, 1.0)


def _picture(path: Path) -> npt.NDArray[np.uint8]:
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise ValueError(f"{path.name} is no picture")
    return np.asarray(pixels, np.uint8)


def _rows(folder: Path) -> list[dict[str, str]]:
    table = folder / "labels.csv"
    if table.is_file():
        with table.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    images = folder / "images"
    return [{"image": p.relative_to(images).as_posix()} for p in sorted(images.rglob("*")) if p.suffix.lower() in SUFFIXES]


def _mask(folder: Path, row: dict[str, str], shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    stated = row.get("mask")
    if stated is None:  # no column: a file of the image's name
        guess = folder / "masks" / row["image"]
        path = guess if guess.is_file() else None
    elif stated:
        path = folder / stated if (folder / stated).is_file() else folder / "masks" / stated
    else:
        path = None
    if path is None:
        return np.zeros(shape, bool)
    mask = _picture(path) > 127
    if mask.shape != shape:
        raise ValueError(f"the mask of {row['image']} has another size")
    return mask


def load_scans(folder: Path, split: str = "all") -> list[HeadScan]:
    """Scans of one split. Raises ``ValueError`` when there is none, or when slices of a scan differ in size."""
    by_scan: dict[str, list[dict[str, str]]] = {}
    for row in _rows(folder):
        if split != "all" and row.get("split", split) != split:
            continue
        parent = row["image"].rpartition("/")[0]
        by_scan.setdefault(row.get("scan") or parent or row["image"], []).append(row)
    if not by_scan:
        raise ValueError(f"no slice of the split {split} in {folder.name}")
    found = []
    for name, rows in by_scan.items():
        order = [float(r["slice"]) if r.get("slice") else float(n) for n, r in enumerate(rows)]
        sequence = np.argsort(order, kind="stable")
        rows, order = [rows[n] for n in sequence], [order[n] for n in sequence]
        planes = [_picture(folder / "images" / r["image"]) for r in rows]
        if len({p.shape for p in planes}) != 1:
            raise ValueError(f"the slices of {name} differ in size")
        masks = np.stack([_mask(folder, r, (p.shape[0], p.shape[1])) for r, p in zip(rows, planes, strict=True)])
        said = np.asarray([r.get("hemorrhage", "") == "1" for r in rows])
        stack = np.stack(planes)
        # The set's images are 256 wide; another width is brought to the same scale.
        frame = frame_of(stack, 256.0 / stack.shape[2])
        kinds = tuple(tuple(s for s in SUBTYPES if r.get(s) == "1") for r in rows)
        found.append(
            HeadScan(
                name,
                tuple(r["image"] for r in rows),
                stack,
                masks,
                masks.any((1, 2)) | said,
                tuple(order),
                kinds,
                frame,
            )
        )
    return found
