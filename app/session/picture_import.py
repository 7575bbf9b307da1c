"""A picture without a header, bound to a patient whom a person confirmed, as DICOM in the library; its bytes kept beside."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.dicom.byte_source import FileByteSource, locator_of
from app.dicom.header import read_header
from app.dicom.plain_pictures import MEDIA_TYPES, PictureInfo, inspect_picture, sniff
from app.dicom.secondary_capture import Binding, convert, film_kinds, page_uid, picture_uids
from app.dicom.study_tree import StudyTree
from app.domain.ports import ByteSource
from app.domain.problem import ProblemError, fail
from app.domain.study import Study
from app.store.database import Tx
from app.store.import_jobs import SourceFile
from app.store.library import Library

__all__ = ["Binding", "PictureOutcome", "film_kinds", "import_picture", "picture_bytes", "read_picture", "source_bytes"]

_MAX_READ = (1 << 30) + 1


@dataclass(frozen=True)
class PictureOutcome:
    """What became of a picture file."""

    study_instance_uid: str
    sop_instance_uids: tuple[str, ...]
    sha256: str
    """Of the source's bytes."""
    added: bool
    """False when this picture of this patient was here already."""


def picture_bytes(path: str, *, sniffed: bool = False, archives: ByteSource | None = None) -> bytes:
    """Of a file or of ``archive!member``. ``sniffed``: no more than is needed to see that it is no picture.

    ``archives``: keeps archives open over many calls.

    Raises ``picture.unreadable``, ``picture.unknown``, or what an archive says.
    """
    try:
        locator = locator_of(path)
        if locator.startswith("zip:"):
            if archives is not None:
                return archives.read(locator)
            source = FileByteSource()
            try:
                return source.read(locator)
            finally:
                source.close()
        with open(path, "rb") as stream:
            head = stream.read(16)
            if sniffed and not sniff(head):
                raise fail("picture.unknown")
            return head + stream.read(_MAX_READ)
    except OSError as error:
        raise fail("picture.unreadable", kept_safe="kept.original") from error


def read_picture(path: str) -> tuple[bytes, PictureInfo]:
    """The bytes of a picture file and what they say. Raises ``ProblemError``."""
    data = picture_bytes(path)
    return data, inspect_picture(data)


def import_picture(library: Library, path: str, binding: Binding, person: str = "") -> PictureOutcome:
    """Converts and keeps one file in one transaction; nothing half stays. Raises ``ProblemError``.

    The same picture for the same patient again changes nothing.
    """
    data, info = read_picture(path)
    digest = hashlib.sha256(data).hexdigest()
    study_uid, series_uid = picture_uids(digest, binding)
    first = page_uid(series_uid, 1)
    if library.studies.instance(first) is not None:
        return PictureOutcome(study_uid, (first,), digest, False)
    made = convert(data, info, binding, datetime.now(UTC), Path(path).stem)
    put: list[str] = []
    try:
        source = library.objects.put(data)
        put.append(source.name)
        study = put_study(library, [c.data for c in made], put)
        uids = tuple(c.sop_instance_uid for c in made)

        def work(tx: Tx) -> None:
            outcome = library.studies.import_study(tx, study, person=person)
            if outcome.refused:
                raise ProblemError(outcome.refused[0].problem)
            for uid in uids:
                media_type = MEDIA_TYPES[info.kind]
                kept = SourceFile(uid, source.name, source.sha256, source.size_bytes, media_type)
                library.import_jobs.keep_source(tx, kept)

        library.write(work)
    except BaseException:
        library.remove_unreferenced(put)
        raise
    return PictureOutcome(study_uid, uids, digest, True)


def put_study(library: Library, objects: Sequence[bytes], put: list[str]) -> Study:
    """The header tree of objects that are put into the library on the way."""
    tree = StudyTree()
    for data in objects:
        there = library.objects.put(data)
        put.append(there.name)
        header = read_header(there.locator, library.objects)
        instance = dataclasses.replace(header.instance, sha256=there.sha256, size_bytes=there.size_bytes)
        tree.add(dataclasses.replace(header, instance=instance))
    return tree.studies()[0]


def source_bytes(library: Library, sop_instance_uid: str) -> bytes | None:
    """The unaltered bytes that an object was made of, or None when it came as DICOM."""
    kept = library.import_jobs.source_of(sop_instance_uid)
    return library.objects.read("object:" + kept.object_name) if kept is not None else None
