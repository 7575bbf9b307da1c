"""Intra-oral films: bone levels, caries and lesions at the apex. ``--data generated``: films that were never trained on.

``bone_within_05`` the share of true sites found whose level is within 0.5 mm; ``bone_found`` the share of true sites found
(enamel point within 1 mm); ``bone_error_median_mm``; ``percent_error_median`` points of a hundred, where the apex is on the
film; ``sensitivity_at_1`` of caries and lesions together at one false mark a film, and of each kind; a mark hits when its
centre lies in the box of the truth, 0.5 mm wider; ``orientation`` the share of films, every second one turned by a quarter,
that were taken the right way. Baseline on the same films: dark spots inside teeth by a difference of Gaussians.
Intervals: bootstrap by film.

Another folder: ``images/``, ``boxes.csv`` (findings ``caries`` and ``periapical``) and ``sites.csv`` (image, enamel_x,
enamel_y, level_mm, root_percent or empty, pixel_mm); without ``sites.csv`` the candidates alone are measured.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.readers.dental.intraoral import Answer, maps_of, placed, read_film, read_maps
from app.ai.training.dental_set import load_films
from app.ai.training.evaluation.common import Figures, Opened
from app.ai.training.intraoral_net import HELD_OUT_SEEDS, film_of
from app.domain.scoring import Interval, bootstrap

GENERATED = "generated"
EVALUATED_PIXEL_MM = 0.1
KINDS = ("caries", "periapical")
NEAR_MM = 1.0
WITHIN_MM = 0.5
ROUNDS = 300
Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class TrueFilm:
    values: npt.NDArray[np.float32]
    pixel_mm: float | None
    boxes: tuple[tuple[str, Box], ...]
    sites: tuple[tuple[float, float, float, float | None], ...] = ()
    """(x, y, level in mm, per cent of the root)."""


@dataclass(eq=False)
class Counts:
    """By film, for the bootstrap."""

    sites: list[int] = field(default_factory=list)
    found: list[int] = field(default_factory=list)
    within: list[int] = field(default_factory=list)
    errors: list[list[float]] = field(default_factory=list)
    percent: list[list[float]] = field(default_factory=list)
    marks: list[list[tuple[str, float, int]]] = field(default_factory=list)
    """(kind, score, index of the truth that it hits or -1)."""
    truth: list[list[str]] = field(default_factory=list)


def generated(seeds: Sequence[int]) -> list[TrueFilm]:
    out = []
    for seed in seeds:
        film = film_of(seed, EVALUATED_PIXEL_MM)
        out.append(
            TrueFilm(
                film.pixels.astype(np.float32),
                film.pixel_mm,
                tuple((f.name, f.box_px) for f in film.findings),
                tuple((*s.enamel_px, s.level_mm, s.root_percent) for s in film.sites),
            )
        )
    return out


def from_folder(folder: Path, split: str) -> list[TrueFilm]:
    rows: dict[str, list[dict[str, str]]] = {}
    table = folder / "sites.csv"
    if table.is_file():
        with table.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                rows.setdefault(row["image"], []).append(row)
    out = []
    for film in load_films(folder, split):
        mine = rows.get(film.image, [])
        sites = tuple(
            (float(r["enamel_x"]), float(r["enamel_y"]), float(r["level_mm"]), _number(r.get("root_percent"))) for r in mine
        )
        pixel = float(mine[0]["pixel_mm"]) if mine and mine[0].get("pixel_mm") else None
        boxes = tuple(
            (k, (float(b[0]), float(b[1]), float(b[2]), float(b[3]))) for k, b in zip(film.kinds, film.boxes, strict=True)
        )
        out.append(TrueFilm(film.values, pixel, boxes, sites if pixel else ()))
    return out


def _number(text: str | None) -> float | None:
    return float(text) if text else None


def _box(values: npt.NDArray[np.float64]) -> Box:
    return float(values[0]), float(values[1]), float(values[2]), float(values[3])


def _hit(centre: tuple[float, float], box: Box, margin: float) -> bool:
    x, y = centre
    return box[0] - margin <= x <= box[2] + margin and box[1] - margin <= y <= box[3] + margin


def count(film: TrueFilm, answer: Answer, counts: Counts) -> None:
    mm = film.pixel_mm or 0.1
    marks: list[tuple[str, float, int]] = []
    taken: set[int] = set()
    for mark in answer.candidates:
        centre = ((mark.box[0] + mark.box[2]) / 2, (mark.box[1] + mark.box[3]) / 2)
        hits = [n for n, (k, b) in enumerate(film.boxes) if k == mark.name and _hit(centre, b, 0.5 / mm)]
        fresh = [n for n in hits if n not in taken]
        if fresh:
            taken.add(fresh[0])
            marks.append((mark.name, mark.score, fresh[0]))
        elif not hits:  # a second mark on one lesion is neither a hit nor false
            marks.append((mark.name, mark.score, -1))
    counts.marks.append(marks)
    counts.truth.append([k for k, _ in film.boxes])
    found = within = 0
    errors, percent = [], []
    free = list(answer.sites)
    for x, y, level, share in film.sites:
        best = min(free, key=lambda s: np.hypot(s.enamel[0] - x, s.enamel[1] - y), default=None)
        if best is None or np.hypot(best.enamel[0] - x, best.enamel[1] - y) * mm > NEAR_MM:
            continue
        free.remove(best)
        error = abs(best.length_px * mm - level)
        found, within = found + 1, within + int(error <= WITHIN_MM)
        errors.append(error)
        if share is not None and best.share is not None:
            percent.append(abs(100 * best.share - share))
    counts.sites.append(len(film.sites))
    counts.found.append(found)
    counts.within.append(within)
    counts.errors.append(errors)
    counts.percent.append(percent)


def sensitivity(counts: Counts, i: npt.NDArray[np.int64], false_marks: float, kinds: Sequence[str] = KINDS) -> float:
    """Sensitivity at ``false_marks`` a film, all kinds on one scale of scores."""
    marks = [(s, hit) for n in i for k, s, hit in counts.marks[n] if k in kinds]
    total = sum(k in kinds for n in i for k in counts.truth[n])
    if not total:
        return float("nan")
    hits = false = 0
    for _, hit in sorted(marks, key=lambda m: -m[0]):
        if hit >= 0:
            hits += 1
        else:
            false += 1
            if false > false_marks * len(i):
                break
    return hits / total


def dark_spots(values: npt.NDArray[np.float32], pixel_mm: float) -> list[tuple[float, float, float]]:
    """The simple baseline: (score, x, y) of dark spots of 1 to 3 mm inside what is bright."""
    small = cv2.resize(values, None, fx=pixel_mm / 0.2, fy=pixel_mm / 0.2, interpolation=cv2.INTER_AREA)
    low, high = np.percentile(small, [1, 99])
    v = np.clip((small - low) / max(float(high - low), 1e-6), 0, 1).astype(np.float32)
    best = np.max([cv2.GaussianBlur(v, (0, 0), 2 * s) - cv2.GaussianBlur(v, (0, 0), s) for s in (2.5, 4.0, 6.0)], axis=0)
    best = np.where(cv2.GaussianBlur(v, (0, 0), 8.0) > 0.3, best, 0)
    peak = (best >= cv2.dilate(best, np.ones((9, 9), np.uint8))) & (best > 0.01)
    rows, columns = np.nonzero(peak)
    scale = 0.2 / pixel_mm
    return [(float(best[r, c]), (c + 0.5) * scale, (r + 0.5) * scale) for r, c in zip(rows, columns, strict=True)]


def _baseline(films: Sequence[TrueFilm]) -> float:
    marks, total = [], 0
    for film in films:
        mm = film.pixel_mm or 0.1
        total += len(film.boxes)
        taken: set[int] = set()
        for score, x, y in sorted(dark_spots(film.values, mm), reverse=True):
            hits = [n for n, (_, b) in enumerate(film.boxes) if _hit((x, y), b, 0.5 / mm)]
            if hits and not taken & set(hits):
                taken |= set(hits)
                marks.append((score, True))
            elif not hits:
                marks.append((score, False))
    hits_so_far = false = 0
    for _, hit in sorted(marks, reverse=True):
        hits_so_far, false = hits_so_far + int(hit), false + int(not hit)
        if false > len(films):
            break
    return hits_so_far / max(total, 1)


def evaluate(folder: Path, split: str, opened: Opened) -> Figures:
    fresh = folder.name == GENERATED and not folder.is_dir()
    films = generated(HELD_OUT_SEEDS) if fresh else from_folder(folder, split)
    counts = Counts()
    upright = 0
    for n, film in enumerate(films):
        square, placing = placed(film.values, film.pixel_mm)
        count(film, read_maps(maps_of(square, opened.nets), placing), counts)
        if fresh and n % 4 < 2:
            turned = bool(n % 2)
            # A turned sensor: the network's own turn must bring it back.
            shown = np.ascontiguousarray(np.rot90(film.values, -1)) if turned else film.values
            upright += int(read_film(shown, film.pixel_mm, opened.nets).turned == turned)
    return figures(films, counts, upright if fresh else None)


def figures(films: Sequence[TrueFilm], counts: Counts, upright: int | None = None) -> Figures:
    groups = list(range(len(films)))
    sites = sum(counts.sites)
    values: dict[str, Interval] = {}
    if sites:
        arrays = {k: np.asarray(getattr(counts, k)) for k in ("sites", "found", "within")}
        values["bone_within_05"] = bootstrap(
            lambda i: float(arrays["within"][i].sum() / max(arrays["found"][i].sum(), 1)), groups, ROUNDS
        )
        values["bone_found"] = bootstrap(
            lambda i: float(arrays["found"][i].sum() / max(arrays["sites"][i].sum(), 1)), groups, ROUNDS
        )
        values["bone_error_median_mm"] = bootstrap(lambda i: _median([counts.errors[n] for n in i]), groups, ROUNDS)
        values["percent_error_median"] = bootstrap(lambda i: _median([counts.percent[n] for n in i]), groups, ROUNDS)
    values["sensitivity_at_1"] = bootstrap(lambda i: sensitivity(counts, i, 1.0), groups, ROUNDS)
    values["sensitivity_at_05"] = bootstrap(lambda i: sensitivity(counts, i, 0.5), groups, ROUNDS)
    for kind in KINDS:
        if any(kind in t for t in counts.truth):
            values[f"sensitivity_at_1_{kind}"] = bootstrap(
                lambda i, k=kind: sensitivity(counts, i, 1.0, (k,)), groups, ROUNDS
            )
    more: dict[str, object] = {
        "n_sites": sites,
        "n_truth": {k: sum(t.count(k) for t in counts.truth) for k in KINDS},
        "baseline_dark_spots_at_1": round(_baseline(films), 4),
    }
    if upright is not None:
        asked = sum(n % 4 < 2 for n in range(len(films)))
        more["orientation"] = round(upright / max(asked, 1), 4)
    allowed = [0.1, 0.25, 0.5, 1.0, 2.0, 4.0]
    every = {"all": KINDS, **{k: (k,) for k in KINDS if any(k in t for t in counts.truth)}}
    lines = {name: (allowed, [sensitivity(counts, groups, a, kinds) for a in allowed]) for name, kinds in every.items()}
    return Figures(values, len(films), more, {"froc": {"across": "false marks a film", "lines": lines}})


def _median(parts: Sequence[Sequence[float]]) -> float:
    joined = [v for p in parts for v in p]
    return float(np.median(joined)) if joined else float("nan")
