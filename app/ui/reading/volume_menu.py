"""The 3D view's own menu, in the place of the window presets: looks, where from, crop box, what masks show or hide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidgetAction

from app.session.rendered_panes import CROPS, SIGHTS, SolidPart
from app.session.views import Words
from app.ui.i18n import tr
from app.ui.icons import icon
from app.ui.reading.crop_panel import CropPanel
from app.ui.shortcuts import key_of

if TYPE_CHECKING:
    from app.session.reading_room import ReadingRoom
    from app.session.reading_session import ReadingSession


MIP = "mip"
MIP_WINDOW = "angio"


def add_volume_actions(menu: QMenu, reading: ReadingSession) -> bool:
    """True when the active pane is a 3D view and the menu is its own."""
    room = reading.room
    looks = room.volume_looks()
    if not looks:
        return False
    for surfaces in (False, True):
        for name, chosen in looks:
            if name.startswith("surface_") == surfaces:
                action = _choice(menu, tr(f"volume.{name}"), chosen)
                action.triggered.connect(lambda _=False, n=name: _choose(room, n))
        menu.addSeparator()
    if (MIP, True) in looks:
        _add_windows(menu, reading)
    sights = menu.addMenu(tr("sight.title"))
    for name, (right, down) in SIGHTS.items():
        action = sights.addAction(tr(f"sight.{name}"))
        action.triggered.connect(lambda _=False, r=right, d=down: room.change_view(oblique_row=r, oblique_column=d))
    _add_crops(menu, room)
    _add_parts(menu, room, room.solid.parts(room.pane(room.active), reading.desk.marks))
    return True


def _choose(room: ReadingRoom, name: str) -> None:
    """A MIP is windowed like a slice: with a window of lung or brain it would be a white area."""
    if name == MIP and any(p.name == MIP_WINDOW for p in room.presets()):
        room.preset(MIP_WINDOW)
    room.change_view(volume_preset=name)


def _add_windows(menu: QMenu, reading: ReadingSession) -> None:
    windows = menu.addMenu(tr("volume.window"))
    window = reading.room.pane(reading.room.active).appearance.window
    for preset in reading.room.presets():
        action = _choice(windows, tr(f"preset.{preset.name}"), preset.window == window)
        action.triggered.connect(lambda _=False, n=preset.name: reading.room.preset(n))
    windows.setEnabled(not windows.isEmpty())


def _choice(menu: QMenu, text: str, chosen: bool) -> QAction:
    """An entry that shows by a tick that it is in force."""
    action = menu.addAction(text)
    action.setCheckable(True)
    action.setChecked(chosen)
    if chosen:
        action.setIcon(icon("check"))
    return action


def _add_crops(menu: QMenu, room: ReadingRoom) -> None:
    view = room.pane(room.active).view
    crops = menu.addMenu(tr("crop.title"))
    box = _choice(crops, tr("crop.box") + (f"\t{key}" if (key := key_of("reading", "crop_box")) else ""), view.crop_box)
    box.triggered.connect(room.toggle_crop_box)
    numbers = QWidgetAction(crops)
    numbers.setDefaultWidget(CropPanel(room))
    crops.addAction(numbers)
    crops.addSeparator()
    for name, crop in CROPS.items():
        action = _choice(crops, tr(f"crop.{name}"), view.crop == crop)
        action.triggered.connect(lambda _=False, c=crop: room.change_view(crop=c))


def _add_parts(menu: QMenu, room: ReadingRoom, parts: tuple[SolidPart, ...]) -> None:
    if not parts:
        return
    pane = room.pane(room.active)
    for title, hide in (("volume.show_only", False), ("volume.hide", True)):
        listed = menu.addMenu(tr(title))
        for part in parts:
            text = tr(part.title) if isinstance(part.title, Words) else part.title
            action = _choice(listed, text, pane.only_mask == part.part_id and pane.hide_mask == hide)
            action.triggered.connect(lambda _=False, i=part.part_id, h=hide: room.show_only(i, h))
    everything = menu.addAction(tr("volume.all"))
    everything.setEnabled(bool(pane.only_mask))
    everything.triggered.connect(lambda: room.show_only(""))
