"""What the memory ceiling makes of a reformat is written into the pane that shows it, in the reader's language."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.dicom.memory_budget import PROGRAM_BYTES, shared_budget
from app.dicom.volume_builder import volume_bytes
from app.domain.messages import sentence, translate
from app.session.picture import PanePicture
from app.viewer.primitives import Text
from app.viewer.view_state import Plane
from tests.flows import stage
from tests.flows.stage import Stage


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Stage]:
    stage.write_study(tmp_path / "dicom")
    with stage.stage(tmp_path / "home", None) as made:
        made.bring(tmp_path / "dicom")
        yield made


@pytest.fixture
def nearly_full() -> Iterator[dict[str, int]]:
    """Room for ``left`` bytes of volumes from ``fill`` on."""
    taken = {"bytes": 0}
    yield taken
    shared_budget.drop_volume(taken["bytes"])


def fill(taken: dict[str, int], left: int) -> None:
    free = shared_budget.ceiling_bytes - PROGRAM_BYTES - (256 << 20) - shared_budget.volume_bytes
    taken["bytes"] = free - left
    shared_budget.add_volume(taken["bytes"])


def reformatted(s: Stage, nearly_full: dict[str, int], part: float) -> PanePicture:
    """The picture of a coronal pane when ``part`` of the volume's bytes are left."""
    reading = s.ws.open_study(s.row().study_instance_uid)
    pane = reading.layout().active
    chosen = reading.room.display_set(reading.room.pane(pane))
    assert chosen is not None
    fill(nearly_full, int(volume_bytes(reading.study, chosen) * part))
    reading.room.change_view(plane=Plane.CORONAL, point_mm=None)
    reading.picture_request(pane, 500, 400)()
    s.until(lambda: not s.ws.images_busy())
    return reading.picture_request(pane, 500, 400)()


@pytest.mark.parametrize("language", ["en", "ru", "kk"])
@pytest.mark.parametrize(("part", "code"), [(0.5, "volume.half_resolution"), (0.1, "volume.quarter_resolution")])
def test_a_coarser_reformat_says_so_in_its_pane(
    desk: Stage, nearly_full: dict[str, int], part: float, code: str, language: str
) -> None:
    desk.ws.set_language(language)
    picture = reformatted(desk, nearly_full, part)
    assert picture.pixels is not None
    said = " ".join(p.text for p in picture.decorations if isinstance(p, Text))
    beginning = translate(language, code, {"slices": 0, "gigabytes": 0, "ceiling": 0}).split(":")[0]
    assert beginning in said


@pytest.mark.parametrize("language", ["en", "ru", "kk"])
def test_a_reformat_without_room_is_refused_in_its_pane_and_the_slices_stay(
    desk: Stage, nearly_full: dict[str, int], language: str
) -> None:
    desk.ws.set_language(language)
    picture = reformatted(desk, nearly_full, 0.01)
    assert picture.pixels is None
    assert picture.problem is not None
    assert picture.problem.code == "volume.over_ceiling"
    # Every placeholder of the sentence has its figure.
    assert "{" not in sentence(language, picture.problem)
    reading = desk.ws.reading
    assert reading is not None
    reading.room.change_view(plane=Plane.STACK)
    pane = reading.layout().active
    reading.picture_request(pane, 500, 400)()
    desk.until(lambda: not desk.ws.images_busy())
    assert reading.picture_request(pane, 500, 400)().pixels is not None
