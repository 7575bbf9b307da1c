"""The guideline's proposal for an open chest CT: after the commit, from accepted findings, beside a person's own category.

Nothing is proposed before the person has chosen: the desk gives a proposal only once an own category is kept. What was
answered and chosen is kept in the library with who said it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from app.dicom.coding import finding_kind
from app.domain.finding import Finding
from app.domain.measurement import Quantity
from app.domain.messages import translate
from app.domain.person import Person
from app.domain.problem import Problem, ProblemError
from app.domain.study import Study
from app.report.guidelines.engine import NoduleFacts, Proposal, ProposalState, Step, change_from_prior, propose
from app.report.guidelines.rules import Fact, Guideline, Interval, guideline
from app.report.templates import choose_template
from app.report.words import number
from app.session.clock import age_years
from app.session.findings_desk import FindingsDesk
from app.session.report_desk import ReportDesk
from app.session.views import NOTHING, Changes, Words
from app.store.library import Library

CHEST_TEMPLATE = "ct_chest"
CONTEXTS: Mapping[str, str] = {"screening": "lung_rads_2022", "incidental": "fleischner_2017"}
"""Why the scan was made -> the guideline for it."""
COMPOSITIONS = ("solid", "part_solid", "ground_glass")
CHANGES = ("baseline", "new", "stable", "crossed", "growing", "slow")
FEATURES = (
    "none",
    "benign",
    "juxtapleural",
    "airway_subsegmental",
    "airway_segmental",
    "cyst_thick",
    "cyst_thick_growing_cyst",
    "cyst_thick_growing_wall",
    "cyst_multilocular",
    "cyst_multilocular_growing",
)
EXAM_STATES = ("complete", "prior_pending", "lungs_incomplete", "infection_like")
PRIOR_CATEGORIES = ("2", "3", "4A", "4B", "4X")
_KINDS = ("nodule", "mass")
_DAYS_A_MONTH = 30.4375


@dataclass(frozen=True)
class Question:
    """One fact of the form. ``options`` empty: a number in millimetres or months (``unit``)."""

    fact: str
    title: Words
    value: Fact | None
    options: tuple[tuple[str, Words], ...] = ()
    unit: str = "mm"
    stated: bool = False
    """True when a person has answered; False: measured, from the header, or the usual case."""
    proposed: bool = False
    """From a confirmed match with an earlier study, after the person's own category."""


@dataclass(frozen=True)
class NoduleForm:
    finding_id: str
    badge: str
    title: Words
    region: Words
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class ProposalView:
    state: str
    text: Words
    """What the guideline says, or why it says nothing."""
    category: str
    action: str
    """Id of the action's text in the guideline."""
    rule: str
    local: str
    decisive: str
    """Badge of the nodule that decides."""
    trace: tuple[Words, ...]


@dataclass(frozen=True)
class GuidelineView:
    available: bool
    blocked: Words = NOTHING
    """Why no assessment can be made yet; empty when it can."""
    context: str = ""
    guideline_id: str = ""
    source: str = ""
    valid_until: str = ""
    sites: tuple[str, ...] = ()
    exam: tuple[Question, ...] = ()
    nodules: tuple[NoduleForm, ...] = ()
    own: str = ""
    chosen_by: str = ""
    options: tuple[str, ...] = ()
    stated: bool = True
    proposal: ProposalView | None = None
    """Only after the own category."""
    in_report: bool = False


