"""A wrong PIN, an expired certificate, a server that says no, is busy or cuts the line: told, kept, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.domain.messages import LANGUAGES, sentence
from app.domain.outbox import OutboxState
from app.domain.problem import Problem, ProblemError
from app.domain.verdict import Overall
from app.security.certificates import make_demo_certificate
from app.session.reading_session import ReadingSession
from app.session.views import WorklistQuery
from app.session.wiring import DEMO_PIN
from tests.flows import stage
from tests.flows.stage import Stage
from tests.servers import ScriptedServer, Step


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path, server: ScriptedServer) -> Iterator[Stage]:
    """A committed study whose report goes to the scripted server."""
    stage.configure_dicomweb(tmp_path / "home", server.url, "user", "secret-password")
    stage.write_study(tmp_path / "dicom")
    with stage.stage(tmp_path / "home", None) as made:
        made.bring(tmp_path / "dicom")
        yield made


def committed(s: Stage) -> ReadingSession:
    uid = s.ws.worklist(WorklistQuery()).rows[0].study_instance_uid
    reading = s.ws.open_study(uid)
    if reading.first_opinion() is None:
        reading.commit(Overall.NOTHING)
    return reading


def signed(s: Stage) -> str:
    reading = committed(s)
    reading.sign(DEMO_PIN)
    s.until(lambda: not s.ws.tasks())
    report = s.ws.library.reports.latest(reading.study.study_instance_uid)
    assert report is not None
    return report.report.report_id


def states(s: Stage) -> list[OutboxState]:
    return sorted(i.state for i in s.ws.library.outbox.items())


def is_told(problem: Problem | None) -> bool:
    """A sentence in every language, with what stays safe or what to do."""
    assert problem is not None
    words = [sentence(language, problem) for language in LANGUAGES]
    assert len(set(words)) == len(LANGUAGES), words
    assert problem.code not in words
    return bool(problem.next_step or problem.kept_safe)


# -- signing


def test_nothing_is_signed_before_the_first_opinion(desk: Stage) -> None:
    uid = desk.ws.worklist(WorklistQuery()).rows[0].study_instance_uid
    reading = desk.ws.open_study(uid)
    with pytest.raises(ProblemError) as refused:
        reading.sign(DEMO_PIN)
    assert refused.value.problem.code == "report.blocked.not_committed"
    assert is_told(refused.value.problem)


@pytest.mark.parametrize("pin", ["", "0000", "246811", "ПИН"])
def test_a_wrong_pin_signs_nothing(desk: Stage, pin: str) -> None:
    reading = committed(desk)
    with pytest.raises(ProblemError) as refused:
        reading.sign(pin)
    assert is_told(refused.value.problem)
    assert pin == "" or pin not in str(refused.value)
    assert desk.ws.library.reports.latest(reading.study.study_instance_uid) is None
    assert desk.ws.library.outbox.items() == ()
    reading.sign(DEMO_PIN)
    desk.until(lambda: not desk.ws.tasks())
    assert desk.ws.library.reports.latest(reading.study.study_instance_uid) is not None


def test_an_expired_certificate_signs_nothing(desk: Stage) -> None:
    reading = committed(desk)
    old = make_demo_certificate("Expired", "1234", now=datetime.now(UTC) - timedelta(days=4000))
    reading.choose_certificate(old, "old.p12")
    with pytest.raises(ProblemError) as refused:
        reading.sign("1234")
    assert "expired" in refused.value.problem.code
    assert is_told(refused.value.problem)
    assert desk.ws.library.outbox.items() == ()


def test_a_file_that_is_no_certificate(desk: Stage) -> None:
    reading = committed(desk)
    reading.choose_certificate(b"not a certificate", "letter.p12")
    with pytest.raises(ProblemError) as refused:
        reading.sign("1234")
    assert is_told(refused.value.problem)


def test_a_disk_that_fills_while_signing_keeps_the_draft(desk: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    from app.store.objects import ObjectStore

    reading = committed(desk)
    reading.add_line("findings", "typed by a person")
    real = ObjectStore._write
    written: list[int] = []

    def write(self, file, content, digest, size, moved):  # type: ignore[no-untyped-def]
        if written:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(1)
        real(self, file, content, digest, size, moved)

    monkeypatch.setattr(ObjectStore, "_write", write)
    reading.sign(DEMO_PIN)
    desk.until(lambda: "store.disk_full" in desk.notices)
    uid = reading.study.study_instance_uid
    assert desk.ws.library.reports.latest(uid) is None
    assert desk.ws.library.outbox.items() == ()
    assert "typed by a person" in repr(reading.report().report)
    monkeypatch.undo()
    for task in desk.ws.tasks():
        desk.ws.dismiss_task(task.task_id)
    reading.sign(DEMO_PIN)
    desk.until(lambda: desk.ws.library.reports.latest(uid) is not None)


# -- sending

ALWAYS = 50


@pytest.mark.parametrize(
    ("step", "state", "code"),
    [
        (Step("status", 401), OutboxState.AUTH, "sync.not_authorised"),
        (Step("status", 403), OutboxState.AUTH, "sync.not_authorised"),
        (Step("status", 413), OutboxState.REFUSED, ""),
        (Step("fail", 409, reason=0xA900), OutboxState.REFUSED, ""),
        (Step("status", 503, {"Retry-After": "3600"}), OutboxState.WAITING, ""),
        (Step("drop_mid_body"), OutboxState.WAITING, ""),
        (Step("portal"), OutboxState.WAITING, ""),
    ],
    ids=["401", "403", "413", "409", "503", "cut", "portal"],
)
def test_a_server_that_does_not_take_it(
    desk: Stage, server: ScriptedServer, step: Step, state: OutboxState, code: str
) -> None:
    server.usually = lambda: step
    report_id = signed(desk)
    # a refusal is met by each object, a line or a password stops the queue at the first
    enough = {OutboxState.REFUSED} if state is OutboxState.REFUSED else {state, OutboxState.QUEUED}
    desk.until(lambda: state in states(desk) and set(states(desk)) <= enough, 20)
    items = desk.ws.library.outbox.items(report_id=report_id)
    assert OutboxState.VERIFIED not in {i.state for i in items}
    assert OutboxState.ACCEPTED not in {i.state for i in items}
    stopped = next(i for i in items if i.state is state)
    assert stopped.last_problem
    assert stopped.last_problem.startswith(code)
    problem = next(t for t in desk.ws.sync.targets() if t.name == "pacs").last_problem
    assert problem is not None
    for language in LANGUAGES:
        assert sentence(language, problem) != problem.code
        assert "secret-password" not in sentence(language, problem)
    row = desk.ws.tray().rows[0]
    assert row.group in ("needs_you", "waits")
    assert row.group == "waits" or row.next_step.id or row.action, "nobody says what to do"
    assert desk.ws.library.objects.read(f"object:{stopped.object_name}"), "the item is kept"

    # the cause is gone: one press, and it is proven, once
    server.usually = lambda: Step("good")
    desk.ws.retry_item(report_id)
    desk.ws.try_now()
    desk.until(lambda: set(states(desk)) == {OutboxState.VERIFIED}, 30)
    assert set(server.times_stored.values()) == {1}


def test_an_answer_that_is_lost_is_not_sent_twice(desk: Stage, server: ScriptedServer) -> None:
    """Stored, then the line went: the programme looks first and proves what is there."""
    server.posts = [Step("store_then_drop"), Step("store_then_drop")]
    signed(desk)
    desk.until(lambda: len(server.stored) >= 1, 20)
    desk.ws.try_now()
    desk.until(lambda: set(states(desk)) == {OutboxState.VERIFIED}, 60)
    assert server.sent_again == []
    assert server.other_bytes == []


def test_other_bytes_under_our_uid_are_a_conflict_for_a_person(desk: Stage, server: ScriptedServer) -> None:
    server.usually = lambda: Step("status", 503, {"Retry-After": "3600"})
    report_id = signed(desk)
    desk.until(lambda: OutboxState.WAITING in states(desk), 20)
    for item in desk.ws.library.outbox.items(report_id=report_id):
        content = bytearray(desk.ws.library.objects.read(f"object:{item.object_name}"))
        content[-2] ^= 1
        server.stored[item.sop_instance_uid] = bytes(content)
    server.usually = lambda: Step("good")
    desk.ws.try_now()
    desk.until(lambda: OutboxState.CONFLICT in states(desk), 20)
    assert OutboxState.VERIFIED not in states(desk)
    row = desk.ws.tray().rows[0]
    assert row.group == "needs_you"


def test_an_addendum_replaces_and_sends_only_what_is_new(desk: Stage, server: ScriptedServer) -> None:
    first = signed(desk)
    reading = committed(desk)
    assert [p.code for p in reading.report().blocked_by] == ["report.blocked.signed"]
    reading.add_line("findings", "An addendum.")
    view = reading.report()
    assert (view.version, view.blocked_by) == (2, ())
    reading.sign(DEMO_PIN)
    desk.until(lambda: not desk.ws.tasks())
    latest = desk.ws.library.reports.latest(reading.study.study_instance_uid)
    assert latest is not None
    assert (latest.report.version, latest.report.replaces) == (2, first)
    desk.until(lambda: set(states(desk)) == {OutboxState.VERIFIED}, 30)
    assert set(server.times_stored.values()) == {1}
    old = desk.ws.library.reports.signed(reading.study.study_instance_uid)
    assert [r.report.version for r in old] == [1, 2]
