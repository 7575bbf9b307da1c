"""How the chest film reader reads side markers: drawn ones with known answers, films of the set as they are and mirrored.

    python -m app.ai.training.chest_sides --data DIR [--split held_out|test]

Drawn: generated persons of 512 pixels, one drawing each, in fonts that were not trained on: a letter on its own side, on the
other side, or something that is no marker. Real: films of ``labelled/chest-xray-nih`` that the network was not trained on
(validation and every fourth training film, or the test films); none of them is known to hang wrongly, so every alarm is a
false one, and on the mirrored picture every alarm is a right one.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.reader_api import FilmImage
from app.ai.readers.chest.field import prepare
from app.ai.readers.chest.marker import LETTERS, MEANS
from app.ai.readers.chest.sides import found_markers, lungs_on, middle_of, side_remarks
from app.ai.training.chest_letters import TEST_FONTS, with_drawing
from app.ai.training.chest_marker_net import kept_out
from app.ai.training.evaluation.common import Opened, open_reader
from app.ai.training.nih import grey_of, load_set

Floats = npt.NDArray[np.float32]


def said(values: Floats, opened: Opened) -> str:
    """agrees, alarm or silent."""
    film = FilmImage(values, "1")
    field = prepare(values)
    markers = found_markers(film, field, opened.nets, opened.parameters)
    told = side_remarks(film, markers, middle_of(field, values.shape), float(opened.parameters["marker_alarm_from"]))
    return "silent" if not told else "agrees" if told[0].code.endswith("agrees") else "alarm"


def drawn(opened: Opened, films: int) -> dict[str, dict[str, int]]:
    """What is said by what is true: ``own_side``, ``other_side``, ``no_marker``."""
    from app.samples.chest_film import generate_chest_film

    found: dict[str, Counter[str]] = {key: Counter() for key in ("own_side", "other_side", "no_marker")}
    for n in range(films):
        rng = np.random.default_rng([61, n])
        person = generate_chest_film(900 + n, columns=512, female=bool(n % 2)).pixels.astype(np.float32)
        grid = np.asarray(np.clip(person / 3620 * 255, 0, 255), np.float32)
        field = prepare(grid)
        lungs = lungs_on(field, grid.shape, grid.shape)
        middle = middle_of(field, grid.shape) * grid.shape[1]
        kind = n % 5
        for _ in range(40):  # outside the middle, where a marker stands on no side
            shown, one = with_drawing(grid, kind, TEST_FONTS, rng, lungs)
            if abs(one.centre[0] - middle) > 0.12 * grid.shape[1]:
                break
        names = "L" if one.centre[0] > middle else "R"
        key = "no_marker" if not kind else "own_side" if MEANS[LETTERS[kind]] == names else "other_side"
        found[key][said(shown, opened)] += 1
    return {key: dict(sorted(count.items())) for key, count in found.items()}


def real(opened: Opened, folder: Path, split: str) -> dict[str, object]:
    films = [f for f in load_set(folder) if (f.split == "test" if split == "test" else f.split != "test" and kept_out(f))]
    usual: Counter[str] = Counter()
    mirrored: Counter[str] = Counter()
    alarms = []
    for film in films:
        values = grey_of(film)
        here = said(values, opened)
        usual[here] += 1
        mirrored[said(np.ascontiguousarray(values[:, ::-1]), opened)] += 1
        if here == "alarm":
            alarms.append(film.name)
    return {
        "films": len(films),
        "as_they_are": dict(sorted(usual.items())),
        "mirrored": dict(sorted(mirrored.items())),
        "false_alarms": alarms,
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.ai.training.chest_sides")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", choices=("held_out", "test"), default="held_out")
    parser.add_argument("--drawn", type=int, default=100)
    parser.add_argument("--package", type=Path)
    given = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    opened = open_reader("chest_xray", given.package, 1, "torch")
    result: dict[str, object] = {"split": given.split, **real(opened, given.data / "labelled/chest-xray-nih", given.split)}
    if given.drawn:
        result["drawn"] = drawn(opened, given.drawn)
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
