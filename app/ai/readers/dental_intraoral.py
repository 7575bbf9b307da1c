"""Second reader for intra-oral films: candidates for caries and for lesions at the apex, bone levels along the roots.

Shown on generated films only. Bone levels are told in per cent of the root, and in millimetres only where the film says
its pixel size. Sites with little bone lost are not told as findings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from app.ai.reader_api import FilmImage, Networks, ReaderJob, ReaderOutput
from app.ai.readers.dental.intraoral import Answer, BoneSite, Candidate, read_film
from app.domain.finding import Band, Finding, Location, ReadState, Source
from app.domain.identity import uid_for
from app.domain.measurement import Code, MarkShape, Measurement, Quantity
from app.domain.ports import Cancelled, Progress
from app.domain.problem import Problem, Severity

CODES: Mapping[str, Code] = {
    "caries": Code("80967001", "SCT", "Dental caries"),
    "periapical": Code("AIK-011", "99EKINSHI", "Periapical lesion"),
}
BONE = Code("AIK-026", "99EKINSHI", "Bone level along the root")
SHARE = "bone_percent"
"""Attribute of a bone level: per cent of the root's length, whole."""
MIN_SIDE_PX = 120
LONG_SIDE_MM = (18.0, 60.0)
ASPECT = (1.0, 1.9)
"""Long over short side of intra-oral sensors and plates."""
TEETH_SEEN = 1.2
"""Sum of the scores of enamel points: below it the film shows no teeth that the network knows."""
NORMAL_MM = 3.0
NORMAL_SHARE = 0.20
"""Bone levels up to here are told in the study's values only."""
SURE_SITE = 0.35


def refusal(film: FilmImage) -> Problem | None:
    """Why this picture is not read, from its size and values."""
    rows, columns = film.values.shape
    if min(rows, columns) < MIN_SIDE_PX:
        return Problem("ai.intraoral.too_small", {"rows": rows, "columns": columns, "limit": MIN_SIDE_PX})
    if not ASPECT[0] <= max(rows, columns) / min(rows, columns) <= ASPECT[1]:
        return Problem("ai.intraoral.not_intraoral", {})
    spacing = film.spacing_mm or film.detector_spacing_mm
    if spacing is not None:
        long_side = max(rows * spacing[0], columns * spacing[1])
        if not LONG_SIDE_MM[0] <= long_side <= LONG_SIDE_MM[1]:
            return Problem("ai.intraoral.size", {"value": round(long_side)})
    low, high = np.percentile(film.values, [1, 99])
    if float(high - low) <= 0 or float(film.values.std()) < 0.03 * float(high - low):
        return Problem("ai.dental.flat", {})
    return None


def calibrated(name: str, score: float, parameters: Mapping[str, Any]) -> float:
    """Share of true marks at this score on generated validation films."""
    table = (parameters.get("calibration") or {}).get(name)
    if not table:
        return float(min(1.0, max(0.0, score)))
    return float(np.clip(np.interp(score, table["score"], table["probability"]), 0.0, 1.0))


class DentalIntraoralReader:
    name = "dental_intraoral"

    def run(self, job: ReaderJob, nets: Networks, parameters: Mapping[str, Any], progress: Progress) -> ReaderOutput:
        if not job.films:
            return ReaderOutput(ReadState.OUT_OF_SCOPE, problems=(Problem("ai.intraoral.no_film", {}),))
        findings: list[Finding] = []
        problems: list[Problem] = []
        levels: list[BoneSite] = []
        read = 0
        for n, film in enumerate(job.films):
            if progress.cancelled():
                raise Cancelled
            progress.report(n / len(job.films), "dental.film")
            why = refusal(film)
            if why is not None:
                problems.append(why)
                continue
            spacing = film.detector_spacing_mm or film.spacing_mm
            wide = spacing[1] / spacing[0] if spacing else 1.0
            answer = read_film(film.values, spacing[0] if spacing else None, nets, wide)
            if answer.seen < TEETH_SEEN:
                problems.append(Problem("ai.intraoral.no_teeth", {}, Severity.WARNING))
                continue
            if answer.turned:
                problems.append(Problem("ai.intraoral.turned", {}, Severity.WARNING))
            read += 1
            levels += answer.sites
            findings += told(job, film, answer, parameters)
        progress.report(1.0, "dental.done")
        said = tuple(p for n, p in enumerate(problems) if p not in problems[:n])
        findings.sort(key=lambda f: (-(f.probability or 0.0), f.finding_id))
        shares = [100 * s.share for s in levels if s.share is not None and s.score >= SURE_SITE]
        values = (("dental.bone_worst_percent", round(max(shares), 1), "%"),) if shares else ()
        state = ReadState.COMPLETED if read else ReadState.OUT_OF_SCOPE
        return ReaderOutput(state, tuple(findings), problems=said, measurements=values)


