"""Walking through the quadrants of all breasts on the screen together, and saying which have been seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from app.domain.problem import Problem
from app.session.panes import PaneState
from app.session.picture import Drawer
from app.session.reading_room import ReadingRoom
from app.session.views import Changes, Words
from app.viewer.breast_walk import Box, Field, Pane, breast_box, fields_of, grid_for, view_of
from app.viewer.decorations import Style
from app.viewer.primitives import Plate, Polyline, Primitive, Role
from app.viewer.view_state import Plane, ResolvedView, ViewState

_NAMES = ("upper_back", "upper_front", "lower_back", "lower_front")
_MAP_W, _MAP_H = 34.0, 46.0


@dataclass(frozen=True)
class WalkView:
    """Where the walk stands; ``number`` 0 before its first step."""

    number: int = 0
    part: int = 0
    parts: int = 0
    name: Words | None = None
    seen: int = 0
    of: int = 0
    """Quadrants of all current views: brought to the screen at full resolution, and in all."""

    @property
    def complete(self) -> bool:
        return self.of > 0 and self.seen == self.of


class QuadrantWalk:
    """Main thread only."""

    def __init__(self, room: ReadingRoom, announce: Callable[[Changes], None]) -> None:
        self._room = room
        self._announce = announce
        self._boxes: dict[str, Box] = {}
        self._at: Field | None = None
        self._part: tuple[int, int] = (0, 0)
        self._stands: dict[str, ViewState] = {}
        """How the panes stand at the field; anything else has left the walk."""
        self._before: dict[str, ViewState] = {}
        self._seen: dict[str, set[Field]] = {}
        room.extras.draw_also(self.drawers)

    def _breasts(self) -> dict[str, tuple[PaneState, Pane]]:
        """Panes with a mammogram whose picture is there."""
        found: dict[str, tuple[PaneState, Pane]] = {}
        for pane in self._room.panes():
            chosen, size = self._room.display_set(pane), self._room.pane_size(pane.pane_id)
            if chosen is None or chosen.modality != "MG" or pane.view.plane is not Plane.STACK or size is None:
                continue
            layer = self._room.image_layer(pane)
            if layer is None or layer.frame is None or layer.geometry is None or layer.frame.values.ndim != 2:
                continue
            key = f"{layer.sop_instance_uid}/{layer.frame_number}"
            if key not in self._boxes:
                self._boxes[key] = breast_box(layer.frame.values)
            wall_right = pane.view.anchor[0] > 0.5 or (pane.view.anchor[0] == 0.5 and self._side(pane) == "R")
            found[pane.pane_id] = (pane, Pane(pane.view, size, layer.geometry, self._boxes[key], wall_right))
        return found

    def _side(self, pane: PaneState) -> str:
        ref = self._room.frame_ref(pane)
        instance = self._room.instance(ref.sop_instance_uid) if ref is not None else None
        return instance.laterality if instance is not None else ""

    def possible(self) -> bool:
        chosen = self._room.display_set(self._room.pane(self._room.active))
        return chosen is not None and chosen.modality == "MG"

    def next(self) -> None:
        self._step(1)

    def previous(self) -> None:
        self._step(-1)

    def _walking(self) -> bool:
        return bool(self._stands) and all(
            p.view == self._stands[p.pane_id] for p in self._room.panes() if p.pane_id in self._stands
        )

    def _step(self, by: int) -> None:
        """On to the next field in every pane with a breast; past the last and before the first the whole views come back."""
        breasts = self._breasts()
        if not breasts:
            return
        panes = [b for _, b in breasts.values()]
        walking = self._walking() and self._stands.keys() == breasts.keys()
        if not walking:
            self._before = {i: p.view for i, (p, _) in breasts.items()}
        fields = fields_of(*grid_for(panes))
        at = fields.index(self._at) + by if walking and self._at in fields else (0 if by > 0 else len(fields) - 1)
        if not 0 <= at < len(fields):
            self._leave(breasts.keys())
            return
        field = fields[at]
        same = [f for f in fields if f.quadrant == field.quadrant]
        self._at, self._part = field, (same.index(field) + 1, len(same))
        views = {i: view_of(panes, b, field) for i, (_, b) in breasts.items()}
        self._stands = dict(views)
        for pane, _ in breasts.values():
            ref = self._room.frame_ref(pane)
            if ref is not None and not pane.prior:
                self._seen.setdefault(ref.sop_instance_uid, set()).add(field)
        self._room.look_at(views)

    def _leave(self, pane_ids: object) -> None:
        whole = {p.pane_id: self._before[p.pane_id] for p in self._room.panes() if p.pane_id in self._before}
        self._at, self._stands = None, {}
        self._room.look_at({i: replace(v, pan=(0.0, 0.0), zoom=1.0) for i, v in whole.items()})

    def view(self) -> WalkView:
        """For the screen."""
        current, _ = self._room.studies()
        views = [
            r.sop_instance_uid
            for d in current.display_sets
            if d.modality == "MG" and len(d.frames) < 5
            for r in d.frames
            if (i := self._room.instance(r.sop_instance_uid)) is not None and i.presentation_intent_type != "FOR PROCESSING"
        ]
        seen = sum(len(_whole_quadrants(self._seen.get(uid, set()))) for uid in views)
        if not self._walking() or self._at is None:
            return WalkView(seen=seen, of=4 * len(views))
        q = self._at.quadrant
        return WalkView(q + 1, *self._part, Words(f"quadrant.{_NAMES[q]}"), seen, 4 * len(views))

    def unseen(self) -> Problem | None:
        """A walk that was begun and not finished, for the moment of the commit."""
        now = self.view()
        return Problem("quadrants.unseen", {"seen": now.seen, "all": now.of}) if now.seen and not now.complete else None

    def drawers(self, pane: PaneState) -> tuple[Drawer, ...]:
        """A small map of the breast beside its chest wall: the field on the screen, and what was seen before."""
        field = self._at
        if field is None or pane.pane_id not in self._stands or pane.view != self._stands[pane.pane_id]:
            return ()
        ref = self._room.frame_ref(pane)
        seen = self._seen.get(ref.sop_instance_uid, set()) if ref is not None else set()
        wall_right = pane.view.anchor[0] > 0.5 or (pane.view.anchor[0] == 0.5 and self._side(pane) == "R")

        def draw(resolved: ResolvedView, style: Style) -> tuple[Primitive, ...]:
            w, h = _MAP_W * style.scale, _MAP_H * style.scale
            x0 = resolved.size[0] - style.margin - w if wall_right else style.margin
            y0 = resolved.size[1] * 0.5 - h - 2 * style.line
            out: list[Primitive] = [Plate(x0 - 4, y0 - 4, w + 8, h + 8, "quadrant_map")]

            def box(f: Field) -> tuple[tuple[float, float], ...]:
                cw, ch = w / f.columns, h / f.rows
                u = f.columns - 1 - f.u if wall_right else f.u
                left, top = x0 + u * cw, y0 + f.v * ch
                return ((left, top), (left + cw, top), (left + cw, top + ch), (left, top + ch))

            for one in seen:
                if (one.columns, one.rows) == (field.columns, field.rows):
                    out.append(Polyline(box(one), Role.SECONDARY, 0.0, closed=True, filled=True, opacity=0.45))
            corners = ((x0, y0), (x0 + w, y0), (x0 + w, y0 + h), (x0, y0 + h))
            out.append(Polyline(corners, Role.SECONDARY, style.scale, closed=True, key="quadrant_map"))
            out.append(Polyline(box(field), Role.TEXT, 2 * style.scale, closed=True, key="quadrant_here"))
            return tuple(out)

        return (draw,)


def _whole_quadrants(seen: set[Field]) -> set[int]:
    """Those of which every field of one division was on the screen."""
    whole: set[int] = set()
    for columns, rows in {(f.columns, f.rows) for f in seen}:
        for quadrant in range(4):
            if all(f in seen for f in fields_of(columns, rows) if f.quadrant == quadrant):
                whole.add(quadrant)
    return whole
