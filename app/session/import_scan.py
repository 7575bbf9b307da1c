"""The first half of an import: what is there, what the library knows of it, what cannot be opened and why."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.dicom.byte_source import FileByteSource
from app.dicom.plain_pictures import PictureInfo, inspect_picture
from app.dicom.scanner import ScanResult, scan
from app.domain.ports import ByteSource, Cancelled, Progress
from app.domain.problem import Problem, ProblemError, fail
from app.domain.study import Instance, Patient, RefusedFile
from app.session.eject import Medium, medium_of
from app.session.import_tree import PatientNode, build_tree
from app.session.import_views import FoundPicture
from app.session.kept_aside import told_aside
from app.session.picture_import import picture_bytes
from app.store.library import Library

_PROGRAMS = (
    " exe dll inf ini com bat cmd msi sys ocx cab jar class so dylib app lnk chm hlp htm html css js json xml xsl xslt txt "
    "rtf md ico cur gif bmp svg ttf otf woff swf dat cfg config properties manifest db log sh pdb lib nib plist strings "
    "icns rsrc "
)
"""What disc viewers consist of. Such files are counted when they are no DICOM: not read, never run."""
_ICON_SIDE = 300
"""Smaller pictures beside DICOM files are buttons of a viewer, not films."""


@dataclass(frozen=True, eq=False)
class Scanned:
    result: ScanResult
    patients: tuple[PatientNode, ...]
    refused: tuple[RefusedFile, ...]
    pictures: tuple[FoundPicture, ...]
    programs: int
    candidates: tuple[Instance, ...]
    """Instances whose number is in the library: their bytes are compared next."""
    owners: dict[str, str]
    """Patient of the library by Study Instance UID, of the studies that are there."""
    seconds: float
    medium: Medium | None = None
    """A disc or a stick that this system can let go."""


@dataclass(frozen=True)
class Compared:
    same: frozenset[str]
    """SOP Instance UIDs whose bytes are here."""
    other: tuple[RefusedFile, ...]
    """Same number, other bytes."""


def look(library: Library, paths: Sequence[Path], progress: Progress) -> Scanned:
    """Reads headers only. Raises ``Cancelled``."""
    began = time.monotonic()
    found = scan(paths, progress)
    refused, pictures, programs = _sorted(found, {os.path.abspath(p) for p in paths})
    known: dict[str, list[Patient]] = {}
    numbers = {s.patient.patient_id for s in found.studies if s.patient.patient_id}
    for number in numbers:
        known[number] = [row.patient for row in library.studies.search(patient_id=number, limit=50)]
    owners = {}
    for uid in {s.study_instance_uid for s in found.studies}:
        owner = library.studies.patient_key(uid)
        if owner is not None:
            owners[uid] = owner
    tree = build_tree(found.studies, known, owners)
    instances = {i.sop_instance_uid: i for s in found.studies for series in s.series for i in series.instances}
    here = library.studies.digests(instances)
    candidates = tuple(instances[uid] for uid in here)
    medium = medium_of(paths, library.home)
    seconds = time.monotonic() - began
    return Scanned(found, tree, refused, pictures, programs, candidates, owners, seconds, medium)


def _sorted(found: ScanResult, asked_for: set[str]) -> tuple[tuple[RefusedFile, ...], tuple[FoundPicture, ...], int]:
    """Refusals proper, pictures that need a patient, and how many files belong to a viewer."""
    refused: list[RefusedFile] = [
        dataclasses.replace(d, problem=told_aside(d.problem))
        for d in found.duplicates
        if d.problem.code != "dicom.duplicate_same"
    ]
    pictures: list[FoundPicture] = []
    programs = 0
    archives = FileByteSource()
    for one in found.refused:
        if one.problem.code not in ("dicom.not_dicom", "dicom.empty_file", "dicom.truncated"):
            refused.append(one)
            continue
        picture = _picture(one.path, archives)
        if isinstance(picture, Problem):
            refused.append(RefusedFile(one.path, picture))
        elif picture is not None:
            if found.studies and max(picture.rows, picture.columns) < _ICON_SIDE and one.path not in asked_for:
                programs += picture.kind != "pdf"
                refused += [one] if picture.kind == "pdf" else []
                continue
            name = one.path.replace("!", "/").rsplit("/", 1)[-1].rsplit("\\", 1)[-1]
            pictures.append(FoundPicture(f"picture/{one.path}", one.path, name, picture))
        elif f" {one.path.rsplit('.', 1)[-1].lower()} " in _PROGRAMS and one.path not in asked_for:
            programs += 1
        else:
            refused.append(one)
    archives.close()
    return tuple(refused), tuple(pictures), programs


def _picture(path: str, archives: ByteSource) -> PictureInfo | Problem | None:
    """What kind of picture a file is; None when it is none, a problem when it is one that cannot be taken."""
    try:
        return inspect_picture(picture_bytes(path, sniffed=True, archives=archives))
    except ProblemError as error:
        return None if error.problem.code in ("picture.unknown", "picture.unreadable") else error.problem


def compare(candidates: Sequence[Instance], library: Library, progress: Progress) -> Compared:
    """Whether the bytes of files whose number is known are those of the library. Raises ``Cancelled``."""
    here = library.studies.digests(i.sop_instance_uid for i in candidates)
    total = sum(i.size_bytes for i in candidates) or 1
    source = FileByteSource()
    same: set[str] = set()
    other: list[RefusedFile] = []
    done = 0
    try:
        for instance in candidates:
            if progress.cancelled():
                raise Cancelled
            _, digest, _ = here.get(instance.sop_instance_uid, ("", "", 0))
            try:
                found = hashlib.sha256(source.read(instance.locator)).hexdigest()
            except ProblemError:
                continue  # the copy will name what is wrong with it
            if found == digest:
                same.add(instance.sop_instance_uid)
            elif digest:
                problem = told_aside(fail("store.same_uid_other_bytes").problem)
                path = instance.locator.split(":", 1)[1]
                other.append(RefusedFile(path, problem, instance.sop_instance_uid, instance.transfer_syntax_uid))
            done += instance.size_bytes
            progress.report(done / total, "import.stage.comparing")
    finally:
        source.close()
    return Compared(frozenset(same), tuple(other))
