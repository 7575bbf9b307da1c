"""A prior in another frame of reference: registered scroll, difference, flicker; a shifted copy with a known answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.domain.geometry import VolumeGeometry
from app.domain.identity import uid_for
from app.domain.volume import Volume
from app.imaging.registration import RigidTransform
from app.session.panes import Over
from app.viewer.layers import FusionLayer, OverMode
from app.viewer.linking import LinkedPane, linked_point, linked_scroll
from app.viewer.view_state import Plane, ViewState
from tests import phantoms
from tests.flows import stage
from tests.flows.stage import Stage

SHIFT = (12.0, -7.0, 21.0)


def _body(shift: tuple[float, float, float]) -> Volume:
    """An off-centre body with organs: enough for a registration to hold on to."""
    shape = (28, 64, 72)
    origin = (-101.0 + shift[0], -93.0 + shift[1], -412.0 + shift[2])
    geometry = VolumeGeometry.axial(shape, (5.0, 3.0, 3.0), origin)
    k, j, i = np.meshgrid(*(np.arange(n, dtype=float) for n in shape), indexing="ij")
    values = np.full(shape, -1000.0)
    values[((i - 36) / 30) ** 2 + ((j - 32) / 24) ** 2 < 1] = 20
    values[((i - 24) / 9) ** 2 + ((j - 28) / 12) ** 2 + ((k - 12) / 8) ** 2 < 1] = -850
    values[((i - 48) / 10) ** 2 + ((j - 30) / 13) ** 2 + ((k - 15) / 9) ** 2 < 1] = -830
    values[((i - 36) / 4) ** 2 + ((j - 48) / 4) ** 2 < 1] = 500
    values[((i - 40) / 6) ** 2 + ((j - 20) / 5) ** 2 + ((k - 20) / 4) ** 2 < 1] = 120
    return Volume(values.astype(np.int16), geometry, "HU")


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Stage]:
    phantoms.write_ct(tmp_path / "now", _body((0.0, 0.0, 0.0)), key="now")
    phantoms.write_ct(tmp_path / "then", _body(SHIFT), key="then", date="20240101")
    with stage.stage(tmp_path / "home", None) as made:
        made.bring(tmp_path / "now", tmp_path / "then")
        yield made


def opened(s: Stage) -> object:
    newest = uid_for("phantom", "now", phantoms.ALIYA.patient_id)
    reading = s.ws.open_study(newest)
    room = reading.room
    room.set_layout("1x2")
    current = next(c for c in reading.series_cards() if c.images > 2).display_set_id
    prior = next(c for c in reading.prior_cards() if c.images > 2).display_set_id
    room.put_in_pane("pane-0", current)
    room.put_in_pane("pane-1", prior)
    for pane in ("pane-0", "pane-1"):
        room._panes[pane] = replace(room.pane(pane), link="both", view=replace(room.pane(pane).view, plane=Plane.STACK))
    return reading


def test_a_prior_of_another_frame_of_reference_scrolls_with_its_anatomy(two: Stage) -> None:
    reading = opened(two)
    room = reading.room
    pair = (room.pane("pane-0").display_set_id, room.pane("pane-1").display_set_id)
    for pane in ("pane-0", "pane-1"):
        reading.picture_request(pane, 300, 300)

    def there() -> bool:
        reading.picture_request("pane-1", 300, 300)
        return room.second.registrations.found(*pair) is not None

    two.until(there, 60)
    transform = room.second.registrations.found(*pair)
    assert np.allclose(transform.apply((0.0, 0.0, -400.0)), np.add((0.0, 0.0, -400.0), SHIFT), atol=1.5)
    assert reading.picture_request("pane-1", 300, 300).info.registered
    assert not reading.picture_request("pane-0", 300, 300).info.registered
    room.activate("pane-0")
    for frame in (5, 14, 22):
        room.change_view(frame_index=frame)
        z_now = room.content.planes(room.display_set(room.pane("pane-0")))[frame].origin_mm[2]
        at = room.pane("pane-1").view.frame_index
        z_then = room.content.planes(room.display_set(room.pane("pane-1")))[at].origin_mm[2]
        assert abs(z_then - SHIFT[2] - z_now) <= 2.5, "half a slice"

    reading.command("change_view")
    two.until(lambda: any(isinstance(x, FusionLayer) for x in reading.picture_request("pane-0", 300, 300).layers), 30)
    request = reading.picture_request("pane-0", 300, 300)
    assert "viewer.over.difference" in request.info.states
    picture = request()
    inside = picture.pixels[120:180, 120:180]
    assert abs(float(np.median(inside)) - 127.5) <= 8, "what has not changed is middle grey"
    reading.command("change_view")
    assert room.flickers()
    one = reading.picture_request("pane-0", 300, 300).layers
    room.flicker()
    other = reading.picture_request("pane-0", 300, 300).layers
    assert {any(isinstance(x, FusionLayer) for x in one), any(isinstance(x, FusionLayer) for x in other)} == {True, False}
    reading.command("change_view")
    assert room.pane("pane-0").over is None


def test_without_a_prior_the_change_view_says_why(tmp_path: Path) -> None:
    stage.write_study(tmp_path / "dicom")
    with stage.stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "dicom")
        reading = s.ws.open_study(s.row().study_instance_uid)  # type: ignore[attr-defined]
        reading.command("change_view")
        assert s.notices[-1] == "viewer.change_without_prior"


def test_linking_goes_through_the_registration_both_ways() -> None:
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    transform = RigidTransform(turn, np.array([5.0, 6.0, 7.0]), 0.9)
    fixed_from_moving = np.eye(4)
    back = transform.inverse()
    fixed_from_moving[:3, :3], fixed_from_moving[:3, 3] = back.rotation, back.translation_mm
    geometry = VolumeGeometry.axial((40, 40, 40), (2.0, 1.0, 1.0), (0.0, 0.0, 0.0), "1.1")
    other = replace(geometry, frame_of_reference_uid="1.2")
    view = ViewState(plane=Plane.AXIAL, point_mm=(10.0, 12.0, 20.0))
    now = LinkedPane("a", view, "g", volume=geometry)
    start = ViewState(plane=Plane.AXIAL, point_mm=(0.0, 0.0, 0.0))
    then = LinkedPane("b", start, "g", volume=other, common_from_own=fixed_from_moving, common="1.1")
    moved = linked_scroll(now, (now, then))["b"]
    assert moved.point_mm == pytest.approx((0.0, 0.0, 27.0)), "along its own normal only"
    point = linked_point("a", (10.0, 12.0, 20.0), "1.1", (now, then))["b"].point_mm
    assert point == pytest.approx(transform.apply((10.0, 12.0, 20.0)))
    back_again = linked_scroll(replace(then, view=moved), (now, then))
    assert back_again == {} or back_again["a"].point_mm[2] == pytest.approx(20.0)
    assert linked_scroll(now, (now, replace(then, common_from_own=None))) == {}


def test_over_is_part_of_the_pane() -> None:
    assert Over("1.2").mode is OverMode.BLEND
