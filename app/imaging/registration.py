"""Rigid registration of two volumes of one patient (SimpleITK, imported when used): for scroll, comparison and fusion.

One modality is judged by correlation. Different ones (PET on CT, MR on CT) have no common scale of values: there the measure
is the mutual information, told as the correlation that two normal variables with that information would have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point3, VolumeGeometry
from app.domain.ports import Cancelled, Progress, SilentProgress
from app.domain.problem import fail
from app.domain.volume import Volume
from app.imaging.loading import map_quietly
from app.imaging.resample import isotropic_geometry, resample_to

POOR = 0.4
"""A likeness below this is a poor registration."""
ASIDE_MM = 12.0
_SETTLED = 0.01
"""By how much the likeness must fall on every side."""
_LEAST_OVERLAP = 0.25
"""Part of the smaller volume that must lie in the other, so that a start in a corner does not win."""
_BINS = 24
_VOXELS, _FINEST_MM, _COARSEST_MM = 400_000, 1.5, 3.0
_SHRINK = (3, 2, 1)
_SAMPLES = (15_000, 15_000, 60_000)
"""Voxels that each level compares: fewer leave a histogram of two volumes half empty, and the last one finds the place."""
_STEPS, _SHORTER = 200, 0.7
"""Steps of a level, and how much of its length a step keeps when the way turns. With 120 and 0.6 the search sometimes stood
still too soon: of 30 samplings of one phantom the worst was 1.5 mm off, with these 0.2 mm (a third more time)."""
_SEED = 1
_NONSENSE = 0.1
"""Below this likeness there is nothing in common."""


@dataclass(frozen=True, eq=False)
class RigidTransform:
    """Fixed patient millimetres to moving patient millimetres: ``rotation @ p + translation_mm``."""

    rotation: npt.NDArray[np.float64]
    translation_mm: npt.NDArray[np.float64]
    similarity: float = 0.0
    """How alike the two volumes are where they overlap after registration, -1 to 1; to be shown, not trusted blindly."""
    settled: bool = True
    """Moved by ``ASIDE_MM`` in any direction the volumes are less alike: something in them holds them in their place."""

    @property
    def poor(self) -> bool:
        """To be said wherever the place is used."""
        return self.similarity < POOR or not self.settled

    def apply(self, point_mm: Point3) -> Point3:
        v = self.rotation @ np.asarray(point_mm, dtype=np.float64) + self.translation_mm
        return (float(v[0]), float(v[1]), float(v[2]))

    def inverse(self) -> RigidTransform:
        back = self.rotation.T
        return RigidTransform(back, -back @ self.translation_mm, self.similarity, self.settled)

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


Pair = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def _overlap(fixed: Volume, moving: Volume, transform: RigidTransform) -> tuple[Pair, float]:
    """((values of the fixed, of the moving volume) at the same places, part of the smaller one's points that overlap).

    Without the outermost voxels, which resampling has mixed with what is outside.
    """
    grid = fixed.geometry
    points = _grid_points(grid.shape, 3)
    last = np.asarray(grid.shape) - 1
    points = points[((points > 0) & (points < last)).all(axis=1)]
    moved = grid.to_patient_many(points) @ transform.rotation.T + transform.translation_mm
    nearest = np.rint(moving.geometry.to_index_many(moved)).astype(int)
    inside = ((nearest > 0) & (nearest < np.asarray(moving.geometry.shape) - 1)).all(axis=1)
    at, n = points[inside].astype(int), nearest[inside]
    a = fixed.voxels[at[:, 0], at[:, 1], at[:, 2]].astype(np.float64)
    b = moving.voxels[n[:, 0], n[:, 1], n[:, 2]].astype(np.float64)
    smaller = min(1.0, float(np.prod(moving.geometry.shape)) / float(np.prod(grid.shape)))
    return (a, b), float(inside.mean()) / smaller if inside.size else 0.0


def correlation(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """Pearson's; 0 where either is constant."""
    if a.size < 100 or a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def information(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """Mutual information as a correlation: sqrt(1 - exp(-2 I)) (Linfoot 1957), less the bias of counting few values."""
    if a.size < 100 or a.std() == 0 or b.std() == 0:
        return 0.0
    joint = np.histogram2d(_clipped(a), _clipped(b), bins=_BINS)[0]
    n = joint.sum()
    p = joint / n
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    full = p > 0
    mutual = float((p[full] * np.log(p[full] / np.outer(rows, columns)[full])).sum())
    cells = int(full.sum()) - int((rows > 0).sum()) - int((columns > 0).sum()) + 1
    return float(np.sqrt(1.0 - np.exp(-2.0 * max(0.0, mutual - cells / (2.0 * n)))))


def _clipped(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Without the last half per cent on either side: a full bladder must not take all the steps for itself."""
    low, high = np.percentile(values, (0.5, 99.5))
    return np.asarray(np.clip(values, low, high)) if high > low else values


Likeness = Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], float]


def _worth(fixed: Volume, moving: Volume, found: RigidTransform, likeness: Likeness) -> float:
    """The likeness; -1 where too little of the volumes lies in each other to say."""
    (a, b), part = _overlap(fixed, moving, found)
    return likeness(a, b) if part >= _LEAST_OVERLAP else -1.0


def _judged(fixed: Volume, moving: Volume, found: RigidTransform, likeness: Likeness) -> RigidTransform:
    """``found`` with its likeness, and whether it is less on every side."""
    similarity = _worth(fixed, moving, found, likeness)
    settled = True
    for axis in range(3):
        for sign in (-1.0, 1.0):
            aside = replace(found, translation_mm=found.translation_mm + sign * ASIDE_MM * np.eye(3)[axis])
            settled = settled and _worth(fixed, moving, aside, likeness) < similarity - _SETTLED
    return replace(found, similarity=similarity, settled=settled)


def _grid_points(shape: tuple[int, int, int], step: int) -> npt.NDArray[np.float64]:
    axes = [np.arange(0, n, max(1, min(step, n // 4))) for n in shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.float64)


def register_rigid(
    fixed: Volume,
    moving: Volume,
    progress: Progress | None = None,
    spacing_mm: float | None = None,
    same_scale: bool = True,
) -> RigidTransform:
    """Finds where the fixed volume's anatomy lies in the moving one, for one patient.

    ``spacing_mm``: of the grid that is worked on; by the size of the fixed volume when not given. ``same_scale``: values
    mean the same in both; else only their joint distribution counts. The same volumes always give the same answer, to less
    than a micrometre. Raises ``Cancelled``, or ``ProblemError`` imaging.registration_failed when no overlap makes sense.
    """
    map_quietly("SimpleITK")
    import SimpleITK as sitk  # noqa: N813 - the field's own short name

    watch = progress or SilentProgress()
    likeness = correlation if same_scale else information
    spacing = spacing_mm or _fitting_spacing(fixed)
    coarse_fixed, coarse_moving = _working(fixed, spacing), _working(moving, spacing)
    if not same_scale:
        coarse_fixed, coarse_moving = (replace(v, voxels=_clipped(v.voxels)) for v in (coarse_fixed, coarse_moving))
    a, b = _sitk_image(coarse_fixed), _sitk_image(coarse_moving)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(40)
    method.SetMetricSamplingStrategy(method.REGULAR)
    voxels = float(np.prod(coarse_fixed.geometry.shape))
    # The places of a regular sampling are shaken a little: by the clock unless a seed is given.
    method.SetMetricSamplingPercentagePerLevel(
        [min(1.0, n * shrink**3 / voxels) for n, shrink in zip(_SAMPLES, _SHRINK, strict=True)], _SEED
    )
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 0.005, _STEPS, _SHORTER)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel(list(_SHRINK))
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    start = _start(coarse_fixed, coarse_moving, likeness)
    method.SetInitialTransform(start, inPlace=False)

    def step() -> None:
        if watch.cancelled():
            method.StopRegistration()
        else:
            watch.report(
                min(0.95, (method.GetCurrentLevel() + method.GetOptimizerIteration() / _STEPS) / 3), "imaging.registering"
            )

    method.AddCommand(sitk.sitkIterationEvent, step)
    try:
        found = method.Execute(a, b)
    except RuntimeError as error:
        raise fail("imaging.registration_failed", next_step="imaging.registration_by_hand") from error
    if watch.cancelled():
        raise Cancelled
    # A search that ran away is no better than where it began.
    best = max((_matrix_of(found), _matrix_of(start)), key=lambda at: _worth(coarse_fixed, coarse_moving, at, likeness))
    answer = _judged(coarse_fixed, coarse_moving, best, likeness)
    if answer.similarity < _NONSENSE:
        raise fail("imaging.registration_failed", next_step="imaging.registration_by_hand")
    watch.report(1.0, "imaging.registering")
    return answer


def _fitting_spacing(volume: Volume) -> float:
    """So fine that :data:`_VOXELS` cover a small volume: a small field of view is worth a closer look."""
    extent = float(np.prod([n * s for n, s in zip(volume.geometry.shape, volume.geometry.spacing_mm, strict=True)]))
    return min(max(float((extent / _VOXELS) ** (1 / 3)), _FINEST_MM), _COARSEST_MM)


def _start(fixed: Volume, moving: Volume, likeness: Likeness) -> Any:
    """Where the search begins: middle on middle, body on body, or the place that both name (one scanner); the likest."""
    import SimpleITK as sitk  # noqa: N813 - the field's own short name

    middles = [_middle(v) for v in (fixed, moving)]
    bodies = [_body_centre(v) for v in (fixed, moving)]
    shifts = [middles[1] - middles[0], bodies[1] - bodies[0], np.zeros(3)]

    def worth(shift: npt.NDArray[np.float64]) -> float:
        return _worth(fixed, moving, RigidTransform(np.eye(3), shift), likeness)

    best = max(shifts, key=worth)  # the first of equals
    start = sitk.Euler3DTransform()
    start.SetCenter(tuple(float(v) for v in bodies[0]))
    start.SetTranslation(tuple(float(v) for v in best))
    return start


def _middle(volume: Volume) -> npt.NDArray[np.float64]:
    k, j, i = ((n - 1) / 2 for n in volume.geometry.shape)
    return np.asarray(volume.geometry.to_patient((k, j, i)))


def _body_centre(volume: Volume) -> npt.NDArray[np.float64]:
    """Middle (LPS mm) of what is brighter than half way between the darkest and the mean of the brighter part."""
    values = volume.voxels.astype(np.float32, copy=False)
    low, mean = float(values.min()), float(values.mean())
    bright = values[values >= mean]
    at = np.argwhere(values >= (low + float(bright.mean() if bright.size else mean)) / 2)
    middle = at.mean(axis=0) if at.size else (np.asarray(values.shape) - 1) / 2
    return np.asarray(volume.geometry.to_patient((float(middle[0]), float(middle[1]), float(middle[2]))))


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
