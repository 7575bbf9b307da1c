"""Figures of the tooth numbers: generated films with known numbers, and the impacted teeth of real ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.ai.reader_api import Networks
from app.ai.readers.dental.boxes import FLIPS, ToothBox, answer, decode
from app.ai.readers.dental.film import Content, prepared
from app.ai.readers.dental.numbering import COLUMNS, ROWS, TEETH, ToothPlace, guess, number_teeth, tooth_of
from app.ai.readers.dental.tooth_findings import places
from app.ai.readers.dental.tooth_places import IMPACTED
from app.ai.readers.dental_panoramic import likely_boxes
from app.ai.training.dental_set import load_films
from app.ai.training.evaluation.common import open_reader
from app.domain.scoring import bootstrap

Floats = npt.NDArray[np.float32]
Template = Sequence[Sequence[float]]
WAYS = ("alone", "boxes", "all")
"""What takes part beside the network and the order of the arch: nothing, that boxes are teeth, also which are impacted."""


class Detector:
    """The boxes that the shipped panoramic reader finds on a film."""

    def __init__(self) -> None:
        self._opened = open_reader("dental_panoramic", None, 1)

    def boxes(self, values: Floats) -> list[ToothBox]:
        square, content = prepared(values)
        flips = FLIPS[: int(self._opened.parameters.get("flips", 4))]
        maps = answer(square, self._opened.nets, flips)
        return likely_boxes(decode(maps, content), self._opened.parameters)


def measure(
    nets: Networks, template: Template, data: Path | None, splits: Sequence[str] = ("val", "test")
) -> dict[str, Any]:
    detector = Detector()
    result = on_generated(nets, template, detector)
    if data is not None:
        result.update(on_impacted(nets, template, detector, data, splits))
    return result


def on_generated(nets: Networks, template: Template, detector: Detector | None, seeds: Sequence[int] = ()) -> dict[str, Any]:
    """*Whole* films go the reader's whole way, with the boxes of its detector; *cropped* ones are the network's input."""
    from app.ai.training.dental_teeth import HELD_OUT_SEEDS, film_of, look

    result: dict[str, Any] = {}
    for name in ("whole", "cropped"):
        rng = np.random.default_rng(9)
        right = present = false_missing = wrong_seen = absent = 0
        per_film, sure = [], []
        for seed in seeds or HELD_OUT_SEEDS:
            film = film_of(seed)
            if name == "whole":
                values = film[0].astype(np.float32)
                kinds, boxes = film[1], film[2]
                found = places(values, None, nets, template, detector.boxes(values) if detector is not None else ())
            else:
                picture, kinds, boxes = look(film, rng)
                found = number_teeth(guess(picture, nets), Content(0.0, 0.0, float(COLUMNS), float(ROWS)), template)
            teeth = {t.fdi: t for t in found}
            truth = {TEETH[k]: b for k, b in zip(kinds, boxes, strict=True)}
            hits = sum(_stands_in(teeth.get(fdi), box) for fdi, box in truth.items())
            false_missing += sum(fdi not in teeth or not teeth[fdi].seen for fdi in truth)
            right, present = right + hits, present + len(truth)
            per_film.append(hits / max(len(truth), 1))
            sure += [(t.confidence, t.fdi in truth and _stands_in(t, truth[t.fdi])) for t in found if t.seen]
            gone = set(TEETH) - set(truth)
            absent += len(gone)
            wrong_seen += sum(t in teeth and teeth[t].seen for t in gone)
        boot = np.random.default_rng(0)
        means = [np.mean(boot.choice(per_film, len(per_film))) for _ in range(2000)]
        result[f"fdi_accuracy_{name}"] = round(right / present, 4)
        result[f"fdi_accuracy_{name}_ci"] = [round(float(q), 4) for q in np.percentile(means, [2.5, 97.5])]
        result[f"missing_found_{name}"] = round(1 - wrong_seen / max(absent, 1), 4)
        result[f"teeth_called_missing_{name}"] = round(false_missing / present, 4)
        result[f"confidence_{name}"] = _by_confidence(sure)
        result[f"teeth_{name}"], result[f"films_{name}"] = present, len(per_film)
    return result


def _stands_in(tooth: ToothPlace | None, box: npt.NDArray[np.float64]) -> bool:
    if tooth is None or not tooth.seen:
        return False
    x, y = tooth.centre_px
    return bool(box[0] <= x <= box[2] and box[1] <= y <= box[3])


def _by_confidence(sure: Sequence[tuple[float, bool]]) -> dict[str, list[float]]:
    """Band of confidence: numbers, share that is right."""
    out = {}
    for low, high in ((0.0, 0.5), (0.5, 0.8), (0.8, 1.01)):
        mine = [ok for p, ok in sure if low <= p < high]
        out[f"{low:g} to {min(high, 1.0):g}"] = [len(mine), round(float(np.mean(mine)), 3) if mine else 0.0]
    return out


def on_impacted(
    nets: Networks, template: Template, detector: Detector, data: Path, splits: Sequence[str]
) -> Mapping[str, Any]:
    """Of the teeth labelled impacted, how many get the number of a third molar or a canine. Intervals by film."""
    result: dict[str, Any] = {}
    seen: dict[str, list[tuple[str, dict[str, list[tuple[int, float]]]]]] = {}
    for split in splits:
        mine = seen.setdefault(split, [])
        for film in load_films(data / "labelled/dental-panoramic", split):
            labelled = [tuple(b) for k, b in zip(film.kinds, film.boxes, strict=True) if k == IMPACTED]
            if not labelled:
                continue
            boxes = detector.boxes(film.values)
            plain = [ToothBox("", b.box, b.score) for b in boxes]
            given = {"alone": [], "boxes": plain, "all": boxes}
            told = {w: places(film.values, None, nets, template, given[w]) for w in WAYS}
            numbers = {w: [tooth_of(b, told[w]) or (0, 0.0) for b in labelled] for w in WAYS}
            mine.append((film.film, numbers))
    for name, films in {"": [f for s in seen.values() for f in s], **{f"_{s}": f for s, f in seen.items()}}.items():
        for way in WAYS:
            groups: dict[str, list[tuple[int, float]]] = {}
            for film_name, numbers in films:
                groups.setdefault(film_name, []).extend(numbers[way])
            pooled = list(groups.values())

            def share(index: Sequence[int], pooled: list[list[tuple[int, float]]] = pooled) -> float:
                drawn = [fdi % 10 in (3, 8) for i in index for fdi, _ in pooled[i]]
                return float(np.mean(drawn))

            found = bootstrap(share, list(range(len(pooled))), 1000)
            key = f"impacted_on_8_or_3{name}" + ("" if way == "all" else f"_{way}")
            result[key] = round(found.value, 4)
            result[f"{key}_ci"] = [round(found.low, 4), round(found.high, 4)]
            every = [n for group in pooled for n in group]
            result[f"{key}_numbers"] = dict(sorted(Counter(str(fdi % 10) for fdi, _ in every).items()))
            result[f"{key}_confidence"] = round(float(np.mean([p for _, p in every])), 3)
        result[f"impacted_boxes{name}"] = sum(len(n["all"]) for _, n in films)
        result[f"impacted_films{name}"] = len({f for f, _ in films})
    return result