def told(job: ReaderJob, film: FilmImage, answer: Answer, parameters: Mapping[str, Any]) -> list[Finding]:
    """Candidates above their thresholds, and the sites whose bone lies low."""
    thresholds = parameters.get("thresholds") or {}
    out = [
        _candidate(job, film, c, parameters)
        for c in answer.candidates
        if c.score >= float(thresholds.get(c.name, parameters.get("threshold", 0.5)))
    ]
    for site in answer.sites:
        mm = site.length_px * film.spacing_mm[0] if film.spacing_mm is not None else None
        low = (mm is not None and mm > NORMAL_MM) or (site.share is not None and site.share > NORMAL_SHARE)
        if site.score >= SURE_SITE and low:
            out.append(_level(job, film, site, mm))
    return out


def _where(film: FilmImage) -> tuple[str, ...]:
    return (film.sop_instance_uid,) if film.sop_instance_uid else ()


def _candidate(job: ReaderJob, film: FilmImage, found: Candidate, parameters: Mapping[str, Any]) -> Finding:
    x0, y0, x1, y1 = (round(v, 1) for v in found.box)
    likely = calibrated(found.name, found.score, parameters)
    mid, high = parameters.get("bands", (0.5, 0.8))
    band = Band.HIGH if likely >= high else Band.MID if likely >= mid else Band.LOW
    what = (job.study_instance_uid, film.sop_instance_uid, job.identity.package_sha256, found.name, repr((x0, y0, x1, y1)))
    return Finding(
        uid_for(*what),
        Source.AI,
        CODES[found.name],
        Location(
            sop_instance_uid=film.sop_instance_uid,
            centre_px=(round((x0 + x1) / 2, 1), round((y0 + y1) / 2, 1)),
            box_px=(x0, y0, x1, y1),
        ),
        score=round(found.score, 4),
        probability=round(likely, 4),
        band=band,
        reader=job.identity,
        source_sop_instance_uids=_where(film),
    )


def _level(job: ReaderJob, film: FilmImage, site: BoneSite, mm: float | None) -> Finding:
    points = [(round(x, 1), round(y, 1)) for x, y in (site.enamel, site.crest)]
    what = (job.study_instance_uid, film.sop_instance_uid, job.identity.package_sha256, "bone", repr(points))
    xs, ys = sorted(p[0] for p in points), sorted(p[1] for p in points)
    measured = () if mm is None else (Measurement(Quantity.LENGTH, round(mm, 1), "mm"),)
    attributes = () if site.share is None else ((SHARE, str(round(100 * site.share))),)
    return Finding(
        uid_for(*what),
        Source.AI,
        BONE,
        Location(
            sop_instance_uid=film.sop_instance_uid,
            centre_px=((xs[0] + xs[1]) / 2, (ys[0] + ys[1]) / 2),
            # A root's side is hardly wider than its line: the box gets room to be seen.
            box_px=(xs[0] - 4, ys[0] - 2, xs[1] + 4, ys[1] + 2),
        ),
        measurements=measured,
        attributes=attributes,
        shape=MarkShape.POINT,
        score=round(site.score, 4),
        reader=job.identity,
        source_sop_instance_uids=_where(film),
    )


READER = DentalIntraoralReader()
