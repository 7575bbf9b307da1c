"""Nodules of one person followed from scan to scan: share of right matches, error of the growth and of the doubling time.

    python -m tests.perf.nodule_pairs [--pairs N] [--kept DIR] [--quick]

Generated pairs (``_chest_pairs``: the same chest, nodules grown by known factors, some new, some gone; the person moved by
up to 26 mm, turned by up to 6 degrees about each axis, the diaphragm breathed by up to 25 mm), each scan read by the shipped
reader, the scans registered as the session does. Both readings meet what the card does with them: ``imaging/matching.py``,
``imaging/local_place.py``, ``session/growth.py``. ``--kept`` keeps what was read as JSON, for a second look without reading.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.ai.reader_api import ReaderJob
from app.domain.finding import Finding, ReaderIdentity
from app.domain.geometry import Point3
from app.domain.measurement import Quantity
from app.domain.ports import SilentProgress
from app.domain.volume import Volume
from app.imaging.matching import LUNG, Spot, match
from app.session.growth import Seen, Trend, growth
from app.store.codec import decode, encode
from tests.perf._bench import emit, say, table
from tests.perf._chest_pairs import PairTruth, chest_pair

SEED = 4100
BAR = 0.95
"""Of the nodules that the reader found in both scans; a commercial system is told to reach 0.978 on patients (Fink 2025)."""


@dataclass(frozen=True)
class Read:
    """What one pair gave. ``rigid_mm`` and ``local_mm``: places of ``now`` in the first scan."""

    truth: tuple[PairTruth, ...]
    days: int
    now: tuple[Finding, ...]
    then: tuple[Finding, ...]
    rigid_mm: tuple[Point3, ...]
    local_mm: tuple[Point3, ...]
    alike: tuple[float, ...]
    similarity: float


def read_pair(number: int, opened: Any) -> Read:
    from app.imaging.local_place import local_place
    from app.imaging.registration import register_rigid

    pair = chest_pair(SEED + number)
    now, then = (_findings(v, opened) for v in (pair.now, pair.then))
    transform = register_rigid(pair.now, pair.then)
    places = [f.location.centre_lps_mm for f in now]
    local = [local_place(pair.now, pair.then, transform, p) for p in places if p is not None]
    return Read(
        pair.truth,
        pair.days,
        now,
        then,
        tuple(transform.apply(p) for p in places if p is not None),
        tuple(x.place_mm for x in local),
        tuple(x.alike for x in local),
        transform.similarity,
    )


def _findings(volume: Volume, opened: Any) -> tuple[Finding, ...]:
    from app.ai.readers.lung_ct import READER

    card = opened.package.card
    job = ReaderJob("1.2.3", ReaderIdentity("lung_ct", card.version, opened.package.digest), volume)
    return tuple(READER.run(job, opened.nets, opened.parameters, SilentProgress()).findings)


def _which(findings: Sequence[Finding], places: Sequence[Point3 | None]) -> list[int | None]:
    """For each finding the nodule in whose radius (or 4 mm) it lies."""
    out: list[int | None] = []
    for finding in findings:
        size = finding.measured(Quantity.MEAN_DIAMETER)
        reach = max(4.0, size.value / 2 if size else 0.0)
        centre = finding.location.centre_lps_mm
        gaps = [(math.dist(centre, p), n) for n, p in enumerate(places) if p is not None and centre is not None]
        out.append(min(gaps)[1] if gaps and min(gaps)[0] <= reach else None)
    return out


def spot(finding: Finding, place: Point3) -> Spot:
    size = finding.measured(Quantity.MEAN_DIAMETER)
    return Spot(place, size.value if size else None, dict(finding.attributes).get("composition", ""), finding.laterality)


@dataclass
class Tally:
    both: int = 0
    """Nodules that were found in both scans."""
    right: int = 0
    wrong: int = 0
    missed: int = 0
    unclear: int = 0
    """Right ones among which the person is asked to choose."""
    alone: int = 0
    """Findings whose nodule was not found in the first scan."""
    left_alone: int = 0
    told_new: int = 0
    really_there: int = 0
    """Told not to have been found then, and there all the same: the reader missed it in the first scan."""

    def as_dict(self) -> dict[str, Any]:
        return {**self.__dict__, "right_share": round(self.right / max(1, self.both), 4)}


def judge(reads: Sequence[Read], local: bool) -> tuple[Tally, list[float], list[tuple[float, float, float, int, Any]]]:
    """(counts, distances of the right pairs, (true factor, measured factor, diameter, days, growth) of each right pair)."""
    tally, apart, grown = Tally(), [], []
    for r in reads:
        mine, theirs = _which(r.now, [t.now_mm for t in r.truth]), _which(r.then, [t.then_mm for t in r.truth])
        spots = [spot(f, p) for f, p in zip(r.now, r.local_mm if local else r.rigid_mm, strict=True)]
        before = [spot(f, f.location.centre_lps_mm) for f in r.then if f.location.centre_lps_mm is not None]
        found = {p.now: p for p in match(spots, before, LUNG)}
        for n, nodule in enumerate(mine):
            true_one = next((m for m, other in enumerate(theirs) if other == nodule), None) if nodule is not None else None
            pair = found.get(n)
            if true_one is None:
                tally.alone += 1
                tally.left_alone += pair is None
                if pair is None and nodule is not None:
                    tally.told_new += 1
                    tally.really_there += r.truth[nodule].then_mm is not None
                continue
            tally.both += 1
            if pair is None:
                tally.missed += 1
            elif pair.then != true_one:
                tally.wrong += 1
            else:
                tally.right += 1
                tally.unclear += not pair.clear
                apart.append(pair.apart)
                assert nodule is not None
                truth = r.truth[nodule]
                said = growth(Seen(r.now[n], 2.2), Seen(r.then[true_one], 2.2), r.days)
                factor = said.now_mm3 / said.then_mm3 if said.now_mm3 and said.then_mm3 else float("nan")
                grown.append((truth.factor, factor, truth.diameter_mm, r.days, said))
    return tally, apart, grown


def growth_figures(grown: Sequence[tuple[float, float, float, int, Any]]) -> dict[str, Any]:
    """Error of the volume ratio, unchanged nodules told to have changed, error of the doubling time where it is told."""
    ratio = [abs(math.log(m / t)) for t, m, *_ in grown if m > 0]
    still = [g for g in grown if 0.9 <= g[0] <= 1.1]
    doubling = []
    for true, _, _, days, said in grown:
        if said.doubling_days is not None and true > 1.1:
            exact = days * math.log(2.0) / math.log(true)
            doubling.append(abs(said.doubling_days - exact) / exact)
    up = [g for g in grown if g[0] >= 1.4]
    return {
        "pairs_measured": len(grown),
        "ratio_error_median_percent": _percent(np.median(ratio)) if ratio else None,
        "ratio_error_p95_percent": _percent(np.percentile(ratio, 95)) if ratio else None,
        "unchanged": len(still),
        "unchanged_told_grown": sum(g[4].trend is Trend.GROWN for g in still),
        "unchanged_told_shrunk": sum(g[4].trend is Trend.SHRUNK for g in still),
        "grown": len(up),
        "grown_told_grown": sum(g[4].trend is Trend.GROWN for g in up),
        "doubling_times": len(doubling),
        "doubling_error_median_percent": round(100 * float(np.median(doubling)), 1) if doubling else None,
        "doubling_error_p90_percent": round(100 * float(np.percentile(doubling, 90)), 1) if doubling else None,
    }


def _percent(log_error: float) -> float:
    return round(100.0 * (math.exp(float(log_error)) - 1.0), 1)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--kept", type=Path, help="folder for what was read, one JSON file a pair")
    parser.add_argument("--quick", action="store_true", help="one pair")
    asked = parser.parse_args(argv)
    from app.ai.training.evaluation.common import open_reader

    opened, reads = open_reader("lung_ct"), []
    for number in range(1 if asked.quick else asked.pairs):
        kept = asked.kept / f"pair-{number}.json" if asked.kept else None
        if kept is not None and kept.is_file():
            reads.append(decode(Read, json.loads(kept.read_text(encoding="utf-8"))))
            continue
        made = read_pair(number, opened)
        reads.append(made)
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(encode(made)), encoding="utf-8")
        say(f"pair {number}: {len(made.then)} findings then, {len(made.now)} now, similarity {made.similarity:.3f}")
    rows, details = [], {}
    for name, local in (("rigid alone", False), ("with the surroundings", True)):
        tally, apart, grown = judge(reads, local)
        far = np.percentile(apart, 95) if apart else float("nan")
        middle = float(np.median(apart)) if apart else float("nan")
        rows.append((name, tally.both, tally.right, tally.wrong, tally.missed, tally.unclear, middle, float(far)))
        details[name] = {**tally.as_dict(), "apart_median_mm": round(middle, 2), "apart_p95_mm": round(float(far), 2)}
    table(rows, ("places", "in both", "right", "wrong", "missed", "asks", "median mm", "95 % mm"))
    details["growth"] = growth_figures(grown)
    table([(k, v) for k, v in details["growth"].items()], ("growth", ""))
    share = details["with the surroundings"]["right_share"]
    return emit(
        "nodule_pairs", share, "share right", "bar", BAR, share / BAR, share >= BAR, {"pairs": len(reads), **details}
    )


if __name__ == "__main__":
    raise SystemExit(main())
