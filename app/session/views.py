"""What the screens show, as plain data. Words are message ids with parameters; the screen turns them into sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from app.domain.finding import Finding, ReadState
from app.domain.outbox import OutboxState
from app.domain.problem import Problem
from app.domain.report import Report
from app.domain.verdict import Verdict


@dataclass(frozen=True)
class Changes:
    """What kind of thing changed; widgets note it and pull when they paint."""

    worklist: bool = False
    study: bool = False
    layout: bool = False
    view: bool = False
    images: bool = False
    findings: bool = False
    marks: bool = False
    """What is drawn over the images while a hand draws it; no list and no text depends on it."""
    second_read: bool = False
    report: bool = False
    tray: bool = False
    tasks: bool = False
    settings: bool = False


@dataclass(frozen=True)
class Words:
    """A message id with its parameters."""

    id: str
    params: Mapping[str, str | int | float | Words] = field(default_factory=dict)
    """A parameter may be words itself; it is translated first."""


NOTHING = Words("")


@dataclass(frozen=True)
class Notice:
    """Something to say on the status line or in a pop-over."""

    problem: Problem
    retry: str = ""
    """Name of the command that tries again, or empty."""
    action: Words = NOTHING
    """What the button says; nothing: to try again."""


class TaskState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class TaskView:
    task_id: str
    title: Words
    state: TaskState
    fraction: float = 0.0
    stage: str = ""
    """Message id of the step."""
    problem: Problem | None = None


@dataclass(frozen=True)
class Status:
    """One cell of the worklist: an icon name, a word, a second line, progress where something runs."""

    icon: str
    title: Words
    detail: Words = NOTHING
    role: str = "text"
    """theme role: text, ai, mine, ok, bad, waiting."""
    fraction: float | None = None


class AiState(StrEnum):
    NO_READER = "no_reader"
    REFUSED = "refused"
    WAITING = "waiting"
    RUNNING = "running"
    SEALED = "sealed"
    REVEALED = "revealed"
    FAILED = "failed"


class ReadingState(StrEnum):
    UNREAD = "unread"
    IN_PROGRESS = "in_progress"
    COMMITTED = "committed"
    SIGNED = "signed"
    ADDENDED = "addended"


@dataclass(frozen=True)
class WorklistQuery:
    text: str = ""
    filter: str = "all"
    """all, mine, stroke, unread, sealed, to_sign, signed, refused."""
    modalities: frozenset[str] | None = None
    """None: all of them."""
    days: int | None = None
    order: str = "priority"
    """priority (then newest), newest, name."""


@dataclass(frozen=True)
class WorklistRow:
    study_instance_uid: str
    patient_name: str
    patient_line: Words
    """``worklist.patient_line`` with sex, age, masked number."""
    match: tuple[int, int] | None
    """(start, length) in ``patient_name`` of what the search found."""
    modality: str
    title: str
    subtitle: Words
    arrived: str
    """HH:MM today, else DD.MM.YYYY."""
    site: str
    ai: Status
    reading: Status
    storage: Status
    matched: bool
    """False for rows that the search did not find: they stay, below."""
    demonstration: bool = False
    thumbnail: str = ""
    """Display set id of the picture in the list; empty when the study has no picture."""


@dataclass(frozen=True)
class WorklistView:
    rows: tuple[WorklistRow, ...]
    total: int
    counts: Mapping[str, int]
    """Filter name to number of studies."""
    modality_counts: Mapping[str, int]
    matches: int
    finds: tuple[str, ...]
    """Spellings that the search also finds."""


@dataclass(frozen=True)
class HistoryEntry:
    study_instance_uid: str
    title: str
    date: str
    site: str
    icon: str
    state: Words
    detail: Words
    role: str = "text"
    current: bool = False


@dataclass(frozen=True)
class StudyPreview:
    study_instance_uid: str
    patient_name: str
    patient_line: Words
    title: str
    facts: tuple[tuple[Words, str], ...]
    thumbnails: tuple[str, ...]
    """Display set ids, best first."""
    ai: Status
    ai_reader: str
    history: tuple[HistoryEntry, ...]
    chain_entries: int
    chain_intact: bool
    repairs: tuple[Problem, ...] = ()
    """What had to be mended to read its objects, each once."""


@dataclass(frozen=True)
class ReaderOnThisPc:
    """A line of the first-run screen."""

    name: str
    version: str
    title: str
    modality: str
    detail: Words
    seconds: float | None
    state: str
    """ready, untested, broken."""
    problem: Problem | None = None
    mode: str = "second"


@dataclass(frozen=True)
class SavedObject:
    """A look or an overlay that somebody saved with a study; a line of the strip."""

    sop_instance_uid: str
    kind: str
    """presentation, segmentation, map, structures."""
    title: str
    detail: Words
    on: bool
    problem: Problem | None = None
    study_instance_uid: str = ""


@dataclass(frozen=True)
class SeriesCard:
    display_set_id: str
    number: str
    label: str
    images: int
    modality: str
    kind: str
    split_reason: Problem | None
    remarks: tuple[Problem, ...]
    active: bool
    prior_date: str = ""
    """Set for priors."""
    study_instance_uid: str = ""
    looks: tuple[SavedObject, ...] = ()
    """Presentation states that refer to its images."""


@dataclass(frozen=True)
class FindingCard:
    """One finding on the right-hand panel."""

    finding: Finding
    badge: str
    """1, 2... for the reader's own; A1, A2... for the second reader's."""
    title: Words
    region: Words
    sizes: tuple[tuple[Words, str, str], ...]
    """(what, number, unit)."""
    place: Words
    """Series, image, z."""
    verdict: Verdict | None = None
    agrees_with: str = ""
    """Badge of the reader's own mark that says the same."""
    of_100: int | None = None
    """Of 100 marks in this band about this many were true..."""
    of_100_data: str = ""
    of_100_interval: tuple[int, int] | None = None
    band_range: tuple[float, float] | None = None


