"""What was open when the programme ended, so that it can come back: study, layout, unsaved texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from app.store.database import Tx
from app.store.reading import Repository


class Recovery(Repository):
    def save(self, tx: Tx, person_id: str, state: Mapping[str, Any]) -> None:
        """Keeps a JSON-able state, one per person."""
        text = json.dumps(state, ensure_ascii=False, allow_nan=False)
        tx.execute(
            "INSERT INTO recovery VALUES (?, ?, ?) "
            "ON CONFLICT (person) DO UPDATE SET hlc = excluded.hlc, body = excluded.body",
            (person_id, tx.tick(), text),
        )

    def load(self, person_id: str, tx: Tx | None = None) -> dict[str, Any] | None:
        row = self._read(lambda t: t.one("SELECT body FROM recovery WHERE person = ?", (person_id,)), tx)
        return dict(json.loads(row[0])) if row else None

    def clear(self, tx: Tx, person_id: str) -> None:
        """After a proper end there is nothing to recover."""
        tx.execute("DELETE FROM recovery WHERE person = ?", (person_id,))
