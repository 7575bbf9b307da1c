"""How often the chest film reader says rightly what became of a shadow since an earlier film: pairs with known answers.

    python -m app.ai.training.chest_change [--data DIR] [--pairs 45]

Generated pairs: one generated person with another breath and noise on each film, the earlier one turned (4 degrees),
shifted (4 %), sized (6 %) and exposed otherwise; the reader reads both and its own mark is judged. With ``--data`` also real
films of ``labelled/chest-xray-nih`` (train and validation) with a calculated nodule; there the earlier film is the same
picture, turned, shifted, bent, exposed otherwise and noisy, and the mark is put about 1.5 grid pixels off the nodule.
A third of the shadows are new, a third as before, a third had six tenths of their size. "Grown or new" is right for the
first and the last, "new" only for the first, "there" only for the unchanged.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.reader_api import EarlierFilms, FilmImage, ReaderJob
from app.ai.readers.chest.change import compared, laid
from app.ai.readers.chest.field import prepare
from app.ai.readers.chest_xray import READER
from app.ai.training.evaluation.common import Opened, open_reader
from app.ai.training.film_nodules import path_of
from app.ai.training.nih import grey_of, load_set
from app.domain import earlier_mark
from app.domain.earlier_mark import EarlierState
from app.domain.finding import ReaderIdentity
from app.domain.ports import SilentProgress
from app.domain.scoring import bootstrap

Floats = npt.NDArray[np.float32]
Rng = np.random.Generator
KINDS = ("new", "grown", "unchanged")
RIGHT = {
    "new": {EarlierState.NEW, EarlierState.MORE},
    "grown": {EarlierState.MORE},
    "unchanged": {EarlierState.THERE},
}
COLUMNS = 700


def taken_otherwise(values: Floats, rng: Rng, bent: bool = False) -> Floats:
    """The same picture from another day: turned, shifted, sized, exposed otherwise; ``bent``: a breath, and noise."""
    h, w = values.shape
    turn = cv2.getRotationMatrix2D((w / 2, h / 2), float(rng.uniform(-4, 4)), float(rng.uniform(0.94, 1.06)))
    turn[:, 2] += rng.uniform(-0.04, 0.04, 2) * w
    out = cv2.warpAffine(np.asarray(values, np.float32), turn, (w, h), borderMode=cv2.BORDER_REPLICATE)
    if bent:
        y, x = np.mgrid[:h, :w].astype(np.float32)
        a = rng.normal(0, 0.012, 3) * h
        down = a[0] * np.sin(np.pi * y / h) + a[1] * np.sin(2 * np.pi * x / w) * (y / h)
        along = 0.5 * a[2] * np.sin(np.pi * x / w)
        out = cv2.remap(
            out, (x + along).astype(np.float32), (y + down).astype(np.float32), cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
    most = max(float(out.max()), 1.0)
    shown = (np.clip(out, 0, most) / most) ** rng.uniform(0.75, 1.35) * most * rng.uniform(0.7, 1.2)
    noise = rng.normal(0, 0.006 * most, shown.shape) if bent else 0.0
    return np.asarray(shown + noise, np.float32)


def generated(opened: Opened, pairs: int) -> Iterator[tuple[str, EarlierState | None, bool]]:
    """(what is true, what the reader says or None, whether it marked the nodule at all)."""
    from app.samples.chest_film import FilmNodule, generate_chest_film

    mm = 350.0 / COLUMNS
    for n in range(pairs):
        rng = np.random.default_rng([77, n])
        kind = KINDS[n % 3]
        x, y = float(rng.choice([-1, 1]) * rng.uniform(55, 105)), float(rng.uniform(110, 250))
        size = float(rng.uniform(14, 32))
        before = {"new": (), "grown": (FilmNodule(x, y, 0.6 * size),), "unchanged": (FilmNodule(x, y, size),)}[kind]
        person = {"columns": COLUMNS, "female": bool(n % 2)}
        now = generate_chest_film(500 + n, nodules=(FilmNodule(x, y, size),), exam=0, **person)  # type: ignore[arg-type]
        then = generate_chest_film(500 + n, nodules=before, exam=1, **person)  # type: ignore[arg-type]

        def film(values: Floats, uid: str) -> FilmImage:
            return FilmImage(np.asarray(values, np.float32), uid, None, "", "PA", ("L", "F"), None, (mm, mm))

        old = EarlierFilms("20250101", (film(taken_otherwise(then.pixels.astype(np.float32), rng), "2.25.1"),))
        who = ReaderIdentity("chest_xray", "0", "ab" * 32)
        job = ReaderJob("2.25.9", who, None, (film(now.pixels.astype(np.float32), "2.25.2"),), earlier=old)
        found = READER.run(job, opened.nets, opened.parameters, SilentProgress()).findings
        x0, y0, x1, y1 = now.nodules[0].box_px
        centres = [(f, f.location.centre_px or (-1.0, -1.0)) for f in found]
        mine = [f for f, (px, py) in centres if x0 <= px <= x1 and y0 <= py <= y1]
        told = dict(mine[0].attributes).get(earlier_mark.STATE) if mine else None
        yield kind, EarlierState(told) if told else None, bool(mine)


def real(folder: Path, pairs: int) -> Iterator[tuple[str, EarlierState | None, bool]]:
    films = [f for f in load_set(folder) if f.split != "test"]
    for n, film in enumerate(films[:: max(1, len(films) // pairs)][:pairs]):
        rng = np.random.default_rng([78, n])
        grey, kind = grey_of(film), KINDS[n % 3]
        field = prepare(grey)
        inside = np.argwhere(cv2.erode(field.lungs.astype(np.uint8), np.ones((9, 9))) > 0)
        row, column = inside[rng.integers(len(inside))]
        x, y = field.to_film(float(column), float(row))
        size = float(np.exp(rng.uniform(np.log(12), np.log(40))))
        radius = size / 350.0 * grey.shape[1] / 2
        p10, p90 = np.percentile(grey, [10, 90])
        height = float(p90 - p10) * rng.uniform(0.15, 0.32) * min(1.6, size / 25 + 0.25)
        shape = (grey.shape[0], grey.shape[1])
        now = grey + height * path_of(shape, (x, y), radius, np.random.default_rng(n))
        smaller = grey + 0.6 * height * path_of(shape, (x, y), 0.6 * radius, np.random.default_rng(n))
        then = {"new": grey, "grown": smaller, "unchanged": now}[kind]
        a, b = prepare(now), prepare(taken_otherwise(then, rng, bent=True))
        place = laid(a, b)
        gx, gy = a.to_grid(x, y)
        off = rng.normal(0, 1.5, 2)
        yield kind, compared(a, b, place, gx + off[0], gy + off[1]).state if place is not None else None, True


def summed_up(answers: list[tuple[str, EarlierState | None, bool]]) -> dict[str, object]:
    judged = [(kind, said) for kind, said, marked in answers if marked and said is not None]
    right = np.asarray([said in RIGHT[kind] for kind, said in judged], float)
    share = bootstrap(lambda i: float(right[i].mean()), list(range(len(right))), 1000)
    said = Counter(f"{kind}: {told}" for kind, told in judged)
    return {
        "pairs": len(answers),
        "marked": sum(marked for *_, marked in answers),
        "compared": len(judged),
        "share_right": round(share.value, 4),
        "share_right_ci": [round(share.low, 4), round(share.high, 4)],
        "said": dict(sorted(said.items())),
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.ai.training.chest_change")
    parser.add_argument("--data", type=Path, help="folder that holds labelled/chest-xray-nih")
    parser.add_argument("--pairs", type=int, default=45)
    parser.add_argument("--package", type=Path)
    given = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    opened = open_reader("chest_xray", given.package, 1, "torch")
    result = {"generated": summed_up(list(generated(opened, given.pairs)))}
    if given.data is not None:
        result["real_films"] = summed_up(list(real(given.data / "labelled/chest-xray-nih", 2 * given.pairs)))
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
