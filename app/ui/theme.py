"""Tokens of ``resources/theme.toml`` as colours, fonts and sizes; no other module of ``ui`` names a colour or a size."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication

from app.domain.resources import resource_path

TABULAR = "tnum"
"""OpenType feature: figures of one width."""


@dataclass(frozen=True)
class Theme:
    """One appearance: role to colour, and the sizes that both share."""

    name: str
    colours: Mapping[str, str]
    sizes: Mapping[str, int]
    space: Mapping[str, int]
    family: str
    heatmap_stops: tuple[str, ...]
    plate_alpha: float


@cache
def _tokens() -> dict[str, Any]:
    return tomllib.loads(resource_path("theme.toml").read_text(encoding="utf-8"))


@cache
def load_theme(name: str) -> Theme:
    """``dark`` or ``light``. Raises ``KeyError`` for another name."""
    tokens = _tokens()
    sizes = {k: v for k, v in tokens["type"].items() if isinstance(v, int)}
    heatmap = tokens["heatmap"]
    return Theme(
        name,
        tokens[name],
        sizes,
        tokens["space"],
        tokens["type"]["family"],
        tuple(heatmap["stops"]),
        heatmap["plate_alpha"],
    )


_LATER_MS = 30
_current = "dark"


def theme() -> Theme:
    return load_theme(_current)


def use_theme(name: str) -> None:
    """Switches the appearance; call :func:`dress` afterwards."""
    global _current
    load_theme(name)
    _current = name
    _colour.cache_clear()


@lru_cache(maxsize=512)
def _colour(role: str, alpha: int) -> QColor:
    value = QColor(theme().colours.get(role, theme().colours["text"]))
    value.setAlpha(alpha)
    return value


def colour(role: str, alpha: float = 1.0) -> QColor:
    """The colour of a role (``text``, ``ai``, ``mine``, ``ok`` ...); a role that is unknown reads as text."""
    return QColor(_colour(role, round(alpha * 255)))


def on_images(role: str, alpha: float = 1.0) -> QColor:
    """The colour of a role over an image: images lie on black in every appearance, so always the dark one's."""
    made = QColor(load_theme("dark").colours.get(role, load_theme("dark").colours["text"]))
    made.setAlphaF(alpha)
    return made


@lru_cache(maxsize=128)
def _font(size: str, weight: int, tabular: bool) -> QFont:
    made = QFont(theme().family)
    made.setPixelSize(theme().sizes[size])
    made.setWeight(QFont.Weight(weight))
    made.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    if tabular:
        made.setFeature(QFont.Tag(TABULAR), 1)
    return made


def font(size: str = "body", weight: str = "regular", tabular: bool = True) -> QFont:
    """``size`` is a token (small, body, title, large, display); ``weight`` is regular, medium or semibold."""
    return QFont(_font(size, {"regular": 400, "medium": 500, "semibold": 600}[weight], tabular))


def space(name: str = "padding") -> int:
    return theme().space[name]


def verdict_height() -> int:
    """Of the three answers: larger beside the patient, where fingers press them."""
    return theme().space["touch"] if _current == "light" else theme().space["verdict"]


@cache
def load_fonts() -> tuple[str, ...]:
    """Registers the bundled faces with Qt once; returns the family names that Qt reports."""
    families: list[str] = []
    for file in _tokens()["type"]["files"]:
        number = QFontDatabase.addApplicationFont(str(resource_path("fonts", file)))
        families += QFontDatabase.applicationFontFamilies(number) if number >= 0 else []
    return tuple(families)


def palette() -> QPalette:
    made = QPalette()
    roles = QPalette.ColorRole
    for role, token in (
        (roles.Window, "ground"),
        (roles.Base, "panel"),
        (roles.AlternateBase, "raised"),
        (roles.Button, "raised"),
        (roles.WindowText, "text"),
        (roles.Text, "text"),
        (roles.ButtonText, "text"),
        (roles.BrightText, "text"),
        (roles.Highlight, "on"),
        (roles.HighlightedText, "text"),
        (roles.ToolTipBase, "raised"),
        (roles.ToolTipText, "text"),
        (roles.PlaceholderText, "third"),
        (roles.Link, "text"),
        (roles.Mid, "line"),
        (roles.Dark, "ground"),
        (roles.Light, "hover"),
        (roles.Shadow, "black"),
    ):
        made.setColor(role, colour(token))
    for role in (roles.Text, roles.WindowText, roles.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, role, colour("disabled"))
    return made


_SHEET = """
QToolTip {{ background: {raised}; color: {text}; border: 1px solid {edge}; padding: 5px 8px; }}
QMenu {{ background: {raised}; color: {text}; border: 1px solid {edge}; border-radius: 6px; padding: 4px; }}
QMenu::item {{ padding: 6px 28px 6px 10px; border-radius: 4px; min-height: 18px; }}
QMenu::item:selected {{ background: {on}; }}
QMenu::item:disabled {{ color: {disabled}; }}
QMenu::separator {{ height: 1px; background: {line}; margin: 4px 8px; }}
QMenu::indicator {{ width: 0px; }}
QMenu::icon {{ padding-left: 8px; }}
QScrollBar:vertical {{ background: transparent; width: 8px; margin: 0; }}
QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 0; }}
QScrollBar::handle {{ background: {edge}; border-radius: 3px; margin: 1px; min-height: 28px; min-width: 28px; }}
QScrollBar::handle:hover {{ background: {control_edge}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
QHeaderView, QHeaderView::section {{ background: {raised}; color: {secondary}; border: none; padding: 4px 6px; }}
QAbstractScrollArea {{ background: transparent; border: none; }}
QLineEdit, QPlainTextEdit {{ selection-background-color: {on}; selection-color: {text}; }}
"""


def style_sheet() -> str:
    return _SHEET.format(**theme().colours)


def dress(application: QApplication) -> None:
    """Fonts, palette and the few rules that Qt only takes as a style sheet."""
    load_fonts()
    application.setStyle("Fusion")
    application.setFont(font())
    application.setPalette(palette())
    application.setStyleSheet(style_sheet())


def wear(name: str) -> None:
    """Another appearance for the whole program; nothing happens when it is on already."""
    application = QApplication.instance()
    if name == _current or not isinstance(application, QApplication):
        return
    use_theme(name)
    application.setPalette(palette())
    # Menus, tips and scroll bars follow a moment later: Qt goes through every widget for them.
    QTimer.singleShot(_LATER_MS, application, lambda: _sheet(application))
    _roles_again(application)


def _sheet(application: QApplication) -> None:
    # Taken off and put on: Qt goes through every widget three times as long to change one sheet into another.
    application.setStyleSheet("")
    application.setStyleSheet(style_sheet())
    # A new sheet gives every widget the palette back that it had under the one before: labels lose their colour by it.
    _roles_again(application)


def _roles_again(application: QApplication) -> None:
    """A label carries its role's colour in a palette of its own, which the program's does not reach."""
    for widget in application.allWidgets():
        again = getattr(widget, "wear_again", None)
        if again is not None:
            again()


def contrast(one: QColor, other: QColor) -> float:
    """Ratio of WCAG 2.2, 1 to 21."""

    def luminance(c: QColor) -> float:
        parts = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c.redF(), c.greenF(), c.blueF())]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)
