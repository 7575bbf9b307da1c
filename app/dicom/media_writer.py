"""A folder of DICOM files with a DICOMDIR (PS3.10 8, PS3.3 F): the archive that needs no server.

A file's place follows from its UIDs, so an object is found again without any index; DICOMDIR is the index for others.
Files are written once, atomically, and never changed. DICOMDIR is rewritten as a whole; a marker tells the next writer
that files were added after the last rewrite, and it is then built from the files themselves.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import ExplicitVRLittleEndian

from app.dicom.data_set import data_set
from app.dicom.object_header import CHARACTER_SET, IMPLEMENTATION_CLASS_UID, is_date
from app.domain.identity import uid_for
from app.domain.problem import ProblemError, fail

MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
DICOMDIR = "DICOMDIR"
_ROOT = "DICOM"
_DIRTY = "DICOMDIR.old"
_ABANDONED_AFTER_S = 600.0
_ITEM_HEADER = 8
_TYPES = {
    "1.2.840.10008.5.1.4.1.1.88.59": "KEY OBJECT DOC",
    "1.2.840.10008.5.1.4.1.1.104.1": "ENCAP DOC",
    "1.2.840.10008.5.1.4.1.1.104.2": "ENCAP DOC",
    "1.2.840.10008.5.1.4.1.1.66": "RAW DATA",
}
_PATIENT = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex")
_STUDY = ("StudyInstanceUID", "StudyDate", "StudyTime", "StudyDescription", "StudyID", "AccessionNumber")
_SERIES = ("SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription")
_KEYS = {
    "IMAGE": ("InstanceNumber", "ImageType"),
    "SR DOCUMENT": (
        "InstanceNumber", "CompletionFlag", "VerificationFlag", "ContentDate", "ContentTime", "VerificationDateTime",
        "ConceptNameCodeSequence",
    ),
    "KEY OBJECT DOC": ("InstanceNumber", "ContentDate", "ContentTime", "ConceptNameCodeSequence"),
    "ENCAP DOC": (
        "InstanceNumber", "ContentDate", "ContentTime", "DocumentTitle", "ConceptNameCodeSequence",
        "MIMETypeOfEncapsulatedDocument",
    ),
    "PRESENTATION": ("InstanceNumber", "ContentDate", "ContentTime", "ContentLabel", "PresentationCreationDate"),
    "RAW DATA": ("InstanceNumber", "ContentDate", "ContentTime"),
}  # fmt: skip
_MAY_BE_EMPTY = ("StudyDescription", "AccessionNumber", "PatientName", "DocumentTitle")
_REQUIRED_TEXT = {"PatientID": "?", "StudyID": "1", "StudyDate": "19000101", "StudyTime": "000000"}


@dataclass(frozen=True)
class MediaFile:
    """Where an object lies. ``file_id``: components of ReferencedFileID."""

    file_id: tuple[str, ...]
    path: Path
    sop_instance_uid: str
    sha256: str


def _code(*parts: str) -> str:
    """16 characters of A-Z and 2-7: allowed in a File ID (PS3.10 8.5)."""
    return base64.b32encode(hashlib.sha256("\n".join(parts).encode()).digest()).decode()[:16]


class MediaFolder:
    """One folder archive. Several processes may add to it; each addition is a whole file or nothing."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def file_id(self, study_instance_uid: str, sop_instance_uid: str) -> tuple[str, ...]:
        name = _code(sop_instance_uid)
        return (_ROOT, _code(study_instance_uid)[:8], name[:8], name[8:])

    def path_of(self, study_instance_uid: str, sop_instance_uid: str) -> Path:
        return self.root.joinpath(*self.file_id(study_instance_uid, sop_instance_uid))

    def read(self, study_instance_uid: str, sop_instance_uid: str) -> bytes | None:
        """The stored bytes, or None when there is no such object."""
        try:
            return self.path_of(study_instance_uid, sop_instance_uid).read_bytes()
        except FileNotFoundError:
            return None

    def add(self, data: bytes) -> MediaFile:
        """Writes one Part 10 object under its own UIDs, durable when this returns.

        The same bytes again change nothing. Raises ``media.other_bytes`` when another content lies under the UID,
        ``media.not_dicom``; ``OSError`` for the disk. DICOMDIR follows with :meth:`write_directory`.
        """
        study, _, sop = object_uids(data)
        path = self.path_of(study, sop)
        file = MediaFile(self.file_id(study, sop), path, sop, hashlib.sha256(data).hexdigest())
        present = self.read(study, sop)
        if present is not None:
            if present != data:
                raise fail("media.other_bytes", kept_safe="safe.first_kept", sop_instance_uid=sop)
            return file
        path.parent.mkdir(parents=True, exist_ok=True)
        (self.root / _DIRTY).touch()
        write_atomically(path, data)
        return file

    def files(self) -> Iterator[Path]:
        root = self.root / _ROOT
        if root.is_dir():
            yield from (p for p in sorted(root.rglob("*")) if p.is_file() and not p.name.startswith("."))

    def sweep(self) -> int:
        """Removes what a writer that was killed left half-written; returns how many files. Young ones may be alive."""
        oldest_alive = time.time() - _ABANDONED_AFTER_S
        removed = 0
        for path in [*self.root.glob(".*.new"), *(self.root / _ROOT).rglob(".*.new")]:
            try:
                if path.stat().st_mtime < oldest_alive:
                    path.unlink()
                    removed += 1
            except FileNotFoundError:
                continue  # its writer has finished, or another one swept it
        return removed

    def write_directory(self, force: bool = False) -> bool:
        """Builds DICOMDIR from the files when something was added since; returns whether it did."""
        dirty = self.root / _DIRTY
        if not force and not dirty.exists() and (self.root / DICOMDIR).exists():
            return False
        dirty.unlink(missing_ok=True)  # first: a file added while we build marks it again
        try:
            write_atomically(self.root / DICOMDIR, _directory(self.root, self.files()))
        except BaseException:
            dirty.touch()
            raise
        return True


