"""Keywords, names and VRs of tags, public (PS3.6) and private, from pydicom's dictionaries."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=8192)
def keyword_of(tag: int, creator: str = "") -> str:
    """``PatientName``; the dictionary's name of a private element; empty when it is unknown."""
    from pydicom.datadict import keyword_for_tag, private_dictionary_description

    if tag & 0xFFFF == 0:
        return "GroupLength"
    if tag >> 16 & 1:
        if 0x10 <= (tag & 0xFFFF) <= 0xFF:
            return "PrivateCreator"
        try:
            return str(private_dictionary_description(tag, creator)) if creator else ""
        except KeyError:
            return ""
    return str(keyword_for_tag(tag))


@lru_cache(maxsize=8192)
def vr_of(tag: int, creator: str = "") -> str:
    """The VR, the first one where the dictionary offers several; empty when the tag is unknown."""
    from pydicom.datadict import dictionary_VR, private_dictionary_VR

    if tag & 0xFFFF == 0:
        return "UL"
    try:
        vr = str(private_dictionary_VR(tag, creator) if tag >> 16 & 1 else dictionary_VR(tag))
    except KeyError:
        return ""
    return vr.split(" ")[0] if vr != "OB or OW" else "OW"


@lru_cache(maxsize=1024)
def uid_name(uid: str) -> str:
    """The name that PS3.6 gives a UID, or empty."""
    from pydicom.uid import UID_dictionary

    found = UID_dictionary.get(uid)
    return str(found[0]) if found else ""
