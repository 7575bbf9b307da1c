"""Three kills of the whole session in CI; fifty by ``python -m tests.perf.outbox_kill 50``."""

from __future__ import annotations

from pathlib import Path

from app.session.clock import SystemClock
from app.store.library import Library
from tests.flows import stage
from tests.perf.flow_kill import FlowTally, look, prepare, run
from tests.servers import ScriptedServer
from tests.store.conftest import FixedKey


def test_nothing_confirmed_is_lost_when_the_session_is_killed(tmp_path: Path) -> None:
    tally = run(3, 20261123, tmp_path)
    assert tally.clean, tally
    assert tally.kills == 3
    assert tally.reports >= 1
    assert tally.confirmed > 8
    assert tally.proven == tally.items > 0


def test_the_look_notices_what_is_missing(tmp_path: Path) -> None:
    """A check that could not fail would prove nothing: each kind of note about something absent counts."""
    uid = stage.write_study(tmp_path / "dicom")
    with ScriptedServer() as server:
        prepare(tmp_path, server.url)
        notes = tmp_path / "notes"
        notes.write_text(
            f'{{"kind": "study", "study": "{uid}"}}\n{{"kind": "mark", "study": "{uid}", "finding": "1.2"}}\n'
            f'{{"kind": "opinion", "study": "{uid}"}}\n'
            f'{{"kind": "verdict", "study": "{uid}", "finding": "1.2", "decision": "accepted"}}\n'
            f'{{"kind": "report", "study": "{uid}", "report": "1.3"}}\n'
        )
        with Library.open(tmp_path / "home", FixedKey(), SystemClock()) as library:
            tally = FlowTally()
            look(library, tmp_path, server, tally)
    assert (tally.unreadable, tally.lost, tally.clean) == (1, 4, False)
