"""Second reader for panoramic dental films: fillings, root-filled crowned teeth, impacted teeth, gross loss of the crown.

The boxes are of whole teeth, in ``image_px`` of the film. Findings are named to the dentist for what the labels of the
training set show, not for the set's own names: its "Implant" is mostly a root-filled, crowned tooth, its "Cavity" gross
loss of the crown or a retained root. Small caries is not looked for. Teeth are numbered where the package holds the
network for it, and a finding then names its tooth.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.reader_api import FilmImage, Networks, ReaderJob, ReaderOutput
from app.ai.readers.dental.boxes import CLASSES, FLIPS, STRIDE, ToothBox, answer, decode, overlap
from app.ai.readers.dental.film import Content, prepared
from app.ai.readers.dental.tooth_findings import not_seen, numbers_on, with_tooth
from app.domain.finding import Band, Finding, Heatmap, Location, ReadState, Source
from app.domain.identity import uid_for
from app.domain.measurement import Code
from app.domain.ports import Cancelled, Progress
from app.domain.problem import Problem, Severity
from app.domain.teeth import NumberedTooth

Floats = npt.NDArray[np.float32]
KINDS: Mapping[str, Code] = {
    "Fillings": Code("AIK-020", "99EKINSHI", "Tooth with filling"),
    "Implant": Code("AIK-021", "99EKINSHI", "Root-filled crowned tooth or implant"),
    "Impacted Tooth": Code("AIK-012", "99EKINSHI", "Impacted tooth"),
    "Cavity": Code("AIK-022", "99EKINSHI", "Gross crown loss or retained root"),
}
"""Codes by the labelled set's class."""
MIN_SIDE_PX = 300
ASPECT = (0.8, 3.2)
"""Width over height of what is exposed: panoramic films are about 2, the stretched films of the set 1."""
NARROWEST_OF_OTHERS = 1.2
"""Films that are not marked PX must be wider than chest and limb films are."""
TEETH_SEEN = 0.1
"""A film without one box above this score shows no teeth that the network knows."""
SAME_TOOTH = 0.6


def calibrated(kind: str, score: float, parameters: Mapping[str, Any]) -> float:
    """Probability that a box of this class is right, from the package's table; the score itself where there is none."""
    table = (parameters.get("calibration") or {}).get(kind)
    if not table:
        return float(min(1.0, max(0.0, score)))
    return float(np.clip(np.interp(score, table["score"], table["probability"]), 0.0, 1.0))


def refusal(film: FilmImage, square: Floats, content: Content, modality: str = "PX") -> Problem | None:
    """Why this picture is not read, judged from its size and values."""
    rows, columns = film.values.shape
    if min(rows, columns) < MIN_SIDE_PX:
        return Problem("ai.dental.too_small", {"rows": rows, "columns": columns, "limit": MIN_SIDE_PX})
    aspect = (content.x1 - content.x0) / max(content.y1 - content.y0, 1.0)
    narrowest = ASPECT[0] if modality == "PX" else NARROWEST_OF_OTHERS
    if not narrowest <= aspect <= ASPECT[1]:
        return Problem("ai.dental.not_panoramic", {})
    if float(square.std()) < 0.06:
        return Problem("ai.dental.flat", {})
    fine = cv2.Laplacian(cv2.GaussianBlur(square, (0, 0), 1.0), cv2.CV_32F)
    if float(np.abs(fine).mean()) < 0.002:
        return Problem("ai.dental.flat", {})
    return None


class DentalPanoramicReader:
    name = "dental_panoramic"

    def run(self, job: ReaderJob, nets: Networks, parameters: Mapping[str, Any], progress: Progress) -> ReaderOutput:
        if not job.films:
            return ReaderOutput(ReadState.OUT_OF_SCOPE, problems=(Problem("ai.dental.no_film", {}),))
        findings: list[Finding] = []
        heatmaps: list[Heatmap] = []
        problems: list[Problem] = []
        teeth: list[NumberedTooth] = []
        read = 0
        for n, film in enumerate(job.films):
            if progress.cancelled():
                raise Cancelled
            progress.report(n / len(job.films), "dental.film")
            square, content = prepared(film.values, film.valid)
            why = refusal(film, square, content, job.attributes.get("modality", "PX"))
            if why is not None:
                problems.append(why)
                continue
            maps = answer(square, nets, FLIPS[: int(parameters.get("flips", 4))])
            if float(maps[: len(CLASSES)].max()) < TEETH_SEEN:
                problems.append(Problem("ai.dental.nothing_seen", {}, Severity.WARNING))
                continue
            read += 1
            every = decode(maps, content)
            boxes = told_boxes(every, parameters)
            # For the numbers every likely box counts, shown or not.
            numbered = numbers_on(film, nets, parameters, likely_boxes(every, parameters))
            found = [_told(job, film, box, likely, parameters) for box, likely in boxes]
            found = [with_tooth(f, numbered) for f in found]
            teeth += numbered
            findings += [*found, *not_seen(job, film, numbered, found)]
            heatmaps += _heatmaps(film, maps, content, parameters)
        progress.report(1.0, "dental.done")
        state = ReadState.COMPLETED if read else ReadState.OUT_OF_SCOPE
        findings.sort(key=lambda f: -(f.probability or 0.0))
        said = tuple(p for n, p in enumerate(problems) if p not in problems[:n])
        return ReaderOutput(state, tuple(findings), tuple(heatmaps), (), said, teeth=tuple(teeth))


