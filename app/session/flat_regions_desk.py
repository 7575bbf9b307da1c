"""Growing and painting on images that make no volume: what comes out is a region with its outline, area and statistics.

A region goes on as the same mark while it is selected; it is measured, checked, moved and sent as one that was drawn. While
the brush moves only the pixels that it reaches are looked at and the outline is followed; what takes the whole region (its
holes, its calm border, its values) is computed beside the main thread once the button is let go.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point2
from app.domain.identity import new_uid
from app.domain.measurement import Annotation, MarkShape, Placement
from app.domain.problem import Problem
from app.imaging.flat_outlines import Borders, outline
from app.imaging.flat_regions import (
    Mask,
    Pixel,
    Range,
    box_of,
    calmed,
    disc_stroke,
    grown,
    largest_part,
    like_pixel,
    part_with,
    parts_touching,
)
from app.session.findings_desk import FindingsDesk
from app.session.images import Images
from app.session.reading_room import ReadingRoom
from app.session.views import Changes, Notice
from app.viewer.edits import BrushMask, GrowMask
from app.viewer.measure import region
from app.viewer.placement import annotation_of, points_on
from app.viewer.plane_values import plane_padding, without
from app.viewer.tool_api import ToolContext

Grey = npt.NDArray[np.generic]
Box = tuple[slice, slice]
_NOWHERE: Box = (slice(0, 0), slice(0, 0))
_OUTLINES = frozenset({MarkShape.FREEHAND, MarkShape.POLYGON})
Edit = GrowMask | BrushMask


@dataclass(frozen=True, eq=False)
class _Region:
    """The pixels of an outline, which they hold exactly."""

    points: tuple[Point2, ...]
    mask: Mask
    """Of the whole image."""
    box: Box
    """Rows and columns beyond which the mask is empty."""
    borders: Borders


_Found = tuple[Annotation | None, _Region | None]


@dataclass(eq=False)
class _Stroke:
    """A brush that is down on an image."""

    first: tuple[float, float]
    mark_id: str
    mask: Mask
    """Of the whole image: the region and what was painted on it, holes and all."""
    within: Range | None
    box: Box
    """Rows and columns beyond which the mask is empty."""
    borders: Borders


@dataclass(eq=False)
class _Job:
    """What is computed beside: a growth, or what a stroke comes to. One at a time; what is asked meanwhile waits."""

    work: Callable[[], _Found]
    edit: Edit
    context: ToolContext

    @property
    def is_kept(self) -> bool:
        """The button was let go: nothing may lose it."""
        return self.edit.last if isinstance(self.edit, BrushMask) else not self.edit.preview


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
        self._job: _Job | None = None
        self._waiting: deque[tuple[Edit, ToolContext]] = deque()
        self._last: Annotation | None = None
        """What was kept last: gestures that waited for it do not know of it."""
        self._region: _Region | None = None
        """The pixels of the region that was kept last: the next stroke most likely goes on with it."""

    def take(self, edit: Edit, context: ToolContext) -> bool:
        """True when the image is one for this: a stored frame."""
        if context.layer.frame is None:
            return False
        values = context.values()
        if values is None or values.ndim != 2:
            if isinstance(edit, BrushMask) and not edit.last or isinstance(edit, GrowMask) and edit.preview:
                return True
            self._notice(Notice(Problem("region.no_values")))
            return True
        # A newer preview takes the place of an older; what was let go of is kept before anything new is shown.
        newest = self._waiting[-1][0] if self._waiting else None
        if isinstance(edit, GrowMask) and isinstance(newest, GrowMask) and newest.preview:
            self._waiting.pop()
        self._waiting.append((edit, context))
        if self._job is None:
            self._last = None
        self._go_on()
        return True

    def give_up(self) -> None:
        """Nothing that is under way is shown or kept; a stroke that was let go stays."""
        self._stroke = None
        while self._waiting and not _let_go(self._waiting[-1][0]):
            self._waiting.pop()
        if self._job is not None and not _let_go(self._job.edit):
            self._job = None
        self._drop()
        self._go_on()

    def settle(self) -> None:
        """What was let go of is kept now, however long it takes: before an undo, before the study is closed."""
        while self._job is not None or self._waiting:
            job, self._job = self._job, None
            if job is not None and job.is_kept:
                self._arrived(job, job.work())
            self._go_on()

    # -- one after the other ---------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        while self._job is None and self._waiting:
            edit, context = self._waiting.popleft()
            if self._last is not None:
                others = (a for a in context.annotations if a.annotation_id != self._last.annotation_id)
                context = replace(context, annotations=(*others, self._last), selected_id=self._last.annotation_id)
            values = context.values()
            if values is None:
                continue
            work = self._growth(edit, context, values) if isinstance(edit, GrowMask) else self._brush(edit, context, values)
            if work is not None:
                self._begin(_Job(work, edit, context))

    def _begin(self, job: _Job) -> None:
        def came(found: _Found | None) -> None:
            if self._job is job:
                self._job = None
                # What failed beside fails here, where it is told.
                self._arrived(job, found if found is not None else job.work())
                self._go_on()

        self._job = job
        self._images.beside(job.work, came)

    def _arrived(self, job: _Job, found: _Found) -> None:
        preview = not job.is_kept
        mark, region_found = found
        if mark is not None:
            self._region = region_found or self._region
            self._show(mark, job.context, preview)
        elif not preview:
            self._drop()
            if isinstance(job.edit, GrowMask):
                self._notice(Notice(Problem("masks.nothing_grown")))

    # -- growing ---------------------------------------------------------------------------------------------------

    def _growth(self, edit: GrowMask, context: ToolContext, values: Grey) -> Callable[[], _Found] | None:
        seed = _pixel(edit.seed_px, context)
        before = self._selected(context)
        if seed is None:
            return None

        def work() -> _Found:
            mask = grown(values, seed, like_pixel(values, seed, edit.spreads), context.padding())
            if mask is None:
                return None, None
            name, joined = self._joined(mask, before, context)
            box = _wider(box_of(joined), joined.shape)
            return _mark(name or new_uid(), joined[box], box, context, edit.preview)

        return work

    # -- painting --------------------------------------------------------------------------------------------------

    def _brush(self, edit: BrushMask, context: ToolContext, values: Grey) -> Callable[[], _Found] | None:
        first = _pixel(edit.points_px[0], context)
        if self._stroke is None or self._stroke.first != edit.points_px[0]:
            self._stroke = self._begun(edit, first, context, values)
        if self._stroke is None:
            return None
        down = self._stroke
        self._paint(down, edit, first, context, values)
        if not edit.last:
            points = down.borders.widest() if edit.erase or first is None else down.borders.first()
            if len(points) >= 4:
                layer = context.layer
                placement = Placement(layer.sop_instance_uid, layer.frame_number, points)
                self._show(Annotation(down.mark_id, MarkShape.FREEHAND, placement), context, True)
            return None
        self._stroke = None

        def work() -> _Found:
            rest, (rows, columns) = down.mask[down.box], down.box
            whole = None
            if rest.size and not edit.erase and first is not None and down.mask[first]:
                whole = part_with(rest, (first[0] - rows.start, first[1] - columns.start))
            whole = largest_part(rest) if whole is None and rest.size else whole
            return _mark(down.mark_id, whole, down.box, context, False) if whole is not None else (None, None)

        return work

    def _begun(self, edit: BrushMask, first: Pixel | None, context: ToolContext, values: Grey) -> _Stroke | None:
        before = self._selected(context)
        if first is None or (edit.erase and before is None):
            return None
        known = self._known(before, context) if before is not None else None
        goes_on = known is not None and (edit.erase or bool(known.mask[first]))
        if known is None or not goes_on:
            mask = _empty(values)
            known = _Region((), mask, _NOWHERE, Borders(mask, _NOWHERE[1]))
        else:
            self._region = None  # it is painted on from now on
        name = before.annotation_id if before is not None and goes_on else new_uid()
        within = None if edit.erase else like_pixel(values, first)
        return _Stroke(edit.points_px[0], name, known.mask, within, known.box, known.borders)

    def _known(self, mark: Annotation, context: ToolContext) -> _Region:
        """The pixels of a mark; those of the last one are at hand."""
        kept = self._region
        if kept is not None and kept.points is points_on(mark.placement, context.layer, context.resolved):
            return kept
        mask, box = self._mask_of(mark, context)
        return _Region((), mask, box, Borders(mask, box[1]))

    @staticmethod
    def _paint(down: _Stroke, edit: BrushMask, first: Pixel | None, context: ToolContext, values: Grey) -> None:
        """Of the image only what the disc reaches is looked at: a film has many pixels."""
        g = context.resolved.geometry
        finer = min(g.column_spacing, g.row_spacing)
        rx, ry = edit.radius_px * finer / g.column_spacing, edit.radius_px * finer / g.row_spacing
        path = edit.points_px[1:]
        reach = _reaching(_NOWHERE, path, rx, ry, g.rows, g.columns)
        down.box = _reaching(down.box, path, rx, ry, g.rows, g.columns)
        rows, columns = reach
        view = down.mask[reach]
        if not view.size:
            return
        moved = [(x - columns.start, y - rows.start) for x, y in path]
        painted = disc_stroke(view.shape, moved, (rx, ry), values[reach], down.within, _left_out(context, reach))
        if edit.erase:
            view &= ~painted
            down.borders.changed(rows, down.box[1])
            return
        # What hangs together with the region stays: the rest is like it, but not joined.
        seeds = view.copy()
        if first is not None and rows.start <= first[0] < rows.stop and columns.start <= first[1] < columns.stop:
            seeds[first[0] - rows.start, first[1] - columns.start] = True
        both = view | painted
        view[...] = parts_touching(both, seeds) if (seeds & both).any() else both
        down.borders.changed(rows, down.box[1])

    # -- both ------------------------------------------------------------------------------------------------------

    def _show(self, mark: Annotation, context: ToolContext, preview: bool) -> None:
        before = next((a for a in context.annotations if a.annotation_id == mark.annotation_id), None)
        mark = replace(mark, text=before.text) if before is not None else mark
        self._put(mark, preview)
        if not preview:
            self._last = mark
            self._drawn(mark, context)
        # What the hand still draws stands in no list.
        self._announce(Changes(view=True, findings=not preview))

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


def _wider(box: Box, shape: tuple[int, ...]) -> Box:
    """A pixel more on each side, where there is one."""
    rows, columns = (slice(max(0, s.start - 1), min(size, s.stop + 1)) for s, size in zip(box, shape, strict=True))
    return rows, columns


def _moved(points: Sequence[Point2], box: Box) -> tuple[Point2, ...]:
    """From a corner of the image to the image."""
    top, left = float(box[0].start), float(box[1].start)
    return tuple([(x + left, y + top) for x, y in points])


def _let_go(edit: Edit) -> bool:
    return isinstance(edit, BrushMask) and edit.last


def _left_out(context: ToolContext, box: Box) -> Mask | None:
    """What is not painted on: of a part of the image only."""
    parts = (plane_padding(context.layer, context.resolved), context.layer.covered)
    padding, covered = (p[box] if p is not None else None for p in parts)
    return without(padding, covered)


def _mark(mark_id: str, mask: Mask, box: Box, context: ToolContext, preview: bool) -> _Found:
    """``box``: where on the image the mask lies. Values are measured when the button is let go; until then the outline is
    enough."""
    calm = calmed(mask)
    points = _moved(outline(calm), box)
    if len(points) < 4:
        return None, None
    if preview:
        placement = Placement(context.layer.sop_instance_uid, context.layer.frame_number, points)
        return Annotation(mark_id, MarkShape.FREEHAND, placement), None
    g = context.resolved.geometry
    whole = np.zeros((g.rows, g.columns), dtype=np.bool_)
    whole[box] = calm
    pixels = _Region(points, whole, box, Borders(whole, box[1]))
    return annotation_of(mark_id, MarkShape.FREEHAND, points, context), pixels


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
    images.on_settle.append(flat.settle)
    extras.settle = images.settle
