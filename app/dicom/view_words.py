"""What coded sequences of a header say in words: the anatomic region, and how a mammographic view was varied."""

from __future__ import annotations

from app.dicom import tags
from app.dicom.raw_items import RawDataset
from app.dicom.values import code, text

_MODIFIERS = {
    "399163009": "magnification",
    "R-102D6": "magnification",
    "399055006": "spot compression",
    "R-102D7": "spot compression",
    "399209000": "implant displaced",
    "R-102D5": "implant displaced",
}
"""CID 4015 (SCT, SRT) as the hanging rules call them; others by their meaning."""


def anatomic_region(d: RawDataset) -> str:
    """Meanings of the Anatomic Region Sequence (PS3.3 10.5) or, of an enhanced object, of its shared Frame Anatomy."""
    items = d.items(tags.ANATOMIC_REGION_SEQUENCE)
    shared = d.first(tags.SHARED_FUNCTIONAL_GROUPS) if not items else None
    frame = shared.first(tags.FRAME_ANATOMY_SEQUENCE) if shared is not None else None
    if frame is not None:
        items = frame.items(tags.ANATOMIC_REGION_SEQUENCE)
    return "; ".join(dict.fromkeys(w for item in items if (w := text(item, tags.CODE_MEANING))))[:200]


def view_modifiers(d: RawDataset) -> str:
    """Of the View Modifier Code Sequence of the view (PS3.3 C.8.11.7)."""
    view = d.first(tags.VIEW_CODE_SEQUENCE)
    items = view.items(tags.VIEW_MODIFIER_CODE_SEQUENCE) if view is not None else []
    said = [_MODIFIERS.get(code(i, tags.CODE_VALUE)) or text(i, tags.CODE_MEANING).casefold() for i in items]
    return "; ".join(dict.fromkeys(w for w in said if w))[:200]
