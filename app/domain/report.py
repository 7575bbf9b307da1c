"""The report as a document: sections of lines, each line knowing who it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Origin(StrEnum):
    """Who a line comes from; drawn beside it."""

    TEXT = "text"
    MINE = "mine"
    AI_ACCEPTED = "ai_accepted"
    BOTH = "both"


@dataclass(frozen=True)
class ReportLine:
    text: str
    origin: Origin = Origin.TEXT
    finding_ids: tuple[str, ...] = ()
    key_image: int | None = None
    """1-based number of the key image that shows it."""
    edited: bool = False
    """True once the reader changed the words: measurements no longer rewrite it."""


@dataclass(frozen=True)
class ReportSection:
    section_id: str
    """findings, impression, recommendation, technique..."""
    title: str
    lines: tuple[ReportLine, ...] = ()


@dataclass(frozen=True)
class KeyImage:
    number: int
    caption: str
    sop_instance_uid: str
    frame: int
    finding_id: str
    png: bytes = field(repr=False, default=b"")


@dataclass(frozen=True)
class Report:
    report_id: str
    """Own UID (2.25.)."""
    study_instance_uid: str
    version: int
    language: str
    title: str
    sections: tuple[ReportSection, ...]
    key_images: tuple[KeyImage, ...] = ()
    header: Mapping[str, str] = field(default_factory=dict)
    """Label to value, already in the report's language: patient, date, comparison, technique..."""
    replaces: str = ""
    demonstration: bool = False


class ReportStatus(StrEnum):
    DRAFT = "draft"
    SIGNED = "signed"
    ADDENDED = "addended"


@dataclass(frozen=True)
class StoredObject:
    """An object of ours that goes to a storage: content-addressed, immutable, with a UID fixed before the first send."""

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    study_instance_uid: str
    kind: str
    """report_pdf, ai_sr, verdict_sr, seg, heatmap, key_object."""
    sha256: str
    size_bytes: int
    object_name: str
    """Name in the object store."""
