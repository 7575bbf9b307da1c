"""Where an earlier mark is proposed: on a slice that is there, as large as it was drawn, and by a good registration only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.domain.finding import Finding
from app.domain.geometry import PlaneGeometry, Point3, px_from_index
from app.domain.measurement import Annotation, MarkShape, Measurement, Placement, Quantity
from app.domain.study import FrameRef
from app.imaging.registration import RigidTransform
from app.session import marks as own
from app.session.carrying import in_volume
from tests.flows import stage
from tests.flows.stage import BALLS
from tests.session.test_prior_desk import DAYS, _uid, _write, marked, nodule

Z0 = -148.0


def stack(*depths: float) -> tuple[PlaneGeometry, ...]:
    """Axial slices of 40 rows and 50 columns, 0.8 by 0.6 mm."""
    return tuple(
        PlaneGeometry((-30.5, 12.25, z), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), 0.8, 0.6, 40, 50, "1.2.3") for z in depths
    )


STILL, NOWHERE = np.eye(3), np.zeros(3)
EVEN = tuple(Z0 + 5.0 * n for n in range(11))


def line(a: Point3, b: Point3) -> Finding:
    mm = float(np.linalg.norm(np.subtract(a, b)))
    placement = Placement("9.1", 0, (px_from_index(1, 1), px_from_index(2, 2)), (a, b), "1.2.3")
    return own.drawn(Annotation("2.25.1", MarkShape.LENGTH, placement, (Measurement(Quantity.LENGTH, mm, "mm"),)), None)


def carried(mark: Finding, depths: tuple[float, ...] = EVEN) -> Finding | None:
    refs = tuple(FrameRef(f"8.{n}") for n in range(len(depths)))
    return in_volume(mark, lambda point: point, refs, stack(*depths))


def across(z: float) -> Finding:
    return line((-25.0, 20.0, z), (-13.0, 25.0, z))


@pytest.mark.parametrize(
    ("z", "slice_number"),
    [(-98.0, 10), (-95.51, 10), (-95.4, None), (-150.4, 0), (-150.6, None), (-400.0, None), (-120.6, 5), (300.0, None)],
)
def test_a_place_beyond_half_a_gap_of_the_stack_is_outside(z: float, slice_number: int | None) -> None:
    found = carried(across(z))
    assert (found.placement.sop_instance_uid if found else None) == (
        f"8.{slice_number}" if slice_number is not None else None
    )
    if found is not None:
        assert found.measurements[0].value == pytest.approx(13.0)


def test_a_hole_of_several_slices_is_not_in_the_stack_and_a_single_missing_one_is() -> None:
    one, many = (tuple(z for n, z in enumerate(EVEN) if n not in missing) for missing in ({4}, {3, 4, 5, 6}))
    at = Z0 + 20.0
    assert carried(across(at), one) is not None
    assert carried(across(at), many) is None
    assert carried(across(at), (Z0, at, at + 0.001, at + 5.0)) is not None, "two echoes at one place are no gap"
    assert carried(across(at), (at,)) is not None
    assert carried(across(at + 1.0), (at,)) is None


def test_what_was_drawn_through_slices_becomes_a_point_without_a_size() -> None:
    found = carried(line((-20.0, 22.0, -140.0), (-20.0, 22.0, -110.0)))
    assert found.shape is MarkShape.POINT
    assert len(found.placement.points_px) == 1
    assert all(m.quantity is not Quantity.LENGTH for m in found.measurements)
    assert found.location.centre_lps_mm == pytest.approx((-20.0, 22.0, -123.0), abs=2.6)
    slightly = carried(line((-25.0, 20.0, -123.0), (-13.0, 25.0, -120.5)))
    assert slightly.shape is MarkShape.LENGTH, "a head that was held otherwise"


@pytest.mark.parametrize("poor", [RigidTransform(STILL, NOWHERE, 0.1), RigidTransform(STILL, NOWHERE, 0.9, settled=False)])
def test_a_poor_registration_places_nothing_and_decides_nothing(tmp_path: Path, poor: RigidTransform) -> None:
    for key in ("then", "now"):
        _write(tmp_path, key, f"1.2.3.{DAYS[key]}")
    with stage.stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "then", tmp_path / "now")
        (then,) = marked(s, "then", (BALLS[0], 6.0, 0.0))
        reading = s.ws.open_study(_uid("now"))
        now, (prior,) = reading.room.studies()
        pair = tuple(next(d.display_set_id for d in o.display_sets if len(d.frames) > 2) for o in (now, prior))
        pairs = reading.room.second.registrations._pairs
        mine = nodule(reading, BALLS[0], 7.0)
        desk = reading.earlier.desk
        for transform, here in ((poor, False), (replace(poor, similarity=0.9, settled=True), True)):
            pairs[pair] = transform
            assert (reading.room.place_in(prior, mine)(BALLS[0]) is not None) is here
            assert (desk.then(mine) is not None) is here
            assert bool(desk.course(mine)) is here
            reading.earlier.carry(then.finding_id)
            assert bool(desk.proposals()) is here
            assert (s.notices[-1:] == ["carry.poor"]) is not here
            s.notices.clear()
            assert not desk.waits(then.finding_id)
