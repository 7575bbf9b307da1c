"""The midline estimate measured: ``python -m app.ai.training.head_midline [--data DIR/labelled/head-ct-ich]``. Prints JSON.

On generated heads (other seeds than the tests') against the shift that was drawn. On the labelled slices, turned so that the
front is up, no shift is known: printed is what is found, with the number of slices with bleeding beside it. Those slices are
8-bit looks of 0 to 80 HU at about 5 mm; their values count as HU, what is white as bone.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from app.ai.readers.head.frame import GRID_MM, frame_of
from app.ai.readers.head.midline import midline_of
from app.ai.readers.head.stack import Stack, stack_of
from app.ai.readers.lung.canonical import turn
from app.ai.training.head_figures import SLICE_MM
from app.ai.training.head_set import HeadScan, load_scans
from app.domain.geometry import VolumeGeometry
from app.samples.head_ct import Bleed, generate_head_ct

FIRST_SEED = 501
SHIFTS_MM = (0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0)
WHITE = 250


def generated(count: int) -> list[dict[str, float | str | None]]:
    """Shift drawn and found on ``count`` heads: sides, sizes, slices of 5 and 2.5 mm, tilt, oblique heads, with a bleed."""
    found = []
    for n in range(count):
        rng = np.random.default_rng([FIRST_SEED, n])
        shift = SHIFTS_MM[n % len(SHIFTS_MM)] * (1 if n % 2 else -1)
        bleed = Bleed((-49.0 if shift > 0 else 49.0, -4.0, 11.0), (8.0, 20.0, 15.0)) if abs(shift) > 5 else None
        oblique = n % 3 == 2
        head = generate_head_ct(
            FIRST_SEED + n,
            rows=176,
            slice_mm=2.5 if n % 4 == 3 else 5.0,
            tilt_deg=float(rng.uniform(-18, 18)) if n % 5 == 4 else 0.0,
            turn_deg=float(rng.uniform(-10, 10)) if oblique else 0.0,
            roll_deg=float(rng.uniform(-8, 8)) if oblique else 0.0,
            atrophy=float(rng.uniform(0, 0.8)),
            shift_mm=shift,
            bleed=bleed,
        )
        measured = midline_of(stack_of(turn(head.volume.voxels, head.volume.geometry)))
        found.append({"drawn_mm": shift, **asdict(measured)})
    return found


def labelled(scan: HeadScan) -> dict[str, float | str | None]:
    planes = np.ascontiguousarray(np.rot90(scan.planes, 1, (1, 2)))
    hu = planes.astype(np.float32) * (80.0 / 255.0)
    hu[planes >= WHITE] = 1000.0
    geometry = VolumeGeometry.axial((hu.shape[0], hu.shape[1], hu.shape[2]), (SLICE_MM, GRID_MM, GRID_MM), (0.0, 0.0, 0.0))
    stack = Stack(hu, planes, frame_of(planes), tuple(scan.around()), 1, geometry, (1.0, 1.0))
    return {"scan": scan.name, "slices_with_bleeding": int(scan.bleed.sum()), **asdict(midline_of(stack))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--split", default="all")
    parser.add_argument("--heads", type=int, default=28)
    given = parser.parse_args()
    heads = generated(given.heads)
    wrong = [abs(float(h["shift_mm"]) - float(h["drawn_mm"] or 0)) for h in heads if h["shift_mm"] is not None]
    still = [abs(float(h["shift_mm"])) for h in heads if h["shift_mm"] is not None and h["drawn_mm"] == 0]
    out: dict[str, object] = {
        "heads": len(heads),
        "measured": len(wrong),
        "error_median_mm": round(float(np.median(wrong)), 2),
        "error_highest_mm": round(max(wrong), 2),
        "within_2_mm": int(np.sum(np.asarray(wrong) <= 2.0)),
        "without_shift": len(still),
        "without_shift_highest_mm": round(max(still), 2),
        "each": heads,
    }
    if given.data is not None:
        scans = [labelled(s) for s in load_scans(given.data, given.split)]
        plain = [abs(float(s["shift_mm"])) for s in scans if s["shift_mm"] is not None and not s["slices_with_bleeding"]]
        out |= {
            "scans": len(scans),
            "scans_measured": sum(s["shift_mm"] is not None for s in scans),
            "scans_without_bleeding": sum(not s["slices_with_bleeding"] for s in scans),
            "scans_without_bleeding_measured": len(plain),
            "scans_without_bleeding_median_mm": round(float(np.median(plain)), 2) if plain else None,
            "scans_without_bleeding_highest_mm": round(max(plain), 2) if plain else None,
            "each_scan": scans,
        }
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
