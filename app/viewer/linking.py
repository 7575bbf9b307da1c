"""Linked panes: one scrolls, zooms, pans or is windowed, the others follow, by frame of reference or by hand."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from app.domain.geometry import FloatArray, PlaneGeometry, Point3, VolumeGeometry
from app.domain.pixels import VoiWindow
from app.viewer.slice_sampler import normal_of
from app.viewer.view_state import Plane, ViewState, volume_centre


@dataclass(frozen=True)
class LinkedPane:
    """What linking needs to know of a pane."""

    pane_id: str
    view: ViewState
    group: str
    """Panes of one non-empty group follow each other."""
    planes: tuple[PlaneGeometry | None, ...] = ()
    """Of the frames of a stack, in display order."""
    volume: VolumeGeometry | None = None
    unit: str = ""
    modality: str = ""
    window: VoiWindow | None = None
    """Before the change."""
    offset_mm: Point3 = (0.0, 0.0, 0.0)
    """Added to a linked patient position: a manual offset."""
    common_from_own: FloatArray | None = None
    """4 x 4, own patient millimetres to those of ``common``: a registration."""
    common: str = ""
    """Frame of reference that ``common_from_own`` leads to."""


def frame_of_reference(pane: LinkedPane) -> str:
    if pane.volume is not None and pane.volume.frame_of_reference_uid:
        return pane.volume.frame_of_reference_uid
    return next((p.frame_of_reference_uid for p in pane.planes if p is not None), "")


def common_reference(pane: LinkedPane) -> str:
    """The frame of reference in which the pane can be compared with others."""
    return pane.common if pane.common_from_own is not None else frame_of_reference(pane)


def _to_common(pane: LinkedPane, point: Point3) -> FloatArray:
    own = np.array([*point, 1.0])
    return np.asarray((own if pane.common_from_own is None else pane.common_from_own @ own)[:3])


def _from_common(pane: LinkedPane, point: FloatArray) -> Point3:
    there = np.array([*point, 1.0])
    own = there if pane.common_from_own is None else np.linalg.inv(pane.common_from_own) @ there
    return (float(own[0]), float(own[1]), float(own[2]))


def point_of(pane: LinkedPane) -> Point3 | None:
    """The patient position that a pane shows: its point, or the middle of its frame."""
    if pane.view.plane is not Plane.STACK:
        return pane.view.point_mm or (volume_centre(pane.volume) if pane.volume is not None else None)
    if not 0 <= pane.view.frame_index < len(pane.planes):
        return None
    plane = pane.planes[pane.view.frame_index]
    return plane.to_patient((plane.rows - 1) / 2, (plane.columns - 1) / 2) if plane is not None else None


@dataclass(frozen=True, eq=False)
class _Stack:
    """Where the planes of a stack lie, as arrays."""

    planes: tuple[PlaneGeometry | None, ...]
    frames: npt.NDArray[np.int64]
    """Numbers of those that have a position."""
    normals: FloatArray
    along_mm: FloatArray
    """Of each plane along its own normal."""


_STACKS: deque[_Stack] = deque(maxlen=8)
"""Used last; a wheel asks the same stacks again and again, and long ones are slow to walk through."""


def _stack(planes: tuple[PlaneGeometry | None, ...]) -> _Stack:
    for known in tuple(_STACKS):
        if known.planes is planes:
            return known
    placed = [(n, p) for n, p in enumerate(planes) if p is not None]
    made = _Stack(
        planes,
        np.array([n for n, _ in placed], dtype=np.int64),
        np.array([p.normal for _, p in placed], dtype=np.float64).reshape(-1, 3),
        np.array([p.position_along_normal_mm() for _, p in placed], dtype=np.float64),
    )
    _STACKS.append(made)
    return made


def nearest_frame(planes: tuple[PlaneGeometry | None, ...], point_mm: Point3) -> int | None:
    """The frame whose plane lies nearest to the point, the first of several; None without positions."""
    stack = _stack(planes)
    if not stack.frames.size:
        return None
    distances = np.abs(stack.normals @ np.asarray(point_mm, dtype=np.float64) - stack.along_mm)
    # Frames at one place (echoes, phases) differ by rounding alone: the first of them, as ever.
    return int(stack.frames[np.flatnonzero(distances <= distances.min() + 1e-6)[0]])


def _normal(pane: LinkedPane) -> Point3 | None:
    if pane.view.plane is not Plane.STACK:
        return normal_of(pane.view)
    plane = pane.planes[pane.view.frame_index] if 0 <= pane.view.frame_index < len(pane.planes) else None
    return plane.normal if plane is not None else None


def parallel(a: LinkedPane, b: LinkedPane, degrees: float = 10.0) -> bool:
    na, nb = _normal(a), _normal(b)
    return na is not None and nb is not None and abs(float(np.dot(na, nb))) >= float(np.cos(np.radians(degrees)))


def go_to(pane: LinkedPane, point_mm: Point3) -> ViewState:
    """The pane's view through a patient position (of its own frame of reference)."""
    if pane.view.plane is not Plane.STACK:
        return replace(pane.view, point_mm=point_mm)
    frame = nearest_frame(pane.planes, point_mm)
    return pane.view if frame is None else replace(pane.view, frame_index=frame)


