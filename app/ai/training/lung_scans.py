"""Scans with known nodules for training and for judging: generated chests and, where at hand, one real chest CT.

Each scan holds generated nodules and real ones (LIDC cuts blended in), and pieces without a nodule blended in the same
way. The detector's own candidates on it, labelled by the truth, are the examples.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.ai.readers.lung.candidates import Candidates, find_candidates, prepare
from app.ai.readers.lung.cubes import cubes
from app.ai.training.blend import Placed, paste_nodule, paste_piece
from app.ai.training.lidc import Nodule
from app.samples.chest_ct import NoduleSpec, ScanStyle, generate_chest_ct

KEPT_POINTS = 38
"""Edge of the cubes that are kept, so that training can shift the 32 it looks at."""
Triple = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Scan:
    voxels: npt.NDArray[np.int16]
    spacing_mm: Triple
    lungs: npt.NDArray[np.bool_]
    truth: tuple[Placed, ...]
    ignored: tuple[Placed, ...] = ()
    """Places that count neither way."""


@dataclass(frozen=True, eq=False)
class Examples:
    """``cubes`` (n, 2, 40, 40, 40) uint8; ``truth`` (n,) 1 nodule, 0 none; ``side`` of the lungs; ``origin`` scan."""

    cubes: npt.NDArray[np.uint8]
    truth: npt.NDArray[np.int8]
    side: npt.NDArray[np.int8]
    origin: npt.NDArray[np.int32]


def packed(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    return np.rint((values + 1.0) * 127.5).astype(np.uint8)


def random_specs(count: int, rng: np.random.Generator) -> tuple[NoduleSpec, ...]:
    specs = []
    for _ in range(count):
        kind = str(rng.choice(["solid", "part_solid", "ground_glass"], p=[0.66, 0.17, 0.17]))
        low = {"solid": 4.0, "part_solid": 7.0, "ground_glass": 8.0}[kind]
        diameter = float(np.clip(low * np.exp(rng.exponential(0.5)), low, 30.0))
        spiculation = float(rng.uniform(0.2, 0.9)) if diameter > 7 and rng.random() < 0.3 else 0.0
        place = str(rng.choice(["free", "pleura", "vessel"], p=[0.5, 0.3, 0.2]))
        specs.append(NoduleSpec(round(diameter, 1), kind, None, None, spiculation, float(rng.uniform(0.06, 0.25)), place))
    return tuple(specs)


def free_places(
    lungs: npt.NDArray[np.bool_],
    spacing_mm: Triple,
    taken: Sequence[tuple[Triple, float]],
    count: int,
    rng: np.random.Generator,
    apart_mm: float = 12.0,
) -> list[Triple]:
    """Random array indices in the lungs, away from ``taken`` (place, radius in mm) and from each other."""
    where = np.argwhere(lungs[:, ::2, ::2]) * [1, 2, 2]
    found: list[Triple] = []
    busy = list(taken)
    for _ in range(count * 30):
        if len(found) >= count or not len(where):
            break
        k, j, i = (float(v) for v in where[int(rng.integers(len(where)))])
        gaps = [np.linalg.norm((np.asarray(p) - (k, j, i)) * spacing_mm) - r for p, r in busy]
        if gaps and min(gaps) < apart_mm:
            continue
        found.append((k, j, i))
        busy.append(((k, j, i), 6.0))
    return found


def blended(
    scan: Scan,
    nodules: Sequence[Nodule],
    count: int,
    rng: np.random.Generator,
    pieces: Sequence[tuple[npt.NDArray[np.int16], Triple, Triple]] = (),
) -> Scan:
    """``scan`` with ``count`` real nodules and, one piece without nodule for each of ``pieces`` (voxels, spacing, place)."""
    voxels = scan.voxels.copy()
    truth = list(scan.truth)
    taken = [(t.kji, t.diameter_mm / 2) for t in (*scan.truth, *scan.ignored)]
    for place in free_places(scan.lungs, scan.spacing_mm, taken, count, rng):
        put = paste_nodule(voxels, scan.spacing_mm, place, nodules[int(rng.integers(len(nodules)))], rng)
        if put is not None:
            truth.append(put)
            taken.append((place, put.diameter_mm / 2))
    for (source, spacing, where), place in zip(
        pieces, free_places(scan.lungs, scan.spacing_mm, taken, len(pieces), rng), strict=False
    ):
        shape_of = nodules[int(rng.integers(len(nodules)))]
        paste_piece(voxels, scan.spacing_mm, place, source, spacing, where, shape_of, rng)
    return Scan(voxels, scan.spacing_mm, scan.lungs, tuple(truth), scan.ignored)


def generated_scan(seed: int, count: int | None = None, fine: bool = True) -> Scan:
    """A chest with ``count`` generated nodules (None: one to eight)."""
    rng = np.random.default_rng([seed, 5])
    pixel, step = float(rng.uniform(0.66, 0.86)), float(rng.uniform(1.0, 2.5))
    edge = int(rng.uniform(325, 375) / pixel)
    edge -= edge % 2
    if not fine:
        pixel, edge = pixel * 1.4, int(edge / 1.4)
    shape = (int(rng.uniform(250, 300) / step), edge, edge)
    specs = random_specs(int(rng.integers(1, 9)) if count is None else count, rng)
    made = generate_chest_ct(seed, shape, (step, pixel, pixel), specs, style=ScanStyle(noise_hu=float(rng.uniform(12, 55))))
    geometry = made.volume.geometry
    truth = tuple(Placed(geometry.to_index(t.centre_lps_mm), t.diameter_mm, t.kind, "generated") for t in made.truth)
    return Scan(np.asarray(made.volume.voxels), geometry.spacing_mm, made.lung_mask, truth)


def real_scan(folder: Path) -> Scan:
    """The chest CT of ``folder`` (``CT/*.dcm``, ``lesion_boxes.csv``); its boxed lesion counts neither way."""
    from app.ai.training.dicom_folder import read_ct_folder

    volume = read_ct_folder(folder / "CT")
    spacing = volume.geometry.spacing_mm
    field = prepare(volume.voxels, spacing)
    sides = field.mask.sides
    index = [
        np.clip((np.arange(n) * m / n).astype(int), 0, m - 1) for n, m in zip(volume.voxels.shape, sides.shape, strict=True)
    ]
    lungs = np.asarray(sides[np.ix_(*index)] > 0)
    lesion = boxed_lesion(folder, volume.geometry.to_index)
    return Scan(np.array(volume.voxels, np.int16), spacing, lungs, (), (lesion,))


def boxed_lesion(folder: Path, to_index: object) -> Placed:
    """Middle and size of the boxes of ``lesion_boxes.csv``; needs the plane geometry of the files it names."""
    from app.ai.training.dicom_folder import plane_of

    with (folder / "lesion_boxes.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    corners = []
    for row in rows:
        plane = plane_of(folder / row["file"])
        for x, y in ((row["x0"], row["y0"]), (row["x1"], row["y1"])):
            corners.append(plane.to_patient(float(y) - 0.5, float(x) - 0.5))
    points = np.asarray(corners)
    low, high = points.min(0), points.max(0)
    kji = to_index(tuple((low + high) / 2))  # type: ignore[operator]
    return Placed(kji, float(np.mean(high - low)), "boxed", folder.name)


def hits(candidates: Candidates, truth: Sequence[Placed], spacing_mm: Triple, factor: float = 1.0) -> npt.NDArray[np.int64]:
    """For each candidate the index of the truth within whose radius it lies (the nearest), or -1."""
    found = np.full(len(candidates), -1)
    if not truth or not len(candidates):
        return found
    centres = np.asarray([t.kji for t in truth])
    radii = np.asarray([t.diameter_mm / 2 for t in truth]) * factor
    gap = np.linalg.norm((candidates.kji[:, None] - centres[None]) * np.asarray(spacing_mm), axis=2)
    nearest = gap.argmin(1)
    inside = gap[np.arange(len(candidates)), nearest] <= np.maximum(radii[nearest], 1.5)
    found[inside] = nearest[inside]
    return found


Looks = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
"""Cubes (n, 2, 32, 32, 32) to scores (n,): an earlier network that tells which places are mistaken for nodules."""


def examples(
    scan: Scan, origin: int, rng: np.random.Generator, negatives: int = 160, earlier: Looks | None = None
) -> Examples:
    """Cubes of every candidate that hits and of ``negatives`` that do not.

    With ``earlier`` two thirds of them are those that it mistakes most, the rest any; without, the detector's better
    ones are taken more often.
    """
    found = find_candidates(prepare(scan.voxels, scan.spacing_mm))
    lesion = hits(found, scan.truth, scan.spacing_mm)
    near = hits(found, (*scan.truth, *scan.ignored), scan.spacing_mm, 1.6)
    positive = np.nonzero(lesion >= 0)[0]
    others = np.nonzero((lesion < 0) & (near < 0))[0]
    weight = 1.0 / (np.arange(len(others)) + 60.0)
    if earlier is not None and len(others):
        mistaken = np.concatenate(
            [earlier(cubes(scan.voxels, scan.spacing_mm, found.kji[part])) for part in np.array_split(others, 12)]
        )
        hard = others[np.argsort(-mistaken, kind="stable")[: negatives * 2 // 3]]
        easy = np.setdiff1d(others, hard)
        chosen = np.concatenate([hard, rng.choice(easy, min(negatives - len(hard), len(easy)), replace=False)])
    elif len(others):
        chosen = rng.choice(others, min(negatives, len(others)), replace=False, p=weight / weight.sum())
    else:
        chosen = others
    places = [found.kji[positive], found.kji[chosen]]
    # Nodules that the detector missed are shown as well, at their own place.
    missed = [t.kji for n, t in enumerate(scan.truth) if n not in set(lesion.tolist())]
    places.append(np.asarray(missed, float).reshape(-1, 3))
    kji = np.concatenate(places)
    truth = np.concatenate([np.ones(len(positive)), np.zeros(len(chosen)), np.ones(len(missed))])
    side = np.concatenate([found.side[positive], found.side[chosen], np.zeros(len(missed))])
    values = packed(cubes(scan.voxels, scan.spacing_mm, kji, KEPT_POINTS))
    return Examples(values, truth.astype(np.int8), side.astype(np.int8), np.full(len(kji), origin, np.int32))


REAL_ORIGIN = 0
GENERATED_ORIGIN = 1000


def _places(voxels: npt.NDArray[np.int16], spacing_mm: Triple, avoid: Sequence[Placed]) -> Candidates:
    """The detector's places that are no nodule: what hard negatives and pasted pieces are made of."""
    found = find_candidates(prepare(voxels, spacing_mm))
    kept = np.nonzero(hits(found, avoid, spacing_mm, 2.0) < 0)[0][:500]
    return Candidates(found.kji[kept], found.sigma_mm[kept], found.score[kept], found.side[kept])


def _pieces(
    rng: np.random.Generator, count: int, source: Scan, places: npt.NDArray[np.float64]
) -> list[tuple[npt.NDArray[np.int16], Triple, Triple]]:
    rows = places[rng.integers(0, len(places), count)] if len(places) else places
    return [(source.voxels, source.spacing_mm, (float(k), float(j), float(i))) for k, j, i in rows]


def build_examples(
    nodules: Sequence[Nodule],
    real: Scan | None,
    generated: int = 110,
    real_copies: int = 12,
    part: int = 0,
    parts: int = 1,
    log: bool = True,
    earlier: Looks | None = None,
) -> Examples:
    """Examples of ``generated`` chests and ``real_copies`` copies of the real one, every copy with other nodules blended in.

    ``origin`` tells what a network may not have seen: copies of the real scan have 0 to 999; a generated chest has
    1000 + number, and pieces pasted into it come from side 1 of the real scan when the number is even, else from side 2.
    """
    real_places = _places(real.voxels, real.spacing_mm, real.ignored) if real is not None else None
    donor = generated_scan(999)
    donor_places = _places(donor.voxels, donor.spacing_mm, donor.truth).kji
    out = []
    jobs = [("generated", n) for n in range(generated)] + [("real", n) for n in range(real_copies if real else 0)]
    jobs.sort(key=lambda job: job[1] / (generated if job[0] == "generated" else real_copies))
    for kind, number in [job for n, job in enumerate(jobs) if n % parts == part]:
        if kind == "generated":
            rng = np.random.default_rng([number, 32])
            scan = generated_scan(GENERATED_ORIGIN + number, int(rng.integers(6, 13)))
            pieces = []
            if real is not None and real_places is not None:
                pieces = _pieces(rng, 6, real, real_places.kji[real_places.side == 1 + number % 2])
            one = examples(blended(scan, nodules, 12, rng, pieces), GENERATED_ORIGIN + number, rng, 180, earlier)
        else:
            rng = np.random.default_rng([number, 31])
            assert real is not None
            mixed = blended(real, nodules, 26, rng, _pieces(rng, 8, donor, donor_places))
            one = examples(mixed, number, rng, 240, earlier)
        out.append(one)
        if log:
            print(f"{kind} {number}: {len(one.truth)} examples, {int(one.truth.sum())} nodules", flush=True)
    return joined(out)


def joined(parts: Sequence[Examples]) -> Examples:
    return Examples(
        np.concatenate([p.cubes for p in parts]),
        np.concatenate([p.truth for p in parts]),
        np.concatenate([p.side for p in parts]),
        np.concatenate([p.origin for p in parts]),
    )


def allowed_without(data: Examples, side: int) -> npt.NDArray[np.int64]:
    """Indices of the examples that hold nothing of that side of the real scan."""
    real = data.origin < GENERATED_ORIGIN
    # A nodule that the detector missed has side 0: its side is not known, so it is left out as well.
    clean_real = real & (data.side == 3 - side)
    clean_generated = ~real & (data.origin % 2 != (side - 1))
    return np.nonzero(clean_real | clean_generated)[0]
