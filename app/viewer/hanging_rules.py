"""Rules of hanging protocols: one attribute, one test, a weight; every outcome can be told to the reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from app.domain.geometry import PlaneGeometry
from app.domain.study import DisplaySet, DisplaySetKind, FrameRef, Instance, Patient, Series, Study
from app.domain.study_lookup import instances_by_uid, series_by_uid
from app.viewer.anatomy import Anatomy, anatomy, of_study
from app.viewer.view_modifiers import view_modifiers
from app.viewer.word_match import checked, place, says

TESTS = ("equals", "one_of", "contains_any", "lacks", "at_least", "at_most", "exists")
Found = str | float | bool | tuple[str, ...] | None


@dataclass(frozen=True)
class Rule:
    attribute: str
    test: str
    expected: Any
    weight: float = 1.0
    required: bool = False


@dataclass(frozen=True)
class RuleResult:
    """``found`` is what the study said, as text; no patient identity is ever an attribute."""

    rule: Rule
    found: str
    passed: bool


def rule_from(entry: Mapping[str, Any]) -> Rule:
    """Of one ``[[match]]`` or ``rule`` table. Raises ``ValueError`` naming what is wrong."""
    tests = [name for name in TESTS if name in entry]
    unknown = set(entry) - set(TESTS) - {"attribute", "weight", "required"}
    if unknown or len(tests) != 1 or "attribute" not in entry:
        raise ValueError(f"a rule needs an attribute and exactly one of {TESTS}; got {sorted(entry)}")
    if entry["attribute"] not in STUDY_ATTRIBUTES | SET_ATTRIBUTES:
        raise ValueError(f"unknown attribute {entry['attribute']!r}")
    if tests[0] in ("contains_any", "lacks"):
        checked(_patterns(entry[tests[0]]))
    return Rule(
        entry["attribute"], tests[0], entry[tests[0]], float(entry.get("weight", 1.0)), bool(entry.get("required", False))
    )


def _texts(found: Found) -> list[str]:
    if isinstance(found, tuple):
        return list(found)
    return [str(found)] if found not in (None, "") else []


def _patterns(expected: Any) -> tuple[str, ...]:
    return tuple(str(e) for e in (expected if isinstance(expected, list | tuple) else [expected]))


def met_by(rule: Rule, found: Found) -> tuple[str, ...]:
    """Of a rule on words: the texts that have one of them; what ``lacks`` must not meet as well."""
    patterns = _patterns(rule.expected)
    return tuple(t for t in _texts(found) if says(patterns, t))


def check(rule: Rule, found: Found) -> bool:
    """Texts are compared without case; a tuple passes when any member does (``lacks``: when none does). Words of
    ``contains_any`` and ``lacks`` are looked for as ``word_match`` says."""
    expected = rule.expected
    if rule.test == "exists":
        return bool(_texts(found)) == bool(expected)
    if rule.test in ("at_least", "at_most"):
        if not isinstance(found, (int, float)) or isinstance(found, bool):
            return False
        limit = float(expected)
        return found >= limit if rule.test == "at_least" else found <= limit
    if isinstance(expected, bool) or isinstance(found, bool):
        return bool(found) == bool(expected)
    if rule.test in ("equals", "one_of"):
        wanted = [p.casefold() for p in _patterns(expected)]
        return any(t.casefold() in wanted for t in _texts(found))
    return bool(met_by(rule, found)) == (rule.test == "contains_any")


@dataclass(frozen=True, eq=False)
class Candidate:
    """Something that can hang in a pane: a whole stack, or one picture of a set of pictures."""

    study: Study
    display_set: DisplaySet
    series: Series | None
    instance: Instance | None
    frame_index: int
    prior: bool
    age_days: float | None = None
    """Of a prior: how long before the current study it was taken; None where a date is missing."""

    @property
    def is_stack(self) -> bool:
        return self.display_set.kind is DisplaySetKind.STACK

    @cached_property
    def attributes(self) -> Mapping[str, Found]:
        """What rules of panes ask, made once."""
        return set_attributes(self)

    @cached_property
    def anatomy(self) -> Anatomy:
        return anatomy(self.study, self.series, self.instance, self.display_set.modality)


SHOWN_KINDS = (DisplaySetKind.STACK, DisplaySetKind.IMAGES, DisplaySetKind.CINE)


def candidates(study: Study, display_sets: Sequence[DisplaySet], prior: bool) -> list[Candidate]:
    """Pictures one by one, stacks and cines whole; documents and derived objects do not hang by themselves."""
    instances, series = instances_by_uid(study), series_by_uid(study)
    out: list[Candidate] = []
    for display_set in display_sets:
        if display_set.kind not in SHOWN_KINDS or not display_set.frames:
            continue
        own_series = series.get(display_set.series_instance_uid)
        if display_set.kind is DisplaySetKind.IMAGES:
            for n, ref in enumerate(display_set.frames):
                out.append(Candidate(study, display_set, own_series, instances.get(ref.sop_instance_uid), n, prior))
        else:
            first = instances.get(display_set.frames[0].sop_instance_uid)
            out.append(Candidate(study, display_set, own_series, first, 0, prior))
    return out


_READ_FIRST = ("SR", "DOC", "ECG", "KO")


def documents(study: Study, display_sets: Sequence[DisplaySet]) -> list[Candidate]:
    """What can be read of a study without pictures: reports first."""
    series = series_by_uid(study)
    found = [
        Candidate(study, d, series.get(d.series_instance_uid), None, 0, False)
        for d in display_sets
        if d.kind is DisplaySetKind.DOCUMENT
    ]
    last = len(_READ_FIRST)
    return sorted(
        found,
        key=lambda c: _READ_FIRST.index(c.display_set.modality) if c.display_set.modality in _READ_FIRST else last,
    )


def is_localizer(candidate: Candidate) -> bool:
    """Planning pictures hang after everything that was made to be read."""
    image_type = candidate.instance.image_type if candidate.instance is not None else ()
    description = candidate.series.description if candidate.series is not None else ""
    return "LOCALIZER" in image_type or says(("$planning",), description)


def slice_plane(candidate: Candidate) -> PlaneGeometry | None:
    """Of the picture, or of the first one of a stack."""
    instance = candidate.instance
    if instance is None or not candidate.display_set.frames:
        return None
    ref = candidate.display_set.frames[candidate.frame_index]
    return instance.frames[ref.frame].plane if ref.frame < len(instance.frames) else None


def plane_of(candidate: Candidate) -> str:
    """axial, coronal, sagittal, oblique, or "" without a position."""
    plane = slice_plane(candidate)
    if plane is None:
        return ""
    normal = np.abs(np.asarray(plane.normal))
    axis = int(np.argmax(normal))
    return ("sagittal", "coronal", "axial")[axis] if normal[axis] > 0.8 else "oblique"


def _descriptions(study: Study, series: Series | None, instance: Instance | None) -> tuple[str, ...]:
    parts = [study.description]
    if series is not None:
        parts += [series.description, series.protocol_name, series.body_part_examined]
    if instance is not None:
        parts.append(instance.body_part_examined)
    return tuple(dict.fromkeys(p for p in parts if p))


def _scrolls(candidate: Candidate) -> bool:
    """Slices or frames in time, not single pictures kept together."""
    return candidate.display_set.kind is not DisplaySetKind.IMAGES


NAMED = ("head", "face", "jaws", "neck", "chest", "abdomen", "spine", "extremity", "knee", "prostate", "breast")
"""Lists of ``hanging_words.toml`` that are parts of the body."""


def named_first(description: str) -> tuple[str, ...]:
    """The parts of the body that a description begins with: what is examined is named before why and what else there is."""
    places = {name: at for name in NAMED if (at := place((f"${name}",), description)) is not None}
    return tuple(name for name, at in places.items() if at == min(places.values()))


def _sides(found: Sequence[Candidate]) -> tuple[str, ...]:
    """R, L, and B where both are there."""
    sides = {c.anatomy.side for c in found if c.anatomy.side}
    return tuple(sorted(sides | ({"B"} if sides >= {"R", "L"} else set())))


def study_attributes(study: Study, found: Sequence[Candidate], priors: Sequence[Candidate] = ()) -> dict[str, Found]:
    """What study rules may ask. ``priors``: of earlier studies that go with this one."""
    instances = [c.instance for c in found if c.instance is not None]
    body_parts = {c.series.body_part_examined for c in found if c.series} | {i.body_part_examined for i in instances}
    texts: dict[str, None] = {}
    for c in found:
        texts.update(dict.fromkeys(_descriptions(study, c.series, c.instance)))
    return {
        "Modality": tuple(sorted({c.display_set.modality for c in found})),
        "BodyPartExamined": tuple(sorted(b for b in body_parts if b)),
        "AnyDescription": tuple(texts),
        "StudyDescription": study.description,
        "NamedFirst": named_first(study.description),
        "Planes": tuple(sorted({p for p in map(plane_of, found) if p})),
        "ImageCount": float(sum(len(c.display_set.frames) if c.is_stack else 1 for c in found)),
        "PictureCount": float(len(found)),
        "LongestFrames": float(max((len(c.display_set.frames) for c in found if _scrolls(c)), default=0)),
        "LongestStack": float(max((len(c.display_set.frames) for c in found if c.is_stack), default=0)),
        "ViewPositions": tuple(sorted({i.view_position for i in instances if i.view_position})),
        "Sides": _sides(found),
        "Lateralities": tuple(sorted({i.laterality for i in instances if i.laterality})),
        "BodyRegion": tuple(sorted(of_study(study, tuple(c.anatomy for c in found)).regions)),
        "PriorCount": float(len({c.study.study_instance_uid for c in priors})),
        "PriorModality": tuple(sorted({c.display_set.modality for c in priors})),
        "PriorBodyRegion": tuple(sorted({r for c in priors for r in c.anatomy.regions})),
        "PriorAgeDays": min((c.age_days for c in priors if c.age_days is not None), default=None),
    }


def set_attributes(c: Candidate) -> dict[str, Found]:
    """What a pane's rules may ask about one candidate."""
    i = c.instance
    return {
        "Modality": c.display_set.modality,
        "Kind": c.display_set.kind.value,
        "Prior": c.prior,
        "Plane": plane_of(c),
        "FrameCount": float(len(c.display_set.frames)),
        "Description": _descriptions(c.study, c.series, i),
        "SeriesDescription": c.series.description if c.series else "",
        "BodyPartExamined": i.body_part_examined if i else "",
        "Laterality": (i.laterality if i else "") or (c.series.laterality if c.series else ""),
        "ViewPosition": i.view_position if i else "",
        "ConvolutionKernel": i.convolution_kernel if i else "",
        "ImageType": i.image_type if i else (),
        "SliceThickness": i.slice_thickness_mm if i else None,
        "EchoTime": i.echo_time_ms if i else None,
        "BValue": i.b_value if i else None,
        "Contrast": i.contrast_agent if i else "",
        "PresentationIntentType": i.presentation_intent_type if i else "",
        "Label": c.display_set.label,
        "BodyRegion": tuple(sorted(c.anatomy.regions)),
        "Side": c.anatomy.side,
        "ViewModifier": view_modifiers(i, c.series) if i is not None else (),
        "AgeDays": c.age_days,
    }


