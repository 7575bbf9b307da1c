"""Every element of a file with its place, read as far as the bytes make sense: for people who ask why it did not open.

Unlike ``raw_header`` this walk never refuses: what breaks a rule of PS3.5 or PS3.10 is written down as a :class:`Breach`
with its offset, and what came before stays. Values are read when they are asked for. Nothing is trusted: every length lies
inside the file, depth and number of elements are limited.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from app.dicom.raw_header import BIG_ENDIAN_UID, DEFLATED_UIDS, EXPLICIT_UID, IMPLICIT_UID, guess_layout
from app.dicom.raw_items import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    LONG_VRS,
    MAX_DEPTH,
    SHORT_VRS,
    UNDEFINED,
    Layout,
    charset_terms,
    is_sequence,
    swapped,
)
from app.dicom.tag_names import keyword_of, vr_of

Fetch = Callable[[int, int], bytes]

MAX_ELEMENTS = 300_000
MAX_FRAGMENTS = 20_000
_MAX_INFLATED = 512 << 20
_CHUNK = 1 << 16
_SPECIFIC_CHARACTER_SET = 0x00080005
_TRANSFER_SYNTAX = 0x00020010
_META_LENGTH = 0x00020000
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_BYTES_VRS = ("OB", "OW", "OF", "OD", "OL", "OV", "UN")


@dataclass(slots=True, eq=False)
class TagElement:
    """One element, item or fragment. Offsets count from the first byte of the file (or of the inflated data set)."""

    tag: int
    vr: str
    """As written; from the dictionary where the file writes none (implicit VR)."""
    length: int | None
    """None: undefined."""
    offset: int
    value_offset: int
    available: int
    """Bytes of the value that are really there."""
    depth: int = 0
    kind: str = "element"
    """element, item or fragment."""
    number: int = 0
    """Items and fragments count from 1."""
    creator: str = ""
    """Of a private element."""
    little: bool = True
    written_vr: bool = True
    """False where the VR comes from the dictionary."""
    charsets: tuple[str, ...] = ()
    parent: TagElement | None = field(default=None, repr=False)
    children: list[TagElement] = field(default_factory=list, repr=False)

    @property
    def keyword(self) -> str:
        return keyword_of(self.tag, self.creator) if self.kind == "element" else ""

    @property
    def tag_text(self) -> str:
        return f"({self.tag >> 16:04X},{self.tag & 0xFFFF:04X})"

    def path(self) -> str:
        """``(0040,A730)[2] (0040,A043)[1] (0008,0100)``."""
        if self.parent is None:
            return self.tag_text
        if self.kind != "element":
            return f"{self.parent.path()}[{self.number}]"
        return f"{self.parent.path()} {self.tag_text}"


@dataclass(frozen=True)
class Breach:
    """A rule that the bytes do not keep. ``code`` is a message id ``breach.*``; ``clause`` names the standard's section."""

    code: str
    clause: str
    offset: int
    path: str = ""
    stops: bool = False
    """Nothing behind this place could be read."""
    params: tuple[tuple[str, str | int], ...] = ()


class _Stop(Exception):
    """The walk cannot go on."""


class _Window:
    """Small reads out of large ones."""

    def __init__(self, fetch: Fetch, size: int) -> None:
        self._fetch, self.size = fetch, size
        self._at, self._data = 0, b""

    def take(self, at: int, n: int) -> bytes:
        """Up to ``n`` bytes; fewer only at the end."""
        n = max(0, min(n, self.size - at))
        if at < self._at or at + n > self._at + len(self._data):
            self._at, self._data = at, self._fetch(at, max(n, _CHUNK))
        return self._data[at - self._at : at - self._at + n]


@dataclass(eq=False)
class TagTree:
    roots: list[TagElement]
    breaches: list[Breach]
    transfer_syntax_uid: str
    size: int
    file_size: int
    inflated: bool = False
    """Offsets count in the inflated data set (PS3.5 A.5); the file meta information keeps the file's own."""
    cut_off: bool = False
    """The listing stopped at ``MAX_ELEMENTS``."""
    count: int = 0
    _take: Callable[[int, int], bytes] = field(default=lambda at, n: b"", repr=False)
    _take_meta: Callable[[int, int], bytes] = field(default=lambda at, n: b"", repr=False)

    def raw(self, element: TagElement, start: int = 0, limit: int = 4096) -> bytes:
        """Bytes of a value as they lie in the file."""
        take = self._take_meta if element.tag >> 16 == 2 and element.depth == 0 else self._take
        return take(element.value_offset + start, max(0, min(limit, element.available - start)))

    def walk(self) -> Iterator[TagElement]:
        """Depth first, in the order of the file."""
        stack = list(reversed(self.roots))
        while stack:
            element = stack.pop()
            yield element
            stack.extend(reversed(element.children))


