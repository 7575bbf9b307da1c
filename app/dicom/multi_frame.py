"""Multi-frame objects of one series beside each other: which of them are one, and which must not be mixed.

A multi-frame object is a stack (or a run) by itself. Two of them in a series are two examinations of a place, two breasts or
two views: their frames are never shuffled into one stack. Pieces of a concatenation are one object (PS3.3 C.7.6.16.2.2.4).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from app.dicom.near import PLACE_TOLERANCE_MM
from app.dicom.split_rules import Frame, Key
from app.domain.study import DisplaySetKind, Instance


def object_key(instance: Instance) -> str:
    """The same for all pieces of a concatenation, else the object's own UID."""
    return instance.concatenation_uid or instance.sop_instance_uid


def whole_kinds(instances: Iterable[Instance], kind: Callable[[Instance], DisplaySetKind]) -> dict[str, DisplaySetKind]:
    """The kind of each object; of a concatenation that of its longest piece: the last one may hold one frame."""
    longest: dict[str, Instance] = {}
    for instance in instances:
        key = object_key(instance)
        if key not in longest or len(instance.frames) > len(longest[key].frames):
            longest[key] = instance
    return {key: kind(instance) for key, instance in longest.items()}


def parted_by_object(frames: Sequence[Frame]) -> dict[Key, list[Frame]] | None:
    """Frames by object where objects overlap along their normal and one of them at least is multi-frame, else None.

    Single images of the series stay together. Objects that lie one behind the other are pieces of one stack.
    """
    objects: dict[Key, list[Frame]] = defaultdict(list)
    for frame in frames:
        several = len(frame.instance.frames) > 1 or bool(frame.instance.concatenation_uid)
        objects[(object_key(frame.instance),) if several else ()].append(frame)
    if len(objects) < 2 or not _overlap(objects.values()):
        return None
    return dict(objects)


def _overlap(groups: Iterable[Sequence[Frame]]) -> bool:
    placed = [[p for f in group if (p := f.header.plane) is not None] for group in groups]
    normal = next((planes[0].normal for planes in placed if planes), None)
    if normal is None:
        return False
    along = [[sum(a * b for a, b in zip(normal, p.origin_mm, strict=True)) for p in planes] for planes in placed if planes]
    spans = sorted((min(found), max(found)) for found in along)
    return any(after[0] < before[1] + PLACE_TOLERANCE_MM for before, after in pairwise(spans))
