"""The reader's voxel masks: growing in the background, painting at once, the volume measured, kept as a mark."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from app.domain.finding import Finding, SegmentMask, Source
from app.domain.geometry import Point3
from app.domain.identity import new_uid
from app.domain.measurement import MarkShape, Measurement, Placement, Quantity
from app.domain.problem import Problem
from app.domain.study import DisplaySet
from app.domain.volume import Volume
from app.imaging.growing import (
    MAX_RADIUS_MM,
    Bound,
    BoxMask,
    Growth,
    Range,
    along,
    grow_bounded,
    like_seed,
    nearest_index,
    stroke,
    trimmed,
    union,
    without,
)
from app.imaging.masks import volume_mm3
from app.imaging.packed import box_in, counted_ml, counted_values, pack, unpack
from app.session.images import Images
from app.session.marks import DRAWING, MEASUREMENT_ONLY, location_of
from app.session.views import Changes, Notice
from app.viewer.edits import BrushMask, GrowMask
from app.viewer.layers import MaskLayer
from app.viewer.measure import ucum
from app.viewer.view_state import Appearance, ResolvedView

_log = logging.getLogger(__name__)
MISMATCH = "viewer.measure.mismatch"
AT_ONCE = 2_000_000
"""Voxels of a mask's box that are measured under the hand, in some milliseconds; larger ones beside."""
_OTHERS = ((1, 2), (0, 2), (0, 1))
"""For each axis the two others."""


@dataclass(frozen=True, eq=False)
class _Stroke:
    """A brush that is down: what it paints on, what counts as like its first touch, what it has so far."""

    mark: Finding | None
    display_set_id: str
    volume: Volume
    values: Range | None
    mask: BoxMask | None

    def marked(self) -> tuple[Finding, BoxMask] | None:
        """What it comes to; None when nothing is left. Any thread."""
        kept = trimmed(self.mask) if self.mask is not None else None
        return (as_mark(self.mark, kept, self.volume, self.display_set_id, False), kept) if kept is not None else None


def measured(mask: BoxMask, volume: Volume) -> tuple[Measurement, ...]:
    """Volume in ml and the statistics of the modality values inside, where there are any."""
    k, j, i = (slice(a, b) for a, b in zip(mask.start, mask.stop, strict=True))
    ml = volume_mm3(mask.values, volume.geometry.cropped(k, j, i)) / 1000.0
    known = mask.values if volume.no_value is None else mask.values & ~volume.no_value.box(k, j, i)
    inside = volume.voxels[k, j, i][known].astype(np.float64)
    unit = ucum(volume.unit)
    if not inside.size:
        return (Measurement(Quantity.VOLUME, ml, "ml"),)
    return (
        Measurement(Quantity.VOLUME, ml, "ml"),
        Measurement(Quantity.MEAN, float(inside.mean()), unit),
        Measurement(Quantity.STANDARD_DEVIATION, float(inside.std()), unit),
        Measurement(Quantity.MINIMUM, float(inside.min()), unit),
        Measurement(Quantity.MAXIMUM, float(inside.max()), unit),
    )


def as_mark(before: Finding | None, mask: BoxMask, volume: Volume, display_set_id: str, grown: bool) -> Finding:
    """A new mark, or the next state of one."""
    packed = pack(
        mask, volume, display_set_id, grown or (before is not None and before.mask is not None and before.mask.grown)
    )
    total = np.count_nonzero(mask.values)
    sums = [
        int(np.arange(n) @ np.count_nonzero(mask.values, axis=rest))
        for n, rest in zip(mask.values.shape, _OTHERS, strict=True)
    ]
    k, j, i = (n / total + start for n, start in zip(sums, mask.start, strict=True))
    centre = volume.geometry.to_patient((k, j, i))
    corners = volume.geometry.to_patient_many(
        np.array([[k, j, i] for k in (mask.start[0], mask.stop[0] - 1) for j in (mask.start[1], mask.stop[1] - 1)
                  for i in (mask.start[2], mask.stop[2] - 1)], dtype=np.float64)
    )  # fmt: skip
    low, high = corners.min(axis=0), corners.max(axis=0)
    placement = Placement(points_mm=(centre,), frame_of_reference_uid=volume.geometry.frame_of_reference_uid)
    location = replace(
        location_of(placement),
        box_lps_mm=((float(low[0]), float(low[1]), float(low[2])), (float(high[0]), float(high[1]), float(high[2]))),
    )
    values = measured(mask, volume)
    if before is not None:
        return replace(before, location=location, measurements=values, placement=placement, mask=packed)
    return Finding(
        new_uid(), Source.MINE, DRAWING, location, values, attributes=(MEASUREMENT_ONLY,), shape=MarkShape.MASK,
        placement=placement, source_sop_instance_uids=packed.source_sop_instance_uids, mask=packed,
    )  # fmt: skip


