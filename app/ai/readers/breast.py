"""Second reader for mammograms: places that stand out in a view or against the other breast, clusters, dense area.

Presentation images only. A mark is a place to look at again, with the measured chance that such a mark is right; the reader
never names an assessment category. Where an earlier study of the patient is at hand, a mark says what stood at its place
then. Marks lie in ``image_px`` of their view.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from app.ai.reader_api import FilmImage, Networks, ReaderJob, ReaderOutput
from app.ai.readers.film.places import Floats, PlaceMark, each_once, painted, probability
from app.ai.readers.mammogram.asymmetry import asymmetry_z
from app.ai.readers.mammogram.cluster_findings import COARSEST_MM as CLUSTER_MM
from app.ai.readers.mammogram.cluster_findings import cluster_findings, resolves
from app.ai.readers.mammogram.density import band_of, dense_share
from app.ai.readers.mammogram.earlier import then_of, views_then, with_earlier
from app.ai.readers.mammogram.patches import looked_again
from app.ai.readers.mammogram.study import Scored, image_odds, measured_views, run_network, scored
from app.ai.readers.mammogram.view import GRID_MM, BreastView, prepare
from app.domain.finding import ASYMMETRY, Band, Finding, Heatmap, Location, ReadState, Source
from app.domain.identity import uid_for
from app.domain.measurement import Code
from app.domain.ports import Cancelled, Progress
from app.domain.problem import Problem, Severity

LESION = Code("52988006", "SCT", "Lesion")
COARSE_MM = 0.45
COARSEST_MM = 1.2
LEAST_BREAST_MM2 = 2500.0
ADULT_YEARS = 18
MARK_RADIUS_MM = 8.0
"""Half the side of the box drawn around a mark; the reader finds places, not outlines."""
UPRIGHT = {"MLO", "ML", "LM", "LMO"}
MUSCLE_FREE = {"CC", "XCCL", "XCCM", "FB", "CV"}


def job_refusal(job: ReaderJob) -> Problem | None:
    """Why nothing of this study is read, from header facts."""
    if not job.films:
        return Problem("ai.breast.no_film", {})
    if "PROCESSING" in job.attributes.get("presentation_intent_type", "").upper():
        return Problem("ai.breast.for_processing", {})
    age = job.patient_age_years
    # Age 0 is what remains where the age was taken out of the header.
    if age is not None and 0 < age < ADULT_YEARS:
        return Problem("ai.breast.child", {})
    return None


def film_refusal(film: FilmImage) -> Problem | None:
    """Why this view is not read, before its breast is looked for."""
    spacing = film.detector_spacing_mm or film.spacing_mm
    if spacing is None:
        return Problem("ai.breast.no_pixel_size", {})
    if max(spacing) > COARSEST_MM:
        return Problem("ai.breast.too_coarse", {"mm": round(max(spacing), 2), "limit_mm": COARSEST_MM})
    values = film.values if film.valid is None or not film.valid.any() else film.values[film.valid]
    if float(values.max()) - float(values.min()) < 1e-3:
        return Problem("ai.breast.empty", {})
    return None


def view_refusal(view: BreastView) -> Problem | None:
    if float(view.breast.sum()) * GRID_MM**2 < LEAST_BREAST_MM2:
        return Problem("ai.breast.no_breast", {})
    if view.breast.mean() > 0.995:  # a spot or magnification view, or no mammogram: no skin line anywhere
        return Problem("ai.breast.no_skin_line", {})
    return None


def outlined(film: FilmImage) -> tuple[BreastView | None, Problem | None]:
    """(the view with its breast found, None) or (None, why it is not read)."""
    why = film_refusal(film)
    spacing = film.detector_spacing_mm or film.spacing_mm
    if why is not None or spacing is None:
        return None, why
    name = film.view_position.upper()
    oblique = True if name in UPRIGHT else False if name in MUSCLE_FREE else None
    view = prepare(film.values, spacing, oblique, film.valid)
    why = view_refusal(view)
    return (None, why) if why is not None else (view, None)


def partners(films: Sequence[FilmImage]) -> list[int | None]:
    """For each view the only one of the same projection of the other breast."""
    found: list[int | None] = []
    for film in films:
        same = [
            n
            for n, other in enumerate(films)
            if film.view_position
            and other.view_position == film.view_position
            and {film.laterality, other.laterality} == {"L", "R"}
        ]
        found.append(same[0] if len(same) == 1 else None)
    return found


class BreastReader:
    name = "breast"

    def run(self, job: ReaderJob, nets: Networks, parameters: Mapping[str, Any], progress: Progress) -> ReaderOutput:
        def step(share: float, stage: str) -> None:
            if progress.cancelled():
                raise Cancelled
            progress.report(share, stage)

        why = job_refusal(job)
        if why is not None:
            return ReaderOutput(ReadState.OUT_OF_SCOPE, problems=(why,))
        problems: list[Problem] = []
        films: list[FilmImage] = []
        views: list[BreastView] = []
        for n, film in enumerate(job.films):
            step(0.3 * n / len(job.films), "breast.outline")
            view, why = outlined(film)
            if view is None or why is not None:
                problems += [why] if why is not None else []
                continue
            spacing = film.detector_spacing_mm or film.spacing_mm
            if spacing is not None and max(spacing) > COARSE_MM:
                problems.append(Problem("ai.breast.coarse", {"mm": round(max(spacing), 2)}, Severity.WARNING))
            films.append(film)
            views.append(view)
        if not films:
            return ReaderOutput(ReadState.OUT_OF_SCOPE, problems=each_once(problems))
        partner = partners(films)
        measured = measured_views(views, partner, lambda s: step(0.3 + 0.4 * s, "breast.places"))
        step(0.7, "breast.marks")
        results = [scored(m, run_network(m, nets)) for m in measured]
        if parameters.get("patches"):
            results = looked_again(results, partner, nets)
        findings: list[Finding] = []
        clusters: list[Finding] = []
        heatmaps: list[Heatmap] = []
        highest = -np.inf
        before = views_then(job.earlier, films, lambda film: outlined(film)[0])
        for n, (film, result) in enumerate(zip(films, results, strict=True)):
            p = partner[n]
            odds = image_odds(result, None if p is None else results[p], parameters)
            highest = highest if odds is None else max(highest, odds)
            marks = told(job, film, result, parameters)
            then = then_of(film, result.measured.view, job.earlier, before) if marks else None
            findings += [with_earlier(f, result.measured.view, then) for f in marks]
            heatmaps.append(heatmap(film, result, parameters))
            step(0.7 + 0.3 * n / len(films), "breast.specks")
            clusters += cluster_findings(job, film, result.measured.view, nets, parameters)
        if clusters:
            problems.insert(0, Problem("ai.breast.clusters_generated", {}, Severity.NOTE))
        if findings:
            problems.insert(0, Problem("ai.breast.chances_from_film", {}, Severity.NOTE))
        if all(p is None for p in partner):
            problems.append(Problem("ai.breast.one_side", {}, Severity.NOTE))
        problems += density_remarks(films, views)
        sought, remarks = sought_on(films) if "clusters" in parameters else (0, [])
        problems += remarks
        findings += clusters
        findings.sort(key=lambda f: -(f.probability or 0.0))
        step(1.0, "breast.done")
        values = density_values(films, views)
        if sought:
            values.append(("breast.cluster_views", float(sought), "1"))
        if np.isfinite(highest):
            values.append(("breast.highest_view_score", round(1.0 / (1.0 + float(np.exp(-highest))), 3), "1"))
        return ReaderOutput(ReadState.COMPLETED, tuple(findings), tuple(heatmaps), (), each_once(problems), tuple(values))


def sought_on(films: Sequence[FilmImage]) -> tuple[int, list[Problem]]:
    """(views whose pixels are small enough for clusters, the remark that some are not)."""
    spacings = [s for s in (f.detector_spacing_mm or f.spacing_mm for f in films) if s is not None]
    coarse = [max(s) for s in spacings if not resolves(s)]
    told = (
        Problem("ai.breast.no_clusters", {"mm": round(max(coarse), 2), "limit_mm": CLUSTER_MM}, Severity.NOTE)
        if coarse
        else None
    )
    return len(spacings) - len(coarse), [told] if told else []


def told_marks(result: Scored, parameters: Mapping[str, Any]) -> list[tuple[PlaceMark, float]]:
    """Marks above the operating point with their chance of being right, at most ``most_marks`` of a view."""
    table = parameters.get("calibration")
    most = int(parameters.get("most_marks", 2))
    likely = [(m, float(probability(m.score, table))) for m in result.marks[:most]]
    return [(m, p) for m, p in likely if p >= float(parameters.get("threshold", 0.5))]


def told(job: ReaderJob, film: FilmImage, result: Scored, parameters: Mapping[str, Any]) -> list[Finding]:
    found = []
    rows, columns = film.values.shape
    view = result.measured.view
    mid, high = parameters.get("bands", (0.2, 0.4))
    reach = MARK_RADIUS_MM / GRID_MM
    for mark, likely in told_marks(result, parameters):
        x, y = (round(v, 1) for v in view.to_film(mark.x, mark.y))
        half = (reach / view.scale[1], reach / view.scale[0])
        box = (max(0.0, x - half[0]), max(0.0, y - half[1]), min(float(columns), x + half[0]), min(float(rows), y + half[1]))
        beyond = asymmetry_z(result.measured, mark)
        location = Location(
            sop_instance_uid=film.sop_instance_uid,
            centre_px=(x, y),
            box_px=(round(box[0], 1), round(box[1], 1), round(box[2], 1), round(box[3], 1)),
        )
        found.append(
            Finding(
                uid_for(job.study_instance_uid, film.sop_instance_uid, job.identity.package_sha256, "breast", repr((x, y))),
                Source.AI,
                LESION,
                location,
                laterality=_side(film),
                attributes=() if beyond is None else ((ASYMMETRY, f"{beyond:.1f}"),),
                score=round(mark.score, 4),
                probability=round(likely, 4),
                band=Band.HIGH if likely >= high else Band.MID if likely >= mid else Band.LOW,
                reader=job.identity,
                source_sop_instance_uids=(film.sop_instance_uid,) if film.sop_instance_uid else (),
            )
        )
    return found


def heatmap(film: FilmImage, result: Scored, parameters: Mapping[str, Any]) -> Heatmap:
    """For every place the chance that a mark there would be right; the array spans the whole film on a 1.6 mm grid."""
    view, places = result.measured.view, result.measured.places
    values: Floats = np.asarray(probability(result.score, parameters.get("calibration")), np.float32)
    part = painted(places, values, view.values.shape)
    fine = cv2.resize(part, (view.values.shape[1], view.values.shape[0]), interpolation=cv2.INTER_LINEAR)
    if view.mirrored:
        fine = fine[:, ::-1]
    whole = np.zeros(view.resampled, np.float32)
    row, column = view.offset
    whole[row : row + fine.shape[0], column : column + fine.shape[1]] = fine
    size = (max(1, whole.shape[1] // 4), max(1, whole.shape[0] // 4))
    small = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
    return Heatmap(LESION, np.clip(small, 0, 1).astype(np.float16), sop_instance_uid=film.sop_instance_uid)


def _side(film: FilmImage) -> str:
    return film.laterality if film.laterality in ("L", "R") else ""


def density_values(films: Sequence[FilmImage], views: Sequence[BreastView]) -> list[tuple[str, float, str]]:
    """Dense area per cent of each breast, the mean of its views."""
    found: list[tuple[str, float, str]] = []
    for side, key in (("R", "breast.dense_area_right"), ("L", "breast.dense_area_left"), ("", "breast.dense_area")):
        shares = [dense_share(v) for f, v in zip(films, views, strict=True) if _side(f) == side]
        known = [s for s in shares if s is not None]
        if known:
            found.append((key, round(float(np.mean(known)), 1), "%"))
    return found


def density_remarks(films: Sequence[FilmImage], views: Sequence[BreastView]) -> list[Problem]:
    shares = [value for _, value, _ in density_values(films, views)]
    if not shares:
        return []
    densest = max(shares)
    return [Problem("ai.breast.density", {"percent": densest, "band": band_of(densest)}, Severity.NOTE)]


READER = BreastReader()
