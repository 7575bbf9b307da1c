"""The renderer's own process: VTK's fixed-point ray caster and surfaces, off-screen. Runs until its pipe closes.

Here and nowhere else are VTK's windows, so that a driver that crashes costs a picture and never the window of the reader.
Requests are JSON and raw bytes; what was sent under a key stays until ``forget``:

``volume`` key dtype shape origin steps, then voxels · ``surface`` key points triangles, then float32 LPS mm, int32 corners ·
``forget`` keys · ``picture`` answered by {given_up, ms} and RGB rows · ``shape`` values and ``fewer`` a mesh, answered by
{points, triangles, before} and the mesh · ``ready`` answered by {} · anything else is passed over (a ``stop`` that came too
late for its picture).
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import numpy.typing as npt

PASS_BAND = 0.02
Bytes = npt.NDArray[np.generic]


@dataclass
class _Volume:
    image: Any
    mapper: Any
    actor: Any
    spacing: float
    keep: Any
    look: str = ""


@dataclass
class _Stage:
    window: Any
    renderer: Any
    volumes: dict[str, _Volume] = field(default_factory=dict)
    surfaces: dict[str, Any] = field(default_factory=dict)


def serve_quick(pipe: Connection) -> None:
    """Pictures while something moves."""
    _serve(pipe)


def serve_fine(pipe: Connection) -> None:
    """Pictures at rest, and surfaces."""
    _serve(pipe)


def _serve(pipe: Connection) -> None:
    import logging

    logging.disable(logging.CRITICAL)
    stage = _make_stage(pipe)
    while True:
        try:
            head = json.loads(pipe.recv_bytes())
            match head.get("do"):
                case "volume":
                    stage.volumes[head["key"]] = _volume(head, pipe.recv_bytes())
                case "surface":
                    stage.surfaces[head["key"]] = _surface(pipe.recv_bytes(), pipe.recv_bytes())
                case "forget":
                    for key in head["keys"]:
                        stage.volumes.pop(key, None)
                        stage.surfaces.pop(key, None)
                case "shape":
                    _answer_shape(pipe, head, pipe.recv_bytes())
                case "fewer":
                    _answer_fewer(pipe, head, pipe.recv_bytes(), pipe.recv_bytes())
                case "picture":
                    _answer_picture(pipe, stage, head)
                case "ready":
                    pipe.send_bytes(b"{}")
        except (EOFError, OSError):
            return


def _make_stage(pipe: Connection) -> _Stage:
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
    # The factories that a bare ``vtkmodules`` import leaves out.
    import vtkmodules.vtkRenderingFreeType
    import vtkmodules.vtkRenderingOpenGL2
    import vtkmodules.vtkRenderingVolumeOpenGL2  # noqa: F401 - imported for its factory
    from vtkmodules.vtkCommonCore import vtkObject
    from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow

    vtkObject.GlobalWarningDisplayOff()
    renderer = vtkRenderer()
    renderer.SetBackground(0.0, 0.0, 0.0)
    window = vtkRenderWindow()
    window.SetMultiSamples(0)
    window.SetOffScreenRendering(1)
    window.AddRenderer(renderer)

    def check(*_: object) -> None:
        if pipe.poll(0):  # while a picture is being made only a stop can come
            window.SetAbortRender(1)

    window.AddObserver("AbortCheckEvent", check)
    window.SetSize(64, 64)
    window.Render()  # the driver is loaded before it is needed
    return _Stage(window, renderer)


def _volume(head: dict[str, Any], data: bytes) -> _Volume:
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkCommonMath import vtkMatrix4x4
    from vtkmodules.vtkRenderingCore import vtkVolume
    from vtkmodules.vtkRenderingVolume import vtkFixedPointVolumeRayCastMapper

    voxels = np.frombuffer(data, np.dtype(head["dtype"])).reshape(head["shape"])
    steps = np.asarray(head["steps"], dtype=np.float64)
    lengths = np.linalg.norm(steps, axis=1)
    image = vtkImageData()
    image.SetDimensions(voxels.shape[2], voxels.shape[1], voxels.shape[0])
    image.SetSpacing(lengths[2], lengths[1], lengths[0])
    image.GetPointData().SetScalars(numpy_to_vtk(voxels.ravel(), deep=0))
    mapper = vtkFixedPointVolumeRayCastMapper()
    mapper.SetInputData(image)
    mapper.AutoAdjustSampleDistancesOff()
    mapper.SetSampleDistance(float(lengths.min()) * 0.9)
    matrix = vtkMatrix4x4()
    for column, axis in enumerate((2, 1, 0)):
        for row in range(3):
            matrix.SetElement(row, column, steps[axis][row] / lengths[axis])
    for row in range(3):
        matrix.SetElement(row, 3, head["origin"][row])
    actor = vtkVolume()
    actor.SetMapper(mapper)
    actor.SetUserMatrix(matrix)
    return _Volume(image, mapper, actor, float(lengths.min()), voxels)


def _surface(points: bytes, corners: bytes) -> Any:
    from vtkmodules.vtkFiltersCore import vtkTriangleMeshPointNormals
    from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

    normals = vtkTriangleMeshPointNormals()
    normals.SetInputData(
        _poly(np.frombuffer(points, np.float32).reshape(-1, 3), np.frombuffer(corners, np.int32).reshape(-1, 3))
    )
    normals.Update()
    mapper = vtkPolyDataMapper()
    mapper.SetInputData(normals.GetOutput())
    mapper.ScalarVisibilityOff()
    actor = vtkActor()
    actor.SetMapper(mapper)
    return actor


def _poly(points: npt.NDArray[np.float32], corners: npt.NDArray[np.int32]) -> Any:
    from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData

    where, cells, out = vtkPoints(), vtkCellArray(), vtkPolyData()
    where.SetData(numpy_to_vtk(points, deep=1))
    ends = np.arange(0, 3 * len(corners) + 1, 3, dtype=np.int64)
    cells.SetData(numpy_to_vtkIdTypeArray(ends, deep=1), numpy_to_vtkIdTypeArray(corners.ravel().astype(np.int64), deep=1))
    out.SetPoints(where)
    out.SetPolys(cells)
    return out


# -- pictures ----------------------------------------------------------------------------------------------------------


def _answer_picture(pipe: Connection, stage: _Stage, head: dict[str, Any]) -> None:
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkCommonCore import vtkUnsignedCharArray

    began = time.perf_counter()
    w, h = head["size"]
    stage.renderer.RemoveAllViewProps()
    planes = [_plane(p) for p in head["planes"]]
    shown = stage.volumes.get(head["volume"])
    if shown is not None:
        _look(shown, head["look"])
        _clip(shown.mapper, planes)
        shown.mapper.SetImageSampleDistance(float(head["step"]))
        stage.renderer.AddVolume(shown.actor)
    for key, rgb in head["surfaces"]:
        actor = stage.surfaces.get(key)
        if actor is not None:
            _clip(actor.GetMapper(), planes)
            actor.GetProperty().SetColor(*(c / 255 for c in rgb))
            actor.GetProperty().SetAmbient(0.15)
            actor.GetProperty().SetDiffuse(0.85)
            actor.GetProperty().SetSpecular(0.12)
            stage.renderer.AddActor(actor)
    stage.window.SetSize(w, h)
    _camera(stage.renderer, head["camera"])
    stage.window.SetAbortRender(0)
    stage.window.Render()
    if pipe.poll(0):
        pipe.send_bytes(json.dumps({"given_up": True}).encode())
        return
    out = vtkUnsignedCharArray()
    stage.window.GetRGBACharPixelData(0, 0, w - 1, h - 1, 0, out)
    pixels = np.ascontiguousarray(vtk_to_numpy(out).reshape(h, w, 4)[::-1, :, :3])
    pipe.send_bytes(json.dumps({"given_up": False, "ms": (time.perf_counter() - began) * 1e3}).encode())
    pipe.send_bytes(pixels.reshape(-1).data)


def _plane(description: list[list[float]]) -> Any:
    from vtkmodules.vtkCommonDataModel import vtkPlane

    plane = vtkPlane()
    plane.SetOrigin(*description[0])
    plane.SetNormal(*description[1])
    return plane


def _clip(mapper: Any, planes: list[Any]) -> None:
    mapper.RemoveAllClippingPlanes()
    for plane in planes:
        mapper.AddClippingPlane(plane)


def _look(shown: _Volume, look: dict[str, Any]) -> None:
    from vtkmodules.vtkCommonDataModel import vtkPiecewiseFunction
    from vtkmodules.vtkRenderingCore import vtkColorTransferFunction, vtkVolumeProperty

    wanted = json.dumps(look, sort_keys=True)
    if shown.look == wanted:
        return
    shown.look = wanted
    opacity, colour = vtkPiecewiseFunction(), vtkColorTransferFunction()
    for value, part in look["opacity"]:
        opacity.AddPoint(value, part)
    for value, red, green, blue in look["colour"]:
        colour.AddRGBPoint(value, red, green, blue)
    property_ = vtkVolumeProperty()
    property_.SetScalarOpacity(opacity)
    property_.SetColor(colour)
    property_.SetInterpolationTypeToLinear()
    property_.SetScalarOpacityUnitDistance(1.0)
    if look["mip"]:
        shown.mapper.SetBlendModeToMaximumIntensity()
    else:
        shown.mapper.SetBlendModeToComposite()
        property_.ShadeOn()
        property_.SetAmbient(0.25)
        property_.SetDiffuse(0.75)
        property_.SetSpecular(0.15)
        property_.SetSpecularPower(12.0)
    shown.actor.SetProperty(property_)


def _camera(renderer: Any, head: dict[str, Any]) -> None:
    camera = renderer.GetActiveCamera()
    camera.ParallelProjectionOn()
    camera.SetParallelScale(head["half_height_mm"])
    camera.SetFocalPoint(*head["middle"])
    camera.SetPosition(*head["from"])
    camera.SetViewUp(*head["up"])
    camera.SetClippingRange(*head["range"])


# -- surfaces ----------------------------------------------------------------------------------------------------------


def _answer_shape(pipe: Connection, head: dict[str, Any], data: bytes) -> None:
    values = np.frombuffer(data, np.dtype(head["dtype"])).reshape(head["shape"])
    points, corners, before = shape_of(values, head["spacing"], head["level"], head["passes"], head["most"])
    pipe.send_bytes(json.dumps({"points": len(points), "triangles": len(corners), "before": before}).encode())
    pipe.send_bytes(points.tobytes())
    pipe.send_bytes(corners.tobytes())


def _answer_fewer(pipe: Connection, head: dict[str, Any], points: bytes, corners: bytes) -> None:
    whole = _poly(np.frombuffer(points, np.float32).reshape(-1, 3), np.frombuffer(corners, np.int32).reshape(-1, 3))
    kept, triangles = _arrays(_fewer_triangles(whole, head["most"]))
    before = whole.GetNumberOfPolys()
    pipe.send_bytes(json.dumps({"points": len(kept), "triangles": len(triangles), "before": before}).encode())
    pipe.send_bytes(kept.tobytes())
    pipe.send_bytes(triangles.tobytes())


def shape_of(
    values: Bytes, spacing: list[float], level: float, passes: int, most: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32], int]:
    """(points as (i, j, k) times their spacing, corners, triangles before they were made fewer) where values pass ``level``.

    Flying edges, ``passes`` of windowed-sinc smoothing (``PASS_BAND``); beyond ``most`` triangles neighbours are merged.
    """
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D, vtkWindowedSincPolyDataFilter

    image = vtkImageData()
    image.SetDimensions(values.shape[2], values.shape[1], values.shape[0])
    image.SetSpacing(spacing[2], spacing[1], spacing[0])
    image.GetPointData().SetScalars(numpy_to_vtk(values.ravel(), deep=0))
    edges = vtkFlyingEdges3D()
    edges.SetInputData(image)
    edges.SetValue(0, level)
    edges.ComputeNormalsOff()
    edges.ComputeGradientsOff()
    edges.ComputeScalarsOff()
    edges.Update()
    found = edges.GetOutput()
    if passes and found.GetNumberOfPolys():
        smooth = vtkWindowedSincPolyDataFilter()
        smooth.SetInputData(found)
        smooth.SetNumberOfIterations(passes)
        smooth.SetPassBand(PASS_BAND)
        smooth.NonManifoldSmoothingOn()
        smooth.NormalizeCoordinatesOn()
        smooth.BoundarySmoothingOff()
        smooth.FeatureEdgeSmoothingOff()
        smooth.Update()
        found = smooth.GetOutput()
    before = int(found.GetNumberOfPolys())
    return (*_arrays(_fewer_triangles(found, most)), before)


def _arrays(poly: Any) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    from vtkmodules.util.numpy_support import vtk_to_numpy

    if not poly.GetNumberOfPolys():
        return np.empty((0, 3), np.float32), np.empty((0, 3), np.int32)
    points = np.ascontiguousarray(vtk_to_numpy(poly.GetPoints().GetData()), dtype=np.float32)
    corners = vtk_to_numpy(poly.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    return points, np.ascontiguousarray(corners, dtype=np.int32)


def _fewer_triangles(poly: Any, most: int) -> Any:
    from vtkmodules.vtkFiltersCore import vtkBinnedDecimation

    if poly.GetNumberOfPolys() <= most:
        return poly
    points, corners = _arrays(poly)
    a, b, c = (points[corners[:, n]].astype(np.float64) for n in range(3))
    area = float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)
    low, high = points.min(axis=0), points.max(axis=0)
    edge = float(np.sqrt(2.0 * area / most))
    for _ in range(6):
        merge = vtkBinnedDecimation()
        merge.SetInputData(poly)
        merge.SetNumberOfXDivisions(max(1, int((high[0] - low[0]) / edge)))
        merge.SetNumberOfYDivisions(max(1, int((high[1] - low[1]) / edge)))
        merge.SetNumberOfZDivisions(max(1, int((high[2] - low[2]) / edge)))
        merge.AutoAdjustNumberOfDivisionsOff()
        merge.Update()
        out = merge.GetOutput()
        if out.GetNumberOfPolys() <= most:
            break
        edge *= 1.25
    return out
