"""How thick slabs are: the steps that a hand goes through, and where a thin plane becomes a slab."""

from __future__ import annotations

from app.domain.geometry import PlaneGeometry, VolumeGeometry
from app.viewer.slice_sampler import grid_axes
from app.viewer.view_state import ViewState

STEPS_MM = (
    1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0, 150.0, 200.0,
    300.0, 400.0, 600.0,
)  # fmt: skip
USUAL_MM = 10.0


def least_mm(geometry: VolumeGeometry | None, view: ViewState, planes: tuple[PlaneGeometry | None, ...] = ()) -> float:
    """The thinnest slab that holds more than one slice. Before the volume is there: by the distance of acquired frames."""
    if geometry is None:
        placed = [p for p in planes[:2] if p is not None]
        if len(placed) < 2:
            return 0.0
        return 2.0 * abs(placed[1].position_along_normal_mm() - placed[0].position_along_normal_mm())
    axes = grid_axes(geometry, view)
    return 2.0 * geometry.spacing_mm[axes[2]] if axes is not None else 0.0


def steps_from(least: float) -> tuple[float, ...]:
    """What can be chosen where ``least`` is the thinnest slab of use; never nothing."""
    found = tuple(mm for mm in STEPS_MM if mm >= least - 1e-6)
    return found or STEPS_MM[-1:]


def stepped_mm(now: float, steps: int, least: float) -> float:
    """``steps`` thicker (thinner below zero); 0, no slab, comes before the thinnest one."""
    ladder = (0.0, *steps_from(least))
    if steps > 0:
        above = [mm for mm in ladder if mm > now + 1e-6]
        return above[min(steps, len(above)) - 1] if above else max(now, ladder[-1])
    below = [mm for mm in ladder if mm < now - 1e-6]
    return below[max(len(below) + steps, 0)] if steps < 0 and below else now


def usual_mm(least: float) -> float:
    """What a slab is that nobody has said a thickness of."""
    return next((mm for mm in steps_from(least) if mm >= USUAL_MM), STEPS_MM[-1])
