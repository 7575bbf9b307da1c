"""Hostile variants of DICOM bytes: blind ones (flips, cuts, splices) and ones that know where elements begin."""

from __future__ import annotations

import random
import re
import struct
from functools import lru_cache

_VRS = b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
_HEAD = re.compile(rb"[\x00-\xff][\x00\x02-\x64\x7f\xfe][\x00-\xff][\x00-\xff](?=" + b"|".join(_VRS) + rb")", re.DOTALL)
_ITEM, _ITEM_END, _SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0"
_OPEN = b"\xff\xff\xff\xff"
_WILD_4 = (_OPEN, b"\0\0\0\0", b"\xff\xff\xff\x7f", _ITEM, _ITEM_END, _SEQUENCE_END)
_TEXTS = (
    b"", b"0", b"-0", b"-1", b"nan", b"inf", b"1e400", b"-1e-400", b"99999999999999999999", b"65536", b"\\" * 40,
    b"\x1b$B\x1b(B", b"\x1b$)C", b"=^=^=", b"\xff\xfe\0", b"9" * 64, b"0x10", b"1\\0\\0\\0\\1\\0", b"0\\0\\0\\0\\0\\0",
    b"1e-30\\1e30", b"\0" * 6,
)  # fmt: skip
_TAILS = [".1", ".2", ".1.99", ".5", ".4.50", ".4.51", ".4.57", ".4.70", ".4.80", ".4.90", ".4.201", ".4.110", ".8.1"]
_SYNTAXES = tuple(f"1.2.840.10008.1.2{tail}".encode() for tail in ("", *_TAILS))
_LENGTHS = (0xFFFFFFFF, 0xFFFFFFFE, 0x7FFFFFFF)
_NUMBERS = (0, 1, 2, 3, 7, 8, 12, 15, 16, 17, 31, 32, 33, 64, 127, 255, 256, 1023, 4096, 32767, 32768, 65535)


@lru_cache(maxsize=1024)
def heads(data: bytes) -> tuple[int, ...]:
    """Offsets that look like the start of an explicit element."""
    return tuple(m.start() for m in _HEAD.finditer(data[: 48 << 10]))[:2000]


def stream_start(data: bytes) -> int:
    """Where the first fragment behind the offset table begins in encapsulated pixel data; 0 where there is none."""
    pixels = data.rfind(b"\xe0\x7f\x10\x00OB\0\0" + _OPEN + _ITEM)
    if pixels < 0:
        return 0
    (table,) = struct.unpack_from("<I", data, pixels + 16)
    at = pixels + 20 + table + 8
    return at if at < len(data) else 0


def mutated(data: bytes, rng: random.Random, other: bytes = b"") -> bytes:
    """One to eight changes of ``data``; ``other`` gives pieces for splices."""
    out = bytearray(data)
    places = heads(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5, 8))):
        if not out:
            break
        # Early changes move what follows: later ones of the same case hit near the heads, which is as good.
        at = rng.choice(places) if places and rng.random() < 0.6 else rng.randrange(len(out))
        at = min(at, len(out) - 1)
        _change(out, at, rng, other)
        if len(out) > 1 << 20:
            del out[1 << 20 :]
    return bytes(out)


def _change(out: bytearray, at: int, rng: random.Random, other: bytes) -> None:
    kind = rng.randrange(16)
    if kind == 0:
        del out[at:]
    elif kind == 1:
        out[rng.randrange(len(out))] = rng.randrange(256)
    elif kind == 2:
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    elif kind == 3:
        out[at : at + 4] = rng.choice(_WILD_4)
    elif kind == 4:
        stop = min(len(out), at + rng.randrange(1, 200))
        out[at:at] = out[at:stop]
    elif kind == 5:
        del out[at : at + rng.choice((1, 2, 4, 8, 12, rng.randrange(1, 300)))]
    elif kind == 6:
        out[at + 4 : at + 6] = rng.choice(_VRS)
    elif kind == 7:
        out[at + 6 : at + 8] = struct.pack("<H", rng.choice((*_NUMBERS, rng.randrange(65536))))
    elif kind == 8:
        out[at + 8 : at + 12] = struct.pack(
            "<I", rng.choice((0xFFFFFFFF, 0xFFFFFFFE, 0x7FFFFFFF, len(out), rng.randrange(1 << 32)))
        )
    elif kind == 9:
        head = bytes(out[at : at + 4])
        depth = rng.choice((1, 2, 9, 70, 400))
        out[at:at] = (head + b"SQ\0\0" + _OPEN + _ITEM + _OPEN) * depth
    elif kind == 10:
        _value(out, at, rng)
    elif kind == 11 and other:
        start = rng.randrange(len(other))
        piece = other[start : start + rng.choice((8, 32, 200, 2000))]
        if rng.random() < 0.5:
            out[at:at] = piece
        else:
            out[at : at + len(piece)] = piece
    elif kind == 12:
        uid = rng.choice(_SYNTAXES)
        found = out.find(b"UI", 132)
        start = out.find(b"1.2.840.10008.1.2", max(found, 0), 400)
        if start > 0:
            (n,) = struct.unpack_from("<H", out, start - 2)
            if n < 64:
                padded = uid + b"\0" * (len(uid) % 2)
                out[start - 2 : start + n] = struct.pack("<H", len(padded)) + padded
    elif kind == 13:
        width = rng.choice((1, 2, 4))
        value = rng.choice(_NUMBERS) % (1 << (8 * width))
        place = min(at + 8, len(out))
        out[place : place + width] = value.to_bytes(width, "little")
    elif kind == 14:
        # Wraps what follows into an item of a sequence with stated or open length.
        size = min(len(out) - at, rng.randrange(8, 400))
        body = bytes(out[at : at + size])
        head = body[:4]
        if rng.random() < 0.5:
            whole = head + b"SQ\0\0" + struct.pack("<I", size + 8) + _ITEM + struct.pack("<I", size) + body
        else:
            end = _ITEM_END + b"\0\0\0\0" + _SEQUENCE_END + b"\0\0\0\0"
            whole = head + b"SQ\0\0" + _OPEN + _ITEM + _OPEN + body + end
        out[at : at + size] = whole
    else:
        # Two elements change places.
        to = rng.randrange(len(out))
        size = rng.randrange(8, 64)
        out[at : at + size], out[to : to + size] = bytes(out[to : to + size]), bytes(out[at : at + size])


def _value(out: bytearray, at: int, rng: random.Random) -> None:
    """Another value, with its true length, into a short element."""
    if at + 8 > len(out):
        return
    (n,) = struct.unpack_from("<H", out, at + 6)
    if at + 8 + n > len(out):
        return
    text = rng.choice(_TEXTS)
    text += b" " * (len(text) % 2)
    out[at + 6 : at + 8 + n] = struct.pack("<H", len(text)) + text
