"""Why every pane of a stage got what hangs in it: which rules its images met, and what tells them from the next best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.domain.study import DisplaySet, Study
from app.viewer.hanging import Hanging, HungPane, PriorStudy, fitting, may_hang
from app.viewer.hanging_protocols import HangingProtocol, shipped_protocols
from app.viewer.hanging_rules import Candidate, RuleResult, candidates, evaluate
from app.viewer.series_kind import most_like

OF_COURSE = frozenset({"Prior", "Modality", "Kind", "FrameCount"})
"""What every pane asks for: nobody wonders about it."""


class Because(StrEnum):
    """Message ids ``hanging.because.<value>``."""

    RULES = "rules"
    """It meets the rules of the pane best."""
    ONLY = "only"
    """Nothing else in the study meets them."""
    FIRST = "first"
    """Others meet them as well; it comes first in the study."""
    NEWEST = "newest"
    """An earlier study: the newest that shows the same part and meets the rules."""
    LIKEST = "likest"
    """Of one earlier study the images that go best with what hangs."""
    ORDER = "order"
    """The protocol lays everything out in the order of the study."""
    ANATOMY = "anatomy"
    """A mount: what the film says of its teeth and side."""
    GUESSED = "guessed"
    """A mount: the film says nothing; in the order of the study."""
    NOTHING = "nothing"
    """The pane is empty: nothing in the study meets its rules."""


@dataclass(frozen=True)
class PaneReason:
    because: Because
    pane: HungPane
    chosen: Candidate | None = None
    held: tuple[RuleResult, ...] = ()
    """RULES: those that tell it from ``instead``. ONLY: those that say more than every pane asks."""
    instead: Candidate | None = None
    """The next best."""


def _of_pane(pane: HungPane, pool: Sequence[Candidate]) -> Candidate | None:
    same = [c for c in pool if c.display_set.display_set_id == pane.display_set_id]
    exact = [c for c in same if not c.is_stack and c.frame_index == pane.view.frame_index]
    return next(iter(exact or same), None)


def _reason(
    pane: HungPane,
    protocol: HangingProtocol | None,
    current: Sequence[Candidate],
    older: Sequence[Candidate],
    hung: Sequence[Candidate],
) -> PaneReason:
    chosen = _of_pane(pane, (*current, *older)) if pane.display_set_id else None
    if chosen is None:
        return PaneReason(Because.NOTHING, pane)
    selector = next((s for s in protocol.selectors if s.name == pane.selector), None) if protocol is not None else None
    if selector is None:
        mount = pane.label.startswith("mount.")
        because = Because.ORDER if not mount else Because.GUESSED if pane.guessed else Because.ANATOMY
        return PaneReason(because, pane, chosen)
    _, results = evaluate(selector.rules, chosen.attributes)
    telling = tuple(r for r in results if r.passed and r.rule.attribute not in OF_COURSE)
    found = fitting(selector, current, most_like(hung, older), hung)
    after = found[found.index(chosen) + 1 :] if chosen in found else found
    others = [c for c in after if c.prior == chosen.prior]
    if not others and selector.nth:
        return PaneReason(Because.ORDER, pane, chosen)  # the last of several that meet the same rules
    if not others:
        return PaneReason(Because.ONLY, pane, chosen, telling)
    if others[0].study is not chosen.study:
        return PaneReason(Because.NEWEST, pane, chosen, telling, others[0])
    _, theirs = evaluate(selector.rules, others[0].attributes)
    missed = {id(r.rule) for r in theirs if not r.passed}
    decided = tuple(r for r in telling if id(r.rule) in missed)
    if not decided and chosen.prior and older.index(others[0]) < older.index(chosen):
        return PaneReason(Because.LIKEST, pane, chosen, telling, others[0])
    return PaneReason(Because.RULES if decided else Because.FIRST, pane, chosen, decided or telling, others[0])


def reasons(
    hanging: Hanging,
    stage: int,
    study: Study,
    sets: Sequence[DisplaySet],
    priors: Sequence[PriorStudy] = (),
    protocols: Sequence[HangingProtocol] | None = None,
) -> tuple[PaneReason, ...]:
    """One for each pane of the stage, in their order. Arguments as those of ``hang``."""
    if not 0 <= stage < len(hanging.stages):
        return ()
    current = candidates(study, sets, prior=False)
    older = may_hang(study, current, priors)
    panes = hanging.stages[stage].panes
    hung = [c for pane in panes if pane.display_set_id and (c := _of_pane(pane, current)) is not None]
    known = shipped_protocols().protocols if protocols is None else protocols
    protocol = next((p for p in known if p.name == hanging.protocol), None)
    return tuple(_reason(pane, protocol, current, older, hung) for pane in panes)
