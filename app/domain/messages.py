"""Message ids to sentences in the reader's language.

Catalogues are TOML files in ``resources/i18n/messages``: one line a message with all languages side by side,
``"dicom.truncated" = {en = "...", ru = "...", kk = "..."}``. Placeholders are ``{name}``. A message that counts takes the
parameter ``n`` and gives plural forms by CLDR category:
``"images" = {en = {one = "{n} image", other = "{n} images"}, ru = {...few, many...}, kk = {other = "..."}}``.
A further language is one file ``resources/i18n/languages/<code>.toml`` with ``"id" = "..."`` lines.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from app.domain.problem import Problem
from app.domain.resources import resource_path

LANGUAGES = ("kk", "ru", "en")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")

Entry = str | Mapping[str, str]


def plural_category(language: str, n: int | float) -> str:
    """CLDR cardinal category for whole numbers; languages that we do not know use English's rule."""
    if n != int(n):
        return "other"
    n = abs(int(n))
    if language == "kk":
        return "one" if n == 1 else "other"
    if language == "ru":
        if n % 10 == 1 and n % 100 != 11:
            return "one"
        if n % 10 in (2, 3, 4) and n % 100 not in (12, 13, 14):
            return "few"
        return "many"
    return "one" if n == 1 else "other"


def load_catalogues(folder: Path, strict: bool = True) -> dict[str, dict[str, Entry]]:
    """Language to message id to entry, of every ``*.toml`` in ``folder``.

    Raises ``ValueError`` for an id that stands twice; not ``strict`` (at run time) the first one holds.
    """
    catalogues: dict[str, dict[str, Entry]] = {}
    for file in sorted(folder.glob("*.toml")):
        for message_id, by_language in tomllib.loads(file.read_text(encoding="utf-8")).items():
            for language, entry in by_language.items():
                catalogue = catalogues.setdefault(language, {})
                if message_id in catalogue:
                    if not strict:
                        continue
                    raise ValueError(f'message "{message_id}" stands twice, again in {file.name}')
                catalogue[message_id] = entry
    return catalogues


@cache
def _catalogues() -> dict[str, dict[str, Entry]]:
    catalogues = load_catalogues(resource_path("i18n", "messages"), strict=False)
    for file in sorted(resource_path("i18n").glob("languages/*.toml")):
        catalogues.setdefault(file.stem, {}).update(tomllib.loads(file.read_text(encoding="utf-8")))
    return catalogues


def available_languages() -> tuple[str, ...]:
    known = set(_catalogues())
    return tuple(c for c in LANGUAGES if c in known) + tuple(sorted(known - set(LANGUAGES)))


def translate(language: str, message_id: str, params: Mapping[str, object] | None = None) -> str:
    """The sentence; falls back to English, then to the id itself so that nothing disappears in silence."""
    params = params or {}
    catalogues = _catalogues()
    entry = catalogues.get(language, {}).get(message_id)
    if entry is None:
        language = "en"
        entry = catalogues.get("en", {}).get(message_id)
    if entry is None:
        return message_id if not params else f"{message_id} {dict(params)}"
    if not isinstance(entry, str):
        n = params.get("n", 0)
        category = plural_category(language, n if isinstance(n, (int, float)) else 0)
        entry = entry.get(category) or entry.get("other") or entry.get("many") or next(iter(entry.values()))
    return _PLACEHOLDER.sub(lambda m: str(params.get(m.group(1), m.group(0))), entry)


def sentence(language: str, problem: Problem) -> str:
    """What happened, what is safe, what to do: the three parts of a problem that are there, in one text."""
    parts = [translate(language, problem.code, problem.params)]
    parts += [translate(language, part, problem.params) for part in (problem.kept_safe, problem.next_step) if part]
    return " ".join(parts)


@cache
def templates(language: str) -> Mapping[str, str]:
    """Every message of a language as one plain template (the plural form "other" or "many"), English where it lacks one."""
    merged: dict[str, str] = {}
    for code in ("en", language):
        for message_id, entry in _catalogues().get(code, {}).items():
            merged[message_id] = (
                entry if isinstance(entry, str) else next(entry[k] for k in ("other", "many", "one") if k in entry)
            )
    return merged
