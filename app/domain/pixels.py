"""Stored values, modality values and windows (PS3.3 C.7.6.3, C.11.1, C.11.2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt


class VoiFunction(StrEnum):
    """VOI LUT Function (0028,1056)."""

    LINEAR = "LINEAR"
    LINEAR_EXACT = "LINEAR_EXACT"
    SIGMOID = "SIGMOID"


@dataclass(frozen=True)
class VoiWindow:
    """Window centre and width in modality values."""

    center: float
    width: float
    function: VoiFunction = VoiFunction.LINEAR
    explanation: str = ""

    def __post_init__(self) -> None:
        # PS3.3 C.11.2.1.2.1: width >= 1 for LINEAR, > 0 for LINEAR_EXACT and SIGMOID.
        if self.function is VoiFunction.LINEAR and self.width < 1:
            raise ValueError('"width" of a LINEAR window must be at least 1')
        if self.width <= 0:
            raise ValueError('"width" of a window must be above 0')


@dataclass(frozen=True)
class Lut:
    """A Modality or VOI LUT Sequence item: ``table[clip(value - first_mapped, 0, n - 1)]`` (PS3.3 C.11.1.1)."""

    first_mapped: int
    table: npt.NDArray[np.uint16]
    bits: int
    explanation: str = ""
    unit: str = ""


@dataclass(frozen=True)
class ModalityTransform:
    """Stored value to modality value: slope and intercept, or a LUT. ``unit`` is Rescale Type ("HU", "US", ...)."""

    slope: float = 1.0
    intercept: float = 0.0
    unit: str = ""
    lut: Lut | None = None

    def __post_init__(self) -> None:
        if self.slope == 0 or not np.isfinite(self.slope):
            raise ValueError('"slope" must be finite and not zero')


@dataclass(frozen=True)
class RealWorldMapping:
    """``slope * value + intercept`` in ``unit`` (UCUM); which values it takes is said where it is used.

    With a table the linear step leads to its index instead: ``table[slope * value + intercept]``, where that is a whole
    number within it.
    """

    slope: float
    intercept: float
    unit: str
    label: str = ""
    first: float | None = None
    last: float | None = None
    """The values that it is made for; outside of them there is no real-world value."""
    table: tuple[float, ...] = ()

    def of(self, value: float) -> float | None:
        """None where the value has no real-world value."""
        found = float(self.of_many(np.asarray([value]))[0])
        return found if np.isfinite(found) else None

    def of_many(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
        """NaN where a value has no real-world value."""
        plain = np.asarray(values, dtype=np.float64)
        out = self.slope * plain + self.intercept
        if self.table:
            index = np.rint(out)
            inside = (np.abs(out - index) < 1e-3) & (index >= 0) & (index < len(self.table))
            out = np.where(inside, np.asarray(self.table)[np.where(inside, index, 0).astype(np.int64)], np.nan)
        for limit, outside in ((self.first, np.less), (self.last, np.greater)):
            if limit is not None:
                slack = 1e-6 * max(1.0, abs(limit))
                out = np.where(outside(plain, limit - slack if outside is np.less else limit + slack), np.nan, out)
        return np.asarray(out, dtype=np.float64)


@dataclass(frozen=True)
class PixelFormat:
    """How the stored pixels of an image object are laid out."""

    rows: int
    columns: int
    frames: int = 1
    samples_per_pixel: int = 1
    photometric_interpretation: str = "MONOCHROME2"
    bits_allocated: int = 16
    bits_stored: int = 16
    high_bit: int = 15
    signed: bool = False
    planar_configuration: int = 0
    pixel_keyword: str = "PixelData"
    """PixelData, FloatPixelData or DoubleFloatPixelData."""

    @property
    def is_colour(self) -> bool:
        return self.samples_per_pixel > 1 or self.photometric_interpretation.startswith("PALETTE")


@dataclass(frozen=True, eq=False)
class FramePixels:
    """One decoded frame, ready to be shown and measured."""

    values: npt.NDArray[np.generic]
    """Grey: (rows, columns) modality values (int16/int32/uint16/float32). Colour: (rows, columns, 3) uint8 RGB."""
    unit: str = ""
    windows: tuple[VoiWindow, ...] = ()
    """As the object offers them; empty when it offers none."""
    voi_lut: Lut | None = None
    inverse: bool = False
    """MONOCHROME1 or an INVERSE presentation LUT: low values are bright."""
    padding: npt.NDArray[np.bool_] | None = None
    """True where Pixel Padding says there is no image; left out of windows and statistics."""
    overlays: tuple[npt.NDArray[np.bool_], ...] = ()
    """Overlay planes, each the size of the frame."""
    overlay_groups: tuple[int, ...] = ()
    """Group (60xx) of each overlay plane."""
    real_world: tuple[RealWorldMapping, ...] = ()
    """Real-world value maps of the object's own header, on modality values."""
    colour_state: str = ""
    """Message id of what a colour profile did to the shown colours; empty where nothing."""
    one_value: bool = False
    """Every stored pixel is the same: there may be nothing in the picture."""

    @property
    def is_colour(self) -> bool:
        return self.values.ndim == 3
