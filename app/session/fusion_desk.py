"""One series laid over another: which, in which colours and window, how dense. Each change is a step that can be undone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from app.domain.pixels import VoiWindow
from app.domain.problem import Problem
from app.domain.study import DisplaySet
from app.domain.volume import Volume
from app.session.images import Images
from app.session.moments import once
from app.session.over_looks import OverWindow, factor_of, first_look, named, windows_for
from app.session.panes import Over, PaneState
from app.session.views import Notice
from app.viewer.layers import OverMode
from app.viewer.luts import lut_names
from app.viewer.view_state import Appearance, Plane

if TYPE_CHECKING:
    from app.session.reading_room import ReadingRoom

AUTO = "auto"
"""What a window says that was made of the values themselves."""
NO_DEPTH = frozenset({Plane.RENDERED, Plane.CURVED})
"""Planes that nothing can be laid over."""


@dataclass(frozen=True)
class Choice:
    """A series that can be laid over the active pane's."""

    display_set_id: str
    title: str
    """The object's own words."""
    same_place: bool
    """Both name one frame of reference; else the place is searched for."""
    chosen: bool


@dataclass(frozen=True)
class FusionView:
    """What the panel shows of the active pane. ``on`` False: nothing lies over it, and only ``choices`` count."""

    choices: tuple[Choice, ...] = ()
    on: bool = False
    title: str = ""
    lut: str = ""
    opacity: float = 0.0
    windows: tuple[tuple[OverWindow, bool], ...] = ()
    """(window, in force)."""


