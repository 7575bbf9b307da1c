"""The 3D view on the CPU: a volume from outside and surfaces, parallel projection, in processes of their own.

The camera is the pane's own plane: its axes, its scale, its middle. So letters, scale bar, zoom and pan are a slice's.
While something moves, and for the first picture, a coarse volume is cast with few rays; at rest a finer one in the other
process, given up as soon as something moves. What was left out to be quick enough is told with every picture.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.geometry import VolumeGeometry
from app.domain.pixels import VoiWindow
from app.domain.problem import Problem, Severity
from app.domain.volume import Volume
from app.viewer.mesh import Mesh
from app.viewer.solid_masks import BLUR_MM, PASSES, SolidMask, mask_mesh, value_mesh
from app.viewer.view_state import ResolvedView
from app.viewer.volume_engine import Engine, GivenUp, fine, make_ready, quick
from app.viewer.volume_parts import (
    WHOLE,
    Box,
    Crop,
    Fewer,
    VolumeCut,
    box_mm,
    crop_mm,
    cut_box,
    fewer,
    kept_box,
    opaque_box,
    part_of,
    value_range,
)
from app.viewer.volume_presets import VolumePreset

__all__ = ["WHOLE", "Crop", "Rendering", "SolidMask", "VolumeCut", "make_ready", "moved", "render_volume"]

RESTING_VOXELS = 24_000_000
"""More than this takes many seconds to prepare on two cores."""
SURFACE_VOXELS = 12_000_000
"""Of a surface between values, at rest: smoothing its triangles is one thread's work."""
MOVING_VOXELS = 2_500_000
RESTING_STEP = 1.0
"""Screen pixels per ray."""
_STEPS = (2.0, 3.0, 4.0, 6.0, 8.0)
"""While turning: as fine as the last picture's time allows."""
_SLOW_MS, _QUICK_MS = 70.0, 30.0
_LONG_MS = 2000.0
"""A look that takes longer at rest is cast with every second ray from then on, and says so."""

_moves = 0
_step = 4.0


def moved() -> None:
    """Something moves: a resting picture in work is given up. Main thread."""
    global _moves
    _moves += 1


@dataclass(frozen=True, eq=False)
class Rendering:
    pixels: npt.NDArray[np.uint8]
    """(h, w, 3) RGB, black where nothing is."""
    coarse: bool
    """A finer one is to be asked for at rest."""
    notes: tuple[Problem, ...] = ()
    """What was reduced, and how surfaces were made."""


@dataclass
class _Known:
    """What has been found out about one volume; any thread."""

    key: str = field(default_factory=lambda: uuid4().hex[:12])
    lock: threading.Lock = field(default_factory=threading.Lock)
    boxes: dict[tuple[Box, float], Box | None] = field(default_factory=dict)
    range: tuple[float, float] | None = None
    meshes: dict[str, Mesh] = field(default_factory=dict)
    rested: set[str] = field(default_factory=set)
    """Looks that have been on the screen at least coarsely."""
    long: set[str] = field(default_factory=set)
    """Looks that took long at rest, their voxels being there already."""


_known: weakref.WeakKeyDictionary[Volume, _Known] = weakref.WeakKeyDictionary()
_first = threading.Lock()
_living = 0


def _of(volume: Volume) -> _Known:
    global _living
    with _first:
        found = _known.get(volume)
        if found is None:
            found = _known[volume] = _Known()
            _living += 1
            weakref.finalize(volume, _gone).atexit = False
        return found


def _gone() -> None:
    """With the last volume its processes end: their memory is needed elsewhere."""
    global _living
    _living -= 1
    if not _living:
        for engine in (quick, fine):
            threading.Thread(target=engine.forget, daemon=True).start()


def render_volume(
    volume: Volume,
    resolved: ResolvedView,
    preset: VolumePreset,
    level: VoiWindow,
    crop: Crop = WHOLE,
    moving: bool = False,
    solids: Sequence[SolidMask] = (),
    cut: VolumeCut | None = None,
    finest: bool = False,
) -> Rendering:
    """Waits for a rendering process; call it on a thread of your own. Raises ``viewer.volume.renderer_died``.

    The first picture of a volume is a coarse one, so that there is one, unless only the ``finest`` will do; a resting
    picture that is given up is a coarse one too.
    """
    known = _of(volume)
    with known.lock:
        if preset.relative and known.range is None:
            known.range = value_range(volume)
    if preset.relative and known.range is not None:
        preset = preset.over(*known.range)
    job = _Job(volume, known, resolved, preset, level, crop, tuple(solids), cut)
    if not moving and (finest or job.has_been_seen()):
        began = _moves
        try:
            return job.run(fine, False, (lambda: False) if finest else (lambda: began != _moves))
        except GivenUp:
            pass
    return job.run(quick, True, lambda: False)


