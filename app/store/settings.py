"""Clinical and site state that must travel with the library; comforts of the user live in TOML files, not here."""

from __future__ import annotations

import json
from typing import Any

from app.domain.event import EventKind
from app.store.database import Tx
from app.store.events import Events
from app.store.reading import Reads, Repository


class Settings(Repository):
    def __init__(self, library: Reads, events: Events) -> None:
        super().__init__(library)
        self._events = events

    def get(self, key: str, default: Any = None, tx: Tx | None = None) -> Any:
        """The JSON value, or ``default``."""
        row = self._read(lambda t: t.one("SELECT value FROM settings WHERE key = ?", (key,)), tx)
        return json.loads(row[0]) if row else default

    def set(self, tx: Tx, key: str, value: Any, person_id: str = "") -> None:
        """Keeps a JSON-able value; a change is audited."""
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        row = tx.one("SELECT value FROM settings WHERE key = ?", (key,))
        if row is not None and row[0] == text:
            return
        stamp = tx.tick()
        tx.execute(
            "INSERT INTO settings VALUES (?, ?, ?) "
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value, hlc = excluded.hlc",
            (key, text, stamp),
        )
        self._events.append(tx, EventKind.SETTINGS_CHANGED, person=person_id, body={"key": key, "value": value}, stamp=stamp)

    def all(self, tx: Tx | None = None) -> dict[str, Any]:
        rows = self._read(lambda t: t.all("SELECT key, value FROM settings ORDER BY key"), tx)
        return {key: json.loads(value) for key, value in rows}
