"""Import that never overwrites, search in any script, the whole tree back."""

from __future__ import annotations

import dataclasses

import pytest

from app.domain.event import EventKind
from app.domain.outbox import OutboxState
from app.domain.problem import Problem, ProblemError
from app.domain.study import Study
from app.store.library import Library
from app.store.sealed import SealState
from app.store.studies import ImportOutcome
from tests.store import made


def bring(library: Library, study: Study) -> ImportOutcome:
    return library.write(lambda tx: library.studies.import_study(tx, study, person="p1"))


def test_importing_again_changes_nothing(library: Library) -> None:
    study = made.study(count=5)
    first = bring(library, study)
    assert (len(first.added), first.known, first.refused) == (5, (), ())
    row, events = library.studies.row("1.2.3"), library.events.count()
    again = bring(library, study)
    assert (again.added, len(again.known), again.refused) == ((), 5, ())
    assert library.studies.row("1.2.3") == row
    assert library.events.count() == events
    assert library.studies.load("1.2.3") == study


def test_later_instances_and_series_join_the_study(library: Library) -> None:
    whole = made.study(count=4)
    half = dataclasses.replace(
        whole, series=(dataclasses.replace(whole.series[0], instances=whole.series[0].instances[:2]),)
    )
    other = made.series("1.2.3.9", (made.instance("1.2.3.9.1"),), "SR")
    bring(library, half)
    outcome = bring(library, dataclasses.replace(whole, series=(*whole.series, other)))
    assert (len(outcome.added), len(outcome.known)) == (3, 2)
    assert library.studies.load("1.2.3") == dataclasses.replace(whole, series=(*whole.series, other))
    row = library.studies.row("1.2.3")
    assert row is not None
    assert (row.modalities, row.series_count, row.instance_count) == (("CT", "SR"), 2, 5)
    assert row.size_bytes == 1001 + 1002 + 1003 + 1004 + 1001


def test_the_same_uid_with_other_bytes_keeps_the_first(library: Library) -> None:
    bring(library, made.study(count=2))
    forged = made.study(count=3)
    changed = dataclasses.replace(forged.series[0].instances[0], sha256="ff" * 32, locator="file:forged.dcm")
    series = dataclasses.replace(forged.series[0], instances=(changed, *forged.series[0].instances[1:]))
    outcome = bring(library, dataclasses.replace(forged, series=(series,)))
    assert (len(outcome.added), len(outcome.known)) == (1, 1)
    assert [(r.path, r.problem.code, r.sop_instance_uid) for r in outcome.refused] == [
        ("file:forged.dcm", "store.same_uid_other_bytes", "1.2.3.1.1")
    ]
    assert library.studies.load("1.2.3") == made.study(count=3)
    (event,) = library.events.query(kinds=[EventKind.STUDY_IMPORTED], after_seq=2)
    assert event.body["refused"] == [{"sop_instance_uid": "1.2.3.1.1", "code": "store.same_uid_other_bytes"}]


def test_the_same_uid_twice_in_one_import(library: Library) -> None:
    one = made.instance("1.2.3.1.1")
    twin = dataclasses.replace(one, locator="file:copy.dcm")
    forged = dataclasses.replace(one, sha256="ff" * 32, locator="file:forged.dcm")
    study = dataclasses.replace(made.study(count=0), series=(made.series("1.2.3.1", (one, twin, forged)),))
    outcome = bring(library, study)
    assert (outcome.added, outcome.known) == (("1.2.3.1.1",), ("1.2.3.1.1",))
    assert [r.path for r in outcome.refused] == ["file:forged.dcm"]
    assert library.studies.load("1.2.3").instance_count() == 1


def test_another_patient_under_a_known_study_is_refused(library: Library) -> None:
    bring(library, made.study())
    outcome = bring(library, made.study(name="Омаров^Ержан", patient_id="900101300999", count=5))
    assert (outcome.added, outcome.known) == ((), ())
    assert {r.problem.code for r in outcome.refused} == {"store.other_patient"}
    assert library.studies.load("1.2.3") == made.study()


