"""What a DICOMDIR lists (PS3.3 F, PS3.10 8): used to find what is missing, never trusted alone."""

from __future__ import annotations

import os
from pathlib import Path

from app.dicom import tags
from app.dicom.byte_source import FileByteSource, file_locator
from app.dicom.header import read_raw_at
from app.dicom.values import codes
from app.domain.problem import ProblemError

_MAX_RECORDS = 2_000_000


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
