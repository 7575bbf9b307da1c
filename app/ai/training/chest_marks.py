"""How many marks chest films get, with and without those on hard edges.

``python -m app.ai.training.chest_marks --data DIR``: DIR is the labelled folder, the package the shipped one. Films of the
set, then the same films with a calculated nodule in each, where a mark hits that lies in the nodule. Train and validation
films unless ``--split`` says otherwise.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.ai.readers.chest_xray import FilmMeasured, run_network, scored_film, told_marks
from app.ai.readers.film.places import PlaceMark
from app.ai.training.evaluation.common import Opened, open_reader
from app.ai.training.nih import inserted, load_set, measured_set


def first_marks(found: FilmMeasured, opened: Opened, ways: Mapping[str, Mapping[str, Any]]) -> dict[str, PlaceMark | None]:
    """The highest mark that each of ``ways`` (parameters by name) leaves on a film."""
    result = scored_film(found, run_network(found, opened.nets))
    told = {name: told_marks(result, parameters)[0] for name, parameters in ways.items()}
    return {name: marks[0][0] if marks else None for name, marks in told.items()}


def counts(folder: Path, splits: list[str], opened: Opened, with_nodules: bool) -> dict[str, Any]:
    films = [film for split in splits for film in load_set(folder, split)]
    ways = {
        "without the limit": {k: v for k, v in opened.parameters.items() if k != "steepest_edge"},
        "with it": opened.parameters,
    }
    marks = [first_marks(found, opened, ways) for found in measured_set(films)]
    sound = [m for film, m in zip(films, marks, strict=True) if not (film.nodule or film.mass)]
    out: dict[str, Any] = {"films": len(films), "films_without_nodule_or_mass": len(sound)}
    made = [inserted(film) for film in films] if with_nodules else []
    drawn = [first_marks(m.measured, opened, ways) for m in made]
    for name in ways:
        hits = sum(
            mark is not None and math.hypot(mark.x - m.circle[0], mark.y - m.circle[1]) <= m.circle[2]
            for mark, m in zip((d[name] for d in drawn), made, strict=True)
        )
        out[name] = {
            "marked": sum(m[name] is not None for m in marks),
            "sound_marked": sum(m[name] is not None for m in sound),
        }
        if with_nodules:
            out[name] |= {"inserted_marked": sum(d[name] is not None for d in drawn), "inserted_hit": hits}
    return out


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.ai.training.chest_marks")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", nargs="+", default=["train", "val"])
    parser.add_argument("--films-only", action="store_true", help="without the calculated nodules")
    given = parser.parse_args(arguments)
    print(json.dumps(counts(given.data, given.split, open_reader("chest_xray", None, 1), not given.films_only)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
