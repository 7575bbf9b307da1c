"""The append-only event log: verdicts, audit, indicators and the ledger are projections of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class EventKind(StrEnum):
    STORE_CREATED = "store.created"
    STUDY_IMPORTED = "study.imported"
    STUDY_OPENED = "study.opened"
    OBJECT_CHOSEN = "object.chosen"
    """Of two objects under one number with other bytes: which one is shown."""
    STUDY_EXPORTED = "study.exported"
    IMAGE_CALIBRATED = "image.calibrated"
    READ_REQUESTED = "read.requested"
    READ_SEALED = "read.sealed"
    READ_REFUSED = "read.refused"
    READ_FAILED = "read.failed"
    MARK_PUT = "mark.put"
    MARK_REMOVED = "mark.removed"
    OPINION_COMMITTED = "opinion.committed"
    AI_REVEALED = "ai.revealed"
    VERDICT_GIVEN = "verdict.given"
    REPORT_EDITED = "report.edited"
    REPORT_SIGNED = "report.signed"
    OUTBOX_CHANGED = "outbox.changed"
    SETTINGS_CHANGED = "settings.changed"
    SESSION_STARTED = "session.started"
    SESSION_ENDED = "session.ended"


@dataclass(frozen=True)
class Event:
    """One row. ``hlc`` is the hybrid logical clock as a sortable text; ``body`` is JSON-able and never changes."""

    event_id: str
    hlc: str
    device: str
    person: str
    study: str
    kind: EventKind
    version: int
    body: Mapping[str, Any]
    prev_hash: str = ""

    def canonical(self) -> bytes:
        """Sorted, compact UTF-8 JSON of all fields but ``prev_hash``."""
        content = {
            "event_id": self.event_id,
            "hlc": self.hlc,
            "device": self.device,
            "person": self.person,
            "study": self.study,
            "kind": self.kind.value,
            "version": self.version,
            "body": dict(self.body),
        }
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    def chain_hash(self) -> str:
        """SHA-256 over the previous hash and the canonical content: what the next event's ``prev_hash`` must be."""
        return hashlib.sha256(self.prev_hash.encode() + b"\n" + self.canonical()).hexdigest()
