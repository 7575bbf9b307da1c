"""What the buttons and the wheel do: the shipped table, the site's over it, the reader's own over both."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from app.domain.problem import fail
from app.domain.resources import resource_path
from app.session.site_rules import SiteRules
from app.viewer.tool_api import QuietTool
from app.viewer.tools.registry import discover

if TYPE_CHECKING:
    from app.store.library import Library

KEY = "mouse.own"
CHOSEN = "chosen"
"""The tool chosen in the row of tools."""
BUTTONS = ("left", "middle", "right", "wheel")
MODIFIERS = ("", "Shift", "Ctrl", "Alt")
FIXED = "left"
"""The left button alone is the chosen tool's: otherwise choosing one would do nothing."""


def gesture(button: str, modifier: str) -> str:
    """``Ctrl+wheel``: as the files write it."""
    return f"{modifier}+{button}" if modifier else button


GESTURES = tuple(gesture(b, m) for b in BUTTONS for m in MODIFIERS)


@cache
def shipped() -> Mapping[str, str]:
    return dict(tomllib.loads(resource_path("mouse.toml").read_text(encoding="utf-8")))


@cache
def tools_for(button: str) -> tuple[str, ...]:
    """Names of the tools that a button, or the wheel, can have."""
    specs = discover().tools
    if button != "wheel":
        return tuple(s.name for s in specs)
    return tuple(s.name for s in specs if type(s.make()).wheel is not QuietTool.wheel)


def usable(name: str, tool: str) -> bool:
    """Whether a gesture can have a tool; an empty tool takes a gesture with a key away."""
    button = name.rsplit("+", 1)[-1]
    if name not in GESTURES or name == FIXED:
        return False
    return tool == "" or (tool == CHOSEN and button != "wheel") or tool in tools_for(button)


def merged(*tables: Mapping[str, str]) -> dict[str, str]:
    """Later tables win; what no gesture can have is left out, an empty tool takes the gesture away."""
    out = dict(shipped())
    for table in tables:
        out.update({name: tool for name, tool in table.items() if usable(name, tool)})
    return {name: tool for name, tool in out.items() if tool}


class MouseTable:
    """Main thread only."""

    def __init__(self, library: Library, person: str, site: SiteRules) -> None:
        self._library = library
        self._person = person
        self._site = site

    @property
    def fixed(self) -> bool:
        """The site has said what the mouse does, for everybody."""
        return self._site.mouse_fixed

    def own(self) -> dict[str, str]:
        found = self._library.settings.get(KEY, {})
        return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}

    def table(self) -> dict[str, str]:
        """Gesture to tool, as it holds now."""
        return merged(self._site.mouse, {} if self.fixed else self.own())

    def set(self, name: str, tool: str) -> None:
        """Gives a gesture a tool; "" takes it away. Raises ``settings.fixed``, ``mouse.not_usable``."""
        if self.fixed:
            raise fail("settings.fixed")
        if not usable(name, tool) or (not tool and "+" not in name):
            raise fail("mouse.not_usable")
        self._keep({**self.own(), name: tool})

    def reset(self) -> None:
        """As the site, or the program, has it."""
        self._keep({})

    def _keep(self, own: dict[str, str]) -> None:
        self._library.write(lambda tx: self._library.settings.set(tx, KEY, own, self._person))
