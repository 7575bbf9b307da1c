"""What gestures show besides views and marks: the dragged box, the lens, a mark that waits for its words, painted voxels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from app.domain.geometry import Point2
from app.domain.measurement import Annotation, MarkShape
from app.domain.problem import fail
from app.domain.study import DisplaySet
from app.session.panes import PaneState
from app.session.picture import Drawer
from app.viewer.edits import (
    AskText,
    BrushMask,
    Edit,
    GrowMask,
    HideProbe,
    OpenCurve,
    PutAnnotation,
    ShowBand,
    ShowLens,
    ShowProbe,
    ShowSection,
    StepSlab,
)
from app.viewer.tool_api import ToolContext
from app.viewer.view_state import ResolvedView
from app.viewer.vocabulary import spoken

_WORDS_PROBLEM = {MarkShape.SPINE: "tools.spine_words", MarkShape.TOOTH: "tools.tooth_words"}
Paint = Callable[[GrowMask | BrushMask, DisplaySet, ResolvedView], None]


@dataclass(frozen=True)
class Asked:
    """A written mark whose words are wanted, at a place in a pane (device px)."""

    pane_id: str
    annotation: Annotation
    at: Point2
    suggestion: str


class RoomTools:
    """Main thread only. ``painted`` and ``drawn`` are set by the session."""

    def __init__(self) -> None:
        self.band: tuple[str, tuple[Point2, Point2]] | None = None
        self.lens: tuple[str, Point2] | None = None
        self.asked: Asked | None = None
        self.curve_drawn: Callable[[str, str], None] = lambda pane_id, annotation_id: None
        self.slab_stepped: Callable[[str, int], None] = lambda pane_id, steps: None
        self.section_wanted: Callable[[str, float], None] = lambda pane_id, at_px: None
        self.flat: Callable[[GrowMask | BrushMask, DisplaySet, ToolContext], bool] = lambda edit, chosen, context: False
        """Takes what is grown or painted on images that make no volume."""
        self.painted: Paint = lambda edit, chosen, resolved: None
        self.pane_drawers: Callable[[PaneState], tuple[Drawer, ...]] = lambda pane: ()
        """What else lies over a pane (the quadrant walk's map)."""
        self.given_up: Callable[[], None] = lambda: None
        """What a gesture showed of a growth is not wanted."""
        self.settle: Callable[[], None] = lambda: None
        """What was let go of and is still being computed is kept now: before an undo."""
        self.drawn: Callable[[Annotation, ToolContext], None] = lambda annotation, context: None
        self.probed: Callable[[ShowProbe | None, ToolContext | None], None] = lambda shown, context: None
        self.probe_doubted = False
        """The value under the pointer is another one when computed again."""

    def draw_also(self, source: Callable[[PaneState], tuple[Drawer, ...]]) -> None:
        """One more that draws over panes."""
        before = self.pane_drawers
        self.pane_drawers = lambda pane: (*before(pane), *source(pane))

    def take(self, pane_id: str, edit: Edit, context: ToolContext | None, chosen: DisplaySet | None) -> bool:
        """True when the edit is one of these and the panes look different now."""
        if isinstance(edit, ShowBand):
            self.band = (pane_id, edit.box) if edit.box is not None else None
        elif isinstance(edit, ShowLens):
            self.lens = (pane_id, edit.at) if edit.at is not None else None
        elif isinstance(edit, AskText):
            self.asked = Asked(pane_id, edit.annotation, edit.at, edit.suggestion)
        elif isinstance(edit, OpenCurve):
            self.curve_drawn(pane_id, edit.annotation_id)
        elif isinstance(edit, StepSlab):
            self.slab_stepped(pane_id, edit.steps)
        elif isinstance(edit, ShowSection):
            self.section_wanted(pane_id, edit.at_px)
        elif isinstance(edit, GrowMask) and edit.spreads <= 0:
            self.given_up()
        elif isinstance(edit, GrowMask | BrushMask):
            if context is not None and chosen is not None and not self.flat(edit, chosen, context):
                self.painted(edit, chosen, context.resolved)
        else:
            if isinstance(edit, PutAnnotation) and not edit.provisional and context is not None:
                self.drawn(edit.annotation, context)
            elif isinstance(edit, ShowProbe):
                self.probed(edit, context)
            elif isinstance(edit, HideProbe):
                self.probed(None, None)
            return False
        return True

    def band_in(self, pane_id: str) -> tuple[Point2, Point2] | None:
        return self.band[1] if self.band is not None and self.band[0] == pane_id else None

    def lens_in(self, pane_id: str) -> Point2 | None:
        return self.lens[1] if self.lens is not None and self.lens[0] == pane_id else None

    def answered(self, words: str) -> Annotation:
        """The mark with its words. Raises ``tools.*_words`` for what it may not say; it stays asked then."""
        if self.asked is None:
            raise fail("tools.nothing_asked")
        annotation = self.asked.annotation
        said = spoken(annotation.shape, words)
        if said is None:
            raise fail(_WORDS_PROBLEM.get(annotation.shape, "tools.no_words"), words=words)
        self.asked = None
        return replace(annotation, text=said)