def _whole_box(volume: Volume) -> Box:
    return kept_box(volume.geometry, WHOLE)


def _part_key(known: _Known, box: Box, highest: bool, cut: VolumeCut | None, moving: bool) -> str:
    return f"{known.key}/{int(moving)}/{box}/{int(highest)}/{cut.key if cut is not None else ''}"


@dataclass(frozen=True, eq=False)
class _Job:
    volume: Volume
    known: _Known
    resolved: ResolvedView
    preset: VolumePreset
    level: VoiWindow
    crop: Crop
    solids: tuple[SolidMask, ...]
    cut: VolumeCut | None

    def has_been_seen(self) -> bool:
        """A coarse picture of this look and these surfaces was already made."""
        return self._sight() in self.known.rested

    def _sight(self) -> str:
        return "/".join([self.preset.name, self.cut.key if self.cut is not None else "", *(s.key for s in self.solids)])

    def run(self, engine: Engine, moving: bool, overtaken: Callable[[], bool]) -> Rendering:
        global _step
        notes: list[Problem] = []
        volume: tuple[str, Callable[[], Volume]] | None = None
        if not self.preset.segments_only and self.preset.surface is None:
            volume = self._volume(moving, notes)
        meshes = self._meshes(engine, moving, notes)
        if overtaken():
            raise GivenUp
        size, step = self.resolved.size, _step
        if not moving:
            step = RESTING_STEP if self._sight() not in self.known.long else 2.0
            notes += [Problem("viewer.volume.rays", {}, Severity.NOTE)] if step > RESTING_STEP and volume is not None else []
        if moving and meshes:  # triangles are painted pixel by pixel: half of the pane's width and height will do
            size = (max(1, size[0] // 2), max(1, size[1] // 2))
        head = {
            "do": "picture",
            "size": size,
            "camera": self._camera(),
            "planes": self._planes(),
            "volume": volume[0] if volume is not None else "",
            "look": self._look(),
            "surfaces": [(key, rgb) for key, (_, rgb) in meshes.items()],
            "step": step,
        }
        first = volume is not None and not engine.has(volume[0])
        pixels, ms = engine.picture(head, volume, {key: mesh for key, (mesh, _) in meshes.items()}, overtaken)
        if size != self.resolved.size:
            pixels = np.asarray(cv2.resize(pixels, self.resolved.size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
        if moving:
            _step = _next_step(_step, ms)
            self.known.rested.add(self._sight())
            notes.append(Problem("viewer.volume.coarse", {}, Severity.NOTE))
        elif ms > _LONG_MS and not first:
            self.known.long.add(self._sight())
        elif step > RESTING_STEP and ms < _LONG_MS / 6:  # a quarter of the rays: all of them would be in time again
            self.known.long.discard(self._sight())
        return Rendering(pixels, moving, tuple(notes))

    # -- the volume ------------------------------------------------------------------------------------------------

    def _box(self, moving: bool, cropped: bool) -> Box | None:
        """The part that is shown. While something moves it is the whole, so that a cut that is dragged costs nothing."""
        whole = _whole_box(self.volume)
        if moving:
            return whole if self.cut is None or self.cut.hide else cut_box(self.cut, self.volume.geometry, whole)
        box: Box | None = kept_box(self.volume.geometry, self.crop) if cropped else whole
        if self.cut is not None and not self.cut.hide and box is not None:
            box = cut_box(self.cut, self.volume.geometry, box)
        lowest = self.preset.lowest_shown
        if box is None or lowest is None:
            return box
        with self.known.lock:
            if (box, lowest) not in self.known.boxes:
                self.known.boxes[(box, lowest)] = opaque_box(self.volume.voxels, box, lowest)
            return self.known.boxes[(box, lowest)]

    def _volume(self, moving: bool, notes: list[Problem]) -> tuple[str, Callable[[], Volume]] | None:
        box = self._box(moving, True)
        if box is None:
            return None
        most = MOVING_VOXELS if moving else RESTING_VOXELS
        highest = self.preset.is_mip
        self._tell_fewer(box, most, notes)
        key = _part_key(self.known, box, highest, self.cut, moving)
        return key, lambda: part_of(self.volume, box, most, highest, self.cut)[0]

    def _tell_fewer(self, box: Box, most: int, notes: list[Problem]) -> None:
        spacing = self.volume.geometry.spacing_mm
        n = fewer(tuple(b - a for a, b in box), spacing, most)
        if n != (1, 1, 1):
            notes.append(_fewer_voxels(spacing, n))

    def _look(self) -> dict[str, object]:
        if not self.preset.is_mip:
            return {"mip": False, "opacity": self.preset.opacity, "colour": self.preset.colour}
        low, high = self.level.center - self.level.width / 2, self.level.center + self.level.width / 2
        return {"mip": True, "opacity": [(low, 0.0), (high, 1.0)], "colour": [(low, 0.0, 0.0, 0.0), (high, 1.0, 1.0, 1.0)]}

    # -- surfaces --------------------------------------------------------------------------------------------------

    def _meshes(self, engine: Engine, moving: bool, notes: list[Problem]) -> dict[str, tuple[Mesh, tuple[int, int, int]]]:
        out: dict[str, tuple[Mesh, tuple[int, int, int]]] = {}
        look = self.preset.surface
        if look is not None and (box := self._box(moving, False)) is not None:
            most = MOVING_VOXELS if moving else SURFACE_VOXELS
            self._tell_fewer(box, most, notes)
            key = f"{_part_key(self.known, box, False, self.cut, moving)}/{self.preset.name}"
            mesh = self.known.meshes.get(key)
            if mesh is None:
                part, _ = part_of(self.volume, box, most, False, self.cut)
                mesh = self.known.meshes[key] = value_mesh(engine, part, look, moving)
                while len(self.known.meshes) > 6:
                    self.known.meshes.pop(next(iter(self.known.meshes)))
            out[key] = (mesh, look.rgb)
            value = look.lowest if look.lowest is not None else look.highest
            told: dict[str, str | int | float] = {"value": round(value or 0.0)}
            if mesh.level is not None:
                notes.append(Problem("viewer.surface.airway", {"value": round(mesh.level), "blur": BLUR_MM}, Severity.NOTE))
            elif look.inside_only:
                notes.append(Problem("viewer.surface.up_to", {**told, "blur": BLUR_MM}, Severity.NOTE))
            else:
                notes.append(Problem("viewer.surface.from", told, Severity.NOTE))
        for solid in self.solids:
            out[f"{solid.key}/{int(moving)}"] = (mask_mesh(engine, solid, moving), solid.rgb)
        if out:
            notes.append(Problem("viewer.surface.smoothed", {"n": PASSES}, Severity.NOTE))
        made, shown = sum(m.made for m, _ in out.values()), sum(m.triangles for m, _ in out.values())
        if made > shown:
            notes.append(Problem("viewer.surface.fewer", {"shown": shown, "made": made}, Severity.NOTE))
        return out

    # -- where from ------------------------------------------------------------------------------------------------

    def _planes(self) -> list[tuple[list[float], list[float]]]:
        """(point, normal to what is kept) of each side that is cut, in LPS mm."""
        low, high = crop_mm(self.volume.geometry, self.crop)
        out = []
        for axis in range(3):
            for end, sign, at in ((low, 1.0, self.crop[2 * axis] > 0.0), (high, -1.0, self.crop[2 * axis + 1] < 1.0)):
                if at:
                    normal = [0.0, 0.0, 0.0]
                    normal[axis] = sign
                    out.append(([float(v) for v in end], normal))
        return out

    def _camera(self) -> dict[str, object]:
        return camera_of(self.resolved, self.volume.geometry)


def camera_of(resolved: ResolvedView, geometry: VolumeGeometry) -> dict[str, object]:
    """Looks along the pane's normal at its middle. Raises ``ValueError`` for a pane without a place in the patient."""
    w, h = resolved.size
    middle = resolved.pane_to_patient(w / 2, h / 2)
    directions = resolved.edge_directions()
    mm = resolved.mm_per_pane_px
    if middle is None or directions is None or mm is None:
        raise ValueError("a rendering needs a plane in the patient")
    right, down = np.asarray(directions[0]), np.asarray(directions[1])
    low, high = box_mm(geometry)
    # From wherever the pane's middle was moved to, the whole box must lie between the clipping planes.
    reach = float(np.linalg.norm(high - low)) + float(np.linalg.norm((low + high) / 2 - np.asarray(middle)))
    return {
        "middle": middle,
        "from": [float(v) for v in np.asarray(middle) - np.cross(right, down) * reach * 2],
        "up": [float(-v) for v in down],
        "half_height_mm": h * mm / 2,
        "range": (reach * 0.5, reach * 3.5),
    }


def _next_step(step: float, ms: float) -> float:
    at = _STEPS.index(step)
    if ms > _SLOW_MS:
        return _STEPS[min(at + 1, len(_STEPS) - 1)]
    return _STEPS[max(at - 1, 0)] if ms < _QUICK_MS else step


def _fewer_voxels(spacing_mm: tuple[float, float, float], n: Fewer) -> Problem:
    """Columns x rows x slices."""
    shown = [round(s * by, 2) for s, by in zip(spacing_mm, n, strict=True)]
    stored = [round(s, 2) for s in spacing_mm]
    params = {"x": shown[2], "y": shown[1], "z": shown[0], "sx": stored[2], "sy": stored[1], "sz": stored[0]}
    return Problem("viewer.volume.reduced", params, Severity.NOTE)
