"""One nodule over time: matched by place, sizes and doubling time by the formula."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

import pytest

from app.dicom.coding import FINDING_KINDS
from app.domain.finding import Finding, Location, Source
from app.domain.geometry import Point3
from app.domain.measurement import Measurement, Quantity
from app.session.tracking import ball_mm3, doubling_days, earlier, measured_volume_mm3, same_lesion, size_mm
from app.session.tracking_words import day_of, then_words

NOW, THEN = date(2026, 11, 17), date(2025, 9, 9)


def nodule(at: Point3, mm: float, kind: str = "nodule", name: str = "1") -> Finding:
    sizes = (Measurement(Quantity.MEAN_DIAMETER, mm, "mm"),)
    return Finding(f"2.25.{name}", Source.MINE, FINDING_KINDS[kind], Location(at, frame_of_reference_uid="1.2"), sizes)


def shifted(by: Point3):
    return lambda p: (p[0] + by[0], p[1] + by[1], p[2] + by[2])


def test_the_same_place_is_the_same_nodule() -> None:
    now = nodule((10.0, 20.0, 30.0), 11.2)
    then = (
        nodule((60.0, 20.0, 30.0), 9.0, name="far"),
        nodule((113.0, 20.0, 31.0), 7.0, name="same"),
        nodule((110.0, 20.0, 30.0), 5.0, "consolidation", "other kind"),
    )
    found = earlier(now, NOW, then, THEN, shifted((100.0, 0.0, 0.0)))
    assert found is not None
    assert found.finding.finding_id == "2.25.same"
    assert (found.then_mm, found.now_mm, found.days) == (7.0, 11.2, (NOW - THEN).days)
    assert found.change_mm == pytest.approx(4.2)
    expected = found.days * math.log(2) / math.log((11.2 / 7.0) ** 3)
    assert found.doubling_days == pytest.approx(expected)
    assert then_words(found).id == "finding.then_doubles"
    assert then_words(found).params["months"] == 14
    assert earlier(now, NOW, then, THEN, lambda p: None) is None
    assert earlier(now, NOW, then, THEN, shifted((0.0, 0.0, 0.0))) is None


def test_what_measuring_varies_by_is_no_growth() -> None:
    now, then = nodule((0.0, 0.0, 0.0), 7.3), nodule((0.0, 0.0, 0.0), 7.0)
    found = earlier(now, NOW, (then,), THEN, lambda p: p)
    assert found is not None
    assert found.doubling_days is None
    assert then_words(found).id == "finding.then"
    assert doubling_days(100.0, 50.0, 400) is None
    assert doubling_days(100.0, 200.0, 400) == pytest.approx(400)
    assert doubling_days(0.0, 200.0, 400) is None


def test_only_true_millimetres_are_compared() -> None:
    px = replace(nodule((0.0, 0.0, 0.0), 7.0), measurements=(Measurement(Quantity.LENGTH, 70.0, "px", False),))
    assert size_mm(px) is None
    assert earlier(px, NOW, (nodule((0.0, 0.0, 0.0), 7.0),), THEN, lambda p: p) is None
    ml = replace(px, measurements=(Measurement(Quantity.VOLUME, 1.5, "ml"),))
    assert measured_volume_mm3(ml) == pytest.approx(1500.0)
    assert measured_volume_mm3(nodule((0.0, 0.0, 0.0), 10.0)) is None
    assert ball_mm3(10.0) == pytest.approx(math.pi / 6 * 1000)


def test_a_volume_of_voxels_is_not_compared_with_a_ball() -> None:
    then = nodule((0.0, 0.0, 0.0), 8.0)
    then = replace(then, measurements=(*then.measurements, Measurement(Quantity.VOLUME, 100.0, "mm3")))
    now = nodule((0.0, 0.0, 0.0), 8.0)
    assert earlier(now, NOW, (then,), THEN, lambda p: p).doubling_days is None
    grown = replace(now, measurements=(*now.measurements, Measurement(Quantity.VOLUME, 0.2, "ml")))
    assert earlier(grown, NOW, (then,), THEN, lambda p: p).doubling_days == pytest.approx((NOW - THEN).days)


def test_what_has_a_volume_only_is_found_at_its_place_too() -> None:
    mask = replace(nodule((0.0, 0.0, 0.0), 8.0), measurements=(Measurement(Quantity.VOLUME, 1.0, "ml"),))
    assert same_lesion(mask, (replace(mask, finding_id="2.25.9"),), lambda p: p).finding_id == "2.25.9"
    assert same_lesion(mask, (nodule((30.0, 0.0, 0.0), 8.0),), lambda p: p) is None


def test_days() -> None:
    assert [day_of(t) for t in ("", "2025", "20251340", "20250909112000")] == [None, None, None, THEN]
