"""How the panes stood and were looked at, for the next start after a death: kept with every gesture, back with the study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.session.findings_desk import FindingsDesk
from app.session.panes import PaneState, boxes
from app.session.reading_room import ReadingRoom
from app.session.shown_state import ShownState, show_again, shown
from app.store.codec import CodecError, decode, encode


def state_of(study: str, room: ReadingRoom, desk: FindingsDesk) -> dict[str, Any]:
    """JSON-able."""
    return {
        "study": study,
        "layout": room.layout().name,
        "stage": room.stage,
        "active": room.active,
        "panes": [encode(p, compact=True) for p in room.panes()],
        "shown": encode(shown(room, desk), compact=True),
    }


def restore(room: ReadingRoom, desk: FindingsDesk, state: Mapping[str, Any] | None) -> bool:
    """Puts the panes back as they stood; False (and nothing changed) when the state does not fit what is open."""
    if not state or not isinstance(state.get("panes"), list):
        return False
    try:
        layout = str(state["layout"])
        looked_at = decode(ShownState, state.get("shown", {}))
        panes = [decode(PaneState, p) for p in state["panes"]]
        places = {b.pane_id for b in boxes(layout)}
        for pane in panes:
            if pane.pane_id not in places or (pane.display_set_id and not room.content.knows(pane.display_set_id)):
                return False
        if {p.pane_id for p in panes} != places:
            return False
    except (CodecError, ValueError, KeyError, TypeError):
        return False
    room.put_back(layout, int(state.get("stage", 0)), str(state.get("active", "pane-0")), panes)
    show_again(room, desk, looked_at)
    return True
