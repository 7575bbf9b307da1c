"""Hybrid logical clock as a sortable text: ``<wall ms, 15 digits>.<counter, 6 digits>.<device>``."""

from __future__ import annotations

from datetime import UTC, datetime

_COUNTER_LIMIT = 1_000_000


def after(last: str, wall_s: float, device: str) -> str:
    """A stamp greater than ``last`` (empty for the first), near the wall clock when that does not run behind."""
    now_ms = max(0, int(wall_s * 1000))
    last_ms, counter = parts(last) if last else (-1, -1)
    if now_ms > last_ms:
        return _text(now_ms, 0, device)
    if counter + 1 >= _COUNTER_LIMIT:
        return _text(last_ms + 1, 0, device)
    return _text(last_ms, counter + 1, device)


def parts(stamp: str) -> tuple[int, int]:
    """(wall milliseconds, counter)."""
    wall, counter, _ = stamp.split(".", 2)
    return int(wall), int(counter)


def utc_iso(stamp: str) -> str:
    """When that was, by this clock: UTC, ISO 8601 with milliseconds and Z."""
    ms, _ = parts(stamp)
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(wall_ms: int, counter: int, device: str) -> str:
    return f"{wall_ms:015d}.{counter:06d}.{device}"
