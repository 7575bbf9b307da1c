"""Oblique planes and slabs out of a volume on the CPU (vtkImageReslice; no OpenGL). VTK is imported when first used."""

from __future__ import annotations

import threading
import weakref
from typing import Any

import numpy as np
import numpy.typing as npt

from app.imaging.loading import map_quietly
from app.viewer.view_state import SlabMode

OUTSIDE = np.float32(-3.0e38)
"""What pixels outside the volume hold; below any modality value."""

_KITS = ("vtkCommonCore", "vtkCommonMath", "vtkCommonDataModel", "vtkImagingCore")
_images: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def _vtk_image(owner: Any, voxels: npt.NDArray[np.generic]) -> Any:
    """A vtkImageData in index space (i, j, k) on the array's own memory; kept while ``owner`` lives."""
    map_quietly("vtkmodules", _KITS)
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonDataModel import vtkImageData

    with _lock:
        kept = _images.get(owner)
        if kept is None:
            # vtkImageReslice takes integers and floats of the usual sizes, no bool and no half floats.
            kind = np.float32 if voxels.dtype == np.float16 else np.uint8 if voxels.dtype == np.bool_ else voxels.dtype
            array = np.ascontiguousarray(voxels, dtype=kind)
            image = vtkImageData()
            image.SetDimensions(array.shape[2], array.shape[1], array.shape[0])
            image.GetPointData().SetScalars(numpy_to_vtk(array.ravel(), deep=0))
            kept = (image, array)
            _images[owner] = kept
        # A copy per use: two threads must not share one pipeline's bookkeeping. The voxels are shared.
        mine = vtkImageData()
        mine.ShallowCopy(kept[0])
        return mine


_SLAB_MODES = {
    SlabMode.MAXIMUM: "SetSlabModeToMax",
    SlabMode.MINIMUM: "SetSlabModeToMin",
    SlabMode.MEAN: "SetSlabModeToMean",
}


def reslice(
    owner: Any,
    voxels: npt.NDArray[np.generic],
    index_from_pane: npt.NDArray[np.float64],
    size: tuple[int, int],
    slab_slices: int = 1,
    slab_mode: SlabMode = SlabMode.MAXIMUM,
) -> npt.NDArray[np.float32]:
    """Trilinear samples (height, width), ``OUTSIDE`` where there is no volume.

    ``index_from_pane``: 3 x 4, (x, y, d, 1) to fractional (i, j, k): pane pixels x and y in the corner system, d in slab
    slices from the plane. ``owner`` is the object whose lifetime the voxels share (a ``Volume``).
    """
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkCommonMath import vtkMatrix4x4
    from vtkmodules.vtkImagingCore import vtkImageReslice

    matrix = vtkMatrix4x4()
    for row in range(3):
        for column in range(4):
            matrix.SetElement(row, column, float(index_from_pane[row, column]))
    filter_ = vtkImageReslice()
    filter_.SetInputData(_vtk_image(owner, voxels))
    filter_.SetResliceAxes(matrix)
    filter_.SetOutputDimensionality(2)
    filter_.SetOutputExtent(0, size[0] - 1, 0, size[1] - 1, 0, 0)
    filter_.SetOutputOrigin(0.5, 0.5, 0.0)
    filter_.SetOutputSpacing(1.0, 1.0, 1.0)
    filter_.SetOutputScalarType(10)  # VTK_FLOAT
    filter_.SetInterpolationModeToLinear()
    filter_.BorderOn()
    filter_.SetBackgroundLevel(float(OUTSIDE))
    if slab_slices > 1:
        filter_.SetSlabNumberOfSlices(slab_slices)
        getattr(filter_, _SLAB_MODES[slab_mode])()
    filter_.Update()
    scalars = filter_.GetOutput().GetPointData().GetScalars()
    return np.array(vtk_to_numpy(scalars), dtype=np.float32).reshape(size[1], size[0])
