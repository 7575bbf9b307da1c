"""Bytes of plain files and of members of ZIP archives; the store brings its own source for ``object:``."""

from __future__ import annotations

import io
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
MAX_NESTED_BYTES = 512 << 20
"""Of an archive inside an archive: it is unpacked in memory, so that nothing of a patient lies plain on a disk of ours."""
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
_OF_PROGRAMS = frozenset({"META-INF/MANIFEST.MF", "[Content_Types].xml", "mimetype", "AndroidManifest.xml"})
"""Members of ZIP files that are programs or office documents."""
_NESTED_FLOOR = 256 << 20
_CACHED_MEMBERS = 64
_PIECE = 4 << 20
_CACHED_BYTES = 256 << 20


def file_locator(path: Path | str) -> str:
    """Locator of a plain file."""
    return "file:" + os.path.abspath(path)


def split_zip_locator(locator: str) -> tuple[str, str]:
    """(archive path, member name); a member of an archive inside the archive is ``inner!member``.

    Where ``!`` stands more than once, the first file that is there is the archive; else the first ``.zip!`` divides.
    """
    body = locator[4:]
    marks = [n for n, c in enumerate(body) if c == "!"]
    if not marks:
        raise fail("dicom.locator_unknown")
    if len(marks) > 1:
        found = next((at for at in marks if os.path.isfile(body[:at])), -1)
        if found >= 0:
            return body[:found], body[found + 1 :]
    at = body.lower().find(".zip!")
    at = at + 4 if at >= 0 else marks[0]
    return body[:at], body[at + 1 :]


def locator_of(shown: str) -> str:
    """The locator of what a person is shown as a path: a file, ``archive!member``, or an object of the library."""
    if shown.startswith("object:"):
        return shown
    if "!" in shown and (".zip!" in shown.lower() or not os.path.exists(shown)):
        return f"zip:{shown}"
    return file_locator(shown)


def is_zip(head: bytes) -> bool:
    """By the first four bytes: a name says little."""
    return head[:4] in _ZIP_STARTS


def is_of_a_program(archive: zipfile.ZipFile) -> bool:
    """A ZIP that is one thing (a Java program, an office document), not files put together."""
    return any(info.filename in _OF_PROGRAMS for info in archive.infolist())


def check_member(info: zipfile.ZipInfo) -> None:
    """Raises ``ProblemError`` for a member that must not be unpacked: encrypted, too big, a bomb."""
    if info.flag_bits & 1:
        raise fail("zip.encrypted", next_step="zip.next.unpack")
    if info.file_size > MAX_MEMBER_BYTES:
        raise fail("zip.too_big", megabytes=info.file_size >> 20, limit=MAX_MEMBER_BYTES >> 20)
    if info.file_size > _RATIO_FLOOR and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        raise fail("zip.bomb", ratio=info.file_size // max(info.compress_size, 1), limit=MAX_RATIO)


def open_zip(path: Path | str | io.BytesIO) -> zipfile.ZipFile:
    """An archive whose directory is sane. Raises ``ProblemError``."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, UnicodeError, OverflowError) as error:
        raise fail("zip.broken", kept_safe="kept.original") from error
    if len(archive.infolist()) > MAX_ZIP_MEMBERS:
        archive.close()
        raise fail("zip.too_many", members=len(archive.filelist), limit=MAX_ZIP_MEMBERS)
    return archive


def check_nested(info: zipfile.ZipInfo) -> None:
    """Raises ``zip.nested_large`` for an archive inside an archive that is too large to be unpacked in memory."""
    if info.file_size > MAX_NESTED_BYTES:
        raise fail(
            "zip.nested_large", next_step="zip.next.unpack_it", megabytes=info.file_size >> 20, limit=MAX_NESTED_BYTES >> 20
        )


def open_nested(data: bytes, outer: zipfile.ZipInfo) -> zipfile.ZipFile:
    """The archive that is a member of another one; the limits hold for both unpackings together. Raises ``ProblemError``."""
    check_nested(outer)
    archive = open_zip(io.BytesIO(data))
    whole, packed = sum(i.file_size for i in archive.infolist()), max(outer.compress_size, 1)
    if whole > _NESTED_FLOOR and whole > MAX_RATIO * packed:
        archive.close()
        raise fail("zip.bomb", ratio=whole // packed, limit=MAX_RATIO)
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
        self._nested: tuple[str, zipfile.ZipFile] | None = None
        """The archive inside an archive that was read last, by ``archive!member``."""

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
            self._nested = None

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
                data = read_member(archive, archive.getinfo(name))
            except KeyError:
                data = self._inner(path, archive, name)
            self._members[locator] = data
            while len(self._members) > _CACHED_MEMBERS or sum(map(len, self._members.values())) > _CACHED_BYTES:
                self._members.popitem(last=False)
                if not self._members:
                    break
            return data

    def _inner(self, path: str, archive: zipfile.ZipFile, name: str) -> bytes:
        """A member of an archive that is itself a member; one such archive is kept."""
        for at in (n for n, c in enumerate(name) if c == "!"):
            try:
                outer = archive.getinfo(name[:at])
            except KeyError:
                continue
            key = f"{path}!{name[:at]}"
            if self._nested is None or self._nested[0] != key:
                self._nested = None
                check_nested(outer)
                self._nested = (key, open_nested(read_member(archive, outer), outer))
            inner = self._nested[1]
            try:
                return read_member(inner, inner.getinfo(name[at + 1 :]))
            except KeyError:
                break
        raise fail("dicom.file_gone", next_step="dicom.next.rescan")


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


def plain_name(source: ByteSource, locator: str) -> str | Path | None:
    """What ``os.open`` takes of a file that lies plain on the disk; None where none does.

    Making a ``Path`` costs more than opening the file.
    """
    plain = type(source) is FileByteSource and locator.startswith("file:")
    return locator[5:] if plain else source.plain_path(locator)
