"""What the second readers want drawn once it may be seen: marks with the state of their verdict, outlines, maps. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.domain.finding import Finding, ReadResult
from app.domain.verdict import Decision, Verdict
from app.session.picture import ShownMark
from app.viewer.layers import HeatmapLayer, MaskLayer
from app.viewer.marks import MarkLook
from app.viewer.view_state import Appearance

AI_RGB = (255, 180, 84)
OUTLINE_OPACITY = 0.12
"""Hardly a tint: what is outlined must stay readable."""


def marks(findings: Sequence[Finding], verdicts: Mapping[str, Verdict], selected: str) -> list[ShownMark]:
    """A1, A2... in the order of the list."""
    return [_mark(f, f"A{n}", verdicts.get(f.finding_id), f.finding_id == selected) for n, f in enumerate(findings, 1)]


def layers(
    results: Sequence[ReadResult], verdicts: Mapping[str, Verdict], heat: Appearance
) -> tuple[HeatmapLayer | MaskLayer, ...]:
    """Maps, and over them the voxels of every finding that was not rejected, on every slice that they reach."""
    maps = tuple(HeatmapLayer(h, heat) for r in results for h in r.heatmaps)
    look = Appearance(opacity=OUTLINE_OPACITY)
    kept = [m for r in results for m in r.masks if not _is_rejected(verdicts.get(m.finding_id))]
    return (*maps, *(MaskLayer(m, AI_RGB, look) for m in kept))


def _is_rejected(verdict: Verdict | None) -> bool:
    return verdict is not None and verdict.decision is Decision.REJECTED


def _mark(finding: Finding, badge: str, verdict: Verdict | None, selected: bool) -> ShownMark:
    if verdict is None:
        return ShownMark(finding, MarkLook(badge, selected=selected, pending=True))
    if _is_rejected(verdict):
        return ShownMark(finding, MarkLook(badge, selected=selected, rejected=True))
    return ShownMark(verdict.modified or finding, MarkLook(f"{badge} ✓", selected=selected))
