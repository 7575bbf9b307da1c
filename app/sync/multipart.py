"""multipart/related as DICOMweb uses it (PS3.18 8.6): one body out, parts in. No dependence on the server's whims."""

from __future__ import annotations

import re
from collections.abc import Mapping

_BOUNDARY = re.compile(r'boundary\s*=\s*(?:"([^"]+)"|([^\s;]+))', re.IGNORECASE)


def encode(parts: list[bytes], boundary: str, content_type: str) -> bytes:
    """The body; ``boundary`` must not occur in the parts (checked)."""
    mark = b"--" + boundary.encode()
    if any(mark in part for part in parts):
        raise ValueError("the boundary occurs in a part")
    head = mark + f"\r\nContent-Type: {content_type}\r\n\r\n".encode()
    return b"".join(head + part + b"\r\n" for part in parts) + mark + b"--\r\n"


def decode(body: bytes, content_type: str) -> list[tuple[Mapping[str, str], bytes]]:
    """(headers in lower case, content) of each part. Raises ``ValueError`` for what is not multipart or is cut off."""
    if not content_type.lower().lstrip().startswith("multipart/related"):
        raise ValueError("not multipart/related")
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise ValueError("no boundary")
    mark = b"--" + (found.group(1) or found.group(2)).encode()
    position = body.find(mark)
    if position < 0:
        raise ValueError("the boundary does not occur")
    parts: list[tuple[Mapping[str, str], bytes]] = []
    while True:
        position += len(mark)
        if body[position : position + 2] == b"--":
            return parts
        start = body.find(b"\r\n\r\n", position)
        end = body.find(b"\r\n" + mark, max(start + 2, position))
        if start < 0 or end < 0:
            raise ValueError("a part is cut off")
        headers = {}
        for line in body[position:start].decode("latin-1").splitlines():
            name, colon, value = line.partition(":")
            if colon:
                headers[name.strip().lower()] = value.strip()
        parts.append((headers, body[start + 4 : end]))
        position = end + 2
