"""How an open study is looked at besides its panes: switches, saved looks, overlays, subtraction, value map, heat map.

One frozen state for three uses: undo, redo, and the next start after a death.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.session.saved_objects import AppliedLook
from app.viewer.view_state import Appearance

if TYPE_CHECKING:
    from app.session.findings_desk import FindingsDesk
    from app.session.reading_room import ReadingRoom


@dataclass(frozen=True)
class ShownState:
    linked: bool = True
    crosshair: bool = True
    corner_texts: bool = True
    looks: tuple[AppliedLook, ...] = ()
    """Presentation states that panes show their images by."""
    overlays: tuple[str, ...] = ()
    """SOP Instance UIDs of what is switched on: segmentations, maps, structures, reports."""
    subtracted: Mapping[str, bool] = field(default_factory=dict)
    """Display set to whether the reader wants differences; one that he did not touch is absent."""
    value_map: int = 0
    heat: Appearance | None = None
    """Of the second reader's map."""


def shown(room: ReadingRoom, desk: FindingsDesk) -> ShownState:
    saved = room.saved
    return ShownState(
        room.linked,
        room.crosshair,
        room.corner_texts,
        saved.looks() if saved is not None else (),
        saved.switched_on() if saved is not None else (),
        room.content.angio.choices(),
        saved.value_maps.choice if saved is not None else 0,
        desk.heat,
    )


def show_again(room: ReadingRoom, desk: FindingsDesk, wanted: ShownState) -> None:
    """What is not there any more (an object that was taken out of the library) is passed over."""
    room.linked, room.crosshair, room.corner_texts = wanted.linked, wanted.crosshair, wanted.corner_texts
    if room.saved is not None:
        room.saved.put_looks(wanted.looks)
        room.saved.switch_on(wanted.overlays)
        room.saved.value_maps.choice = wanted.value_map
    room.content.angio.put_choices(wanted.subtracted)
    if wanted.heat is not None:
        desk.heat = wanted.heat
