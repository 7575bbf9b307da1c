"""A key image is there at once, also for a slice that no pane has shown yet."""

from __future__ import annotations

from pathlib import Path

from app.domain.finding import Finding, Location, Source
from app.domain.measurement import Code
from app.domain.messages import templates
from app.session.key_images import key_image
from tests.flows import stage

PNG = b"\x89PNG\r\n\x1a\n"


def test_a_slice_that_was_never_shown_gives_a_key_image(tmp_path: Path) -> None:
    uid = stage.write_study(tmp_path / "study")
    with stage.stage(tmp_path / "home", None) as desk:
        desk.bring(tmp_path / "study")
        desk.ws.open_study(uid)
        assert desk.ws.reading is not None
        assert desk.ws._images is not None
        for ball in stage.BALLS:
            finding = Finding("2.25.1", Source.MINE, Code("27925004", "SCT", "Nodule"), Location(centre_lps_mm=ball))
            made = key_image(desk.ws.reading.room, desk.ws._images, finding, "1", templates("en"))
            assert made is not None
            assert made[0].startswith(PNG)
