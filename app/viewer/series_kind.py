"""Whether two sets of images may be laid on each other: the same weighting, plane, view; not only the same modality."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from app.viewer.anatomy import Match
from app.viewer.hanging_rules import Candidate
from app.viewer.priors import goes_with, same_family
from app.viewer.word_match import says

_WEIGHTINGS = (
    ("adc", ("$adc",)),
    ("diffusion", ("$diffusion",)),
    ("flair", ("$flair",)),
    ("stir", ("$stir",)),
    ("t2_star", ("$t2_star",)),
    ("dynamic", ("$dynamic",)),
    ("proton", ("$proton",)),
    ("t1", ("$t1",)),
    ("t2", ("$t2",)),
)
"""The first that a description names counts: an ADC map says diffusion too."""
_VIEWS = {"AP": "frontal", "PA": "frontal", "LL": "lateral", "RL": "lateral", "LAT": "lateral", "LATERAL": "lateral"}
_SHARP = ("$sharp_kernel",)
FILMS = frozenset({"CR", "DX", "RG", "MG", "PX", "IO"})


@dataclass(frozen=True)
class SeriesKind:
    weighting: str = ""
    """Of MR; empty: the words do not say."""
    contrast: bool = False
    fat_free: bool = False
    sharp: bool = False
    """CT with a kernel for lung or bone."""
    plane: str = ""
    view: str = ""
    """Of a film: CC, MLO, frontal, lateral..."""


def view_of(view_position: str) -> str:
    return _VIEWS.get(view_position, view_position)


@lru_cache(maxsize=4096)
def _weighting(words: str) -> str:
    return next((name for name, patterns in _WEIGHTINGS if says(patterns, words)), "")


_known: weakref.WeakKeyDictionary[Candidate, SeriesKind] = weakref.WeakKeyDictionary()


def series_kind(candidate: Candidate) -> SeriesKind:
    found = _known.get(candidate)
    if found is None:
        found = _known[candidate] = _kind(candidate)
    return found


def _kind(candidate: Candidate) -> SeriesKind:
    i, series = candidate.instance, candidate.series
    words = f"{series.description} {series.protocol_name}" if series is not None else ""
    weighting = ""
    if candidate.display_set.modality == "MR":
        weighting = _weighting(words)
        if not weighting and i is not None and (i.b_value or 0.0) > 0:
            weighting = "diffusion"
    kernel = i.convolution_kernel if i is not None else ""
    return SeriesKind(
        weighting,
        bool(i is not None and i.contrast_agent) or says(("$contrast",), words),
        says(("$fat_free",), words),
        bool(kernel) and says(_SHARP, kernel),
        str(candidate.attributes["Plane"]),
        view_of(i.view_position) if i is not None else "",
    )


def _planes_agree(a: str, b: str) -> bool:
    """Oblique slices are compared by their anatomy: a tilted gantry is no other plane."""
    return a == b or "" in (a, b) or "oblique" in (a, b)


def likeness(now: Candidate, then: Candidate, by_hand: bool = False) -> float | None:
    """How well an earlier set goes on a present one, the higher the better; None: it must not be laid on it.

    ``by_hand``: a person hung it, so an unknown part of the body is taken; a known other one is not.
    """
    if not same_family(now.display_set.modality, then.display_set.modality) or now.is_stack != then.is_stack:
        return None
    a, b = series_kind(now), series_kind(then)
    if not _planes_agree(a.plane, b.plane) or a.weighting != b.weighting:
        return None
    found = goes_with(now, then)
    if found < (Match.UNKNOWN if by_hand else Match.NEAR):
        return None
    if now.display_set.modality == "MR" and a.contrast != b.contrast:
        return None
    if not now.is_stack and a.view != b.view:
        return None
    names = [c.series.description.strip().casefold() if c.series is not None else "" for c in (now, then)]
    score = 4.0 * (names[0] != "" and names[0] == names[1]) + 2.0 * (a.sharp == b.sharp) + (a.fat_free == b.fat_free)
    score += (a.contrast == b.contrast) + (found is Match.SAME) + (a.plane == b.plane)
    score += 0.5 * (now.anatomy.side == then.anatomy.side)
    thickness = [c.instance.slice_thickness_mm if c.instance is not None else None for c in (now, then)]
    if thickness[0] and thickness[1]:
        score += min(thickness[0], thickness[1]) / max(thickness[0], thickness[1])
    return score


def unlike(now: Candidate, then: Candidate) -> tuple[str, ...]:
    """In what two CT sets that are subtracted or compared do not mean the same: ``contrast``, ``kernel``.

    A kernel that is not stated is none that differs.
    """
    if {now.display_set.modality, then.display_set.modality} != {"CT"}:
        return ()
    a, b = series_kind(now), series_kind(then)
    kernels = all(c.instance is not None and c.instance.convolution_kernel for c in (now, then))
    return (
        *(("contrast",) if a.contrast != b.contrast else ()),
        *(("kernel",) if kernels and a.sharp != b.sharp else ()),
    )


def most_like(hung: Sequence[Candidate], older: Sequence[Candidate]) -> list[Candidate]:
    """Earlier images in the order of how well they go on something that hangs: where rules say no more, the same view."""
    return sorted(older, key=lambda then: -max((s for now in hung if (s := likeness(now, then)) is not None), default=-1.0))
