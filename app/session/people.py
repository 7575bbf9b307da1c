"""How a patient is named on a line: sex, age, number, never more of the number than is needed to tell two people apart."""

from __future__ import annotations

from datetime import date

from app.domain.study import Patient
from app.session.clock import age_years, dicom_date
from app.session.views import Words

_SEX = {"M": "sex.m", "F": "sex.f", "O": "sex.o"}


def masked_number(patient_id: str) -> str:
    """``620314 4•• •27`` for a 12-digit number, ``DEMO-0•••`` style for others; short ones stay whole."""
    if len(patient_id) == 12 and patient_id.isdigit():
        return f"{patient_id[:6]} {patient_id[6]}•• •{patient_id[10:]}"
    if len(patient_id) > 10:
        return f"{patient_id[:4]}•••{patient_id[-3:]}"
    return patient_id


def is_iin(patient_id: str) -> bool:
    return len(patient_id) == 12 and patient_id.isascii() and patient_id.isdigit()


def age_on(patient: Patient, study_datetime: str, stated_age: str = "") -> int | None:
    at = study_datetime if study_datetime[:8].isdigit() else date.today().strftime("%Y%m%d")
    age = age_years(patient.birth_date, at, stated_age)
    return None if age is None else int(age)


def patient_line(patient: Patient, study_datetime: str, stated_age: str = "") -> Words:
    """Sex, age and masked number for a worklist row; message id by what is known."""
    age = age_on(patient, study_datetime, stated_age)
    params: dict[str, str | int | float | Words] = {
        "sex": Words(_SEX.get(patient.sex, "sex.unknown")),
        "number": masked_number(patient.patient_id) or "–",
    }
    if age is None:
        return Words("patient.line_no_age", params)
    return Words("patient.line", {**params, "n": age})


def banner_line(patient: Patient, study_datetime: str, stated_age: str = "") -> Words:
    """Sex, birth date, age and number for the top bar and the corners."""
    age = age_on(patient, study_datetime, stated_age)
    params: dict[str, str | int | float | Words] = {
        "sex": Words(_SEX.get(patient.sex, "sex.unknown")),
        "born": dicom_date(patient.birth_date) or "–",
        "number": masked_number(patient.patient_id) or "–",
        "kind": Words("patient.iin" if is_iin(patient.patient_id) else "patient.id"),
    }
    if age is None:
        return Words("patient.banner_no_age", params)
    return Words("patient.banner", {**params, "n": age})
