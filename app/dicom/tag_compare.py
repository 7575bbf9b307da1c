"""Two files side by side: the elements whose bytes differ, each with both values. For a person who has to choose."""

from __future__ import annotations

from dataclasses import dataclass

from app.dicom.tag_tree import TagElement, TagTree
from app.dicom.tag_values import shown

MOST = 400
_PIECE = 4 << 20


@dataclass(frozen=True)
class Difference:
    path: str
    keyword: str
    first: str
    """None of it: the element is missing there."""
    other: str
    in_first: bool = True
    in_other: bool = True
    bulk: bool = False
    """Pixels and the like: the values say nothing to a person."""


def differences(first: TagTree, other: TagTree, most: int = MOST) -> tuple[Difference, ...]:
    """In the order of the first file; what only the other has comes after. At most ``most``."""
    there = _leaves(other)
    found: list[Difference] = []
    for path, element in _leaves(first).items():
        beside = there.pop(path, None)
        if beside is not None and _same(first, element, other, beside):
            continue
        found.append(
            Difference(
                path,
                _keyword(element),
                _value(first, element),
                _value(other, beside) if beside is not None else "",
                in_other=beside is not None,
                bulk=_bulk(element),
            )
        )
        if len(found) >= most:
            return tuple(found)
    rest = [Difference(path, _keyword(e), "", _value(other, e), in_first=False, bulk=_bulk(e)) for path, e in there.items()]
    return (*found, *rest)[:most]


def _keyword(element: TagElement) -> str:
    """Of a fragment that of its element."""
    return element.parent.keyword if element.kind == "fragment" and element.parent is not None else element.keyword


def _leaves(tree: TagTree) -> dict[str, TagElement]:
    """By path; fragments stand under their element with their number."""
    found: dict[str, TagElement] = {}
    for element in tree.walk():
        if element.kind != "item" and not element.children and element.tag != 0x00020000:
            found.setdefault(element.path(), element)
    return found


def _bulk(element: TagElement) -> bool:
    return element.kind == "fragment" or element.tag >> 16 == 0x7FE0


def _same(first: TagTree, a: TagElement, other: TagTree, b: TagElement) -> bool:
    if a.available != b.available or a.vr != b.vr:
        return _padded(first, a, other, b)
    return all(first.raw(a, start, _PIECE) == other.raw(b, start, _PIECE) for start in range(0, max(a.available, 1), _PIECE))


def _padded(first: TagTree, a: TagElement, other: TagTree, b: TagElement) -> bool:
    """The same value with other padding, or under a VR that reads alike."""
    if _bulk(a) or max(a.available, b.available) > 1 << 16:
        return False
    return first.raw(a, 0, 1 << 16).rstrip(b"\0 ") == other.raw(b, 0, 1 << 16).rstrip(b"\0 ")


def _value(tree: TagTree, element: TagElement) -> str:
    return "" if _bulk(element) else shown(tree, element, 200).text
