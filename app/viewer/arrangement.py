"""What the reader has arranged, as a hanging protocol: rules that find the same kind of images in the next study.

The arrangement becomes the first stage. Where the panes came from a protocol, that one's own rules say which studies are of
the kind, and its other stages stay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.domain.study import DisplaySet, DisplaySetKind, Study
from app.viewer.hanging import ABSOLUTE, PriorStudy, ranked, stored_letters
from app.viewer.hanging_rules import Candidate, candidates, rule_from, slice_plane, study_attributes
from app.viewer.layers import OverMode
from app.viewer.sides import shown_at
from app.viewer.upright import SECTIONS, upright
from app.viewer.view_state import Plane, ViewState
from app.viewer.volume_parts import WHOLE

RANK = 20.0
"""Of an arrangement that came from no protocol of its anatomy: its own rules say hard what it is for."""
AHEAD, AHEAD_OF_OWN = 1.0, 0.1
"""An arrangement goes before the protocol that it came from, and not before one that fits another anatomy better."""
_WORD = re.compile(r"[^\W\d_]{3,}", re.UNICODE)
_SAYS_NOTHING = frozenset(
    {
        "mri",
        "mrt",
        "mrct",
        "xray",
        "study",
        "exam",
        "examination",
        "without",
        "with",
        "and",
        "the",
        "left",
        "right",
        "мрт",
        "кскт",
        "узи",
        "для",
        "при",
        "без",
        "или",
        "исследование",
        "контрастом",
        "контраста",
        "левая",
        "правая",
        "левого",
        "правого",
        "сол",
        "жақ",
        "және",
        "rechts",
        "links",
        "mit",
        "ohne",
        "und",
    }
)
"""Words of descriptions that do not tell one kind of study from another."""
_REFORMATS = (Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL, Plane.OBLIQUE, Plane.RENDERED)


@dataclass(frozen=True)
class ArrangedPane:
    display_set_id: str
    view: ViewState
    preset: str = ""
    link: str = ""
    over_id: str = ""
    over_mode: OverMode = OverMode.BLEND
    flicker: bool = False
    over_look: tuple[str, float] = ("", 0.0)
    """(colour table, opacity); "": as it is by itself."""
    over_preset: str = ""
    label: str = ""
    """Message id."""
    exposed: bool = False
    """The view fits the exposed field of a film."""
    ai: bool = True
    window: tuple[float, float] | None = None
    """(centre, width), where no preset has these numbers."""
    margin: float = 1.0
    """The zoom that the pane was hung with: what the reader zoomed to since is of this patient."""
    curved: bool = False
    """The plane follows a mark of this patient."""


def _words(text: str) -> list[str]:
    found = dict.fromkeys(w.casefold() for w in _WORD.findall(text))
    return [w for w in found if w not in _SAYS_NOTHING]


def _rules(candidate: Candidate) -> list[dict[str, Any]]:
    """What tells this set from the others, hard where it must be the same, soft where names vary."""
    found = candidate.attributes
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
    for word in list(dict.fromkeys(w.casefold() for w in re.findall(r"[^\W_]{2,}", name)))[:6]:
        rules.append({"attribute": "SeriesDescription", "contains_any": [word], "weight": 1.5})
    if found["ConvolutionKernel"]:
        rules.append({"attribute": "ConvolutionKernel", "equals": found["ConvolutionKernel"], "weight": 2.0})
    thickness = found["SliceThickness"]
    if isinstance(thickness, float):
        rules.append({"attribute": "SliceThickness", "at_most": round(thickness * 1.2, 2), "weight": 1.0})
        rules.append({"attribute": "SliceThickness", "at_least": round(thickness / 1.2, 2), "weight": 1.0})
    return rules


def _candidate_of(pool: Sequence[Candidate], pane: ArrangedPane) -> Candidate | None:
    same = [c for c in pool if c.display_set.display_set_id == pane.display_set_id]
    exact = [c for c in same if not c.is_stack and c.frame_index == pane.view.frame_index]
    return next(iter(exact or same), None)


def _sides(pane: ArrangedPane, candidate: Candidate) -> dict[str, Any]:
    """Which sides of the patient the reader has put at the edges: said by letters, so that it holds for films that are
    stored another way. A section as it always stands says nothing.
    """
    plane = slice_plane(candidate)
    if plane is not None and candidate.display_set.modality in SECTIONS:
        as_always = upright(ViewState(), plane)
        now = (pane.view.rotation_deg % 360, pane.view.flip_h, pane.view.flip_v)
        if now == (as_always.rotation_deg, as_always.flip_h, as_always.flip_v):
            return {}
    right, down = shown_at(pane.view, stored_letters(candidate))
    return {**({"right_is": right} if right else {}), **({"down_is": down} if down else {})}


def _cut(view: ViewState) -> dict[str, Any]:
    """What a reformat or a rendering needs to be cut the same way."""
    entry: dict[str, Any] = {"plane": view.plane.value}
    if view.slab_mm > 0:
        entry |= {"slab_mm": view.slab_mm, "slab_mode": view.slab_mode.value}
    if (view.rotation_deg, view.flip_h, view.flip_v) != (0.0, False, False):
        entry["turn"] = [view.rotation_deg, view.flip_h, view.flip_v]
    if view.plane in (Plane.OBLIQUE, Plane.RENDERED):
        entry["cut"] = [list(view.oblique_row), list(view.oblique_column)]
    if view.plane is Plane.RENDERED:
        entry["solid"] = view.volume_preset
        if view.crop != WHOLE:
            entry["crop"] = list(view.crop)
    return entry


def _pane(pane: ArrangedPane, candidate: Candidate) -> dict[str, Any]:
    """How one pane looks at what hangs in it; which set that is, is said elsewhere."""
    v = pane.view
    entry: dict[str, Any] = {"start": "first" if candidate.display_set.kind is DisplaySetKind.CINE else "middle"}
    if v.plane in _REFORMATS and not pane.curved:
        entry |= _cut(v)
    elif v.plane is Plane.STACK:
        entry |= _sides(pane, candidate)
    for field, value in (("preset", pane.preset), ("link", pane.link), ("label", pane.label)):
        if value:
            entry[field] = value
    if pane.window is not None and not pane.preset and candidate.display_set.modality in ABSOLUTE:
        entry["window"] = list(pane.window)
    if v.invert:
        entry["invert"] = True
    if v.anchor != (0.5, 0.5):
        entry["anchor"] = list(v.anchor)
    if v.fit_extent_mm is not None:
        entry["scale_group"] = "one"
    if pane.exposed:
        entry["fit"] = "exposed"
    margin = v.zoom if v.zoom < 1.0 else pane.margin
    if 0.5 <= margin < 1.0:
        entry["zoom"] = margin
    if not pane.ai:
        entry["ai"] = False
    return entry


def _over(pane: ArrangedPane) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    if pane.over_mode is not OverMode.BLEND:
        entry["over_mode"] = pane.over_mode.value
    elif pane.over_look[0]:
        entry["over_look"] = list(pane.over_look)
    if pane.over_preset:
        entry["over_preset"] = pane.over_preset
    return {**entry, **({"flicker": True} if pane.flicker else {})}


def protocol_data(
    name: str,
    study: Study,
    sets: Sequence[DisplaySet],
    priors: Sequence[PriorStudy],
    layout: str,
    panes: Sequence[ArrangedPane],
    base: Mapping[str, Any] | None = None,
    stage: int = -1,
) -> dict[str, Any]:
    """Data as a protocol's file holds them. Empty panes stay empty. Raises ``ValueError`` when nothing is arranged.

    ``base``: data of the protocol that the panes came from; ``stage``: which of its stages was rearranged, -1 for none.
    """
    current = candidates(study, sets, prior=False)
    pool = [*current, *(c for p, s in priors for c in candidates(p, s, prior=True))]
    kept = base if base is not None and base.get("stage") else {}
    others = [dict(s) for n, s in enumerate(kept.get("stage", [])) if n != stage]
    taken = {str(s["name"]) for s in kept.get("set", [])}
    named: dict[tuple[str, int], str] = {}
    selectors: list[dict[str, Any]] = []

    def selector(pane: ArrangedPane) -> tuple[str, Candidate] | None:
        candidate = _candidate_of(pool, pane)
        if candidate is None:
            return None
        key = (candidate.display_set.display_set_id, candidate.frame_index)
        if key not in named:
            rules = _rules(candidate)
            # Sets that no rule tells apart (films without names) are counted in the study's order.
            nth = ranked([rule_from(r) for r in rules], pool).index(candidate)
            named[key] = next(n for i in range(1, 1000) if (n := f"set_{i}") not in taken)
            taken.add(named[key])
            selectors.append({"name": named[key], "rule": rules, **({"nth": nth} if nth else {})})
        return named[key], candidate

    arranged: list[dict[str, Any]] = []
    for pane in panes:
        chosen = selector(pane) if pane.display_set_id else None
        if chosen is None:
            arranged.append({"set": []})
            continue
        entry: dict[str, Any] = {"set": chosen[0], **_pane(pane, chosen[1])}
        over = selector(ArrangedPane(pane.over_id, ViewState())) if pane.over_id else None
        if over is not None:
            entry |= {"over": over[0], **_over(pane)}
        arranged.append(entry)
    while arranged and not arranged[-1]["set"]:
        arranged.pop()
    match = _match(study, current, pool, panes, kept)
    if not arranged or not match:
        raise ValueError("nothing is arranged")
    used = _used(others)
    replaced: Mapping[str, Any] = next((s for n, s in enumerate(kept.get("stage", [])) if n == stage), {})
    own = {"name": "own", "layout": layout, "pane": arranged, **({"tool": replaced["tool"]} if replaced.get("tool") else {})}
    ahead = AHEAD_OF_OWN if any(s["name"] == "own" for s in kept.get("stage", [])) else AHEAD
    return {
        "name": name,
        "rank": min(RANK, float(kept.get("rank", 0.0)) + ahead) if kept else RANK,
        "match": match,
        "set": [*selectors, *(dict(s) for s in kept.get("set", []) if s["name"] in used)],
        "stage": [own, *others],
    }


def _used(stages: Sequence[Mapping[str, Any]]) -> set[str]:
    """Names of the sets that panes of the stages ask for."""
    out: set[str] = set()
    for pane in (p for s in stages for p in s.get("pane", [])):
        out |= {*(pane["set"] if isinstance(pane["set"], list) else [pane["set"]]), pane.get("over", "")}
    return out


def _match(
    study: Study,
    current: Sequence[Candidate],
    pool: Sequence[Candidate],
    panes: Sequence[ArrangedPane],
    base: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Which studies are of the kind: those of the protocol that the panes came from, else of the same body region."""
    attributes = study_attributes(study, current)
    shown = {p.display_set_id for p in panes}
    modalities = {c.display_set.modality for c in pool if c.display_set.display_set_id in shown}
    match = [dict(r) for r in base.get("match", [])]
    asked = {str(r.get("equals")) for r in match if r["attribute"] == "Modality" and r.get("required")}
    match += [{"attribute": "Modality", "equals": m, "required": True} for m in sorted(modalities) if m not in asked]
    regions, body = attributes["BodyRegion"], attributes["BodyPartExamined"]
    words = _words(study.description)
    if isinstance(regions, tuple) and regions and not base:
        match.append({"attribute": "BodyRegion", "one_of": list(regions), "weight": 3.0, "required": True})
    own: list[dict[str, Any]] = []
    if isinstance(body, tuple) and body:
        own.append({"attribute": "BodyPartExamined", "one_of": list(body), "weight": 3.0})
    if words:
        needed = not base and not body and not regions
        own.append({"attribute": "AnyDescription", "contains_any": words, "weight": 3.0, "required": needed})
    return [*match, *(r for r in own if r not in match)]


