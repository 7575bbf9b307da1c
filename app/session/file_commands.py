"""``ekinshi import --as-patient`` and ``ekinshi export`` as plain JSON-able answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.dicom.deidentify import Dates, Profile
from app.dicom.plain_pictures import sniff
from app.domain.messages import sentence
from app.domain.ports import Progress
from app.domain.problem import ProblemError, fail
from app.domain.study import Patient, PersonName
from app.session.commands import open_library
from app.session.exporting import ExportOptions, Form, export_studies, new_secret
from app.session.picture_import import Binding, film_kinds, import_picture


@dataclass(frozen=True)
class PatientWords:
    """What the command line says about a patient. Either a number that the library knows, or all of a new one."""

    patient_id: str
    name: str = ""
    birth_date: str = ""
    sex: str = ""


def import_pictures(
    paths: Sequence[Path], words: PatientWords, kind: str, taken_on: str, mirrored: bool, laterality: str, progress: Progress
) -> dict[str, Any]:
    """Binds picture files (and those directly in folders) to one patient. Raises ``ProblemError`` when that is unclear."""
    if kind not in film_kinds():
        raise fail("picture.no_such_kind", name=kind, known=", ".join(film_kinds()))
    if not re.fullmatch(r"(\d{4}(\d{4})?)?", taken_on):
        raise fail("picture.no_such_day", text=taken_on)
    files = [f for p in paths for f in (sorted(p.iterdir()) if p.is_dir() else [p]) if f.is_file()]
    pictures, refused = [], []
    for file in files:
        with file.open("rb") as stream:
            known = bool(sniff(stream.read(16)))
        if known:
            pictures.append(file)
        elif file in paths:
            problem = fail("picture.unknown").problem
            refused.append({"path": str(file), "code": problem.code, "reason": sentence("en", problem)})
    done: list[dict[str, Any]] = []
    with open_library(create=True) as library:
        rows = library.studies.search(patient_id=words.patient_id, limit=200)
        patient = _patient(words, [r.patient for r in rows])
        binding = Binding(patient, film_kinds()[kind], taken_on, mirrored, laterality, kind.replace("_", " "))
        for n, file in enumerate(pictures):
            progress.report(n / len(pictures))
            try:
                made = import_picture(library, str(file), binding)
            except ProblemError as error:
                reason = sentence("en", error.problem)
                refused.append({"path": str(file), "code": error.problem.code, "reason": reason})
                continue
            done.append(
                {
                    "path": str(file),
                    "study_instance_uid": made.study_instance_uid,
                    "sop_instance_uids": list(made.sop_instance_uids),
                    "source_sha256": made.sha256,
                    "added": made.added,
                }
            )
        progress.report(1.0)
    return {"schema": "ekinshi.import-pictures/1", "kind": kind, "pictures": done, "refused": refused}


def _patient(words: PatientWords, known: Sequence[Patient]) -> Patient:
    """The patient of the library with this number, or a new one who is named in full; never a guess between two."""
    persons = {p.key: p for p in known}
    if words.name:
        if words.birth_date and not re.fullmatch(r"\d{8}", words.birth_date):
            raise fail("picture.no_such_day", text=words.birth_date)
        name = words.name if "^" in words.name else "^".join(words.name.split(maxsplit=1))
        made = Patient(words.patient_id, "", PersonName(name), words.birth_date, words.sex)
        same = [p for p in persons.values() if p.key == made.key]
        if persons and not same:
            raise fail("picture.other_person")
        return same[0] if same else made
    if len(persons) != 1:
        raise fail("picture.which_patient", n=len(persons))
    return next(iter(persons.values()))


def export_from_library(
    studies: Sequence[str],
    out: Path,
    *,
    form: Form,
    deidentified: bool,
    dates: str,
    keep_characteristics: bool,
    burned_in: bool,
    progress: Progress,
) -> dict[str, Any]:
    """``studies``: Study Instance UIDs, or accession numbers that are found once."""
    profile = Profile(new_secret(), Dates(dates), keep_characteristics) if deidentified else None
    with open_library(create=False) as library:
        uids = []
        for text in studies:
            if library.studies.exists(text):
                uids.append(text)
                continue
            found = [r.study_instance_uid for r in library.studies.search(text, limit=50) if r.accession_number == text]
            if len(found) != 1:
                raise fail("export.which_study", n=len(found))
            uids += found
        done = export_studies(library, uids, out, ExportOptions(form, profile, burned_in), progress)
    return {
        "schema": "ekinshi.export/1",
        "target": str(done.target),
        "form": done.form.value,
        "deidentified": done.deidentified,
        "studies": done.studies,
        "size_bytes": done.size_bytes,
        "verified": True,
        "files": [
            {"path": f.path, "sop_instance_uid": f.sop_instance_uid, "sha256": f.sha256, "size_bytes": f.size_bytes}
            for f in done.files
        ],
        "left_out": [
            {
                "object": r.path,
                "sop_instance_uid": r.sop_instance_uid,
                "code": r.problem.code,
                "reason": sentence("en", r.problem),
            }
            for r in done.left_out
        ],
        "warnings": [sentence("en", p) for p in done.warnings],
    }
