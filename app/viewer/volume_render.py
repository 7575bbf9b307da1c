"""Volume rendering on the CPU: VTK's fixed-point ray caster into an off-screen window, parallel projection.

The camera is the pane's own plane: its axes, its scale, its middle. So letters, scale bar, zoom and pan are a slice's.
VTK's windows belong to one thread each, the only ones that touch them; callers wait on theirs. While something moves, and
for the first picture, a coarse volume is cast; at rest a finer one on the other thread, given up as soon as something moves.
Large volumes are rendered from fewer voxels (``reduction``: how many times fewer along each axis), told on the pane.
"""

from __future__ import annotations

import os
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.geometry import VolumeGeometry
from app.domain.pixels import VoiWindow
from app.domain.volume import Volume
from app.viewer.view_state import ResolvedView
from app.viewer.volume_presets import VolumePreset

MOST_VOXELS = 24_000_000
"""At rest: more than this takes many seconds to prepare on two cores."""
MOVING_VOXELS = 4_000_000
MOVING_STEP = 4.0
"""Screen pixels per ray while turning."""
RESTING_STEP = 1.0
Crop = tuple[float, float, float, float, float, float]
"""(left, right, front, back, feet, head) in parts 0..1 of the patient-aligned box: what is kept."""
WHOLE: Crop = (0.0, 1.0, 0.0, 1.0, 0.0, 1.0)

_threads = {moving: ThreadPoolExecutor(1, thread_name_prefix="ekinshi-3d") for moving in (True, False)}
_moves = 0


class GivenUp(Exception):
    """Something moved while a resting picture was being cast."""


def moved() -> None:
    """Something moves: a resting picture in work is given up. Main thread."""
    global _moves
    _moves += 1


