"""Detection on whole scans: ``python -m app.ai.training.evaluate_scan {phantom,nlst} [--data DIR] [--json]``.

*phantom*: generated held-out chests (own seeds) with generated nodules and, where ``--data`` has them, real nodules of
patients whom no network saw, blended in: FROC with the nodule's radius as hit radius. *nlst*: the real chest CT with its
boxed lesion: rank and false findings, with the shipped package and with weights that never saw the lung in question.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.ai.package import NetworkSpec
from app.ai.reader_api import Networks, ReaderJob
from app.ai.readers.lung.candidates import Candidates, find_candidates, prepare
from app.ai.readers.lung.canonical import turn
from app.ai.readers.lung.detect import detect
from app.ai.readers.lung_ct import READER
from app.ai.training.evaluation.common import Opened, open_reader
from app.ai.training.lidc import Nodule, load_nodules
from app.ai.training.lung_scans import Scan, blended, generated_scan, hits, real_scan
from app.ai.weights_file import read_tensors
from app.domain.finding import ReaderIdentity
from app.domain.geometry import VolumeGeometry
from app.domain.ports import SilentProgress
from app.domain.scoring import Interval, Mark, cpm, cpm_interval, froc
from app.domain.volume import Volume

WIDTHS = {"widths": [32, 64, 96]}
CROSS_FITTED = Path(__file__).resolve().parents[3] / "docs" / "evaluation" / "weights"
"""Weights of the two networks that each never saw one lung of the real scan; kept for this figure, not shipped."""

HELD_OUT_SEED = 700_000
"""Training uses seeds below 100,000."""
SMALLEST_MM = 4.0
"""Smaller nodules (a ball of their volume) count neither way, as LUNA16 leaves out those under 3 mm."""


def held_out_scan(number: int, nodules: Sequence[Nodule]) -> Scan:
    """The number-th held-out chest: one to eight generated nodules, and three real ones where there are any."""
    scan = generated_scan(HELD_OUT_SEED + number)
    rng = np.random.default_rng([HELD_OUT_SEED, number])
    if nodules:
        scan = blended(scan, nodules, 3, rng)
    large = tuple(t for t in scan.truth if t.diameter_mm >= SMALLEST_MM)
    small = tuple(t for t in scan.truth if t.diameter_mm < SMALLEST_MM)
    return Scan(scan.voxels, scan.spacing_mm, scan.lungs, large, (*scan.ignored, *small))


def marks_on(
    scan: Scan, nets: Networks, number: int, most: int = 32, side: int | None = None
) -> tuple[list[Mark], int, int]:
    """(marks, nodules, nodules among the candidates) of one scan: the reader's own findings without their threshold.

    ``side``: only those of the right (1) or the left (2) lung.

    A mark hits when the middle of its outline lies within the nodule's radius of the nodule's middle.
    """
    field = prepare(scan.voxels, scan.spacing_mm)
    candidates = find_candidates(field)
    found = detect(scan.voxels, scan.spacing_mm, field, nets, candidates=candidates)
    turned = turn(scan.voxels, VolumeGeometry.axial(scan.voxels.shape, scan.spacing_mm))  # type: ignore[arg-type]
    open_to_all = {"threshold": 0.0, "most_findings": most, "mirrors": 1}
    nodules = READER.nodules(turned, field, found, nets, open_to_all, lambda _: None)
    nodules = [n for n in nodules if side in (None, n.side)]
    places = np.asarray([n.centre_kji for n in nodules], float).reshape(-1, 3)
    score = np.asarray([n.score for n in nodules])
    as_found = Candidates(places, np.ones(len(places)), score, np.ones(len(places), np.int64))
    lesion = hits(as_found, scan.truth, scan.spacing_mm)
    ignored = hits(as_found, scan.ignored, scan.spacing_mm)
    marks = [
        Mark(number, float(score[n]), int(lesion[n]) if lesion[n] >= 0 else None)
        for n in range(len(score))
        if lesion[n] >= 0 or ignored[n] < 0
    ]
    seen = set(hits(candidates, scan.truth, scan.spacing_mm).tolist()) - {-1}
    return marks, len(scan.truth), len(seen)


def phantom_figures(nets: Networks, nodules: Sequence[Nodule], scans: int, log: bool = False) -> dict[str, Any]:
    """CPM with its interval, sensitivities, candidate sensitivity; by origin of the nodules."""
    marks: list[Mark] = []
    lesions, seen, by_kind = [], 0, {"generated": [0, 0], "real": [0, 0]}
    for number in range(scans):
        scan = held_out_scan(number, nodules)
        found, count, among = marks_on(scan, nets, number)
        marks += found
        lesions.append(count)
        seen += among
        best = sorted((m.score for m in found if m.lesion is None), reverse=True)
        cut = best[0] if best else -np.inf  # at one false mark on this scan or fewer
        hit = {m.lesion for m in found if m.lesion is not None and m.score >= cut}
        for n, truth in enumerate(scan.truth):
            part = by_kind["generated" if truth.source == "generated" else "real"]
            part[0] += n in hit
            part[1] += 1
        if log:
            print(f"scan {number}: {count} nodules, {len(hit)} above every false mark", flush=True)
    curve = froc(marks, lesions)
    interval: Interval = cpm_interval(marks, lesions, 500)
    return {
        "cpm": round(cpm(curve), 4),
        "cpm_ci": [round(interval.low, 4), round(interval.high, 4)],
        "n": scans,
        "nodules": int(sum(lesions)),
        "sensitivity_at": {str(r): round(curve.at(r), 4) for r in (0.125, 0.25, 0.5, 1, 2, 4, 8)},
        "candidate_sensitivity": round(seen / max(1, sum(lesions)), 4),
        "before_first_false": {k: [v[0], v[1]] for k, v in by_kind.items()},
        "curve": [curve.false_per_scan.tolist(), curve.sensitivity.tolist()],
        "marks": [[m.scan, round(m.score, 4), m.lesion is not None] for m in marks],
    }


def read_scan(
    scan: Scan, opened: Opened, nets: Networks | None = None
) -> tuple[list[tuple[float, float, bool, str]], float]:
    """([(probability, gap in mm to the lesion, hit, laterality)] of the findings, best first; seconds)."""
    geometry = VolumeGeometry.axial(scan.voxels.shape, scan.spacing_mm)  # type: ignore[arg-type]
    volume = Volume(scan.voxels, geometry, "HU")
    job = ReaderJob("1.2.3", ReaderIdentity("lung_ct", opened.package.card.version, opened.package.digest), volume)
    started = time.monotonic()
    out = READER.run(job, nets or opened.nets, opened.parameters, SilentProgress())
    seconds = time.monotonic() - started
    lesion = scan.ignored[0]
    rows = []
    for finding in out.findings:
        assert finding.location.centre_lps_mm is not None
        index = geometry.to_index(finding.location.centre_lps_mm)
        gap = float(np.linalg.norm((np.asarray(index) - lesion.kji) * scan.spacing_mm))
        rows.append((float(finding.probability or 0.0), round(gap, 1), gap <= lesion.diameter_mm / 2, finding.laterality))
    return sorted(rows, key=lambda r: -r[0]), seconds


def nlst_figures(folder: Path, opened: Opened) -> dict[str, Any]:
    scan = real_scan(folder)
    rows, seconds = read_scan(scan, opened)
    rank = next((n + 1 for n, r in enumerate(rows) if r[2]), None)
    return {
        "rank": rank,
        "findings": len(rows),
        "false_findings": sum(not r[2] for r in rows),
        "probabilities": [round(r[0], 3) for r in rows],
        "seconds": round(seconds, 1),
        "slices": int(scan.voxels.shape[0]),
    }


class _Replaced:
    """The package's networks with other weights for sorting candidates."""

    def __init__(self, nets: Networks, path: Path) -> None:
        from app.ai.engines.torch_engine import TorchEngine, load_module

        module = load_module(NetworkSpec("lung_candidate_v1", WIDTHS, (2, 32, 32, 32)), read_tensors(path.read_bytes()))
        self._own, self._nets = TorchEngine(module), nets

    def run(self, name: str, batch: Any) -> Any:
        return self._own.run(batch) if name == "lung_candidate" else self._nets.run(name, batch)


