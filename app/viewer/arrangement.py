"""What the reader has arranged, as a hanging protocol: rules that find the same kind of images in the next study."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.domain.study import DisplaySet, Study
from app.viewer.hanging import ranked
from app.viewer.hanging_rules import Candidate, candidates, rule_from, set_attributes, study_attributes
from app.viewer.view_state import Plane, ViewState

RANK = 20.0
"""An own protocol goes before every shipped one that fits as well."""
_WORD = re.compile(r"[^\W_]{2,}", re.UNICODE)


@dataclass(frozen=True)
class ArrangedPane:
    display_set_id: str
    view: ViewState
    preset: str = ""
    link: str = ""
    over_id: str = ""


def _words(text: str) -> list[str]:
    return list(dict.fromkeys(w.casefold() for w in _WORD.findall(text)))


def _rules(candidate: Candidate) -> list[dict[str, Any]]:
    """What tells this set from the others, hard where it must be the same, soft where names vary."""
    found = set_attributes(candidate)
    rules: list[dict[str, Any]] = [
        {"attribute": "Prior", "equals": candidate.prior, "required": True},
        {"attribute": "Modality", "equals": candidate.display_set.modality, "required": True},
        {"attribute": "Kind", "equals": candidate.display_set.kind.value, "weight": 3.0},
    ]
    for attribute in ("Laterality", "ViewPosition"):
        if found[attribute]:
            rules.append({"attribute": attribute, "equals": found[attribute], "required": True})
    if found["Plane"]:
        rules.append({"attribute": "Plane", "equals": found["Plane"], "weight": 3.0})
    name = candidate.series.description if candidate.series is not None else ""
    if name:
        rules.append({"attribute": "SeriesDescription", "equals": name, "weight": 3.0})
    for word in _words(name)[:6]:
        rules.append({"attribute": "SeriesDescription", "contains_any": [word], "weight": 1.5})
    if found["ConvolutionKernel"]:
        rules.append({"attribute": "ConvolutionKernel", "equals": found["ConvolutionKernel"], "weight": 2.0})
    thickness = found["SliceThickness"]
    if isinstance(thickness, float):
        rules.append({"attribute": "SliceThickness", "at_most": round(thickness * 1.2, 2), "weight": 1.0})
    return rules


def _candidate_of(pool: Sequence[Candidate], pane: ArrangedPane) -> Candidate | None:
    same = [c for c in pool if c.display_set.display_set_id == pane.display_set_id]
    exact = [c for c in same if not c.is_stack and c.frame_index == pane.view.frame_index]
    return next(iter(exact or same), None)


def protocol_data(
    name: str,
    study: Study,
    sets: Sequence[DisplaySet],
    priors: Sequence[tuple[Study, tuple[DisplaySet, ...]]],
    layout: str,
    panes: Sequence[ArrangedPane],
) -> dict[str, Any]:
    """Data as a protocol's file holds them. Empty panes stay empty. Raises ``ValueError`` when nothing is arranged."""
    current = candidates(study, sets, prior=False)
    pool = [*current, *(c for p, s in priors for c in candidates(p, s, prior=True))]
    attributes = study_attributes(study, current)
    match: list[dict[str, Any]] = [
        {"attribute": "Modality", "equals": modality, "required": True} for modality in sorted(_modalities(pool, panes))
    ]
    body = attributes["BodyPartExamined"]
    if isinstance(body, tuple) and body:
        match.append({"attribute": "BodyPartExamined", "one_of": list(body), "weight": 3.0})
    words = _words(study.description)
    if words:
        match.append({"attribute": "AnyDescription", "contains_any": words, "weight": 3.0, "required": not body})
    named: dict[tuple[str, int], str] = {}
    selectors: list[dict[str, Any]] = []

    def selector(pane: ArrangedPane) -> str:
        candidate = _candidate_of(pool, pane)
        if candidate is None:
            return ""
        key = (candidate.display_set.display_set_id, candidate.frame_index)
        if key not in named:
            rules = _rules(candidate)
            # Sets that no rule tells apart (films without names) are counted in the study's order.
            nth = ranked([rule_from(r) for r in rules], pool).index(candidate)
            named[key] = f"set_{len(named) + 1}"
            selectors.append({"name": named[key], "rule": rules, **({"nth": nth} if nth else {})})
        return named[key]

    arranged: list[dict[str, Any]] = []
    for pane in panes:
        chosen = selector(pane) if pane.display_set_id else ""
        if not chosen:
            continue
        entry: dict[str, Any] = {"set": chosen, "start": "middle"}
        v = pane.view
        if v.plane in (Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL):
            entry["plane"] = v.plane.value
        if v.slab_mm > 0:
            entry |= {"slab_mm": v.slab_mm, "slab_mode": v.slab_mode.value}
        for field, value in (("preset", pane.preset), ("link", pane.link)):
            if value:
                entry[field] = value
        if v.invert:
            entry["invert"] = True
        if v.anchor != (0.5, 0.5):
            entry["anchor"] = list(v.anchor)
        if v.fit_extent_mm is not None:
            entry["scale_group"] = "one"
        if pane.over_id:
            over = selector(ArrangedPane(pane.over_id, ViewState()))
            if over:
                entry["over"] = over
        arranged.append(entry)
    if not arranged or not match:
        raise ValueError("nothing is arranged")
    stage = {"name": "own", "layout": layout, "pane": arranged}
    return {"name": name, "rank": RANK, "match": match, "set": selectors, "stage": [stage]}


def _modalities(pool: Sequence[Candidate], panes: Sequence[ArrangedPane]) -> set[str]:
    shown = {p.display_set_id for p in panes}
    return {c.display_set.modality for c in pool if c.display_set.display_set_id in shown}


def habit_key(data: dict[str, Any]) -> str:
    """Two arrangements of the same kind have the same key: layout, and per pane what it asks for."""
    stage = data["stage"][0]
    rules = {s["name"]: s["rule"] for s in data["set"]}

    def pane_key(pane: dict[str, Any]) -> str:
        kept = [(r["attribute"], str(r.get("equals", r.get("contains_any", "")))) for r in rules[pane["set"]]]
        return repr((sorted(kept), pane.get("plane", ""), pane.get("slab_mm", 0.0)))

    modalities = sorted(str(r["equals"]) for r in data["match"] if r["attribute"] == "Modality")
    return repr((modalities, stage["layout"], [pane_key(p) for p in stage["pane"]]))