class FusionDesk:
    """Main thread only; speaks of the active pane."""

    def __init__(
        self,
        room: ReadingRoom,
        images: Images,
        put: Callable[[Sequence[PaneState]], None],
        notice: Callable[[Notice], None],
    ) -> None:
        """``put`` replaces panes and announces them."""
        self._room, self._images, self._put, self._notice = room, images, put, notice
        self._fading: PaneState | None = None
        """The pane as the last move of the slider left it: the next one is part of the same step."""

    # -- what there is ---------------------------------------------------------------------------------------------

    def possible(self) -> bool:
        """There is another series to lay over the active pane's."""
        return bool(self._others())

    def is_on(self) -> bool:
        """Something lies over the active pane in colours."""
        return self._over() is not None

    def view(self) -> FusionView:
        pane, over = self._pane(), self._over()
        below = self._room.display_set(pane)
        choices = tuple(self._choice(d, below, over) for d in self._others())
        if over is None:
            return FusionView(choices)
        chosen = self._room.content.set_by_id(over.display_set_id)
        look = self._effective(over)
        series = self._room.content.series_of(chosen)
        return FusionView(choices, True, named(chosen, series), look.lut, look.opacity, self._windows(over))

    def _pane(self) -> PaneState:
        return self._room.pane(self._room.active)

    def _over(self) -> Over | None:
        over = self._pane().over
        return over if over is not None and over.mode is OverMode.BLEND else None

    def _others(self) -> tuple[DisplaySet, ...]:
        """Volumes of the study that the active pane shows, other than its own; none for a picture without depth."""
        pane = self._pane()
        below = self._room.display_set(pane)
        if below is None or pane.view.plane in NO_DEPTH or pane.curve or not self._images.can_be_volume(below):
            return ()
        current, priors = self._room.studies()
        opened = next((o for o in (current, *priors) if o.study.study_instance_uid == below.study_instance_uid), current)
        return tuple(
            d
            for d in once(opened.display_sets)
            if d.display_set_id != below.display_set_id and d.modality != "SEG" and self._images.can_be_volume(d)
        )

    def _choice(self, chosen: DisplaySet, below: DisplaySet | None, over: Over | None) -> Choice:
        series = self._room.content.series_of(chosen)
        words = (named(chosen, series), series.description if series is not None else "")
        mine, theirs = (self._frame_of(d) if d is not None else "" for d in (below, chosen))
        on = over is not None and over.display_set_id == chosen.display_set_id
        return Choice(chosen.display_set_id, " \u00b7 ".join(w for w in words if w), bool(mine) and mine == theirs, on)

    def _frame_of(self, chosen: DisplaySet) -> str:
        planes = self._room.content.planes(chosen)
        return next((p.frame_of_reference_uid for p in planes if p is not None), "")

    def _volume(self, over: Over) -> Volume | None:
        return self._images.volume_if_here(over.display_set_id)

    def _effective(self, over: Over) -> Appearance:
        volume = self._volume(over)
        return self._room.second.look(over, volume) if volume is not None else over.appearance

    def _windows(self, over: Over) -> tuple[tuple[OverWindow, bool], ...]:
        volume = self._volume(over)
        if volume is None:
            return ()
        factor, _ = factor_of(self._room.content, self._room.content.set_by_id(over.display_set_id))
        now = self._effective(over).window
        found = windows_for(volume.unit, factor, self._room.second.highest(volume))
        own = now is None or now.explanation == AUTO
        return tuple((w, w.window is None if own else _same(w.window, now)) for w in found)

    # -- what the reader does --------------------------------------------------------------------------------------

    def lay(self, display_set_id: str) -> None:
        """Lays a series over the active pane's, in the look of its modality; "" takes away what lies there."""
        pane = self._pane()
        over = (
            Over(display_set_id, appearance=first_look(self._room.content.set_by_id(display_set_id)))
            if display_set_id
            else None
        )
        if over is not None or pane.over is not None:
            self._room.on_remember()
            self._put([replace(pane, over=over)])

    def off(self) -> None:
        """What lies over the active pane goes."""
        self.lay("")

    def set_lut(self, name: str) -> None:
        """Raises ``ValueError`` for a table that is not there."""
        if name not in lut_names():
            raise ValueError(f"no colour table is called {name}")
        self._change(lambda look: replace(look, lut=name))

    def set_opacity(self, opacity: float) -> None:
        """0 to 1. Moves of a slider that follow each other are one step."""
        follows = self._fading is not None and self._pane() == self._fading
        self._change(lambda look: replace(look, opacity=min(1.0, max(0.0, round(opacity, 2)))), not follows)
        self._fading = self._pane()

    def set_window(self, name: str) -> None:
        """One of the view's windows by name; unknown ones change nothing."""
        over = self._over()
        found = next((w for w, _ in self._windows(over) if w.name == name), None) if over is not None else None
        if found is not None:
            window = found.window
            self._change(lambda look: replace(look, window=window))

    def windowed(self, pane_id: str, window: VoiWindow) -> None:
        """A window that a hand is dragging: the gesture was remembered when it began. Linked panes with the same follow."""
        over = self._room.pane(pane_id).over
        if over is not None:
            self._put(self._with_look(pane_id, over, replace(self._effective(over), window=window)))

    def next_series(self) -> None:
        """The next series over the active pane; after the last nothing."""
        others = [d.display_set_id for d in self._others()]
        over = self._over()
        at = others.index(over.display_set_id) + 1 if over is not None and over.display_set_id in others else 0
        if others:
            self.lay(others[at] if at < len(others) else "")

    def next_colours(self) -> None:
        over = self._over()
        if over is not None:
            names = lut_names()
            now = self._effective(over).lut
            self.set_lut(names[(names.index(now) + 1) % len(names)] if now in names else names[0])

    def next_window(self) -> None:
        over = self._over()
        windows = self._windows(over) if over is not None else ()
        if windows:
            at = next((n for n, (_, on) in enumerate(windows) if on), -1)
            self.set_window(windows[(at + 1) % len(windows)][0].name)

    def fade(self, by: float) -> None:
        """More or less of what lies over the active pane."""
        over = self._over()
        if over is not None:
            self.set_opacity(self._effective(over).opacity + by)

    def verbs(self) -> Mapping[str, Callable[[], object]]:
        """By the names of the shortcuts."""
        return {
            "fuse_more": lambda: self.fade(0.1),
            "fuse_less": lambda: self.fade(-0.1),
            "fuse_next": self.next_or_say,
            "fuse_colours": self.next_colours,
            "fuse_window": self.next_window,
            "fuse_off": self.off,
        }

    def next_or_say(self) -> None:
        if self.possible():
            self.next_series()
        else:
            self._notice(Notice(Problem("fusion.nothing_to_lay")))

    # -- within ----------------------------------------------------------------------------------------------------

    def _change(self, change: Callable[[Appearance], Appearance], remembered: bool = True) -> None:
        over = self._over()
        if over is None:
            return
        if remembered:
            self._room.on_remember()
        # The look as it stands: a change of one thing leaves the others.
        self._put(self._with_look(self._room.active, over, change(self._effective(over))))

    def _with_look(self, pane_id: str, over: Over, look: Appearance) -> list[PaneState]:
        """The pane, and linked panes that have the same over them in the same look."""
        same = [p for p in self._room.panes() if p.pane_id == pane_id or (self._room.linked and p.over == over)]
        return [replace(p, over=replace(over, appearance=look)) for p in same]


def _same(one: VoiWindow | None, other: VoiWindow | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one.center - other.center) <= 1e-6 * one.width and abs(one.width - other.width) <= 1e-6 * one.width
