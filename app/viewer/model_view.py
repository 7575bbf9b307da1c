"""A surface model by itself: turned by hand, in its file's own axes. Millimetres only where the object states its unit."""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from app.domain.document import Surface
from app.domain.geometry import Point3
from app.viewer.decorations import Style
from app.viewer.mesh import Mesh
from app.viewer.orientation_cube import cube_at
from app.viewer.primitives import Primitive
from app.viewer.solid_masks import MOST_TRIANGLES, MOST_TRIANGLES_MOVING
from app.viewer.volume_engine import fine, quick

RGB = (222, 214, 196)
AXES: tuple[tuple[Point3, str], ...] = (
    ((1.0, 0.0, 0.0), "+X"), ((-1.0, 0.0, 0.0), "-X"), ((0.0, 1.0, 0.0), "+Y"), ((0.0, -1.0, 0.0), "-Y"),
    ((0.0, 0.0, 1.0), "+Z"), ((0.0, 0.0, -1.0), "-Z"),
)  # fmt: skip
"""A model's file knows no patient: its axes have no letters of the body."""
_PER_PANE_DEG = 180.0


@dataclass(frozen=True)
class ModelLook:
    """Where from, how large: ``zoom`` 1 shows all of it however it is turned."""

    right: Point3 = (0.8, 0.6, 0.0)
    down: Point3 = (0.24, -0.32, -0.9165151389911680)
    zoom: float = 1.0
    pan: tuple[float, float] = (0.0, 0.0)
    """In parts of the picture's (width, height)."""


def turned_model(look: ModelLook, right_part: float, down_part: float) -> ModelLook:
    """After a drag by parts of the picture: what is in front follows the hand."""
    right, down = np.asarray(look.right), np.asarray(look.down)
    spin = _about(down, right_part * _PER_PANE_DEG) @ _about(right, -down_part * _PER_PANE_DEG)
    right, down = spin @ right, spin @ down
    right = right / np.linalg.norm(right)
    down = down - right * float(right @ down)
    down = down / np.linalg.norm(down)
    return replace(look, right=_point(right), down=_point(down))


def _about(axis: npt.NDArray[np.float64], degrees: float) -> npt.NDArray[np.float64]:
    a = math.radians(degrees)
    x, y, z = axis / np.linalg.norm(axis)
    k = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + math.sin(a) * k + (1.0 - math.cos(a)) * (k @ k))


def _point(v: npt.NDArray[np.float64]) -> Point3:
    return (float(v[0]), float(v[1]), float(v[2]))


@dataclass(frozen=True, eq=False)
class ModelPicture:
    pixels: npt.NDArray[np.uint8]
    """(h, w, 3) RGB."""
    shown: int
    """Triangles that were painted."""
    made: int
    """Triangles of the file."""
    coarse: bool


def size_mm(surface: Surface) -> tuple[float, float, float] | None:
    """Extent along x, y and z; None where no unit of length is stated."""
    factor = surface.mm_per_unit
    if factor is None or not len(surface.points):
        return None
    size = (surface.points.max(axis=0).astype(np.float64) - surface.points.min(axis=0)) * factor
    return _point(size)


_meshes: weakref.WeakKeyDictionary[Surface, dict[bool, tuple[str, Mesh]]] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def _mesh(surface: Surface, moving: bool) -> tuple[str, Mesh]:
    with _lock:
        kept = _meshes.setdefault(surface, {})
        if moving not in kept:
            corners = np.arange(len(surface.points), dtype=np.int32).reshape(-1, 3)
            mesh = Mesh(np.ascontiguousarray(surface.points, dtype=np.float32), corners, len(corners))
            most = MOST_TRIANGLES_MOVING if moving else MOST_TRIANGLES
            if mesh.triangles > most:
                mesh = (quick if moving else fine).fewer(mesh, most)
            kept[moving] = (uuid4().hex[:12], mesh)
        return kept[moving]


def render_model(surface: Surface, look: ModelLook, size: tuple[int, int], moving: bool) -> ModelPicture:
    """Waits for a rendering process. Raises ``viewer.volume.renderer_died``."""
    key, mesh = _mesh(surface, moving)
    low, high = mesh.extent()
    reach = max(float(np.linalg.norm(high - low)), 1e-6)
    half = reach / 2 * 1.05 / look.zoom * max(1.0, size[1] / size[0])
    right, down = np.asarray(look.right), np.asarray(look.down)
    per_px = 2 * half / size[1]
    middle = (low + high) / 2 - (right * look.pan[0] * size[0] + down * look.pan[1] * size[1]) * per_px
    away = np.cross(right, down)
    head = {
        "do": "picture", "size": size, "planes": [], "volume": "", "look": {}, "surfaces": [(key, RGB)], "step": 1.0,
        "camera": {
            "middle": _point(middle), "from": _point(middle - away * reach * 3), "up": _point(-down), "half_height_mm": half,
            "range": (reach * 0.5, reach * 5.5),
        },
    }  # fmt: skip
    pixels, _ = (quick if moving else fine).picture(head, None, {key: mesh})
    return ModelPicture(pixels, mesh.triangles, mesh.made, moving and mesh.is_fewer)


def axes_primitives(look: ModelLook, size: tuple[int, int], style: Style) -> Sequence[Primitive]:
    """The cube with the file's axes."""
    half = 22.0 * style.scale
    middle = (size[0] - style.margin - half * 1.8, size[1] - style.margin - half * 1.8)
    return cube_at(np.asarray(look.right), np.asarray(look.down), middle, half, style, AXES)
