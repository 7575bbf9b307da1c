"""One request to a second reader as the session makes it, and the answer it gets. No torch, no files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from app.ai.reader_api import EarlierFilms, FilmImage
from app.domain.problem import Problem
from app.domain.volume import Volume

PRIORITY_STROKE = 100
PRIORITY_OPEN = 50
"""The study on the screen."""
PRIORITY_BACKGROUND = 0


@dataclass(frozen=True, eq=False)
class ReadJob:
    """One volume, or the films of one study, for one package."""

    package_path: Path
    package_sha256: str
    reader_name: str
    reader_version: str
    study_instance_uid: str
    seal_public_key: bytes = b""
    """32 bytes of X25519; the worker seals its answer to it. Set by whoever may open the answer after the commit."""
    display_set_id: str = ""
    volume: Volume | None = None
    films: tuple[FilmImage, ...] = ()
    patient_age_years: float | None = None
    patient_sex: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    priority: int = PRIORITY_OPEN
    earlier: EarlierFilms | None = None

    def __post_init__(self) -> None:
        if (self.volume is None) == (not self.films):
            raise ValueError("a job has either a volume or films")


class OutcomeState(StrEnum):
    SEALED = "sealed"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TESTED = "tested"


@dataclass(frozen=True, eq=False)
class ReadOutcome:
    """What became of a job. ``sealed`` is ciphertext: nothing in this process can open it before the commit."""

    job_id: str
    state: OutcomeState
    sealed: bytes = b""
    problem: Problem | None = None
    """Why refused or failed."""
    retry_offered: bool = False
    seconds: float = 0.0
    report: Mapping[str, Any] = field(default_factory=dict)
    """Of a self-test: engine, difference and seconds per network."""


@dataclass(frozen=True)
class ProgressNote:
    job_id: str
    fraction: float
    stage: str
    """Message id, e.g. ``ai.stage.candidates``; never a number or anything about what was found."""
