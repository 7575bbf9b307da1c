"""A non-image object as something to read: lines with references, pages, curves. Plain data for any screen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from app.domain.problem import Problem


class DocumentKind(StrEnum):
    REPORT = "report"
    KEY_OBJECTS = "key_objects"
    PDF = "pdf"
    CDA = "cda"
    MODEL = "model"
    WAVEFORM = "waveform"
    VALUES = "values"
    OBJECT = "object"
    """Anything else, by its attributes."""


class LineKind(StrEnum):
    HEADING = "heading"
    ITEM = "item"
    TEXT = "text"
    ROW = "row"
    """A row of a table; ``value`` has its cells with tabs between them."""


@dataclass(frozen=True)
class DocumentLine:
    depth: int
    kind: LineKind
    label: str = ""
    """What it is about, as the object says."""
    value: str = ""
    detail: str = ""
    """Unit, code, relationship."""
    label_id: str = ""
    """Message id where the words are ours."""
    sop_instance_uid: str = ""
    """An object that it refers to."""
    frame: int = 0
    """Zero-based."""
    point_mm: tuple[float, float, float] | None = None
    """A place in the patient that it speaks of, LPS."""
    frame_of_reference_uid: str = ""


@dataclass(frozen=True, eq=False)
class Channel:
    name: str
    unit: str
    values: npt.NDArray[np.float32]
    """In ``unit``; NaN where padding says that nothing was recorded."""


@dataclass(frozen=True, eq=False)
class WaveformGroup:
    label: str
    hertz: float
    channels: tuple[Channel, ...]

    @property
    def seconds(self) -> float:
        return len(self.channels[0].values) / self.hertz if self.channels and self.hertz else 0.0


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles as a model's file has them."""

    points: npt.NDArray[np.float32]
    """(3 x triangles, 3) corners, in the file's own axes."""
    unit: str = ""
    """UCUM code of a length; "" where the object states none: then no millimetres are told."""

    @property
    def mm_per_unit(self) -> float | None:
        return _MILLIMETRES.get(self.unit)


_MILLIMETRES = {"mm": 1.0, "um": 1e-3, "cm": 10.0, "dm": 100.0, "m": 1000.0, "[in_i]": 25.4}


@dataclass(frozen=True, eq=False)
class Document:
    kind: DocumentKind
    title: str
    sop_instance_uid: str
    facts: tuple[tuple[str, str], ...] = ()
    """(message id, words): who, when, complete or not."""
    lines: tuple[DocumentLine, ...] = ()
    pdf: bytes = b""
    pages: tuple[tuple[float, float], ...] = ()
    """(width, height) of the PDF's pages in points."""
    groups: tuple[WaveformGroup, ...] = ()
    remarks: tuple[Problem, ...] = ()
    surface: Surface | None = None
    """A model's triangles."""
