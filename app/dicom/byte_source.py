"""Bytes of plain files and of members of ZIP archives; the store brings its own source for ``object:``."""

from __future__ import annotations

import os
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

from app.domain.ports import ByteSource
from app.domain.problem import ProblemError, fail

MAX_ZIP_MEMBERS = 200_000
MAX_MEMBER_BYTES = 4 << 30
MAX_RATIO = 200
_RATIO_FLOOR = 16 << 20
"""Members smaller than this may compress as well as they like (an empty mask does)."""
_CACHED_MEMBERS = 64
_PIECE = 4 << 20
_CACHED_BYTES = 256 << 20


def file_locator(path: Path | str) -> str:
    """Locator of a plain file."""
    return "file:" + os.path.abspath(path)


def zip_locator(archive: Path | str, member: str) -> str:
    return f"zip:{os.path.abspath(archive)}!{member}"


def split_zip_locator(locator: str) -> tuple[str, str]:
    """(archive path, member name); the first ``.zip!`` or else the first ``!`` divides them."""
    body = locator[4:]
    at = body.lower().find(".zip!")
    at = at + 4 if at >= 0 else body.find("!")
    if at < 0:
        raise fail("dicom.locator_unknown")
    return body[:at], body[at + 1 :]


def check_member(info: zipfile.ZipInfo) -> None:
    """Raises ``ProblemError`` for a member that must not be unpacked: encrypted, too big, a bomb."""
    if info.flag_bits & 1:
        raise fail("zip.encrypted", next_step="zip.next.unpack")
    if info.file_size > MAX_MEMBER_BYTES:
        raise fail("zip.too_big", megabytes=info.file_size >> 20, limit=MAX_MEMBER_BYTES >> 20)
    if info.file_size > _RATIO_FLOOR and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        raise fail("zip.bomb", ratio=info.file_size // max(info.compress_size, 1), limit=MAX_RATIO)


def open_zip(path: Path | str) -> zipfile.ZipFile:
    """An archive whose directory is sane. Raises ``ProblemError``."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, UnicodeError, OverflowError) as error:
        raise fail("zip.broken", kept_safe="kept.original") from error
    if len(archive.infolist()) > MAX_ZIP_MEMBERS:
        archive.close()
        raise fail("zip.too_many", members=len(archive.filelist), limit=MAX_ZIP_MEMBERS)
    return archive


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The bytes of a member, never more than its directory entry promises."""
    import zlib

    check_member(info)
    try:
        with archive.open(info) as stream:
            # In pieces: asked for at once, a promise of 4 GB would take 4 GB before the first byte is there.
            pieces, left = [], info.file_size + 1
            while left > 0 and (piece := stream.read(min(left, _PIECE))):
                pieces.append(piece)
                left -= len(piece)
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise fail("zip.member_broken", kept_safe="kept.original") from error
    if len(data) != info.file_size:
        raise fail("zip.member_broken", kept_safe="kept.original")
    return data


class FileByteSource:
    """``file:`` and ``zip:`` locators. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._archives: OrderedDict[str, zipfile.ZipFile] = OrderedDict()
        self._members: OrderedDict[str, bytes] = OrderedDict()

    def read(self, locator: str) -> bytes:
        if locator.startswith("file:"):
            try:
                with open(locator[5:], "rb") as stream:
                    return stream.read()
            except OSError as error:
                raise _unreadable(error) from error
        if locator.startswith("zip:"):
            return self._member(locator)
        raise fail("dicom.locator_unknown")

    def read_range(self, locator: str, offset: int, length: int) -> bytes:
        """``length`` bytes from ``offset``; fewer only at the end of the file."""
        if locator.startswith("file:"):
            try:
                with open(locator[5:], "rb", buffering=0) as stream:
                    stream.seek(offset)
                    data = stream.read(length)
                    while len(data) < length and (more := stream.read(length - len(data))):
                        data += more
                    return data
            except OSError as error:
                raise _unreadable(error) from error
        return self.read(locator)[offset : offset + length]

    def plain_path(self, locator: str) -> Path | None:
        return Path(locator[5:]) if locator.startswith("file:") else None

    def close(self) -> None:
        with self._lock:
            for archive in self._archives.values():
                archive.close()
            self._archives.clear()
            self._members.clear()

    def _member(self, locator: str) -> bytes:
        path, name = split_zip_locator(locator)
        with self._lock:
            found = self._members.get(locator)
            if found is not None:
                self._members.move_to_end(locator)
                return found
            archive = self._archives.get(path)
            if archive is None:
                archive = self._archives[path] = open_zip(path)
                while len(self._archives) > 4:
                    self._archives.popitem(last=False)[1].close()
            try:
                info = archive.getinfo(name)
            except KeyError as error:
                raise fail("dicom.file_gone", next_step="dicom.next.rescan") from error
            data = read_member(archive, info)
            self._members[locator] = data
            while len(self._members) > _CACHED_MEMBERS or sum(map(len, self._members.values())) > _CACHED_BYTES:
                self._members.popitem(last=False)
                if not self._members:
                    break
            return data


def _unreadable(error: OSError) -> ProblemError:
    if isinstance(error, FileNotFoundError):
        return fail("dicom.file_gone", next_step="dicom.next.rescan")
    if isinstance(error, PermissionError):
        return fail("dicom.no_permission", next_step="dicom.next.permission")
    return fail("dicom.unreadable", kept_safe="kept.original")


class RoutedByteSource:
    """Sends each locator to the source of its scheme: ``RoutedByteSource({"file": f, "zip": f, "object": store})``."""

    def __init__(self, sources: Mapping[str, ByteSource]) -> None:
        self._sources = dict(sources)

    def _for(self, locator: str) -> ByteSource:
        source = self._sources.get(locator.split(":", 1)[0])
        if source is None:
            raise fail("dicom.locator_unknown")
        return source

    def read(self, locator: str) -> bytes:
        return self._for(locator).read(locator)

    def read_range(self, locator: str, offset: int, length: int) -> bytes:
        return self._for(locator).read_range(locator, offset, length)

    def plain_path(self, locator: str) -> Path | None:
        return self._for(locator).plain_path(locator)
