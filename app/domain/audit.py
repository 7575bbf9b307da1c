"""Names of audited acts with their DICOM codes (PS3.15 A.5, PS3.16 CID 400)."""

from __future__ import annotations

from app.domain.event import EventKind

ATNA_CODE: dict[EventKind, str] = {
    EventKind.STUDY_IMPORTED: "110107",
    EventKind.STUDY_OPENED: "110103",
    EventKind.OUTBOX_CHANGED: "110104",
    EventKind.REPORT_SIGNED: "110106",
    EventKind.SESSION_STARTED: "110120",
    EventKind.SESSION_ENDED: "110120",
    EventKind.SETTINGS_CHANGED: "110137",
}
"""DCM event identifiers; kinds that are missing here are clinical events, not ATNA ones."""
