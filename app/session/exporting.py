"""Studies out of the library: to a folder, a ZIP archive or a medium with a DICOMDIR; read back and compared at the end.

The library is not changed. What could not go out is named with its reason; on a cancel or a failure nothing half stays.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from app.dicom.deidentify import BurnedIn, Profile, deidentify
from app.dicom.media_writer import MediaFolder, write_atomically
from app.dicom.plain_syntax import to_explicit_le
from app.domain.event import EventKind
from app.domain.ports import Cancelled, Progress
from app.domain.problem import Problem, ProblemError, Severity, fail
from app.domain.study import Instance, RefusedFile, Series, Study
from app.store.library import Library

_WRITE_SHARE = 0.7
_BLOCK = 1 << 20
_LONGEST = 40
_ADDED_SERIES = "Ekinshi"


class Form(StrEnum):
    FOLDER = "folder"
    ZIP = "zip"
    MEDIA = "media"
    """A folder to be burnt or copied to a stick: DICOMDIR, names of PS3.10, uncompressed (PS3.11 D, STD-GEN-CD)."""


@dataclass(frozen=True)
class ExportOptions:
    form: Form = Form.FOLDER
    profile: Profile | None = None
    """De-identified by this profile; None: as it is."""
    burned_in: bool = False
    """With de-identification: also objects that say that a name stands in their pixels."""
    reports: bool = True
    """Signed reports and the objects made with them; never in a de-identified export."""


@dataclass(frozen=True)
class ExportedFile:
    path: str
    """Below the target, with slashes."""
    sop_instance_uid: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class ExportSummary:
    """What an export wrote. It exists only when every file was read back and was equal."""

    target: Path
    form: Form
    studies: int
    files: tuple[ExportedFile, ...]
    left_out: tuple[RefusedFile, ...]
    warnings: tuple[Problem, ...]
    deidentified: bool
    size_bytes: int


@dataclass(frozen=True)
class _Source:
    """One object of the library on its way out."""

    study: Study
    series: Series | None
    instance: Instance | None
    """None: an object of our own beside a report."""
    locator: str
    sop_instance_uid: str
    size_bytes: int
    number: int


@dataclass
class _Run:
    library: Library
    options: ExportOptions
    progress: Progress
    total: int
    done: int = 0
    files: list[ExportedFile] = field(default_factory=list)
    left_out: list[RefusedFile] = field(default_factory=list)
    likely: int = 0
    burned: int = 0

    def step(self, size: int) -> None:
        if self.progress.cancelled():
            raise Cancelled
        self.done += size
        self.progress.report(_WRITE_SHARE * min(1.0, self.done / max(self.total, 1)), "export.stage.writing")


def export_studies(
    library: Library,
    study_uids: Sequence[str],
    target: Path,
    options: ExportOptions,
    progress: Progress,
    person: str = "",
) -> ExportSummary:
    """Writes the studies to ``target``: a folder, or the name of a new ``.zip``; nothing there is overwritten.

    Raises ``Cancelled``; ``ProblemError``: ``export.target_exists``, ``export.not_empty``, ``export.nothing``,
    ``export.disk``, ``export.differs``, ``store.no_such_study``. Nothing half stays then.
    """
    studies = [library.studies.load(uid) for uid in dict.fromkeys(study_uids)]
    sources = [s for study in studies for s in _sources(library, study, options)]
    run = _Run(library, options, progress, sum(s.size_bytes for s in sources))
    try:
        if options.form is Form.ZIP:
            _to_zip(run, sources, target)
        elif options.form is Form.MEDIA:
            _to_media(run, sources, target)
        else:
            _to_folder(run, sources, target)
    except OSError as error:
        raise fail(
            "export.disk", kept_safe="safe.library", next_step="next.check_target", kind=type(error).__name__
        ) from error
    body = {
        "form": options.form.value,
        "objects": len(run.files),
        "left_out": len(run.left_out),
        "deidentified": options.profile is not None,
    }
    library.write(
        lambda tx: [
            library.events.append(tx, EventKind.STUDY_EXPORTED, study=s.study_instance_uid, person=person, body=body)
            for s in studies
        ]
    )
    return ExportSummary(
        target,
        options.form,
        len(studies),
        tuple(run.files),
        tuple(run.left_out),
        tuple(_warnings(run)),
        options.profile is not None,
        sum(f.size_bytes for f in run.files),
    )


def _warnings(run: _Run) -> Iterator[Problem]:
    if run.likely:
        yield Problem("export.names_likely", {"n": run.likely}, Severity.WARNING, next_step="export.next.look")
    if run.burned and run.options.burned_in:
        yield Problem("export.with_names", {"n": run.burned}, Severity.WARNING, next_step="export.next.look")


def _sources(library: Library, study: Study, options: ExportOptions) -> Iterator[_Source]:
    for series in study.series:
        for number, one in enumerate(series.instances, 1):
            yield _Source(study, series, one, one.locator, one.sop_instance_uid, one.size_bytes, number)
    if options.reports and options.profile is None:
        for number, own in enumerate(library.reports.objects_of_study(study.study_instance_uid), 1):
            yield _Source(study, None, None, "object:" + own.object_name, own.sop_instance_uid, own.size_bytes, number)


def _content(run: _Run, source: _Source) -> tuple[bytes, str, str] | None:
    """The bytes that go out, their SOP Instance UID and the patient's pseudonym; None when the object is left out."""
    patient = ""
    data = run.library.objects.read(source.locator)
    uid = source.sop_instance_uid
    try:
        if run.options.form is Form.MEDIA and source.instance is not None:
            data = to_explicit_le(data, source.instance, run.library.objects)
        if run.options.profile is not None:
            series = source.series.series_instance_uid if source.series else ""
            made = deidentify(data, run.options.profile, (source.study.study_instance_uid, series, uid))
            if made.burned_in is BurnedIn.YES:
                run.burned += 1
                if not run.options.burned_in:
                    raise fail("export.names_in_pixels", kept_safe="safe.library")
            run.likely += made.burned_in is BurnedIn.LIKELY
            data, uid, patient = made.data, made.sop_instance_uid, made.patient_id
    except ProblemError as error:
        run.left_out.append(RefusedFile(_plain_name(run, source), error.problem, source.sop_instance_uid))
        return None
    return data, uid, patient


