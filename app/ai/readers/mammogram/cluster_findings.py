"""Clusters of bright points of one view as findings with their measured chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.ai.reader_api import FilmImage, Networks, ReaderJob
from app.ai.readers.film.places import probability
from app.ai.readers.mammogram.clusters import Group, box_mm, counted, groups_of, scored_groups
from app.ai.readers.mammogram.specks import Specks, specks_of
from app.ai.readers.mammogram.view import BreastView
from app.domain.finding import CALCIFICATIONS, Band, Finding, Location, Source
from app.domain.identity import uid_for
from app.domain.measurement import Code

CLUSTER = Code("129769006", "SCT", "Calcification cluster")
COARSEST_MM = 0.125
"""Larger pixels do not resolve calcifications of a quarter of a millimetre: no cluster is sought there."""


def resolves(spacing_mm: tuple[float, float]) -> bool:
    return max(spacing_mm) <= COARSEST_MM


def cluster_findings(
    job: ReaderJob, film: FilmImage, view: BreastView, nets: Networks, parameters: Mapping[str, Any]
) -> list[Finding]:
    """At most ``most_marks``, likeliest first; none where ``parameters`` has no ``clusters`` or the pixels are too large."""
    own = parameters.get("clusters")
    spacing = film.detector_spacing_mm or film.spacing_mm
    if not own or spacing is None or not resolves(spacing):
        return []
    specks = specks_of(film.values, spacing, view)
    groups = groups_of(specks)
    scores = scored_groups(groups, nets)
    ranked = sorted(zip(groups, scores.tolist(), strict=True), key=lambda pair: -pair[1])
    told = [(g, s, float(probability(s, own.get("calibration")))) for g, s in ranked if s >= float(own["threshold"])]
    return [_finding(job, film, specks, g, s, p, own) for g, s, p in told[: int(own.get("most_marks", 2))]]


def _finding(
    job: ReaderJob, film: FilmImage, specks: Specks, group: Group, score: float, chance: float, own: Mapping[str, Any]
) -> Finding:
    rows, columns = film.values.shape
    down, across = specks.spacing_mm
    x0, y0, x1, y1 = box_mm(group, specks)
    box = (max(0.0, x0 / across), max(0.0, y0 / down), min(float(columns), x1 / across), min(float(rows), y1 / down))
    x, y = round((box[0] + box[2]) / 2, 1), round((box[1] + box[3]) / 2, 1)
    mid, high = own.get("bands", (0.4, 0.8))
    return Finding(
        uid_for(job.study_instance_uid, film.sop_instance_uid, job.identity.package_sha256, "cluster", repr((x, y))),
        Source.AI,
        CLUSTER,
        Location(
            sop_instance_uid=film.sop_instance_uid,
            centre_px=(x, y),
            box_px=(round(box[0], 1), round(box[1], 1), round(box[2], 1), round(box[3], 1)),
        ),
        laterality=film.laterality if film.laterality in ("L", "R") else "",
        attributes=((CALCIFICATIONS, str(counted(group, specks))),),
        score=round(score, 4),
        probability=round(chance, 4),
        band=Band.HIGH if chance >= high else Band.MID if chance >= mid else Band.LOW,
        reader=job.identity,
        source_sop_instance_uids=(film.sop_instance_uid,) if film.sop_instance_uid else (),
    )
