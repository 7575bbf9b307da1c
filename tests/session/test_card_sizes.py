"""Sizes on cards and in reports stand in the units that readers use."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.dicom.coding import FINDING_KINDS
from app.domain.finding import Finding, Location, Source
from app.domain.measurement import Measurement, Quantity
from app.report.words import more_values
from app.session.cards import card
from app.session.views import NOTHING


def _finding(kind: str, *measurements: Measurement) -> Finding:
    return Finding(
        "2.25.1", Source.MINE, FINDING_KINDS[kind], Location(centre_lps_mm=(0.0, 0.0, 0.0)), measurements=measurements
    )


def _said(finding: Finding) -> list[tuple[str, str, str]]:
    return [(what.id, value, unit) for what, value, unit in card(finding, "A1", lambda _: NOTHING).sizes]


@pytest.mark.parametrize(
    ("kind", "mm3", "value", "unit", "in_report"),
    [
        ("intracranial_haemorrhage", 12345.0, "12.3", "ml", "12.3\u00a0ml"),
        ("intracranial_haemorrhage", 123450.0, "123", "ml", "123.5\u00a0ml"),
        ("nodule", 12345.0, "12345", "mm³", "12345\u00a0mm³"),
    ],
)
def test_blood_is_told_in_millilitres(kind: str, mm3: float, value: str, unit: str, in_report: str) -> None:
    finding = _finding(kind, Measurement(Quantity.VOLUME, mm3, "mm3"))
    assert _said(finding) == [("quantity.volume", value, unit)]
    assert in_report in more_values("en", finding)


def test_a_bone_level_has_its_share_of_the_root_where_the_film_has_no_millimetres() -> None:
    level = replace(_finding("bone_loss"), attributes=(("bone_percent", "31"),))
    assert _said(level) == [("quantity.bone_percent", "31", "%")]
