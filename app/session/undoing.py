"""What the reader did, newest last: each step can be taken back and done again, also after the programme died.

A step is one aspect of the open study before and after (``undo_aspects`` lists them). What it was
after is looked at when the next step begins, so that a gesture is one step however many events it had, and one that changed
nothing is none.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.store.codec import CodecError

DEPTH = 200
KEPT = 20
"""Steps that are kept for a restart..."""
KEPT_BYTES = 300_000
"""...as far as their voxels are few: they are written with every gesture."""


@dataclass(frozen=True)
class Aspect:
    """``take`` gives the state now (compared by ``==``); ``put`` makes it what it was. The codec pair goes to JSON and back:
    ``encode`` gets (state, the other state of the step), so that only the difference needs to be written."""

    take: Callable[[], Any]
    put: Callable[[Any], None]
    encode: Callable[[Any, Any], Any]
    decode: Callable[[Any], Any]
    weigh: Callable[[Any, Any], int] = lambda before, after: 0
    """Bytes of a step beyond the usual few: voxels."""


@dataclass
class _Step:
    aspect: str
    before: Any
    after: Any
    written: Any = None
    """JSON-able, made once."""
    weight: int = 0


class Undoing:
    """Main thread only."""

    def __init__(self, aspects: Mapping[str, Aspect], changed: Callable[[], None] = lambda: None) -> None:
        """``changed``: there is something new to keep for a restart."""
        self._aspects = dict(aspects)
        self._changed = changed
        self._done: list[_Step] = []
        self._undone: list[_Step] = []
        self._open: tuple[str, Any] | None = None
        self._open_of = ""
        self._at_it = False
        self.turned = ""
        """The aspect of the step that was taken back or done again last."""
        self.before_turn: Callable[[], None] = lambda: None
        """Called before a step is taken back or done again: what was let go of is a step first."""

    def add(self, name: str, aspect: Aspect) -> None:
        self._aspects[name] = aspect

    @contextlib.contextmanager
    def together(self, aspect: str) -> Iterator[None]:
        """Several changes of one aspect that a person takes for one."""
        self.note(aspect)
        with self.aside():
            yield

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Changes that nobody did and that are not taken back."""
        was, self._at_it = self._at_it, True
        try:
            yield
        finally:
            self._at_it = was

    def note(self, aspect: str, of: str = "") -> None:
        """To be called before a change. Changes ``of`` one thing that follow each other (a slider's) are one step."""
        if self._at_it or (of and of == self._open_of):
            return
        self._close()
        self._open, self._open_of = (aspect, self._aspects[aspect].take()), of
        self._changed()

    def _close(self) -> None:
        if self._open is None:
            return
        aspect, before = self._open
        self._open, self._open_of = None, ""
        after = self._aspects[aspect].take()
        if after != before:
            self._done.append(_Step(aspect, before, after))
            del self._done[:-DEPTH]
            self._undone.clear()

    def forget(self) -> None:
        """What was done from now on stands by itself."""
        self._done, self._undone, self._open, self._open_of = [], [], None, ""

    def undo(self) -> bool:
        """Takes the last step back; False when there is none."""
        return self._turn(self._done, self._undone, lambda step: step.before)

    def redo(self) -> bool:
        return self._turn(self._undone, self._done, lambda step: step.after)

    def _turn(self, source: list[_Step], target: list[_Step], wanted: Callable[[_Step], Any]) -> bool:
        self.before_turn()
        self._close()
        if not source:
            return False
        step = source.pop()
        target.append(step)
        self.turned = step.aspect
        self._at_it = True
        try:
            self._aspects[step.aspect].put(wanted(step))
        finally:
            self._at_it = False
        self._changed()
        return True

    # -- for a restart -------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """JSON-able: the newest steps, with the gesture that is still under way."""
        done = list(self._done)
        if self._open is not None:
            aspect, before = self._open
            after = self._aspects[aspect].take()
            done += [_Step(aspect, before, after)] if after != before else []
        return {
            "done": [self._written(s) for s in self._light(done)],
            "undone": [self._written(s) for s in self._light(self._undone)],
        }

    def _light(self, steps: list[_Step]) -> list[_Step]:
        """The newest ones, as many as may be kept; one too heavy ends the row, for steps go back one after the other."""
        kept: list[_Step] = []
        left = KEPT_BYTES
        for step in reversed(steps[-KEPT:]):
            left -= self._aspects[step.aspect].weigh(step.before, step.after) if step.written is None else step.weight
            if left < 0:
                break
            kept.append(step)
        return kept[::-1]

    def _written(self, step: _Step) -> Any:
        if step.written is None:
            aspect = self._aspects[step.aspect]
            before, after = aspect.encode(step.before, step.after), aspect.encode(step.after, step.before)
            step.written = {"aspect": step.aspect, "before": before, "after": after}
            step.weight = aspect.weigh(step.before, step.after)
        return step.written

    def restore(self, state: object) -> None:
        """What was kept; nothing when it does not fit this programme any more."""
        if not isinstance(state, dict):
            return
        try:
            self._done, self._undone = ([self._read(entry) for entry in state.get(name, [])] for name in ("done", "undone"))
        except (CodecError, KeyError, TypeError, ValueError):
            self.forget()

    def _read(self, entry: Mapping[str, Any]) -> _Step:
        aspect = self._aspects[entry["aspect"]]
        return _Step(entry["aspect"], aspect.decode(entry["before"]), aspect.decode(entry["after"]), dict(entry))
