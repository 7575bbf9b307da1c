"""What the source of ``app/ai`` and the shipped packages may not contain."""

from __future__ import annotations

import ast
import io
import zipfile
from pathlib import Path

import pytest

from app.ai.package import open_package
from app.ai.trust import read_trust
from tests.source_trees import syntax_tree

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "app" / "ai").rglob("*.py"))
RUNTIME = [f for f in SOURCES if "training" not in f.parts]
PACKAGES = sorted((ROOT / "resources" / "models").glob("*.ekmodel"))
SIZE_LIMIT_BYTES = 4 * 1024 * 1024

_CALLS = {"eval", "exec", "compile", "__import__"}
_MODULES = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}
_NETWORK = {"socket", "requests", "urllib", "http", "ftplib", "smtplib", "socketserver", "xmlrpc", "asyncio", "ssl"}
_TORCH = {"load", "jit", "hub", "package", "compile"}


def _imports(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("file", SOURCES, ids=lambda f: str(f.relative_to(ROOT)))
def test_no_way_to_run_data(file: Path) -> None:
    tree = syntax_tree(file)
    assert not _imports(tree) & _MODULES
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in _CALLS, f"{file.name}:{node.lineno}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "torch":
            assert node.attr not in _TORCH, f"{file.name}:{node.lineno} uses torch.{node.attr}"
        if isinstance(node, ast.keyword) and node.arg in ("shell", "allow_pickle"):
            assert isinstance(node.value, ast.Constant), f"{file.name}"
            assert not node.value.value, f"{file.name}"


@pytest.mark.parametrize("file", RUNTIME, ids=lambda f: str(f.relative_to(ROOT)))
def test_the_worker_side_has_no_network(file: Path) -> None:
    assert not _imports(syntax_tree(file)) & _NETWORK


def test_nothing_in_the_product_chooses_test_code() -> None:
    """``test_code`` may be handed through by name; no file has a word of the command line or the environment for it."""
    for file in sorted((ROOT / "app").rglob("*.py")):
        tree = syntax_tree(file)
        inside = file.parent.name == "ai" and file.name in ("worker.py", "worker_process.py")
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and not inside:
                assert "test-code" not in node.value.lower(), f"{file.name}:{node.lineno}"
                assert "ekinshi_test" not in node.value.lower(), f"{file.name}:{node.lineno}"
            if isinstance(node, ast.keyword) and node.arg == "test_code":
                name = getattr(node.value, "attr", getattr(node.value, "id", ""))
                handed_on = name == "test_code" or (isinstance(node.value, ast.Constant) and node.value.value is None)
                assert handed_on or inside, f"{file.name}:{node.value.lineno}"


def test_only_the_telemetry_module_speaks_of_telemetry() -> None:
    for file in RUNTIME:
        if file.name != "telemetry_off.py":
            assert "openvino_telemetry" not in file.read_text(encoding="utf-8"), file.name


@pytest.mark.parametrize("path", PACKAGES, ids=lambda p: p.name)
def test_shipped_packages_are_small_trusted_and_complete(path: Path) -> None:
    assert path.stat().st_size < SIZE_LIMIT_BYTES
    package = open_package(path, read_trust(ROOT / "resources" / "models" / "trust.json"))
    assert package.card.research_use_only
    assert package.card.licence
    assert package.card.training_data
    assert (ROOT / "app" / "ai" / "readers" / f"{package.head.manifest.reader}.py").is_file()
    assert set(zipfile.ZipFile(io.BytesIO(path.read_bytes())).namelist()) == {
        *package.head.manifest.files,
        "manifest.json",
        "SIGNATURE",
    }


def test_the_shipped_trust_list_is_readable_and_holds_public_keys_only() -> None:
    trust = read_trust(ROOT / "resources" / "models" / "trust.json")
    assert trust.keys
    assert all(len(key.public_key) == 64 for key in trust.keys)


def test_every_reason_of_the_catalogue_has_a_sentence_with_its_own_placeholders() -> None:
    import re

    from app.domain.messages import load_catalogues
    from app.domain.resources import resource_path

    english = load_catalogues(resource_path("i18n", "messages"))["en"]
    tree = syntax_tree(ROOT / "app" / "ai" / "selection.py")
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "_no"]
    assert len(calls) > 15
    for call in calls:
        word = call.args[0]
        assert isinstance(word, ast.Constant)
        sentence = english[f"ai.scope.{word.value}"]
        assert isinstance(sentence, str)
        assert set(re.findall(r"\{(\w+)\}", sentence)) == {k.arg for k in call.keywords}