def linked_scroll(source: LinkedPane, panes: tuple[LinkedPane, ...]) -> Mapping[str, ViewState]:
    """New views of the panes that follow ``source`` (its new view already in it).

    Parallel panes of the same frame of reference, or with an offset by hand, go to the same patient position. Across
    frames of reference without an offset nothing moves: equal numbers there do not mean equal anatomy.
    """
    point = point_of(source)
    if point is None or not source.group:
        return {}
    out: dict[str, ViewState] = {}
    mine = common_reference(source)
    for pane in panes:
        if pane.pane_id == source.pane_id or pane.group != source.group:
            continue
        same = bool(mine) and common_reference(pane) == mine
        relative = tuple(b - a for a, b in zip(source.offset_mm, pane.offset_mm, strict=True))
        if not (same or any(relative)) or not parallel(source, pane):
            continue
        if any(relative) or not same:
            target = (point[0] + relative[0], point[1] + relative[1], point[2] + relative[2])
        else:
            target = _from_common(pane, _to_common(source, point))
        if pane.view.plane is not Plane.STACK and pane.view.point_mm is not None:
            # Along the normal only: the crosshair of the follower stays where the reader put it in the plane.
            normal = np.asarray(normal_of(pane.view))
            kept = np.asarray(pane.view.point_mm)
            moved = kept + normal * float((np.asarray(target) - kept) @ normal)
            target = (float(moved[0]), float(moved[1]), float(moved[2]))
        view = go_to(pane, target)
        if view != pane.view:
            out[pane.pane_id] = view
    return out


def linked_point(
    source_id: str, point_mm: Point3, frame_of_reference_uid: str, panes: tuple[LinkedPane, ...]
) -> Mapping[str, ViewState]:
    """The crosshair: every pane of that frame of reference, or registered to it, goes through the point."""
    out: dict[str, ViewState] = {}
    for pane in panes:
        if pane.pane_id == source_id or not frame_of_reference_uid or common_reference(pane) != frame_of_reference_uid:
            continue
        view = go_to(pane, _from_common(pane, np.asarray(point_mm)))
        if view != pane.view:
            out[pane.pane_id] = view
    return out


def linked_camera(source: LinkedPane, panes: tuple[LinkedPane, ...]) -> Mapping[str, ViewState]:
    """Zoom and pan of ``source`` for parallel panes of its group, and for films of one group (same scale)."""
    if not source.group:
        return {}
    out: dict[str, ViewState] = {}
    for pane in panes:
        if pane.pane_id == source.pane_id or pane.group != source.group:
            continue
        films = _normal(source) is None and _normal(pane) is None
        if not (films or parallel(source, pane)):
            continue
        pan = source.view.pan
        if films and pane.view.anchor[0] == 1.0 - source.view.anchor[0] != 0.5:
            pan = (-pan[0], pan[1])  # hung back to back: a step towards the nipple is one on both sides
        view = replace(pane.view, zoom=source.view.zoom, pan=pan)
        if view != pane.view:
            out[pane.pane_id] = view
    return out


def linked_window(source: LinkedPane, panes: tuple[LinkedPane, ...]) -> tuple[str, ...]:
    """Ids of the panes that take the source's new window over: same group, modality and unit (a window means nothing in
    another), and the same window until now, so that a lung pane never drags the mediastinum along.
    """
    if not source.group:
        return ()

    def kind(pane: LinkedPane) -> tuple[object, ...]:
        return (pane.group, pane.unit, pane.modality, pane.window)

    return tuple(p.pane_id for p in panes if p.pane_id != source.pane_id and kind(p) == kind(source))
