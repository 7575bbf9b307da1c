"""Which own marks and which findings of the second reader say the same."""

from __future__ import annotations

import math
from collections.abc import Sequence

from app.domain.finding import Finding

_AT_LEAST_MM = 5.0
_AT_LEAST_PX = 12.0


def _radius_mm(finding: Finding) -> float:
    for quantity in ("mean_diameter", "long_axis", "length"):
        measured = finding.measured(quantity)
        if measured is not None and measured.unit == "mm":
            return measured.value / 2
    return 0.0


def distance(a: Finding, b: Finding) -> tuple[float, float] | None:
    """(distance, how near counts as the same place), both in mm or both in px; None when they cannot be compared.

    In patients: within the larger radius or 5 mm. On films: inside the other's box, or within 12 px.
    """
    first, second = a.location, b.location
    if first.centre_lps_mm and second.centre_lps_mm and first.frame_of_reference_uid == second.frame_of_reference_uid:
        return math.dist(first.centre_lps_mm, second.centre_lps_mm), max(_radius_mm(a), _radius_mm(b), _AT_LEAST_MM)
    if first.centre_px and second.centre_px and first.sop_instance_uid == second.sop_instance_uid:
        reach = _AT_LEAST_PX
        for box in (first.box_px, second.box_px):
            if box:
                reach = max(reach, 0.5 * math.hypot(box[2] - box[0], box[3] - box[1]))
        return math.dist(first.centre_px, second.centre_px), reach
    return None


def agreements(mine: Sequence[Finding], theirs: Sequence[Finding]) -> dict[str, str]:
    """AI finding id to own finding id, one to one, nearest pairs first."""
    pairs = []
    for own in mine:
        for other in theirs:
            found = distance(own, other)
            if found is not None and found[0] <= found[1]:
                pairs.append((found[0] / found[1], other.finding_id, own.finding_id))
    matched: dict[str, str] = {}
    taken: set[str] = set()
    for _, other_id, own_id in sorted(pairs):
        if other_id not in matched and own_id not in taken:
            matched[other_id] = own_id
            taken.add(own_id)
    return matched
