"""Guidelines as data: TOML files in ``resources/guidelines``, each with source, version, expiry; a site may override rows.

A rule's ``when`` holds conditions on facts by name. A text or list of texts means "is one of"; a table of bounds
(``from`` >=, ``above`` >, ``below`` <, ``to`` <=) means an interval in the fact's unit. ``or_volume`` inside the bounds of
``mean_diameter_mm`` is the interval of ``volume_mm3`` that counts where no diameter is known.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from app.domain.problem import fail
from app.domain.resources import resource_path

_BOUNDS = ("from", "above", "below", "to")
Fact = str | float | bool


@dataclass(frozen=True)
class Interval:
    """``at_least`` or ``above`` below, ``below`` or ``at_most`` above; None is open."""

    at_least: float | None = None
    above: float | None = None
    below: float | None = None
    at_most: float | None = None

    def holds(self, value: float) -> bool:
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
            and (self.at_most is None or value <= self.at_most)
        )


@dataclass(frozen=True)
class Condition:
    """One fact and what it must be: one of ``values``, or inside ``interval``."""

    fact: str
    values: tuple[Fact, ...] = ()
    interval: Interval | None = None
    or_volume: Interval | None = None

    def holds(self, value: Fact) -> bool:
        if self.interval is not None:
            return not isinstance(value, (str, bool)) and self.interval.holds(value)
        return value in self.values


@dataclass(frozen=True)
class Rule:
    rule_id: str
    category: str
    conditions: tuple[Condition, ...]
    scope: str = "nodule"
    """nodule, exam (judged before the nodules), or upgrade (judged on a nodule's category)."""
    action: str = ""
    """An action other than the category's own."""
    local: str = ""
    """Name of the site that wrote this row; empty for the guideline's own."""


@dataclass(frozen=True)
class Guideline:
    guideline_id: str
    titles: Mapping[str, str]
    version: str
    published: date
    checked: date
    expires: date
    """After this day nothing is proposed until somebody has compared the file with its source."""
    source: str
    reference: str
    rounding_mm: float
    categories: tuple[str, ...]
    """In rising weight: the last of several nodules' categories is the exam's."""
    actions: Mapping[str, Mapping[str, str]]
    """Category or action id to language to text."""
    applies: tuple[Condition, ...]
    rules: tuple[Rule, ...]
    growth_mm: float | None = None
    """Increase of the mean diameter within twelve months above which a nodule grows."""
    stated: bool = True
    """Categories have names that go into the report (Lung-RADS); False: only the action does."""
    sites: tuple[str, ...] = field(default=())
    """Sites whose own rows are in force."""

    def title(self, language: str) -> str:
        return self.titles.get(language) or self.titles["en"]

    def action_text(self, action: str, language: str) -> str:
        texts = self.actions.get(action, {})
        return texts.get(language) or texts.get("en", "")

    def rounded(self, value_mm: float) -> float:
        """Half up, as people round; binary fractions do not decide a category."""
        step = Decimal(str(self.rounding_mm))
        units = (Decimal(repr(float(value_mm))) / step).quantize(Decimal(1), ROUND_HALF_UP)
        return float(units * step)


def _interval(table: Mapping[str, Any]) -> Interval:
    unknown = set(table) - {*_BOUNDS, "or_volume"}
    if unknown or not set(table) & set(_BOUNDS):
        raise ValueError(f"bounds {sorted(table)}")
    low, above, below, high = (None if k not in table else float(table[k]) for k in _BOUNDS)
    return Interval(low, above, below, high)


def _conditions(when: Mapping[str, Any]) -> tuple[Condition, ...]:
    made = []
    for fact, wanted in when.items():
        if isinstance(wanted, Mapping):
            volume = wanted.get("or_volume")
            made.append(Condition(fact, (), _interval(wanted), _interval(volume) if volume else None))
        else:
            made.append(Condition(fact, tuple(wanted) if isinstance(wanted, list) else (wanted,)))
    return tuple(made)


def _rules(rows: Sequence[Mapping[str, Any]], local: str = "") -> tuple[Rule, ...]:
    return tuple(
        Rule(
            str(r["id"]),
            str(r["category"]),
            _conditions(r.get("when", {})),
            str(r.get("scope", "nodule")),
            str(r.get("action", "")),
            local,
        )
        for r in rows
    )


def load_guideline(file: Path) -> Guideline:
    """Raises ``guideline.damaged`` naming the file."""
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
        categories = tuple(str(c["id"]) for c in data["category"])
        actions = {str(c["id"]): dict(c["action"]) for c in (*data["category"], *data.get("action", ()))}
        made = Guideline(
            guideline_id=file.stem,
            titles=dict(data["title"]),
            version=str(data["version"]),
            published=_day(data["published"]),
            checked=_day(data["checked"]),
            expires=_day(data["expires"]),
            source=str(data["source"]),
            reference=str(data["reference"]),
            rounding_mm=float(data["rounding_mm"]),
            categories=categories,
            actions=actions,
            applies=_conditions(data.get("applies", {})),
            rules=_rules(data["rule"]),
            growth_mm=data.get("growth_mm"),
            stated=bool(data.get("stated", True)),
        )
        _checked(made)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise fail("guideline.damaged", file=file.name) from error
    return made


def _day(value: object) -> date:
    if not isinstance(value, date):
        raise ValueError("a date is needed")
    return value


def _checked(made: Guideline) -> None:
    ids = [r.rule_id for r in made.rules]
    if len(set(ids)) != len(ids):
        raise ValueError("a rule id stands twice")
    for rule in made.rules:
        if rule.category not in made.categories or (rule.action and rule.action not in made.actions):
            raise ValueError(rule.rule_id)
    if any("en" not in texts for texts in (made.titles, *made.actions.values())) or made.rounding_mm <= 0:
        raise ValueError("title, action or rounding")


def with_override(guideline: Guideline, file: Path) -> Guideline:
    """The guideline with a site's rows: ``[[rule]]`` replaces the row of the same id or comes before all others,
    ``drop = [...]`` leaves rows out, ``expires`` and ``rounding_mm`` replace the values. ``site`` and ``expires`` are
    needed: a site that changes a rule answers for its date. Raises ``guideline.damaged``."""
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
        site = str(data["site"])
        own = {r.rule_id: r for r in _rules(data.get("rule", ()), site)}
        dropped = {str(i) for i in data.get("drop", ())}
        if dropped - {r.rule_id for r in guideline.rules}:
            raise ValueError("drop names no row")
        kept = tuple(own.pop(r.rule_id, r) for r in guideline.rules if r.rule_id not in dropped)
        extra = {str(c["id"]): dict(c["action"]) for c in data.get("action", ())}
        made = replace(
            guideline,
            rules=(*own.values(), *kept),
            expires=_day(data["expires"]),
            rounding_mm=float(data.get("rounding_mm", guideline.rounding_mm)),
            actions={**guideline.actions, **extra},
            sites=(*guideline.sites, site),
        )
        _checked(made)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise fail("guideline.damaged", file=file.name) from error
    return made


def guideline(guideline_id: str, site_folder: Path | None = None) -> Guideline:
    """The shipped guideline, with the site's ``<site_folder>/<id>.toml`` over it where there is one."""
    made = load_guideline(resource_path("guidelines", f"{guideline_id}.toml"))
    local = site_folder / f"{guideline_id}.toml" if site_folder is not None else None
    return with_override(made, local) if local is not None and local.exists() else made


def guideline_ids() -> tuple[str, ...]:
    return tuple(f.stem for f in sorted(resource_path("guidelines").glob("*.toml")))
