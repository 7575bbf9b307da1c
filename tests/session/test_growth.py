"""Growth and doubling time by hand-worked numbers, and every reason for which nothing is told."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from app.dicom.coding import FINDING_KINDS
from app.domain.finding import Finding, Location, ReaderIdentity, Source
from app.domain.geometry import PlaneGeometry
from app.domain.measurement import Measurement, Placement, Quantity
from app.session.growth import Seen, Trend, Withheld, growth, method_of
from app.session.then_proposals import Place, gap_mm, in_stack, proposals, without_doubles

LUNG = ReaderIdentity("lung_ct", "0.2.0", "ab")
NEWER = replace(LUNG, version="0.3.0")


def nodule(
    mm: float, mm3: float = 0.0, reader: ReaderIdentity | None = LUNG, at=(0.0, 0.0, 0.0), name="1", side=""
) -> Finding:
    sizes = [Measurement(Quantity.MEAN_DIAMETER, mm, "mm")] if mm else []
    sizes += [Measurement(Quantity.VOLUME, mm3, "mm3")] if mm3 else []
    source = Source.AI if reader is not None else Source.MINE
    return Finding(
        f"2.25.{name}", source, FINDING_KINDS["nodule"], Location(at, frame_of_reference_uid="1.2"), tuple(sizes), side,
        reader=reader,
    )  # fmt: skip


def test_a_doubled_volume_doubles_in_the_days_between() -> None:
    g = growth(Seen(nodule(10.08, 536.0), 1.0), Seen(nodule(8.0, 268.0), 1.25), 180)
    assert (g.trend, g.withheld) == (Trend.GROWN, Withheld.NONE)
    assert g.doubling_days == pytest.approx(180.0)
    assert g.volume_percent == pytest.approx(100.0)
    assert g.change_mm == pytest.approx(2.08)
    assert g.percent == pytest.approx(26.0)
    eight = growth(Seen(nodule(16.0, 800.0)), Seen(nodule(8.0, 100.0)), 300)
    assert eight.doubling_days == pytest.approx(100.0), "three doublings"


def test_the_limit_is_a_quarter_of_the_volume() -> None:
    at = growth(Seen(nodule(8.6, 125.0)), Seen(nodule(8.0, 100.0)), 365)
    assert (at.trend, at.withheld) == (Trend.GROWN, Withheld.NONE)
    assert at.doubling_days == pytest.approx(365 * math.log(2) / math.log(1.25))
    below = growth(Seen(nodule(8.6, 124.9)), Seen(nodule(8.0, 100.0)), 365)
    assert (below.trend, below.withheld, below.doubling_days) == (Trend.STEADY, Withheld.STEADY, None)
    back = growth(Seen(nodule(8.0, 100.0)), Seen(nodule(8.6, 125.0)), 365)
    assert (back.trend, back.withheld, back.doubling_days) == (Trend.SHRUNK, Withheld.SHRUNK, None)
    hardly = growth(Seen(nodule(8.0, 100.1)), Seen(nodule(8.6, 125.0)), 365)
    assert hardly.trend is Trend.STEADY


@pytest.mark.parametrize(("days", "told"), [(0, False), (29, False), (30, True), (-5, False)])
def test_no_rate_from_too_short_a_time(days: int, told: bool) -> None:
    g = growth(Seen(nodule(10.0, 500.0)), Seen(nodule(8.0, 250.0)), days)
    assert (g.doubling_days is not None) is told
    assert g.withheld is (Withheld.NONE if told else Withheld.INTERVAL)
    assert g.trend is Trend.GROWN, "it is larger all the same"


def test_volumes_of_two_methods_are_not_compared() -> None:
    newer = growth(Seen(nodule(10.5, 600.0, NEWER)), Seen(nodule(8.0, 250.0)), 200)
    assert (newer.withheld, newer.volume_percent, newer.doubling_days) == (Withheld.OTHER_METHOD, None, None)
    assert newer.trend is Trend.GROWN, "2.5 mm of the diameter"
    hand = growth(Seen(nodule(9.9, 600.0)), Seen(nodule(8.0, 250.0, None)), 200)
    assert (hand.withheld, hand.trend) == (Withheld.OTHER_METHOD, Trend.STEADY), "1.9 mm is none"
    drawn = replace(nodule(8.0, 250.0), placement=Placement("1.2", 0, ((0.0, 0.0),)))
    assert method_of(drawn) == "drawn", "a second reader's finding that a person has drawn anew"
    assert method_of(nodule(8.0)) == "lung_ct 0.2.0"


@pytest.mark.parametrize(
    ("slices", "told"),
    [((1.0, 1.5), True), ((1.0, 1.6), False), ((2.4, 2.4), True), ((2.5, 2.5), False), ((None, 2.0), True)],
)
def test_thick_or_unlike_slices_give_no_volumes(slices: tuple[float | None, float], told: bool) -> None:
    g = growth(Seen(nodule(10.0, 500.0), slices[0]), Seen(nodule(8.0, 250.0), slices[1]), 200)
    assert (g.withheld is Withheld.NONE) is told
    assert g.trend is Trend.GROWN


def test_without_volumes_the_diameter_tells_and_without_sizes_nothing() -> None:
    g = growth(Seen(nodule(10.0)), Seen(nodule(8.0)), 200)
    assert (g.trend, g.withheld, g.doubling_days) == (Trend.GROWN, Withheld.NO_VOLUMES, None)
    assert growth(Seen(nodule(6.0)), Seen(nodule(8.0)), 200).trend is Trend.SHRUNK
    assert growth(Seen(nodule(0.0)), Seen(nodule(8.0)), 200).trend is Trend.UNKNOWN
    px = replace(nodule(8.0), measurements=(Measurement(Quantity.MEAN_DIAMETER, 8.0, "px", False),))
    assert growth(Seen(px), Seen(nodule(8.0)), 200).then_mm is None


def test_a_proposal_names_its_rivals_and_keeps_to_one_each() -> None:
    now = [nodule(8.0, name="n1"), nodule(6.0, name="n2"), nodule(6.0, name="n3")]
    then = [nodule(8.0, at=(3.0, 0.0, 0.0), name="t1"), nodule(6.0, at=(6.0, 0.0, 0.0), name="t2")]
    places = {"2.25.n1": Place((0.0,) * 3, (1.0, 0.0, 0.0)), "2.25.n2": Place((0.0,) * 3, (90.0, 0.0, 0.0))}
    found = proposals(now, then, places)
    assert set(found) == {"2.25.n1", "2.25.n2"}, "the third has no place yet"
    assert (found["2.25.n1"].then_id, found["2.25.n1"].rivals) == ("2.25.t1", ("2.25.t2",))
    assert found["2.25.n1"].apart_mm == pytest.approx(2.0)
    assert found["2.25.n1"].clear
    assert (found["2.25.n2"].then_id, found["2.25.n2"].apart_mm) == ("", None)


def test_a_place_beyond_the_earlier_slices_is_not_new() -> None:
    planes = [PlaneGeometry((0.0, 0.0, 3.0 * k), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), 1.0, 1.0, 40, 40) for k in range(10)]
    assert gap_mm(planes) == pytest.approx(3.0)
    assert in_stack(planes, (20.0, 20.0, 28.4))
    assert not in_stack(planes, (20.0, 20.0, 28.6))
    assert not in_stack(planes, (40.0, 20.0, 10.0))
    assert not in_stack((), (0.0, 0.0, 0.0))
    found = proposals([nodule(8.0)], [], {"2.25.1": Place((0.0,) * 3, (20.0, 20.0, 60.0))}, planes)
    assert not found["2.25.1"].inside


def test_one_nodule_that_both_have_found_is_one() -> None:
    device = nodule(8.0, 250.0, name="a")
    drawn = nodule(7.5, reader=None, at=(2.0, 0.0, 0.0), name="mine")
    far = nodule(7.5, reader=None, at=(40.0, 0.0, 0.0), name="other")
    assert [f.finding_id for f in without_doubles([drawn, far], [device])] == ["2.25.a", "2.25.other"]
    changed = replace(device, measurements=())
    assert without_doubles([changed], [device]) == (changed,), "as the person left it"
