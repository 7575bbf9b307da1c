"""Of the marks in a band so many were true: only shown marks count, of their own kind where kinds are counted apart."""

from __future__ import annotations

import pytest

from app.ai.training.card_figures import bands_of
from app.domain.model_card import CalibrationBand
from app.session.cards import band_of
from tests.ui.test_readers_sheet import shipped

P = [0.1, 0.3, 0.55, 0.6, 0.7, 0.75, 0.9, 1.0]
TRUE = [False, False, False, True, False, True, True, True]


def test_marks_that_are_never_shown_dilute_no_band() -> None:
    assert bands_of(P, TRUE, (0.0, 0.5, 0.8, 1.0), "films") == [
        CalibrationBand(0.0, 0.5, 2, 0, "films"),
        CalibrationBand(0.5, 0.8, 4, 2, "films"),
        CalibrationBand(0.8, 1.0, 2, 2, "films"),
    ]
    assert bands_of(P, TRUE, (0.0, 0.5, 0.8, 1.0), "films", shown_from=0.6, kind="mass") == [
        CalibrationBand(0.6, 0.8, 3, 2, "films", "mass"),
        CalibrationBand(0.8, 1.0, 2, 2, "films", "mass"),
    ]


def test_a_mark_is_told_by_the_marks_of_its_kind() -> None:
    card = next(iter(_cards({"": 0.5, "mass": 0.2})))
    assert band_of(0.7, card, "mass") == CalibrationBand(0.5, 1.0, 10, 2, "films", "mass")
    assert band_of(0.7, card, "nodule") == CalibrationBand(0.5, 1.0, 10, 5, "films", "")
    assert band_of(0.3, card, "mass") is None, "below the first band nothing was counted"


def _cards(share: dict[str, float]) -> list[object]:
    from dataclasses import replace

    from tests.ai import tiny_package

    bands = tuple(CalibrationBand(0.5, 1.0, 10, round(10 * s), "films", kind) for kind, s in share.items())
    return [replace(tiny_package.parts().card, calibration=bands)]


@pytest.mark.parametrize("reader", ["breast", "chest_xray", "dental_panoramic", "head_ct", "lung_ct"])
def test_the_shipped_bands_begin_where_marks_begin(reader: str) -> None:
    page = next(p for p in shipped("en") if p.reader == reader)
    for _, bands in page.bands:
        assert bands[0].low > 0.0, "marks that nobody is shown are in the band"
        assert all(a.high <= b.low for a, b in zip(bands[:-1], bands[1:], strict=True))
    if reader == "dental_panoramic":
        assert len(page.bands) == 4, "each kind has its own"
    else:
        assert page.bands[0][1][0].low >= page.threshold - 1e-3
