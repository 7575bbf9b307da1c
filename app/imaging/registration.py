"""Rigid registration of two volumes of one patient (SimpleITK, imported when used): for registered scroll and comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point3, VolumeGeometry
from app.domain.ports import Cancelled, Progress, SilentProgress
from app.domain.problem import fail
from app.domain.volume import Volume
from app.imaging.loading import map_quietly
from app.imaging.resample import isotropic_geometry, resample_to


@dataclass(frozen=True, eq=False)
class RigidTransform:
    """Fixed patient millimetres to moving patient millimetres: ``rotation @ p + translation_mm``."""

    rotation: npt.NDArray[np.float64]
    translation_mm: npt.NDArray[np.float64]
    similarity: float = 0.0
    """Correlation of the two volumes where they overlap after registration, -1 to 1; to be shown, not trusted blindly."""

    def apply(self, point_mm: Point3) -> Point3:
        v = self.rotation @ np.asarray(point_mm, dtype=np.float64) + self.translation_mm
        return (float(v[0]), float(v[1]), float(v[2]))

    def inverse(self) -> RigidTransform:
        back = self.rotation.T
        return RigidTransform(back, -back @ self.translation_mm, self.similarity)

    def angle_deg(self) -> float:
        return float(np.degrees(np.arccos(np.clip((np.trace(self.rotation) - 1.0) / 2.0, -1.0, 1.0))))


def _sitk_image(volume: Volume) -> Any:
    import SimpleITK as sitk  # noqa: N813 - the field's own short name

    g = volume.geometry
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.voxels, dtype=np.float32))
    k, j, i = g.spacing_mm
    image.SetSpacing((i, j, k))
    image.SetOrigin(g.origin_mm)
    steps = np.stack([np.asarray(g.i_step_mm) / i, np.asarray(g.j_step_mm) / j, np.asarray(g.k_step_mm) / k], axis=1)
    image.SetDirection(tuple(float(v) for v in steps.ravel()))
    return image


def _working(volume: Volume, spacing_mm: float) -> Volume:
    """Cubic voxels at right angles (SimpleITK knows no tilted grids), air outside."""
    return resample_to(volume, isotropic_geometry(volume.geometry, spacing_mm), 1, float(volume.voxels.min()))


def _correlation(fixed: Volume, moving: Volume, transform: RigidTransform) -> float:
    grid = fixed.geometry
    points = grid.to_patient_many(_grid_points(grid.shape, 4))
    moved = points @ transform.rotation.T + transform.translation_mm
    index = moving.geometry.to_index_many(moved)
    nearest = np.rint(index).astype(int)
    inside = ((nearest >= 0) & (nearest < np.asarray(moving.geometry.shape))).all(axis=1)
    if int(inside.sum()) < 100:
        return 0.0
    at = _grid_points(grid.shape, 4)[inside].astype(int)
    a = fixed.voxels[at[:, 0], at[:, 1], at[:, 2]].astype(np.float64)
    n = nearest[inside]
    b = moving.voxels[n[:, 0], n[:, 1], n[:, 2]].astype(np.float64)
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def _grid_points(shape: tuple[int, int, int], step: int) -> npt.NDArray[np.float64]:
    axes = [np.arange(0, n, max(1, min(step, n // 4))) for n in shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.float64)


def register_rigid(
    fixed: Volume, moving: Volume, progress: Progress | None = None, spacing_mm: float = 3.0
) -> RigidTransform:
    """Finds where the fixed volume's anatomy lies in the moving one. For one patient and one modality.

    Deterministic (regular sampling, one thread of randomness excluded). Raises ``Cancelled``, or ``ProblemError``
    imaging.registration_failed when no overlap makes sense.
    """
    map_quietly("SimpleITK")
    import SimpleITK as sitk  # noqa: N813 - the field's own short name

    watch = progress or SilentProgress()
    coarse_fixed, coarse_moving = _working(fixed, spacing_mm), _working(moving, spacing_mm)
    a, b = _sitk_image(coarse_fixed), _sitk_image(coarse_moving)
    start = sitk.CenteredTransformInitializer(
        a, b, sitk.Euler3DTransform(), sitk.CenteredTransformInitializerFilter.MOMENTS if _has_mass(fixed, moving)
        else sitk.CenteredTransformInitializerFilter.GEOMETRY,
    )  # fmt: skip
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(40)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(0.15)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 0.01, 120, 0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([3, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    method.SetInitialTransform(start, inPlace=False)

    def step() -> None:
        if watch.cancelled():
            method.StopRegistration()
        else:
            watch.report(
                min(0.95, (method.GetCurrentLevel() + method.GetOptimizerIteration() / 120) / 3), "imaging.registering"
            )

    method.AddCommand(sitk.sitkIterationEvent, step)
    try:
        found = method.Execute(a, b)
    except RuntimeError as error:
        raise fail("imaging.registration_failed", next_step="imaging.registration_by_hand") from error
    if watch.cancelled():
        raise Cancelled
    transform = _matrix_of(found)
    similarity = _correlation(coarse_fixed, coarse_moving, transform)
    if similarity < 0.1:
        raise fail("imaging.registration_failed", next_step="imaging.registration_by_hand")
    watch.report(1.0, "imaging.registering")
    return RigidTransform(transform.rotation, transform.translation_mm, similarity)


def _has_mass(fixed: Volume, moving: Volume) -> bool:
    """Moments need values above zero in sum; HU of air are far below it, so moments would be drawn to the corners."""
    return bool(fixed.voxels.min() >= 0 and moving.voxels.min() >= 0 and fixed.voxels.max() > 0 and moving.voxels.max() > 0)


def _matrix_of(transform: Any) -> RigidTransform:
    origin = np.asarray(transform.TransformPoint((0.0, 0.0, 0.0)))
    columns = [np.asarray(transform.TransformPoint(tuple(float(v) for v in e))) - origin for e in np.eye(3)]
    return RigidTransform(np.stack(columns, axis=1), origin)


def moved_geometry(geometry: VolumeGeometry, transform: RigidTransform, frame_of_reference_uid: str = "") -> VolumeGeometry:
    """A grid of the moving patient space placed in the fixed one, whose frame of reference it then carries."""
    back = transform.inverse()

    def turn(v: Point3) -> Point3:
        w = back.rotation @ np.asarray(v)
        return (float(w[0]), float(w[1]), float(w[2]))

    return VolumeGeometry(
        back.apply(geometry.origin_mm),
        turn(geometry.k_step_mm),
        turn(geometry.j_step_mm),
        turn(geometry.i_step_mm),
        geometry.shape,
        frame_of_reference_uid,
    )
