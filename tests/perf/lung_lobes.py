"""Whether a nodule's card tells side and lobe truly: places in generated lungs, whose fissures the generator drew itself.

    python -m tests.perf.lung_lobes [--quick]

Upper and lower only: the generated right lung has no middle lobe (it counts as upper). Bar: of the lobes that are named 95 %
are right, and the side always.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from app.ai.readers import lung_ct
from app.ai.readers.lung.candidates import prepare
from app.ai.readers.lung.canonical import turn
from app.ai.readers.lung.nodule import region_of
from app.samples import chest_ct
from app.samples.chest_anatomy import shapes_at
from tests.perf._bench import arguments, emit, table

SHAPE, SPACING_MM = (80, 180, 180), (3.4, 1.9, 1.9)
PLACES = 400
BAR = 0.95
STEPS_MM = (0, 10, 20, 30, 40, 300)


def places(seed: int) -> list[tuple[bool, str, str, bool, float]]:
    """(side right, region assumed, region told, truly upper, mm from the fissure) of places in one chest."""
    made = chest_ct.generate_chest_ct(seed, SHAPE, SPACING_MM, 0)
    g = made.volume.geometry
    scene = chest_ct._scene(seed, SHAPE, SPACING_MM, chest_ct.ScanStyle(), np.random.default_rng([seed, 11]))
    turned = turn(made.volume.voxels, g)
    field = prepare(turned.voxels, turned.geometry.spacing_mm)
    inside = np.argwhere(made.lung_mask)
    x, y = chest_ct._plane_grid(SHAPE, SPACING_MM)
    height = SHAPE[0] * SPACING_MM[0]
    out = []
    for k, j, i in inside[np.random.default_rng(seed).choice(len(inside), PLACES, replace=False)]:
        t = 1 - float((k + 0.5) * SPACING_MM[0]) / height
        here = SimpleNamespace(centre_kji=turned.geometry.to_index(g.to_patient((int(k), int(j), int(i)))), side=0)
        assumed, side = _assumed(field, here, turned.geometry)
        told = lung_ct._place(field, here, turned.geometry)[1]  # type: ignore[arg-type]
        at = (slice(j, j + 1), slice(i, i + 1))
        apart = float(shapes_at(scene.body, x[at], y[at], t).fissure[0, 0]) / 0.55
        higher = float(shapes_at(scene.body, x[at], y[at], t - 0.01).fissure[0, 0]) / 0.55
        out.append((side == ("L" if x[j, i] > 0 else "R"), assumed, told, higher > apart, apart))
    return out


def _assumed(field: Any, here: Any, geometry: Any) -> tuple[str, str]:
    """As the reader said it before it kept silent near a fissure."""
    kept, lung_ct.region_told = lung_ct.region_told, region_of
    try:
        side, region = lung_ct._place(field, here, geometry)
    finally:
        lung_ct.region_told = kept
    return region, side


def main(argv: Sequence[str] | None = None) -> int:
    asked = arguments(__doc__ or "", argv)
    rows = [row for seed in range(500, 501 if asked.quick else 510) for row in places(seed)]
    right = np.array([("lower" not in assumed) == upper for _, assumed, _, upper, _ in rows])
    apart = np.array([row[4] for row in rows])
    named = np.array(["_" in row[2] for row in rows])
    lines = []
    for low, high in zip(STEPS_MM[:-1], STEPS_MM[1:], strict=True):
        chosen = (apart >= low) & (apart < high)
        lines.append((f"{low} to {high} mm", int(chosen.sum()), float(right[chosen].mean()), float(named[chosen].mean())))
    table(lines, ("from the fissure", "places", "assumed lobe right", "lobe named"))
    side, share = float(np.mean([row[0] for row in rows])), float(right[named].mean())
    details = {"places": len(rows), "side_right": side, "assumed_right": float(right.mean()), "named": float(named.mean())}
    return emit("lung_lobes", share, "share right", "bar", BAR, share / BAR, share >= BAR and side == 1.0, details)


if __name__ == "__main__":
    raise SystemExit(main())
