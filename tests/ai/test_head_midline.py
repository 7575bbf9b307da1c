"""The midline shift on generated heads whose shift is known: both sides, two slice thicknesses, oblique heads, a bleed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.ai.readers.head.midline import Midline, midline_of, told
from app.ai.readers.head.stack import Stack, stack_of
from app.ai.readers.lung.canonical import turn
from app.samples.head_ct import Bleed, generate_head_ct

LEFT, RIGHT = Bleed((48.0, -5.0, 10.0), (8.0, 22.0, 16.0)), Bleed((-48.0, 0.0, 12.0), (8.0, 20.0, 15.0))
STILL = (
    (131, {}),
    (132, {"slice_mm": 2.5, "atrophy": 0.7}),
    (133, {"turn_deg": 7.0, "roll_deg": 5.0}),
    (134, {"tilt_deg": 15.0}),
)
PUSHED = (
    (135, 3.0, {}),
    (136, -3.0, {"slice_mm": 2.5}),
    (137, -5.0, {"bleed": LEFT}),
    (138, 7.0, {"bleed": RIGHT, "atrophy": 0.5}),
    (139, -9.0, {"turn_deg": -9.0, "roll_deg": 4.0}),
    (140, 9.0, {"slice_mm": 2.5, "tilt_deg": -12.0}),
    (141, -12.0, {"bleed": LEFT}),
    (142, 12.0, {"slice_mm": 2.5, "bleed": RIGHT, "turn_deg": 5.0, "roll_deg": -6.0}),
)


ROWS = 128


def stack(seed: int, shift_mm: float | None, **how: object) -> Stack:
    volume = generate_head_ct(seed, rows=ROWS, shift_mm=shift_mm, **how).volume  # type: ignore[arg-type]
    return stack_of(turn(volume.voxels, volume.geometry))


@pytest.mark.parametrize(("seed", "how"), STILL)
def test_a_head_without_shift_has_next_to_none(seed: int, how: dict[str, object]) -> None:
    shift = midline_of(stack(seed, 0.0, **how)).shift_mm
    assert shift is not None
    assert abs(shift) <= 1.5


@pytest.mark.parametrize(("seed", "shift_mm", "how"), PUSHED)
def test_a_shift_is_measured_to_two_millimetres_with_its_side(seed: int, shift_mm: float, how: dict[str, object]) -> None:
    found = midline_of(stack(seed, shift_mm, **how))
    assert found.shift_mm is not None
    assert abs(found.shift_mm - shift_mm) <= 2.0
    assert abs(found.turn_deg - float(str(how.get("turn_deg", 0.0)))) < 2.0
    assert abs(found.lean_deg - float(str(how.get("roll_deg", 0.0)))) < 2.0


def test_not_measurable_without_csf_and_with_the_head_on_the_shoulder() -> None:
    upright = stack(143, 6.0)
    filled = np.where((upright.hu > -60) & (upright.hu < 25), 30.0, upright.hu).astype(np.float32)
    assert midline_of(replace(upright, hu=filled)).why == "csf"
    assert midline_of(stack(144, 0.0, roll_deg=17.0)).why == "tilted"
    opened = (upright.hu > 200) & (np.arange(upright.hu.shape[2]) > 150)  # bone taken away on the left
    operated = replace(upright, hu=np.where(opened, 30.0, upright.hu), planes=np.where(opened, 100, upright.planes))
    assert midline_of(replace(operated, planes=operated.planes.astype(np.uint8))).why == "skull"


def test_what_is_told_names_the_side_and_never_more() -> None:
    for shift, code in ((4.26, "to_the_left"), (-4.26, "to_the_right"), (-1.2, "in_the_middle")):
        values, problems = told(Midline(shift))
        assert values == (("head.midline_shift", round(abs(shift), 1), "mm"),)
        assert [p.code for p in problems] == [f"ai.head.midline_{code}"]
    assert told(Midline(None, "csf"))[0] == ()
    assert [p.code for p in told(Midline(None, "csf"))[1]] == ["ai.head.midline_not_measured"]
