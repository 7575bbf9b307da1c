"""Every message is there in three languages, with the same placeholders and the plural forms its language needs."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from app.domain.messages import LANGUAGES, load_catalogues, plural_category, translate
from app.domain.resources import resource_path

ROOT = Path(__file__).resolve().parent.parent
CATALOGUES = load_catalogues(resource_path("i18n", "messages"))
PLURALS = {"en": {"one", "other"}, "ru": {"one", "few", "many"}, "kk": {"other"}}
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def _forms(entry: object) -> list[str]:
    return [entry] if isinstance(entry, str) else list(entry.values())  # type: ignore[attr-defined]


@pytest.mark.parametrize("language", LANGUAGES)
def test_language_is_complete(language: str) -> None:
    every = set().union(*(set(c) for c in CATALOGUES.values()))
    assert not every - set(CATALOGUES[language])


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_and_plural_forms_agree(language: str) -> None:
    for message_id, entry in CATALOGUES[language].items():
        english = CATALOGUES["en"][message_id]
        assert isinstance(entry, str) == isinstance(english, str), message_id
        wanted = {p for form in _forms(english) for p in _PLACEHOLDER.findall(form)}
        found = {p for form in _forms(entry) for p in _PLACEHOLDER.findall(form)}
        assert found == wanted, f"{language}: {message_id}"
        if not isinstance(entry, str):
            assert set(entry) >= PLURALS[language], f"{language}: {message_id} has only {sorted(entry)}"
        assert all(form.strip() for form in _forms(entry)), message_id


@pytest.mark.parametrize("language", ["ru", "kk"])
def test_translations_are_not_left_in_english(language: str) -> None:
    same = [
        i
        for i, entry in CATALOGUES[language].items()
        if isinstance(entry, str) and entry == CATALOGUES["en"][i] and re.search(r"[a-z]{4,}", re.sub(r"\{\w+\}", "", entry))
    ]
    assert len(same) <= 0.03 * len(CATALOGUES[language]), same


def _literal_codes() -> set[tuple[str, str]]:
    """(file, code) of every literal given to ``fail``, ``Problem`` or ``Words`` in app/."""
    codes = set()
    for file in (ROOT / "app").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"fail", "Problem", "Words"} and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str) and first.value:
                    codes.add((str(file.relative_to(ROOT)), first.value))
                for keyword in node.keywords:
                    if (
                        keyword.arg in {"kept_safe", "next_step"}
                        and isinstance(keyword.value, ast.Constant)
                        and keyword.value.value
                    ):
                        codes.add((str(file.relative_to(ROOT)), keyword.value.value))
    return codes


def test_every_problem_and_word_in_the_code_has_a_sentence() -> None:
    missing = sorted(f"{code} ({file})" for file, code in _literal_codes() if code not in CATALOGUES["en"])
    assert not missing, missing


def test_plural_categories_by_the_cldr() -> None:
    assert [plural_category("ru", n) for n in (1, 2, 5, 11, 21, 22, 112)] == [
        "one",
        "few",
        "many",
        "many",
        "one",
        "few",
        "many",
    ]
    assert plural_category("en", 1) == "one"
    assert plural_category("en", 0) == "other"


def test_unknown_message_shows_its_id() -> None:
    assert translate("kk", "no.such.message") == "no.such.message"
