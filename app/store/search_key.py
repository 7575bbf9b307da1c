"""Folds names so that "Әлия", "Алия", "Aliya" and "Äliia" find each other. Pure; for finding, never for identifying."""

from __future__ import annotations

import re
import unicodedata

_LETTERS = {
    # Cyrillic, Russian and Kazakh; й, ы and и fall together because romanisations mix them
    "а": "a", "ә": "a", "б": "b", "в": "v", "г": "g", "ғ": "g", "д": "d", "е": "e", "ё": "io", "ж": "zh", "з": "z",
    "и": "i", "й": "i", "к": "k", "қ": "k", "л": "l", "м": "m", "н": "n", "ң": "n", "о": "o", "ө": "o", "п": "p",
    "р": "r", "с": "s", "т": "t", "у": "u", "ұ": "u", "ү": "u", "ф": "f", "х": "h", "һ": "h", "ц": "ts", "ч": "ch",
    "ш": "sh", "щ": "sh", "ъ": "", "ы": "i", "і": "i", "ь": "", "э": "e", "ю": "iu", "я": "ia", "ї": "i", "є": "e", "ґ": "g",
    # Latin letters of the Kazakh and Turkic alphabets that lose their meaning without their mark
    "ş": "sh", "š": "sh", "ç": "ch", "č": "ch", "ž": "zh", "ı": "i", "ŋ": "n", "ñ": "n", "ß": "ss",
    "ø": "o", "æ": "ae", "ł": "l",
}  # fmt: skip

_FOLDS: tuple[tuple[str, str], ...] = (
    ("shch", "sh"), ("sch", "sh"), ("tch", "ch"), ("kh", "h"), ("gh", "g"), ("ng", "n"), ("ph", "f"),
    ("dzh", "j"), ("dj", "j"), ("zh", "j"), ("tz", "ts"), ("ck", "k"), ("q", "k"), ("w", "v"), ("x", "ks"),
    ("y", "i"), ("ie", "e"), ("io", "e"),
)  # fmt: skip

_APOSTROPHES = re.compile("['’ʼʻ`´‘]")
_REPEATED = re.compile(r"(.)\1+")
_SEPARATORS = re.compile(r"[\W_]+")


_HALF_WIDTH = re.compile("[\uff66-\uff9f]+")
_KATAKANA = re.compile("[\u30a1-\u30f6]+")


def _hiragana(found: re.Match[str]) -> str:
    """Phonetic groups come in either script; both find each other."""
    return "".join(chr(ord(letter) - 0x60) for letter in found.group())


def fold(text: str) -> str:
    """Folded words, one space between them; digits stay as they are, other scripts keep their letters."""
    plain = unicodedata.normalize("NFC", _HALF_WIDTH.sub(lambda m: unicodedata.normalize("NFKC", m.group()), text))
    words = _SEPARATORS.split(_APOSTROPHES.sub("", _KATAKANA.sub(_hiragana, plain).casefold()))
    return " ".join(word for word in map(_fold_word, words) if word)


def search_key(*texts: str) -> str:
    """What is stored beside a study: every word begins after a space."""
    return " " + fold(" ".join(texts))


def query_words(text: str) -> tuple[str, ...]:
    """Each must be found in the key as the beginning of a word."""
    return tuple(fold(text).split())


def _fold_word(word: str) -> str:
    if word.isdigit():
        return word
    latin = "".join(_LETTERS.get(c, c) for c in word)
    latin = "".join(c for c in unicodedata.normalize("NFKD", latin) if not unicodedata.combining(c))
    for found, put in _FOLDS:
        latin = latin.replace(found, put)
    latin = re.sub("c(?!h)", "k", latin)
    # Only letters: 77 must not become 7.
    return _REPEATED.sub(lambda m: m.group(0) if m.group(1).isdigit() else m.group(1), latin)
