"""The small parts of the session, exact: agreement, cards, tray, tasks, list, undo."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest

from app.domain.finding import Finding, Location, ReaderIdentity, Source
from app.domain.measurement import Code, Measurement, Quantity
from app.domain.model_card import CalibrationBand
from app.domain.outbox import OutboxItem, OutboxState, Receipt
from app.domain.ports import Cancelled, Progress
from app.domain.problem import Problem, ProblemError, fail
from app.session import cards, tray
from app.session.agreement import agreements, distance
from app.session.clock import age_years
from app.session.loop import QueueLoop
from app.session.tasks import TaskRunner
from app.session.views import TaskState, Words, WorklistQuery
from app.session.worklist import AiFacts, _match_span, build
from app.store.search_key import query_words

NODULE = Code("27925004", "SCT", "Nodule")
READER = ReaderIdentity("tiny", "1.0.0", "ab" * 32, "balanced")


def finding(name: str, centre: tuple[float, float, float], size_mm: float = 6.0, frame: str = "1.2.3") -> Finding:
    measured = (Measurement(Quantity.LONG_AXIS, size_mm, "mm"),)
    return Finding(name, Source.MINE, NODULE, Location(centre, frame_of_reference_uid=frame), measurements=measured)


def ai(name: str, centre: tuple[float, float, float], size_mm: float = 6.0, frame: str = "1.2.3") -> Finding:
    return replace(finding(name, centre, size_mm, frame), source=Source.AI, reader=READER, score=0.5)


# -- agreement


@pytest.mark.parametrize(("apart_mm", "agrees"), [(0.0, True), (5.0, True), (5.01, False)])
def test_small_marks_agree_within_five_millimetres(apart_mm: float, agrees: bool) -> None:
    found = agreements([finding("m", (0.0, 0.0, 0.0))], [ai("a", (0.0, 0.0, apart_mm))])
    assert found == ({"a": "m"} if agrees else {})


@pytest.mark.parametrize(("apart_mm", "agrees"), [(15.0, True), (15.01, False)])
def test_large_ones_agree_within_the_larger_radius(apart_mm: float, agrees: bool) -> None:
    found = agreements([finding("m", (0.0, 0.0, 0.0))], [ai("a", (apart_mm, 0.0, 0.0), 30.0)])
    assert found == ({"a": "m"} if agrees else {})


def test_each_is_taken_once_nearest_first() -> None:
    mine = [finding("m1", (0.0, 0.0, 0.0)), finding("m2", (3.0, 0.0, 0.0))]
    theirs = [ai("a1", (2.5, 0.0, 0.0)), ai("a2", (2.9, 0.0, 0.0))]
    assert agreements(mine, theirs) == {"a2": "m2", "a1": "m1"}
    assert agreements(mine[1:], theirs) == {"a2": "m2"}


def test_other_frames_of_reference_are_never_compared() -> None:
    assert distance(finding("m", (0.0, 0.0, 0.0)), ai("a", (0.0, 0.0, 0.0), frame="9.9")) is None


def test_films_agree_inside_the_box_or_within_twelve_pixels() -> None:
    def on_film(name: str, x: float, box: tuple[float, float, float, float] | None = None, film: str = "1.1") -> Finding:
        return Finding(name, Source.MINE, NODULE, Location(sop_instance_uid=film, centre_px=(x, 0.0), box_px=box))

    assert agreements([on_film("m", 0.0)], [on_film("a", 12.0)]) == {"a": "m"}
    assert agreements([on_film("m", 0.0)], [on_film("a", 12.5)]) == {}
    assert agreements([on_film("m", 0.0)], [on_film("a", 24.0, (0.0, -20.0, 30.0, 20.0))]) == {"a": "m"}
    assert agreements([on_film("m", 0.0)], [on_film("a", 0.0, film="2.2")]) == {}


# -- cards


def test_a_band_says_of_a_hundred_with_its_interval() -> None:
    low, high = cards.interval_of_100(CalibrationBand(0.5, 1.0, 40, 20, "test"))
    assert low < 50 < high
    assert (low, high) == (35, 65)  # Wilson, 95 %, 20 of 40
    assert cards.band_of(None, None) is None


def test_agreed_findings_leave_the_list_of_differences() -> None:
    mine = (finding("m", (0.0, 0.0, 0.0)), finding("m2", (90.0, 0.0, 0.0)))
    theirs = (ai("a", (1.0, 0.0, 0.0)), ai("b", (50.0, 0.0, 0.0)))
    own, ai_only, only_mine, agreed = cards.split(mine, theirs, {}, lambda _: Words("place.unknown"), {})
    assert [c.badge for c in own] == ["1", "2"]
    assert [c.finding.finding_id for c in ai_only] == ["b"]
    assert [c.finding.finding_id for c in only_mine] == ["m2"]
    assert [(c.finding.finding_id, c.agrees_with) for c in agreed] == [("a", "1")]


# -- the list


@pytest.mark.parametrize(
    ("name", "text", "marked"),
    [
        ("Серікбаева Әлия", "әли", "Әлия"),
        ("Серікбаева Әлия", "Aliya", "Әлия"),
        ("Серікбаева Әлия", "серик", "Серікбаева"),
        ("LEE VICTOR", "vic", "VICTOR"),
        ("LEE VICTOR", "x", ""),
        ("LEE VICTOR", "ictor", ""),
    ],
)
def test_what_the_search_found_is_marked_in_any_script(name: str, text: str, marked: str) -> None:
    found = _match_span(name, query_words(text))
    assert (name[found[0] : sum(found)] if found else "") == marked


def test_an_empty_list_counts_nothing() -> None:
    view = build((), None, WorklistQuery(), _nobody, "p", str, date(2026, 11, 23), False)
    assert (view.rows, view.total, view.matches) == ((), 0, 0)


def _nobody(row: object) -> AiFacts:
    raise AssertionError(f"asked about {row}")


# -- the tray


def item(name: str, state: OutboxState, **changes: object) -> OutboxItem:
    base = OutboxItem(
        name, "pacs", "1.2", "report", f"1.2.{name}", "1.9", name, "ab" * 32, 1000, "report_pdf", 1, state,
        updated_hlc="001795410554061.000000.93f7ff82d7c1",
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


def receipt(name: str, level: str) -> Receipt:
    back = "ab" * 32 if level == "verified" else ""
    return Receipt(name, "pacs", f"1.2.{name}", level, "ab" * 32, back, "2026-11-23T05:00:00.000Z", "https://pacs")


def sent(items: tuple[OutboxItem, ...], receipts: dict[str, tuple[Receipt, ...]]) -> tray.Sent:
    return tray.Sent("report", "1.2", "LEE VICTOR", Words("x"), "CT", "2026-11-23T04:59:00.000Z", items, receipts)


def test_only_equal_bytes_read_back_close_the_proof() -> None:
    items = (item("1", OutboxState.VERIFIED), item("2", OutboxState.ACCEPTED))
    accepted = {"1": (receipt("1", "accepted"), receipt("1", "verified")), "2": (receipt("2", "accepted"),)}
    steps = [s.title.id for s in tray.proof(sent(items, accepted)).steps]
    assert "proof.equal" not in steps
    assert "proof.waits" in steps
    whole = {**accepted, "2": (receipt("2", "accepted"), receipt("2", "verified"))}
    both = (items[0], item("2", OutboxState.VERIFIED))
    view = tray.proof(sent(both, whole))
    assert [s.title.id for s in view.steps][-1] == "proof.equal"
    assert [equal for *_, equal in view.objects] == [True, True]


def test_a_receipt_cannot_claim_what_was_not_read_back() -> None:
    with pytest.raises(ValueError, match="same SHA-256"):
        Receipt("1", "pacs", "1.2", "verified", "ab" * 32, "cd" * 32)


@pytest.mark.parametrize(
    ("state", "group"),
    [
        (OutboxState.QUEUED, "waits"),
        (OutboxState.SENDING, "moving"),
        (OutboxState.WAITING, "waits"),
        (OutboxState.AUTH, "needs_you"),
        (OutboxState.CONFLICT, "needs_you"),
        (OutboxState.REFUSED, "needs_you"),
        (OutboxState.VERIFIED, "proven"),
    ],
)
def test_the_worst_object_names_the_group_of_a_report(state: OutboxState, group: str) -> None:
    items = (item("1", OutboxState.VERIFIED), item("2", state))
    row = tray.rows([sent(items, {})], ["pacs"], 1_795_410_600.0)[0]
    assert row.group == group
    assert tray.counts([row])[group] == 1


def test_the_line_is_down_since_the_first_that_waits() -> None:
    early = item("1", OutboxState.WAITING, updated_hlc="001795410500000.000000.x", last_problem="sync.line_down")
    late = item("2", OutboxState.WAITING, updated_hlc="001795410560000.000000.x", last_problem="sync.line_down")
    found = tray.line_problem([late, early, item("3", OutboxState.QUEUED)])
    assert found is not None
    assert found[1].code == "sync.line_down"
    assert found[0] < "2026-11-23T05:09:00"
    assert tray.line_problem([item("3", OutboxState.QUEUED)]) is None


# -- tasks


@pytest.fixture
def runner() -> Iterator[tuple[QueueLoop, TaskRunner]]:
    loop = QueueLoop()
    made = TaskRunner(loop, lambda: None)
    yield loop, made
    made.close()


def test_a_task_that_fails_stays_says_why_and_can_be_repeated(runner: tuple[QueueLoop, TaskRunner]) -> None:
    loop, tasks = runner
    told: list[Problem] = []
    done: list[int] = []
    fails = [True]

    def work(progress: Progress) -> int:
        progress.report(0.5, "stage")
        if fails.pop():
            fails.append(False)
            raise fail("store.disk_full")
        return 7

    task = tasks.start(Words("task.import"), work, done.append, told.append)
    assert loop.run_until(lambda: not tasks.running(), 10)
    assert [(v.task_id, v.state) for v in tasks.views()] == [(task, TaskState.FAILED)]
    assert [p.code for p in told] == ["store.disk_full"]
    assert tasks.retry(task) != task
    assert loop.run_until(lambda: done == [7], 10)
    assert tasks.views() == ()


def test_a_bug_in_a_task_is_told_not_swallowed(runner: tuple[QueueLoop, TaskRunner]) -> None:
    loop, tasks = runner
    task = tasks.start(Words("task.import"), lambda _: {}["no"])  # type: ignore[index]
    assert loop.run_until(lambda: not tasks.running(), 10)
    problem = tasks.views()[0].problem
    assert problem is not None
    assert (problem.code, problem.params["kind"]) == ("task.bug", "KeyError")
    tasks.dismiss(task)
    assert tasks.views() == ()


def test_a_cancelled_task_leaves_without_a_word(runner: tuple[QueueLoop, TaskRunner]) -> None:
    loop, tasks = runner
    begun = threading.Event()

    def work(progress: Progress) -> None:
        begun.set()
        while not progress.cancelled():
            threading.Event().wait(0.005)
        raise Cancelled

    told: list[Problem] = []
    task = tasks.start(Words("task.import"), work, failed=told.append)
    assert begun.wait(10)
    tasks.cancel(task)
    assert loop.run_until(lambda: not tasks.views(), 10)
    assert told == []


def test_problem_errors_name_no_patient() -> None:
    assert str(ProblemError(Problem("dicom.truncated", {"n": 3}))) == "dicom.truncated {'n': 3}"


def test_a_birth_date_that_is_none_gives_no_age() -> None:
    assert age_years("00000000", "20150929") is None
    assert age_years("20200101", "20150929") is None
    assert age_years("00000000", "20150929", "064Y") == 64
    assert age_years("19620314", "20261117") == 64
