"""Words of the screen in the language of the person, switched while the programme runs."""

from __future__ import annotations

import dataclasses
import re

from app.domain.messages import sentence, translate
from app.domain.problem import Problem
from app.session.views import Words

_language = "en"
_MESSAGE_ID = re.compile(r"[a-z][a-z_]*(\.[a-z][a-z0-9_]*)+")
_DECIMAL = re.compile(r"[-+\u2212]?\d+\.\d+")

NATIVE_NAMES = {"kk": "Қазақша", "ru": "Русский", "en": "English"}
"""Each language in its own words; never translated."""


def language() -> str:
    return _language


def set_language(code: str) -> None:
    """Only remembers it; the window then sends ``LanguageChange`` to every widget."""
    global _language
    _language = code


def tr(words: Words | str, **params: object) -> str:
    """The sentence for an id or for ``Words``. A parameter that is itself ``Words`` is translated first."""
    if isinstance(words, Words):
        if not words.id:
            return ""
        return translate(_language, words.id, {k: _inner(v) for k, v in {**words.params, **params}.items()})
    return translate(_language, words, {k: _inner(v) for k, v in params.items()}) if words else ""


def _inner(value: object) -> object:
    """A parameter may itself be words, a message id, several ids with spaces between them, or a number with decimals."""
    if isinstance(value, Words):
        return tr(value)
    if isinstance(value, float) or (isinstance(value, str) and _DECIMAL.fullmatch(value)):
        return figure(str(value))
    if isinstance(value, str) and value and all(_MESSAGE_ID.fullmatch(part) for part in value.split(" ")):
        return ", ".join(translate(_language, part) for part in value.split(" "))
    return value


def tr_problem(problem: Problem) -> str:
    return sentence(_language, dataclasses.replace(problem, params={k: _inner(v) for k, v in problem.params.items()}))


def number(value: float, digits: int = 1) -> str:
    """A decimal comma where the language has one."""
    text = f"{value:.{digits}f}"
    return text if _language == "en" else text.replace(".", ",")


def file_size(size_bytes: int) -> tuple[str, str]:
    """Number and unit, decimal multiples: 1 MB is 1 000 000 bytes."""
    value = float(size_bytes)
    for unit in ("ui.unit.b", "ui.unit.kb", "ui.unit.mb"):
        if value < 1000:
            return number(value, 0 if unit == "ui.unit.b" or value >= 100 else 1), tr(unit)
        value /= 1000
    return number(value, 1), tr("ui.unit.gb")


def figure(text: str) -> str:
    """A measured number as the language writes it: decimal comma, a real minus."""
    shown = text.replace("-", "\u2212")
    return shown if _language == "en" else shown.replace(".", ",")


def unit(text: str) -> str:
    """A unit in the language of the screen; what has no word there stays."""
    found = tr(f"unit.{text}") if text else ""
    return text if found == f"unit.{text}" else found


def slug(name: str) -> str:
    """The end of the message id of English words that a card brings with it."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def data_words(name: str) -> str:
    """The data of a card's frequencies in the language of the screen; a name that has no words there stays."""
    message = f"data.{slug(name)}"
    found = tr(message) if name else ""
    return name if found == message else found
