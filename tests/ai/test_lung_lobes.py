"""A lobe is named where it is known; near a fissure that is assumed and not seen, the lung is."""

from __future__ import annotations

from app.ai.readers.lung.lobes import region_told


def test_a_lobe_is_named_only_away_from_where_a_fissure_may_run() -> None:
    assert region_told("L", 0.9, 0.5) == "region.lung.left_upper"
    assert region_told("L", 0.1, 0.5) == "region.lung.left_lower"
    assert region_told("L", 0.5, 0.5) == "region.lung.left", "a hundredth above the assumed fissure"
    assert region_told("R", 0.36, 0.1) == "region.lung.right"
    assert region_told("R", 0.95, 0.3) == "region.lung.right_upper"
    assert region_told("R", 0.05, 0.9) == "region.lung.right_lower"
