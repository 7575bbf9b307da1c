"""Numbers and marks of the shipped panoramic reader on generated films: as they are, stretched, masked, both."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest

from app.ai.readers.dental.numbering import TEETH, template_of
from app.ai.readers.dental.tooth_findings import places
from app.ai.training.dental_teeth import Film, film_of
from app.ai.training.evaluation.common import open_reader
from tests.ai.metamorphic import as_it_is, case, compared, read, same

SEEDS = (31_000, 31_001)


@cache
def reader() -> Any:
    return open_reader("dental_panoramic", None, 1)


@cache
def film(seed: int) -> Film:
    return film_of(seed)


def told(values: np.ndarray, seed: int, across: float) -> tuple[int, int, int, int]:
    """(teeth with their number in their box, teeth, missing ones told, missing ones)."""
    _, kinds, boxes, _ = film(seed)
    opened = reader()
    template = template_of(opened.parameters)
    assert template is not None
    found = {t.fdi: t for t in places(values, None, opened.nets, template)}
    truth = {TEETH[k]: b for k, b in zip(kinds, boxes, strict=True)}
    right = 0
    for fdi, (x0, y0, x1, y1) in truth.items():
        x, y = found[fdi].centre_px
        right += bool(found[fdi].seen and x0 <= x / across <= x1 and y0 <= y <= y1)
    gone = [f for f in TEETH if f not in truth]
    return right, len(truth), sum(not found[f].seen for f in gone), len(gone)


def masked(values: np.ndarray) -> np.ndarray:
    """Black outside the largest ellipse, as most films of the labelled set are."""
    rows, columns = values.shape
    y, x = np.mgrid[:rows, :columns]
    out = ((x - columns / 2) / (columns / 2)) ** 2 + ((y - rows / 2) / (rows / 2)) ** 2 > 1
    return np.where(out, np.float32(values.min()), values)


@pytest.mark.parametrize(("across", "mask"), [(1.0, False), (0.5, False), (1.0, True), (0.5, True)])
def test_nine_of_ten_teeth_keep_their_number(across: float, mask: bool) -> None:
    """``across`` 0.5 is a panoramic film pressed into a square."""
    sums = np.zeros(4, int)
    for seed in SEEDS:
        values = film(seed)[0].astype(np.float32)
        if across != 1.0:
            values = cv2.resize(values, None, fx=across, fy=1.0, interpolation=cv2.INTER_AREA)
        sums += told(masked(values) if mask else values, seed, across)
    right, teeth, gone, missing = (int(n) for n in sums)
    print(f"width x {across:g}, masked {mask}: {right} of {teeth} numbers right, {gone} of {missing} missing teeth told")
    assert right >= 0.9 * teeth
    assert gone >= 0.5 * missing


@pytest.mark.parametrize(("across", "mask"), [(0.5, False), (1.0, True), (0.5, True)])
def test_marks_and_their_teeth_stay(across: float, mask: bool) -> None:
    name = "dental_panoramic"
    (plain,) = case(name)
    values = plain.values
    if across != 1.0:
        values = cv2.resize(values, None, fx=across, fy=1.0, interpolation=cv2.INTER_AREA)
    out = read(name, films=(replace(plain, values=masked(values) if mask else values),))
    same(name, out, lambda x, y: (x / across, y))
    assert [f.region for f in compared(name, out)] == [f.region for f in as_it_is(name)]
