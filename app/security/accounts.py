"""Who may do what. Asked by the session's verbs, never by widgets alone."""

from __future__ import annotations

from enum import StrEnum

from app.domain.person import Person, Role
from app.domain.problem import fail


class Action(StrEnum):
    VIEW = "view"
    IMPORT = "import"
    MARK = "mark"
    COMMIT = "commit"
    """Give a first opinion and have the second reader revealed."""
    VERDICT = "verdict"
    EDIT_REPORT = "edit_report"
    SIGN = "sign"
    AMEND = "amend"
    """Sign an addendum to a signed report."""
    RETRY_SENDING = "retry_sending"
    EXPORT = "export"
    CONFIGURE = "configure"
    MANAGE_PEOPLE = "manage_people"
    READ_AUDIT = "read_audit"


_READING = frozenset(
    {
        Action.VIEW, Action.IMPORT, Action.MARK, Action.COMMIT, Action.VERDICT, Action.EDIT_REPORT, Action.SIGN,
        Action.RETRY_SENDING, Action.EXPORT,
    }
)  # fmt: skip

ALLOWED: dict[Role, frozenset[Action]] = {
    Role.VIEWER: frozenset({Action.VIEW}),
    Role.TECHNICIAN: frozenset({Action.VIEW, Action.IMPORT, Action.RETRY_SENDING}),
    Role.RADIOLOGIST: _READING,
    Role.SENIOR: _READING | {Action.AMEND, Action.READ_AUDIT},
    # Looks after the machine and sees no clinical text.
    Role.ADMIN: frozenset({Action.CONFIGURE, Action.MANAGE_PEOPLE, Action.RETRY_SENDING}),
    Role.AUDITOR: frozenset({Action.READ_AUDIT}),
}


def may(person: Person, action: Action) -> bool:
    return action in ALLOWED[person.role]


def require(person: Person, action: Action) -> None:
    """Raises ``account.not_allowed``; the parameters are message ids, never the person's name."""
    if not may(person, action):
        raise fail(
            "account.not_allowed",
            kept_safe="safe.untouched",
            next_step="next.ask_administrator",
            action=action.value,
            role=person.role.value,
        )
