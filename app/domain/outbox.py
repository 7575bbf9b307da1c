"""The outbox: a table of states, and the proof that closes an item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class OutboxState(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    ACCEPTED = "accepted"
    VERIFIED = "verified"
    WAITING = "waiting"
    """Line down or server busy; due again at ``next_at``."""
    AUTH = "auth"
    """The server does not know us; the queue of this target stops until somebody corrects it."""
    CONFLICT = "conflict"
    """The server holds other bytes under our UID; a person decides."""
    REFUSED = "refused"
    """The server will not take it as it is; a person decides."""


class OutboxEvent(StrEnum):
    CLAIM = "claim"
    ACCEPT = "accept"
    PROVE = "prove"
    LINE_DOWN = "line_down"
    UNAUTHORISED = "unauthorised"
    DIFFERS = "differs"
    REFUSE = "refuse"
    DUE = "due"
    RETRY = "retry"
    LEASE_LOST = "lease_lost"
    LOST_THERE = "lost_there"
    """A later check did not find the object any more."""


NEXT: Mapping[tuple[OutboxState, OutboxEvent], OutboxState] = {
    (OutboxState.QUEUED, OutboxEvent.CLAIM): OutboxState.SENDING,
    (OutboxState.SENDING, OutboxEvent.ACCEPT): OutboxState.ACCEPTED,
    (OutboxState.SENDING, OutboxEvent.PROVE): OutboxState.VERIFIED,
    (OutboxState.SENDING, OutboxEvent.LINE_DOWN): OutboxState.WAITING,
    (OutboxState.SENDING, OutboxEvent.UNAUTHORISED): OutboxState.AUTH,
    (OutboxState.SENDING, OutboxEvent.DIFFERS): OutboxState.CONFLICT,
    (OutboxState.SENDING, OutboxEvent.REFUSE): OutboxState.REFUSED,
    (OutboxState.SENDING, OutboxEvent.LEASE_LOST): OutboxState.QUEUED,
    (OutboxState.ACCEPTED, OutboxEvent.PROVE): OutboxState.VERIFIED,
    (OutboxState.ACCEPTED, OutboxEvent.DIFFERS): OutboxState.CONFLICT,
    (OutboxState.ACCEPTED, OutboxEvent.LOST_THERE): OutboxState.QUEUED,
    (OutboxState.ACCEPTED, OutboxEvent.LINE_DOWN): OutboxState.ACCEPTED,
    (OutboxState.ACCEPTED, OutboxEvent.UNAUTHORISED): OutboxState.ACCEPTED,
    (OutboxState.VERIFIED, OutboxEvent.PROVE): OutboxState.VERIFIED,
    (OutboxState.VERIFIED, OutboxEvent.DIFFERS): OutboxState.CONFLICT,
    (OutboxState.VERIFIED, OutboxEvent.LOST_THERE): OutboxState.QUEUED,
    (OutboxState.WAITING, OutboxEvent.DUE): OutboxState.QUEUED,
    (OutboxState.WAITING, OutboxEvent.RETRY): OutboxState.QUEUED,
    (OutboxState.AUTH, OutboxEvent.RETRY): OutboxState.QUEUED,
    (OutboxState.CONFLICT, OutboxEvent.RETRY): OutboxState.QUEUED,
    (OutboxState.REFUSED, OutboxEvent.RETRY): OutboxState.QUEUED,
}


class ImpossibleTransition(ValueError):
    """A bug of ours: the table has no such step."""


def advance(state: OutboxState, event: OutboxEvent) -> OutboxState:
    """The next state; raises :class:`ImpossibleTransition` for a step that the table does not know."""
    try:
        return NEXT[(state, event)]
    except KeyError:
        raise ImpossibleTransition(f"{state} cannot take {event}") from None


@dataclass(frozen=True)
class OutboxItem:
    """One object on its way to one target. ``dedup_key`` = target + UID + SHA-256: the same thing is queued once."""

    item_id: str
    target: str
    study_instance_uid: str
    report_id: str
    sop_instance_uid: str
    sop_class_uid: str
    object_name: str
    sha256: str
    size_bytes: int
    kind: str
    priority: int
    """Lower goes first."""
    state: OutboxState
    attempts: int = 0
    next_at: float = 0.0
    """Wall clock seconds; 0 = now."""
    last_problem: str = ""
    """Problem code, no patient data."""
    last_params: Mapping[str, str | int | float] = field(default_factory=dict)
    created_hlc: str = ""
    updated_hlc: str = ""

    @property
    def dedup_key(self) -> str:
        return f"{self.target}|{self.sop_instance_uid}|{self.sha256}"


@dataclass(frozen=True)
class Receipt:
    """The receiver's answer. ``level`` is "accepted" or "verified"; only a read-back with equal bytes makes the latter."""

    item_id: str
    target: str
    sop_instance_uid: str
    level: str
    sha256_sent: str
    sha256_read_back: str = ""
    checked_at: str = ""
    """ISO 8601 UTC."""
    server: str = ""
    details: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.level == "verified" and self.sha256_read_back != self.sha256_sent:
            raise ValueError("verified needs a read-back with the same SHA-256")
