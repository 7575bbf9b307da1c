"""The tooth numbers over a film: what is drawn, and dragging one to another tooth."""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.teeth import NumberedTooth, is_upper
from app.session.picture import Drawer
from app.session.teeth_desk import TeethDesk
from app.viewer.decorations import Style
from app.viewer.primitives import Anchor, Line, Primitive, Role, Text
from app.viewer.tool_api import PointerEvent, ToolContext
from app.viewer.view_state import ResolvedView

_DOUBT = 0.5
_REACH = 16.0
"""Pane pixels around a number's middle that take it."""
_AWAY = 12.0


def _label_at(tooth: NumberedTooth, resolved: ResolvedView, scale: float) -> tuple[float, float]:
    """Beyond the root: above the upper teeth, below the lower ones."""
    x0, y0, x1, y1 = tooth.box_px
    upper = is_upper(tooth.fdi)
    x, y = resolved.px_to_pane((x0 + x1) / 2, y0 if upper else y1)
    return x, y + (-_AWAY if upper else _AWAY) * scale


class ToothNumbers:
    """The room asks it for drawings, and lets it have a press first."""

    def __init__(self, desk: TeethDesk) -> None:
        self._desk = desk
        self._held = 0
        self._at: tuple[float, float] | None = None

    def drawers(self, sop_instance_uid: str) -> tuple[Drawer, ...]:
        if not self._desk.available or not self._desk.numbers_shown:
            return ()
        teeth = tuple(t for t in self._desk.numbers() if t.sop_instance_uid in ("", sop_instance_uid))
        if not teeth:
            return ()
        held, at, selected = self._held, self._at, self._desk.selected
        gone = {t.fdi for t in self._desk.chart() if t.gone}
        corrected = self._desk.corrected()

        def draw(resolved: ResolvedView, style: Style) -> Sequence[Primitive]:
            out: list[Primitive] = []
            for tooth in teeth:
                x, y = _label_at(tooth, resolved, style.scale)
                if tooth.fdi == held and at is not None:
                    x, y = at
                sure = tooth.seen and tooth.confidence >= _DOUBT
                role = Role.MINE if tooth.fdi in corrected else Role.TEXT if sure else Role.SECONDARY
                words = str(tooth.fdi) if sure or not tooth.seen else f"{tooth.fdi}?"
                chosen = tooth.fdi in (held, selected)
                out.append(
                    Text(x, y, words, Anchor.CENTRE, role, style.font, chosen or sure, chosen, chosen, key="tooth_number")
                )
                if tooth.fdi in gone or not tooth.seen:
                    half = 9 * style.scale
                    out.append(Line(x - half, y, x + half, y, role, style.scale, key="tooth_gone"))
            return out

        return (draw,)

    def press(self, event: PointerEvent, context: ToolContext) -> bool:
        """True when a number was taken."""
        self._held, self._at = 0, None
        if not self._desk.available or not self._desk.numbers_shown:
            return False
        best = _REACH
        for tooth in self._desk.numbers():
            x, y = _label_at(tooth, context.resolved, 1.0)
            far = ((x - event.x) ** 2 + (y - event.y) ** 2) ** 0.5
            if far < best:
                best, self._held = far, tooth.fdi
        return self._held != 0

    def drag(self, event: PointerEvent, context: ToolContext) -> bool:
        del context
        if self._held:
            self._at = (event.x, event.y)
        return self._held != 0

    def release(self, event: PointerEvent, context: ToolContext) -> bool:
        held, at = self._held, self._at
        self._held, self._at = 0, None
        if not held:
            return False
        if at is None:
            self._desk.select(held)
            return True
        # The number was taken beyond its root: what it is dropped on is a tooth, or the place of another number.
        numbers = self._desk.numbers()
        landed = [t for t in numbers if is_upper(t.fdi) == is_upper(held) and _near(t, event, context)]
        nearest = min(landed, key=lambda t: _distance(t, event, context), default=None)
        if nearest is not None and nearest.fdi == held:
            self._desk.select(held)
        elif nearest is not None:
            self._desk.move(held, nearest.centre_px, event.shift)
        else:
            self._desk.move(held, context.px(event), event.shift)
        return True


def _distance(tooth: NumberedTooth, event: PointerEvent, context: ToolContext) -> float:
    x, y = _label_at(tooth, context.resolved, 1.0)
    cx, cy = context.resolved.px_to_pane(*tooth.centre_px)
    return float(min(((x - event.x) ** 2 + (y - event.y) ** 2) ** 0.5, ((cx - event.x) ** 2 + (cy - event.y) ** 2) ** 0.5))


def _near(tooth: NumberedTooth, event: PointerEvent, context: ToolContext) -> bool:
    if _distance(tooth, event, context) <= 1.5 * _REACH:
        return True
    x, y = context.px(event)
    x0, y0, x1, y1 = tooth.box_px
    return x0 <= x <= x1 and y0 <= y <= y1