def habit_key(data: Mapping[str, Any], base: str = "") -> str:
    """Two arrangements of the same kind have the same key: what they are for, layout, and per pane what it asks for.

    ``base``: the protocol that the panes came from; its own arrangements (``<base>_own1``) count as itself.
    """
    stage = data["stage"][0]
    rules = {s["name"]: s["rule"] for s in data["set"]}

    def pane_key(pane: dict[str, Any]) -> str:
        if not pane["set"]:
            return ""
        kept = [(r["attribute"], str(r.get("equals", r.get("contains_any", "")))) for r in rules[pane["set"]]]
        return repr((sorted(kept), pane.get("plane", ""), pane.get("slab_mm", 0.0), pane.get("over_mode", "")))

    match = data["match"]
    modalities = sorted({str(r.get("equals", r.get("one_of"))) for r in match if r["attribute"] == "Modality"})
    regions = sorted({repr(_asked(r)) for r in match if r["attribute"] == "BodyRegion" and r.get("required")})
    return repr((base.split("_own")[0], modalities, regions, stage["layout"], [pane_key(p) for p in stage["pane"]]))


def _asked(rule: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The test of a rule and what it asks for, whatever the order of a list."""
    tests = {k: v for k, v in rule.items() if k not in ("attribute", "weight", "required")}
    return [(k, repr(sorted(map(str, v)) if isinstance(v, list | tuple) else v)) for k, v in sorted(tests.items())]
