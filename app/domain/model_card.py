"""The card of a second reader: what it is for, on what it was measured, what it must not be used for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Metric:
    """A figure with its 95 % interval and the data it was counted on."""

    key: str
    value: float
    low: float
    high: float
    n: int
    data: str
    command: str
    """The command of this repository that prints it again."""


@dataclass(frozen=True)
class CalibrationBand:
    """Of ``n`` marks with a probability in [low, high) on ``data``, ``true`` were true. Only marks that are shown count."""

    low: float
    high: float
    n: int
    true: int
    data: str
    kind: str = ""
    """The word of the findings (``nodule``) that were counted; empty for every one of the reader."""


@dataclass(frozen=True)
class SelectionRules:
    """What a study must be for the reader to accept it; header rules first, see ``ai.md`` 1.2."""

    modality: tuple[str, ...]
    body_parts: tuple[str, ...] = ()
    min_slices: int = 1
    max_slice_spacing_mm: float | None = None
    min_age_years: int | None = None
    exclude_contrast: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelCard:
    reader_name: str
    version: str
    titles: Mapping[str, str]
    """Language code to title."""
    intended_use: Mapping[str, str]
    limits: Mapping[str, tuple[str, ...]]
    rules: SelectionRules
    training_data: tuple[str, ...]
    licence: str
    attributions: tuple[str, ...]
    metrics: tuple[Metric, ...] = ()
    calibration: tuple[CalibrationBand, ...] = ()
    operating_point: str = ""
    threshold: float = 0.5
    research_use_only: bool = True
    mode: str = "second"
    """Default site mode: second, concurrent or triage."""
    seconds_hint: float | None = None
    """Measured seconds on two cores for the stated study; None when not measured."""
