"""What a DICOMDIR lists (PS3.3 F, PS3.10 8): used to find what is missing, never trusted alone.

Its folder is searched in every case; what is wrong with the directory is only said.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from app.dicom import tags
from app.dicom.byte_source import FileByteSource, file_locator
from app.dicom.data_set import data_set
from app.dicom.header import read_raw_at
from app.dicom.values import codes
from app.domain.problem import Problem, ProblemError, Severity

_MAX_RECORDS = 2_000_000
_MAX_CHECKED_BYTES = 64 << 20


def listed_files(path: Path) -> list[Path] | None:
    """Paths of the referenced files, or None when the directory cannot be read. Case of names is forgiven."""
    try:
        wanted = frozenset({tags.DIRECTORY_RECORD_SEQUENCE})
        raw, _ = read_raw_at(file_locator(path), FileByteSource(), wanted)
    except ProblemError:
        return None
    found = []
    folders: dict[Path, dict[str, str]] = {}
    for record in raw.dataset.items(tags.DIRECTORY_RECORD_SEQUENCE)[:_MAX_RECORDS]:
        parts = codes(record, tags.REFERENCED_FILE_ID)
        # A file ID is a list of plain names; anything else would lead out of the medium.
        if parts and all(p and p not in (".", "..") and "/" not in p and ":" not in p for p in parts):
            found.append(_resolved(path.parent, parts, folders))
    return found


def _resolved(root: Path, parts: tuple[str, ...], folders: dict[Path, dict[str, str]]) -> Path:
    at = root
    for part in parts:
        if at not in folders:
            try:
                folders[at] = {name.lower(): name for name in os.listdir(at)}
            except OSError:
                folders[at] = {}
        at = at / folders[at].get(part.lower(), part)
    return at


def wrong_links(path: Path) -> Problem | None:
    """Whether the byte offsets that tie the records together lead to records, and to all of them (PS3.3 F.3.2.2)."""
    try:
        if path.stat().st_size > _MAX_CHECKED_BYTES:
            return None
        ds: Any = data_set(path, force=True)
        records = list(ds.get("DirectoryRecordSequence") or ())
        first = int(ds.get("OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity") or 0)
        at = {int(r.seq_item_tell): r for r in records}
        reached = _reached(at, first)
    except Exception:  # any maker's bytes; that they cannot be read is said elsewhere
        return None
    used = sum(r.get("RecordInUseFlag", 0xFFFF) != 0 for r in records)
    if reached is None or len(reached) < used:
        found = 0 if reached is None else len(reached)
        return Problem("media.wrong_links", {"name": path.name, "reached": found, "listed": len(records)}, Severity.WARNING)
    return None


def _reached(at: dict[int, Any], first: int) -> set[int] | None:
    """Offsets of the records that the links lead to; None when a link leads nowhere or in a circle."""
    seen: set[int] = set()
    waiting = [first] if first else []
    while waiting:
        offset = waiting.pop()
        if offset not in at or offset in seen:
            return None
        seen.add(offset)
        record = at[offset]
        for keyword in ("OffsetOfTheNextDirectoryRecord", "OffsetOfReferencedLowerLevelDirectoryEntity"):
            following = int(record.get(keyword) or 0)
            if following:
                waiting.append(following)
    return seen
