"""Every package that set-up installs is listed with its licence, and none that runs with the product forbids it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def licences() -> ModuleType:
    spec = importlib.util.spec_from_file_location("licences", ROOT / "installer" / "licences.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_every_pinned_package_is_listed_with_a_licence(licences: ModuleType) -> None:
    text = (ROOT / "THIRD_PARTY_LICENCES.md").read_text(encoding="utf-8")
    known = licences.pinned()
    assert len(known) > 90
    for name, version in known.values():
        row = next((line for line in text.splitlines() if line.startswith(f"| {name} | {version} |")), None)
        assert row is not None, f"{name} {version} is not in THIRD_PARTY_LICENCES.md: run installer/licences.py"
        assert row.split("|")[3].strip(), f"{name} has no licence"


def test_the_file_is_what_the_script_writes(licences: ModuleType) -> None:
    text = (ROOT / "THIRD_PARTY_LICENCES.md").read_text(encoding="utf-8")
    assert licences.document(licences.packages()) == text, "run installer/licences.py"


def test_nothing_that_runs_with_the_product_is_under_the_gpl(licences: ModuleType) -> None:
    shipped = [p for p in licences.packages() if p.use == licences.SHIPPED]
    assert {"PySide6_Essentials", "torch", "sqlcipher3"} <= {p.name for p in shipped}
    assert [p.name for p in shipped if licences.COPYLEFT.search(p.licence)] == []


@pytest.mark.parametrize(
    ("words", "found"), [("GPL-3.0-only", True), ("AGPL-3.0", True), ("LGPL-3.0-only", False), ("MIT", False)]
)
def test_what_counts_as_the_gpl(licences: ModuleType, words: str, found: bool) -> None:
    assert bool(licences.COPYLEFT.search(words)) is found
