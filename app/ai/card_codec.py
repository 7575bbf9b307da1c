"""``card.json`` and ``select.json`` of a package to and from the domain's :class:`ModelCard`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app.ai.plain import PlainError, canonical_json, from_plain, strict_json, to_plain
from app.domain.model_card import ModelCard, SelectionRules

LANGUAGES = ("en", "ru", "kk")
MODES = ("second", "concurrent", "triage")
EXTRA_RULES = frozenset(
    {
        "earlier",
        "intent",
        "kind",
        "max_age_years",
        "max_gantry_tilt_deg",
        "max_slice_thickness_mm",
        "max_width_over_height",
        "min_coverage_mm",
        "views",
        "min_films",
    }
)
"""Keys of ``SelectionRules.extra``, as text. ``kind``: volume or films; ``intent``: presentation; ``views``: words with
commas; ``earlier``: 1, the reader compares with the films of the patient's newest earlier study; the rest: numbers."""


def card_to_files(card: ModelCard) -> tuple[bytes, bytes]:
    """(card.json, select.json), canonical. Raises ``PlainError`` when the card would not be read back."""
    check_card(card)
    plain = to_plain(card)
    rules = plain.pop("rules")
    return canonical_json(plain), canonical_json(rules)


def card_from_files(card_json: bytes, select_json: bytes) -> ModelCard:
    """Raises ``PlainError`` naming what does not fit."""
    plain: Any = strict_json(card_json)
    if not isinstance(plain, dict) or "rules" in plain:
        raise PlainError("card: a table without rules is needed")
    rules = from_plain(SelectionRules, strict_json(select_json))
    empty = to_plain(SelectionRules(()))
    card = replace(from_plain(ModelCard, {**plain, "rules": empty}), rules=rules)
    check_card(card)
    return card


def check_card(card: ModelCard) -> None:
    for name in ("titles", "intended_use", "limits"):
        table = getattr(card, name)
        if any(not table.get(language) for language in LANGUAGES):
            raise PlainError(f"card: {name} is needed in en, ru and kk")
    if card.mode not in MODES:
        raise PlainError("card: mode is second, concurrent or triage")
    if not 0.0 <= card.threshold <= 1.0:
        raise PlainError("card: threshold lies in 0..1")
    if any(not m.low <= m.value <= m.high or m.n < 1 for m in card.metrics):
        raise PlainError("card: a metric lies outside its own interval")
    if any(not 0 <= b.low < b.high <= 1 or not 0 <= b.true <= b.n for b in card.calibration):
        raise PlainError("card: a calibration band does not fit")
    _check_rules(card.rules)


def _check_rules(rules: SelectionRules) -> None:
    if not rules.modality:
        raise PlainError("select: modality is needed")
    unknown = sorted(set(rules.extra) - EXTRA_RULES)
    if unknown:
        raise PlainError(f"select: unknown rule {unknown[0]}")
    if rules.extra.get("kind") not in ("volume", "films"):
        raise PlainError('select: extra.kind is "volume" or "films"')
    if rules.extra.get("intent", "presentation") != "presentation":
        raise PlainError('select: extra.intent is "presentation"')
    for key, value in rules.extra.items():
        if key not in ("intent", "kind", "views"):
            try:
                float(value)
            except ValueError as error:
                raise PlainError(f"select: {key} must be a number") from error
