"""Small secret files: whole or not at all, readable by their owner only."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from app.domain.problem import fail


def write_file(path: Path, content: bytes, *, replace: bool) -> None:
    """Writes durably. Without ``replace`` the first writer wins. Raises ``key.not_written``."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                os.replace(temporary, path)
            else:
                _move_if_absent(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise fail("key.not_written", kept_safe="safe.untouched", next_step="next.free_disk") from error


def _move_if_absent(source: Path, target: Path) -> None:
    try:
        if os.name == "nt":
            os.rename(source, target)
        else:
            os.link(source, target)
    except FileExistsError:
        return
