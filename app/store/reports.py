"""Drafts and signed reports. Signing is one transaction of the caller: report, objects, audit row and outbox rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.domain.event import EventKind
from app.domain.problem import fail
from app.domain.report import Report, ReportStatus, StoredObject
from app.store import codec, hlc
from app.store.database import Row, Tx
from app.store.events import Events
from app.store.reading import Reads, Repository

_COLUMNS = (
    "report_id, study, version, replaces, person, signed_at, hlc, manifest, signature, certificate_sha256, details, body"
)


@dataclass(frozen=True)
class SignedReport:
    """A report that cannot change any more, with what was signed and by whom."""

    report: Report
    person_id: str
    signed_at: str
    """UTC, ISO 8601."""
    hlc: str
    manifest: bytes = field(repr=False)
    """The canonical bytes that the signature is over."""
    signature: bytes = field(repr=False)
    """Detached CMS (DER)."""
    certificate_sha256: str
    details: Mapping[str, str]


class Reports(Repository):
    def __init__(self, library: Reads, events: Events) -> None:
        super().__init__(library)
        self._events = events

    def save_draft(self, tx: Tx, report: Report, person_id: str) -> None:
        """Autosave; the last draft of a study holds."""
        stamp = tx.tick()
        tx.execute(
            "INSERT INTO report_drafts VALUES (?, ?, ?, ?) ON CONFLICT (study) DO UPDATE SET "
            "person = excluded.person, hlc = excluded.hlc, body = excluded.body",
            (report.study_instance_uid, person_id, stamp, codec.pack(report)),
        )
        self._events.append(
            tx,
            EventKind.REPORT_EDITED,
            study=report.study_instance_uid,
            person=person_id,
            body={"report_id": report.report_id, "version": report.version},
            stamp=stamp,
        )

    def draft(self, study_uid: str, tx: Tx | None = None) -> Report | None:
        row = self._read(lambda t: t.one("SELECT body FROM report_drafts WHERE study = ?", (study_uid,)), tx)
        return codec.unpack(Report, row[0]) if row else None

    def discard_draft(self, tx: Tx, study_uid: str) -> None:
        tx.execute("DELETE FROM report_drafts WHERE study = ?", (study_uid,))

    def sign(
        self,
        tx: Tx,
        report: Report,
        objects: Sequence[StoredObject],
        *,
        person_id: str,
        manifest: bytes,
        signature: bytes,
        certificate_sha256: str,
        details: Mapping[str, str] | None = None,
    ) -> SignedReport:
        """Keeps a signed report and its objects, removes the draft, moves the study to signed or addended.

        Raises ``store.report_outdated`` when the version is not the next one or ``replaces`` is not the latest signed
        report: both signings stay possible one after the other, never over each other.
        """
        study = report.study_instance_uid
        latest = self.latest(study, tx)
        wanted = (latest.report.version + 1, latest.report.report_id) if latest else (1, "")
        if (report.version, report.replaces) != wanted:
            raise fail("store.report_outdated", kept_safe="safe.signed_report", next_step="next.addendum")
        stamp = tx.tick()
        signed = SignedReport(
            report, person_id, hlc.utc_iso(stamp), stamp, manifest, signature, certificate_sha256, dict(details or {})
        )
        tx.execute(
            f"INSERT INTO signed_reports ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                report.report_id, study, report.version, report.replaces, person_id, signed.signed_at, stamp,
                manifest, signature, certificate_sha256, json.dumps(signed.details, ensure_ascii=False), codec.pack(report),
            ),
        )  # fmt: skip
        self.add_objects(tx, report.report_id, objects)
        self.discard_draft(tx, study)
        state = ReportStatus.ADDENDED if latest else ReportStatus.SIGNED
        tx.execute(
            "UPDATE studies SET reading_state = ?, reading_person = ? WHERE study_uid = ?", (state.value, person_id, study)
        )
        self._events.append(
            tx,
            EventKind.REPORT_SIGNED,
            study=study,
            person=person_id,
            body={
                "report_id": report.report_id,
                "version": report.version,
                "replaces": report.replaces,
                "certificate_sha256": certificate_sha256,
                "objects": [{"sop_instance_uid": o.sop_instance_uid, "sha256": o.sha256, "kind": o.kind} for o in objects],
            },
            stamp=stamp,
        )
        return signed

    def add_objects(self, tx: Tx, report_id: str, objects: Sequence[StoredObject]) -> None:
        """Names objects of ours (with a report id or an empty one); the same object again changes nothing."""
        for position, stored in enumerate(objects):
            row = tx.one("SELECT body FROM stored_objects WHERE sop_uid = ?", (stored.sop_instance_uid,))
            if row is None:
                tx.execute(
                    "INSERT INTO stored_objects VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        stored.sop_instance_uid, report_id, stored.study_instance_uid, position,
                        stored.object_name, codec.pack(stored),
                    ),
                )  # fmt: skip
            elif codec.unpack(StoredObject, row[0]).sha256 != stored.sha256:
                raise fail("store.same_uid_other_bytes", kept_safe="safe.first_kept", next_step="next.tell_support")

    def objects(self, report_id: str, tx: Tx | None = None) -> tuple[StoredObject, ...]:
        sql = "SELECT body FROM stored_objects WHERE report_id = ? ORDER BY position"
        return tuple(codec.unpack(StoredObject, row[0]) for row in self._read(lambda t: t.all(sql, (report_id,)), tx))

    def objects_of_study(self, study_uid: str, tx: Tx | None = None) -> tuple[StoredObject, ...]:
        sql = "SELECT body FROM stored_objects WHERE study = ? ORDER BY report_id, position"
        return tuple(codec.unpack(StoredObject, row[0]) for row in self._read(lambda t: t.all(sql, (study_uid,)), tx))

    def signed(self, study_uid: str, tx: Tx | None = None) -> tuple[SignedReport, ...]:
        """All versions, first to latest."""
        sql = f"SELECT {_COLUMNS} FROM signed_reports WHERE study = ? ORDER BY version"
        return tuple(_signed(row) for row in self._read(lambda t: t.all(sql, (study_uid,)), tx))

    def latest(self, study_uid: str, tx: Tx | None = None) -> SignedReport | None:
        sql = f"SELECT {_COLUMNS} FROM signed_reports WHERE study = ? ORDER BY version DESC LIMIT 1"
        row = self._read(lambda t: t.one(sql, (study_uid,)), tx)
        return _signed(row) if row else None


def _signed(row: Row) -> SignedReport:
    _, _, _, _, person, signed_at, stamp, manifest, signature, certificate, details, body = row
    report = codec.unpack(Report, body)
    return SignedReport(report, person, signed_at, stamp, manifest, signature, certificate, json.loads(details))
