"""The outbox as the tray shows it, and the verbs of the tray."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from app.domain.outbox import OutboxItem, OutboxState
from app.domain.person import Person
from app.domain.ports import Clock
from app.session import tray as tray_data
from app.session.clock import local_hms
from app.session.people import patient_line
from app.session.study_headers import StudyHeaders
from app.session.sync_service import SyncService
from app.session.views import Changes, ProofView, QueueView, TrayView
from app.store.database import Tx
from app.store.library import Library

_TRAY_ITEMS = 1000
_STOPPED = (OutboxState.WAITING, OutboxState.AUTH, OutboxState.CONFLICT, OutboxState.REFUSED)


class TrayDesk:
    """``person`` is asked at each verb, so that an event names who is signed in then."""

    def __init__(
        self,
        library: Library,
        sync: SyncService,
        clock: Clock,
        headers: StudyHeaders,
        person: Callable[[], Person],
        chain_intact: Callable[[], bool],
        announce: Callable[[Changes], None],
    ) -> None:
        self._library = library
        self._sync = sync
        self._clock = clock
        self._headers = headers
        self._person = person
        self._chain_intact = chain_intact
        self._announce = announce

    def _sent(self, items: Sequence[OutboxItem]) -> list[tray_data.Sent]:
        sent = []
        for report_id in dict.fromkeys(i.report_id for i in items):
            mine = tuple(i for i in items if i.report_id == report_id)
            study = self._headers.study(mine[0].study_instance_uid)
            signed = next(
                (s for s in self._library.reports.signed(study.study_instance_uid) if s.report.report_id == report_id), None
            )
            sent.append(
                tray_data.Sent(
                    report_id,
                    study.study_instance_uid,
                    study.patient.name.display(),
                    patient_line(study.patient, study.study_datetime, study.patient_age),
                    signed.report.title if signed else study.description,
                    signed.signed_at if signed else "",
                    mine,
                    {i.item_id: self._library.outbox.receipts(i.item_id) for i in mine},
                )
            )
        return sent

    def queue(self) -> QueueView:
        """The top bar's words: three small queries."""
        counts = self._library.outbox.counts()
        midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
        waits = self._library.outbox.items(states=(OutboxState.WAITING,), limit=200) if counts[OutboxState.WAITING] else ()
        down = tray_data.line_problem(waits)
        return QueueView(
            waiting=sum(counts[s] for s in OutboxState if s not in (OutboxState.VERIFIED, OutboxState.ACCEPTED)),
            proven_today=self._library.outbox.reports_proven_since(int(midnight.timestamp() * 1000)),
            line_down_since=local_hms(down[0]) if down else "",
        )

    def view(self) -> TrayView:
        """The latest items; the bar's figures are those of the whole outbox."""
        targets = self._sync.targets()
        items = self._library.outbox.items(limit=_TRAY_ITEMS)
        rows = tray_data.rows(self._sent(items), [t.name for t in targets], self._clock.wall_s())
        queue = self.queue()
        return TrayView(
            line_down_since=queue.line_down_since,
            waiting=queue.waiting,
            proven_today=queue.proven_today,
            targets=targets,
            rows=rows,
            counts=tray_data.counts(rows),
            outbox_bytes=sum(i.size_bytes for i in items if i.state is not OutboxState.VERIFIED),
            chain_entries=self._library.events.count(),
            chain_intact=self._chain_intact(),
        )

    def proof(self, report_id: str) -> ProofView | None:
        sent = next(iter(self._sent(self._library.outbox.items(report_id=report_id))), None)
        return tray_data.proof(sent) if sent is not None else None

    def retry_item(self, report_id: str) -> None:
        """What stopped of a report goes into the queue again."""
        items = self._library.outbox.items(report_id=report_id, states=_STOPPED)
        person = self._person().person_id

        def work(tx: Tx) -> None:
            for item in items:
                self._library.outbox.retry(tx, item.item_id, person)

        self._library.write(work)
        self._sync.wake()
        self._announce(Changes(tray=True, worklist=True))

    def try_now(self) -> None:
        """Everything that waits for a line or a password is tried at once."""
        person = self._person().person_id
        names = self._sync.names()

        def work(tx: Tx) -> None:
            for name in names:
                self._library.outbox.retry_target(tx, name, (OutboxState.WAITING, OutboxState.AUTH), person)

        self._library.write(work)
        self._sync.wake()
        self._announce(Changes(tray=True))
