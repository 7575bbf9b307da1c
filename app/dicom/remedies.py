"""What can be done about a refusal, a repair or a breach: said honestly, for every code."""

from __future__ import annotations

from typing import Final

BY_ITSELF: Final = "remedy.by_itself"
NOT_NEEDED: Final = "remedy.not_needed"
_AGAIN: Final = "remedy.copy_again"
_ASK: Final = "remedy.ask_sender"
_PLAIN: Final = "remedy.send_plain"
_UNPACK: Final = "remedy.unpack"
_NO_IMAGE: Final = "remedy.no_dicom"
_READABLE: Final = "remedy.make_readable"
_COMPARE: Final = "remedy.compare"
_MEMORY: Final = "remedy.other_machine"
_VIDEO_PART: Final = "remedy.install_video"
_OTHER_FORM: Final = "remedy.another_form"

REMEDIES: Final[dict[str, str]] = {
    "dicom.not_dicom": _NO_IMAGE,
    "dicom.empty_file": _AGAIN,
    "dicom.empty_dataset": _ASK,
    "dicom.truncated": _AGAIN,
    "dicom.structure_broken": _AGAIN,
    "dicom.deflate_broken": _AGAIN,
    "dicom.deflate_bomb": _ASK,
    "dicom.pixels_missing": _AGAIN,
    "dicom.pixels_short": _AGAIN,
    "dicom.image_description_missing": _ASK,
    "dicom.image_absurd": _ASK,
    "dicom.transfer_syntax_unsupported": _PLAIN,
    "dicom.bits_unsupported": _PLAIN,
    "dicom.colour_unsupported": _PLAIN,
    "dicom.palette_broken": _ASK,
    "dicom.stream_empty": _AGAIN,
    "dicom.stream_cut": _AGAIN,
    "dicom.stream_broken": _AGAIN,
    "dicom.stream_hole": _AGAIN,
    "dicom.one_value": _AGAIN,
    "dicom.stream_other_size": _ASK,
    "dicom.stream_other_samples": _ASK,
    "dicom.jpeg2000_part_2": _OTHER_FORM,
    "dicom.video_missing": _VIDEO_PART,
    "dicom.video_short": _AGAIN,
    "dicom.decoder_died": _AGAIN,
    "dicom.no_fragments": _AGAIN,
    "dicom.frames_unclear": _AGAIN,
    "dicom.frames_differ": _ASK,
    "dicom.no_such_frame": _ASK,
    "dicom.too_large": _MEMORY,
    "dicom.zero_spacing": _ASK,
    "dicom.bad_orientation": _ASK,
    "zip.broken": _AGAIN,
    "zip.encrypted": _UNPACK,
    "zip.too_big": _UNPACK,
    "zip.bomb": _ASK,
    "zip.too_many": _UNPACK,
    "zip.member_broken": _AGAIN,
    "zip.nested_deep": _UNPACK,
    "zip.nested_large": _UNPACK,
    "dicom.no_pixels": NOT_NEEDED,
    "dicom.pr_unreadable": _ASK,
    "dicom.pr_too_large": _ASK,
    "dicom.file_gone": _READABLE,
    "dicom.folder_unreadable": _READABLE,
    "dicom.locator_unknown": _READABLE,
    "dicom.no_permission": _READABLE,
    "dicom.unreadable": _AGAIN,
    "dicom.not_a_file": _READABLE,
    "dicom.duplicate_uid": _COMPARE,
    "dicom.duplicate_same": NOT_NEEDED,
    "store.same_uid_other_bytes": _COMPARE,
    "store.other_patient": _ASK,
}


def remedy_of(code: str, refuses: bool) -> str:
    """The message id ``remedy.*``. ``refuses``: the file is not shown because of it; what is shown was mended by itself."""
    found = REMEDIES.get(code)
    if not refuses and found not in (NOT_NEEDED, _COMPARE) and code != "dicom.one_value":  # nothing was mended there
        return BY_ITSELF
    return found if found is not None else _ASK
