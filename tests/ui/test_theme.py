"""Contrast of every text on every ground, fonts with all Kazakh letters, icons that are there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from PySide6.QtGui import QColor, QFontDatabase, QFontMetricsF, QRawFont
from PySide6.QtWidgets import QApplication

from app.domain.resources import resource_path
from app.ui.icons import NAMED, has_icon, pixmap
from app.ui.theme import contrast, font, load_theme
from app.viewer.tools.registry import discover
from tests.source_trees import syntax_tree

GROUNDS = ("ground", "panel", "raised", "hover")
TEXTS = ("text", "secondary", "third")
UI = Path(__file__).resolve().parents[2] / "app" / "ui"


@pytest.mark.parametrize("name", ["dark", "light"])
def test_text_is_readable_on_every_ground(name: str) -> None:
    colours = {k: QColor(v) for k, v in load_theme(name).colours.items()}
    poor = [
        f"{text} on {ground}: {contrast(colours[text], colours[ground]):.2f}"
        for ground in GROUNDS
        for text in TEXTS
        if contrast(colours[text], colours[ground]) < (4.5 if (text, ground) != ("third", "hover") else 4.0)
    ]
    assert not poor, poor
    for text in ("text", "secondary"):
        assert contrast(colours[text], colours["selected"]) >= 4.5
    assert contrast(colours["on_primary"], colours["primary"]) >= 4.5
    for control in ("control_edge", "mine", "ai_line", "ok", "bad"):
        assert contrast(colours[control], colours["panel"]) >= 3.0, control


def test_meaning_colours_differ_for_the_colour_blind() -> None:
    """Linear deuteranopia and protanopia by Viénot 1999: mine, AI, ok and bad stay apart."""
    import numpy as np

    to_lms = np.array([[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]])
    blind = {
        "protan": np.array([[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]]),
        "deutan": np.array([[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]]),
    }
    colours = load_theme("dark").colours
    pairs = [("mine", "ai"), ("mine", "bad"), ("mine", "truth")]
    for matrix in blind.values():
        seen = {}
        for role in {r for pair in pairs for r in pair}:
            rgb = np.array(QColor(colours[role]).getRgbF()[:3]) ** 2.2 * 100
            seen[role] = np.linalg.inv(to_lms) @ matrix @ to_lms @ rgb
        for one, other in pairs:
            assert np.linalg.norm(seen[one] - seen[other]) > 8, (one, other)


def test_bundled_font_has_every_kazakh_letter(qapp: QApplication) -> None:
    families = QFontDatabase.families()
    assert "Inter" in families
    glyphs = QRawFont.fromFont(font("body")).glyphIndexesForString("ӘәҒғҚқҢңӨөҰұҮүҺһІі")
    assert len(glyphs) == 18
    assert 0 not in glyphs
    wide = {QFontMetricsF(font("body", tabular=True)).horizontalAdvance(d) for d in "0123456789"}
    assert len(wide) == 1, "figures are not tabular"


def _icons_in_code() -> set[tuple[str, str]]:
    """Literal icon names given to the things that paint icons."""
    found = set()
    place = {"Glyph": 0, "NavRow": 1, "paint_icon": 1, "WayIn": 0, "Button": 2, "show_icon": 0, "pixmap": 0, "icon": 0}
    for file in UI.rglob("*.py"):
        for node in ast.walk(syntax_tree(file)):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            at = place.get(name)
            if at is not None and len(node.args) > at:
                value = node.args[at]
                if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
                    found.add((file.name, value.value))
    return found


def test_every_icon_is_bundled(qapp: QApplication) -> None:
    used = _icons_in_code()
    assert len(used) > 20
    missing = sorted(f"{icon} ({file})" for file, icon in used if not has_icon(icon))
    missing += [n for n in NAMED if not has_icon(n)]
    missing += [t.icon for t in discover().tools if not has_icon(t.icon)]
    assert not missing, missing


def test_an_icon_takes_the_colour_of_its_role(qapp: QApplication) -> None:
    image = pixmap("check", "ok", 20, 2.0).toImage()
    inked = [image.pixelColor(x, y) for x in range(40) for y in range(40) if image.pixelColor(x, y).alpha() == 255]
    assert inked
    assert {c.name() for c in inked} == {load_theme("dark").colours["ok"].lower()}


def test_icons_keep_their_licence() -> None:
    assert "MIT" in resource_path("icons", "LICENCE-phosphor.txt").read_text(encoding="utf-8")


def test_labels_wear_their_role_s_colour_after_the_light_and_after_the_dark_again(qapp: QApplication) -> None:
    from PySide6.QtGui import QPalette
    from PySide6.QtTest import QTest

    from app.ui.theme import colour, dress, wear
    from app.ui.widgets.text import Text

    wear("dark")
    dress(qapp)
    label = Text("x", role="secondary")
    label.show()
    for name in ("light", "dark", "light", "dark"):
        wear(name)
        QTest.qWait(80)  # the style sheet follows a moment later
        assert label.palette().color(QPalette.ColorRole.WindowText) == colour("secondary"), name
    label.close()
