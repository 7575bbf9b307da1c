"""Outlines of second readers lie on every slice that they reach, until they are rejected or the maps are hidden."""

from __future__ import annotations

from pathlib import Path

from app.domain.verdict import Decision, Overall, RejectReason
from app.session.views import AiState
from app.viewer.layers import HeatmapLayer, MaskLayer
from tests.flows import stage
from tests.flows.stage import Beacon


def test_outlines_follow_reveal_verdicts_and_the_key(beacon: Beacon, tmp_path: Path) -> None:
    uid = stage.write_study(tmp_path / "dicom")
    with stage.stage(tmp_path / "home", beacon) as s:
        s.bring(tmp_path / "dicom")
        s.read()
        s.ws.open_study(uid)
        reading = s.ws.reading
        assert reading is not None
        desk = reading.desk
        assert reading.second_read().state is AiState.SEALED
        assert not desk.overlay().layers, "sealed"
        reading.commit(Overall.NOTHING)

        def drawn() -> list[str]:
            return [layer.mask.finding_id for layer in desk.overlay().layers if isinstance(layer, MaskLayer)]

        found = [f.finding_id for f in desk.ai_findings()]
        assert sorted(drawn()) == sorted(found)
        assert isinstance(desk.overlay().layers[0], HeatmapLayer), "the outline lies over the map"
        reading.reject(found[0], RejectReason.NOT_PRESENT)
        assert desk.verdict(found[0]).decision is Decision.REJECTED  # type: ignore[union-attr]
        assert sorted(drawn()) == sorted(found[1:])
        reading.set_heatmap(visible=False)
        assert not drawn()