def _plain_name(run: _Run, source: _Source) -> str:
    """How an object is named to a person: series and number, no name of a patient."""
    number = source.series.series_number if source.series is not None else None
    return f"{number if number is not None else _ADDED_SERIES} / {source.number}"


# -- names ---------------------------------------------------------------------------------------------------------------


def _safe(text: str) -> str:
    """A name that every file system takes."""
    plain = re.sub(r'[\x00-\x1f<>:"/\\|?*]+', " ", text).strip(" .")
    plain = re.sub(r"\s+", " ", plain)[:_LONGEST].strip(" .")
    reserved = plain.upper().split(".")[0] in {
        "CON",
        "PRN",
        "AUX",
        "NUL",
        *(f"{d}{n}" for d in ("COM", "LPT") for n in range(10)),
    }
    return f"{plain} " if reserved else plain


class _Names:
    """Folder and file of each object; the same text for two studies or series gets a number."""

    def __init__(self, deidentified: bool) -> None:
        self._hidden = deidentified
        self._given: dict[tuple[str, str], str] = {}
        self._used: set[str] = set()

    def _unique(self, key: tuple[str, str], wanted: str) -> str:
        if key not in self._given:
            name, number = wanted, 2
            while name.casefold() in self._used:
                name, number = f"{wanted} {number}", number + 1
            self._used.add(name.casefold())
            self._given[key] = name
        return self._given[key]

    def path(self, source: _Source, pseudonym: str) -> str:
        study, patient = source.study, source.study.patient
        if self._hidden:
            top = _safe(pseudonym) or "P"
            what = _safe(" ".join(study.modalities))
            middle = self._unique((study.study_instance_uid, ""), f"{top}/{what or 'study'}")
        else:
            who = _safe(" ".join(p for p in (patient.name.display(), patient.patient_id) if p)) or "patient"
            what = _safe(
                " ".join(p for p in (study.study_datetime[:8], study.description or " ".join(study.modalities)) if p)
            )
            middle = self._unique((study.study_instance_uid, ""), f"{who}/{what or 'study'}")
        series = source.series
        if series is None:
            last = f"{middle}/{_ADDED_SERIES}"
        else:
            text = series.modality if self._hidden else f"{series.modality} {series.description}"
            number = f"{series.series_number:03d} " if series.series_number is not None and series.series_number >= 0 else ""
            last = self._unique((study.study_instance_uid, series.series_instance_uid), f"{middle}/{_safe(number + text)}")
        return f"{last}/IM{source.number:05d}.dcm"


# -- folder --------------------------------------------------------------------------------------------------------------


