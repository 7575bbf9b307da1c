"""Planes out of a 512 x 512 x 600 volume on the CPU: oblique while dragging and at rest, slab, four linked panes.

``python -m tests.perf.mpr [--quick]``. Everything from the new view to the grey picture, in one process, against
SimpleITK's ResampleImageFilter on the same oblique plane. Bars: oblique draft >= 25 frames/s, exact at rest <= 150 ms,
20 mm slab MIP <= 100 ms, four linked 1024 x 1024 panes scrolling >= 30 frames/s (the median frame), made one after another
on one thread; the window makes them on three. The processor time of all threads is told beside, for machines not idle.
"""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from app.domain.geometry import VolumeGeometry
from app.domain.pixels import VoiWindow
from app.domain.volume import Volume
from app.viewer.compositor import SampleCache, geometry_of, render
from app.viewer.layers import ImageLayer
from app.viewer.slice_sampler import index_from_pane
from app.viewer.view_state import Appearance, Plane, SlabMode, ViewState, resolve
from tests.perf import _bench

WINDOW = VoiWindow(-600, 1500)
PANE = (1024, 1024)
SHAPE = (600, 512, 512)
BARS = {"oblique_draft_ms": 40.0, "oblique_exact_ms": 150.0, "slab_mip_ms": 100.0, "four_panes_scroll_ms": 1000.0 / 30.0}


def volume() -> Volume:
    """Noise on a body-like ellipsoid: enough to keep every branch honest; 315 MB."""
    rng = np.random.default_rng(1)
    tile = rng.integers(-1000, 400, (50, 512, 512), dtype=np.int16)
    voxels = np.concatenate([tile] * (SHAPE[0] // 50))
    return Volume(voxels, VolumeGeometry.axial(SHAPE, (1.0, 0.7, 0.7), (-180.0, -170.0, -1300.0), "1.2.3"), "HU")


def _times(call: Callable[[int], object], n: int) -> list[tuple[float, float]]:
    """(ms on the clock, ms of the processor by all threads) of each call."""
    out = []
    for k in range(n):
        start, cpu = time.perf_counter(), time.process_time()
        call(k)
        out.append(((time.perf_counter() - start) * 1e3, (time.process_time() - cpu) * 1e3))
    return out


def oblique(k: int, slab_mm: float = 0.0) -> ViewState:
    """30 degrees about x and a few about y, turning a little with every frame."""
    a, b = math.radians(30.0 + 0.2 * (k % 40)), math.radians(20.0)
    row = (math.cos(b), 0.0, -math.sin(b))
    column = np.cross((-math.sin(b) * math.cos(a), math.sin(a), -math.cos(b) * math.cos(a)), row)
    column = column / np.linalg.norm(column)
    down = (float(column[0]), float(column[1]), float(column[2]))
    return ViewState(
        plane=Plane.OBLIQUE,
        point_mm=(0.0, 10.0 + k % 40, -1000.0),
        oblique_row=row,
        oblique_column=down,
        slab_mm=slab_mm,
        slab_mode=SlabMode.MAXIMUM,
    )


def simpleitk_plane(data: Volume) -> Callable[[int], object]:
    """The same plane, trilinear, to the same number of pixels."""
    import SimpleITK as sitk  # noqa: N813 - the field's own short name

    image = sitk.GetImageFromArray(data.voxels)
    k, j, i = data.geometry.spacing_mm
    image.SetSpacing((i, j, k))
    image.SetOrigin(data.geometry.origin_mm)
    layer = ImageLayer(Appearance(WINDOW), volume=data)

    def run(n: int) -> Any:
        view = oblique(n)
        resolved = resolve(view, PANE, geometry_of(layer, view))
        right, down = resolved.edge_directions() or ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
        normal = np.cross(right, down)
        f = sitk.ResampleImageFilter()
        f.SetSize((*PANE, 1))
        step = resolved.mm_per_pane_px or 1.0
        f.SetOutputSpacing((step, step, 1.0))
        f.SetOutputOrigin(resolved.pane_to_patient(0.5, 0.5))
        f.SetOutputDirection(tuple(float(v) for v in np.stack([right, down, normal], axis=1).ravel()))
        f.SetInterpolator(sitk.sitkLinear)
        f.SetOutputPixelType(sitk.sitkFloat32)
        f.SetDefaultPixelValue(-2000)
        return sitk.GetArrayFromImage(f.Execute(image))[0]

    return run


def main() -> int:
    arguments = _bench.arguments(__doc__ or "")
    n = 12 if arguments.quick else 40
    data = volume()
    layer = ImageLayer(Appearance(WINDOW), volume=data)
    cache = SampleCache()

    def draft(k: int) -> object:
        return render(oblique(k), (layer,), PANE, cache, True)

    def exact(k: int) -> object:
        return render(oblique(k), (layer,), PANE, cache)

    def slab(k: int) -> object:
        return render(oblique(k, 20.0), (layer,), (512, 512), cache)

    def slab_draft(k: int) -> object:
        return render(oblique(k, 20.0), (layer,), (512, 512), cache, True)

    panes = [SampleCache() for _ in range(4)]

    def linked(k: int) -> object:
        """Axial, coronal, sagittal and a second axial pane, each a step further."""
        point = (-20.0 + 0.7 * (k % 100), 20.0 + 0.7 * (k % 100), -1100.0 + k % 100)
        for pane, plane in zip(panes, (Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL, Plane.AXIAL), strict=True):
            render(ViewState(plane=plane, point_mm=point), (layer,), PANE, pane)
        return None

    peer = simpleitk_plane(data)
    mine = render(oblique(0), (layer,), PANE).resolved
    from app.viewer.reslice import reslice

    ours, theirs = reslice(data, data.voxels, index_from_pane(mine, data.geometry), PANE), peer(0)
    both = (ours > -1e30) & (theirs > -1999)
    if not both.any() or float(np.abs(ours - theirs)[both].max()) > 1.0:
        raise SystemExit("the peer does not cut the same plane")
    calls = {
        "oblique_draft_ms": draft, "oblique_exact_ms": exact, "slab_mip_draft_ms": slab_draft, "slab_mip_ms": slab,
        "four_panes_scroll_ms": linked, "simpleitk_oblique_ms": peer,
    }  # fmt: skip
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for call in calls.values():
        call(0)
    for r in range(4):
        for name, call in calls.items():
            times[name] += _times(lambda k, r=r, call=call: call(1 + r * (n // 4) + k), n // 4)  # type: ignore[misc]
    median = {name: statistics.median(clock for clock, _ in t) for name, t in times.items()}
    p95 = {name: float(np.percentile([clock for clock, _ in t], 95)) for name, t in times.items()}
    cpu = {name: statistics.median(used for _, used in t) for name, t in times.items()}
    _bench.table(
        [[name, median[name], p95[name], cpu[name]] for name in calls],
        ["what", "median ms", "p95 ms", "processor ms"],
    )
    passed = _bench.bars([(name, median[name], "<=", bar, "ms") for name, bar in BARS.items()])
    details = {
        "median_ms": {k: round(v, 2) for k, v in median.items()},
        "p95_ms": {k: round(v, 2) for k, v in p95.items()},
        "processor_ms": {k: round(v, 2) for k, v in cpu.items()},
        "bars_ms": BARS,
    }
    ratio = median["simpleitk_oblique_ms"] / median["oblique_exact_ms"]
    return _bench.emit(
        "mpr", median["oblique_exact_ms"], "ms", "SimpleITK", median["simpleitk_oblique_ms"], ratio, passed, details
    )


if __name__ == "__main__":
    sys.exit(main())
