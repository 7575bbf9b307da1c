"""The house rules as tests: one-way imports, no circles, one owner per heavy library, a bare core, a guarded Qt."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.source_trees import syntax_tree

ROOT = Path(__file__).resolve().parent.parent
CORE = ("domain", "imaging", "dicom", "store", "security", "viewer", "report", "sync", "session")


def test_imports_go_one_way() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--config", str(ROOT / ".importlinter"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]


def _top_level_imports(file: Path) -> set[str]:
    """Modules of ours that the file imports while it is being imported (not inside functions or TYPE_CHECKING)."""
    found: set[str] = set()

    def visit(nodes: list[ast.stmt]) -> None:
        for node in nodes:
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                found.add(node.module)
                found.update(f"{node.module}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.dump(node.test):
                visit(node.body + node.orelse)
            elif isinstance(node, ast.Try):
                visit(node.body + node.orelse + node.finalbody)
            elif isinstance(node, ast.ClassDef):
                visit(node.body)

    visit(syntax_tree(file).body)
    return found


def test_there_are_no_import_circles() -> None:
    files = {
        ".".join(f.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): f
        for f in (ROOT / "app").rglob("*.py")
    }
    graph = {name: {m for m in _top_level_imports(file) if m in files and m != name} for name, file in files.items()}
    # A package's own __init__ is imported by every module in it; only real uses count.
    state: dict[str, int] = {}
    circle: list[str] = []

    def walk(name: str, path: list[str]) -> None:
        state[name] = 1
        for target in sorted(graph[name]):
            if state.get(target) == 1 and not circle:
                circle.extend([*path[path.index(target) :], target] if target in path else [name, target])
            elif target not in state:
                walk(target, [*path, target])
        state[name] = 2

    for module in sorted(graph):
        if module not in state:
            walk(module, [module])
    assert not circle, " -> ".join(circle)


@pytest.mark.parametrize("package", CORE)
def test_core_modules_import_in_a_bare_interpreter(package: str) -> None:
    modules = [
        ".".join(f.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for f in sorted((ROOT / "app" / package).rglob("*.py"))
    ]
    script = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "loaded = {m.split('.')[0] for m in sys.modules}\n"
        "heavy = {'PySide6', 'vtk', 'vtkmodules', 'torch', 'onnxruntime', 'openvino'} & loaded\n"
        "sys.exit(', '.join(sorted(heavy)) or None)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{package} loads {done.stderr[-2000:]}"


def test_a_void_qt_call_keeps_the_reference_to_none() -> None:
    """PySide6 6.12 on Python 3.11 loses one reference to None a call and the process aborts (performance.md 0)."""
    script = (
        "import sys\n"
        "from PySide6.QtWidgets import QApplication, QWidget\n"
        "app = QApplication([]); w = QWidget()\n"
        "before = sys.getrefcount(None)\n"
        "for _ in range(1000): w.setEnabled(True)\n"
        "sys.exit(0 if before - sys.getrefcount(None) < 500 else 'lost references to None')\n"
    )
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


FORBIDDEN_CALLS = {"eval", "exec"}
FORBIDDEN_MODULES = {"pickle", "cPickle", "shelve", "marshal", "dill", "joblib"}


@pytest.mark.parametrize("file", sorted((ROOT / "app").rglob("*.py")), ids=lambda f: str(f.relative_to(ROOT)))
def test_no_executable_data_in_the_product(file: Path) -> None:
    tree = syntax_tree(file)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            assert name not in FORBIDDEN_CALLS, f"{file.name}:{node.lineno} calls {name}"
            for keyword in node.keywords:
                if keyword.arg in {"shell", "allow_pickle"}:
                    assert not (isinstance(keyword.value, ast.Constant) and keyword.value.value), (
                        f"{file.name}:{node.lineno}"
                    )
                if keyword.arg == "verify":
                    assert not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False), (
                        f"{file}:{node.lineno}"
                    )
            if isinstance(node.func, ast.Attribute) and node.func.attr == "load":
                owner = node.func.value
                assert not (isinstance(owner, ast.Name) and owner.id == "torch"), (
                    f"{file.name}:{node.lineno} calls torch.load"
                )
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            assert not FORBIDDEN_MODULES & {n.split(".")[0] for n in names}, f"{file.name}:{node.lineno} imports {names}"


def test_the_setup_scripts_need_nothing_but_the_standard_library() -> None:
    ours = {"environment", "system_packages"}
    for file in (ROOT / "installer").glob("*.py"):
        for module in _top_level_imports(file):
            top = module.split(".")[0]
            assert top in sys.stdlib_module_names or top in ours, f"{file.name} imports {top}"
