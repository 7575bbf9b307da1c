"""Growing and painting on images that make no volume: what comes out is a region with its outline, area and statistics.

A region goes on as the same mark while it is selected; it is measured, checked, moved and sent as one that was drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point2
from app.domain.identity import new_uid
from app.domain.measurement import Annotation, MarkShape
from app.domain.problem import Problem
from app.imaging.flat_regions import (
    Mask,
    Pixel,
    Range,
    calmed,
    disc_stroke,
    grown,
    largest_part,
    like_pixel,
    outline,
    part_with,
)
from app.session.findings_desk import FindingsDesk
from app.session.images import Images
from app.session.reading_room import ReadingRoom
from app.session.views import Changes, Notice
from app.viewer.edits import BrushMask, GrowMask
from app.viewer.measure import region
from app.viewer.placement import annotation_of, place, points_on
from app.viewer.tool_api import ToolContext

Grey = npt.NDArray[np.generic]
Box = tuple[slice, slice]
_NOWHERE: Box = (slice(0, 0), slice(0, 0))
_OUTLINES = frozenset({MarkShape.FREEHAND, MarkShape.POLYGON})


@dataclass(eq=False)
class _Stroke:
    """A brush that is down on an image."""

    first: tuple[float, float]
    mark_id: str
    mask: Mask
    """Of the whole image."""
    within: Range | None
    box: Box
    """Rows and columns beyond which the mask is empty."""


class FlatRegions:
    """Main thread only. ``put`` shows or keeps a mark, ``drawn`` has its values computed again."""

    def __init__(
        self,
        images: Images,
        put: Callable[[Annotation, bool], None],
        drop: Callable[[], None],
        drawn: Callable[[Annotation, ToolContext], None],
        announce: Callable[[Changes], None],
        notice: Callable[[Notice], None],
    ) -> None:
        self._images, self._put, self._drop, self._drawn = images, put, drop, drawn
        self._announce, self._notice = announce, notice
        self._stroke: _Stroke | None = None
        self._wish: tuple[GrowMask, ToolContext] | None = None
        self._growing = False
        self._turn = 0

    def take(self, edit: GrowMask | BrushMask, context: ToolContext) -> bool:
        """True when the image is one for this: a stored frame."""
        values = context.values() if context.layer.frame is not None else None
        if context.layer.frame is None:
            return False
        if values is None or values.ndim != 2:
            if isinstance(edit, BrushMask) and not edit.last or isinstance(edit, GrowMask) and edit.preview:
                return True
            self._notice(Notice(Problem("region.no_values")))
            return True
        if isinstance(edit, GrowMask):
            # What was let go of is kept before anything new is shown.
            if self._wish is None or self._wish[0].preview or not edit.preview:
                self._wish = (edit, context)
            if not self._growing:
                self._grow_next()
        else:
            self._brush(edit, context, values)
        return True

    def give_up(self) -> None:
        """Nothing that is under way is shown or kept."""
        self._wish, self._stroke, self._turn = None, None, self._turn + 1
        self._drop()

    # -- growing ---------------------------------------------------------------------------------------------------

    def _grow_next(self) -> None:
        if self._wish is None:
            return
        (edit, context), self._wish = self._wish, None
        values, left_out = context.values(), context.padding()
        seed = _pixel(edit.seed_px, context)
        before, turn = self._selected(context), self._turn
        if values is None or seed is None:
            return

        def work() -> Annotation | None:
            mask = grown(values, seed, like_pixel(values, seed, edit.spreads), left_out)
            if mask is None:
                return None
            own = self._joined(mask, before, context)
            return _mark(own[0] or new_uid(), own[1], (0, 0), context, edit.preview)

        def came(found: Annotation | None) -> None:
            self._growing = False
            if turn == self._turn:
                if found is not None:
                    self._show(found, context, edit.preview)
                elif not edit.preview:
                    self._drop()
                    self._notice(Notice(Problem("masks.nothing_grown")))
            self._grow_next()

        self._growing = True
        self._images.beside(work, came)

    # -- painting --------------------------------------------------------------------------------------------------

    def _brush(self, edit: BrushMask, context: ToolContext, values: Grey) -> None:
        first = _pixel(edit.points_px[0], context)
        if self._stroke is None or self._stroke.first != edit.points_px[0]:
            before = self._selected(context)
            if first is None or (edit.erase and before is None):
                self._stroke = None
                return
            mask, box = self._mask_of(before, context) if before is not None else (_empty(values), _NOWHERE)
            goes_on = before is not None and (edit.erase or bool(mask[first]))
            if not goes_on:
                mask, box = _empty(values), _NOWHERE
            name = before.annotation_id if before is not None and goes_on else new_uid()
            within = None if edit.erase else like_pixel(values, first)
            self._stroke = _Stroke(edit.points_px[0], name, mask, within, box)
        down, g = self._stroke, context.resolved.geometry
        finer = min(g.column_spacing, g.row_spacing)
        rx, ry = edit.radius_px * finer / g.column_spacing, edit.radius_px * finer / g.row_spacing
        path = edit.points_px[1:]
        # Only the part of the image that the region and the stroke reach is looked at: a film has many pixels.
        down.box = _reaching(down.box, path, rx, ry, g.rows, g.columns)
        top, left = down.box[0].start, down.box[1].start
        view, left_out = down.mask[down.box], context.padding()
        moved = [(x - left, y - top) for x, y in path]
        covered = None if left_out is None else left_out[down.box]
        painted = disc_stroke(view.shape, moved, (rx, ry), values[down.box], down.within, covered)
        now = view & ~painted if edit.erase else view | painted
        whole = None if edit.erase or first is None else part_with(now, (first[0] - top, first[1] - left))
        whole = largest_part(now) if whole is None else whole
        if whole is not None:
            view[...] = whole
            self._show(_mark(down.mark_id, whole, (left, top), context, not edit.last), context, not edit.last)
        if edit.last:
            self._stroke = None
            if whole is None:
                self._drop()

    # -- both ------------------------------------------------------------------------------------------------------

    def _show(self, mark: Annotation | None, context: ToolContext, preview: bool) -> None:
        if mark is None:
            return
        before = next((a for a in context.annotations if a.annotation_id == mark.annotation_id), None)
        mark = replace(mark, text=before.text) if before is not None else mark
        self._put(mark, preview)
        if not preview:
            self._drawn(mark, context)
        self._announce(Changes(view=True, findings=True))

    def _selected(self, context: ToolContext) -> Annotation | None:
        """The selected outline on this image: strokes go on with it."""
        mark = next((a for a in context.annotations if a.annotation_id == context.selected_id), None)
        if mark is None or mark.shape not in _OUTLINES or points_on(mark.placement, context.layer, context.resolved) is None:
            return None
        return mark

    def _mask_of(self, mark: Annotation, context: ToolContext) -> tuple[Mask, Box]:
        g = context.resolved.geometry
        points = points_on(mark.placement, context.layer, context.resolved) or ()
        rows, columns, inside = region(MarkShape.FREEHAND, points, g.rows, g.columns)
        out = np.zeros((g.rows, g.columns), dtype=np.bool_)
        out[rows, columns] = inside
        return out, (rows, columns)

    def _joined(self, mask: Mask, before: Annotation | None, context: ToolContext) -> tuple[str, Mask]:
        """(id, region): with the selected region where both hang together, else by itself without an id."""
        if before is not None:
            old = self._mask_of(before, context)[0]
            both = largest_part(mask | old)
            if both is not None and not bool(((mask | old) & ~both).any()):
                return before.annotation_id, both
        return "", mask


def _empty(values: Grey) -> Mask:
    return np.zeros(values.shape, dtype=np.bool_)


def _reaching(box: Box, path: Sequence[Point2], rx: float, ry: float, rows: int, columns: int) -> Box:
    """``box`` and what a disc along a path touches."""
    out = []
    for now, places, radius, size in ((box[0], [p[1] for p in path], ry, rows), (box[1], [p[0] for p in path], rx, columns)):
        low = min(max(int(min(places) - radius) - 2, 0), size)
        high = min(max(int(max(places) + radius) + 3, 0), size)
        empty = now.stop <= now.start
        out.append(slice(low if empty else min(low, now.start), high if empty else max(high, now.stop)))
    return out[0], out[1]


def _pixel(point: tuple[float, float], context: ToolContext) -> Pixel | None:
    g = context.resolved.geometry
    row, column = int(point[1] // 1), int(point[0] // 1)
    return (row, column) if 0 <= row < g.rows and 0 <= column < g.columns else None


def _mark(mark_id: str, mask: Mask, origin: tuple[int, int], context: ToolContext, preview: bool) -> Annotation | None:
    """``origin``: (x, y) of the mask's corner on the image. Values are measured when the button is let go; until then the
    outline is enough."""
    points = tuple((x + origin[0], y + origin[1]) for x, y in outline(calmed(mask)))
    if len(points) < 4:
        return None
    if preview:
        placement = place(points, context.layer, context.resolved.geometry, context.view.slab_mm)
        return Annotation(mark_id, MarkShape.FREEHAND, placement)
    return annotation_of(mark_id, MarkShape.FREEHAND, points, context)


def allow_flat_regions(
    room: ReadingRoom,
    images: Images,
    desk: FindingsDesk,
    announce: Callable[[Changes], None],
    notice: Callable[[Notice], None],
) -> None:
    """Puts the desk beside the painter of voxels: each takes the images that are its own."""
    extras = room.extras
    flat = FlatRegions(
        images, desk.put_annotation, desk.drop_provisional, lambda mark, at: extras.drawn(mark, at), announce, notice
    )
    extras.flat = lambda edit, chosen, context: not images.can_be_volume(chosen) and flat.take(edit, context)
    voxels_given_up = extras.given_up

    def given_up() -> None:
        voxels_given_up()
        flat.give_up()

    extras.given_up = given_up
