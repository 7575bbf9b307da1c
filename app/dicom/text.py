"""Text of DICOM headers: Specific Character Set with code extensions (PS3.3 C.12.1.1.2, PS3.5 6.1), person names.

A wrong or missing character set is repaired by a rule that can be seen: :class:`Decoded.repaired` names the codec used.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from unicodedata import category

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
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
_UPPER_INSIDE = re.compile(r"[а-яёіғқңүұһәө][А-ЯЁІҒҚҢҮҰҺӘӨ]")
"""Capitals after small letters: the right code gives them seldom, a wrong one in nearly every word."""
_NUMBER_SIGN_INSIDE = re.compile(r"[^\W\d_]№|№[^\W\d_]")
_WORD = re.compile(r"[Ѐ-ӿ]{2}")
_GUESSES = ("cp1251", "kz1048", "iso8859_5", "cp866", "koi8_r")
_SINGLE_BYTE = frozenset(c for c in _CODECS.values() if c.startswith(("iso8859", "latin")))
_HIGH_WORD = re.compile(r"(?<![A-Za-z\u0400-\u04ff])[\u0400-\u04ff]{3,}(?![A-Za-z\u0400-\u04ff])")
_VOWEL, _CONSONANT = (
    re.compile(r"[аеёиоуыэюяіәөүұ]", re.IGNORECASE),
    re.compile(r"[бвгджзйклмнпрстфхцчшщғқңһ]", re.IGNORECASE),
)
_NORDIC = re.compile(r"[жшедць]+", re.IGNORECASE)
"""What Æ Ø Å Ä Ö Ü would be: they stand alone in test names, and no Russian or Kazakh name has these letters only."""
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


def _utf_8(raw: bytes) -> str:
    """Empty where it is not valid, or gives letters of phonetics, which no header has."""
    try:
        text = raw.decode("utf_8")
    except UnicodeDecodeError:
        return ""
    return "" if any("ɐ" <= c <= "\u02ff" for c in text) else text


def _cyrillic(raw: bytes, codecs: tuple[str, ...]) -> Decoded | None:
    """The first of ``codecs`` in which all letters are Russian or Kazakh, of sound case before those of odd case."""
    odd: Decoded | None = None
    for codec in codecs:
        try:
            text = raw.decode(codec)
        except UnicodeDecodeError:
            continue
        if not _CYRILLIC.match(text) or _MIXED.search(text) or _NUMBER_SIGN_INSIDE.search(text):
            continue
        if not _WORD.search(text) and re.search("[A-Za-z]", text):
            continue  # "fracture à droite"
        if not _UPPER_INSIDE.search(text):
            return Decoded(text, codec)
        odd = odd or Decoded(text, codec)
    return odd


def _guessed(raw: bytes) -> Decoded:
    """UTF-8 where it is valid, 8-bit Cyrillic where all letters are Cyrillic, Windows or ISO Latin-1 otherwise."""
    try:
        return Decoded(raw.decode("utf_8"), "utf-8")
    except UnicodeDecodeError:
        pass  # not UTF-8: the next guess decides
    found = _cyrillic(raw, _GUESSES)
    if found is not None:
        return found
    text = raw.decode("latin_1")
    if _has_c1(text):
        try:
            return Decoded(raw.decode("cp1252"), "cp1252")
        except UnicodeDecodeError:
            pass  # five codes of it are empty: Latin-1 then, without its controls
    return Decoded(text, "latin-1")


def _has_c1(text: str) -> bool:
    return any("\x80" <= c <= "\x9f" for c in text)


def _odd(text: str) -> bool:
    """No name of any language: controls, capitals after small letters, signs that touch letters, two alphabets in a word."""
    if _has_c1(text) or _MIXED.search(text):
        return True

    def sign(c: str) -> bool:
        return "\xa0" <= c <= "\xbf" or (not c.isascii() and category(c)[0] == "S")

    def letter(c: str) -> bool:
        return c.isalpha() and not sign(c)

    def parted(a: str, b: str) -> bool:
        if sign(a) or sign(b):
            return letter(a) or letter(b)
        return (a.islower() and b.isupper()) or (a.isascii() and a.isalpha() and b >= "Ͱ" and b.isalpha())

    capitals = any(a.isupper() and b.isupper() and c.islower() for a, b, c in zip(text, text[1:], text[2:], strict=False))
    return capitals or any(parted(a, b) for a, b in pairwise(text))


def _declared(raw: bytes, codec: str) -> Decoded:
    """A declared single-byte set fits any bytes, so that only what it gives tells whether it was the right one.

    Raises ``UnicodeDecodeError`` where the set has no such code.
    """
    utf_8 = _utf_8(raw)
    try:
        text = raw.decode(codec)
    except UnicodeDecodeError:
        if utf_8:
            return Decoded(utf_8, "utf-8")
        raise
    if utf_8 and (_odd(text) or any(c >= "\u0800" for c in utf_8)):
        return Decoded(utf_8, "utf-8")
    if _has_c1(text):
        return _guessed(raw)
    if codec in ("latin_1", "iso8859_15"):
        found = _cyrillic(raw, ("cp1251", "kz1048"))
        if found is not None and any(_is_cyrillic_word(word) for word in _HIGH_WORD.findall(found.text)):
            return found
    elif codec == "iso8859_5" and re.search(r"[^\W\d_]№[^\W\d_]", text):
        found = _cyrillic(raw, ("cp1251", "kz1048"))  # the letter р of Windows is the sign № here
        if found is not None:
            return found
    return Decoded(text)


def _is_cyrillic_word(word: str) -> bool:
    """Words of accented letters alone are few in Latin script, and in Cyrillic they are hardly words (Turkish üçü, ьзь)."""
    sounds = _VOWEL.search(word) and _CONSONANT.search(word)
    return bool(sounds) and word[0] not in "ьъЬЪ" and not _NORDIC.fullmatch(word)


@lru_cache(maxsize=4096)
def decode(raw: bytes, charsets: tuple[str, ...] = (), name: bool = False) -> Decoded:
    """Text of one value (padding kept off). ``name`` resets code extensions at ``^`` and ``=`` (PS3.5 6.1.2.5.3)."""
    raw = raw.rstrip(b"\0 ")
    terms = tuple(_normal(t) for t in charsets) or ("",)
    codec = _CODECS.get(terms[0].replace("ISO 2022 IR", "ISO_IR"))
    if b"\x1b" in raw or (len(terms) > 1 and codec not in _SINGLE_BYTE):
        if terms[0] == "" and len(terms) > 1 and raw.isascii() and b"\x1b" not in raw:
            return Decoded(_clean(raw.decode("ascii")))
        return _extended(raw, terms, name)
    if raw.isascii() and not (terms[0] == "ISO_IR 13" and (b"\\" in raw or b"~" in raw)):
        return Decoded(_clean(raw.decode("ascii")))
    if codec is None or codec == "ascii":
        guess = _guessed(raw)
        return Decoded(_clean(guess.text), guess.repaired)
    try:
        found = _declared(raw, codec) if codec in _SINGLE_BYTE else Decoded(raw.decode(codec))
        return Decoded(_clean(found.text), found.repaired)
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
