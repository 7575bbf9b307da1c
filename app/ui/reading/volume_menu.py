"""Looks, cuts and masks of a volume rendering, in the menu of window presets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QMenu

from app.session.rendered_panes import CROPS
from app.ui.i18n import tr

if TYPE_CHECKING:
    from app.session.reading_session import ReadingSession


def add_volume_actions(menu: QMenu, reading: ReadingSession) -> bool:
    """True when the active pane is a rendering and the menu is its own."""
    room = reading.room
    looks = room.volume_looks()
    if not looks:
        return False
    for name, chosen in looks:
        action = menu.addAction(tr(f"volume.{name}"))
        action.setCheckable(True)
        action.setChecked(chosen)
        action.triggered.connect(lambda _=False, n=name: room.change_view(volume_preset=n))
    menu.addSeparator()
    shown = room.pane(room.active)
    for name, crop in CROPS.items():
        action = menu.addAction(tr(f"crop.{name}"))
        action.setCheckable(True)
        action.setChecked(shown.view.crop == crop)
        action.triggered.connect(lambda _=False, c=crop: room.change_view(crop=c))
    masks = [m for m in reading.desk.marks if m.mask is not None and m.mask.display_set_id == shown.display_set_id]
    if masks:
        menu.addSeparator()
        menu.addAction(tr("volume.all")).triggered.connect(lambda: room.show_only(""))
        for number, mark in enumerate(masks, 1):
            title = tr("volume.only", n=number)
            menu.addAction(title).triggered.connect(lambda _=False, i=mark.finding_id: room.show_only(i))
    return True
