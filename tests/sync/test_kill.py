"""Three kills of the kill benchmark, and what its examination notices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.domain.outbox import OutboxEvent, Receipt
from app.store.library import Library
from tests.perf.outbox_kill import Tally, examine, run
from tests.servers import ScriptedServer
from tests.sync.objects import TARGET, pdf_object, queue


def test_nothing_is_lost_doubled_or_falsely_proven_when_killed(tmp_path: Path) -> None:
    tally = run(3, 20261123, tmp_path)
    assert tally.clean, tally
    assert tally.kills == 3
    assert tally.proven == tally.items


@pytest.fixture
def proven(library: Library) -> str:
    """An item that the outbox calls verified; its UID."""
    (item,) = queue(library, "one")
    receipt = Receipt(item.item_id, TARGET, item.sop_instance_uid, "verified", item.sha256, item.sha256)

    def work(tx) -> None:  # type: ignore[no-untyped-def]
        library.outbox.claim(tx, TARGET)
        library.outbox.apply(tx, item.item_id, OutboxEvent.PROVE, receipt=receipt)

    library.write(work)
    return item.sop_instance_uid


@pytest.mark.parametrize(("held", "faults"), [(None, 1), (b"other", 1), (pdf_object("one"), 0)])
def test_the_examination_notices_a_false_proof(
    library: Library, server: ScriptedServer, tmp_path: Path, proven: str, held: bytes | None, faults: int
) -> None:
    if held is not None:
        server.stored[proven] = held
    tally = Tally()
    examine(library, tmp_path / "notes", tmp_path / "archive", server, tally)
    assert tally.falsely_proven == faults


def test_the_examination_notices_a_lost_report(library: Library, server: ScriptedServer, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text(json.dumps({"kind": "report", "study": "1.2", "report": "r"}) + "\n")
    tally = Tally()
    examine(library, tmp_path / "notes", tmp_path / "archive", server, tally)
    assert (tally.lost, tally.clean) == (1, False)


def test_the_examination_notices_rows_without_their_siblings(
    library: Library, server: ScriptedServer, tmp_path: Path
) -> None:
    from tests.sync.objects import stored_object

    stored = stored_object(library, "one", pdf_object("one"))

    def work(tx) -> None:  # type: ignore[no-untyped-def]
        library.reports.add_objects(tx, "r", [stored])
        library.outbox.enqueue(tx, TARGET, stored, report_id="r")

    library.write(work)
    tally = Tally()
    examine(library, tmp_path / "notes", tmp_path / "archive", server, tally)
    assert (tally.torn, tally.clean) == (1, False)


def test_the_peer_notices_what_is_sent_again(server: ScriptedServer, clock) -> None:  # type: ignore[no-untyped-def]
    from app.sync.targets.dicomweb import DicomWebSettings, DicomWebTarget
    from tests.sync.objects import item_of

    web = DicomWebTarget(DicomWebSettings(TARGET, server.url), clock)
    data, other = pdf_object("one"), pdf_object("one", b"other")
    web.send(item_of(data), data)
    assert (server.sent_again, server.other_bytes) == ([], [])
    web.send(item_of(data), data)
    web.send(item_of(other), other)
    assert (len(server.sent_again), len(server.other_bytes)) == (1, 1)
