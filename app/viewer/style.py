"""How large decorations are drawn, and where they need a plate behind them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.viewer.primitives import TextWidth, estimated_width

_MANY = 1024
"""Pixels under a text of which every ninth tells enough: so few are counted without handing over the interpreter."""
_BRIGHT = 105.0


@dataclass(frozen=True)
class Style:
    """``scale``: device pixels per logical pixel times the reader's text size."""

    scale: float = 1.0
    text_width: TextWidth = estimated_width
    corner_texts: bool = True
    """Off by one key: identity, laterality, orientation, remarks and AI labels stay."""
    terse: bool = False
    """A place in a full-mouth mount: only what rank 0 says, and the calibration in two words."""

    @property
    def font(self) -> float:
        return 12.0 * self.scale

    @property
    def line(self) -> float:
        return 16.0 * self.scale

    @property
    def margin(self) -> float:
        return 12.0 * self.scale


def is_bright(grey: npt.NDArray[np.uint8] | None, x: float, y: float, w: float, h: float) -> bool:
    if grey is None:
        return False
    box = grey[max(0, int(y)) : max(0, math.ceil(y + h)), max(0, int(x)) : max(0, math.ceil(x + w))]
    if box.size == 0:
        return False
    if box.ndim == 3:
        box = box[..., :3]
    if box.size > _MANY:
        box = box[::3, ::3]
    # The upper quarter is bright: counted, as sorting for a percentile costs more than the texts themselves.
    return bool(4 * np.count_nonzero(box > _BRIGHT) > box.size)