def read_tree(fetch: Fetch, size: int) -> TagTree:
    """The elements of a file of ``size`` bytes; ``fetch(offset, length)`` may give fewer bytes at the end only. Never raises
    for what the bytes say."""
    return _Walk(fetch, size).run()


class _Walk:
    def __init__(self, fetch: Fetch, size: int) -> None:
        self._file = self._window = _Window(fetch, size)
        self._tree = TagTree([], [], "", size, size, _take=self._window.take, _take_meta=self._window.take)
        self._groups: dict[int, str] = {}

    def run(self) -> TagTree:
        tree, size = self._tree, self._window.size
        if size == 0:
            self._breach("breach.empty", "PS3.10 7.1", 0, stops=True)
            return tree
        start = self._preamble()
        if start is None:
            return tree
        try:
            start = self._meta(start)
            layout = self._layout(start)
            if tree.transfer_syntax_uid in DEFLATED_UIDS[:1]:
                start = self._inflate(start)
            self._dataset(start, self._window.size, layout, None, 0, ())
        except _Stop:
            pass  # the breach that stopped it is written down
        return tree

    # -- what stands before the data set ---------------------------------------------------------------------------

    def _preamble(self) -> int | None:
        first = self._window.take(0, 144)
        if first[128:132] == b"DICM":
            return 132
        layout = guess_layout(first)
        if layout is None:
            self._breach("breach.not_dicom", "PS3.10 7.1", 0, stops=True)
            return None
        self._breach("breach.no_preamble", "PS3.10 7.1", 0)
        return 0

    def _meta(self, start: int) -> int:
        tree, pos, stated_end = self._tree, start, 0
        while True:
            head = self._window.take(pos, 12)
            if len(head) < 8 or head[:2] != b"\x02\x00":
                break
            element = self._element(pos, EXPLICIT_LITTLE, None, 0, ())
            tree.roots.append(element)
            if element.tag == _META_LENGTH and element.available == 4:
                stated_end = element.value_offset + 4 + int.from_bytes(tree.raw(element), "little")
            elif element.tag == _TRANSFER_SYNTAX:
                tree.transfer_syntax_uid = tree.raw(element).rstrip(b"\0 ").decode("ascii", "replace").strip()
            pos = element.value_offset + element.available
        if stated_end and stated_end != pos:
            self._breach("breach.meta_length", "PS3.10 7.1", start, "(0002,0000)", stated=stated_end, found=pos)
        if not tree.transfer_syntax_uid and pos < self._window.size:
            self._breach("breach.no_transfer_syntax", "PS3.10 7.1", start, "(0002,0010)")
        return pos

    def _layout(self, start: int) -> Layout:
        tree = self._tree
        stated = tree.transfer_syntax_uid
        if stated and stated != IMPLICIT_UID:
            layout = EXPLICIT_BIG if stated == BIG_ENDIAN_UID else EXPLICIT_LITTLE
        else:
            layout = IMPLICIT_LITTLE
        if stated in DEFLATED_UIDS[:1] or start >= self._window.size:
            return layout
        found = guess_layout(self._window.take(start, 16))
        if not stated:
            if found is None:
                self._breach("breach.layout_unclear", "PS3.5 7.1", start, stops=True)
                raise _Stop
            tree.transfer_syntax_uid = {
                IMPLICIT_LITTLE: IMPLICIT_UID,
                EXPLICIT_LITTLE: EXPLICIT_UID,
                EXPLICIT_BIG: BIG_ENDIAN_UID,
            }[found]
            return found
        if found is not None and found is not layout:
            self._breach("breach.other_layout", "PS3.5 10", start, "(0002,0010)", uid=stated)
            return found
        return layout

    def _inflate(self, start: int) -> int:
        packed = self._window.take(start, self._window.size - start)
        machine = zlib.decompressobj(-zlib.MAX_WBITS)
        parts: list[bytes] = []
        total = 0
        try:
            for at in range(0, len(packed), _CHUNK):
                part = machine.decompress(packed[at : at + _CHUNK], _MAX_INFLATED - total + 1)
                parts.append(part)
                total += len(part)
                if total > _MAX_INFLATED:
                    self._breach("breach.deflate_large", "PS3.5 A.5", start, limit=_MAX_INFLATED >> 20)
                    break
            if not machine.eof and total <= _MAX_INFLATED:
                self._breach("breach.deflate_cut", "PS3.5 A.5", start)
        except zlib.error:
            self._breach("breach.deflate_broken", "PS3.5 A.5", start)
        plain = b"".join(parts)
        self._window = _Window(lambda at, n: plain[at : at + n], len(plain))
        tree = self._tree
        tree.inflated, tree.size, tree._take = True, len(plain), self._window.take
        return 0

    # -- elements --------------------------------------------------------------------------------------------------

    def _breach(
        self, code: str, clause: str, offset: int, path: str = "", *, stops: bool = False, **params: str | int
    ) -> None:
        if len(self._tree.breaches) < 200:
            self._tree.breaches.append(Breach(code, clause, offset, path, stops, tuple(params.items())))

    def _element(
        self, pos: int, layout: Layout, parent: TagElement | None, depth: int, charsets: tuple[str, ...]
    ) -> TagElement:
        """The element whose head starts at ``pos``. Raises ``_Stop`` when there is no head to be read."""
        tree = self._tree
        tree.count += 1
        if tree.count > MAX_ELEMENTS:
            tree.cut_off = True
            raise _Stop
        head = self._window.take(pos, 12)
        if len(head) < 8:
            self._breach("breach.cut_in_head", "PS3.5 7.1", pos, parent.path() if parent else "", stops=True)
            raise _Stop
        key, n = layout.plain.unpack_from(head, 0)
        tag = swapped(key) if layout.little else key
        vr, value, written = "", pos + 8, False
        if layout.explicit and tag >> 16 != 0xFFFE:
            raw_vr = head[4:6]
            if raw_vr in SHORT_VRS:
                vr, n, written = raw_vr.decode(), layout.head.unpack_from(head, 0)[2], True
            elif raw_vr in LONG_VRS and len(head) == 12:
                vr, n, value, written = raw_vr.decode(), layout.length.unpack_from(head, 8)[0], pos + 12, True
            elif not (n <= self._window.size - value or n == UNDEFINED) or not keyword_of(tag):
                shown = raw_vr.decode("ascii") if raw_vr.isalnum() else raw_vr.hex()
                self._breach(
                    "breach.unknown_vr", "PS3.5 6.2", pos, f"({tag >> 16:04X},{tag & 0xFFFF:04X})", stops=True, vr=shown
                )
                raise _Stop
            else:
                self._breach("breach.no_vr", "PS3.5 7.1.2", pos, f"({tag >> 16:04X},{tag & 0xFFFF:04X})")
        length = None if n == UNDEFINED else int(n)
        available = 0 if length is None else min(length, self._window.size - value)
        element = TagElement(
            tag, vr, length, pos, value, available, depth, little=layout.little, written_vr=written, charsets=charsets,
            parent=parent,
        )  # fmt: skip
        if length is not None and available < length:
            where = element.path() if tag >> 16 != 0xFFFE or parent is None else parent.path()
            self._breach("breach.value_beyond_end", "PS3.5 7.1.1", pos, where, stops=True, stated=length, found=available)
        elif length is not None and length % 2 and tag >> 16 != 0xFFFE:
            self._breach("breach.odd_length", "PS3.5 7.1.1", pos, element.path(), length=length)
        return element

    def _dataset(
        self, pos: int, end: int, layout: Layout, parent: TagElement | None, depth: int, charsets: tuple[str, ...]
    ) -> int:
        """Elements from ``pos`` to ``end`` (or to the item's end mark), into ``parent`` or the roots."""
        into = parent.children if parent is not None else self._tree.roots
        before, creators = 0, dict[tuple[int, int], str]()
        while pos < end:
            element = self._element(pos, layout, parent, depth, charsets)
            if element.tag == _ITEM_END:
                return element.value_offset
            if element.tag >> 16 == 0xFFFE:
                where = parent.path() if parent else ""
                stops = element.tag != _SEQUENCE_END
                self._breach("breach.stray_mark", "PS3.5 7.5", pos, where, stops=stops, tag=element.tag_text)
                if stops:
                    raise _Stop
                pos = element.value_offset
                continue
            into.append(element)
            if element.tag <= before:
                code = "breach.twice" if element.tag == before else "breach.order"
                self._breach(code, "PS3.5 7.1", pos, element.path())
            before = max(before, element.tag)
            self._named(element, creators)
            if element.tag == _SPECIFIC_CHARACTER_SET:
                charsets = charset_terms(self._tree.raw(element, 0, 256))
                element.charsets = charsets
            pos = self._after(element, layout, depth, charsets)
        return pos

    def _named(self, element: TagElement, creators: dict[tuple[int, int], str]) -> None:
        """Private creator and the VR of the dictionary."""
        group, number = element.tag >> 16, element.tag & 0xFFFF
        if group % 2:
            if 0x10 <= number <= 0xFF:
                creators[(group, number)] = self._tree.raw(element, 0, 64).rstrip(b"\0 ").decode("ascii", "replace")
            else:
                element.creator = creators.get((group, number >> 8), "")
        expected = vr_of(element.tag, element.creator)
        if not element.written_vr:
            element.vr = expected or ("LO" if group % 2 and 0x10 <= number <= 0xFF else "UN")
        elif expected and group % 2 == 0 and element.vr not in (expected, "UN") and not _same_family(element.vr, expected):
            self._breach("breach.vr_differs", "PS3.6", element.offset, element.path(), found=element.vr, expected=expected)

    def _after(self, element: TagElement, layout: Layout, depth: int, charsets: tuple[str, ...]) -> int:
        """Reads what lies inside; the position behind the element."""
        pixels = element.tag in (0x7FE00010, 0x7FE00008, 0x7FE00009) and element.vr != "SQ"
        if element.length is None and (pixels or element.vr in ("OB", "OW")):
            return self._fragments(element, layout)
        first = self._window.take(element.value_offset, 8)
        vr = element.vr.encode() if element.written_vr else b""
        n = UNDEFINED if element.length is None else element.length
        if not pixels and is_sequence(vr, n, first, 0, layout) or (element.vr == "SQ" and n):
            element.vr = "SQ" if element.vr != "UN" or not element.written_vr else element.vr
            inner = IMPLICIT_LITTLE if vr == b"UN" else layout
            return self._items(element, inner, depth, charsets)
        if element.length is None:
            self._breach("breach.undefined_length", "PS3.5 7.1.1", element.offset, element.path(), stops=True)
            raise _Stop
        if element.available < element.length:
            raise _Stop
        return element.value_offset + element.length

    def _items(self, sequence: TagElement, layout: Layout, depth: int, charsets: tuple[str, ...]) -> int:
        if depth >= MAX_DEPTH:
            self._breach("breach.too_deep", "PS3.5 7.5", sequence.offset, sequence.path(), stops=True, limit=MAX_DEPTH)
            raise _Stop
        pos = sequence.value_offset
        end = self._window.size if sequence.length is None else pos + sequence.available
        number = 0
        while pos < end:
            item = self._element(pos, layout, sequence, depth + 1, charsets)
            if item.tag == _SEQUENCE_END:
                return item.value_offset
            if item.tag != _ITEM:
                self._breach("breach.no_item", "PS3.5 7.5", pos, sequence.path(), stops=True, tag=item.tag_text)
                raise _Stop
            number += 1
            item.kind, item.number = "item", number
            sequence.children.append(item)
            stop = end if item.length is None else item.value_offset + item.length
            if stop > end:
                self._breach("breach.item_beyond_end", "PS3.5 7.5", pos, item.path())
                stop = end
            pos = self._dataset(item.value_offset, stop, layout, item, depth + 2, charsets)
            if item.length is None:
                item.available = max(0, pos - 8 - item.value_offset)
        if sequence.length is None:
            self._breach("breach.no_sequence_end", "PS3.5 7.5.2", sequence.offset, sequence.path(), stops=True)
            raise _Stop
        if sequence.available < sequence.length:
            raise _Stop
        return pos

    def _fragments(self, element: TagElement, layout: Layout) -> int:
        pos, number = element.value_offset, 0
        while pos + 8 <= self._window.size:
            fragment = self._element(pos, layout, element, element.depth + 1, ())
            if fragment.tag == _SEQUENCE_END:
                return fragment.value_offset
            if fragment.tag != _ITEM or fragment.length is None:
                self._breach("breach.fragment", "PS3.5 A.4", pos, element.path(), stops=True)
                raise _Stop
            number += 1
            fragment.kind, fragment.number, fragment.vr = "fragment", number, element.vr
            if number <= MAX_FRAGMENTS:
                element.children.append(fragment)
            if fragment.available < fragment.length:
                raise _Stop
            pos = fragment.value_offset + fragment.length
        self._breach("breach.no_pixel_end", "PS3.5 A.4", pos, element.path())
        return self._window.size


def _same_family(found: str, expected: str) -> bool:
    """The dictionary leaves some VRs open (US or SS, OB or OW); texts of one kind are read alike."""
    return {found, expected} <= set(_BYTES_VRS) or {found, expected} <= {"US", "SS", "OW", "UL", "SL"}
