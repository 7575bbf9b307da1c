"""What can lie in a pane: the image, a second reader's heatmap, masks. Data and how it appears; no view."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from app.domain.finding import Heatmap, SegmentMask
from app.domain.geometry import VolumeGeometry
from app.domain.label_grid import LabelGrid
from app.domain.pixels import FramePixels, RealWorldMapping
from app.domain.saved_overlay import Fraction
from app.domain.volume import Volume
from app.viewer.dose_levels import Isodose
from app.viewer.view_state import Appearance, ImageGeometry


@dataclass(frozen=True, eq=False)
class ImageLayer:
    """The picture itself: one frame with its flat geometry, or a volume to be cut by the view's plane."""

    appearance: Appearance = Appearance()
    frame: FramePixels | None = None
    geometry: ImageGeometry | None = None
    """Of the frame; volumes bring their own."""
    volume: Volume | None = None
    sop_instance_uid: str = ""
    frame_number: int = 0
    covered: npt.NDArray[np.bool_] | None = None
    """True where the display shutter of the image covers it: (rows, columns); not measured."""
    processed: bool = False
    """The values are made of several frames (mask subtraction), not those that are stored."""
    suv: float | None = None
    """What makes the values SUVbw; None where they are no PET or the header does not allow it."""
    palette: npt.NDArray[np.uint8] | None = None
    """(256, 3) RGB for the grey levels, where a saved look shows them in colours."""
    real_world: tuple[RealWorldMapping, ...] = ()
    """Maps of objects that refer to the image, on modality values."""
    real_world_choice: int = 0
    """Which of all maps the reader wants to be told."""

    def __post_init__(self) -> None:
        if (self.frame is None) == (self.volume is None):
            raise ValueError("an image layer holds either a frame or a volume")
        if self.frame is not None:
            if self.geometry is None:
                raise ValueError('"geometry" is needed with a frame')
            if self.frame.values.shape[:2] != (self.geometry.rows, self.geometry.columns):
                raise ValueError('"geometry" and the frame differ in rows or columns')

    @property
    def real_world_maps(self) -> tuple[RealWorldMapping, ...]:
        """Those of the image's own header, then those of others; the chosen one first."""
        found = (*(self.frame.real_world if self.frame is not None else ()), *self.real_world)
        at = self.real_world_choice % len(found) if found else 0
        return (*found[at:], *found[:at])

    @property
    def unit(self) -> str:
        source = self.frame if self.frame is not None else self.volume
        return source.unit if source is not None else ""


@dataclass(frozen=True, eq=False)
class HeatmapLayer:
    """Probability on its absolute scale 0..1; drawn only after the reveal (the session decides)."""

    heatmap: Heatmap
    appearance: Appearance = Appearance(lut="inferno", opacity=0.6, threshold=0.3)
    legend: bool = True
    """The second reader's scale stands beside it; maps of others bring their own."""


@dataclass(frozen=True, eq=False)
class MaskLayer:
    mask: SegmentMask
    rgb: tuple[int, int, int]
    """The colour that the role has in the theme; the viewer knows roles only."""
    appearance: Appearance = Appearance(opacity=0.35)
    outline_px: int = 1
    """Width of the outline in pane pixels; 0 for none."""


@dataclass(frozen=True, eq=False)
class FractionLayer:
    """A segment that is more or less there: its colour is the denser, the larger its fraction."""

    fraction: Fraction
    rgb: tuple[int, int, int]
    appearance: Appearance = Appearance(opacity=0.75)
    """Opacity of a fraction of one."""


class OverMode(StrEnum):
    """How a second volume is shown with the first."""

    BLEND = "blend"
    """In colour over it (PET over CT)."""
    DIFFERENCE = "difference"
    """First less second, grey at zero."""
    SECOND = "second"
    """The second alone, on the first one's plane and in its window: for flicker."""


@dataclass(frozen=True, eq=False)
class FusionLayer:
    """A second volume on the plane of the first; ``geometry`` is its place in the first one's patient space."""

    volume: Volume
    geometry: VolumeGeometry
    appearance: Appearance = Appearance(lut="hot_iron", opacity=0.6)
    mode: OverMode = OverMode.BLEND
    registered: bool = False
    """The place was found by registration, not by a common frame of reference."""
    isodoses: tuple[Isodose, ...] = ()
    """Lines of a dose over its wash."""
    gain: tuple[float, float] = (1.0, 0.0)
    """(factor, offset) that bring its values to the range of the first one's, for SECOND; not for subtraction."""


@dataclass(frozen=True, eq=False)
class FilmLayer:
    """Another film in the place of the pane's own, for flicker."""

    frame: FramePixels
    to_second: npt.NDArray[np.float64]
    """(2, 3): image px of the pane's film to those of this one."""
    aligned: bool = False
    """By what the films show; False: fitted by size only."""
    appearance: Appearance = Appearance()


@dataclass(frozen=True, eq=False)
class LabelLayer:
    """Many segments as one plane of numbers."""

    grid: LabelGrid
    rgb: npt.NDArray[np.uint8]
    """(256, 3): colour of each number; 0 is no segment."""
    table: npt.NDArray[np.int32]
    """``labels.table_of(rgb, opacity)``: made once, looked up for every pixel."""
    appearance: Appearance = Appearance(opacity=0.35)
    outline_px: int = 1


Layer = ImageLayer | HeatmapLayer | MaskLayer | FractionLayer | FusionLayer | FilmLayer | LabelLayer
