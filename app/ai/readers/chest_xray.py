"""Second reader for frontal chest films: a demonstration that marks one or two places and mostly abstains.

It scores nodule and mass for the film and places marks in ``image_px`` only where the measured chance allows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from app.ai.reader_api import FilmImage, Networks, ReaderJob, ReaderOutput
from app.ai.readers.chest.earlier import beside, earlier_scored, with_earlier
from app.ai.readers.chest.field import SIDE, ChestField, prepare
from app.ai.readers.chest.hard_edges import steepness
from app.ai.readers.chest.mass import mass_log_odds
from app.ai.readers.chest.measure import film_traits, place_maps, stacked
from app.ai.readers.chest.scope import film_refusal, film_remarks, job_refusal, scores_mass
from app.ai.readers.chest.sides import found_markers, middle_of, side_remarks, stated_right
from app.ai.readers.film.places import (
    Floats,
    PlaceMark,
    Places,
    at_places,
    each_once,
    linear,
    marks_of,
    painted,
    places_in,
    probability,
    smoothed,
    traits_of,
)
from app.domain.finding import Band, Finding, Heatmap, Location, ReadState, Source
from app.domain.identity import uid_for
from app.domain.measurement import Code
from app.domain.ports import Cancelled, Progress
from app.domain.problem import Problem, Severity

NODULE = Code("27925004", "SCT", "Nodule")
NETWORK = "chest_place"
KINDS = ("nodule", "mass")
APART_PX = 14.0
SMOOTH_STEPS = 0.0
MARKS = 5
HALF_BOX = 0.045
"""Half the side of the box around a mark as a share of the film's longer side."""


@dataclass(frozen=True, eq=False)
class FilmMeasured:
    field: ChestField
    places: Places
    features: Floats
    traits: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class FilmScored:
    measured: FilmMeasured
    score: Floats
    marks: tuple[PlaceMark, ...]
    traits: tuple[float, ...]
    """Of the film and of its scored places, in this order."""


def measured_film(field: ChestField) -> FilmMeasured:
    maps = place_maps(field)
    places = places_in(field.lungs)
    return FilmMeasured(field, places, at_places(stacked(maps), places), tuple(film_traits(field, maps)))


def scored_film(measured: FilmMeasured, raw: Floats) -> FilmScored:
    score = smoothed(measured.places, raw, measured.field.values.shape, SMOOTH_STEPS)
    marks = marks_of(measured.places, score, MARKS, APART_PX)
    return FilmScored(measured, score, tuple(marks), (*measured.traits, *traits_of(score, marks)))


def run_network(measured: FilmMeasured, nets: Networks) -> Floats:
    if not len(measured.places):
        return np.zeros(0, np.float32)
    return nets.run(NETWORK, np.ascontiguousarray(measured.features[:, None], np.float32))[:, 0]


class ChestXrayReader:
    name = "chest_xray"

    def run(self, job: ReaderJob, nets: Networks, parameters: Mapping[str, Any], progress: Progress) -> ReaderOutput:
        why = job_refusal(job)
        if why is not None:
            return ReaderOutput(ReadState.OUT_OF_SCOPE, problems=(why,))
        findings: list[Finding] = []
        heatmaps: list[Heatmap] = []
        problems: list[Problem] = []
        values: list[tuple[str, float, str]] = []
        read = 0
        earlier = earlier_scored(job.earlier, lambda field: chances(measured_film(field), nets, parameters))
        for n, film in enumerate(job.films):
            if progress.cancelled():
                raise Cancelled
            progress.report(n / len(job.films), "chest.film")
            field = prepare(film.values, film.valid, film.detector_spacing_mm or film.spacing_mm)
            why = film_refusal(film, field)
            if why is not None:
                problems.append(why)
                continue
            read += 1
            problems += film_remarks(film, field)
            problems += _sides(film, field, nets, parameters)
            measured = measured_film(field)
            result = scored_film(measured, run_network(measured, nets))
            told, left_out = told_marks(result, parameters)
            then, unlike = beside(film, field, earlier) if told else (None, [])
            problems += unlike
            for mark, likely in told:
                finding = _told(job, film, field, mark, likely, parameters)
                findings.append(with_earlier(finding, field, mark.x, mark.y, then) if then else finding)
            heatmaps.append(heatmap(film, result, parameters))
            if left_out:
                problems.append(Problem("ai.chest.hard_edges", {}, Severity.NOTE))
            if not told:
                problems.append(Problem("ai.chest.abstains", {}, Severity.NOTE))
            for kind in KINDS:
                if kind not in parameters:
                    continue
                if kind == "mass" and not scores_mass(film.view_position):
                    problems.append(Problem("ai.chest.mass_not_scored", {}, Severity.NOTE))
                    continue
                odds = film_log_odds(kind, result, nets, parameters)
                chance = 1.0 / (1.0 + float(np.exp(-np.clip(odds, -30, 30))))
                values.append((f"chest.{kind}_score", round(chance, 3), "1"))
        progress.report(1.0, "chest.done")
        state = ReadState.COMPLETED if read else ReadState.OUT_OF_SCOPE
        problems.sort(key=lambda p: p.severity is Severity.NOTE)
        findings.sort(key=lambda f: -(f.probability or 0.0))
        return ReaderOutput(state, tuple(findings), tuple(heatmaps), (), each_once(problems), tuple(values))


