"""From accepted facts to a proposal, each step named. Pure: the day is a parameter, nothing is looked up.

The proposal never stands alone: the caller shows it beside the category that a person has chosen before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from app.report.guidelines.rules import Condition, Fact, Guideline, Rule

_DIAMETERS = ("mean_diameter_mm", "solid_mm")
_NO_TIME_MONTHS = 12.0


class ProposalState(StrEnum):
    PROPOSED = "proposed"
    NOT_APPLICABLE = "not_applicable"
    """The guideline itself excludes this examination or person."""
    EXPIRED = "expired"
    INCOMPLETE = "incomplete"
    """A fact is not known; ``missing`` names it."""
    NOT_COVERED = "not_covered"
    """No row of the table names this case."""


@dataclass(frozen=True)
class Step:
    """One condition of the trace: what was asked, what was found, whether it held."""

    condition: Condition
    value: Fact
    held: bool = True
    by_volume: bool = False


@dataclass(frozen=True)
class NoduleFacts:
    """What is known of one nodule. Facts by name; lengths in mm, volume in mm3. A missing name is not known."""

    nodule_id: str
    facts: Mapping[str, Fact]


@dataclass(frozen=True)
class NoduleProposal:
    nodule_id: str
    category: str
    rule: Rule | None
    steps: tuple[Step, ...]
    missing: tuple[str, ...] = ()
    upgrade: Rule | None = None


@dataclass(frozen=True)
class Proposal:
    guideline_id: str
    state: ProposalState
    category: str = ""
    action: str = ""
    """Id of the action's text."""
    modifier: str = ""
    rule: Rule | None = None
    steps: tuple[Step, ...] = ()
    nodules: tuple[NoduleProposal, ...] = ()
    decisive: str = ""
    """The nodule that decides."""
    missing: tuple[tuple[str, str], ...] = ()
    """(nodule id or empty for the exam, fact)."""


def propose(guideline: Guideline, nodules: Sequence[NoduleFacts], exam: Mapping[str, Fact], today: date) -> Proposal:
    """The guideline's answer for accepted nodules and the facts of the examination."""
    name = guideline.guideline_id
    if today > guideline.expires:
        return Proposal(name, ProposalState.EXPIRED)
    facts: dict[str, Fact] = {"nodules": float(len(nodules)), **exam}
    for condition in guideline.applies:
        value = facts.get(condition.fact)
        if value is None:
            return Proposal(name, ProposalState.INCOMPLETE, missing=(("", condition.fact),))
        if not condition.holds(value):
            return Proposal(name, ProposalState.NOT_APPLICABLE, steps=(Step(condition, value, False),))
    modifier = "S" if facts.get("other_significant") is True and guideline.stated else ""
    for rule in guideline.rules:
        if rule.scope != "exam":
            continue
        steps, missing = _judged(rule, facts, guideline)
        if steps is not None and not missing:
            action = rule.action or rule.category
            return Proposal(name, ProposalState.PROPOSED, rule.category, action, modifier, rule, steps)
    if not nodules:
        return Proposal(name, ProposalState.NOT_COVERED)
    judged = tuple(_nodule(guideline, n, {**facts, **_number(nodules, n)}) for n in nodules)
    missing_facts = tuple((n.nodule_id, fact) for n in judged for fact in n.missing)
    if missing_facts:
        return Proposal(name, ProposalState.INCOMPLETE, nodules=judged, missing=missing_facts)
    if any(n.rule is None for n in judged):
        return Proposal(name, ProposalState.NOT_COVERED, nodules=judged)
    worst = max(judged, key=lambda n: guideline.categories.index(n.category))
    deciding = worst.upgrade or worst.rule
    assert deciding is not None
    action = deciding.action or worst.category
    return Proposal(
        name, ProposalState.PROPOSED, worst.category, action, modifier, deciding, worst.steps, judged, worst.nodule_id
    )


def _number(nodules: Sequence[NoduleFacts], one: NoduleFacts) -> dict[str, Fact]:
    """Single or multiple among nodules of its family: the tables count solid and subsolid ones apart."""
    family = one.facts.get("composition") == "solid"
    same = sum((n.facts.get("composition") == "solid") == family for n in nodules)
    return {"number": "multiple" if same > 1 else "single"}


def _nodule(guideline: Guideline, nodule: NoduleFacts, exam: Mapping[str, Fact]) -> NoduleProposal:
    facts: dict[str, Fact] = {**exam, **nodule.facts}
    for name in _DIAMETERS:
        value = facts.get(name)
        if isinstance(value, float | int) and not isinstance(value, bool):
            facts[name] = guideline.rounded(float(value))
    for rule in guideline.rules:
        if rule.scope != "nodule":
            continue
        steps, missing = _judged(rule, facts, guideline)
        if steps is None:
            continue
        if missing:
            return NoduleProposal(nodule.nodule_id, "", None, steps, missing)
        category, upgrade = rule.category, None
        for higher in guideline.rules:
            if higher.scope == "upgrade":
                more, unknown = _judged(higher, {**facts, "category": category}, guideline)
                if more is not None and not unknown:
                    steps, category, upgrade = (*steps, *more), higher.category, higher
                    break
        return NoduleProposal(nodule.nodule_id, category, rule, steps, (), upgrade)
    return NoduleProposal(nodule.nodule_id, "", None, ())


def _judged(rule: Rule, facts: Mapping[str, Fact], guideline: Guideline) -> tuple[tuple[Step, ...] | None, tuple[str, ...]]:
    """(steps, missing): None when a condition fails; missing names facts that would be needed to say."""
    steps: list[Step] = []
    missing: list[str] = []
    for condition in rule.conditions:
        value = facts.get(condition.fact)
        if value is None and condition.or_volume is not None and facts.get("volume_mm3") is not None:
            volume = facts["volume_mm3"]
            by_volume = Condition("volume_mm3", (), condition.or_volume)
            # Volumes are reported in whole cubic millimetres.
            value = float(int(float(volume) + 0.5))
            if not by_volume.holds(value):
                return None, ()
            steps.append(Step(by_volume, value, True, True))
        elif value is None:
            missing.append(condition.fact)
        elif not condition.holds(value):
            return None, ()
        else:
            steps.append(Step(condition, value))
    return tuple(steps), tuple(missing)


def change_from_prior(
    guideline: Guideline, now_mm: float, prior_mm: float, months: float, composition: str = "solid"
) -> str:
    """``growing``, ``crossed`` or ``stable`` by the mean diameters of two examinations ``months`` apart.

    Growth is an increase above ``growth_mm`` within twelve months; over a longer time the rate counts. ``crossed``: a
    higher size class without growth, which the guideline judges by size as on a first examination.
    """
    if guideline.growth_mm is None:
        raise ValueError('"growth_mm" is needed to tell growth')
    increase = guideline.rounded(now_mm) - guideline.rounded(prior_mm)
    rate = increase if months <= _NO_TIME_MONTHS else increase * _NO_TIME_MONTHS / months
    if rate > guideline.growth_mm + 1e-9:
        return "growing"
    if increase > 0:
        then, size = (
            _nodule(guideline, NoduleFacts("", {"composition": composition, "change": "baseline",
                    "feature": "none", "mean_diameter_mm": mm, "solid_mm": 0.0, "suspicious": False}), {})
            for mm in (prior_mm, now_mm)
        )  # fmt: skip
        known = guideline.categories
        if then.category and size.category and known.index(size.category) > known.index(then.category):
            return "crossed"
    return "stable"
