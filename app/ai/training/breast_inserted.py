"""Clusters drawn into real mammograms: what the search finds on real tissue, by contrast, and what it marks without.

    python -m app.ai.training.breast_inserted FOLDER [--count 40]

FOLDER holds DICOM mammograms for presentation. The last line is one JSON object. The clusters are drawn, the films are real.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from app.ai.inputs import film_image
from app.ai.reader_api import FilmImage, ReaderJob
from app.ai.readers.mammogram.cluster_findings import cluster_findings, resolves
from app.ai.readers.mammogram.specks import tissue_on_film
from app.ai.readers.mammogram.view import prepare
from app.ai.training.breast_clusters import LEAST_HIT_MM
from app.ai.training.breast_specks import CONTRASTS, inserted
from app.ai.training.evaluation.common import Opened, open_reader
from app.dicom.byte_source import FileByteSource
from app.dicom.frame_pixels import frame_pixels
from app.dicom.scanner import scan
from app.domain.finding import ReaderIdentity
from app.domain.study import FrameRef


def films_of(folder: Path) -> list[FilmImage]:
    instances = [i for st in scan([folder]).studies for s in st.series if s.modality == "MG" for i in s.instances]
    return [film_image(i, FrameRef(i.sop_instance_uid, 0), frame_pixels(i, 0, FileByteSource())) for i in instances]


def tried(film: FilmImage, opened: Opened, count: int) -> dict[str, Any]:
    spacing = film.detector_spacing_mm or film.spacing_mm
    if spacing is None or not resolves(spacing):
        raise ValueError("the pixels of this film are too large, or of unknown size")
    view = prepare(film.values, spacing, film.view_position.upper() not in ("CC", "XCCL"), film.valid)
    job = ReaderJob("2.25.1", ReaderIdentity("breast", "0", opened.package.digest))

    def marks(values: Any) -> list[tuple[float, float]]:
        one = FilmImage(values, film.sop_instance_uid, spacing, detector_spacing_mm=spacing, valid=film.valid)
        found = cluster_findings(job, one, view, opened.nets, opened.parameters)
        return [f.location.centre_px for f in found if f.location.centre_px is not None]

    body = tissue_on_film(view, film.values.shape)
    found: dict[str, list[bool]] = {f"contrast_{low:g}_to_{high:g}": [] for low, high in CONTRASTS}
    for seed in range(count):
        values, drawn = inserted(film.values, body, spacing[1], seed)
        if drawn is None:
            continue
        reach = max(drawn.radius_mm, LEAST_HIT_MM)
        hit = any(np.hypot(x * spacing[1] - drawn.x_mm, y * spacing[0] - drawn.y_mm) <= reach for x, y in marks(values))
        name = next((f"contrast_{low:g}_to_{high:g}" for low, high in CONTRASTS if low <= drawn.contrast < high), None)
        if name is not None:
            found[name].append(hit)
    counts = {k: {"n": len(v), "found": sum(v)} for k, v in found.items()}
    return {"marks_without": len(marks(film.values)), "pixel_mm": round(spacing[1], 3), **counts}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.ai.training.breast_inserted", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--package", type=Path)
    given = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    opened = open_reader("breast", given.package, 1)
    print(json.dumps({"films": [tried(film, opened, given.count) for film in films_of(given.folder)]}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
