"""The full-mouth mount as the dentist corrected it: films change places, and the study keeps them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext

from app.session.panes import PaneState
from app.session.reading_room import ReadingRoom
from app.store.library import Library

LAYOUT = "mount18"


class MountDesk:
    """Main thread only. A place is a pane; what lies in it is known by its SOP Instance UID."""

    def __init__(self, room: ReadingRoom, library: Library, person_id: str) -> None:
        self._room = room
        self._library = library
        self._person = person_id
        self._key = f"mount.{room.studies()[0].study.study_instance_uid}"
        self.one_step: Callable[[], AbstractContextManager[None]] = nullcontext
        """Around what is taken back at once; set by whoever opens the study."""

    @property
    def here(self) -> bool:
        """The panes are a mount."""
        return self._room.layout().name == LAYOUT

    def _film(self, pane: PaneState) -> str:
        ref = self._room.frame_ref(pane) if pane.display_set_id else None
        return f"{ref.sop_instance_uid}/{ref.frame}" if ref is not None else ""

    def lay(self) -> None:
        """The films as they were kept with the study."""
        kept = self.kept() if self.here else {}
        if not kept:
            return
        films = {self._film(p): p for p in self._room.panes() if p.display_set_id}
        places = {place: films.get(str(film)) for place, film in kept.items() if film}
        if set(places) - {p.pane_id for p in self._room.panes()} or any(p is None for p in places.values()):
            return  # films came or went since: the places are found anew
        if len(places) == len(films):
            self._room.rearrange({p.pane_id: places.get(p.pane_id) for p in self._room.panes()})

    def exchange(self, first: str, second: str) -> None:
        """The films of two places change, or one moves to an empty place. The dentist said so: no guess any more."""
        panes = {p.pane_id: p for p in self._room.panes()}
        if not self.here or first == second or not {first, second} <= panes.keys():
            return
        film: dict[str, PaneState | None] = dict(panes.items())
        film[first], film[second] = panes[second], panes[first]
        with self.one_step():
            self._room.rearrange(film)
            self.keep({p.pane_id: self._film(p) for p in self._room.panes()})

    def kept(self) -> dict[str, str]:
        """Place to film, as the dentist last laid them; empty when he never did."""
        found = self._library.settings.get(self._key, {})
        return {str(place): str(film) for place, film in found.items()} if isinstance(found, dict) else {}

    def keep(self, order: Mapping[str, str]) -> None:
        """With the study, from now on."""
        if order != self.kept():
            self._library.write(lambda tx: self._library.settings.set(tx, self._key, dict(order), self._person))
