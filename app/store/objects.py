"""Content-addressed, encrypted object files, readable with the master key alone even when the database is lost.

Layout of a file: magic (8) | version u16 | chunk size u32 | plain size u64 | nonce (12) | wrapped 32-byte file key and
32-byte SHA-256 (80), then AES-256-GCM chunks (each ``chunk size`` plain bytes + 16, the last one shorter). Numbers are
big-endian. The nonce of a chunk is its index (the file key is used for this file only); each chunk is bound to the
header, so chunks cannot be swapped, cut off or moved to another file.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import struct
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from app.domain.problem import ProblemError, fail
from app.store import cipher
from app.store.errors import told
from app.store.process_slot import LOCK_NAME, ProcessSlot, dead, is_alive

CHUNK_BYTES = 1 << 20
SCHEME = "object:"
_JOURNAL = "journal"
_MAGIC = b"EKOBJ\x00\r\n"
_VERSION = 1
_FIXED = struct.Struct(">8sHIQ12s")
_WRAPPED_BYTES = 64 + cipher.TAG_BYTES
_HEADER_BYTES = _FIXED.size + _WRAPPED_BYTES
_HELD_IN_MEMORY_BYTES = 64 << 20
_HEADERS_KEPT = 4096


@dataclass(frozen=True)
class StoredBytes:
    """What ``put`` made. ``name`` is opaque; ``sha256`` (hex) and ``size_bytes`` are of the plain bytes."""

    name: str
    sha256: str
    size_bytes: int

    @property
    def locator(self) -> str:
        return SCHEME + self.name


@dataclass(frozen=True)
class _Header:
    raw: bytes
    key: bytes
    sha256: bytes
    size: int
    chunk: int


class ObjectStore:
    """``ByteSource`` for ``object:`` locators. Safe to use from any thread and from several processes."""

    def __init__(self, folder: Path, master_key: bytes) -> None:
        self.folder = folder
        self._wrap_key = cipher.derive(master_key, "object-wrap")
        self._name_key = cipher.derive(master_key, "object-name")
        self._headers: OrderedDict[str, _Header] = OrderedDict()
        self._lock = threading.Lock()
        self._scratch = _Scratch()
        self._slots = folder / "tmp"
        with told():
            folder.mkdir(parents=True, exist_ok=True)
            self._slot = ProcessSlot.take(self._slots)

    @property
    def owner(self) -> str:
        """Name of this open store among the processes, for leases."""
        return self._slot.name

    def owner_lives(self, owner: str) -> bool:
        return owner == self._slot.name or is_alive(self._slots, owner)

    def sweep(self, abandoned: Callable[[Sequence[str]], object] | None = None) -> int:
        """Removes what dead processes left half-written; returns how many files that were.

        ``abandoned`` is told the names of the whole objects that they had put: some may be in no index yet.
        """
        removed = 0
        with told():
            for folder in dead(self._slots):
                journal = folder / _JOURNAL
                names = journal.read_text("ascii", "replace").split() if journal.exists() else []
                if abandoned is not None and names:
                    abandoned([name for name in names if _is_name(name)])
                removed += sum(1 for f in folder.iterdir() if f.name not in (_JOURNAL, LOCK_NAME))
                shutil.rmtree(folder, ignore_errors=True)
        return removed

    def close(self) -> None:
        self._slot.release()
        with self._lock:
            self._headers.clear()

    # -- writing

    def put(self, content: bytes | Path, moved: Callable[[int], None] | None = None) -> StoredBytes:
        """Stores bytes or the content of a file, durably, and at most once; nothing half-written stays on failure.

        ``moved`` is told the bytes as they go, half of each for the digest and half for the copy; what it raises ends
        the copy.

        Raises ``ProblemError``: ``store.disk_full``, ``store.io_error``, ``import.source_unreadable``,
        ``import.source_changed``.
        """
        with told():
            if isinstance(content, Path):
                content = _in_memory_when_small(content)
            digest, size = _digest(content, moved)
            name = cipher.keyed_name(self._name_key, digest)
            stored = StoredBytes(name, digest.hex(), size)
            target = self._path(name)
            if target.exists() and self._whole(name, size):
                return stored
            new_folder = not target.parent.exists()
            target.parent.mkdir(exist_ok=True)
            temporary = self._slot.folder / secrets.token_hex(12)
            try:
                with open(temporary, "xb") as file:
                    self._write(file, content, digest, size, moved)
                    file.flush()
                    _sync(file.fileno())
                self._remember(name)
                os.replace(temporary, target)
            finally:
                temporary.unlink(missing_ok=True)
            _sync_folder(target.parent)
            if new_folder:
                _sync_folder(self.folder)
            return stored

    def _remember(self, name: str) -> None:
        """Before the object appears, so that whoever sweeps after our death can ask whether it came into an index."""
        descriptor = os.open(self._slot.folder / _JOURNAL, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, f"{name}\n".encode())
        finally:
            os.close(descriptor)

    def _write(
        self, file: BinaryIO, content: bytes | Path, digest: bytes, size: int, moved: Callable[[int], None] | None
    ) -> None:
        key = secrets.token_bytes(cipher.KEY_BYTES)
        fixed = _FIXED.pack(_MAGIC, _VERSION, CHUNK_BYTES, size, secrets.token_bytes(cipher.NONCE_BYTES))
        header = fixed + cipher.encrypt(self._wrap_key, fixed[-cipher.NONCE_BYTES :], key + digest, fixed)
        file.write(header)
        seen = hashlib.sha256()
        for index, chunk in enumerate(_chunks(content)):
            seen.update(chunk)
            file.write(cipher.encrypt(key, _chunk_nonce(index), chunk, header))
            if moved is not None:
                moved(len(chunk) // 2)
        if seen.digest() != digest:
            raise fail("import.source_changed", kept_safe="safe.saved_before", next_step="next.import_again")

    def put_many(self, contents: Iterable[bytes | Path], workers: int = 4) -> Iterator[StoredBytes]:
        """``put`` of each, in order, several at a time: most of the work is waiting for the disk. Stops at an error."""
        with ThreadPoolExecutor(workers, "store-put") as pool:
            yield from pool.map(self.put, contents)

    def remove(self, name: str) -> None:
        """For sweeping what no row names any more; clinical objects are never removed by the programme."""
        with self._lock:
            self._headers.pop(name, None)
        with told():
            self._path(name).unlink(missing_ok=True)

    # -- reading

    def read(self, locator: str) -> bytes:
        """The whole content. Every chunk is authenticated and the name proves the SHA-256 (``verify`` counts it anew)."""
        return self._range(_name(locator), 0, None)

    def read_range(self, locator: str, offset: int, length: int) -> bytes:
        """``length`` plain bytes from ``offset``; fewer at the end. Only the chunks touched are read and checked."""
        if offset < 0 or length < 0:
            raise ValueError('"offset" and "length" must not be negative')
        return self._range(_name(locator), offset, length)

    def read_into(self, locator: str, offset: int, target: memoryview) -> int:
        """``read_range`` into writable memory, over buffers of this thread that are used again: no page is new."""
        if offset < 0:
            raise ValueError('"offset" must not be negative')
        name = _name(locator)
        done = 0
        with told(), _opened(self._path(name), unbuffered=True) as file:
            header = self._header(name, file)
            end = min(offset + len(target), header.size)
            if offset >= end:
                return 0
            first, last = offset // header.chunk, (end - 1) // header.chunk
            file.seek(_HEADER_BYTES + first * (header.chunk + cipher.TAG_BYTES))
            sealed, plain = self._scratch.of(header.chunk)
            for index in range(first, last + 1):
                size = min(header.chunk, header.size - index * header.chunk)
                part = sealed[: size + cipher.TAG_BYTES]
                low = offset - index * header.chunk if index == first else 0
                high = end - index * header.chunk if index == last else size
                out = target[done : done + size] if (low, high) == (0, size) else plain[:size]
                try:
                    if _read_full(file, part) < len(part):
                        raise _damaged(name)
                    cipher.decrypt_into(header.key, _chunk_nonce(index), part, header.raw, out)
                except (cipher.Damaged, ValueError):
                    raise _damaged(name) from None
                if (low, high) != (0, size):
                    target[done : done + high - low] = plain[low:high]
                done += high - low
        return done

    def plain_path(self, locator: str) -> Path | None:
        """Always None: nothing lies plain on the disk."""
        del locator
        return None

    def exists(self, name: str) -> bool:
        return self._path(name).is_file()

    def info(self, name: str) -> StoredBytes:
        """Size and SHA-256 as the file itself says, without the database."""
        with told(), _opened(self._path(name)) as file:
            header = self._header(name, file)
        return StoredBytes(name, header.sha256.hex(), header.size)

    def names(self) -> Iterator[str]:
        """All objects on disk, in no order."""
        for shard in self.folder.iterdir():
            if shard.is_dir() and len(shard.name) == 2:
                for file in shard.iterdir():
                    yield shard.name + file.name

    def verify(self, name: str) -> None:
        """Reads everything; raises ``ProblemError`` when a byte is damaged or the name does not fit the content."""
        described = self.info(name)
        digest = bytes.fromhex(described.sha256)
        seen = hashlib.sha256()
        for offset in range(0, described.size_bytes, CHUNK_BYTES):
            seen.update(self._range(name, offset, CHUNK_BYTES))
        if seen.digest() != digest:
            raise _damaged(name)

    def _range(self, name: str, offset: int, length: int | None) -> bytes:
        with told(), _opened(self._path(name)) as file:
            header = self._header(name, file)
            end = header.size if length is None else min(offset + length, header.size)
            if offset >= end:
                return b""
            first, last = offset // header.chunk, (end - 1) // header.chunk
            sealed_chunk = header.chunk + cipher.TAG_BYTES
            file.seek(_HEADER_BYTES + first * sealed_chunk)
            sealed = memoryview(file.read((last - first + 1) * sealed_chunk))
        parts = []
        for index in range(first, last + 1):
            start = (index - first) * sealed_chunk
            try:
                plain = cipher.decrypt(header.key, _chunk_nonce(index), sealed[start : start + sealed_chunk], header.raw)
            except (cipher.Damaged, ValueError):
                raise _damaged(name) from None
            if len(plain) != min(header.chunk, header.size - index * header.chunk):
                raise _damaged(name)
            low = offset - index * header.chunk if index == first else 0
            high = end - index * header.chunk if index == last else header.chunk
            parts.append(plain if (low, high) == (0, len(plain)) else plain[low:high])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _header(self, name: str, file: BinaryIO) -> _Header:
        """From the start of the file; unwrapped once per content, because another process may rewrite a damaged file."""
        raw = file.read(_HEADER_BYTES)
        with self._lock:
            known = self._headers.get(name)
            if known is not None and known.raw == raw:
                self._headers.move_to_end(name)
                return known
        header = self._parse(name, raw)
        with self._lock:
            self._headers[name] = header
            while len(self._headers) > _HEADERS_KEPT:
                self._headers.popitem(last=False)
        return header

    def _parse(self, name: str, raw: bytes) -> _Header:
        if len(raw) != _HEADER_BYTES:
            raise _damaged(name)
        fixed = raw[: _FIXED.size]
        magic, version, chunk, size, nonce = _FIXED.unpack(fixed)
        if magic != _MAGIC or version != _VERSION or not 0 < chunk <= (64 << 20):
            raise _damaged(name)
        try:
            inner = cipher.decrypt(self._wrap_key, nonce, raw[_FIXED.size :], fixed)
        except cipher.Damaged:
            raise _damaged(name) from None
        if cipher.keyed_name(self._name_key, inner[32:]) != name:
            raise _damaged(name)  # a whole file under another's name
        return _Header(raw, inner[:32], inner[32:], size, chunk)

    def _whole(self, name: str, size: int) -> bool:
        """Whether the file that is already there can be read to its end; otherwise importing again mends it."""
        try:
            if self.info(name).size_bytes != size:
                return False
            for offset in range(0, size, 8 * CHUNK_BYTES):
                self._range(name, offset, 8 * CHUNK_BYTES)
        except ProblemError:
            return False
        return True

    def _path(self, name: str) -> Path:
        return self.folder / name[:2] / name[2:]


def _is_name(name: str) -> bool:
    return len(name) == 64 and all(c in "0123456789abcdef" for c in name)


def _name(locator: str) -> str:
    name = locator.removeprefix(SCHEME)
    if name == locator or not _is_name(name):
        raise fail("store.not_an_object", next_step="next.tell_support")
    return name


class _Scratch(threading.local):
    """Buffers of a thread for one sealed and one plain chunk."""

    def __init__(self) -> None:
        self._sealed = bytearray()
        self._plain = bytearray()

    def of(self, chunk: int) -> tuple[memoryview, memoryview]:
        if len(self._plain) < chunk:
            self._sealed, self._plain = bytearray(chunk + cipher.TAG_BYTES), bytearray(chunk)
        return memoryview(self._sealed), memoryview(self._plain)


def _read_full(file: BinaryIO, target: memoryview) -> int:
    """Reads until ``target`` is full or the file ends."""
    done = 0
    while done < len(target):
        got = file.readinto(target[done:])  # type: ignore[attr-defined]
        if not got:
            break
        done += got
    return done


def _opened(path: Path, unbuffered: bool = False) -> BinaryIO:
    try:
        return open(path, "rb", buffering=0) if unbuffered else open(path, "rb")
    except FileNotFoundError:
        raise fail(
            "store.object_missing", kept_safe="safe.others_readable", next_step="next.import_again", object=path.name[:12]
        ) from None


def _damaged(name: str) -> ProblemError:
    return fail("store.object_damaged", kept_safe="safe.others_readable", next_step="next.import_again", object=name[:12])


def _chunk_nonce(index: int) -> bytes:
    return index.to_bytes(cipher.NONCE_BYTES, "big")


def _in_memory_when_small(path: Path) -> bytes | Path:
    with _source_errors():
        return path.read_bytes() if path.stat().st_size <= _HELD_IN_MEMORY_BYTES else path


@contextmanager
def _source_errors() -> Iterator[None]:
    """A source that cannot be read is that file's problem; the library's own disk has other codes."""
    try:
        yield
    except OSError as error:
        reason = errno.errorcode.get(error.errno or 0, "?")
        raise fail(
            "import.source_unreadable", kept_safe="safe.others_readable", next_step="next.check_source", reason=reason
        ) from error


def _chunks(content: bytes | Path) -> Iterator[bytes | memoryview]:
    if isinstance(content, Path):
        with _source_errors():
            file = open(content, "rb")  # noqa: SIM115 - closed below
        with file:
            while True:
                with _source_errors():
                    chunk = file.read(CHUNK_BYTES)
                if not chunk:
                    return
                yield chunk
    view = memoryview(content)
    for start in range(0, len(view), CHUNK_BYTES):
        yield view[start : start + CHUNK_BYTES]


def _digest(content: bytes | Path, moved: Callable[[int], None] | None = None) -> tuple[bytes, int]:
    seen, size = hashlib.sha256(), 0
    for chunk in _chunks(content):
        seen.update(chunk)
        size += len(chunk)
        if moved is not None:
            moved(len(chunk) // 2)
    return seen.digest(), size


def _sync(descriptor: int) -> None:
    """Down to the disk itself: on macOS fsync alone stops at the drive's cache."""
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        return
    os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    """Makes the new name durable; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)
