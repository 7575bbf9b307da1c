"""What a second reader is: a module in ``app/ai/readers/`` with a ``READER`` object of this shape.

A reader runs in the worker process only. It gets modality values with their geometry and the networks of its package,
and gives findings in patient millimetres (or ``image_px`` on films) and probability maps. It never sees the store, the
network or the window. Header rules that need no pixels live in the package's card and are judged before the worker is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from app.domain.finding import Finding, Heatmap, ReaderIdentity, ReadState, SegmentMask
from app.domain.ports import Progress
from app.domain.problem import Problem
from app.domain.teeth import NumberedTooth
from app.domain.volume import Volume


@dataclass(frozen=True, eq=False)
class FilmImage:
    """One film or view. ``values`` (rows, columns) float32 modality values, turned so that dense tissue is bright; where
    padding hides the image they are as dark as its darkest pixel."""

    values: npt.NDArray[np.float32]
    sop_instance_uid: str
    spacing_mm: tuple[float, float] | None = None
    """(row, column) in the patient plane, or None when the film is not calibrated."""
    laterality: str = ""
    view_position: str = ""
    patient_orientation: tuple[str, ...] = ()
    valid: npt.NDArray[np.bool_] | None = None
    """False where padding or a mask hides the image."""
    detector_spacing_mm: tuple[float, float] | None = None
    """(row, column) at the detector (Imager Pixel Spacing): sizes a network's input, never a measurement."""


@dataclass(frozen=True, eq=False)
class EarlierFilms:
    """The films of the newest earlier study of the same patient that the same reader would read."""

    study_date: str
    """YYYYMMDD."""
    films: tuple[FilmImage, ...]


@dataclass(frozen=True, eq=False)
class ReaderJob:
    """Everything a reader may look at: one volume, or the films of one study."""

    study_instance_uid: str
    identity: ReaderIdentity
    volume: Volume | None = None
    films: tuple[FilmImage, ...] = ()
    display_set_id: str = ""
    patient_age_years: float | None = None
    patient_sex: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Header facts as text by snake_case keyword (convolution_kernel, contrast_agent, gantry_tilt...)."""
    earlier: EarlierFilms | None = None
    """Only for readers whose card asks for them (rule ``earlier`` = ``films``), and only where there are some."""


@dataclass(frozen=True, eq=False)
class ReaderOutput:
    """What the reader says. ``state`` is completed, out_of_scope or incomplete; failing is an exception."""

    state: ReadState = ReadState.COMPLETED
    findings: tuple[Finding, ...] = ()
    heatmaps: tuple[Heatmap, ...] = ()
    masks: tuple[SegmentMask, ...] = ()
    problems: tuple[Problem, ...] = ()
    measurements: tuple[tuple[str, float, str], ...] = ()
    teeth: tuple[NumberedTooth, ...] = ()


class Networks(Protocol):
    """The networks of a package, run by whichever engine was chosen for this machine."""

    def run(self, name: str, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Raw outputs (logits) of network ``name`` for a float32 batch ``(n, channels, ...)``. Raises on NaN or Inf."""
        ...


class Reader(Protocol):
    name: str

    def run(self, job: ReaderJob, nets: Networks, parameters: Mapping[str, Any], progress: Progress) -> ReaderOutput:
        """``parameters`` is the package's ``pipeline.json``. Raises ``Cancelled`` between steps when asked to stop."""
        ...
