"""Content items that an SR names by reference: the path of the target from the root (PS3.3 C.17.3.2.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def referenced(root: Any, item: Any) -> Any | None:
    """The content item that ``item`` stands for; None when it is itself a value or its path leads nowhere.

    Referenced Content Item Identifier counts from 1 and begins with the root, which is always 1.
    """
    if item.get("ValueType") or "ReferencedContentItemIdentifier" not in item:
        return None
    named = item.ReferencedContentItemIdentifier
    path = [int(n) for n in named] if isinstance(named, Sequence) and not isinstance(named, str) else [int(named)]
    if not path or path[0] != 1:
        return None
    target = root
    for number in path[1:]:
        children = target.get("ContentSequence") or ()
        if not 1 <= number <= len(children):
            return None
        target = children[number - 1]
    return target
