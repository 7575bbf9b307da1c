"""Marks, sealed results, first opinions, verdicts, reports, settings, recovery."""

from __future__ import annotations

import dataclasses

import pytest

from app.domain.event import EventKind
from app.domain.problem import Problem, ProblemError
from app.domain.verdict import Decision, RejectReason, Verdict
from app.store.database import Tx
from app.store.library import Library
from app.store.sealed import SealState
from tests.store import made


@pytest.fixture(autouse=True)
def with_a_study(library: Library) -> None:
    library.write(lambda tx: library.studies.import_study(tx, made.study()))


def commit(library: Library, person: str = "p1") -> None:
    library.write(lambda tx: library.opinions.commit(tx, made.opinion("1.2.3", person, tx.tick(), (made.mark(),))))


def refused(library: Library, work) -> str:
    with pytest.raises(ProblemError) as caught:
        library.write(work)
    assert caught.value.problem.kept_safe
    assert caught.value.problem.next_step
    return caught.value.problem.code


def state(library: Library) -> str:
    row = library.studies.row("1.2.3")
    assert row is not None
    return row.reading_state


def test_marks_keep_their_order_and_their_history(library: Library) -> None:
    for finding_id in ("2.25.1", "2.25.2", "2.25.3"):
        library.write(lambda tx, f=finding_id: library.drafts.put(tx, "1.2.3", "p1", made.mark(f)))
    library.write(lambda tx: library.drafts.put(tx, "1.2.3", "p1", made.mark("2.25.1", 99.5)))
    library.write(lambda tx: library.drafts.put(tx, "1.2.3", "p2", made.mark("2.25.1", -1.0)))
    assert library.write(lambda tx: library.drafts.remove(tx, "1.2.3", "p1", "2.25.2")) is not None
    assert library.write(lambda tx: library.drafts.remove(tx, "1.2.3", "p1", "2.25.2")) is None
    assert library.drafts.marks("1.2.3", "p1") == (made.mark("2.25.1", 99.5), made.mark("2.25.3"))
    assert library.drafts.marks("1.2.3", "p2") == (made.mark("2.25.1", -1.0),)
    kinds = [e.kind for e in library.events.query(study="1.2.3", kinds=[EventKind.MARK_PUT, EventKind.MARK_REMOVED])]
    assert kinds == [EventKind.MARK_PUT] * 5 + [EventKind.MARK_REMOVED]
    assert state(library) == "in_progress"


def test_a_first_opinion_is_given_once_and_kept(library: Library) -> None:
    assert not library.opinions.is_committed("1.2.3")
    commit(library)
    kept = library.opinions.get("1.2.3", "p1")
    assert kept is not None
    assert kept.marks == (made.mark(),)
    assert refused(library, lambda tx: library.opinions.commit(tx, made.opinion("1.2.3", "p1", tx.tick()))) == (
        "store.opinion_exists"
    )
    assert library.opinions.get("1.2.3", "p1") == kept
    commit(library, "p2")
    assert [o.person_id for o in library.opinions.all_for("1.2.3")] == ["p1", "p2"]
    assert library.opinions.is_committed("1.2.3")
    assert not library.opinions.is_committed("1.2.3", "p3")
    assert state(library) == "committed"


def test_nothing_is_revealed_before_the_commit(library: Library) -> None:
    assert refused(library, lambda tx: library.opinions.reveal(tx, "1.2.3", "p1", ["a"])) == "store.not_committed"
    commit(library, "p2")
    assert refused(library, lambda tx: library.opinions.reveal(tx, "1.2.3", "p1", ["a"])) == "store.not_committed"
    commit(library)
    first = library.write(lambda tx: library.opinions.reveal(tx, "1.2.3", "p1", ["b"]))
    again = library.write(lambda tx: library.opinions.reveal(tx, "1.2.3", "p1", ["b"]))
    more = library.write(lambda tx: library.opinions.reveal(tx, "1.2.3", "p1", ["a"]))
    assert again == first
    assert (more.hlc, more.readers) == (first.hlc, ("a", "b"))
    assert library.opinions.revealed("1.2.3", "p1") == more
    assert library.opinions.revealed("1.2.3", "p2") is None
    assert len(library.events.query(kinds=[EventKind.AI_REVEALED])) == 2


def test_verdicts_are_added_never_changed(library: Library) -> None:
    def verdict(verdict_id: str, stamp: str, supersedes: str = "", decision: Decision = Decision.ACCEPTED) -> Verdict:
        reason = RejectReason.ARTEFACT if decision is Decision.REJECTED else None
        return Verdict(verdict_id, "f1", decision, "p1", stamp, reason, supersedes=supersedes)

    def give(verdict_id: str, supersedes: str = "", decision: Decision = Decision.ACCEPTED):
        return lambda tx: library.verdicts.give(tx, "1.2.3", verdict(verdict_id, tx.tick(), supersedes, decision))

    assert refused(library, give("v1")) == "store.not_committed"
    commit(library)
    first = library.write(give("v1"))
    library.write(give("v1"))
    assert library.verdicts.history("1.2.3") == (first,)
    assert refused(library, give("v2")) == "store.verdict_outdated"
    second = library.write(give("v2", "v1", Decision.REJECTED))
    assert refused(library, give("v3", "v1")) == "store.verdict_outdated"
    assert library.verdicts.history("1.2.3") == (first, second)
    assert library.verdicts.current("1.2.3") == {"f1": second}