def cross_fitted_figures(folder: Path, opened: Opened, weights: Path) -> dict[str, Any]:
    """As :func:`nlst_figures`, each lung read by the network that never saw it (``without_1``, ``without_2``)."""
    scan = real_scan(folder)
    rows: list[tuple[float, float, bool]] = []
    for side, laterality in ((1, "R"), (2, "L")):
        nets = _Replaced(opened.nets, weights / f"lung_ct_without_{side}.safetensors")
        rows += [r[:3] for r in read_scan(scan, opened, nets)[0] if r[3] == laterality]
    rows.sort(key=lambda r: -r[0])
    return {
        "rank": next((n + 1 for n, r in enumerate(rows) if r[2]), None),
        "findings": len(rows),
        "false_findings": sum(not r[2] for r in rows),
        "probabilities": [round(r[0], 3) for r in rows],
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.ai.training.evaluate_scan")
    parser.add_argument("what", choices=["phantom", "nlst"])
    parser.add_argument("--data", type=Path, help="phantom: the labelled nodules; nlst: the folder of the chest CT")
    parser.add_argument("--scans", type=int, default=24)
    parser.add_argument("--package", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    opened = open_reader("lung_ct", given.package, given.threads)
    if given.what == "phantom":
        nodules = load_nodules(given.data, "test") if given.data else []
        result = phantom_figures(opened.nets, nodules, given.scans, not given.json)
        result.pop("curve")
        result.pop("marks")
    else:
        if given.data is None:
            parser.error("--data is needed")
        result = {"shipped": nlst_figures(given.data, opened)}
        if CROSS_FITTED.is_dir():
            result["cross_fitted"] = cross_fitted_figures(given.data, opened, CROSS_FITTED)
    result["package_sha256"] = opened.package.digest
    result["engine"] = opened.engine
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
