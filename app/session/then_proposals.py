"""Which nodule of the earlier study a present one is, as a proposal with its reasons. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.domain.finding import Finding
from app.domain.geometry import PlaneGeometry, Point3
from app.domain.measurement import Quantity
from app.imaging.matching import LUNG, Gate, Spot, cost_of, match
from app.session.tracking import size_mm

_PARALLEL = 0.999


@dataclass(frozen=True)
class Place:
    """Where a present finding lies in the earlier study."""

    rigid_mm: Point3
    place_mm: Point3
    """With the surroundings looked for; ``rigid_mm`` where nothing held them."""
    shift_mm: float = 0.0
    alike: float = 0.0


@dataclass(frozen=True)
class Proposed:
    """``then_id`` "" where none lies near enough. ``rivals``: others that could be it, the likeliest first."""

    then_id: str
    apart_mm: float | None = None
    clear: bool = True
    rivals: tuple[str, ...] = ()
    inside: bool = True
    """The earlier images show the place."""


def spot(finding: Finding, place: Point3) -> Spot:
    return Spot(place, size_mm(finding), dict(finding.attributes).get("composition", ""), finding.laterality)


def proposals(
    now: Sequence[Finding],
    then: Sequence[Finding],
    places: Mapping[str, Place],
    planes: Sequence[PlaneGeometry | None] = (),
    gate: Gate = LUNG,
) -> dict[str, Proposed]:
    """By finding of the present study; those without a place are left out. ``planes``: of the earlier images."""
    here = [(f, places[f.finding_id]) for f in now if f.finding_id in places]
    there = [(f, f.location.centre_lps_mm) for f in then if f.location.centre_lps_mm is not None]
    spots = [spot(f, p.place_mm) for f, p in here]
    others = [spot(f, c) for f, c in there if c is not None]
    pairs = {p.now: p for p in match(spots, others, gate)}
    out = {}
    for n, (finding, place) in enumerate(here):
        costs = [(c, m) for m, other in enumerate(others) if (c := cost_of(spots[n], other, gate)) is not None]
        likely = [there[m][0].finding_id for _, m in sorted(costs)]
        pair = pairs.get(n)
        chosen = there[pair.then][0].finding_id if pair is not None else ""
        out[finding.finding_id] = Proposed(
            chosen,
            pair.apart if pair is not None else None,
            pair.clear if pair is not None else True,
            tuple(i for i in likely if i != chosen),
            not planes or in_stack(planes, place.place_mm),
        )
    return out


def in_stack(planes: Sequence[PlaneGeometry | None], point: Point3) -> bool:
    """Whether slices of one direction reach a place: between the outermost, half a gap beyond, and inside their edges."""
    known = [p for p in planes if p is not None]
    if not known:
        return False
    first = known[0]
    alike = [p for p in known if abs(float(np.dot(p.normal, first.normal))) > _PARALLEL]
    depths = sorted(first.to_index(p.origin_mm)[2] for p in alike)
    row, column, depth = first.to_index(point)
    half = (gap_mm(planes) or 0.0) / 2.0
    flat = -0.5 <= row <= first.rows - 0.5 and -0.5 <= column <= first.columns - 0.5
    return flat and depths[0] - half <= depth <= depths[-1] + half


def gap_mm(planes: Sequence[PlaneGeometry | None]) -> float | None:
    """Usual distance of the slices; None for a single one."""
    known = [p for p in planes if p is not None]
    if not known:
        return None
    depths = np.unique(np.round([known[0].to_index(p.origin_mm)[2] for p in known], 3))
    return float(np.median(np.diff(depths))) if depths.size > 1 else None


def without_doubles(human: Sequence[Finding], device: Sequence[Finding]) -> tuple[Finding, ...]:
    """One finding a nodule: a second reader's stays where a person marked the same, for its outline is measured alike in
    both studies; one that a person has accepted or changed stands as the person left it."""
    known = {f.finding_id for f in human}
    theirs = [f for f in device if f.finding_id not in known]
    accepted = [f for f in human if f.reader is not None]
    drawn = [f for f in human if f.reader is None]
    kept = (*accepted, *theirs)
    return (*kept, *(f for f in drawn if not any(_same(f, other) for other in kept)))


def _same(a: Finding, b: Finding) -> bool:
    one, other = a.location.centre_lps_mm, b.location.centre_lps_mm
    if one is None or other is None or a.location.frame_of_reference_uid != b.location.frame_of_reference_uid:
        return False
    sizes = [m.value for f in (a, b) if (m := f.measured(Quantity.MEAN_DIAMETER) or f.measured(Quantity.LONG_AXIS))]
    return float(np.linalg.norm(np.subtract(one, other))) <= max(5.0, *(s / 2 for s in sizes), 0.0)
