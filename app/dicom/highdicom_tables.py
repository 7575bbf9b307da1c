"""highdicom's table of attributes, read ahead in pieces.

The library reads 22 MB of JSON in one breath when it makes its first object. The parser does not let other threads run
meanwhile, and the window would stand still for a third of a second at the first signature.
"""

from __future__ import annotations

import gc
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
        whole, collects = tables.json, gc.isenabled()
        tables.json = SimpleNamespace(loads=in_pieces)
        # Half a million new objects would set off full collections, each of which holds every thread for 70 ms.
        gc.disable()
        try:
            tables.get_module_attribute_map()
            gc.freeze()  # they stay for good: no later collection looks at them
        finally:
            tables.json = whole
            if collects:
                gc.enable()


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
