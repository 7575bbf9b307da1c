"""highdicom's table of attributes, read ahead in pieces.

The library reads 22 MB of JSON in one breath when it makes its first object. The parser does not let other threads run
meanwhile, and the window would stand still for a third of a second at the first signature.
"""

from __future__ import annotations

import json
import re
import threading
import time
from types import SimpleNamespace
from typing import Any

_lock = threading.Lock()
_BETWEEN = re.compile(r"[\s,:]*")


def read_ahead() -> None:
    """Fills the library's own cache; does nothing when it is full. For a thread beside the main one."""
    from highdicom import _standard_utils as tables

    with _lock:
        if tables.get_module_attribute_map.cache_info().currsize:
            return
        whole = tables.json
        tables.json = SimpleNamespace(loads=in_pieces)
        try:
            tables.get_module_attribute_map()
        finally:
            tables.json = whole


def in_pieces(text: str) -> dict[str, Any]:
    """``json.loads`` of one object, value by value, so that other threads get their turn between two of them."""
    decode = json.JSONDecoder().raw_decode
    found: dict[str, Any] = {}
    at = text.index("{") + 1
    while True:
        at = _after(text, at)
        if text[at] == "}":
            return found
        key, at = decode(text, at)
        found[key], at = decode(text, _after(text, at))
        time.sleep(0)


def _after(text: str, at: int) -> int:
    skipped = _BETWEEN.match(text, at)
    return skipped.end() if skipped is not None else at