_EMPTY = Study("", Patient(), ())
STUDY_ATTRIBUTES = set(study_attributes(_EMPTY, ()))
SET_ATTRIBUTES = set(
    set_attributes(
        Candidate(_EMPTY, DisplaySet("", "", "", "", DisplaySetKind.STACK, (FrameRef(""),)), None, None, 0, False)
    )
)


def as_text(found: Found) -> str:
    if isinstance(found, tuple):
        return ", ".join(found)
    if isinstance(found, float):
        return f"{found:g}"
    return "" if found is None else str(found)


def score_of(rules: Sequence[Rule], attributes: Mapping[str, Found]) -> float | None:
    """The sum of the weights that passed; None as soon as a required rule fails."""
    score = 0.0
    for rule in rules:
        if check(rule, attributes.get(rule.attribute)):
            score += rule.weight
        elif rule.required:
            return None
    return score


def evaluate(rules: Sequence[Rule], attributes: Mapping[str, Found]) -> tuple[float | None, tuple[RuleResult, ...]]:
    """(sum of the weights that passed, or None when a required rule failed; every outcome)."""
    score: float | None = 0.0
    out: list[RuleResult] = []
    for rule in rules:
        found = attributes.get(rule.attribute)
        passed = check(rule, found)
        out.append(RuleResult(rule, as_text(found), passed))
        if passed and score is not None:
            score += rule.weight
        elif rule.required and not passed:
            score = None
    return score, tuple(out)
