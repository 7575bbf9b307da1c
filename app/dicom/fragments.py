"""Which bytes of encapsulated pixel data belong to which frame (PS3.5 A.4, PS3.3 C.7.6.3.1.8)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from app.dicom.raw_header import Fetch
from app.domain.problem import ProblemError, fail

_ITEM = b"\xfe\xff\x00\xe0"
_END = b"\xfe\xff\xdd\xe0"
_AFTER = (b"\xfc\xff\xfc\xff", bytes(4))
"""What may follow where the end mark is missing: data set trailing padding, zeros."""
_MAX_FRAGMENTS = 4_000_000
_NO_TABLE = 1
"""No offset of a frame is odd."""


@dataclass(frozen=True)
class FrameIndex:
    """Fragments per frame as (offset, length) in the file."""

    frames: tuple[tuple[tuple[int, int], ...], ...]
    note: str = ""
    """Message id of a repair: an offset table that lies, a missing end."""


def truncated() -> ProblemError:
    return fail("dicom.truncated", kept_safe="kept.original", next_step="dicom.next.ask_again")


def index_frames(
    fetch: Fetch, size: int, offset: int, frames: int, extended: tuple[tuple[int, ...], tuple[int, ...]] | None = None
) -> FrameIndex:
    """``offset`` is where the value of the pixel element starts. Raises ``ProblemError``."""
    fragments, table, complete = _fragments(fetch, size, offset)
    note = "" if complete else "dicom.repaired.sequence_end"
    if not fragments:
        raise fail("dicom.no_fragments", kept_safe="kept.original", next_step="dicom.next.ask_again")
    start = fragments[0][0] - 8
    if extended is not None and len(extended[0]) == frames:
        grouped = _by_offsets([start + o for o in extended[0]], fragments)
        if grouped is not None:
            return FrameIndex(grouped, note)
        note = "dicom.repaired.offset_table"
    elif extended is not None:
        note = "dicom.repaired.offset_table"
    if frames == 1:
        return FrameIndex((tuple(fragments),), note)
    if table and len(table) == frames:
        grouped = _by_offsets([start + o for o in table], fragments)
        if grouped is not None:
            return FrameIndex(grouped, note)
    if table:
        note = "dicom.repaired.offset_table"
    if len(fragments) != frames:
        fragments = [f for f in fragments if f[1]]
    if len(fragments) == frames:
        return FrameIndex(tuple((f,) for f in fragments), note)
    grouped = _by_markers(fetch, fragments, frames)
    if grouped is None:
        raise fail("dicom.frames_unclear", kept_safe="kept.original", frames=frames, fragments=len(fragments))
    if len(grouped) > frames:
        return FrameIndex(grouped[:frames], "dicom.repaired.more_frames")
    return FrameIndex(grouped, note)


def _fragments(fetch: Fetch, size: int, offset: int) -> tuple[list[tuple[int, int]], list[int], bool]:
    """Fragments without the offset table, the table, and whether the sequence ends as it must."""
    head = fetch(offset, 8)
    if len(head) < 8:
        raise truncated()
    if head[:4] != _ITEM:
        raise fail("dicom.no_fragments", kept_safe="kept.original", next_step="dicom.next.ask_again")
    (n,) = struct.unpack_from("<I", head, 4)
    if offset + 8 + n > size:
        raise truncated()
    raw = fetch(offset + 8, n)
    pos = offset + 8 + n
    found: list[tuple[int, int]] = []
    if any(starts(raw[:8]) for starts in _STARTS):
        # No item for the table, which must be there even when it is empty: this is the first frame already.
        found.append((offset + 8, n))
        table = [_NO_TABLE]
    else:
        table = list(struct.unpack(f"<{len(raw) // 4}I", raw[: len(raw) // 4 * 4]))
    while pos + 8 <= size:
        head = fetch(pos, 8)
        if head[:4] == _END:
            return found, table, True
        if head[:4] != _ITEM or len(found) > _MAX_FRAGMENTS:
            if found and head[:4] not in _AFTER:
                _is_short(found, size)
            return found, table, False
        (n,) = struct.unpack_from("<I", head, 4)
        if pos + 8 + n > size:
            # Kept with the length it claims: the frame that needs it is refused as cut, the others still open.
            found.append((pos + 8, n))
            return found, table, False
        found.append((pos + 8, n))
        pos += 8 + n
    # The end mark lies partly or wholly inside the last fragment.
    if found and (_END in fetch(max(found[-1][0], pos - 12), 12) or fetch(pos, 8).strip(b"\0")):
        _is_short(found, size)
    return found, table, False


def _is_short(found: list[tuple[int, int]], size: int) -> None:
    """The last fragment reaches into what follows it: bytes of it are missing, so it is one that is cut."""
    found[-1] = (found[-1][0], size)


def _by_offsets(starts: list[int], fragments: list[tuple[int, int]]) -> tuple[tuple[tuple[int, int], ...], ...] | None:
    """Groups by the item positions of a table; None when the table does not point at items in order."""
    items = {f[0] - 8: n for n, f in enumerate(fragments)}
    places = [items.get(s) for s in starts]
    if places[0] != 0 or any(p is None for p in places):
        return None
    known = [p for p in places if p is not None]
    if any(b <= a for a, b in zip(known, known[1:], strict=False)):
        return None
    bounds = [*known, len(fragments)]
    return tuple(tuple(fragments[a:b]) for a, b in zip(bounds, bounds[1:], strict=False))


_STARTS: tuple[Callable[[bytes], bool], ...] = (
    lambda head: head[:3] == b"\xff\xd8\xff",
    lambda head: head[:4] == b"\xff\x4f\xff\x51",
    lambda head: head[:2] == b"\xff\x0a" or head[4:8] == b"JXL ",
)


def _by_markers(
    fetch: Fetch, fragments: list[tuple[int, int]], frames: int
) -> tuple[tuple[tuple[int, int], ...], ...] | None:
    """Groups that begin with a start marker of the codec, when there are as many as frames or more."""
    heads = [fetch(o, min(n, 8)) for o, n in fragments]
    for starts in _STARTS:
        places = [n for n, head in enumerate(heads) if starts(head)]
        if places and places[0] == 0 and len(places) >= frames:
            bounds = [*places, len(fragments)]
            return tuple(tuple(fragments[a:b]) for a, b in zip(bounds, bounds[1:], strict=False))
    return None


def join(fetch: Fetch, size: int, pieces: tuple[tuple[int, int], ...]) -> bytes:
    """The stream of one frame. Raises ``ProblemError`` when it is cut."""
    if any(o + n > size for o, n in pieces):
        raise truncated()
    stream = b"".join(fetch(o, n) for o, n in pieces)
    if len(stream) != sum(n for _, n in pieces):
        raise truncated()
    return stream
