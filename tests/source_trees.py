"""The product's modules as syntax trees, for the tests that read code."""

from __future__ import annotations

import ast
from pathlib import Path

_TRIES = 5


def syntax_tree(file: Path) -> ast.Module:
    """Parsed again when the interpreter itself stumbles.

    CPython before 3.11.8 counts the depth of a tree in one place for all threads: a traceback that another thread formats
    meanwhile makes a sound parse end with ``SystemError: AST constructor recursion depth mismatch`` (gh-106905).
    """
    text = file.read_text(encoding="utf-8")
    for _ in range(_TRIES - 1):
        try:
            return ast.parse(text)
        except SystemError:
            continue
    return ast.parse(text)
