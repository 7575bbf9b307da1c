"""A second reader's nodules and the earlier scan: proposed after the first opinion, put right by the person, then told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.dicom.sr_prior import PREVIOUS
from app.dicom.sr_reader import SrNode, read_sr
from app.dicom.structured_report import Answer, verdict_sr
from app.domain.prior_match import Change, PriorMatch
from app.domain.verdict import Decision, RejectReason, Verdict
from app.session import then_desk
from app.session.reading_session import ReadingSession
from app.session.then_views import ThenState
from app.session.then_words import sentence
from tests.dicom.objects_phantom import ct_study, header
from tests.dicom.test_sr_drawings import DOCTOR
from tests.flows import stage
from tests.flows.stage import BALLS, Stage
from tests.session.test_growth import nodule as device
from tests.session.test_prior_desk import _uid, _write, nodule


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Two scans in one frame of reference, both read. The search around each place has tests of its own."""
    monkeypatch.setattr(then_desk, "_places", lambda *_: {})
    for key in ("then", "now"):
        _write(tmp_path, key)
    with stage.stage(tmp_path / "home", stage.install_beacon(tmp_path / "packages")) as s:
        s.bring(tmp_path / "then", tmp_path / "now")
        s.until(lambda: not s.ws.reads.busy(), 120)
        yield s


def revealed(s: Stage, key: str) -> ReadingSession:
    reading = s.ws.open_study(_uid(key))
    if reading.first_opinion() is None:
        reading.show_ai()
    return reading


def found(s: Stage, reading: ReadingSession) -> list[str]:
    """Ids of the second reader's findings, when all have been compared."""
    ids = [f.finding_id for f in reading.desk.ai_findings()]
    thens = reading.earlier.thens
    s.until(lambda: thens.view(ids[0]) is not None and thens.view(ids[0]).state is not ThenState.ALIGNING, 60)
    return ids


def text_of(reading: ReadingSession) -> str:
    return "\n".join(line.text for section in reading.reports.report().sections for line in section.lines)


def test_nothing_before_the_first_opinion_and_a_persons_mark_is_enough(pair: Stage) -> None:
    reading = pair.ws.open_study(_uid("now"))
    thens = reading.earlier.thens
    assert thens.desk.nodules() == ()
    assert thens.desk.compared() is None
    assert thens.lost() == ()
    reading.show_ai()
    ids = [f.finding_id for f in reading.desk.ai_findings()]
    assert len(ids) == len(BALLS)
    assert all(thens.view(i) is None for i in ids), "what was found then is sealed, and nobody has looked"

    # One mark of a person; the second reader's result there stays sealed.
    reading = pair.ws.open_study(_uid("then"))
    mark = nodule(reading, BALLS[2], 5.0)
    reading.desk.keep(mark)
    pair.until(lambda: len(pair.ws.library.drafts.marks(_uid("then"), stage.READER.person_id)) == 1)
    reading = revealed(pair, "now")
    thens, ids = reading.earlier.thens, found(pair, reading)
    states = [thens.view(i).state for i in ids]
    assert sorted(states) == [ThenState.FOUND, ThenState.NEW, ThenState.NEW, ThenState.NEW]
    at = states.index(ThenState.FOUND)
    here = reading.desk.finding(ids[at]).location.centre_lps_mm
    assert np.linalg.norm(np.subtract(here, BALLS[2])) < 2.0
    assert thens.view(ids[at]).then_id == mark.finding_id
    assert any(t.id == "then.trace.sealed" for t, _ in thens.view(ids[at]).trace)
    thens.confirm(ids[1 if at == 0 else 0])
    assert [m.change for m in thens.desk.matches()] == [Change.NEW]