def film_log_odds(kind: str, result: FilmScored, nets: Networks, parameters: Mapping[str, Any]) -> float:
    """Of one of ``KINDS`` for the whole film."""
    if kind == "mass":
        return mass_log_odds(result.traits, result.measured.field, nets, parameters)
    return linear(result.traits, parameters[kind])


def chances(measured: FilmMeasured, nets: Networks, parameters: Mapping[str, Any]) -> tuple[Places, Floats]:
    """The places of a film and the chance that a mark there would be right."""
    result = scored_film(measured, run_network(measured, nets))
    return measured.places, np.asarray(probability(result.score, parameters.get("calibration")), np.float32)


def _sides(film: FilmImage, field: ChestField, nets: Networks, parameters: Mapping[str, Any]) -> list[Problem]:
    if "marker_from" not in parameters:
        return []  # a package of before side markers were read
    markers = found_markers(film, field, nets, parameters)
    return side_remarks(film, markers, middle_of(field, film.values.shape), float(parameters["marker_alarm_from"]))


def told_marks(result: FilmScored, parameters: Mapping[str, Any]) -> tuple[list[tuple[PlaceMark, float]], bool]:
    """The highest marks with their chances, and whether a higher place was left out because its edges are hard."""
    limit = parameters.get("steepest_edge")  # a package of before 0.4.1 has none
    told: list[tuple[PlaceMark, float]] = []
    left_out = False
    for mark in result.marks:
        likely = float(probability(mark.score, parameters.get("calibration")))
        if likely < float(parameters.get("threshold", 0.5)) or len(told) == int(parameters.get("most_marks", 2)):
            break
        if limit is not None and steepness(result.measured.field.values, mark) > float(limit):
            left_out = True
        else:
            told.append((mark, likely))
    return told, left_out


def _told(
    job: ReaderJob, film: FilmImage, field: ChestField, mark: PlaceMark, likely: float, parameters: Mapping[str, Any]
) -> Finding:
    rows, columns = film.values.shape
    x, y = (round(v, 1) for v in field.to_film(mark.x, mark.y))
    half = HALF_BOX * max(rows, columns)
    box = (max(0.0, x - half), max(0.0, y - half), min(float(columns), x + half), min(float(rows), y + half))
    mid, high = parameters.get("bands", (0.3, 0.6))
    return Finding(
        uid_for(job.study_instance_uid, film.sop_instance_uid, job.identity.package_sha256, "chest_film", repr((x, y))),
        Source.AI,
        NODULE,
        Location(
            sop_instance_uid=film.sop_instance_uid,
            centre_px=(x, y),
            box_px=(round(box[0], 1), round(box[1], 1), round(box[2], 1), round(box[3], 1)),
        ),
        laterality=side_of(film, field, mark.x),
        score=round(mark.score, 4),
        probability=round(likely, 4),
        band=Band.HIGH if likely >= high else Band.MID if likely >= mid else Band.LOW,
        reader=job.identity,
        source_sop_instance_uids=(film.sop_instance_uid,) if film.sop_instance_uid else (),
    )


def side_of(film: FilmImage, field: ChestField, x: float) -> str:
    """R or L by the film's stated orientation and the line between the lung fields; empty where nothing is stated."""
    along = stated_right(film)
    if not along:
        return ""
    middle = sum(float(np.argwhere(side)[:, 1].mean()) for side in field.sides) / 2
    return along if x > middle else "R" if along == "L" else "L"


def heatmap(film: FilmImage, result: FilmScored, parameters: Mapping[str, Any]) -> Heatmap:
    """For every place of the lung fields the chance that a mark there would be right."""
    values = np.asarray(probability(result.score, parameters.get("calibration")), np.float32)
    shape = result.measured.field.values.shape
    part = painted(result.measured.places, values, shape)
    fine = on_film(film, result.measured.field, cv2.resize(part, (shape[1] // 2, shape[0] // 2)))
    return Heatmap(NODULE, np.clip(fine, 0, 1).astype(np.float16), sop_instance_uid=film.sop_instance_uid)


def on_film(film: FilmImage, field: ChestField, part: Floats) -> Floats:
    """``part`` spans the grid; the answer spans the whole film at about the same resolution, 0 where padding lies."""
    if field.origin == (0, 0) and film.valid is None:
        return part
    step = (part.shape[0] / field.values.shape[0], part.shape[1] / field.values.shape[1])
    size = [max(n, round(f * s * t)) for n, f, s, t in zip(part.shape, film.values.shape, field.scale, step, strict=True)]
    whole = np.zeros(size, np.float32)
    top = min(round(field.origin[1] * field.scale[0] * step[0]), size[0] - part.shape[0])
    left = min(round(field.origin[0] * field.scale[1] * step[1]), size[1] - part.shape[1])
    whole[top : top + part.shape[0], left : left + part.shape[1]] = part
    return whole


__all__ = ["READER", "SIDE", "ChestXrayReader", "film_log_odds", "measured_film", "run_network", "scored_film"]

READER = ChestXrayReader()
