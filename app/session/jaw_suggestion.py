"""The arch of a jaw as the program would draw it: offered, moved like any curve, told as a suggestion until then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from app.domain.geometry import Point3
from app.domain.identity import new_uid
from app.domain.measurement import Annotation, MarkShape, Placement
from app.domain.problem import Problem
from app.imaging.jaw_arch import SuggestedArch, suggested_arch
from app.session.images import Images
from app.session.panes import PaneState
from app.session.reading_room import ReadingRoom
from app.session.views import Changes, Notice
from app.viewer.view_state import Plane, ViewState


class JawSuggestion:
    """Main thread only."""

    def __init__(
        self,
        room: ReadingRoom,
        images: Images,
        put: Callable[[Annotation, bool], None],
        announce: Callable[[Changes], None],
        notice: Callable[[Notice], None],
    ) -> None:
        self._room = room
        self._images = images
        self._put = put
        self._announce, self._notice = announce, notice
        self._working = False
        self._suggested: dict[str, tuple[str, tuple[Point3, ...]]] = {}
        """Mark to (display set, points as they were suggested)."""
        room.curved.noted = self.states

    def possible(self) -> bool:
        """The study hangs as a volume of the jaws."""
        return self._room.hanging.protocol.split("_own")[0] == "cbct"

    def suggest(self) -> None:
        """The arch of the active pane's volume as a curve, with the panoramic picture and a cross-section beside it."""
        pane = self._room.pane(self._room.active)
        chosen = self._room.display_set(pane)
        if chosen is None or not self._images.can_be_volume(chosen):
            self._notice(Notice(Problem("masks.no_volume")))
            return
        volume = self._images.volume(chosen.display_set_id)
        if volume is None:
            self._notice(Notice(Problem("masks.volume_loading")))
            return
        if self._working:
            return
        self._working = True

        def came(found: tuple[SuggestedArch | None] | None) -> None:
            self._working = False
            if found is None or found[0] is None:
                self._notice(Notice(Problem("curve.no_arch")))
                return
            self._draw(pane, found[0], volume.geometry.frame_of_reference_uid)

        self._images.beside(lambda: (suggested_arch(volume),), came, slow=True)

    def _draw(self, pane: PaneState, arch: SuggestedArch, frame_of_reference: str) -> None:
        if pane.pane_id not in {p.pane_id for p in self._room.panes()}:
            return  # another study's panes by now
        points = arch.points_mm
        mark = new_uid()
        words = str(self._room.texts.get("curve.suggested_mark", ""))
        self._put(
            Annotation(
                mark, MarkShape.CURVE, Placement(points_mm=points, frame_of_reference_uid=frame_of_reference), text=words
            ),
            False,
        )
        self._suggested[mark] = (pane.display_set_id, points)
        middle = points[len(points) // 2]
        view = replace(ViewState(pane.display_set_id, Plane.AXIAL), point_mm=middle)
        self._room.look_at({pane.pane_id: view})
        self._room.extras.curve_drawn(pane.pane_id, mark)
        self._announce(Changes(view=True, layout=True, findings=True))

    def states(self, pane: PaneState) -> tuple[str, ...]:
        """What a pane says while it shows a curve that nobody has moved yet."""
        for mark, (display_set, points) in self._suggested.items():
            if pane.curve not in ("", mark) or pane.display_set_id != display_set or pane.section_every_mm > 0:
                continue  # the narrow panes of a row leave it to the reformat above them
            if self._room.curved.points_of(mark) == points:
                return ("viewer.curve_suggested",)
        return ()