class OwnMasks:
    """Main thread only. ``marks``/``keep``/``selected`` are the desk's; strokes live here until the button is up."""

    def __init__(
        self,
        images: Images,
        mark: Callable[[str], Finding | None],
        keep: Callable[[Finding], None],
        select: Callable[[str], None],
        selected: Callable[[], str],
        doubt: Callable[[str, str], None],
        announce: Callable[[Changes], None],
        notice: Callable[[Notice], None],
        rgb: tuple[int, int, int],
    ) -> None:
        self._images = images
        self._mark, self._keep, self._select, self._selected = mark, keep, select, selected
        self._doubt, self._announce, self._notice = doubt, announce, notice
        self._rgb = rgb
        self._stroke: _Stroke | None = None
        self._let_go: _Stroke | None = None
        """A stroke that is measured beside: shown as it stands until its mark is there."""
        images.on_settle.append(self.settle)
        self._shown: dict[str, tuple[bytes, MaskLayer]] = {}
        self.growing = False
        self._turn = 0
        self._wish: tuple[GrowMask, DisplaySet, ResolvedView] | None = None
        self._preview: tuple[BoxMask, Volume] | None = None

    # -- gestures --------------------------------------------------------------------------------------------------

    def _volume(self, chosen: DisplaySet) -> Volume | None:
        """The volume to paint on; says why there is none (yet)."""
        if not self._images.can_be_volume(chosen):
            self._notice(Notice(Problem("masks.no_volume")))
            return None
        volume = self._images.volume(chosen.display_set_id)
        if volume is None:
            found = self._images.volume_problem(chosen.display_set_id)
            self._notice(Notice(found or Problem("masks.volume_loading")))
        return volume

    def _target(self, display_set_id: str) -> Finding | None:
        """The selected mask of these images: strokes go on with it."""
        mark = self._mark(self._selected())
        return mark if mark is not None and mark.mask is not None and mark.mask.display_set_id == display_set_id else None

    def paint(self, edit: GrowMask | BrushMask, chosen: DisplaySet, resolved: ResolvedView) -> None:
        if isinstance(edit, GrowMask):
            self.grow(edit, chosen, resolved)
        else:
            self.brush(edit, chosen, resolved)

    def grow(self, edit: GrowMask, chosen: DisplaySet, resolved: ResolvedView) -> None:
        """Grows in the background; while it works only the newest wish waits, and what was let go of before a drag went on
        is never kept."""
        if self._wish is None or self._wish[0].preview or not edit.preview:
            self._wish = (edit, chosen, resolved)  # what was let go of is kept before anything new is shown
        if not self.growing:
            self._grow_next()

    def _grow_next(self) -> None:
        if self._wish is None:
            return
        (edit, chosen, resolved), self._wish = self._wish, None
        self.settle()
        volume = self._volume(chosen) if not edit.preview else self._images.volume(chosen.display_set_id)
        point = resolved.geometry.px_to_patient(*edit.seed_px)
        seed = nearest_index(volume.geometry, point) if volume is not None and point is not None else None
        if volume is None or seed is None:
            self._preview = None
            return
        before, turn = self._target(chosen.display_set_id), self._turn

        def work() -> tuple[Growth, Finding | None] | None:
            found = grow_bounded(volume, seed, like_seed(volume, seed, edit.spreads))
            if found is None or edit.preview:
                return None if found is None else (found, None)
            mask = found.mask
            if before is not None and before.mask is not None:
                mask = union(mask, box_in(before.mask, volume.geometry))
            return found, as_mark(before, mask, volume, chosen.display_set_id, True)

        def came(result: tuple[Growth, Finding | None] | None) -> None:
            self.growing = False
            if edit.preview:
                alive = turn == self._turn and self._alive(edit)
                self._preview = (result[0].mask, volume) if result is not None and alive else None
            elif result is None or result[1] is None:
                self._preview = None
                self._notice(Notice(Problem("masks.nothing_grown")))
            else:
                self._preview = None
                self._done(result[1])
                if result[0].bound is not Bound.NONE:
                    self._notice(Notice(Problem(f"masks.bound_{result[0].bound.value}", {"mm": round(MAX_RADIUS_MM)})))
            self._announce(Changes(view=True))
            self._grow_next()

        self.growing = True
        self._images.beside(work, came)

    def give_up(self) -> None:
        """Nothing grown is kept or shown any more; what is being worked on comes to nothing."""
        self._wish, self._preview, self._turn = None, None, self._turn + 1
        self._announce(Changes(view=True))

    def _alive(self, edit: GrowMask) -> bool:
        """A preview that is still of the gesture that goes on: nothing was kept or given up since."""
        return self._wish is None or self._wish[0].seed_px == edit.seed_px

    def brush(self, edit: BrushMask, chosen: DisplaySet, resolved: ResolvedView) -> None:
        points = [resolved.geometry.px_to_patient(*p) for p in edit.points_px]
        known = [p for p in points if p is not None]
        if len(known) < len(points):
            return
        if self._stroke is None and not self._begin(chosen, known[0], edit):
            return
        down = self._stroke
        assert down is not None
        path = along(known[1:], max(edit.radius_mm / 2.0, 0.1))
        painted = stroke(down.volume, path, edit.radius_mm, None if edit.erase else down.values)
        mask = down.mask
        if painted is not None:
            if edit.erase:
                mask = without(mask, painted) if mask is not None else None
            else:
                mask = painted if mask is None else union(mask, painted)
        self._stroke = replace(down, mask=mask)
        if edit.last:
            self._end(self._stroke)
        self._announce(Changes(view=True))

    def _end(self, stroke: _Stroke) -> None:
        self._stroke, self._let_go = None, stroke
        if stroke.mask is None or stroke.mask.values.size <= AT_ONCE:
            self.settle()
            return

        def came(found: tuple[tuple[Finding, BoxMask] | None] | None) -> None:
            if self._let_go is stroke:
                self._kept(found[0] if found is not None else stroke.marked())

        self._images.beside(lambda: (stroke.marked(),), came)

    def settle(self) -> None:
        """A stroke that was let go is kept now: before the next one, before an undo, before the study is closed."""
        if self._let_go is not None:
            self._kept(self._let_go.marked())

    def _kept(self, found: tuple[Finding, BoxMask] | None) -> None:
        self._let_go = None
        if found is not None:
            mark, mask = found
            if mark.mask is not None:  # unpacked already
                segment = SegmentMask(mark.finding_id, mask.values, mark.mask.geometry)
                self._shown[mark.finding_id] = (mark.mask.bits, self._layer(segment))
            self._done(mark)
        self._announce(Changes(view=True))

    def _begin(self, chosen: DisplaySet, first: Point3, edit: BrushMask) -> bool:
        self.settle()
        volume = self._volume(chosen)
        seed = nearest_index(volume.geometry, first) if volume is not None else None
        if volume is None or seed is None:
            return False
        before = self._target(chosen.display_set_id)
        if edit.erase and before is None:
            return False
        mask = box_in(before.mask, volume.geometry) if before is not None and before.mask is not None else None
        values = None if edit.erase else like_seed(volume, seed)
        self._stroke = _Stroke(before, chosen.display_set_id, volume, values, mask)
        return True

    def cancel(self) -> None:
        if self._stroke is not None:
            self._stroke = None
            self._announce(Changes(view=True))

    def _done(self, mark: Finding) -> None:
        self._keep(mark)
        self._select(mark.finding_id)
        packed = mark.mask
        shown = mark.measured(Quantity.VOLUME)
        if packed is None or shown is None:
            return
        volume = self._images.volume_if_here(packed.display_set_id)
        told = {m.quantity: m.value for m in mark.measurements}

        def again() -> dict[Quantity, float]:
            found = {Quantity.VOLUME: counted_ml(packed)}
            return found if volume is None else found | counted_values(packed, volume)

        def came(found: dict[Quantity, float] | None) -> None:
            for quantity, value in (found or {}).items():
                shown_value = told.get(quantity, value)
                if abs(value - shown_value) > 1e-6 * max(1.0, abs(shown_value)):
                    _log.error(
                        "a measurement differs when computed again: %s %r, again %r", quantity.value, shown_value, value
                    )
                    self._doubt(mark.finding_id, MISMATCH)
                    return

        self._images.beside(again, came)

    # -- what is shown ---------------------------------------------------------------------------------------------

    def layers(self, marks: tuple[Finding, ...]) -> tuple[MaskLayer, ...]:
        """One layer for each mask, the one being painted as it now stands."""
        out: list[MaskLayer] = []
        down = self._stroke or self._let_go
        painting = down.mark.finding_id if down is not None and down.mark is not None else ""
        for mark in marks:
            if mark.mask is None or mark.finding_id == painting:
                continue
            kept = self._shown.get(mark.finding_id)
            if kept is None or kept[0] != mark.mask.bits:
                segment = SegmentMask(mark.finding_id, unpack(mark.mask), mark.mask.geometry)
                kept = self._shown[mark.finding_id] = (mark.mask.bits, self._layer(segment))
            out.append(kept[1])
        if self._preview is not None:
            grown, volume = self._preview
            k, j, i = (slice(a, b) for a, b in zip(grown.start, grown.stop, strict=True))
            segment = SegmentMask("", grown.values, volume.geometry.cropped(k, j, i))
            out.append(MaskLayer(segment, self._rgb, Appearance(opacity=0.2)))
        if down is not None and down.mask is not None:
            k, j, i = (slice(a, b) for a, b in zip(down.mask.start, down.mask.stop, strict=True))
            segment = SegmentMask("", down.mask.values, down.volume.geometry.cropped(k, j, i))
            out.append(self._layer(segment))
        return tuple(out)

    def _layer(self, segment: SegmentMask) -> MaskLayer:
        return MaskLayer(segment, self._rgb, Appearance(opacity=0.35))