class GuidelineDesk:
    """Main thread only."""

    def __init__(
        self,
        library: Library,
        study: Study,
        desk: FindingsDesk,
        reports: ReportDesk,
        person: Person,
        announce: Callable[[Changes], None],
        today: Callable[[], date] = date.today,
    ) -> None:
        self._library = library
        self._study = study
        self.earlier_on(())
        self._desk = desk
        self._reports = reports
        self._person = person
        self._announce = announce
        self._today = today
        self._key = f"guideline:{study.study_instance_uid}"
        self._kept: dict[str, Any] = dict(library.settings.get(self._key, {}))
        self._chest = "CT" in study.modalities and choose_template(study).template_id == CHEST_TEMPLATE
        self._folder: Path = library.home / "guidelines"
        self._loaded: dict[str, Guideline | None] = {}
        self._damaged = NOTHING
        self.from_prior: Callable[[Finding], Mapping[str, Fact]] = lambda finding: {}
        """What a confirmed match with an earlier study says; set by whoever opens the study."""
        self.before_answers: Callable[[], None] = lambda: None
        """Called before a person's word changes: what is to be undone is noted."""

    # -- what is said ------------------------------------------------------------------------------------------------

    def set_context(self, context: str) -> None:
        """Screening, or found by chance. Another guideline: the category has to be chosen anew."""
        if context in CONTEXTS and context != self._kept.get("context"):
            self._keep({**self._kept, "context": context, "own": "", "chosen_by": ""})

    def answer(self, finding_id: str, fact: str, value: Fact | None) -> None:
        """A person's word on one fact of a nodule, or of the examination (empty id). None takes the word back."""
        said = {k: dict(v) for k, v in self._kept.get("said", {}).items()}
        facts = said.setdefault(finding_id, {})
        if value is None:
            facts.pop(fact, None)
        else:
            facts[fact] = value
        self._keep({**self._kept, "said": said})

    def choose(self, category: str) -> None:
        """The person's own category; from now on the proposal stands beside it. Raises ``guideline.*``."""
        blocked = self._blocked()
        if blocked is not NOTHING:
            raise ProblemError(Problem("guideline.too_early", next_step="next.give_verdicts"))
        chosen = self._guideline()
        if chosen is None or category not in chosen.categories:
            raise ProblemError(Problem("guideline.no_such_category"))
        self._keep({**self._kept, "own": category, "chosen_by": self._person.display_name})

    def put_into_report(self) -> None:
        """Adds the person's statement to the recommendation; it is typed text from then on."""
        view, chosen = self.view(), self._guideline()
        if chosen is None or not view.own:
            raise ProblemError(Problem("guideline.choose_first"))
        report = self._reports.report()
        text = self.statement(report.language)
        sections = [s.section_id for s in report.sections]
        section = "recommendation" if "recommendation" in sections else sections[-1]
        self._reports.add_line(section, text)
        self._announce(Changes(findings=True, report=True))

    def statement(self, language: str) -> str:
        """The line of the report: whose category, what the guideline proposed and by which rule."""
        view, chosen = self.view(), self._guideline()
        assert chosen is not None
        own_action = chosen.action_text(view.own, language)
        proposal = view.proposal
        if proposal is not None and proposal.state == ProposalState.PROPOSED:
            said = proposal.category if chosen.stated else chosen.action_text(proposal.action, language).rstrip(".")
            beside = translate(language, "guideline.report.proposal", {"category": said, "rule": proposal.rule})
            if proposal.category == view.own + ("S" if proposal.category.endswith("S") else ""):
                own_action = chosen.action_text(proposal.action, language)
        else:
            beside = translate(language, "guideline.report.no_proposal")
        params = {"title": chosen.title(language), "category": view.own, "action": own_action, "person": view.chosen_by}
        message = "guideline.report.category" if chosen.stated else "guideline.report.action"
        return f"{translate(language, message, params)} {beside}"

    def kept(self) -> dict[str, Any]:
        """What was said and chosen, JSON-able."""
        return self._kept

    def put_back(self, state: Mapping[str, Any]) -> None:
        """Undo: what was said and chosen before."""
        self._keep(dict(state))

    def _keep(self, state: dict[str, Any]) -> None:
        self.before_answers()
        self._kept = state
        self._library.write(lambda tx: self._library.settings.set(tx, self._key, state, self._person.person_id))
        self._announce(Changes(findings=True, report=True))

    # -- what is shown -----------------------------------------------------------------------------------------------

    def view(self) -> GuidelineView:
        if not self._chest or not self._desk.committed:
            return GuidelineView(False)
        blocked = self._blocked()
        chosen = self._guideline()
        if chosen is None or blocked is not NOTHING:
            context = str(self._kept.get("context", ""))
            return GuidelineView(True, self._damaged if context and blocked is NOTHING else blocked, context)
        own = str(self._kept.get("own", ""))
        facts = {f.finding_id: self._facts(f, chosen) for f, _ in self._nodules()}
        proposal = None
        if own:
            exam = {q.fact: q.value for q in self._exam_questions(chosen) if q.value is not None}
            exam["screening"] = self._kept.get("context") == "screening"
            given = propose(chosen, [NoduleFacts(i, f) for i, f in facts.items()], exam, self._today())
            proposal = self._shown(given, chosen)
        language = self._reports.report().language
        title = chosen.title(language)
        return GuidelineView(
            available=True,
            context=str(self._kept.get("context", "")),
            guideline_id=chosen.guideline_id,
            source=chosen.source,
            valid_until=chosen.expires.strftime("%d.%m.%Y"),
            sites=chosen.sites,
            exam=self._exam_questions(chosen),
            nodules=tuple(self._form(f, badge, facts[f.finding_id], chosen) for f, badge in self._nodules()),
            own=own,
            chosen_by=str(self._kept.get("chosen_by", "")),
            options=chosen.categories,
            stated=chosen.stated,
            proposal=proposal,
            in_report=any(
                line.edited and line.text.startswith(title) for s in self._reports.report().sections for line in s.lines
            ),
        )

    def action_text(self, action: str, language: str) -> str:
        """Text of a category or action of the guideline in force."""
        chosen = self._guideline()
        return chosen.action_text(action, language) if chosen is not None else ""

    def title(self, language: str) -> str:
        chosen = self._guideline()
        return chosen.title(language) if chosen is not None else ""

    def _guideline(self) -> Guideline | None:
        """The one in force; None when the reason of the scan is not said or its file cannot be used (the view says so)."""
        name = CONTEXTS.get(str(self._kept.get("context", "")))
        if name and name not in self._loaded:
            try:
                self._loaded[name] = guideline(name, self._folder)
            except ProblemError as error:
                self._loaded[name] = None
                self._damaged = Words(error.problem.code, {k: str(v) for k, v in error.problem.params.items()})
        return self._loaded.get(name) if name else None

    def _blocked(self) -> Words:
        if not self._desk.committed:
            return Words("guideline.blocked.not_committed")
        if self._desk.reading_on():
            return Words("guideline.blocked.reading")
        waiting = len(self._desk.unanswered())
        return Words("guideline.blocked.unanswered", {"n": waiting}) if waiting else NOTHING

    def _nodules(self) -> tuple[tuple[Finding, str], ...]:
        """Own and accepted nodules with their badges, each once: an agreed pair counts as the accepted one."""
        view = self._desk.view()
        agreed = {c.agrees_with for c in view.agreed if c.agrees_with and c.verdict is not None}
        badges = {c.finding.finding_id: c.badge for c in (*view.own, *view.ai_only, *view.agreed)}
        rejected_pairs = {c.agrees_with for c in view.agreed if c.verdict is not None and c.verdict.decision == "rejected"}
        out = [(f, badges.get(f.finding_id, "")) for f in self._desk.accepted_findings()]
        for card in view.own:
            if card.badge not in agreed or card.badge in rejected_pairs:
                out.append((card.finding, card.badge))
        return tuple((f, b) for f, b in out if finding_kind(f.code) in _KINDS)

    def _said(self, finding_id: str) -> Mapping[str, Fact]:
        return dict(self._kept.get("said", {}).get(finding_id, {}))

    def earlier_on(self, dates: Iterable[str]) -> None:
        """When the earlier studies of the same part were taken."""
        self._prior_dates = tuple(d for d in dates if len(d) >= 8 and d[:8].isdigit())

    def _months(self) -> float | None:
        at = self._study.study_datetime[:8]
        earlier = [d[:8] for d in self._prior_dates if d[:8] < at]
        if not earlier or not at.isdigit():
            return None
        now, then = (date(int(d[:4]), int(d[4:6]), int(d[6:8])) for d in (at, max(earlier)))
        return round((now - then).days / _DAYS_A_MONTH, 1)

    def _facts(self, finding: Finding, chosen: Guideline) -> dict[str, Fact]:
        """Measured, then what a person said over it."""
        facts: dict[str, Fact] = {"feature": "none", "suspicious": False}
        attributes = dict(finding.attributes)
        if attributes.get("composition") in COMPOSITIONS:
            facts["composition"] = attributes["composition"]
        for fact, quantity in (("mean_diameter_mm", Quantity.MEAN_DIAMETER), ("volume_mm3", Quantity.VOLUME)):
            measured = finding.measured(quantity)
            if measured is not None and measured.calibrated and measured.unit in ("mm", "mm3"):
                facts[fact] = measured.value
        solid = attributes.get("solid_part_mm", "")
        if solid.replace(".", "", 1).isdigit():
            facts["solid_mm"] = float(solid)
        months = self._months()
        if months is None:
            facts["change"] = "baseline"
        else:
            facts["prior_months"] = months
        facts.update(self._past(finding))
        facts.update(self._said(finding.finding_id))
        prior, now = facts.get("prior_mean_diameter_mm"), facts.get("mean_diameter_mm")
        since = facts.get("prior_months")
        known = chosen.growth_mm is not None and all(isinstance(v, float | int) for v in (prior, now, since))
        if known and since and "change" not in {**self._past(finding), **self._said(finding.finding_id)}:
            assert prior is not None
            assert now is not None
            assert since is not None
            facts["change"] = change_from_prior(
                chosen, float(now), float(prior), float(since), str(facts.get("composition", "solid"))
            )
        return facts

    def _past(self, finding: Finding) -> Mapping[str, Fact]:
        """Nothing before the person's own category: it is to be chosen without a hint."""
        return self.from_prior(finding) if self._kept.get("own") else {}

    def _question(self, fact: str, facts: Mapping[str, Fact], said: Mapping[str, Fact], options: tuple[str, ...] = (),
                  unit: str = "mm") -> Question:  # fmt: skip
        value = facts.get(fact)
        shown = ("true" if value else "false") if isinstance(value, bool) else value
        named = tuple((o, Words(f"guideline.value.{o}") if not o[0].isdigit() else Words("guideline.plain", {"value": o}))
                      for o in options)  # fmt: skip
        return Question(fact, Words(f"guideline.fact.{fact}"), shown, named, unit, fact in said)

    def _form(self, finding: Finding, badge: str, facts: Mapping[str, Fact], chosen: Guideline) -> NoduleForm:
        said = self._said(finding.finding_id)
        asked = [self._question("composition", facts, said, COMPOSITIONS), self._question("mean_diameter_mm", facts, said)]
        if chosen.growth_mm is not None:
            if facts.get("composition") == "part_solid":
                asked.append(self._question("solid_mm", facts, said))
            asked.append(self._question("change", facts, said, CHANGES))
            if facts.get("change") != "baseline" or self._months() is not None:
                asked.append(self._question("prior_mean_diameter_mm", facts, said))
                asked.append(self._question("prior_months", facts, said, unit="months"))
            if facts.get("change") == "stable":
                asked.append(self._question("prior_category", facts, said, PRIOR_CATEGORIES))
            asked.append(self._question("feature", facts, said, FEATURES))
            asked.append(self._question("suspicious", facts, said, ("false", "true")))
        from app.session.cards import region_of, title_of

        past = {**self._past(finding)}
        if "prior_mean_diameter_mm" in past:
            past["change"] = True  # follows from it
        asked = [replace(q, proposed=q.fact in past and not q.stated) for q in asked]
        return NoduleForm(finding.finding_id, badge, title_of(finding), region_of(finding), tuple(asked))

    def _exam_questions(self, chosen: Guideline) -> tuple[Question, ...]:
        said = self._said("")
        if chosen.growth_mm is not None:
            facts: dict[str, Fact] = {"exam_state": "complete", "other_significant": False, **said}
            return (
                self._exam(self._question("exam_state", facts, said, EXAM_STATES), facts),
                self._exam(self._question("other_significant", facts, said, ("false", "true")), facts),
            )
        facts = dict(said)
        age = age_years(self._study.patient.birth_date, self._study.study_datetime, self._study.patient_age)
        if age is not None:
            facts.setdefault("age_years", age)
        return (
            self._exam(self._question("age_years", facts, said, unit="years"), facts),
            self._exam(self._question("cancer_or_immunosuppression", facts, said, ("false", "true")), facts),
            self._exam(self._question("risk", facts, said, ("low", "high")), facts),
        )

    @staticmethod
    def _exam(question: Question, facts: Mapping[str, Fact]) -> Question:
        """The engine's value: truth, not its word."""
        return replace(question, value=facts.get(question.fact))

    def _shown(self, given: Proposal, chosen: Guideline) -> ProposalView:
        badges = {f.finding_id: b for f, b in self._nodules()}
        trace = [_step_words(s) for s in given.steps]
        if given.state is ProposalState.PROPOSED:
            text = Words("guideline.state.proposed")
        elif given.state is ProposalState.EXPIRED:
            text = Words("guideline.state.expired", {"day": chosen.expires.strftime("%d.%m.%Y")})
        elif given.state is ProposalState.INCOMPLETE:
            nodule, fact = given.missing[0]
            params: dict[str, str | int | float | Words] = {"fact": Words(f"guideline.fact.{fact}")}
            text = Words("guideline.state.incomplete", params)
            if nodule:
                text = Words("guideline.state.incomplete_nodule", {**params, "badge": badges.get(nodule, "")})
        else:
            text = Words(f"guideline.state.{given.state.value}")
        rule = given.rule
        return ProposalView(
            state=given.state.value,
            text=text,
            category=given.category + given.modifier,
            action=given.action,
            rule=rule.rule_id if rule is not None else "",
            local=rule.local if rule is not None else "",
            decisive=badges.get(given.decisive, ""),
            trace=tuple(trace),
        )


def _step_words(step: Step) -> Words:
    fact = Words(f"guideline.fact.{step.condition.fact}")
    if step.condition.interval is not None:
        value = number("en", float(step.value), 0 if step.by_volume else 1)
        params: dict[str, str | int | float | Words] = {
            "fact": fact, "value": value, "wanted": interval_text(step.condition.interval),
        }  # fmt: skip
        return Words("guideline.step.interval" if step.held else "guideline.step.interval_not", params)
    word = step.value if not isinstance(step.value, bool) else ("true" if step.value else "false")
    plain = str(word)[:1].isdigit()
    named = Words("guideline.plain", {"value": str(word)}) if plain else Words(f"guideline.value.{word}")
    return Words("guideline.step.value" if step.held else "guideline.step.value_not", {"fact": fact, "value": named})


def interval_text(interval: Interval) -> str:
    """``≥ 6.0, < 8.0``."""
    parts = [
        f"{sign} {value:g}" if value >= 100 else f"{sign} {value:.1f}"
        for sign, value in (
            ("≥", interval.at_least),
            (">", interval.above),
            ("<", interval.below),
            ("≤", interval.at_most),
        )
        if value is not None
    ]
    return ", ".join(parts)
