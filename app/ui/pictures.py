"""Arrays of the session as Qt images. Copies: Qt never looks into memory that numpy may give back."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PySide6.QtGui import QImage


def to_image(pixels: npt.NDArray[np.uint8]) -> QImage:
    """``(rows, columns)`` grey, ``(rows, columns, 3)`` RGB or ``(rows, columns, 4)`` RGBA, uint8."""
    array: npt.NDArray[np.uint8] = np.ascontiguousarray(pixels, dtype=np.uint8)
    height, width = array.shape[:2]
    if array.ndim == 2:
        form = QImage.Format.Format_Grayscale8
    else:
        form = QImage.Format.Format_RGB888 if array.shape[2] == 3 else QImage.Format.Format_RGBA8888
    return QImage(array.data, width, height, array.strides[0], form).copy()


class Thumbnails:
    """Small pictures by display set, asked of the workstation once and kept."""

    def __init__(self, workstation: Any) -> None:
        self._workstation = workstation
        self._kept: dict[str, QImage] = {}

    def get(self, display_set_id: str) -> QImage | None:
        """None while it is being made; ``Changes(images=True)`` follows."""
        if not display_set_id:
            return None
        kept = self._kept.get(display_set_id)
        if kept is None:
            made = self._workstation.thumbnail(display_set_id)
            if made is None:
                return None
            kept = self._kept[display_set_id] = to_image(made.pixels)
            if len(self._kept) > 2000:
                self._kept.pop(next(iter(self._kept)))
        return kept
