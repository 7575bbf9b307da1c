"""The window's verbs for what was saved with a study: looks, overlays, documents, the way from a line to its image."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from app.domain.geometry import Point3
from app.domain.study import DisplaySetKind
from app.session.documents import Documents, Page, ShownDocument
from app.session.reading_room import ReadingRoom
from app.session.saved_objects import SavedObjects
from app.session.views import SavedObject, SeriesCard


class SavedDesk:
    def __init__(self, room: ReadingRoom, objects: SavedObjects, documents: Documents) -> None:
        self._room, self._objects, self._documents = room, objects, documents
        self.one_step: Callable[[], AbstractContextManager[None]] = nullcontext
        """Around what is taken back at once; set by whoever opens the study."""

    @property
    def objects(self) -> SavedObjects:
        return self._objects

    # -- looks and overlays ----------------------------------------------------------------------------------------

    def with_looks(self, cards: tuple[SeriesCard, ...]) -> tuple[SeriesCard, ...]:
        """Cards with the presentation states that refer to their images."""
        out = []
        for card in cards:
            looks = self._objects.states_of(self._room.content.set_by_id(card.display_set_id), self._room.active)
            out.append(replace(card, looks=looks) if looks else card)
        return tuple(out)

    def listed(self) -> tuple[SavedObject, ...]:
        """Overlays of the study, and presentation states that are refused."""
        return (*self._objects.listed(), *self._objects.refused())

    def toggle(self, sop_instance_uid: str) -> None:
        with self.one_step():
            self._toggle(sop_instance_uid)

    def _toggle(self, sop_instance_uid: str) -> None:
        self._objects.toggle(sop_instance_uid)
        place = self._objects.reports.first_place(sop_instance_uid)
        if place is not None and place.points_mm:
            self.go_to_point("", place.points_mm[0], place.frame_of_reference_uid)
        elif place is not None:
            self.go_to("", place.sop_instance_uid, place.frame)

    def apply_look(self, display_set_id: str, sop_instance_uid: str) -> None:
        """The active pane shows a series as saved; an empty UID: as acquired."""
        with self.one_step():
            self._apply_look(display_set_id, sop_instance_uid)

    def _apply_look(self, display_set_id: str, sop_instance_uid: str) -> None:
        room = self._room
        if room.pane(room.active).display_set_id != display_set_id:
            room.put_in_pane(room.active, display_set_id)
        self._objects.apply_state(room.pane(room.active), sop_instance_uid)
        room.reset()
        room.set_window(None)
        state = self._objects.state_in(room.pane(room.active))
        if state is None:
            return
        chosen = room.content.set_by_id(display_set_id)
        at = next((n for n, f in enumerate(chosen.frames) if state.covers(f.sop_instance_uid, f.frame)), None)
        now = room.frame_ref(room.pane(room.active))
        if at is not None and (now is None or not state.covers(now.sop_instance_uid, now.frame)):
            room.change_view(frame_index=at)

    # -- documents -------------------------------------------------------------------------------------------------

    def document(self, pane_id: str) -> ShownDocument | None:
        """None when the pane shows images or nothing."""
        return self._documents.of(self._room.display_set(self._room.pane(pane_id)))

    def page(self, shown: ShownDocument, number: int, width_px: int) -> Page | None:
        return self._documents.page(shown, number, width_px)

    def place_of(self, sop_instance_uid: str, frame: int) -> tuple[str, int] | None:
        """(display set, position) of an image that a document refers to; None when it is not among the open studies."""
        for chosen in self._room.content.sets():
            if chosen.kind is DisplaySetKind.DERIVED:
                continue
            for number, ref in enumerate(chosen.frames):
                if ref.sop_instance_uid == sop_instance_uid and ref.frame == frame:
                    return (chosen.display_set_id, number)
        return None

    def can_show_point(self, frame_of_reference_uid: str) -> bool:
        """Whether an open image lies in that frame of reference."""
        if not frame_of_reference_uid:
            return False
        for chosen in self._room.content.sets():
            plane = next((p for p in self._room.content.planes(chosen) if p is not None), None)
            if plane is not None and plane.frame_of_reference_uid == frame_of_reference_uid:
                return True
        return False

    def go_to_point(self, from_pane: str, point_mm: Point3, frame_of_reference_uid: str) -> bool:
        """Panes of that frame of reference go to a place that a document speaks of; one is opened where none is."""
        room = self._room
        fitting = []
        for chosen in room.content.sets():
            plane = next((p for p in room.content.planes(chosen) if p is not None), None)
            if plane is not None and plane.frame_of_reference_uid == frame_of_reference_uid:
                fitting.append(chosen)
        if not fitting:
            return False
        names = {d.display_set_id for d in fitting}
        if not any(p.display_set_id in names for p in room.panes()):
            target = next((p.pane_id for p in room.panes() if p.pane_id != from_pane), "")
            if not target:
                room.set_layout("1x2")
                target = next(p.pane_id for p in room.panes() if p.pane_id != from_pane)
            room.put_in_pane(target, max(fitting, key=lambda d: len(d.frames)).display_set_id)
        room.show_point(point_mm)
        return True

    def go_to(self, from_pane: str, sop_instance_uid: str, frame: int) -> bool:
        """Shows an image that a document refers to, in a pane beside the document; False when it is not here."""
        found = self.place_of(sop_instance_uid, frame)
        if found is None:
            return False
        room, (display_set_id, number) = self._room, found
        target = next((p.pane_id for p in room.panes() if p.display_set_id == display_set_id), "")
        target = target or next((p.pane_id for p in room.panes() if p.pane_id != from_pane), "")
        if not target:
            room.set_layout("1x2")
            target = next(p.pane_id for p in room.panes() if p.pane_id != from_pane)
        if room.pane(target).display_set_id != display_set_id:
            room.put_in_pane(target, display_set_id)
        room.activate(target)
        room.change_view(frame_index=number)
        return True