def test_each_nodule_is_found_again_confirmed_put_right_undone_and_told(pair: Stage) -> None:
    then = [f.finding_id for f in revealed(pair, "then").desk.ai_findings()]
    reading = revealed(pair, "now")
    thens, ids = reading.earlier.thens, found(pair, reading)
    views = [thens.view(i) for i in ids]
    assert [v.state for v in views] == [ThenState.FOUND] * 4
    by_place = {f.location.centre_lps_mm: f.finding_id for s in thens.desk._scans for f in thens.desk.candidates(s)}
    assert [v.then_id for v in views] == [by_place[f.location.centre_lps_mm] for f in reading.desk.ai_findings()]
    assert views[0].lines[0].id == "then.was"
    assert views[0].lines[0].params["date"] == "10.03.2024"
    assert {t.id for t, _ in views[0].trace} >= {"then.trace.now", "then.trace.then", "then.trace.registration"}
    assert (thens.lost(), thens.desk.matches(), views[0].confirmed_by) == ((), (), "")

    for i in ids:
        reading.accept(i)
    assert "10.03.2024" not in text_of(reading), "a proposal is not in the report"
    _guideline_hears_after_the_own_category(reading, ids)
    assert thens.view(ids[0]).confirmed_by
    assert "10.03.2024" in text_of(reading)
    assert reading.earlier.view().courses[0].lines[0].date == "10.03.2024"
    (match,) = thens.desk.matches()
    assert (match.then_id, match.change, match.days) == (views[0].then_id, Change.STEADY, 662)

    other = next(i for i in then if i != views[0].then_id)
    thens.choose(ids[0], other)
    assert thens.desk.matches()[0].then_id == other
    assert other not in {thens.view(i).then_id for i in ids[1:]}, "it is taken"
    thens.choose(ids[1], other)
    assert not thens.view(ids[0]).confirmed_by, "one nodule was one nodule"
    thens.choose(ids[0], "")
    assert thens.view(ids[0]).lines[0].id == "then.said_new"
    assert thens.desk.match_of(reading.desk.finding(ids[0])).change is Change.NEW
    reading.undo()
    assert not thens.view(ids[0]).confirmed_by
    reading.redo()
    assert thens.view(ids[0]).lines[0].id == "then.said_new"
    thens.take_back(ids[0])
    assert thens.view(ids[0]).state is ThenState.FOUND
    thens.choose(ids[0], "no such finding")
    assert not thens.view(ids[0]).confirmed_by

    reading.reject(ids[2], RejectReason.NOT_PRESENT)
    assert thens.view(ids[2]) is None
    (row,) = thens.lost()
    before = text_of(reading).count("10.03.2024")
    thens.lost_to_report(row.finding_id)
    thens.lost_to_report(row.finding_id)
    assert text_of(reading).count("10.03.2024") == before + 1
    assert thens.lost()[0].in_report
    pair.ws.open_study(_uid("then"))
    again = pair.ws.open_study(_uid("now"))
    assert again.earlier.thens.desk.said(ids[1])["then"] == other, "a word is kept"
    assert len(again.earlier.thens.desk.matches()) == 1


def _guideline_hears_after_the_own_category(reading: ReadingSession, ids: list[str]) -> None:
    desk, thens = reading.guidelines, reading.earlier.thens
    desk.set_context("screening")

    def asked(fact: str) -> tuple[object, bool]:
        form = next(n for n in desk.view().nodules if n.finding_id == ids[0])
        question = next(q for q in form.questions if q.fact == fact)
        return question.value, question.proposed

    thens.choose(ids[0], "")
    assert asked("change") == (None, False), "not before the own category"
    desk.choose(desk.view().options[1])
    assert asked("change") == ("new", True)
    thens.take_back(ids[0])
    assert asked("change") == (None, False)
    thens.confirm(ids[0])
    value, proposed = asked("prior_mean_diameter_mm")
    assert (proposed, value) == (True, pytest.approx(thens.desk.matches()[0].then_mm, abs=0.05))
    assert asked("prior_months") == (pytest.approx(662 / 30.4375, abs=0.05), True)
    assert not any(q.proposed for n in desk.view().nodules if n.finding_id != ids[0] for q in n.questions)
    desk.answer(ids[0], "prior_mean_diameter_mm", 3.0)
    assert asked("prior_mean_diameter_mm") == (3.0, False), "the reader's word stands over it"
    desk.answer(ids[0], "prior_mean_diameter_mm", None)


MATCH = PriorMatch("2.25.1", "2.25.77", "1.2.9", "20240310", 402, Change.GROWN, 9.4, 7.1, 435.0, 187.0, 330.0)


def test_the_structured_report_names_the_earlier_finding() -> None:
    study, finding = ct_study(), device(9.4, 435.0)
    verdict = Verdict("2.25.5", finding.finding_id, Decision.ACCEPTED, "doctor", "")
    data = verdict_sr(study, DOCTOR, header("verdict"), answers=[Answer(finding, verdict)], matches=[MATCH])
    document = read_sr(data)

    def every(node: SrNode) -> Iterator[SrNode]:
        yield node
        for child in node.children:
            yield from every(child)

    nodes = list(every(document.root))
    (previous,) = [n for n in nodes if n.concept == PREVIOUS]
    assert [(c.concept.value, c.text if c.number is None else c.number) for c in previous.children] == [
        ("112040", "2.25.77"), ("110180", "1.2.9"), ("111060", "20240310"), ("81827009", 7.1), ("118565006", 187.0),
        ("AIC-002", 330.0),
    ]  # fmt: skip
    (told,) = document.findings
    assert told.tracking_uid == finding.finding_id
    assert sorted(m.value for m in told.measurements) == [9.4, 435.0], "what it was is no value of what it is"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "On 10.03.2024: 7.1 mm (+2.3 mm, +32 %), volume 187 → 435 mm³ (+133 %), volume doubling time 330 days."),
        ("ru", "10.03.2024: 7,1 мм (+2,3 мм, +32 %), объём 187 → 435 мм³ (+133 %), время удвоения объёма 330 дней."),
        ("kk", "10.03.2024: 7,1 мм (+2,3 мм, +32 %), көлемі 187 → 435 мм³ (+133 %), көлемнің екі еселену уақыты 330 күн."),
    ],
)
def test_the_sentence_of_the_report(language: str, words: str) -> None:
    assert sentence(language, MATCH) == words