@dataclass(frozen=True)
class ReaderSaid:
    """How one second reader fared with the study, and what it measured of the whole of it."""

    reader: str
    version: str
    titles: Mapping[str, str]
    """By language; empty when its package is gone."""
    state: ReadState
    problems: tuple[Problem, ...] = ()
    """Why it did not read; remarks when it did."""
    values: tuple[tuple[Words, float, str], ...] = ()
    """(what, value, UCUM unit)."""

    @property
    def has_read(self) -> bool:
        return self.state in (ReadState.COMPLETED, ReadState.INCOMPLETE)


@dataclass(frozen=True)
class SecondReadView:
    state: AiState
    reader: str
    version: str
    problem: Problem | None
    fraction: float | None
    ready_at: str
    mode: str
    committed_at: str
    own: tuple[FindingCard, ...]
    ai_only: tuple[FindingCard, ...]
    only_mine: tuple[FindingCard, ...]
    agreed: tuple[FindingCard, ...]
    """AI findings that agree with an own mark; they are answered with *agree*."""
    unanswered: int
    total_ai: int
    heatmap_available: bool
    heatmap_visible: bool
    heatmap_opacity: float
    heatmap_threshold: float
    said: tuple[ReaderSaid, ...] = ()
    """Of every reader whose run has ended; empty before the first opinion."""


@dataclass(frozen=True)
class ReportView:
    report: Report
    saved_at: str
    blocked_by: tuple[Problem, ...]
    """Why it cannot be signed yet; empty when it can."""
    certificate: str
    """Name on the certificate, or empty when there is none."""
    certificate_detail: Words
    is_test_certificate: bool
    signed_at: str
    version: int
    templates: tuple[tuple[str, str], ...]
    """(template id, title in the report's language)."""
    template: str
    storage: tuple[Status, ...]
    """Queued, accepted, proven: what happens, or happened, after signing."""
    remarks: tuple[Problem, ...] = ()
    """What the signer should know; nothing of it blocks."""


@dataclass(frozen=True)
class TargetView:
    name: str
    title: str
    kind: str
    detail: Words
    up: bool | None
    """None: not tried yet."""
    counts: Mapping[OutboxState, int]
    last_problem: Problem | None


@dataclass(frozen=True)
class TrayRow:
    report_id: str
    study_instance_uid: str
    patient_name: str
    patient_line: Words
    title: str
    contents: Words
    size_bytes: int
    group: str
    """needs_you, moving, waits, proven."""
    per_target: tuple[tuple[str, Status], ...]
    next_step: Words
    action: str
    """Command of the row's button (retry, resend), or empty."""


@dataclass(frozen=True)
class ProofStep:
    title: Words
    detail: Words
    at: str
    icon: str
    role: str = "text"


@dataclass(frozen=True)
class ProofView:
    report_id: str
    title: Words
    patient_name: str
    what: str
    steps: tuple[ProofStep, ...]
    objects: tuple[tuple[Words, int, str, bool], ...]
    """(what, bytes, SHA-256, equal there)."""
    facts: tuple[tuple[Words, str], ...]


@dataclass(frozen=True)
class QueueView:
    """What the top bar says of the outbox; cheap enough to ask for at every change."""

    waiting: int
    proven_today: int
    line_down_since: str


@dataclass(frozen=True)
class TrayView:
    line_down_since: str
    waiting: int
    proven_today: int
    targets: tuple[TargetView, ...]
    rows: tuple[TrayRow, ...]
    counts: Mapping[str, int]
    """Filter name (everything, needs_you, queued, sending, sent, proven) to number."""
    outbox_bytes: int
    chain_entries: int
    chain_intact: bool


@dataclass(frozen=True, eq=False)
class Thumbnail:
    display_set_id: str
    pixels: npt.NDArray[np.uint8]
    """(rows, columns) grey or (rows, columns, 3)."""
