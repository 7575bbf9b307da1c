"""What is frozen is written once: an outline along pixels has thousands of points, and its mark stands in many steps."""

from __future__ import annotations

import weakref
from typing import Any

from app.store.codec import encode


class EncodedOnce:
    """JSON-able forms of frozen objects, for as long as each of them lives. Main thread only."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[weakref.ref[Any], Any]] = {}

    def __call__(self, value: Any) -> Any:
        key = id(value)
        found = self._kept.get(key)
        if found is not None and found[0]() is value:
            return found[1]
        form = encode(value, compact=True)
        self._kept[key] = (weakref.ref(value, lambda gone: self._forget(key, gone)), form)
        return form

    def _forget(self, key: int, gone: weakref.ref[Any]) -> None:
        found = self._kept.get(key)
        if found is not None and found[0] is gone:
            del self._kept[key]
