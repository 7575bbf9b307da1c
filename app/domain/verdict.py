"""A person's word on a finding of the second reader."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.domain.finding import Finding


class Decision(StrEnum):
    ACCEPTED = "accepted"
    MODIFIED = "modified"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    """Taken back: the finding waits for an answer again."""


class RejectReason(StrEnum):
    NOT_PRESENT = "not_present"
    NOT_SIGNIFICANT = "not_significant"
    KNOWN_AND_STABLE = "known_and_stable"
    ARTEFACT = "artefact"
    WRONG_LOCATION = "wrong_location"
    WRONG_SIZE = "wrong_size"
    WRONG_TYPE = "wrong_type"
    DUPLICATE = "duplicate"
    OUT_OF_SCOPE = "out_of_scope"
    POOR_IMAGE = "poor_image"


@dataclass(frozen=True)
class Verdict:
    """Append-only: a change of mind is a new verdict that names the one it replaces."""

    verdict_id: str
    finding_id: str
    decision: Decision
    person_id: str
    hlc: str
    reason: RejectReason | None = None
    comment: str = ""
    modified: Finding | None = None
    supersedes: str = ""

    def __post_init__(self) -> None:
        if self.decision is Decision.REJECTED and self.reason is None:
            raise ValueError('"reason" is needed when a finding is rejected')
        if self.decision is Decision.MODIFIED and self.modified is None:
            raise ValueError('"modified" is needed when a finding is modified')


class Overall(StrEnum):
    NOTHING = "nothing"
    FINDINGS = "findings"
    CANNOT_JUDGE = "cannot_judge"
    NOT_GIVEN = "not_given"
    """*Show AI* before a commit: logged as a commit without an opinion."""


class ImageQuality(StrEnum):
    DIAGNOSTIC = "diagnostic"
    LIMITED = "limited"
    NON_DIAGNOSTIC = "non_diagnostic"


@dataclass(frozen=True)
class FirstOpinion:
    """What the reader thought before the second reader was revealed; kept as it was."""

    study_instance_uid: str
    person_id: str
    hlc: str
    overall: Overall
    quality: ImageQuality
    marks: tuple[Finding, ...]
