"""Colour tables of ``resources/luts``: 256 lines ``red,green,blue``, lines with # are remarks."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from app.domain.problem import fail
from app.domain.resources import resource_path


@lru_cache(maxsize=32)
def lut(name: str) -> npt.NDArray[np.uint8]:
    """(256, 3) RGB of a table by name; "grey" needs no file. Raises ``ProblemError`` viewer.lut_missing / _broken."""
    if name == "grey":
        return np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    path = resource_path("luts", f"{name}.csv")
    if not path.is_file():
        raise fail("viewer.lut_missing", name=name)
    rows = [line for line in path.read_text(encoding="ascii").splitlines() if line and not line.startswith("#")]
    try:
        table = np.array([[int(v) for v in row.split(",")] for row in rows])
    except ValueError as error:
        raise fail("viewer.lut_broken", name=name) from error
    if table.shape != (256, 3) or table.min() < 0 or table.max() > 255:
        raise fail("viewer.lut_broken", name=name)
    return table.astype(np.uint8)


def lut_names() -> tuple[str, ...]:
    return ("grey", *sorted(path.stem for path in resource_path("luts").glob("*.csv")))
