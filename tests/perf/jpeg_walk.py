"""Counts what a Huffman JPEG holds, bit by bit and by none of the product's code: judges fill up what is missing.

Sequential and lossless streams (SOF 0, 1, 3). Slow and exact: every restart interval must hold the codes of its blocks or
samples and end with them.
"""

from __future__ import annotations

import re
import struct
from typing import Any

import numpy as np

LARGEST = 400_000
"""Bytes; larger ones take too long to count."""
SLACK_BITS = 32
Steps = tuple[list[int], list[int]]


def holds_its_picture(stream: bytes) -> bool | None:
    """False when codes are missing or left over; None for kinds and sizes that are not counted."""
    try:
        return _walk(stream)
    except (IndexError, struct.error, KeyError):
        return False


def _walk(stream: bytes) -> bool | None:
    tables: dict[tuple[int, int], np.ndarray[Any, Any]] = {}
    frame: tuple[int, int, int, list[tuple[int, int, int]]] | None = None
    restart, at, seen = 0, 2, 0
    while at + 4 <= len(stream):
        if stream[at] != 0xFF:
            return False
        marker = stream[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xD9:
            break
        length = int.from_bytes(stream[at + 2 : at + 4], "big")
        body = stream[at + 4 : at + 2 + length]
        at += 2 + length
        if marker in (0xC0, 0xC1, 0xC3):
            rows, columns, count = struct.unpack_from(">HHB", body, 1)
            frame = (marker - 0xC0, rows, columns, [(body[6 + 3 * n], *divmod(body[7 + 3 * n], 16)) for n in range(count)])
        elif 0xC2 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return None
        elif marker == 0xC4:
            while body:
                size = sum(body[1:17])
                tables[divmod(body[0], 16)] = _lookup(body[1:17], body[17 : 17 + size])
                body = body[17 + size :]
        elif marker == 0xDD:
            restart = int.from_bytes(body, "big")
        elif marker == 0xDA:
            if frame is None:
                return False
            end = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]").search(stream, at)
            stop = end.start() if end else len(stream)
            if stop - at > LARGEST:
                return None
            picked = [(body[1 + 2 * n], *divmod(body[2 + 2 * n], 16)) for n in range(body[0])]
            if not _scan(stream[at:stop], frame, picked, tables, restart):
                return False
            seen += body[0]
            at = stop
    return frame is not None and seen == len(frame[3])


def _lookup(counts: bytes, symbols: bytes) -> np.ndarray[Any, Any]:
    """Length and symbol of the code that sixteen bits begin with; length 0 where none does."""
    out = np.zeros(65536, np.int32)
    code = n = 0
    for length, count in enumerate(counts, 1):
        for _ in range(count):
            out[code << (16 - length) : (code + 1) << (16 - length)] = length << 8 | symbols[n]
            code, n = code + 1, n + 1
        code <<= 1
    return out


def _scan(data: bytes, frame: Any, picked: Any, tables: Any, restart: int) -> bool:
    process, rows, columns, components = frame
    by_number = {number: (h, v) for number, h, v in components}
    most = [max(c[n] for c in components) for n in (1, 2)]
    cell = 1 if process == 3 else 8
    if len(picked) == 1:
        h, v = by_number[picked[0][0]]
        wide, high = (-(-side * f // m) for side, f, m in ((columns, h, most[0]), (rows, v, most[1])))
        mcus, blocks = -(-wide // cell) * -(-high // cell), [1]
    else:
        mcus = -(-columns // (cell * most[0])) * -(-rows // (cell * most[1]))
        blocks = [by_number[n][0] * by_number[n][1] for n, _, _ in picked]
    pieces = re.split(rb"\xff+[\xd0-\xd7]", data) if restart else [data]
    each = restart or mcus
    if len(pieces) not in (-(-mcus // each), -(-mcus // each) + 1):
        return False
    for n, piece in enumerate(pieces):
        count = max(0, min(each, mcus - n * each))
        if not _piece(piece.replace(b"\xff\x00", b"\xff"), count, blocks, picked, tables, process):
            return False
    return True


def _piece(data: bytes, mcus: int, blocks: list[int], picked: Any, tables: Any, process: int) -> bool:
    raw = np.frombuffer(data + b"\xff\xff\xff", np.uint8).astype(np.uint32)
    three = raw[:-2] << 16 | raw[1:-1] << 8 | raw[2:]
    windows = np.stack([three >> (8 - bit) & 0xFFFF for bit in range(8)], 1).ravel()
    steps = [(_step(windows, tables[0, dc]), None if process == 3 else _ac(windows, tables[1, ac])) for _, dc, ac in picked]
    total, at = len(data) * 8, 0
    for _ in range(mcus):
        for (dc, ac), count in zip(steps, blocks, strict=True):
            for _ in range(count):
                at += dc[at]
                if ac is None:
                    continue
                forward, jump = ac
                k = 1
                while k < 64:
                    k += jump[at]
                    at += forward[at]
        if at > total:
            return False
    return total - at < SLACK_BITS


_NEVER = 1 << 30


def _step(windows: Any, lookup: Any) -> list[int]:
    found = lookup[windows]
    size = found & 0xFF
    step = (found >> 8) + np.where(size == 16, 0, size)
    return [*np.where(found == 0, _NEVER, step).tolist(), *[_NEVER] * 64]


def _ac(windows: Any, lookup: Any) -> Steps:
    found = lookup[windows]
    run, size = found >> 4 & 15, found & 15
    jump = np.where(size > 0, run + 1, np.where(run == 15, 16, 64))
    step = np.where(found == 0, _NEVER, (found >> 8) + size)
    return [*step.tolist(), *[_NEVER] * 64], [*jump.tolist(), *[64] * 64]