def likely_boxes(boxes: list[ToothBox], parameters: Mapping[str, Any]) -> list[ToothBox]:
    """The boxes with their calibrated probability as score."""
    return [ToothBox(b.kind, b.box, calibrated(b.kind, b.score, parameters)) for b in boxes]


def told_boxes(boxes: list[ToothBox], parameters: Mapping[str, Any]) -> list[tuple[ToothBox, float]]:
    """Boxes above their class's threshold with their probability; of two classes on one tooth the likelier one stays."""
    thresholds = parameters.get("thresholds") or {}
    lowest = float(parameters.get("threshold", 0.5))
    likely = [(b, calibrated(b.kind, b.score, parameters)) for b in boxes]
    kept: list[tuple[ToothBox, float]] = []
    for box, p in sorted(likely, key=lambda pair: -pair[1]):
        if p < float(thresholds.get(box.kind, lowest)):
            continue
        if all(overlap(box.box, other.box) < SAME_TOOTH for other, _ in kept):
            kept.append((box, p))
    return kept


def _band(probability: float, parameters: Mapping[str, Any]) -> Band:
    mid, high = parameters.get("bands", (0.5, 0.8))
    return Band.HIGH if probability >= high else Band.MID if probability >= mid else Band.LOW


def _told(job: ReaderJob, film: FilmImage, box: ToothBox, likely: float, parameters: Mapping[str, Any]) -> Finding:
    x0, y0, x1, y1 = (round(v, 1) for v in box.box)
    location = Location(
        sop_instance_uid=film.sop_instance_uid,
        centre_px=(round((x0 + x1) / 2, 1), round((y0 + y1) / 2, 1)),
        box_px=(x0, y0, x1, y1),
    )
    what = (job.study_instance_uid, film.sop_instance_uid, job.identity.package_sha256, box.kind, repr((x0, y0, x1, y1)))
    return Finding(
        uid_for(*what),
        Source.AI,
        KINDS[box.kind],
        location,
        score=round(box.score, 4),
        probability=round(likely, 4),
        band=_band(likely, parameters),
        reader=job.identity,
        source_sop_instance_uids=(film.sop_instance_uid,) if film.sop_instance_uid else (),
    )


def _heatmaps(film: FilmImage, maps: Floats, content: Content, parameters: Mapping[str, Any]) -> list[Heatmap]:
    """For each class the probability of the box that is told from here, on the whole film in the network's cells."""
    rows, columns = film.values.shape
    sx, sy = content.scale
    small = (max(1, round(columns * sx / STRIDE)), max(1, round(rows * sy / STRIDE)))
    out = []
    for index, kind in enumerate(CLASSES):
        table = (parameters.get("calibration") or {}).get(kind)
        heat = np.interp(maps[index], table["score"], table["probability"]) if table else maps[index]
        whole = np.zeros((small[1], small[0]), np.float32)
        top, left = round(content.y0 * sy / STRIDE), round(content.x0 * sx / STRIDE)
        part = np.asarray(heat, np.float32)[: max(0, small[1] - top), : max(0, small[0] - left)]
        whole[top : top + part.shape[0], left : left + part.shape[1]] = part
        # Where the table gives its lowest value nothing is seen.
        floor = float(np.min(table["probability"])) if table else 0.0
        whole[whole <= floor] = 0.0
        out.append(Heatmap(KINDS[kind], np.clip(whole, 0, 1).astype(np.float16), sop_instance_uid=film.sop_instance_uid))
    return out


READER = DentalPanoramicReader()
