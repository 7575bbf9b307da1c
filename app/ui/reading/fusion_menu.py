"""What lies over the active pane: which series, in which colours and window, how dense; opens from the row of tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QIcon, QPixmap
from PySide6.QtWidgets import QGridLayout, QMenu, QWidget, QWidgetAction

from app.session.views import Words
from app.ui.i18n import tr
from app.ui.icons import icon
from app.ui.reading.heatmap_card import Slider
from app.ui.reading.paint_primitives import lut_image
from app.ui.shortcuts import key_of
from app.ui.widgets.text import Text, note
from app.viewer.luts import lut_names

if TYPE_CHECKING:
    from app.session.fusion_desk import FusionDesk, FusionView

_SWATCH = (64, 12)


def fusion_menu(desk: FusionDesk, parent: QWidget) -> QMenu:
    """Made anew for each opening, from what then lies over the active pane."""
    menu = QMenu(parent)
    view = desk.view()
    head = menu.addAction(tr("ui.fusion.over_this") + _key("fuse_next"))
    head.setEnabled(False)
    for choice in view.choices:
        title = choice.title if choice.same_place else tr("ui.fusion.to_be_registered", title=choice.title)
        action = _choice(menu, title, choice.chosen)
        action.triggered.connect(lambda _=False, i=choice.display_set_id: desk.lay(i))
    nothing = _choice(menu, tr("ui.fusion.off") + _key("fuse_off"), not view.on)
    nothing.triggered.connect(desk.off)
    if view.on:
        menu.addSeparator()
        _add_colours(menu, desk, view)
        _add_windows(menu, desk, view)
        holder = QWidgetAction(menu)
        holder.setDefaultWidget(_Opacity(desk, view.opacity))
        menu.addAction(holder)
    return menu


def _key(command: str) -> str:
    key = key_of("reading", command)
    return f"\t{key}" if key else ""


def _choice(menu: QMenu, text: str, chosen: bool) -> QAction:
    action = menu.addAction(text)
    action.setCheckable(True)
    action.setChecked(chosen)
    if chosen:
        action.setIcon(icon("check"))
    return action


def _add_colours(menu: QMenu, desk: FusionDesk, view: FusionView) -> None:
    colours = menu.addMenu(tr("ui.fusion.colours") + _key("fuse_colours"))
    for name in lut_names():
        word = tr(f"lut.{name}")
        chosen = "\t\u2713" if name == view.lut else ""  # the place of the tick is taken by the colours
        action = _choice(colours, (name if word == f"lut.{name}" else word) + chosen, False)
        image = lut_image(name).scaled(*_SWATCH, Qt.AspectRatioMode.IgnoreAspectRatio)
        action.setChecked(name == view.lut)
        action.setIcon(QIcon(QPixmap.fromImage(image)))
        action.triggered.connect(lambda _=False, n=name: desk.set_lut(n))


def _add_windows(menu: QMenu, desk: FusionDesk, view: FusionView) -> None:
    windows = menu.addMenu(tr("ui.fusion.window") + _key("fuse_window"))
    for window, chosen in view.windows:
        action = _choice(windows, tr(window.title), chosen)
        action.triggered.connect(lambda _=False, n=window.name: desk.set_window(n))
    windows.addSeparator()
    how = windows.addAction(tr("ui.fusion.by_hand"))
    how.setEnabled(False)


class _Opacity(QWidget):
    """The slider, with its value in per cent; the menu stays open under the hand."""

    def __init__(self, desk: FusionDesk, opacity: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        lay = QGridLayout(self)
        lay.setContentsMargins(14, 6, 14, 8)
        lay.setHorizontalSpacing(10)
        self.slider = Slider(Words("ui.fusion.opacity"))
        self.slider.setMinimumWidth(140)
        self.slider.set_value(opacity)
        self.slider.moved.connect(self._moved)
        self._told = Text("", "body", "regular", elide=False, align=Qt.AlignmentFlag.AlignRight)
        self._told.setMinimumWidth(44)
        keys = f"{key_of('reading', 'fuse_less')} {key_of('reading', 'fuse_more')}"
        lay.addWidget(Text(Words("ui.fusion.opacity"), "body", "regular", "secondary", elide=False), 0, 0)
        lay.addWidget(self.slider, 0, 1)
        lay.addWidget(self._told, 0, 2)
        lay.addWidget(note(keys), 0, 3)
        lay.setColumnStretch(1, 1)
        self._say(opacity)

    def _moved(self, value: float) -> None:
        self._desk.set_opacity(value)
        self._say(value)

    def _say(self, value: float) -> None:
        self._told.say(f"{round(value * 100)} %")
