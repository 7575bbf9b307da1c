"""What of a pane as it stands belongs to an arrangement that is kept: how it looks at any patient, not at this one."""

from __future__ import annotations

from dataclasses import replace

from app.session.panes import PaneState
from app.viewer.arrangement import ArrangedPane
from app.viewer.hanging import HungPane
from app.viewer.layers import OverMode
from app.viewer.presets import preset_name


def arranged_pane(pane: PaneState, hung: HungPane | None, suv: float | None = None) -> ArrangedPane:
    """``hung``: what the stage hung at this place. ``suv``: what makes the values of what lies over the pane SUV."""
    over, window = pane.over, pane.appearance.window
    same = hung is not None and hung.display_set_id == pane.display_set_id
    made = ArrangedPane(
        pane.display_set_id,
        pane.view,
        pane.preset,
        pane.link,
        label=pane.title,
        exposed=pane.fit_exposed or pane.view.fit_box is not None,
        ai=pane.ai,
        window=(window.center, window.width) if window is not None else None,
        margin=hung.view.zoom if same and hung is not None else 1.0,
        curved=bool(pane.curve),
    )
    if over is None:
        return made
    look = (over.appearance.lut, over.appearance.opacity)
    made = replace(made, over_id=over.display_set_id, over_mode=over.mode, flicker=over.flicker, over_look=look)
    named = preset_name(over.appearance.window, "SUV") or preset_name(over.appearance.window, "", suv)
    return replace(made, over_preset=named) if over.mode is OverMode.BLEND else made
