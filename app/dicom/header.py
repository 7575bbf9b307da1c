"""One file's header to :class:`FileHeader`: the thin reader first, pydicom where the structure is odd."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable

from app.dicom import tags
from app.dicom.byte_source import plain_name
from app.dicom.frame_headers import repaired
from app.dicom.instance_builder import FileHeader, build_header
from app.dicom.raw_header import FIRST_READ, Fetch, read_raw
from app.dicom.raw_items import NotDicom, OddHeader, RawFile
from app.dicom.series_template import SeriesTemplates
from app.domain.ports import ByteSource
from app.domain.problem import Problem, ProblemError, fail
from app.domain.study import Instance

MAX_INFLATED = 2 << 30
_INFLATE_RATIO = 1000

DICOMDIR_CLASS = "1.2.840.10008.1.3.10"


def inflate(data: bytes) -> bytes:
    """Raw deflate of a data set (PS3.5 A.5), bounded against bombs. Raises ``OddHeader``."""
    limit = min(MAX_INFLATED, max(len(data) * _INFLATE_RATIO, 1 << 20))
    for bits in (-zlib.MAX_WBITS, zlib.MAX_WBITS):
        machine = zlib.decompressobj(bits)
        try:
            plain = machine.decompress(data, limit)
        except zlib.error:
            continue
        if machine.unconsumed_tail:
            raise fail("dicom.deflate_bomb", limit=limit >> 20)
        if not machine.eof:
            raise fail("dicom.truncated", kept_safe="kept.original", next_step="dicom.next.ask_again")
        return plain
    raise fail("dicom.deflate_broken", kept_safe="kept.original", next_step="dicom.next.ask_again")


def fetch_from_bytes(data: bytes) -> Fetch:
    return lambda offset, length: data[offset : offset + length]


def read_with(templates: SeriesTemplates, path: str, source: ByteSource) -> tuple[RawFile | None, FileHeader]:
    """Header of a plain file, through the templates of its series where one fits. Raises ``ProblemError``.

    The raw pass comes with it where one was made. DICOMDIR files raise :class:`IsDirectory`.
    """
    locator = "file:" + path
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise _os_problem(error) from error
    try:
        size = os.fstat(handle).st_size
        fetch = _fetch_from_handle(handle)
        first = fetch(0, FIRST_READ)
        found = templates.match(first, size, locator)
        if found is not None:
            return None, found

        def again(offset: int, length: int) -> bytes:
            return first if offset == 0 and length == FIRST_READ else fetch(offset, length)

        raw = _guarded(again, size, tags.HEADER_TAGS, lambda: source.read(locator))
    except OSError as error:
        raise _os_problem(error) from error
    finally:
        os.close(handle)
    if is_directory(raw):
        raise IsDirectory
    try:
        header = header_from_raw(raw, locator, size)
    except ProblemError as error:
        raise RefusedHeader(error.problem, raw) from error
    templates.learn(first, size, raw, header)
    return raw, header


class IsDirectory(Exception):
    """The file is a DICOMDIR."""


class RefusedHeader(ProblemError):
    """A refusal of a file whose identity could be read."""

    def __init__(self, problem: Problem, raw: RawFile) -> None:
        super().__init__(problem)
        self.raw = raw


def is_directory(raw: RawFile) -> bool:
    uid = raw.dataset.raw(tags.MEDIA_STORAGE_SOP_CLASS_UID)
    return uid.rstrip(b"\0 ").decode("ascii", "replace") == DICOMDIR_CLASS


def read_raw_at(locator: str, source: ByteSource, wanted: frozenset[int] = tags.HEADER_TAGS) -> tuple[RawFile, bytes | None]:
    """Header pass over a locator; also returns the whole file's bytes where they had to be read anyway."""
    path = plain_name(source, locator)
    if path is None:
        data = source.read(locator)
        return _guarded(fetch_from_bytes(data), len(data), wanted, lambda: data), data
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise _os_problem(error) from error
    try:
        return _guarded(_fetch_from_handle(handle), os.fstat(handle).st_size, wanted, lambda: source.read(locator)), None
    except OSError as error:
        raise _os_problem(error) from error
    finally:
        os.close(handle)


def read_raw_of(instance: Instance, source: ByteSource, wanted: frozenset[int]) -> RawFile:
    """Another pass over a known object's header, in pieces: an encrypted file is not unpacked as a whole for it."""
    locator = instance.locator
    if instance.size_bytes <= 0 or locator.startswith("file:"):
        return read_raw_at(locator, source, wanted)[0]

    def fetch(offset: int, length: int) -> bytes:
        return source.read_range(locator, offset, length)

    return _guarded(fetch, instance.size_bytes, wanted, lambda: source.read(locator))


def _os_problem(error: OSError) -> Exception:
    if isinstance(error, FileNotFoundError):
        return fail("dicom.file_gone", next_step="dicom.next.rescan")
    if isinstance(error, PermissionError):
        return fail("dicom.no_permission", next_step="dicom.next.permission")
    return fail("dicom.unreadable", kept_safe="kept.original")


def _fetch_from_handle(handle: int) -> Fetch:
    if hasattr(os, "pread"):

        def fetch(offset: int, length: int) -> bytes:
            return os.pread(handle, length, offset)

    else:

        def fetch(offset: int, length: int) -> bytes:
            os.lseek(handle, offset, os.SEEK_SET)
            return os.read(handle, length)

    return fetch


def _guarded(fetch: Fetch, size: int, wanted: frozenset[int], whole: Callable[[], bytes]) -> RawFile:
    if size == 0:
        raise fail("dicom.empty_file")
    try:
        return read_raw(fetch, size, wanted, inflate)
    except NotDicom:
        raise fail("dicom.not_dicom") from None
    except OddHeader:
        from app.dicom.arbiter import arbitrate

        return arbitrate(whole(), wanted)


def read_header(locator: str, source: ByteSource) -> FileHeader:
    """Header of one object. Raises ``ProblemError`` with the reason when it cannot be opened."""
    raw, data = read_raw_at(locator, source)
    size = raw.size if raw.inflated is None else (len(data) if data is not None else _size(locator, source))
    return header_from_raw(raw, locator, size)


def _size(locator: str, source: ByteSource) -> int:
    path = source.plain_path(locator)
    return path.stat().st_size if path is not None else len(source.read(locator))


def header_from_raw(raw: RawFile, locator: str, size: int) -> FileHeader:
    repairs: list[Problem] = [repaired(note) for note in raw.notes]
    if not raw.dataset.values or not _looks_like_an_object(raw):
        if raw.truncated:
            raise fail("dicom.truncated", kept_safe="kept.original", next_step="dicom.next.ask_again")
        raise fail("dicom.empty_dataset" if raw.has_preamble else "dicom.not_dicom")
    return build_header(raw, locator, size, repairs)


_IDENTITY = (tags.SOP_CLASS_UID, tags.SOP_INSTANCE_UID, tags.MODALITY, tags.ROWS)


def _looks_like_an_object(raw: RawFile) -> bool:
    values = raw.dataset.values
    return any(t in values for t in _IDENTITY) or bool(raw.dataset.raw(tags.MEDIA_STORAGE_SOP_INSTANCE_UID).strip(b"\0 "))
