"""Why it hangs like this, in words: the protocol with its rules, every pane with its images, and what came next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.session.moments import once
from app.session.prior_words import prior_lines
from app.session.views import Words
from app.viewer.hanging import Considered, may_hang
from app.viewer.hanging_reasons import Because, PaneReason, reasons
from app.viewer.hanging_rules import (
    Candidate,
    Found,
    Rule,
    RuleResult,
    as_text,
    candidates,
    evaluate,
    met_by,
    study_attributes,
)

if TYPE_CHECKING:
    from app.session.pane_board import PaneBoard

RUNNERS_UP = 3
LONGEST = 60
"""Characters of a description that are told; the rest is in the strip."""
_VALUED = frozenset({"Kind", "Plane", "Planes"})
_REGIONS = frozenset({"BodyRegion", "PriorBodyRegion"})
Said = Words | str


@dataclass(frozen=True)
class RuleSaid:
    held: bool
    words: Words
    points: str = ""
    """What it added to the score, or empty."""


@dataclass(frozen=True)
class PaneSaid:
    title: Words
    series: Words
    because: Words
    rules: tuple[RuleSaid, ...] = ()


@dataclass(frozen=True)
class HangingSaid:
    protocol: Words
    rules: tuple[RuleSaid, ...] = ()
    panes: tuple[PaneSaid, ...] = ()
    others: tuple[Words, ...] = ()
    priors: tuple[Words, ...] = ()


def _joined(said: list[Said]) -> Said:
    """A list in one parameter."""
    if not said:
        return "–"
    out = said[-1]
    for one in reversed(said[:-1]):
        out = Words("hanging.said.and", {"one": one, "more": out})
    return out


def _value(attribute: str, value: str) -> Said:
    if attribute in _VALUED:
        return Words(f"hanging.value.{value}")
    if attribute == "NamedFirst":
        return Words(f"hanging.word.{value}")
    return Words(f"body.{value}") if attribute in _REGIONS else value


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"


def _wanted(rule: Rule) -> Said:
    """What a rule asks for: the names of its lists of words, then its own words."""
    if rule.test not in ("contains_any", "lacks"):
        expected = rule.expected if isinstance(rule.expected, list | tuple) else [rule.expected]
        return _joined([_value(rule.attribute, as_text(e if isinstance(e, str) else float(e))) for e in expected])
    patterns = [str(p) for p in (rule.expected if isinstance(rule.expected, list) else [rule.expected])]
    lists: list[Said] = [Words(f"hanging.word.{p[1:]}") for p in patterns if p.startswith("$")]
    plain: list[Said] = [p.replace("[*]", "\0").replace("*", "").replace("\0", "*") for p in patterns if p[0] not in "$!"]
    shown = lists or plain[:3]
    return _joined([*shown, *(["…"] if not lists and len(plain) > len(shown) else [])])


def _found(rule: Rule, found: Found) -> Said:
    if rule.test in ("contains_any", "lacks"):
        return _short(", ".join(met_by(rule, found)[:2]))
    if isinstance(found, bool):
        return Words(f"hanging.value.{str(found).lower()}")
    values = [v for v in (found if isinstance(found, tuple) else (as_text(found),)) if v]
    return _joined([_value(rule.attribute, v) for v in values]) if values else Words("hanging.value.none")


def rule_words(rule: Rule, found: Found, passed: bool) -> Words:
    """One outcome as a sentence."""
    what: dict[str, Any] = {"what": Words(f"hanging.attribute.{rule.attribute}")}
    if rule.test == "exists":
        stated = bool(as_text(found))
        return Words("hanging.said.stated" if stated else "hanging.said.not_stated", what)
    if rule.test in ("at_least", "at_most"):
        return Words(f"hanging.said.{rule.test}", {**what, "found": _found(rule, found), "wanted": _wanted(rule)})
    if rule.test == "contains_any" and not passed:
        return Words("hanging.said.no_words", {**what, "wanted": _wanted(rule)})
    if rule.test == "lacks" and passed:
        return Words("hanging.said.free", {**what, "wanted": _wanted(rule)})
    name = {"contains_any": "words", "lacks": "not_free"}.get(rule.test, "is" if passed else "is_not")
    params = {**what, "found": _found(rule, found)}
    return Words(f"hanging.said.{name}", params if name == "is" else {**params, "wanted": _wanted(rule)})


def _said(result: RuleResult, found: Found, points: bool) -> RuleSaid:
    told = f"+{result.rule.weight:g}" if points and result.passed and result.rule.weight > 0 else ""
    return RuleSaid(result.passed, rule_words(result.rule, found, result.passed), told)


def title_of(considered: Considered) -> Words:
    return Words("hanging.own", {"title": considered.title}) if considered.title else Words(f"hanging.{considered.protocol}")


def _other(candidate: Candidate) -> Words:
    """As part of a sentence."""
    series = candidate.series
    name = (series.description if series is not None else "") or candidate.display_set.label
    told: Said = _short(name) if name else Words("hanging.said.unnamed")
    number = series.series_number if series is not None else None
    if number is None:
        return Words("hanging.said.other_unnumbered", {"name": told})
    return Words("hanging.said.other_series", {"number": number, "name": told})


def _series(candidate: Candidate) -> Words:
    series = candidate.series
    name = (series.description if series is not None else "") or candidate.display_set.label
    told: Said = _short(name) if name else Words("hanging.said.unnamed")
    number = series.series_number if series is not None else None
    made = (
        Words("hanging.said.series_unnumbered", {"name": told})
        if number is None
        else Words("hanging.said.series", {"number": number, "name": told})
    )
    return Words("hanging.said.prior_series", {"series": made}) if candidate.prior else made


def _pane(number: int, reason: PaneReason, before: Sequence[PaneReason]) -> PaneSaid:
    label = reason.pane.label or (f"preset.{reason.pane.preset}" if reason.pane.preset else "")
    title = (
        Words("hanging.said.pane_named", {"n": number, "label": Words(label)})
        if label
        else Words("hanging.said.pane", {"n": number})
    )
    if reason.chosen is None:
        return PaneSaid(title, Words("hanging.said.empty"), Words(f"hanging.because.{Because.NOTHING.value}"))
    same = next((n for n, b in enumerate(before, 1) if _alike(b, reason)), 0)
    if same:
        return PaneSaid(title, _series(reason.chosen), Words("hanging.because.same", {"n": same}))
    params = {"other": _other(reason.instead)} if reason.instead is not None else {}
    attributes = reason.chosen.attributes
    rules = tuple(_said(r, attributes.get(r.rule.attribute), False) for r in reason.held)
    return PaneSaid(title, _series(reason.chosen), Words(f"hanging.because.{reason.because.value}", params), rules)


def _alike(one: PaneReason, other: PaneReason) -> bool:
    return one.chosen is other.chosen and one.pane.selector == other.pane.selector != ""


def _points(score: float) -> str:
    return f"{score:g}".replace("-", "\N{MINUS SIGN}")


def hanging_said(board: PaneBoard) -> HangingSaid:
    """The stage that hangs, explained."""
    hanging = board.hanging
    current, priors = board.studies()
    older = [(p.study, once(p.display_sets)) for p in priors]
    sets = once(current.display_sets)
    if not hanging.protocol or not hanging.considered or hanging.considered[0].protocol != hanging.protocol:
        title = Words(f"hanging.{hanging.protocol}" if hanging.protocol else "hanging.nothing")
        return HangingSaid(title, priors=prior_lines(hanging))
    chosen = hanging.considered[0]
    own = candidates(current.study, sets, prior=False)
    attributes = study_attributes(current.study, own, may_hang(current.study, own, older))
    _, results = evaluate([r.rule for r in chosen.rules], attributes)
    rank = hanging.score - sum(r.rule.weight for r in results if r.passed)
    ranked = (
        (RuleSaid(True, Words("hanging.said.rank"), ("+" if rank > 0 else "") + _points(rank)),) if abs(rank) > 0.005 else ()
    )
    why = reasons(hanging, board.stage, current.study, sets, older, board.protocols)
    scored = [c for c in hanging.considered[1:] if c.score is not None][:RUNNERS_UP]
    return HangingSaid(
        Words("hanging.said.chosen", {"protocol": title_of(chosen), "score": _points(hanging.score)}),
        (*(_said(r, attributes.get(r.rule.attribute), True) for r in results), *ranked),
        tuple(_pane(n, reason, why[: n - 1]) for n, reason in enumerate(why, 1)),
        tuple(Words("hanging.said.runner_up", {"protocol": title_of(c), "score": _points(c.score or 0.0)}) for c in scored)
        or (Words("hanging.said.no_other"),),
        prior_lines(hanging),
    )
