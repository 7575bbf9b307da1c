"""Which earlier images may hang beside the present ones: same part of the body, not the other side, newest first.

The rule. A prior of another known part, or of the other side of a paired one, never hangs by itself. One of which nothing
is known, beside images of which something is known (or the other way round), does not either: it is offered in the strip.
Where neither says anything, a study or series of the same name counts as the same. A reader's hand may hang everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from app.domain.study import Study
from app.viewer.anatomy import Anatomy, Match, match, of_study
from app.viewer.hanging_rules import Candidate, Rule

FAMILIES = (frozenset({"CR", "DX", "RG"}), frozenset({"XA", "RF"}), frozenset({"PX", "DX", "CR"}), frozenset({"IO", "DX"}))
"""Modalities whose images are read against each other besides a modality's own."""


@dataclass(frozen=True)
class JudgedPrior:
    """How a prior study goes with the present one; the best of its images."""

    study_instance_uid: str
    study_datetime: str
    match: Match
    regions: tuple[str, ...]
    side: str = ""


def same_family(one: str, other: str) -> bool:
    return one == other or any(one in f and other in f for f in FAMILIES)


def _named(candidate: Candidate) -> tuple[str, str]:
    series = candidate.series.description if candidate.series is not None else ""
    return candidate.study.description.strip().casefold(), series.strip().casefold()


def goes_with(now: Candidate, then: Candidate) -> Match:
    """Two sets of images. Neither says what it shows: the same where study or series have the same name."""
    found = match(now.anatomy, then.anatomy)
    if found is Match.UNKNOWN and not now.anatomy.regions and not then.anatomy.regions:
        alike = any(a and a == b for a, b in zip(_named(now), _named(then), strict=True))
        return Match.SAME if alike else found
    return found


def matching(study: Study, current: Sequence[Candidate], older: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Those of the earlier images that may hang by themselves beside something of the study; the newest study first."""
    whole = of_study(study, tuple(c.anatomy for c in current))
    kept = [c for c in older if _with_study(whole, current, c) >= Match.NEAR]
    return tuple(sorted(kept, key=lambda c: c.study.study_datetime, reverse=True))


def _with_study(whole: Anatomy, current: Sequence[Candidate], then: Candidate) -> Match:
    if not whole.regions and not then.anatomy.regions:
        return max((goes_with(now, then) for now in current), default=Match.UNKNOWN)
    return match(whole, then.anatomy)


def verdicts(study: Study, current: Sequence[Candidate], older: Sequence[Candidate]) -> tuple[JudgedPrior, ...]:
    """Every prior study once, the newest first: for the answer to "why does it not hang?"."""
    whole = of_study(study, tuple(c.anatomy for c in current))
    best: dict[str, JudgedPrior] = {}
    for c in older:
        found = _with_study(whole, current, c)
        uid = c.study.study_instance_uid
        if uid not in best or found > best[uid].match:
            best[uid] = JudgedPrior(uid, c.study.study_datetime, found, tuple(sorted(c.anatomy.regions)), c.anatomy.side)
    return tuple(sorted(best.values(), key=lambda j: j.study_datetime, reverse=True))


def beside(
    rules: Sequence[Rule], hung: Sequence[Candidate], older: Sequence[Candidate]
) -> tuple[list[Candidate], list[Candidate]]:
    """(those of the same part, those of a neighbour) of ``older`` that go with what hangs beside them in a stage.

    A rule that names the modality settles the kind of images. Where nothing hangs beside, all go.
    """
    if not hung:
        return list(older), []
    names_modality = any(r.required and r.attribute == "Modality" for r in rules)
    same: list[Candidate] = []
    near: list[Candidate] = []
    kinds = list({(c.display_set.modality, c.anatomy, _named(c) if not c.anatomy.regions else ()): c for c in hung}.values())
    for then in older:
        fits = [now for now in kinds if names_modality or same_family(now.display_set.modality, then.display_set.modality)]
        found = max((goes_with(now, then) for now in fits), default=Match.DIFFERENT)
        if found >= Match.NEAR:
            (same if found is Match.SAME else near).append(then)
    return same, near


def _day(study_datetime: str) -> date | None:
    try:
        return date(int(study_datetime[:4]), int(study_datetime[4:6]), int(study_datetime[6:8]))
    except ValueError:
        return None


def aged(study: Study, older: Sequence[Candidate]) -> list[Candidate]:
    """The earlier images with how long ago they were taken."""
    today = _day(study.study_datetime)
    out = []
    for c in older:
        then = _day(c.study.study_datetime)
        out.append(replace(c, age_days=float((today - then).days)) if today is not None and then is not None else c)
    return out
