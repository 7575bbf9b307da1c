"""What the client and the worker say to each other: frozen dataclasses as JSON bytes over ``send_bytes``.

No pickle crosses the border. Arrays travel as :class:`ArrayHandle`; the only bulk bytes are the sealed result, sent as
one raw frame right after :class:`Done`. Nothing the worker says in the clear tells what was found: a stage is a fixed
word, ``Done`` is the same for a normal study, a study full of findings and one that is out of scope.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.ai.plain import PlainError, canonical_json, from_plain, strict_json, to_plain
from app.ai.shared_array import ArrayHandle
from app.domain.geometry import VolumeGeometry
from app.domain.problem import Problem, fail

MESSAGE_LIMIT_BYTES = 16 * 1024 * 1024
"""Upper bound of one message (a film study has few handles; a volume has one and its slice UIDs)."""


@dataclass(frozen=True)
class VolumeInput:
    voxels: ArrayHandle
    geometry: VolumeGeometry
    unit: str = ""
    source_sop_instance_uids: tuple[str, ...] = ()
    interpolated: bool = False


@dataclass(frozen=True)
class FilmInput:
    values: ArrayHandle
    sop_instance_uid: str
    spacing_mm: tuple[float, float] | None = None
    detector_spacing_mm: tuple[float, float] | None = None
    laterality: str = ""
    view_position: str = ""
    patient_orientation: tuple[str, ...] = ()
    valid: ArrayHandle | None = None


@dataclass(frozen=True)
class EarlierInput:
    study_date: str
    films: tuple[FilmInput, ...]


@dataclass(frozen=True)
class Job:
    """Read one study: package by path and digest, inputs by handle, the public key (hex) that seals the answer."""

    job_id: str
    package_path: str
    package_sha256: str
    seal_public_key: str
    study_instance_uid: str
    display_set_id: str = ""
    volume: VolumeInput | None = None
    films: tuple[FilmInput, ...] = ()
    patient_age_years: float | None = None
    patient_sex: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    earlier: EarlierInput | None = None


@dataclass(frozen=True)
class SelfTest:
    """Install or check a package: engines chosen, golden cases run."""

    job_id: str
    package_path: str
    package_sha256: str = ""


@dataclass(frozen=True)
class Cancel:
    job_id: str


@dataclass(frozen=True)
class Shutdown:
    pass


@dataclass(frozen=True)
class Ready:
    """First word of a worker."""

    pid: int
    network_closed: bool = False
    """True when the operating system itself gives this process no network."""


@dataclass(frozen=True)
class Progress:
    job_id: str
    fraction: float
    stage: str = ""


@dataclass(frozen=True)
class Heartbeat:
    """Once a second during a job. ``steps`` counts what the job did: when it stands still too long the job hangs."""

    job_id: str
    steps: int


@dataclass(frozen=True)
class Done:
    """The sealed result follows as one raw frame of ``sealed_bytes`` bytes."""

    job_id: str
    sealed_bytes: int
    seconds: float


@dataclass(frozen=True)
class Refused:
    """The package or the input is not acceptable; the same request will be refused again."""

    job_id: str
    problem: Problem


@dataclass(frozen=True)
class Failed:
    """Something broke while working; trying again may help."""

    job_id: str
    problem: Problem
    seconds: float = 0.0


@dataclass(frozen=True)
class Cancelled:
    job_id: str


@dataclass(frozen=True)
class SelfTested:
    job_id: str
    report: Mapping[str, Any]


Message = (
    Job | SelfTest | Cancel | Shutdown | Ready | Progress | Heartbeat | Done | Refused | Failed | Cancelled | SelfTested
)
_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        Job,
        SelfTest,
        Cancel,
        Shutdown,
        Ready,
        Progress,
        Heartbeat,
        Done,
        Refused,
        Failed,
        Cancelled,
        SelfTested,
    )
}


def encode(message: Message) -> bytes:
    return canonical_json({"kind": type(message).__name__, "body": to_plain(message)})


def decode(data: bytes) -> Message:
    """Raises ``ProblemError`` ``ai.message.bad`` for anything that is not one of the messages above."""
    try:
        plain = strict_json(data)
        if not isinstance(plain, dict) or set(plain) != {"kind", "body"} or plain["kind"] not in _KINDS:
            raise PlainError("not a message")
        message: Message = from_plain(_KINDS[plain["kind"]], plain["body"])
        return message
    except (PlainError, TypeError) as error:
        raise fail("ai.message.bad") from error
