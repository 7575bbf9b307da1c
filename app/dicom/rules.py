"""Which rule of the standard stands behind a refusal or a repair: tag, clause, and the message that says it plainly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.dicom import tags


@dataclass(frozen=True)
class Rule:
    message: str
    """Message id ``rule.*``: what the standard asks."""
    clause: str
    """Part and section, e.g. ``PS3.5 7.1.1``."""
    tag: int = 0
    """The attribute it is about, 0 when it is about the whole file."""


_FILE = Rule("rule.part10", "PS3.10 7.1")
_LENGTHS = Rule("rule.lengths", "PS3.5 7.1.1")
_ITEMS = Rule("rule.items", "PS3.5 7.5")
_PIXELS = Rule("rule.pixels", "PS3.3 C.7.6.3", tags.PIXEL_DATA)
_FRAGMENTS = Rule("rule.fragments", "PS3.5 A.4", tags.PIXEL_DATA)
_STREAM = Rule("rule.stream", "PS3.5 8.2", tags.PIXEL_DATA)
_DEFLATE = Rule("rule.deflate", "PS3.5 A.5", tags.TRANSFER_SYNTAX_UID)
_ZIP = Rule("rule.zip", "PS3.11 / PS3.10 8")
_DISK = Rule("rule.readable", "–")

RULES: Final[dict[str, Rule]] = {
    "dicom.not_dicom": _FILE,
    "dicom.empty_file": _FILE,
    "dicom.empty_dataset": Rule("rule.identity", "PS3.3 C.12.1", tags.SOP_CLASS_UID),
    "dicom.truncated": _LENGTHS,
    "dicom.structure_broken": _ITEMS,
    "dicom.deflate_broken": _DEFLATE,
    "dicom.deflate_bomb": _DEFLATE,
    "dicom.pixels_missing": _PIXELS,
    "dicom.pixels_short": _PIXELS,
    "dicom.one_value": _PIXELS,
    "dicom.image_description_missing": Rule("rule.image_description", "PS3.3 C.7.6.3.1", tags.ROWS),
    "dicom.image_absurd": Rule("rule.image_description", "PS3.3 C.7.6.3.1", tags.ROWS),
    "dicom.transfer_syntax_unsupported": Rule("rule.transfer_syntax", "PS3.5 10", tags.TRANSFER_SYNTAX_UID),
    "dicom.bits_unsupported": Rule("rule.bits", "PS3.5 8.1.1", tags.BITS_ALLOCATED),
    "dicom.colour_unsupported": Rule("rule.photometric", "PS3.3 C.7.6.3.1.2", tags.PHOTOMETRIC_INTERPRETATION),
    "dicom.palette_broken": Rule("rule.palette", "PS3.3 C.7.6.3.1.5", tags.PALETTE_RED_DESCRIPTOR),
    "dicom.stream_empty": _STREAM,
    "dicom.stream_cut": _STREAM,
    "dicom.stream_hole": _STREAM,
    "dicom.stream_broken": _STREAM,
    "dicom.stream_other_size": _STREAM,
    "dicom.stream_other_samples": _STREAM,
    "dicom.decoder_died": _STREAM,
    "dicom.no_fragments": _FRAGMENTS,
    "dicom.frames_unclear": _FRAGMENTS,
    "dicom.frames_differ": _FRAGMENTS,
    "dicom.no_such_frame": Rule("rule.frames", "PS3.3 C.7.6.6", tags.NUMBER_OF_FRAMES),
    "dicom.too_large": Rule("rule.image_description", "PS3.3 C.7.6.3.1", tags.ROWS),
    "dicom.zero_spacing": Rule("rule.spacing", "PS3.3 10.7.1.3", tags.PIXEL_SPACING),
    "dicom.bad_orientation": Rule("rule.orientation", "PS3.3 C.7.6.2.1.1", tags.IMAGE_ORIENTATION_PATIENT),
    "dicom.repaired.no_preamble": _FILE,
    "dicom.repaired.transfer_syntax": Rule("rule.transfer_syntax", "PS3.10 7.1", tags.TRANSFER_SYNTAX_UID),
    "dicom.repaired.structure": _ITEMS,
    "dicom.repaired.uids": Rule("rule.identity", "PS3.3 C.12.1", tags.SOP_INSTANCE_UID),
    "dicom.repaired.charset": Rule("rule.charset", "PS3.3 C.12.1.1.2", tags.SPECIFIC_CHARACTER_SET),
    "dicom.repaired.frame_count": Rule("rule.frames", "PS3.3 C.7.6.6", tags.NUMBER_OF_FRAMES),
    "dicom.repaired.frame_groups": Rule("rule.frame_groups", "PS3.3 C.7.6.16", tags.PER_FRAME_FUNCTIONAL_GROUPS),
    "dicom.repaired.bits_stored": Rule("rule.bits", "PS3.5 8.1.1", tags.BITS_STORED),
    "dicom.repaired.high_bit": Rule("rule.bits", "PS3.5 8.1.1", tags.HIGH_BIT),
    "dicom.repaired.photometric": Rule("rule.photometric", "PS3.3 C.7.6.3.1.2", tags.PHOTOMETRIC_INTERPRETATION),
    "dicom.repaired.slope": Rule("rule.rescale", "PS3.3 C.11.1.1.2", tags.RESCALE_SLOPE),
    "dicom.repaired.lut": Rule("rule.lut", "PS3.3 C.11.1.1", tags.MODALITY_LUT_SEQUENCE),
    "dicom.repaired.orientation": Rule("rule.orientation", "PS3.3 C.7.6.2.1.1", tags.IMAGE_ORIENTATION_PATIENT),
    "dicom.repaired.offset_table": _FRAGMENTS,
    "dicom.repaired.sequence_end": _FRAGMENTS,
    "dicom.repaired.trailing_bytes": _STREAM,
    "zip.broken": _ZIP,
    "zip.encrypted": _ZIP,
    "zip.too_big": _ZIP,
    "zip.bomb": _ZIP,
    "zip.too_many": _ZIP,
    "zip.member_broken": _ZIP,
    "zip.nested_deep": _ZIP,
    "zip.nested_large": _ZIP,
    "dicom.file_gone": _DISK,
    "dicom.no_permission": _DISK,
    "dicom.unreadable": _DISK,
    "dicom.not_a_file": _DISK,
    "dicom.duplicate_uid": Rule("rule.unique", "PS3.5 9", tags.SOP_INSTANCE_UID),
    "dicom.duplicate_same": Rule("rule.unique", "PS3.5 9", tags.SOP_INSTANCE_UID),
}
GENERAL: Final = Rule("rule.general", "PS3.10")


def rule_of(code: str) -> Rule:
    """The rule behind a problem's code; a general one for codes that have none of their own."""
    return RULES.get(code, GENERAL)
