"""How often the breast reader says rightly what became of a mass since an earlier view: pairs with known answers.

    python -m app.ai.training.breast_change [--data DIR --split train+val|test] [--pairs 60]

Generated pairs: one generated breast with other positioning and noise on each view, the earlier one turned, shifted, pressed
otherwise (wider or higher, and bent) and exposed otherwise; the reader reads the present view, and its own mark is judged.
With ``--data`` also real views of ``labelled/mammo-mias`` with a calculated mass; there the earlier view is that picture,
pressed, bent, exposed otherwise and noisy, and the mark is put about 2 mm off the mass. A third of the masses are new, a
third had six tenths of their size, a third are unchanged. "Grown or new" is right for the first two, "new" only for the
first, "there" only for the unchanged. Views of different women, which are not to be compared, are tried as well.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.reader_api import EarlierFilms, FilmImage, ReaderJob
from app.ai.readers.breast import READER
from app.ai.readers.mammogram.change import compared, laid
from app.ai.readers.mammogram.view import GRID_MM, BreastView, prepare
from app.ai.training.chest_change import KINDS, summed_up
from app.ai.training.evaluation.common import Opened, open_reader
from app.ai.training.film_nodules import path_of
from app.ai.training.mias import Mammogram, grey_of, load_set
from app.domain import earlier_mark
from app.domain.earlier_mark import EarlierState
from app.domain.finding import ReaderIdentity
from app.domain.ports import SilentProgress

Floats = npt.NDArray[np.float32]
Rng = np.random.Generator
Answer = tuple[str, EarlierState | None, bool]
SHAPE = (1024, 768)
SMALLER = 0.6


def taken_otherwise(values: Floats, rng: Rng, bend: float = 0.012, noise: float = 0.008) -> Floats:
    """The same breast from another day: turned, shifted, pressed and exposed otherwise, with noise of its own."""
    h, w = values.shape
    y, x = np.mgrid[:h, :w].astype(np.float32)
    wide, high = rng.uniform(0.94, 1.06, 2)
    angle = np.deg2rad(rng.uniform(-3, 3))
    dx, dy = rng.uniform(-0.03, 0.03) * w, rng.uniform(-0.04, 0.04) * h
    u, v = (x - w / 2) / wide, (y - h / 2) / high
    a = rng.normal(0, bend, 4) * h
    p = rng.uniform(0, 2 * np.pi, 4)
    along = a[0] * np.sin(np.pi * y / h + p[0]) + a[1] * np.sin(2 * np.pi * x / w + p[1])
    down = a[2] * np.sin(2 * np.pi * y / h + p[2]) + a[3] * np.sin(np.pi * x / w + p[3])
    sx = w / 2 + np.cos(angle) * u - np.sin(angle) * v + dx + along
    sy = h / 2 + np.sin(angle) * u + np.cos(angle) * v + dy + down
    out = cv2.remap(
        np.asarray(values, np.float32), sx.astype(np.float32), sy.astype(np.float32), cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    most = max(float(out.max()), 1.0)
    shown = (np.clip(out, 0, most) / most) ** rng.uniform(0.8, 1.25) * most * rng.uniform(0.75, 1.2)
    return np.asarray(shown + rng.normal(0, noise * most, shown.shape) * (out > 0.03 * most), np.float32)


def generated(opened: Opened, pairs: int, seed: int = 700) -> Iterator[Answer]:
    """(what is true, what the reader says or None, whether it marked the mass at all)."""
    from app.samples.mammogram import Lesion, generate_mammogram

    for n in range(pairs):
        rng = np.random.default_rng([81, seed, n])
        kind, view = KINDS[n % 3], ("RCC", "LMLO", "LCC", "RMLO")[n % 4]
        size = float(rng.uniform(9, 22))
        where = {"depth": float(rng.uniform(0.25, 0.6)), "lateral": float(rng.uniform(-0.5, 0.6))}
        where["height"] = float(rng.uniform(-0.4, 0.5))
        density = float(rng.uniform(0.1, 0.6))

        def drawn(size_mm: float, exam: int) -> tuple[Floats, FilmImage, tuple[float, float, float, float] | None]:
            lesions = (Lesion(view[0], "mass", diameter_mm=size_mm, **where),) if size_mm else ()  # noqa: B023
            (made,) = generate_mammogram(
                seed + n,  # noqa: B023
                density=density,  # noqa: B023
                lesions=lesions,
                shape=SHAPE,
                views=(view,),  # noqa: B023
                exam=exam,
                threads=1,
            )
            values = made.pixels.astype(np.float32)
            return values, film(values, f"2.25.{exam + 1}"), made.lesions[0].box_px if made.lesions else None

        def film(values: Floats, uid: str) -> FilmImage:
            mm = 0.1 * 2048 / SHAPE[0]
            return FilmImage(values, uid, (mm, mm), view[0], view[1:], (), None, (mm, mm))  # noqa: B023

        _, now, box = drawn(size, 0)
        before, _, _ = drawn({"new": 0.0, "grown": SMALLER * size, "unchanged": size}[kind], 1)
        assert box is not None
        old = EarlierFilms("20250101", (film(taken_otherwise(before, rng), "2.25.3"),))
        job = ReaderJob("2.25.9", ReaderIdentity("breast", "0", "ab" * 32), None, (now,), earlier=old)
        found = READER.run(job, opened.nets, opened.parameters, SilentProgress()).findings
        centres = [(f, f.location.centre_px or (-1.0, -1.0)) for f in found]
        mine = [f for f, (x, y) in centres if box[0] <= x <= box[2] and box[1] <= y <= box[3] and f.code.value == "52988006"]
        said = dict(mine[0].attributes).get(earlier_mark.STATE) if mine else None
        told = EarlierState(said) if said else None
        yield kind, None if told is EarlierState.UNLIKE else told, bool(mine)


def place_in(view: BreastView, rng: Rng) -> tuple[float, float]:
    """(x, y) on the view's grid, in the tissue, a centimetre and more from the skin."""
    inside = np.argwhere(view.tissue & (view.skin_mm > 10.0))
    row, column = inside[rng.integers(len(inside))]
    return float(column), float(row)


