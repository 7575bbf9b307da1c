"""The reader's own keys over the shipped table: kept with the library, checked for clashes before they hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from app.domain.problem import fail

if TYPE_CHECKING:
    from app.store.library import Library

KEY = "keys.own"
FIXED = frozenset({"esc", "f1", "?"})
"""The way back and the page of all keys stay where everybody finds them."""

Table = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Context to command to keys."""


def merged(shipped: Table, own: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, tuple[str, ...]]]:
    """The shipped table with own keys in place of the shipped ones; a key that was taken over leaves its old owner."""
    out = {context: dict(commands) for context, commands in shipped.items()}
    for context, commands in own.items():
        for command, key in commands.items():
            if command not in out.get(context, {}):
                continue
            for other, keys in out[context].items():
                if other != command:
                    out[context][other] = tuple(k for k in keys if k.casefold() != key.casefold())
            out[context][command] = (key,)
    return out


class KeyTable:
    """Main thread only."""

    def __init__(self, library: Library, person: str) -> None:
        self._library = library
        self._person = person

    def own(self) -> dict[str, dict[str, str]]:
        found = self._library.settings.get(KEY, {})
        if not isinstance(found, dict):
            return {}
        return {
            str(context): {str(c): str(k) for c, k in commands.items()}
            for context, commands in found.items()
            if isinstance(commands, dict)
        }

    def set(self, shipped: Table, context: str, command: str, key: str) -> str:
        """Gives a command a key; returns the command that loses it, or "". Raises ``keys.fixed`` for the few that stay."""
        if key.casefold() in FIXED:
            raise fail("keys.fixed", key=key)
        everywhere = shipped.get("everywhere", {})
        if context != "everywhere" and any(key.casefold() == k.casefold() for keys in everywhere.values() for k in keys):
            raise fail("keys.fixed", key=key)
        own = self.own()
        before = merged(shipped, own).get(context, {})
        loser = next(
            (c for c, keys in before.items() if c != command and key.casefold() in (k.casefold() for k in keys)), ""
        )
        mine = {c: k for c, k in own.get(context, {}).items() if k.casefold() != key.casefold()}
        own[context] = {**mine, command: key}
        self._keep(own)
        return loser

    def reset(self) -> None:
        """All keys as shipped."""
        self._keep({})

    def _keep(self, own: dict[str, dict[str, str]]) -> None:
        self._library.write(lambda tx: self._library.settings.set(tx, KEY, own, self._person))
