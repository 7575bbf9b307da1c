"""Every row and boundary of the guideline files (facts: Lung-RADS v2022, Fleischner 2017), and what the engine refuses."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from app.domain.problem import ProblemError
from app.report.guidelines.engine import NoduleFacts, Proposal, ProposalState, change_from_prior, propose
from app.report.guidelines.rules import Fact, guideline, guideline_ids, load_guideline

DAY = date(2026, 11, 23)
LUNG = guideline("lung_rads_2022")
CHANCE = guideline("fleischner_2017")


def lung(exam: dict[str, Fact] | None = None, **facts: Fact) -> Proposal:
    nodule = {"feature": "none", "suspicious": False, "change": "baseline", **facts}
    return propose(LUNG, [NoduleFacts("n", nodule)], {"screening": True, "exam_state": "complete", **(exam or {})}, DAY)


def chance(*nodules: tuple[str, float], risk: str = "low", **exam: Fact) -> Proposal:
    facts = [NoduleFacts(str(k), {"composition": kind, "mean_diameter_mm": mm}) for k, (kind, mm) in enumerate(nodules)]
    known: dict[str, Fact] = {"screening": False, "age_years": 60.0, "cancer_or_immunosuppression": False, "risk": risk}
    return propose(CHANCE, facts, {**known, **exam}, DAY)


@pytest.mark.parametrize(
    ("change", "mm", "category"),
    [
        ("baseline", 5.9, "2"), ("baseline", 5.94, "2"), ("baseline", 5.95, "3"), ("baseline", 6.0, "3"),
        ("baseline", 7.9, "3"), ("baseline", 8.0, "4A"), ("baseline", 14.9, "4A"), ("baseline", 15.0, "4B"),
        ("new", 3.9, "2"), ("new", 4.0, "3"), ("new", 5.9, "3"), ("new", 6.0, "4A"), ("new", 7.9, "4A"), ("new", 8.0, "4B"),
        ("growing", 5.0, "4A"), ("growing", 7.9, "4A"), ("growing", 8.0, "4B"), ("slow", 5.0, "4B"),
        ("crossed", 6.0, "3"), ("crossed", 8.0, "4A"),
    ],
)  # fmt: skip
def test_solid(change: str, mm: float, category: str) -> None:
    assert lung(composition="solid", change=change, mean_diameter_mm=mm).category == category


@pytest.mark.parametrize(
    ("change", "mm", "solid_mm", "category"),
    [
        ("baseline", 5.9, 5.0, "2"), ("baseline", 6.0, 5.9, "3"), ("baseline", 20.0, 5.9, "3"),
        ("baseline", 20.0, 6.0, "4A"), ("baseline", 20.0, 7.9, "4A"), ("baseline", 20.0, 8.0, "4B"),
        ("new", 5.9, 3.9, "3"), ("new", 5.9, 4.0, "4B"), ("new", 6.0, 3.9, "4A"), ("new", 6.0, 4.0, "4B"),
        ("growing", 5.9, 3.9, "4A"), ("growing", 12.0, 3.9, "4A"), ("growing", 12.0, 4.0, "4B"), ("slow", 12.0, 2.0, "4B"),
    ],
)  # fmt: skip
def test_part_solid(change: str, mm: float, solid_mm: float, category: str) -> None:
    proposal = lung(composition="part_solid", change=change, mean_diameter_mm=mm, solid_mm=solid_mm)
    assert proposal.category == category


@pytest.mark.parametrize(
    ("change", "mm", "category"),
    [
        ("baseline", 29.9, "2"), ("baseline", 30.0, "3"), ("new", 29.9, "2"), ("new", 30.0, "3"), ("growing", 29.9, "2"),
        ("stable", 30.0, "2"), ("slow", 45.0, "2"),
    ],
)  # fmt: skip
def test_ground_glass(change: str, mm: float, category: str) -> None:
    assert lung(composition="ground_glass", change=change, mean_diameter_mm=mm).category == category


def test_a_large_growing_ground_glass_nodule_is_in_no_row() -> None:
    proposal = lung(composition="ground_glass", change="growing", mean_diameter_mm=30.0)
    assert (proposal.state, proposal.category) == (ProposalState.NOT_COVERED, "")


@pytest.mark.parametrize(
    ("prior", "months", "category"),
    [("2", 12.0, "2"), ("3", 6.0, "2"), ("3", 5.9, "3"), ("4A", 3.0, "3"), ("4A", 2.9, "4A")],
)
def test_stable_steps_down(prior: str, months: float, category: str) -> None:
    proposal = lung(composition="solid", change="stable", mean_diameter_mm=9.0, prior_category=prior, prior_months=months)
    assert proposal.category == category


def test_a_stable_4b_is_in_no_row_and_a_stable_one_needs_its_prior_category() -> None:
    stable = {"composition": "solid", "change": "stable", "mean_diameter_mm": 16.0, "prior_months": 3.0}
    assert lung(**stable, prior_category="4B").state is ProposalState.NOT_COVERED
    asked = lung(**stable)
    assert (asked.state, asked.missing) == (ProposalState.INCOMPLETE, (("n", "prior_category"),))


@pytest.mark.parametrize(
    ("feature", "change", "mm", "category"),
    [
        ("benign", "baseline", 12.0, "1"), ("juxtapleural", "baseline", 9.9, "2"), ("juxtapleural", "new", 9.9, "2"),
        ("juxtapleural", "baseline", 10.0, "4A"), ("airway_subsegmental", "baseline", 7.0, "2"),
        ("airway_segmental", "baseline", 7.0, "4A"), ("airway_segmental", "stable", 7.0, "4B"),
        ("cyst_thick", "baseline", 12.0, "4A"), ("cyst_thick_growing_cyst", "growing", 12.0, "3"),
        ("cyst_thick_growing_wall", "growing", 12.0, "4B"), ("cyst_multilocular", "baseline", 12.0, "4A"),
        ("cyst_multilocular_growing", "growing", 12.0, "4B"),
    ],
)  # fmt: skip
def test_features(feature: str, change: str, mm: float, category: str) -> None:
    assert lung(composition="solid", feature=feature, change=change, mean_diameter_mm=mm).category == category


@pytest.mark.parametrize(("mm", "category"), [(5.9, "2"), (6.0, "4X"), (9.0, "4X"), (15.0, "4X")])
def test_suspicious_features_raise_3_and_4_only(mm: float, category: str) -> None:
    assert lung(composition="solid", mean_diameter_mm=mm, suspicious=True).category == category


@pytest.mark.parametrize(
    ("state", "action"),
    [("prior_pending", "compare"), ("lungs_incomplete", "rescan"), ("infection_like", "repeat_1_3")],
)
def test_category_0(state: str, action: str) -> None:
    proposal = lung({"exam_state": state}, composition="solid", mean_diameter_mm=20.0)
    assert (proposal.category, proposal.action) == ("0", action)


def test_no_nodules_is_1_and_another_finding_adds_s() -> None:
    exam: dict[str, Fact] = {"screening": True, "exam_state": "complete", "other_significant": True}
    proposal = propose(LUNG, [], exam, DAY)
    assert (proposal.category, proposal.modifier) == ("1", "S")


def test_the_worst_nodule_decides_and_says_by_which_rule() -> None:
    plain = {"composition": "solid", "feature": "none", "suspicious": False, "change": "baseline"}
    nodules = [NoduleFacts(i, {**plain, "mean_diameter_mm": mm}) for i, mm in (("a", 4.0), ("b", 8.04), ("c", 7.0))]
    proposal = propose(LUNG, nodules, {"screening": True, "exam_state": "complete"}, DAY)
    assert (proposal.category, proposal.decisive) == ("4A", "b")
    assert proposal.rule is not None
    assert proposal.rule.rule_id == "solid.8_to_15"
    assert [(s.condition.fact, s.value) for s in proposal.steps] == [
        ("composition", "solid"), ("change", "baseline"), ("mean_diameter_mm", 8.0),
    ]  # fmt: skip
    assert [n.category for n in proposal.nodules] == ["2", "4A", "3"]


@pytest.mark.parametrize("facts", [{"mean_diameter_mm": 7.0}, {"composition": "solid"}])
def test_what_is_not_known_is_asked_for(facts: dict[str, Fact]) -> None:
    proposal = lung(**facts)
    wanted = {"mean_diameter_mm": "composition", "composition": "mean_diameter_mm"}[next(iter(facts))]
    assert proposal.state is ProposalState.INCOMPLETE
    assert ("n", wanted) in proposal.missing


@pytest.mark.parametrize(
    ("now", "before", "months", "change"),
    [
        (7.5, 6.0, 12.0, "stable"), (7.6, 6.0, 12.0, "growing"), (7.6, 6.0, 3.0, "growing"), (8.9, 6.0, 24.0, "crossed"),
        (7.9, 6.0, 24.0, "stable"), (9.1, 6.0, 24.0, "growing"), (6.2, 5.8, 12.0, "crossed"), (5.0, 6.0, 12.0, "stable"),
    ],
)  # fmt: skip
def test_growth_is_more_than_1_5_mm_in_twelve_months(now: float, before: float, months: float, change: str) -> None:
    assert change_from_prior(LUNG, now, before, months) == change


@pytest.mark.parametrize(
    ("nodules", "risk", "category"),
    [
        ([("solid", 5.4)], "low", "none"), ([("solid", 5.4)], "high", "optional_12"),
        ([("solid", 5.5)], "low", "ct_6_12_consider"), ([("solid", 5.5)], "high", "ct_6_12"),
        ([("solid", 8.4)], "low", "ct_6_12_consider"), ([("solid", 8.4)], "high", "ct_6_12"),
        ([("solid", 8.5)], "low", "ct_3_pet_tissue"), ([("solid", 8.5)], "high", "ct_3_pet_tissue"),
        ([("solid", 5.4), ("solid", 3.0)], "low", "none"), ([("solid", 5.4), ("solid", 3.0)], "high", "optional_12"),
        ([("solid", 6.0), ("solid", 3.0)], "low", "ct_3_6_consider"), ([("solid", 9.0), ("solid", 3.0)], "high", "ct_3_6"),
        ([("ground_glass", 5.4)], "high", "none"), ([("ground_glass", 5.5)], "low", "ct_6_12_two_years"),
        ([("part_solid", 5.4)], "high", "none"), ([("part_solid", 5.5)], "low", "ct_3_6_yearly"),
        ([("ground_glass", 5.4), ("part_solid", 4.0)], "low", "ct_3_6_two_four_years"),
        ([("ground_glass", 5.5), ("part_solid", 4.0)], "low", "ct_3_6_by_worst"),
        ([("solid", 5.0), ("ground_glass", 5.0)], "low", "none"),
    ],
)  # fmt: skip
def test_fleischner(nodules: list[tuple[str, float]], risk: str, category: str) -> None:
    assert chance(*nodules, risk=risk).category == category


@pytest.mark.parametrize(
    ("volume", "category"),
    [(99.4, "none"), (100.0, "ct_6_12_consider"), (250.0, "ct_6_12_consider"), (251.0, "ct_3_pet_tissue")],
)
def test_volume_counts_where_no_diameter_is_known(volume: float, category: str) -> None:
    known: dict[str, Fact] = {"screening": False, "age_years": 60.0, "cancer_or_immunosuppression": False, "risk": "low"}
    nodule = NoduleFacts("n", {"composition": "solid", "volume_mm3": volume})
    proposal = propose(CHANCE, [nodule], known, DAY)
    assert proposal.category == category
    assert any(s.by_volume for s in proposal.steps)


@pytest.mark.parametrize(
    ("exam", "fact"),
    [
        ({"age_years": 34.0}, "age_years"),
        ({"screening": True}, "screening"),
        ({"cancer_or_immunosuppression": True}, "cancer_or_immunosuppression"),
    ],
)
def test_whom_fleischner_excludes(exam: dict[str, Fact], fact: str) -> None:
    proposal = chance(("solid", 7.0), **exam)
    assert (proposal.state, proposal.steps[0].condition.fact) == (ProposalState.NOT_APPLICABLE, fact)
    assert chance(("solid", 7.0), age_years=35.0).state is ProposalState.PROPOSED


@pytest.mark.parametrize("name", guideline_ids())
def test_an_expired_file_proposes_nothing(name: str) -> None:
    chosen = guideline(name)
    assert chosen.published < chosen.checked < chosen.expires
    after = date.fromordinal(chosen.expires.toordinal() + 1)
    assert propose(chosen, [], {"screening": True, "exam_state": "complete"}, after).state is ProposalState.EXPIRED


@pytest.mark.parametrize("name", guideline_ids())
def test_every_action_is_there_in_three_languages(name: str) -> None:
    chosen = guideline(name)
    assert chosen.source
    assert chosen.reference
    assert all(set(texts) == {"en", "ru", "kk"} for texts in (chosen.titles, *chosen.actions.values()))


def test_a_site_overrides_rows_and_answers_for_its_date(tmp_path: Path) -> None:
    (tmp_path / "lung_rads_2022.toml").write_text(
        'site = "Region 1"\nexpires = 2027-01-31\ndrop = ["juxtapleural"]\n'
        '[[rule]]\nid = "solid.below_6"\ncategory = "3"\n'
        'when = {composition = "solid", change = "baseline", mean_diameter_mm = {below = 6.0}}\n',
        encoding="utf-8",
    )
    local = guideline("lung_rads_2022", tmp_path)
    assert (local.sites, local.expires) == (("Region 1",), date(2027, 1, 31))
    facts = {"composition": "solid", "change": "baseline", "feature": "none", "suspicious": False, "mean_diameter_mm": 5.0}
    proposal = propose(local, [NoduleFacts("n", facts)], {"screening": True, "exam_state": "complete"}, DAY)
    assert proposal.rule is not None
    assert (proposal.category, proposal.rule.local) == ("3", "Region 1")
    assert len(local.rules) == len(LUNG.rules) - 1


@pytest.mark.parametrize(
    "text",
    [
        "site = 3",
        'site = "x"',
        'site = "x"\nexpires = 2027-01-01\ndrop = ["no_such_row"]',
        'site = "x"\nexpires = 2027-01-01\n[[rule]]\nid = "a"\ncategory = "9"\n',
        'site = "x"\nexpires = 2027-01-01\n[[rule]]\nid = "a"\ncategory = "2"\nwhen = {mean_diameter_mm = {under = 3.0}}\n',
    ],
)
def test_a_damaged_override_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "lung_rads_2022.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ProblemError) as refused:
        guideline("lung_rads_2022", tmp_path)
    assert refused.value.problem.code == "guideline.damaged"


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("title = 1", encoding="utf-8")
    with pytest.raises(ProblemError) as refused:
        load_guideline(tmp_path / "x.toml")
    assert refused.value.problem.params == {"file": "x.toml"}
