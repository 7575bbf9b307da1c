"""Words in descriptions: whole words, beginnings of words and phrases in any script, never a piece out of the middle.

A pattern is one word or several. ``chest`` is that word; ``lung*`` is a word that begins so, ``*spine`` one that ends so;
``[*]`` is a star itself (T2*). Between the words of a phrase may stand anything that is no letter or digit, or nothing.
Letters end where digits begin (``t2`` is in ``t2tse``) and where capitals begin after small ones (``AxFLAIR``). Case and
the dots of the Russian yo make no difference. A pattern that begins with ``!`` says what does not count: those words are
taken out before the others are looked for ("!femoral head" beside "head"). ``$chest`` stands for a list of
``resources/hanging_words.toml``.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache

from app.domain.resources import resource_path

_LETTER = r"[^\W\d_]"
_BETWEEN = r"(?:[^\w\n\0]|_)*"
_YO = str.maketrans({"\u0451": "\u0435"})


@lru_cache(maxsize=1)
def word_lists() -> Mapping[str, tuple[str, ...]]:
    """The lists that patterns may name with ``$``."""
    data = tomllib.loads(resource_path("hanging_words.toml").read_text(encoding="utf-8"))
    return {name: tuple(entry) for name, entry in data["words"].items()}


def expanded(patterns: Iterable[str]) -> tuple[str, ...]:
    """With every ``$list`` replaced by what it holds. Raises ``ValueError`` for a list that is not there."""
    out: list[str] = []
    for pattern in patterns:
        if not pattern.startswith("$"):
            out.append(pattern)
            continue
        if pattern[1:] not in word_lists():
            raise ValueError(f"no list of words is called {pattern!r}")
        out += word_lists()[pattern[1:]]
    return tuple(out)


def _folded(text: str) -> str:
    """One character stays one character."""
    return "".join(f if len(f := c.casefold()) == 1 else c for c in unicodedata.normalize("NFC", text)).translate(_YO)


@lru_cache(maxsize=4096)
def _prepared(text: str) -> str:
    """The text, and on a second line with a space where capitals follow small letters."""
    apart = "".join(f" {c}" if n and c.isupper() and text[n - 1].islower() else c for n, c in enumerate(text))
    plain = _folded(text)
    return plain if apart == text else f"{plain}\n{_folded(apart)}"


def _edge(character: str, ahead: bool) -> str:
    """Where a word that has ``character`` at its end may begin or stop."""
    kind = _LETTER if character.isalpha() else r"\d" if character.isdigit() else ""
    return f"(?{'' if ahead else '<'}!{kind})" if kind else ""


def _regex(pattern: str) -> str:
    parts = []
    for word in pattern.split():
        starts, ends = word.startswith("*"), word.endswith("*") and not word.endswith("[*]")
        bare = _folded(word[starts : len(word) - ends].replace("[*]", "*"))
        if not bare:
            raise ValueError(f"{pattern!r} is no pattern of words")
        parts.append(("" if starts else _edge(bare[0], False), re.escape(bare), ends, _edge(bare[-1], True)))
    out = parts[0][0]
    for n, (_, body, open_end, edge) in enumerate(parts):
        last = n == len(parts) - 1
        out += body + (rf"{_LETTER}*" if open_end and not last else "") + ("" if open_end else edge if last else "")
        out += "" if last else _BETWEEN
    return out


@lru_cache(maxsize=512)
def _compiled(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
    """(what is looked for, what does not count)."""
    every = expanded(patterns)
    wanted = [p for p in every if not p.startswith("!")]
    if not wanted:
        raise ValueError("nothing is looked for")
    not_meant = "|".join(_regex(p[1:]) for p in every if p.startswith("!"))
    return re.compile("|".join(map(_regex, wanted))), re.compile(not_meant) if not_meant else None


def checked(patterns: Iterable[str]) -> tuple[str, ...]:
    """The patterns themselves. Raises ``ValueError`` when one is none."""
    kept = tuple(patterns)
    _compiled(kept)
    return kept


def says(patterns: tuple[str, ...], text: str) -> bool:
    """True when the text has one of the patterns."""
    return place(patterns, text) is not None


@lru_cache(maxsize=16384)
def place(patterns: tuple[str, ...], text: str) -> int | None:
    """Where in the text the first of the patterns begins; None when it has none."""
    wanted, not_meant = _compiled(patterns)
    prepared = _prepared(text)
    if not_meant is not None:
        prepared = not_meant.sub(lambda m: "\0" * len(m.group()), prepared)
    found = [m.start() for line in prepared.split("\n") if (m := wanted.search(line)) is not None]
    return min(found, default=None)
