"""What must not be put into the present study from a picture of an earlier one.

Drawings on a prior's images are kept with the prior (``prior_desk``). Voxels and findings by the button have no such home:
they are refused there, and it is said why.
"""

from __future__ import annotations

from collections.abc import Callable

from app.domain.problem import Problem
from app.domain.study import DisplaySet
from app.session.panes import PaneState
from app.session.views import Notice
from app.viewer.edits import BrushMask, GrowMask
from app.viewer.view_state import ResolvedView

Paint = Callable[[GrowMask | BrushMask, DisplaySet, ResolvedView], None]


def painted_here_only(study_instance_uid: str, paint: Paint, notice: Callable[[Notice], None]) -> Paint:
    """``paint`` for images of the study; once a gesture it is said that a prior's are not painted on."""

    def painted(edit: GrowMask | BrushMask, chosen: DisplaySet, resolved: ResolvedView) -> None:
        if chosen.study_instance_uid == study_instance_uid:
            paint(edit, chosen, resolved)
        elif edit.last if isinstance(edit, BrushMask) else not edit.preview:
            notice(Notice(Problem("marks.no_masks_on_prior")))

    return painted


def cannot_add(pane: PaneState) -> Problem | None:
    """Why no finding can be added at a place of the pane."""
    return Problem("marks.added_on_prior", next_step="next.take_present_picture") if pane.prior else None
