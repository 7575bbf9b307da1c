"""Whether a film is a frontal chest film of an adult, judged from header facts and from the picture."""

from __future__ import annotations

import numpy as np

from app.ai.reader_api import FilmImage, ReaderJob
from app.ai.readers.chest.field import ChestField
from app.domain.problem import Problem, Severity

ADULT_YEARS = 18
LEAST_PX = 300
ASPECT = (0.65, 1.5)
FRONTAL = {"", "PA", "AP"}
LYING = "AP"


def job_refusal(job: ReaderJob) -> Problem | None:
    if not job.films:
        return Problem("ai.chest.no_film", {})
    age = job.patient_age_years
    # Age 0 is what remains where the age was taken out of the header.
    if age is not None and 0 < age < ADULT_YEARS:
        return Problem("ai.chest.child", {})
    return None


def film_refusal(film: FilmImage, field: ChestField) -> Problem | None:
    rows, columns = film.values.shape
    if film.view_position.upper() not in FRONTAL:
        return Problem("ai.chest.not_frontal", {"view": film.view_position[:16]})
    if min(rows, columns) < LEAST_PX:
        return Problem("ai.chest.too_small", {"rows": rows, "columns": columns, "limit": LEAST_PX})
    mm = film.detector_spacing_mm or film.spacing_mm or (1.0, 1.0)
    if not ASPECT[0] <= columns * mm[1] / (rows * mm[0]) <= ASPECT[1]:
        return Problem("ai.chest.not_a_chest", {})
    if float(np.ptp(film.values)) < 1e-3 or not any(field.found):
        return Problem("ai.chest.no_lungs", {})
    return None


def scores_mass(view_position: str) -> bool:
    """On films taken lying down the mass score told nothing when it was tried (docs/evaluation): there is none there."""
    return view_position.upper() != LYING


def film_remarks(film: FilmImage, field: ChestField) -> list[Problem]:
    found = []
    if film.view_position.upper() == LYING:
        found.append(Problem("ai.chest.ap", {}, Severity.WARNING))
    if not all(field.found):
        found.append(Problem("ai.chest.one_lung", {}, Severity.WARNING))
    if field.lungs.mean() < 0.1:
        found.append(Problem("ai.chest.small_lungs", {}, Severity.WARNING))
    return found
