"""The reader's own hanging protocols: kept with the library, saved in one click, offered after the third time, exchanged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.dicom.hanging_object import hanging_object, read_hanging_object
from app.domain.problem import Problem, Severity, fail
from app.session.arranged import arranged_pane
from app.session.over_looks import factor_of
from app.session.panes import PaneState
from app.session.views import Notice, Words
from app.store.library import Library
from app.viewer.arrangement import RANK, habit_key, protocol_data
from app.viewer.hanging_protocols import HangingProtocol, protocol_from, shipped_data, shipped_protocols
from app.viewer.layouts import layout_cells

KEY = "hanging.protocols"
HABITS = "hanging.habits"
ENOUGH = 3
MOST_HABITS = 100


@dataclass(frozen=True)
class OwnProtocol:
    name: str
    title: str


class OwnHangings:
    """Main thread only. ``person`` is told in the audit of the settings."""

    def __init__(self, library: Library, person: str) -> None:
        self._library = library
        self._person = person

    def _all(self) -> list[dict[str, Any]]:
        found = self._library.settings.get(KEY, [])
        return [d for d in found if isinstance(d, dict)] if isinstance(found, list) else []

    def _keep(self, data: list[dict[str, Any]]) -> None:
        self._library.write(lambda tx: self._library.settings.set(tx, KEY, data, self._person))

    def own(self) -> tuple[OwnProtocol, ...]:
        return tuple(OwnProtocol(str(d.get("name", "")), str(d.get("title", ""))) for d in self._all())

    def protocols(self) -> tuple[HangingProtocol, ...]:
        """Own and shipped ones; an own one that no longer reads is left out."""
        out: list[HangingProtocol] = []
        for data in self._all():
            try:
                out.append(protocol_from(data))
            except (ValueError, KeyError, TypeError):
                continue
        return (*out, *shipped_protocols().protocols)

    def data_of(self, name: str) -> dict[str, Any]:
        """Of an own or a shipped protocol; empty for a name that none has."""
        return next((d for d in self._all() if d.get("name") == name), None) or shipped_data(name)

    def _named(self, base: str) -> str:
        """Keeps the word of the protocol that it came from: regions and kinds of findings follow it."""
        stem = _stem(base)
        taken = {p.name for p in self.own()}
        return next(name for n in range(1, len(taken) + 2) if (name := f"{stem}_own{n}") not in taken)

    def save(self, arranged: Mapping[str, Any], base: str, title: str) -> OwnProtocol:
        """Keeps an arrangement; one that asks for the same things is replaced."""
        key = habit_key(dict(arranged), _stem(base))
        kept = [d for d in self._all() if _key(d) != key]
        data = {**arranged, "name": self._named(base), "title": title}
        self._keep([*kept, data])
        return OwnProtocol(data["name"], title)

    def remove(self, name: str) -> None:
        self._keep([d for d in self._all() if d.get("name") != name])

    # -- learn from me ---------------------------------------------------------------------------------------------

    def count(self, arranged: Mapping[str, Any], base: str) -> int:
        """How often the reader has arranged it like this, this time included. An own protocol counts no more."""
        key = habit_key(dict(arranged), _stem(base))
        if any(_key(d) == key for d in self._all()):
            return 0
        habits = self._library.settings.get(HABITS, {})
        habits = dict(habits) if isinstance(habits, dict) else {}
        habits[key] = n = int(habits.get(key, 0)) + 1
        if len(habits) > MOST_HABITS:
            habits = dict(sorted(habits.items(), key=lambda item: -item[1])[:MOST_HABITS])
        self._library.write_async(lambda tx: self._library.settings.set(tx, HABITS, habits, self._person))
        return n

    # -- exchange --------------------------------------------------------------------------------------------------

    def export(self, name: str, creator: str) -> bytes:
        """A DICOM Hanging Protocol object. Raises ``hanging.unknown``."""
        data = next((d for d in self._all() if d.get("name") == name), None)
        if data is None:
            raise fail("hanging.unknown")
        return hanging_object(data, layout_cells, str(data.get("title", "")), creator, datetime.now())

    def bring(self, content: bytes) -> OwnProtocol:
        """Takes an object over. Raises ``hanging.*`` when it is none, or none that these panes can follow."""
        data = read_hanging_object(content)
        data["name"] = self._named(str(data.get("name", "imported")))
        data["title"] = str(data.get("title", ""))[:64] or data["name"]
        try:
            data["rank"] = min(RANK, float(data.get("rank", RANK)))
            protocol_from(data)
        except (ValueError, KeyError, TypeError) as error:
            raise fail("hanging.object_unreadable", kind=type(error).__name__) from error
        self._keep([*self._all(), data])
        return OwnProtocol(data["name"], data["title"])


def _stem(base: str) -> str:
    """The protocol that an arrangement came from, through however many arrangements of it."""
    return base.split("_own")[0] or "images"


def _key(data: dict[str, Any]) -> str:
    try:
        return habit_key(data, _stem(str(data.get("name", ""))))
    except (KeyError, IndexError, TypeError):
        return ""


class HangingVerbs:
    """What the reading room's window asks about arrangements of the open study."""

    def __init__(self, own: OwnHangings, room: Any, notice: Any) -> None:
        self._own = own
        self._room = room
        self._notice = notice
        self._offered = False

    @property
    def own(self) -> OwnHangings:
        return self._own

    def _data(self) -> dict[str, Any] | None:
        room = self._room
        stage = room.stages[room.stage] if room.stages else None
        number = stage.number if stage is not None else -1
        hung = stage.panes if stage is not None and stage.layout == room.layout().name else ()
        panes = [arranged_pane(p, hung[n] if n < len(hung) else None, self._suv(p)) for n, p in enumerate(room.panes())]
        current, priors = room.studies()
        try:
            return protocol_data(
                "own", current.study, current.display_sets, [(p.study, p.display_sets) for p in priors],
                room.layout().name, panes, self._own.data_of(room.hanging.protocol), number,
            )  # fmt: skip
        except ValueError:
            return None

    def _suv(self, pane: PaneState) -> float | None:
        if pane.over is None:
            return None
        content = self._room.content
        return factor_of(content, content.set_by_id(pane.over.display_set_id))[0]

    def save(self) -> None:
        """One click: the panes as they stand hang like this the next time."""
        data = self._data()
        if data is None:
            self._notice(Notice(Problem("hanging.nothing_arranged", severity=Severity.NOTE)))
            return
        current, _ = self._room.studies()
        layout = self._room.layout().name.replace("x", " × ").replace("+", " + ").split(":")[0]
        title = " · ".join(p for p in (current.study.description, layout) if p)[:60]
        self._own.save(data, self._room.hanging.protocol, title)
        self._notice(Notice(Problem("hanging.saved", {"title": title}, severity=Severity.NOTE)))

    def notice_habit(self) -> None:
        """Called once a study: offers to keep what the reader has arranged for the third time."""
        if self._offered or self._room.as_hung():
            return
        self._offered = True
        data = self._data()
        if data is not None and self._own.count(data, self._room.hanging.protocol) == ENOUGH:
            self._notice(
                Notice(
                    Problem("hanging.habit", severity=Severity.NOTE), "save_arrangement", Words("hanging.keep_arrangement")
                )
            )
