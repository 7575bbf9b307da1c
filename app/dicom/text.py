"""Text of DICOM headers: Specific Character Set with code extensions (PS3.3 C.12.1.1.2, PS3.5 6.1), person names.

A wrong or missing character set is repaired by a rule that can be seen: :class:`Decoded.repaired` names the codec used.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from app.domain.study import PersonName

_CODECS = {
    "": "ascii",
    "ISO_IR 6": "ascii",
    "ISO 2022 IR 6": "ascii",
    "ISO_IR 13": "shift_jis",
    "ISO_IR 100": "latin_1",
    "ISO_IR 101": "iso8859_2",
    "ISO_IR 109": "iso8859_3",
    "ISO_IR 110": "iso8859_4",
    "ISO_IR 126": "iso8859_7",
    "ISO_IR 127": "iso8859_6",
    "ISO_IR 138": "iso8859_8",
    "ISO_IR 144": "iso8859_5",
    "ISO_IR 148": "iso8859_9",
    "ISO_IR 166": "iso8859_11",
    "ISO_IR 192": "utf_8",
    "ISO_IR 203": "iso8859_15",
    "GB18030": "gb18030",
    "GBK": "gbk",
}
_LOOSE = re.compile(r"^ISO[ _-]?(2022)?[ _-]?IR[ _-]?(\d+)$", re.IGNORECASE)
_CYRILLIC = re.compile(r"^[\x00-\x7fЁёІіҒғҚқҢңҮүҰұҺһӘәӨөА-я№«»–—]*$")
_MIXED = re.compile(r"[A-Za-z][Ѐ-ӿ]|[Ѐ-ӿ][A-Za-z]")
"""Latin and Cyrillic letters side by side in one word: it was another code (Müller is no Mьller)."""
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_ESCAPES = re.compile(r"\x1b[\x20-\x2f]+[\x30-\x7e]")
"""ISO 2022 designations that the decoder left in (G1 sets such as IR 58)."""


class Decoded(NamedTuple):
    text: str
    repaired: str = ""
    """Codec that was assumed because the declared character set does not fit; empty when all is well."""


def _normal(term: str) -> str:
    found = _LOOSE.match(term.strip())
    if not found:
        return term.strip()
    return f"ISO 2022 IR {found.group(2)}" if found.group(1) else f"ISO_IR {found.group(2)}"


def _guessed(raw: bytes) -> Decoded:
    """UTF-8 where it is valid, Cyrillic Windows text where all letters are Cyrillic, Latin-1 otherwise."""
    try:
        return Decoded(raw.decode("utf_8"), "utf-8")
    except UnicodeDecodeError:
        pass  # not UTF-8: the next guess decides
    for codec in ("cp1251", "iso8859_5"):
        try:
            text = raw.decode(codec)
        except UnicodeDecodeError:
            continue
        if _CYRILLIC.match(text) and not _MIXED.search(text):
            return Decoded(text, codec)
    return Decoded(raw.decode("latin_1"), "latin-1")


@lru_cache(maxsize=4096)
def decode(raw: bytes, charsets: tuple[str, ...] = (), name: bool = False) -> Decoded:
    """Text of one value (padding kept off). ``name`` resets code extensions at ``^`` and ``=`` (PS3.5 6.1.2.5.3)."""
    raw = raw.rstrip(b"\0 ")
    terms = tuple(_normal(t) for t in charsets) or ("",)
    if b"\x1b" in raw or len(terms) > 1:
        if terms[0] == "" and len(terms) > 1 and raw.isascii() and b"\x1b" not in raw:
            return Decoded(_clean(raw.decode("ascii")))
        return _extended(raw, terms, name)
    if raw.isascii() and not (terms[0] == "ISO_IR 13" and (b"\\" in raw or b"~" in raw)):
        return Decoded(_clean(raw.decode("ascii")))
    term = terms[0].replace("ISO 2022 IR", "ISO_IR")
    codec = _CODECS.get(term)
    if codec is None or codec == "ascii":
        guess = _guessed(raw)
        return Decoded(_clean(guess.text), guess.repaired)
    try:
        return Decoded(_clean(raw.decode(codec)))
    except UnicodeDecodeError:
        guess = _guessed(raw)
        return Decoded(_clean(guess.text), guess.repaired)


def _extended(raw: bytes, terms: tuple[str, ...], name: bool) -> Decoded:
    """ISO 2022 escapes, by pydicom's tables."""
    import warnings

    from pydicom import charset
    from pydicom.charset import convert_encodings, decode_bytes

    # ISO-IR 203 came into PS3.3 C.12.1.1.2 later than into the library's tables.
    charset.python_encoding.setdefault("ISO_IR 203", "iso8859_15")
    charset.python_encoding.setdefault("ISO 2022 IR 203", "iso8859_15")
    charset.CODES_TO_ENCODINGS.setdefault(b"\x1b-b", "iso8859_15")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            encodings = convert_encodings(["iso8859" if t in ("", "ISO_IR 6") else t for t in _escapable(terms)])
            delimiters = {"^", "="} if name else {"\r", "\n", "\t", "\f"}
            text = decode_bytes(raw, encodings, delimiters)
        except (LookupError, UnicodeError, ValueError):
            guess = _guessed(raw)
            return Decoded(_clean(guess.text), guess.repaired)
    text = _ESCAPES.sub("", text)
    return Decoded(_clean(text), "code extension" if caught and "�" in text else "")


def _escapable(terms: tuple[str, ...]) -> list[str]:
    if len(terms) == 1:
        return [t.replace("ISO_IR", "ISO 2022 IR") if t not in ("ISO_IR 192", "") else t for t in terms]
    return [t.replace("ISO_IR", "ISO 2022 IR") if t not in ("ISO_IR 192",) else t for t in terms]


def _clean(text: str) -> str:
    """Control characters and terminal escapes of hostile files never reach a screen or a log."""
    if text.isprintable():
        return text.strip()
    return _CONTROLS.sub("", text).strip()


@lru_cache(maxsize=2048)
def person_name(raw: bytes, charsets: tuple[str, ...] = ()) -> tuple[PersonName, str]:
    """PN with its three groups, and the codec that had to be assumed."""
    decoded = decode(raw, charsets, name=True)
    first = decoded.text.split("\\")[0] if "ISO_IR 13" not in charsets else decoded.text
    groups = [_trimmed(g) for g in first.split("=")][:3]
    groups += [""] * (3 - len(groups))
    return PersonName(*groups), decoded.repaired


def _trimmed(group: str) -> str:
    return "^".join(part.strip() for part in group.split("^")).rstrip("^")