def test_sealed_rows_hold_states_only(library: Library) -> None:
    put = library.sealed.put
    with pytest.raises(ValueError, match="object_name"):
        library.write(lambda tx: put(tx, "1.2.3", "lung_ct", "1", SealState.SEALED))
    library.write(lambda tx: put(tx, "1.2.3", "lung_ct", "1", SealState.WAITING, person="p1"))
    library.write(lambda tx: put(tx, "1.2.3", "lung_ct", "1", SealState.RUNNING))
    assert [r.reader for r in library.sealed.unfinished()] == ["lung_ct"]
    problem = Problem("ai.out_of_memory", {"mib": 512})
    library.write(lambda tx: put(tx, "1.2.3", "lung_ct", "1", SealState.FAILED, problems=(problem,)))
    (row,) = library.sealed.for_study("1.2.3")
    assert (row.state, row.problems) == (SealState.FAILED, (problem,))
    library.write(lambda tx: put(tx, "1.2.3", "lung_ct", "1", SealState.SEALED, object_name="ab" * 32))
    assert library.sealed.unfinished() == ()
    kinds = [e.kind for e in library.events.query(study="1.2.3", after_seq=2)]
    assert kinds == [EventKind.READ_REQUESTED, EventKind.READ_FAILED, EventKind.READ_SEALED]


def sign(library: Library, report, objects, person: str = "p1"):
    def work(tx: Tx):
        signed = library.reports.sign(
            tx, report, objects, person_id=person, manifest=b'{"a":1}', signature=b"\x30\x00", certificate_sha256="ee"
        )
        for stored in objects:
            library.outbox.enqueue(tx, "folder", stored, report_id=report.report_id)
        return signed

    return work


def test_drafts_are_replaced_and_end_with_the_signature(library: Library) -> None:
    assert library.reports.draft("1.2.3") is None
    library.write(lambda tx: library.reports.save_draft(tx, made.report(), "p1"))
    edited = dataclasses.replace(made.report(), title="Компьютерная томография")
    library.write(lambda tx: library.reports.save_draft(tx, edited, "p1"))
    assert library.reports.draft("1.2.3") == edited
    signed = library.write(sign(library, edited, [made.stored("2.25.50")]))
    assert library.reports.draft("1.2.3") is None
    assert library.reports.signed("1.2.3") == (signed,)
    assert library.reports.objects("2.25.91") == (made.stored("2.25.50"),)
    assert library.reports.objects_of_study("1.2.3") == (made.stored("2.25.50"),)
    assert state(library) == "signed"


def test_versions_follow_each_other_and_never_overwrite(library: Library) -> None:
    library.write(sign(library, made.report(), [made.stored("2.25.50")]))
    assert refused(library, sign(library, made.report(), [made.stored("2.25.51")], "p2")) == "store.report_outdated"
    wrong = made.report(version=2, replaces="2.25.1")
    assert refused(library, sign(library, wrong, [made.stored("2.25.52")])) == "store.report_outdated"
    second = made.report(version=2, replaces="2.25.91")
    library.write(sign(library, second, [made.stored("2.25.53")]))
    assert [s.report.version for s in library.reports.signed("1.2.3")] == [1, 2]
    latest = library.reports.latest("1.2.3")
    assert latest is not None
    assert latest.report == second
    assert state(library) == "addended"
    # The refused attempts left no object and nothing to send.
    assert {o.sop_instance_uid for o in library.reports.objects_of_study("1.2.3")} == {"2.25.50", "2.25.53"}
    assert len(library.outbox.items()) == 2


def test_an_object_s_uid_stands_for_one_content(library: Library) -> None:
    stored = made.stored("2.25.60")
    library.write(lambda tx: library.reports.add_objects(tx, "", [stored]))
    library.write(lambda tx: library.reports.add_objects(tx, "", [stored]))
    other = dataclasses.replace(stored, sha256="00" * 32)
    assert refused(library, lambda tx: library.reports.add_objects(tx, "", [other])) == "store.same_uid_other_bytes"


def test_settings_are_audited_when_they_change(library: Library) -> None:
    assert library.settings.get("mode", "second") == "second"
    for value in ("second", "concurrent", "concurrent"):
        library.write(lambda tx, v=value: library.settings.set(tx, "mode", v, "admin"))
    library.write(lambda tx: library.settings.set(tx, "targets", [{"name": "folder", "on": True}]))
    assert library.settings.all() == {"mode": "concurrent", "targets": [{"name": "folder", "on": True}]}
    changes = library.events.query(kinds=[EventKind.SETTINGS_CHANGED])
    assert [(e.person, e.body["value"]) for e in changes[:2]] == [("admin", "second"), ("admin", "concurrent")]
    assert len(changes) == 3


def test_what_was_open_comes_back(library: Library) -> None:
    assert library.recovery.load("p1") is None
    library.write(lambda tx: library.recovery.save(tx, "p1", {"study": "1.2.3", "layout": [2, 2]}))
    library.write(lambda tx: library.recovery.save(tx, "p1", {"study": "1.2.3", "layout": [1, 1]}))
    assert library.recovery.load("p1") == {"study": "1.2.3", "layout": [1, 1]}
    library.write(lambda tx: library.recovery.clear(tx, "p1"))
    assert library.recovery.load("p1") is None
