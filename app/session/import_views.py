"""What the import dialog shows, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

import numpy as np
import numpy.typing as npt

from app.dicom.plain_pictures import PictureInfo
from app.domain.problem import Problem
from app.domain.study import Patient, RefusedFile
from app.session.views import NOTHING, Words


class Phase(StrEnum):
    IDLE = "idle"
    SCANNING = "scanning"
    CHOOSING = "choosing"
    IMPORTING = "importing"
    PAUSED = "paused"
    DONE = "done"


class Level(IntEnum):
    PATIENT = 0
    STUDY = 1
    SERIES = 2


class Check(IntEnum):
    OFF = 0
    SOME = 1
    ON = 2


@dataclass(frozen=True)
class ImportLine:
    """One row of the tree."""

    key: str
    parent: str
    level: Level
    title: str
    note: Words | str
    modality: str
    images: int
    size_bytes: int
    check: Check
    choosable: bool
    icon: str
    state: Words
    role: str = "text"
    fraction: float | None = None
    done_bytes: int = 0
    picture: str = ""
    """Key for :meth:`ImportDesk.picture`."""
    why: Problem | None = None


@dataclass(frozen=True)
class FoundPicture:
    """A file without a header: it needs a patient whom a person confirms."""

    picture_id: str
    path: str
    """Of the file, or archive!member."""
    name: str
    info: PictureInfo
    bound_to: str = ""
    """Name of the patient, once bound."""
    left: bool = False
    """A person left it out."""


@dataclass(frozen=True)
class KnownPatient:
    """A patient whom a picture can be bound to."""

    key: str
    patient: Patient
    name: str
    line: Words
    on_this_medium: bool


@dataclass(frozen=True, eq=False)
class ImportView:
    phase: Phase
    title: str
    """Name of the folder, disc, archive or file."""
    read_only_medium: bool = False
    lines: tuple[ImportLine, ...] = ()
    patients: int = 0
    studies: int = 0
    fraction: float = 0.0
    done_bytes: int = 0
    total_bytes: int = 0
    bytes_per_s: float | None = None
    seconds_left: float | None = None
    now: str = ""
    """The file that is being read."""
    files_seen: int = 0
    scan_s: float = 0.0
    programs: int = 0
    """Files of a disc viewer and the like: not read, never run."""
    comparing: bool = False
    chosen_studies: int = 0
    chosen_images: int = 0
    new_images: int = 0
    new_bytes: int = 0
    free_bytes: int = 0
    refused: tuple[RefusedFile, ...] = ()
    remarks: tuple[Problem, ...] = ()
    pictures: tuple[FoundPicture, ...] = ()
    ended: Words = NOTHING
    """How it ended, in a sentence."""
    problem: Problem | None = None
    medium: str = ""
    """Name of the disc or stick that can be ejected now; empty where there is none."""


@dataclass(frozen=True, eq=False)
class SmallPicture:
    key: str
    pixels: npt.NDArray[np.uint8] = field(repr=False)


@dataclass(frozen=True)
class CutImport:
    """An import that was cut and can go on."""

    job_id: str
    title: str
    begun_at: str
    done_bytes: int
    total_bytes: int
    here: bool
    """Its folder or disc can be seen now."""
