"""What was found in an earlier study, as far as this person may see it: people's marks, and a second reader's findings."""

from __future__ import annotations

from dataclasses import dataclass

from app.dicom.coding import finding_kind
from app.domain.finding import Finding, ReadState
from app.domain.problem import ProblemError
from app.domain.study import Study
from app.domain.verdict import Decision, RejectReason
from app.session.second_read import SecondReads
from app.store.library import Library

FOLLOWED = ("nodule", "mass")
"""Kinds of a chest CT that are followed from study to study."""
_IS_THERE = (RejectReason.NOT_SIGNIFICANT, RejectReason.KNOWN_AND_STABLE)
"""Rejected, and yet somebody has seen it there."""


@dataclass(frozen=True)
class OpenedThen:
    """``findings`` of second readers that this person was shown, without those that are not there. ``looked``: somebody has
    looked at the study, so that what was not found there was not seen. ``sealed``: a second reader's result waits."""

    findings: tuple[Finding, ...] = ()
    looked: bool = False
    sealed: bool = False


def opened_then(library: Library, reads: SecondReads, study: Study, person: str, sealed: bool) -> OpenedThen:
    """From any thread. Nothing of a reader that this person has not been shown on that study."""
    uid = study.study_instance_uid
    signed = bool(library.reports.signed(uid)) or library.opinions.is_committed(uid, person)
    try:
        results = reads.opened(uid, person)
    except ProblemError:
        return OpenedThen((), signed, sealed)
    verdicts = library.verdicts.current(uid)
    out = []
    for finding in (f for r in results for f in r.findings):
        verdict = verdicts.get(finding.finding_id)
        rejected = verdict is not None and verdict.decision is Decision.REJECTED
        if rejected and verdict is not None and verdict.reason not in _IS_THERE:
            continue
        out.append(verdict.modified if verdict is not None and verdict.modified is not None else finding)
    read = any(r.state is ReadState.COMPLETED for r in results)
    return OpenedThen(tuple(f for f in out if followed(f)), signed or read, sealed)


def followed(finding: Finding) -> bool:
    return finding_kind(finding.code) in FOLLOWED