def _to_folder(run: _Run, sources: Sequence[_Source], target: Path) -> None:
    names = _Names(run.options.profile is not None)
    made: list[Path] = []
    folders: list[Path] = []
    try:
        for source in sources:
            found = _content(run, source)
            run.step(source.size_bytes)
            if found is None:
                continue
            data, uid, patient = found
            name = names.path(source, patient)
            path = target / name
            _make_folders(path.parent, folders)
            if path.exists():
                if path.read_bytes() != data:
                    raise fail("export.target_exists", kept_safe="safe.library", next_step="next.other_target")
            else:
                write_atomically(path, data)
                made.append(path)
            run.files.append(ExportedFile(name, uid, hashlib.sha256(data).hexdigest(), len(data)))
        _require_something(run)
        _read_back(run, lambda one: (target / one.path).open("rb"))
    except BaseException:
        _remove(made, folders)
        raise


def _require_something(run: _Run) -> None:
    if not run.files:
        raise fail("export.nothing", kept_safe="safe.library", n=len(run.left_out))


def _make_folders(folder: Path, made: list[Path]) -> None:
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        one.mkdir()
        made.append(one)


def _remove(files: Sequence[Path], folders: Sequence[Path]) -> None:
    for path in files:
        path.unlink(missing_ok=True)
    for folder in reversed(folders):
        try:
            folder.rmdir()
        except OSError:
            continue  # somebody else put something there


def _read_back(run: _Run, opened: Callable[[ExportedFile], object]) -> None:
    """Every file once more from the target: its SHA-256 must be that of what was written."""
    total = sum(f.size_bytes for f in run.files) or 1
    done = 0
    for one in run.files:
        seen = hashlib.sha256()
        with opened(one) as stream:  # type: ignore[attr-defined]
            while block := stream.read(_BLOCK):
                if run.progress.cancelled():
                    raise Cancelled
                seen.update(block)
        if seen.hexdigest() != one.sha256:
            raise fail("export.differs", kept_safe="safe.library", next_step="next.other_target", path=Path(one.path).name)
        done += one.size_bytes
        run.progress.report(_WRITE_SHARE + (1 - _WRITE_SHARE) * done / total, "export.stage.comparing")


# -- archive -------------------------------------------------------------------------------------------------------------


def _to_zip(run: _Run, sources: Sequence[_Source], target: Path) -> None:
    if target.exists():
        raise fail("export.target_exists", kept_safe="safe.library", next_step="next.other_target")
    names = _Names(run.options.profile is not None)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{secrets.token_hex(6)}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
            for source in sources:
                found = _content(run, source)
                run.step(source.size_bytes)
                if found is None:
                    continue
                data, uid, patient = found
                name = names.path(source, patient)
                info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, data)
                run.files.append(ExportedFile(name, uid, hashlib.sha256(data).hexdigest(), len(data)))
        _require_something(run)
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        with zipfile.ZipFile(part) as archive:
            _read_back(run, lambda one: archive.open(one.path))
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


# -- medium --------------------------------------------------------------------------------------------------------------


def _to_media(run: _Run, sources: Sequence[_Source], target: Path) -> None:
    if target.exists() and any(target.iterdir()):
        raise fail("export.not_empty", kept_safe="safe.library", next_step="next.empty_folder")
    was_there = target.exists()
    target.mkdir(parents=True, exist_ok=True)
    try:
        folder = MediaFolder(target)
        for source in sources:
            found = _content(run, source)
            run.step(source.size_bytes)
            if found is None:
                continue
            data, uid, _ = found
            added = folder.add(data)
            name = "/".join(added.file_id)
            run.files.append(ExportedFile(name, uid, added.sha256, len(data)))
        _require_something(run)
        folder.write_directory(force=True)
        directory = (target / "DICOMDIR").read_bytes()
        _read_back(run, lambda one: (target / one.path).open("rb"))
        run.files.append(ExportedFile("DICOMDIR", "", hashlib.sha256(directory).hexdigest(), len(directory)))
        _require_listed(run, target)
    except BaseException:
        for inside in target.iterdir():
            if inside.is_dir():
                shutil.rmtree(inside, ignore_errors=True)
            else:
                inside.unlink(missing_ok=True)
        if not was_there:
            target.rmdir()
        raise


def _require_listed(run: _Run, target: Path) -> None:
    """The directory must list exactly what was written."""
    from app.dicom.media_index import listed_files, wrong_links

    listed = {p.relative_to(target).as_posix() for p in listed_files(target / "DICOMDIR") or ()}
    written = {f.path for f in run.files if f.sop_instance_uid}
    if listed != written or wrong_links(target / "DICOMDIR") is not None:
        raise fail("export.differs", kept_safe="safe.library", next_step="next.other_target", path="DICOMDIR")


def new_secret() -> bytes:
    """Of one export: who has it could trace pseudonyms back, so it is kept nowhere."""
    return secrets.token_bytes(32)
