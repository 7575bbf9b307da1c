"""The container of a package: a ZIP read with every known trick refused; the same parts are written as the same bytes.

Only names of the package format are accepted, so a pickle, a script or a foreign model cannot even be in it.
"""

from __future__ import annotations

import io
import re
import stat
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from app.domain.problem import ProblemError, fail

PACKAGE_LIMIT_BYTES = 64 * 1024 * 1024
CONTENT_LIMIT_BYTES = 256 * 1024 * 1024
JSON_LIMIT_BYTES = 1024 * 1024
MEMBERS_LIMIT = 64
RATIO_LIMIT = 200

_FIXED = frozenset(
    {
        "manifest.json",
        "SIGNATURE",
        "select.json",
        "pipeline.json",
        "card.json",
        "calibration.json",
        "arch.json",
        "weights.safetensors",
    }
)
_GOLDEN = re.compile(r"golden/[a-z0-9_]{1,60}\.(json|safetensors)")
_DOS_EPOCH = (1980, 1, 1, 0, 0, 0)


def allowed_name(name: str) -> bool:
    return name in _FIXED or _GOLDEN.fullmatch(name) is not None


def read_file_limited(path: Path) -> bytes:
    """The bytes of a package file; never more than ``PACKAGE_LIMIT_BYTES``."""
    try:
        with path.open("rb") as file:
            data = file.read(PACKAGE_LIMIT_BYTES + 1)
    except OSError as error:
        raise fail("ai.package.unreadable", name=path.name) from error
    if len(data) > PACKAGE_LIMIT_BYTES:
        raise fail("ai.package.too_large", limit_mb=PACKAGE_LIMIT_BYTES // 2**20)
    return data


class PackageZip:
    """A checked listing; members are inflated only when asked for, and never beyond what they declare.

    Raises ``ProblemError``: ``ai.package.not_a_package``, ``.bad_member``, ``.bomb``, ``.too_large``, ``.damaged``.
    """

    def __init__(self, data: bytes) -> None:
        if len(data) > PACKAGE_LIMIT_BYTES:
            raise fail("ai.package.too_large", limit_mb=PACKAGE_LIMIT_BYTES // 2**20)
        if not data.startswith(b"PK\x03\x04"):
            raise fail("ai.package.not_a_package")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, OverflowError) as error:
            raise fail("ai.package.not_a_package") from error
        self._members = self._checked(self._zip.infolist())

    @staticmethod
    def _checked(members: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
        if len(members) > MEMBERS_LIMIT:
            raise fail("ai.package.bomb")
        found: dict[str, zipfile.ZipInfo] = {}
        total = 0
        for member in members:
            name = member.orig_filename
            mode = member.external_attr >> 16
            plain = mode == 0 or stat.S_ISREG(mode) or stat.S_IFMT(mode) == 0
            stored = member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
            if not allowed_name(name) or name != member.filename or name in found or not plain or not stored:
                raise fail("ai.package.bad_member", member=_printable(name))
            if member.flag_bits & 0x1:
                raise fail("ai.package.bad_member", member=_printable(name))
            total += member.file_size
            if member.file_size > RATIO_LIMIT * max(member.compress_size, 1) or total > CONTENT_LIMIT_BYTES:
                raise fail("ai.package.bomb")
            found[name] = member
        return found

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._members)

    def size(self, name: str) -> int:
        return self._members[name].file_size

    def read(self, name: str) -> bytes:
        member = self._members.get(name)
        if member is None:
            raise fail("ai.package.missing_member", member=name)
        if not name.endswith(".safetensors") and member.file_size > JSON_LIMIT_BYTES:
            raise fail("ai.package.bomb")
        try:
            with self._zip.open(member) as file:
                data = file.read(member.file_size + 1)
        except ProblemError:
            raise
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
            raise fail("ai.package.damaged", member=name) from error
        if len(data) != member.file_size:
            raise fail("ai.package.damaged", member=name)
        return data


def write_zip(files: Mapping[str, bytes]) -> bytes:
    """Deterministic ZIP: manifest and signature first, then by name; fixed times; deflated."""
    buffer = io.BytesIO()
    order = sorted(files, key=lambda name: (name not in ("manifest.json", "SIGNATURE"), name))
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in order:
            info = zipfile.ZipInfo(name, _DOS_EPOCH)
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            info.create_system = 3
            packed = len(zlib.compress(files[name], 6))
            small = packed * RATIO_LIMIT >= len(files[name])
            info.compress_type = zipfile.ZIP_DEFLATED if small else zipfile.ZIP_STORED
            archive.writestr(info, files[name], compresslevel=6)
    return buffer.getvalue()


def _printable(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name)[:80]
