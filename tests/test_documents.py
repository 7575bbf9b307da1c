"""The documents: links that lead somewhere, keys that exist, three quick starts that say the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from app.session.wiring import DEMO_PIN

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(f for f in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))
QUICK_STARTS = [ROOT / "docs" / f"quick-start.{code}.md" for code in ("en", "ru", "kk")]
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_QUOTED = re.compile(r"`([^`]+)`")
_WRITTEN = {"Enter": "Return", "PgDn": "PgDown", "↑": "Up", "↓": "Down", "←": "Left", "→": "Right"}
"""As a keyboard says it -> as resources/shortcuts.toml says it."""


def known_keys() -> set[str]:
    tables = tomllib.loads((ROOT / "resources" / "shortcuts.toml").read_text(encoding="utf-8"))
    return {key.casefold() for commands in tables.values() for keys in commands.values() for key in keys}


def keys_in(text: str) -> list[str]:
    """What is quoted as a key: one character, a named key, or a combination with Ctrl."""
    named = {"Home", "End", "PgUp", "PgDn", "Del", "Return", "Enter", "F1", "Esc"}
    quoted = [
        q
        for q in _QUOTED.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL))
        if len(q) == 1 or q in named or q.startswith("Ctrl+")
    ]
    return ["+".join(_WRITTEN.get(part, part) for part in q.split("+")) for q in quoted]


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda f: str(f.relative_to(ROOT)))
def test_links_lead_somewhere(file: Path) -> None:
    links = [t for t in _LINK.findall(file.read_text(encoding="utf-8")) if not t.startswith(("http:", "https:"))]
    missing = [t for t in links if not (file.parent / t).exists()]
    assert not missing


@pytest.mark.parametrize("file", [ROOT / "README.md", *QUICK_STARTS], ids=lambda f: f.name)
def test_keys_that_are_told_exist(file: Path) -> None:
    told = keys_in(file.read_text(encoding="utf-8"))
    assert len(told) > 20
    assert {k for k in told if k.casefold() not in known_keys()} == set()


def test_quick_starts_say_the_same() -> None:
    texts = [f.read_text(encoding="utf-8") for f in QUICK_STARTS]
    for pattern in (r"^## \d", r"^!\[", r"^\| ", r"^\*\*"):
        assert len({len(re.findall(pattern, t, re.MULTILINE)) for t in texts}) == 1, pattern
    assert len({frozenset(keys_in(t)) for t in texts}) == 1


@pytest.mark.parametrize("file", [ROOT / "README.md", *QUICK_STARTS], ids=lambda f: f.name)
def test_the_pin_of_the_demonstration_is_told(file: Path) -> None:
    assert f"`{DEMO_PIN}`" in file.read_text(encoding="utf-8")