def reduction(shape: tuple[int, int, int], most: int = MOST_VOXELS) -> int:
    """How many times fewer voxels along each axis are rendered."""
    factor = 1
    while np.prod([-(-n // factor) for n in shape], dtype=np.int64) > most:
        factor += 1
    return factor


def reduced(volume: Volume, most: int = MOST_VOXELS) -> Volume:
    """Every n-th slice with its pixels averaged n x n; the volume itself when it is small enough."""
    n = reduction(volume.geometry.shape, most)
    voxels, g = volume.voxels, volume.geometry
    if n == 1:
        return volume
    k, j, i = g.shape
    rows, columns = j // n, i // n
    picked = voxels[n // 2 :: n]
    kind = np.int16 if voxels.dtype.kind in "iub" else np.float32
    out = np.empty((len(picked), rows, columns), dtype=kind)
    for at, plane in enumerate(picked):
        whole = np.ascontiguousarray(plane[: rows * n, : columns * n])
        flat = whole.astype(np.float32) if whole.dtype not in (np.int16, np.uint16, np.float32) else whole
        out[at] = cv2.resize(flat, (columns, rows), interpolation=cv2.INTER_AREA)
    middle = (n - 1) / 2.0

    def times(step: tuple[float, float, float]) -> tuple[float, float, float]:
        return (step[0] * n, step[1] * n, step[2] * n)

    geometry = VolumeGeometry(
        g.to_patient((float(n // 2), middle, middle)), times(g.k_step_mm), times(g.j_step_mm), times(g.i_step_mm),
        (len(picked), rows, columns), g.frame_of_reference_uid,
    )  # fmt: skip
    return Volume(out, geometry, volume.unit, interpolated=True)


@dataclass
class _Scene:
    """VTK's objects of one volume; touched on the rendering thread only."""

    window: Any
    renderer: Any
    mapper: Any
    actor: Any
    geometry: VolumeGeometry
    keep: Any
    look: str = ""
    window_level: tuple[float, float] | None = None
    crop: Crop = WHOLE
    started_at: int = 0


_scenes: dict[bool, weakref.WeakKeyDictionary[Volume, _Scene]] = {
    moving: weakref.WeakKeyDictionary() for moving in (True, False)
}


def _scene(volume: Volume, moving: bool) -> _Scene:
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkCommonMath import vtkMatrix4x4
    from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow, vtkVolume
    from vtkmodules.vtkRenderingVolume import vtkFixedPointVolumeRayCastMapper

    _register()
    found = _scenes[moving].get(volume)
    if found is not None:
        return found
    small = reduced(volume, MOVING_VOXELS if moving else MOST_VOXELS)
    kind = small.voxels.dtype if small.voxels.dtype in (np.int16, np.uint16, np.float32, np.uint8) else np.float32
    voxels = np.ascontiguousarray(small.voxels, dtype=kind)
    k, j, i = small.geometry.spacing_mm
    image = vtkImageData()
    image.SetDimensions(voxels.shape[2], voxels.shape[1], voxels.shape[0])
    image.SetSpacing(i, j, k)
    image.GetPointData().SetScalars(numpy_to_vtk(voxels.ravel(), deep=0))
    mapper = vtkFixedPointVolumeRayCastMapper()
    mapper.SetInputData(image)
    mapper.AutoAdjustSampleDistancesOff()
    mapper.SetSampleDistance(float(min(i, j, k)) * 0.9)
    mapper.SetInteractiveSampleDistance(float(min(i, j, k)) * 1.6)
    matrix = vtkMatrix4x4()
    g = small.geometry
    for column, (step, length) in enumerate(((g.i_step_mm, i), (g.j_step_mm, j), (g.k_step_mm, k))):
        for row in range(3):
            matrix.SetElement(row, column, step[row] / length)
    for row in range(3):
        matrix.SetElement(row, 3, g.origin_mm[row])
    actor = vtkVolume()
    actor.SetMapper(mapper)
    actor.SetUserMatrix(matrix)
    renderer = vtkRenderer()
    renderer.SetBackground(0.0, 0.0, 0.0)
    renderer.AddVolume(actor)
    window = vtkRenderWindow()
    window.SetMultiSamples(0)
    window.SetOffScreenRendering(1)
    window.AddRenderer(renderer)
    made = _Scene(window, renderer, mapper, actor, small.geometry, (image, voxels))
    if not moving:

        def check(*_: object) -> None:
            if made.started_at != _moves:
                window.SetAbortRender(1)

        window.AddObserver("AbortCheckEvent", check)
    _scenes[moving][volume] = made
    return made


def _register() -> None:
    """The factories that a bare ``vtkmodules`` import leaves out. Without a display Mesa's EGL is asked for at once."""
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
    import vtkmodules.vtkRenderingFreeType
    import vtkmodules.vtkRenderingOpenGL2
    import vtkmodules.vtkRenderingVolumeOpenGL2  # noqa: F401 - imported for its factory


def _look(scene: _Scene, preset: VolumePreset, level: VoiWindow) -> None:
    from vtkmodules.vtkCommonDataModel import vtkPiecewiseFunction
    from vtkmodules.vtkRenderingCore import vtkColorTransferFunction, vtkVolumeProperty

    wanted = (level.center, level.width)
    if scene.look == preset.name and (not preset.is_mip or scene.window_level == wanted):
        return
    scene.look, scene.window_level = preset.name, wanted
    opacity, colour = vtkPiecewiseFunction(), vtkColorTransferFunction()
    if preset.is_mip:
        low, high = level.center - level.width / 2, level.center + level.width / 2
        for value, grey in ((low, 0.0), (high, 1.0)):
            opacity.AddPoint(value, grey)
            colour.AddRGBPoint(value, grey, grey, grey)
        scene.mapper.SetBlendModeToMaximumIntensity()
    else:
        for value, part in preset.opacity:
            opacity.AddPoint(value, part)
        for value, red, green, blue in preset.colour:
            colour.AddRGBPoint(value, red, green, blue)
        scene.mapper.SetBlendModeToComposite()
    look = vtkVolumeProperty()
    look.SetScalarOpacity(opacity)
    look.SetColor(colour)
    look.SetInterpolationTypeToLinear()
    look.SetScalarOpacityUnitDistance(1.0)
    if not preset.is_mip:
        look.ShadeOn()
        look.SetAmbient(0.25)
        look.SetDiffuse(0.75)
        look.SetSpecular(0.15)
        look.SetSpecularPower(12.0)
    scene.actor.SetProperty(look)


def _cut(scene: _Scene, crop: Crop) -> None:
    """Clipping planes in patient space: the box's sides as far as they are cut."""
    from vtkmodules.vtkCommonDataModel import vtkPlane

    if scene.crop == crop:
        return
    scene.crop = crop
    scene.mapper.RemoveAllClippingPlanes()
    ends = np.array([[-0.5, n - 0.5] for n in scene.geometry.shape])
    corners = scene.geometry.to_patient_many(np.array(np.meshgrid(*ends)).reshape(3, -1).T)
    low, high = corners.min(axis=0), corners.max(axis=0)
    for axis in range(3):
        first, last = crop[2 * axis], crop[2 * axis + 1]
        for part, sign, cut in ((first, 1.0, first > 0.0), (last, -1.0, last < 1.0)):
            if cut:
                plane = vtkPlane()
                at, normal = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
                at[axis] = float(low[axis] + part * (high[axis] - low[axis]))
                normal[axis] = sign
                plane.SetOrigin(*at)
                plane.SetNormal(*normal)
                scene.mapper.AddClippingPlane(plane)


def _camera(scene: _Scene, resolved: ResolvedView) -> None:
    w, h = resolved.size
    middle = resolved.pane_to_patient(w / 2, h / 2)
    directions = resolved.edge_directions()
    mm = resolved.mm_per_pane_px
    if middle is None or directions is None or mm is None:
        raise ValueError("a rendering needs a plane in the patient")
    right, down = np.asarray(directions[0]), np.asarray(directions[1])
    away = np.cross(right, down)
    extent = float(np.linalg.norm(np.asarray(scene.geometry.shape) * np.asarray(scene.geometry.spacing_mm)))
    camera = scene.renderer.GetActiveCamera()
    camera.ParallelProjectionOn()
    camera.SetParallelScale(h * mm / 2)
    camera.SetFocalPoint(*middle)
    camera.SetPosition(*(np.asarray(middle) - away * extent * 2))
    camera.SetViewUp(*(-down))
    camera.SetClippingRange(extent * 0.2, extent * 4.2)


def _render(volume: Volume, resolved: ResolvedView, preset: VolumePreset, level: VoiWindow, crop: Crop, moving: bool) -> Any:
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkCommonCore import vtkUnsignedCharArray

    began = _moves
    scene = _scene(volume, moving)
    scene.started_at = began
    w, h = resolved.size
    scene.window.SetSize(w, h)
    _look(scene, preset, level)
    _cut(scene, crop)
    _camera(scene, resolved)
    scene.mapper.SetImageSampleDistance(MOVING_STEP if moving else RESTING_STEP)
    scene.window.SetAbortRender(0)
    scene.window.Render()
    if not moving and began != _moves:
        raise GivenUp
    out = vtkUnsignedCharArray()
    scene.window.GetRGBACharPixelData(0, 0, w - 1, h - 1, 0, out)
    pixels = vtk_to_numpy(out).reshape(h, w, 4)
    return np.ascontiguousarray(pixels[::-1, :, :3])


def render_volume(
    volume: Volume,
    resolved: ResolvedView,
    preset: VolumePreset,
    level: VoiWindow,
    crop: Crop = WHOLE,
    moving: bool = False,
) -> npt.NDArray[np.uint8]:
    """(h, w, 3) RGB, black where nothing is. Waits for the rendering thread; call it on a thread of your own.

    The first picture of a volume is a coarse one, so that there is one; a resting picture that is given up is one too.
    """
    coarse = moving or volume not in _scenes[True]
    if not coarse:
        try:
            return _asked(volume, resolved, preset, level, crop, False)
        except GivenUp:
            pass
    return _asked(volume, resolved, preset, level, crop, True)


def is_coarse(volume: Volume) -> bool:
    """True while the volume has no picture yet: the first one is coarse, a finer one must be asked for."""
    return volume not in _scenes[True]


def _asked(
    volume: Volume, resolved: ResolvedView, preset: VolumePreset, level: VoiWindow, crop: Crop, moving: bool
) -> npt.NDArray[np.uint8]:
    job = _threads[moving].submit(_render, volume, resolved, preset, level, crop, moving)
    return np.asarray(job.result(), dtype=np.uint8)
