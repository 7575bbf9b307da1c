"""Logs without patients: known identifiers and whatever looks like one are taken out before a line is written."""

from __future__ import annotations

import logging
import logging.handlers
import re
import threading
from collections.abc import Iterable
from pathlib import Path

MASK = "[removed]"
LOG_NAME = "ekinshi.log"
_MAX_BYTES = 2_000_000
_KEPT_FILES = 5
_LEAST_LENGTH = 3
_MOST_KNOWN = 20_000

# What looks like an identifier even when nobody named it: IIN and other long numbers, DICOM person names, DICOM dates of
# birth behind their keyword, user folders in paths.
_PATTERNS = (
    (re.compile(r"(?<![\d.])\d{12}(?![\d.])"), MASK),
    (re.compile(r"[^\W\d_]{2,}\^[^\W\d_^]+(?:\^[^\W\d_^]*){0,3}"), MASK),
    (
        re.compile(
            r"(?i)\b(patient[_ ]?(?:name|id|birth[_ ]?date)|birth[_ ]?date|iin|accession[_ ]?number)\b"
            r"(\s*[=:]\s*)[^,;\n]+"
        ),
        rf"\1\2{MASK}",
    ),
    (re.compile(r"(?i)(authorization\s*[:=]\s*|bearer\s+|basic\s+)[A-Za-z0-9+/=._~-]{6,}"), rf"\1{MASK}"),
    (re.compile(r"(?i)\b(password|passphrase|pin|secret|token)\b(\s*[=:]\s*)\S+"), rf"\1\2{MASK}"),
    (re.compile(r"(/home/|/Users/|[A-Za-z]:\\Users\\)[^/\\\s\"']+"), rf"\1{MASK}"),
)  # fmt: skip


class Redactor:
    """Knows identifiers that must not be written. Thread-safe."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._lock = threading.Lock()

    def know(self, identifiers: Iterable[str]) -> None:
        """Adds names, numbers, dates of birth... of an opened patient: whole, and a PN also part by part."""
        parts: set[str] = set()
        for identifier in identifiers:
            for group in identifier.split("="):
                parts.update((group, group.replace("^", " "), *group.split("^")))
        with self._lock:
            self._known.update(p.strip() for p in parts if len(p.strip()) >= _LEAST_LENGTH)
            if len(self._known) > _MOST_KNOWN:
                self._known = set(list(self._known)[-_MOST_KNOWN:])
            longest_first = sorted(self._known, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if longest_first else None

    def clean(self, text: str) -> str:
        pattern = self._pattern
        if pattern is not None:
            text = pattern.sub(MASK, text)
        for found, put in _PATTERNS:
            text = found.sub(put, text)
        return text


class RedactingFormatter(logging.Formatter):
    """Cleans the finished line, traceback and arguments included: nothing is written that did not pass here."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__("%(asctime)s %(levelname)s %(process)d %(threadName)s %(name)s: %(message)s")
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        return self._redactor.clean(super().format(record))


REDACTOR = Redactor()
"""The process's own; the session tells it who was opened."""


def setup_logging(home: Path, *, level: int = logging.INFO, redactor: Redactor = REDACTOR) -> Path:
    """Sends all logging of this process to ``home/logs/ekinshi.log`` (rotated) and warnings to standard error, redacted.

    Calling it again moves the log to another home. Returns the path of the log.
    """
    folder = home / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOG_NAME
    file = logging.handlers.RotatingFileHandler(path, maxBytes=_MAX_BYTES, backupCount=_KEPT_FILES, encoding="utf-8")
    console = logging.StreamHandler()
    console.setLevel(logging.WARNING)
    root = logging.getLogger()
    close_logging()
    for handler in (file, console):
        handler.setFormatter(RedactingFormatter(redactor))
        handler.set_name(f"ekinshi-{type(handler).__name__}")
        root.addHandler(handler)
    root.setLevel(level)
    # These libraries put headers, URLs with numbers or data set values into their debug lines.
    for noisy in ("pydicom", "pynetdicom", "urllib3", "requests", "PIL", "fontTools", "pyhanko", "keyring", "matplotlib"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return path


def close_logging() -> None:
    """Takes our handlers away again (end of the programme, tests)."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if (handler.get_name() or "").startswith("ekinshi-"):
            root.removeHandler(handler)
            handler.close()
