"""Before the first opinion no file, row, log, widget or call tells what a second reader found; after it they do."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QWidget

from app.ai.read_job import ProgressNote
from app.demo import Demo
from app.domain.problem import ProblemError
from app.domain.verdict import Decision, Overall
from app.security.redaction import close_logging, setup_logging
from app.session.reading_session import ReadingSession
from app.session.views import AiState, WorklistQuery
from app.store.sealed import SealState
from tests import phantoms
from tests.flows import stage
from tests.flows.conftest import OpenDesk
from tests.flows.stage import BALLS, OTHER, PROBABILITY, SCORE, SIZE_MM, Beacon

# What the reader says, as it would be written: the digits of scores, sizes and centres, and its finding identifiers.
# With the four decimals that the worker lets out.
TOLD = [f"{SCORE - 0.01 * n:.4f}" for n in range(1, 5)] + [f"{SIZE_MM + n:.4f}" for n in range(1, 5)]
TOLD += [f"{PROBABILITY:.4f}"]
SHORT = [f"{SIZE_MM + n:.1f}" for n in range(1, 5)]
"""As a person would read them on a screen."""


@pytest.fixture(autouse=True)
def _log(tmp_path: Path) -> Iterator[None]:
    setup_logging(tmp_path / "home", level=logging.DEBUG)
    yield
    close_logging()


_SPEAKING = ("text", "accessibleName", "accessibleDescription", "toolTip", "statusTip", "whatsThis", "placeholderText")


def uids(study: str) -> list[str]:
    from app.domain.identity import uid_for

    return [uid_for(study, "beacon", str(n)) for n in range(1, 5)]


def needles(study: str) -> list[bytes]:
    return [t.encode() for t in (*TOLD, *uids(study))]


def everything_plain(demo: Demo, home: Path) -> Iterator[tuple[str, bytes]]:
    """Every byte of the home as it lies, every object decrypted, every row of the database."""
    for path in sorted(home.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(home)), path.read_bytes()
    library = demo.workstation.library
    for name in library.objects.names():
        yield f"object {name}", library.objects.read(f"object:{name}")

    def rows(tx: object) -> list[tuple[str, bytes]]:
        found = []
        for (table,) in tx.all("SELECT name FROM sqlite_master WHERE type = 'table'"):  # type: ignore[attr-defined]
            if str(table).startswith("sqlite_"):
                continue
            for row in tx.all(f'SELECT * FROM "{table}"'):  # type: ignore[attr-defined]
                found.append((f"row of {table}", b" ".join(v if isinstance(v, bytes) else str(v).encode() for v in row)))
        return found

    yield from library.read(rows)
    for event in library.events.query():
        yield f"event {event.kind}", repr(event).encode()


def on_screen(window: QWidget) -> str:
    """All words of all widgets: text, names for screen readers, tool tips."""
    told = []
    for widget in [window, *QApplication.allWidgets()]:
        for name in (
            "text",
            "accessibleName",
            "accessibleDescription",
            "toolTip",
            "statusTip",
            "whatsThis",
            "placeholderText",
        ):
            call = getattr(widget, name, None)
            if callable(call):
                try:
                    told.append(str(call()))
                except TypeError:
                    continue
    return "\n".join(told)


def session_words(demo: Demo, reading: ReadingSession) -> str:
    """All that the session tells a window, as text."""
    workstation = demo.workstation
    uid = reading.study.study_instance_uid
    told: list[object] = [
        reading.second_read(),
        reading.report(),
        reading.desk.overlay(),
        reading.desk.results,
        reading.desk.ai_findings(),
        reading.desk.unanswered(),
        reading.history(),
        reading.series_cards(),
        workstation.worklist(WorklistQuery()),
        workstation.preview(uid),
        workstation.tray(),
        workstation.reads.results(uid),
        workstation.library.sealed.for_study(uid),
    ]
    return repr(told)


def names_in(text: str, wanted: list[str]) -> list[str]:
    return [w for w in wanted if re.search(rf"(?<![\d.]){re.escape(w)}", text)]


def test_nothing_tells_before_the_commit_and_everything_is_there_after(
    open_desk: OpenDesk, beacon: Beacon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    notes: list[ProgressNote] = []
    from app.session.second_read import SecondReads

    original = SecondReads._submit

    def listening(self: SecondReads, run: object, job: object) -> None:
        client = self._client
        assert client is not None
        submit = client.submit

        def spy(job, on_progress=None, on_done=None):  # type: ignore[no-untyped-def]
            def heard(note: ProgressNote) -> None:
                notes.append(note)
                if on_progress is not None:
                    on_progress(note)

            return submit(job, heard, on_done)

        monkeypatch.setattr(client, "submit", spy)
        original(self, run, job)  # type: ignore[arg-type]
        monkeypatch.setattr(client, "submit", submit)

    monkeypatch.setattr(SecondReads, "_submit", listening)
    uid = stage.write_study(tmp_path / "dicom")
    demo = open_desk(home, beacon)
    window, workstation = demo.window, demo.workstation
    window.import_paths([tmp_path / "dicom"])
    demo.until(lambda: not workstation.tasks(), 30, "import")
    demo.until(lambda: not workstation.reads.busy(), 60, "second read")
    window.open_study(uid)
    reading = workstation.reading
    assert reading is not None
    demo.settle()
    assert reading.second_read().state is AiState.SEALED
    assert notes, "no progress was heard: the test would prove nothing"

    wanted = needles(uid)
    for where, content in everything_plain(demo, home):
        for needle in wanted:
            assert needle not in content, f"{needle!r} in {where}"
    for screen in ("reading", "worklist", "reading", "tray", "report"):
        window.go(screen)
        demo.settle()
        text = on_screen(window)
        assert not names_in(text, [*TOLD, *SHORT, *uids(uid)]), screen
    told = session_words(demo, reading)
    assert not names_in(told, [*TOLD, *SHORT, *uids(uid)])
    view = reading.second_read()
    assert (view.total_ai, view.unanswered, view.ai_only, view.agreed, view.heatmap_available) == (0, 0, (), (), False)
    overlay = reading.desk.overlay()
    assert (overlay.ai_shown, overlay.marks, overlay.layers) == (False, (), ())
    for note in notes:
        assert not names_in(repr(note), [*TOLD, *SHORT, *uids(uid)])
        assert not re.search(r"stage='[^']*\d", repr(note)), note  # stages are words, never counts
    with pytest.raises(ProblemError) as refused:
        workstation.reads.opened(uid, workstation.person.person_id)
    assert refused.value.problem.code == "second_read.sealed"
    with pytest.raises(ProblemError):
        reading.accept(uids(uid)[0])
    for finding_id in uids(uid):
        assert reading.finding_card(finding_id) is None
        assert reading.desk.finding(finding_id) is None

    # after the commit it is there, and the same search would have found it
    reading.commit(Overall.NOTHING)
    demo.settle()
    assert len(reading.desk.ai_findings()) == 4
    told = session_words(demo, reading)
    assert len(names_in(told, TOLD[:4])) == 4
    window.go("reading")
    demo.settle()
    assert names_in(on_screen(window), SHORT)
    # the object itself stays ciphertext for ever
    for where, content in everything_plain(demo, home):
        if where.startswith("object"):
            assert TOLD[0].encode() not in content, where


def test_a_study_with_findings_looks_like_one_without(beacon: Beacon, tmp_path: Path) -> None:
    """Size of the sealed object, state, order in the list and events are the same with four findings or none."""
    rich = stage.write_study(tmp_path / "rich", "same", phantoms.ALIYA)
    balls = phantoms.spheres_volume([])
    phantoms.write_ct(tmp_path / "poor", balls, patient=phantoms.VIKTOR, key="same")
    with stage.stage(tmp_path / "home", beacon) as s:
        s.bring(tmp_path / "rich", tmp_path / "poor")
        s.read()
        library = s.ws.library
        rows = {r.study_instance_uid: r for r in s.ws.worklist(WorklistQuery()).rows}
        assert len(rows) == 2
        poor = next(u for u in rows if u != rich)
        sealed = {u: s.ws.reads.results(u) for u in rows}
        assert [r.state for u in rows for r in sealed[u]] == [SealState.SEALED] * 2
        sizes = {u: library.objects.info(sealed[u][0].object_name).size_bytes for u in rows}
        assert sizes[rich] == sizes[poor], "the size of the sealed object tells how much was found"
        assert rows[rich].ai.title == rows[poor].ai.title
        kinds = [[e.kind for e in library.events.query(study=u)] for u in (rich, poor)]
        assert kinds[0] == kinds[1]
        before = [r.study_instance_uid for r in s.ws.worklist(WorklistQuery()).rows]
        # the order follows name and date only: it is the same in a home where nothing was read
    with stage.stage(tmp_path / "unread", None) as s:
        s.bring(tmp_path / "rich", tmp_path / "poor")
        assert [r.study_instance_uid for r in s.ws.worklist(WorklistQuery()).rows] == before


def test_another_person_who_has_not_committed_sees_nothing(beacon: Beacon, tmp_path: Path) -> None:
    uid = stage.write_study(tmp_path / "dicom")
    home = tmp_path / "home"
    with stage.stage(home, beacon) as s:
        s.bring(tmp_path / "dicom")
        s.read()
        reading = s.ws.open_study(uid)
        reading.commit(Overall.NOTHING)
        findings = reading.desk.ai_findings()
        assert len(findings) == 4
        reading.accept(findings[0].finding_id)
    with stage.stage(home, beacon, OTHER) as s:
        reading = s.ws.open_study(uid)
        view = reading.second_read()
        assert view.state is AiState.SEALED
        assert (view.total_ai, view.ai_only, view.agreed, view.unanswered) == (0, (), (), 0)
        row = s.ws.worklist(WorklistQuery()).rows[0]
        assert row.ai.title.id == "ai.sealed"
        assert Decision.ACCEPTED.value not in repr(row.ai)
        text = repr((view, reading.report(), reading.desk.overlay(), s.ws.preview(uid), row))
        assert not names_in(text, [*TOLD, *SHORT, *uids(uid)])
        with pytest.raises(ProblemError):
            s.ws.reads.opened(uid, OTHER.person_id)
        # after the own commit it is open, with the other's verdict
        reading.commit(Overall.NOTHING)
        assert reading.second_read().total_ai == 4


def test_ekinshi_read_refuses_a_study_that_waits_for_its_first_opinion(
    beacon: Beacon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.session import commands

    uid = stage.write_study(tmp_path / "dicom")
    with stage.stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "dicom")
        keys = stage.options(tmp_path / "home", None).keys
    monkeypatch.setenv("EKINSHI_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(commands, "default_key_provider", lambda home: keys)
    assert commands.sealed_studies() == {uid}
    with stage.stage(tmp_path / "home", None) as s:
        s.ws.open_study(uid).commit(Overall.NOTHING)
    assert commands.sealed_studies() == frozenset()


def test_marks_near_a_ball_do_not_react_before_the_commit(beacon: Beacon, tmp_path: Path) -> None:
    """An own mark on the very place of a finding is told nothing by its card."""
    uid = stage.write_study(tmp_path / "dicom")
    with stage.stage(tmp_path / "home", beacon) as s:
        s.bring(tmp_path / "dicom")
        s.read()
        reading = s.ws.open_study(uid)
        for pane in reading.layout().panes:
            reading.picture_request(pane.pane_id, 300, 300)()
        s.until(lambda: not s.ws.busy())
        reading.room.show_point(BALLS[1])
        assert reading.add_mark()
        cards = reading.second_read().own
        assert len(cards) == 1
        assert cards[0].agrees_with == ""
        assert cards[0].of_100 is None
