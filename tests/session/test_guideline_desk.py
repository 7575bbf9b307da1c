"""The guideline of an open study: silent before the answers and the own category, then beside it with its trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.domain.problem import ProblemError
from app.domain.verdict import Overall, RejectReason
from app.report.guidelines.rules import Interval
from app.session.guideline_desk import GuidelineDesk, interval_text
from app.session.reading_session import ReadingSession
from tests.flows import stage
from tests.flows.stage import Stage


def opened(s: Stage) -> tuple[ReadingSession, GuidelineDesk]:
    reading = s.ws.open_study(s.row().study_instance_uid)  # type: ignore[attr-defined]
    assert reading.guidelines is not None
    return reading, reading.guidelines


def test_nothing_is_proposed_before_answers_and_own_category(tmp_path: Path) -> None:
    beacon = stage.install_beacon(tmp_path / "models")
    stage.write_study(tmp_path / "dicom")
    with stage.stage(tmp_path / "home", beacon) as s:
        s.bring(tmp_path / "dicom")
        s.read()
        reading, desk = opened(s)
        assert not desk.view().available
        reading.commit(Overall.NOTHING)
        desk.set_context("screening")
        assert desk.view().blocked.id == "guideline.blocked.unanswered"
        with pytest.raises(ProblemError) as refused:
            desk.choose("2")
        assert refused.value.problem.code == "guideline.too_early"

        findings = reading.desk.ai_findings()
        for finding in findings[1:]:
            reading.reject(finding.finding_id, RejectReason.NOT_PRESENT)
        reading.accept(findings[0].finding_id)
        view = desk.view()
        assert view.proposal is None, "the person says the category first"
        assert [n.finding_id for n in view.nodules] == [findings[0].finding_id], "rejected findings do not count"

        desk.choose("3")
        proposal = desk.view().proposal
        assert proposal is not None
        assert (proposal.state, proposal.category) == ("incomplete", "")
        desk.answer(findings[0].finding_id, "composition", "solid")
        desk.answer(findings[0].finding_id, "mean_diameter_mm", 8.0)
        view = desk.view()
        assert view.proposal is not None
        assert (view.own, view.proposal.category, view.proposal.rule) == ("3", "4A", "solid.8_to_15")
        assert [w.params["fact"].id for w in view.proposal.trace] == [  # type: ignore[union-attr]
            "guideline.fact.composition", "guideline.fact.change", "guideline.fact.mean_diameter_mm",
        ]  # fmt: skip

        desk.put_into_report()
        lines = [line for sec in reading.report().report.sections for line in sec.lines if "Lung-RADS" in line.text]
        assert len(lines) == 1
        assert "category 3, chosen by" in lines[0].text
        assert "Guideline proposal: 4A (rule solid.8_to_15)" in lines[0].text
        assert desk.view().in_report
        uid = reading.study.study_instance_uid
        s.ws.close_study()
        again = s.ws.open_study(uid).guidelines
        assert again is not None
        assert (again.view().own, again.view().chosen_by) == ("3", stage.READER.display_name)


def test_another_context_asks_for_the_category_anew_and_fleischner_asks_its_own_facts(tmp_path: Path) -> None:
    stage.write_study(tmp_path / "dicom")
    with stage.stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "dicom")
        reading, desk = opened(s)
        for pane in reading.layout().panes:
            reading.picture_request(pane.pane_id, 400, 400)()
        s.until(lambda: not s.ws.images_busy())
        assert reading.add_mark()
        reading.commit(Overall.FINDINGS)
        desk.set_context("screening")
        desk.choose("1")
        desk.set_context("incidental")
        view = desk.view()
        assert (view.own, view.stated) == ("", False)
        assert [q.fact for q in view.exam] == ["age_years", "cancer_or_immunosuppression", "risk"]
        desk.choose("none")
        nodule = desk.view().nodules[0].finding_id
        for fact, value in (("cancer_or_immunosuppression", False), ("risk", "low"), ("age_years", 50.0)):
            desk.answer("", fact, value)
        for fact, value in (("composition", "solid"), ("mean_diameter_mm", 6.0)):
            desk.answer(nodule, fact, value)
        proposal = desk.view().proposal
        assert proposal is not None
        assert proposal.category == "ct_6_12_consider"
        desk.answer("", "age_years", 30.0)
        proposal = desk.view().proposal
        assert proposal is not None
        assert (proposal.state, proposal.trace[0].id) == ("not_applicable", "guideline.step.interval_not")
        assert reading.undo() == "guideline"
        proposal = desk.view().proposal
        assert proposal is not None
        assert proposal.category == "ct_6_12_consider"
        assert [reading.undo() for _ in range(6)] == ["guideline"] * 6
        assert desk.view().own == "", "the category too"
        for _ in range(6):
            reading.redo()
        assert desk.view().own == "none"


def test_a_damaged_site_file_is_said_and_nothing_is_proposed(tmp_path: Path) -> None:
    stage.write_study(tmp_path / "dicom")
    with stage.stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "dicom")
        folder = s.ws.library.home / "guidelines"
        folder.mkdir()
        (folder / "lung_rads_2022.toml").write_text("site =", encoding="utf-8")
        reading, desk = opened(s)
        reading.commit(Overall.NOTHING)
        desk.set_context("screening")
        assert desk.view().blocked.id == "guideline.damaged"


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        (Interval(6.0, None, 8.0, None), "≥ 6.0, < 8.0"),
        (Interval(None, 8.0, None, None), "> 8.0"),
        (Interval(100.0, None, None, 250.0), "≥ 100, ≤ 250"),
    ],
)
def test_bounds_in_signs(interval: Interval, text: str) -> None:
    assert interval_text(interval) == text
