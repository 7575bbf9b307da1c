"""The path of one study through the store, from import to a proven object, across a restart."""

from __future__ import annotations

from pathlib import Path

from app.domain.event import EventKind
from app.domain.outbox import OutboxEvent, OutboxState, Receipt
from app.domain.verdict import Decision, Verdict
from app.store.library import Library
from app.store.sealed import SealState
from tests.store import made
from tests.store.conftest import FixedKey, HandClock


def test_a_study_from_import_to_proof(home: Path, clock: HandClock) -> None:
    study = made.study()
    with Library.open(home, FixedKey(), clock) as library:
        library.write(lambda tx: library.studies.import_study(tx, study, person="p1"))
        library.write(lambda tx: library.drafts.put(tx, "1.2.3", "p1", made.mark()))
        blob = library.objects.put(b"sealed and padded")
        library.write(
            lambda tx: library.sealed.put(tx, "1.2.3", "lung_ct", "1.0.0", SealState.SEALED, object_name=blob.name)
        )
        library.write(lambda tx: library.opinions.commit(tx, made.opinion("1.2.3", "p1", tx.tick(), (made.mark(),))))
        library.write(lambda tx: library.opinions.reveal(tx, "1.2.3", "p1", ["lung_ct"]))
        library.write(
            lambda tx: library.verdicts.give(tx, "1.2.3", Verdict("v1", "2.25.5", Decision.ACCEPTED, "p1", tx.tick()))
        )

        def sign(tx):
            library.reports.sign(
                tx,
                made.report(),
                [made.stored("2.25.50")],
                person_id="p1",
                manifest=b"{}",
                signature=b"der",
                certificate_sha256="ef",
            )
            return library.outbox.enqueue(tx, "folder", made.stored("2.25.50"), report_id="2.25.91", priority=10)

        item = library.write(sign)
        claimed = library.write(lambda tx: library.outbox.claim(tx, "folder"))
        assert claimed is not None
        assert claimed.item_id == item.item_id
        receipt = Receipt(item.item_id, "folder", "2.25.50", "verified", item.sha256, item.sha256, clock.now_iso())
        library.write(lambda tx: library.outbox.apply(tx, item.item_id, OutboxEvent.PROVE, receipt=receipt))

    with Library.open(home, FixedKey(), clock, create=False) as library:
        assert library.studies.load("1.2.3") == study
        (row,) = library.studies.search("aliya akhmetova")
        assert (row.reading_state, row.ai_states, row.revealed) == ("signed", (("lung_ct", "sealed"),), True)
        assert row.sync_states == (("verified", 1),)
        assert library.drafts.marks("1.2.3", "p1") == (made.mark(),)
        assert library.objects.read(blob.locator) == b"sealed and padded"
        assert library.verdicts.current("1.2.3")["2.25.5"].decision is Decision.ACCEPTED
        latest = library.reports.latest("1.2.3")
        assert latest is not None
        assert latest.report == made.report()
        assert library.outbox.counts()[OutboxState.VERIFIED] == 1
        assert library.outbox.receipts(item.item_id) == (receipt,)
        chain = library.events.verify_chain()
        assert chain.intact
        assert chain.length == library.events.count()
        assert [e.kind for e in library.events.query(study="1.2.3")] == [
            EventKind.STUDY_IMPORTED,
            EventKind.MARK_PUT,
            EventKind.READ_SEALED,
            EventKind.OPINION_COMMITTED,
            EventKind.AI_REVEALED,
            EventKind.VERDICT_GIVEN,
            EventKind.REPORT_SIGNED,
            EventKind.OUTBOX_CHANGED,
            EventKind.OUTBOX_CHANGED,
            EventKind.OUTBOX_CHANGED,
        ]