def test_a_sha256_is_needed(library: Library) -> None:
    study = made.study(count=1)
    bare = dataclasses.replace(study.series[0].instances[0], sha256="")
    without = dataclasses.replace(study, series=(dataclasses.replace(study.series[0], instances=(bare,)),))
    with pytest.raises(ValueError, match="sha256"):
        bring(library, without)
    library.write(lambda tx: library.studies.import_study(tx, without, {"1.2.3.1.1": "ab" * 32}))
    assert library.studies.instance("1.2.3.1.1") == ("1.2.3", "ab" * 32, "file:1.2.3.1.1.dcm")
    assert library.studies.instance("9.9") is None


def test_an_unknown_study_is_told(library: Library) -> None:
    with pytest.raises(ProblemError) as caught:
        library.studies.load("9.9")
    assert caught.value.problem.code == "store.no_such_study"
    assert library.studies.row("9.9") is None


def test_search_in_any_script_with_filters(library: Library) -> None:
    bring(library, made.study("1.1", "Ахметова^Әлия", when="20260101"))
    bring(library, made.study("1.2", "Akhmetov^Yerlan", patient_id="77", when="20260202101010", modality="MR"))
    bring(library, made.study("1.3", "Қазыбек^Жұмабай", patient_id="88", when="20260303", description="Панорамный снимок"))

    def found(text: str = "", **more) -> list[str]:
        return [row.study_instance_uid for row in library.studies.search(text, **more)]

    assert found() == ["1.3", "1.2", "1.1"]
    for text in ("Алия", "әлия", "Aliya", "ahmet al", "870412400123", "acc-7 aliya"):
        assert found(text) == (["1.1"]), text
    assert found("akhmet") == ["1.2", "1.1"]
    assert found("zhumabay kazybek") == ["1.3"]
    assert found("панорам") == ["1.3"]
    assert found("metov") == []
    assert found("100%") == []
    assert found(modalities=["MR", "DX"]) == ["1.2"]
    assert found(modalities=["M"]) == []
    assert found(date_from="20260202", date_to="20260202") == ["1.2"]
    assert found(date_from="20260102") == ["1.3", "1.2"]
    assert found(patient_id="88") == ["1.3"]
    assert found(limit=1, offset=1) == ["1.2"]
    library.write(lambda tx: library.drafts.put(tx, "1.2", "p1", made.mark()))
    assert found(reading_states=["in_progress"]) == ["1.2"]


def test_priors_are_of_the_same_person_only(library: Library) -> None:
    bring(library, made.study("1.1", when="20250101"))
    bring(library, made.study("1.2", when="20260101"))
    bring(library, made.study("1.3", "Ахметова^Алия^Другая", when="20240101"))
    assert [r.study_instance_uid for r in library.studies.of_patient("1.2")] == ["1.2", "1.1"]


def test_rows_tell_states_and_never_findings(library: Library) -> None:
    bring(library, made.study())
    library.write(lambda tx: library.sealed.put(tx, "1.2.3", "lung_ct", "1", SealState.SEALED, object_name="ab" * 32))
    refusal = (Problem("ai.wrong_body_part"),)
    library.write(lambda tx: library.sealed.put(tx, "1.2.3", "head_ct", "1", SealState.REFUSED, problems=refusal))
    library.write(lambda tx: library.outbox.enqueue(tx, "folder", made.stored("2.1")))
    library.write(lambda tx: library.outbox.enqueue(tx, "web", made.stored("2.1")))
    row = library.studies.row("1.2.3")
    assert row is not None
    assert row.ai_states == (("head_ct", "refused"), ("lung_ct", "sealed"))
    assert row.sync_states == ((OutboxState.QUEUED.value, 2),)
    assert not row.revealed


def test_opening_is_audited(library: Library) -> None:
    bring(library, made.study())
    library.write(lambda tx: library.studies.opened(tx, "1.2.3", "p1"))
    (event,) = library.events.query(kinds=[EventKind.STUDY_OPENED])
    assert (event.study, event.person) == ("1.2.3", "p1")
