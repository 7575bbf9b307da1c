"""No kind of overlay without a reference picture: what there is in the source is held against what the scenes use."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, get_args

from app.viewer import layers
from app.viewer.compositor import render
from app.viewer.layers import FusionLayer, OverMode
from tests.golden.test_panes import SCENES
from tests.source_trees import syntax_tree

APP = Path(__file__).parents[2] / "app"
_FOLDERS = ("viewer", "session")
_SHAPES = ("Primitive", "Line", "Polyline")
MOST_BYTES = 20 * 1024


def _hands_on(function: ast.FunctionDef) -> bool:
    """It only gives to another what that one draws."""
    body = [n for n in function.body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
    return len(body) == 1 and isinstance(body[0], ast.Return)


def _draws(function: ast.FunctionDef) -> bool:
    """It returns several primitives."""
    if function.returns is None or _hands_on(function):
        return False
    named = {n.id for n in ast.walk(function.returns) if isinstance(n, ast.Name)}
    return bool(named & set(_SHAPES)) and bool(named & {"list", "tuple", "Sequence", "Iterator"})


@cache
def drawers() -> dict[tuple[str, int], str]:
    """(file, first line) to the name of everything in viewer and session that draws."""
    found = {}
    for folder in _FOLDERS:
        for file in sorted((APP / folder).rglob("*.py")):
            for node in ast.walk(syntax_tree(file)):
                if isinstance(node, ast.FunctionDef) and _draws(node):
                    found[(str(file), node.lineno)] = f"{file.relative_to(APP)}:{node.name}"
    return found


def _calls(done: set[tuple[str, int]], used: list[tuple[Any, ...]]) -> Iterator[None]:
    def note(frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if event == "return" and isinstance(argument, list | tuple) and argument:
            done.add((code.co_filename, code.co_firstlineno))
        elif event == "call" and code is render.__code__:
            used.append(tuple(frame.f_locals["layers"]))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        for scene in SCENES:
            scene()
            yield
    finally:
        sys.setprofile(before)


@cache
def played() -> tuple[frozenset[tuple[str, int]], tuple[Any, ...]]:
    """(functions that gave something, layers that were rendered) over all scenes."""
    done: set[tuple[str, int]] = set()
    used: list[tuple[Any, ...]] = []
    for _ in _calls(done, used):
        pass
    return frozenset(done), tuple(layer for rendered in used for layer in rendered)


def test_every_function_that_draws_is_in_a_scene() -> None:
    assert len(drawers()) > 25
    done, _ = played()
    missing = sorted(name for place, name in drawers().items() if place not in done)
    assert not missing, f"no reference picture uses {missing}: add a scene to tests/golden/overlay_scenes.py"


def test_every_kind_of_layer_and_mode_is_in_a_scene() -> None:
    _, used = played()
    assert {type(layer) for layer in used} == set(get_args(layers.Layer))
    modes = {layer.mode for layer in used if isinstance(layer, FusionLayer)}
    assert modes == set(OverMode)
    assert any(isinstance(x, FusionLayer) and x.isodoses for x in used)
    assert any(isinstance(x, FusionLayer) and x.registered for x in used)


def test_reference_pictures_are_small_and_each_has_its_scene() -> None:
    files = {f.stem: f.stat().st_size for f in Path(__file__).parent.glob("*.png")}
    assert set(files) == {s.__name__ for s in SCENES}
    assert {n: b for n, b in files.items() if b > MOST_BYTES} == {}