def write_atomically(path: Path, data: bytes) -> None:
    """All of ``data`` under ``path``, or nothing; on disk when this returns."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.new")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name != "nt":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def object_uids(data: bytes) -> tuple[str, str, str]:
    """(study, series, SOP instance) UIDs of Part 10 bytes. Raises ``media.not_dicom``."""
    try:
        ds: Any = data_set(
            data,
            stop_before_pixels=True,
            specific_tags=["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"],
        )
        return str(ds.StudyInstanceUID), str(ds.SeriesInstanceUID), str(ds.SOPInstanceUID)
    except Exception as error:  # bytes of any origin
        raise fail("media.not_dicom", error=type(error).__name__) from error


def _record_type(sop_class_uid: str) -> str:
    if sop_class_uid in _TYPES:
        return _TYPES[sop_class_uid]
    if sop_class_uid.startswith("1.2.840.10008.5.1.4.1.1.88."):
        return "SR DOCUMENT"
    if sop_class_uid.startswith("1.2.840.10008.5.1.4.1.1.11."):
        return "PRESENTATION"
    return "IMAGE"


def _record(kind: str, source: Any, keywords: tuple[str, ...]) -> Any:
    record = Dataset()
    record.OffsetOfTheNextDirectoryRecord = 0
    record.RecordInUseFlag = 0xFFFF
    record.OffsetOfReferencedLowerLevelDirectoryEntity = 0
    record.DirectoryRecordType = kind
    record.SpecificCharacterSet = CHARACTER_SET
    for keyword in keywords:
        value = source.get(keyword)
        if value not in (None, "") or keyword in source or keyword in _MAY_BE_EMPTY:
            setattr(record, keyword, value)
        if keyword == "PatientBirthDate" and not is_date(str(value or "")):
            record.PatientBirthDate = ""  # 00000000 and the like are no dates
        if record.get(keyword) in (None, "") and keyword in _REQUIRED_TEXT:
            setattr(record, keyword, _REQUIRED_TEXT[keyword])
    return record


def _directory(root: Path, files: Iterator[Path]) -> bytes:
    tree: dict[str, tuple[Any, dict[str, tuple[Any, dict[str, tuple[Any, list[Any]]]]]]] = {}
    for path in files:
        try:
            ds = _header(path)
        except ProblemError:
            continue  # not ours and not DICOM: it has no place in a DICOMDIR
        patient_key = f"{ds.get('PatientID', '')}|{ds.get('PatientName', '')}"
        patient = tree.setdefault(patient_key, (_record("PATIENT", ds, _PATIENT), {}))
        study = patient[1].setdefault(str(ds.StudyInstanceUID), (_record("STUDY", ds, _STUDY), {}))
        series = study[1].setdefault(str(ds.SeriesInstanceUID), (_record("SERIES", ds, _SERIES), []))
        kind = _record_type(str(ds.SOPClassUID))
        record = _record(kind, ds, _KEYS[kind])
        record.ReferencedFileID = list(path.relative_to(root).parts)
        record.ReferencedSOPClassUIDInFile = ds.SOPClassUID
        record.ReferencedSOPInstanceUIDInFile = ds.SOPInstanceUID
        record.ReferencedTransferSyntaxUIDInFile = ds.file_meta.TransferSyntaxUID
        if kind == "SR DOCUMENT":
            modifiers = [i for i in ds.get("ContentSequence") or () if i.get("RelationshipType") == "HAS CONCEPT MOD"]
            if modifiers:
                record.ContentSequence = DicomSequence(modifiers)
        series[1].append(record)
    return _encoded(tree)


def _header(path: Path) -> Any:
    try:
        ds: Any = data_set(path, stop_before_pixels=True, defer_size=4096)
        if not (ds.SOPClassUID and ds.StudyInstanceUID and ds.SeriesInstanceUID and ds.file_meta.TransferSyntaxUID):
            raise fail("media.not_dicom", error="header")
    except (OSError, ProblemError):
        raise
    except Exception as error:  # bytes of any origin
        raise fail("media.not_dicom", error=type(error).__name__) from error
    return ds


def _size(record: Any) -> int:
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, False
    write_dataset(stream, record, CHARACTER_SET)
    return _ITEM_HEADER + len(stream.getvalue())


def _encoded(tree: dict[str, Any]) -> bytes:
    """Lays the records out depth first, then fills in their byte offsets (UL: their length does not change the layout)."""
    ordered: list[Any] = []
    levels: list[tuple[Any, list[Any]]] = []

    def lay(record: Any, children: list[tuple[Any, Any]]) -> None:
        ordered.append(record)
        levels.append((record, [c[0] for c in children]))
        for child, below in children:
            lay(child, list(below.values()) if isinstance(below, dict) else [(leaf, []) for leaf in below])

    patients = list(tree.values())
    for record, studies in patients:
        lay(record, list(studies.values()))
    ds = Dataset()
    ds.FileSetID = "EKINSHI"
    ds.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = 0
    ds.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = 0
    ds.FileSetConsistencyFlag = 0
    ds.DirectoryRecordSequence = DicomSequence([])
    uid = uid_for("dicomdir", *(str(r.get("ReferencedSOPInstanceUIDInFile", "")) for r in ordered))
    position = len(_part10(ds, uid))
    offsets: dict[int, int] = {}
    for record in ordered:
        offsets[id(record)] = position
        position += _size(record)
    for parent, children in levels:
        if children:
            parent.OffsetOfReferencedLowerLevelDirectoryEntity = offsets[id(children[0])]
        _chain(children, offsets)
    roots = [record for record, _ in patients]
    _chain(roots, offsets)
    if roots:
        ds.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = offsets[id(roots[0])]
        ds.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = offsets[id(roots[-1])]
    ds.DirectoryRecordSequence = DicomSequence(ordered)
    return _part10(ds, uid)


def _chain(records: list[Any], offsets: dict[int, int]) -> None:
    for record, following in zip(records, records[1:], strict=False):
        record.OffsetOfTheNextDirectoryRecord = offsets[id(following)]


def _part10(ds: Any, uid: str) -> bytes:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = MEDIA_STORAGE_DIRECTORY
    meta.MediaStorageSOPInstanceUID = uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    ds.file_meta = meta
    ds.preamble = bytes(128)
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