def with_mass(grey: Floats, at: tuple[float, float], size_px: float, height: float, seed: int) -> Floats:
    shape = (grey.shape[0], grey.shape[1])
    return np.asarray(grey + height * path_of(shape, at, size_px / 2, np.random.default_rng(seed)), np.float32)


def real(images: list[Mammogram], pairs: int) -> Iterator[Answer]:
    for n, image in enumerate(images[:: max(1, len(images) // pairs)][:pairs]):
        kind, left = judged(image, n)
        yield kind, None if left is EarlierState.UNLIKE else left, True


def judged(image: Mammogram, n: int) -> tuple[str, EarlierState | None]:
    rng = np.random.default_rng([82, n])
    kind = KINDS[n % 3]
    grey, mm = grey_of(image)
    view = prepare(grey, (mm, mm), None)
    x, y = view.to_film(*place_in(view, rng))
    size_mm = float(np.exp(rng.uniform(np.log(8), np.log(24))))
    size = size_mm / mm
    p10, p90 = np.percentile(grey[grey > 0.2 * grey.max()], [10, 90])
    # A mass takes up rays about as gland does, in proportion to its thickness.
    height = float(p90 - p10) * rng.uniform(0.5, 1.0) * min(1.0, size_mm / 15.0)
    now = with_mass(grey, (x, y), size, height, n)
    # Less tissue lies in the way of the rays where a mass is smaller.
    smaller = with_mass(grey, (x, y), SMALLER * size, SMALLER * height, n)
    then = taken_otherwise({"new": grey, "grown": smaller, "unchanged": now}[kind], rng)
    a, b = prepare(now, (mm, mm), None), prepare(then, (mm, mm), None)
    place = laid(a, b)
    if place is None:
        return kind, None
    gx, gy = a.to_grid(x, y)
    off = rng.normal(0, 2.0 / GRID_MM / 2**0.5, 2)
    return kind, compared(place, gx + off[0], gy + off[1]).state


def strangers(images: list[Mammogram], pairs: int) -> dict[str, int]:
    """Views of the same side of different women: how many would be compared, marks at random places."""
    whole = told = 0
    rng = np.random.default_rng(83)
    for _ in range(pairs):
        a, b = (images[int(k)] for k in rng.choice(len(images), 2, replace=False))
        if a.patient == b.patient:
            continue
        first, second = (prepare(g, (mm, mm), None) for g, mm in (grey_of(a), grey_of(b)))
        whole += 1
        place = laid(first, second)
        if place is not None:
            told += compared(place, *place_in(first, rng)).state is not EarlierState.UNLIKE
    return {"pairs": whole, "compared": told}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.ai.training.breast_change")
    parser.add_argument("--data", type=Path, help="folder that holds labelled/mammo-mias")
    parser.add_argument("--split", default="train+val")
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--package", type=Path)
    given = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    result: dict[str, object] = {}
    if given.data is not None:
        wanted = given.split.split("+")
        images = [i for i in load_set(given.data / "labelled/mammo-mias") if i.split in wanted]
        result["real_views"] = summed_up(list(real(images, 2 * given.pairs)))
        result["other_women"] = strangers(images, given.pairs)
    opened = open_reader("breast", given.package, 1, "torch")
    result["generated"] = summed_up(list(generated(opened, given.pairs)))
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
