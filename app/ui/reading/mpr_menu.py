"""The menu of planes and slabs: what the active pane shows is ticked; where there is no volume the menu says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget

from app.ui.i18n import tr, tr_problem
from app.ui.icons import icon
from app.ui.shortcuts import key_of

if TYPE_CHECKING:
    from app.session.reading_session import ReadingSession

_PLANES = {"axial": "mpr_axial", "coronal": "mpr_coronal", "sagittal": "mpr_sagittal", "stack": "mpr_acquired"}
_SLABS = {"": "slab_off", "max": "slab_mip", "min": "slab_minip", "mean": "slab_average"}
OFFERED_MM = (1.0, 3.0, 5.0, 8.0, 10.0, 15.0, 20.0, 30.0, 40.0, 60.0)


def mpr_menu(parent: QWidget, reading: ReadingSession | None) -> QMenu:
    menu = QMenu(parent)
    if reading is None:
        return menu
    view = reading.reformats.view()
    if view.refused is not None and not view.plane and not view.curve:
        menu.addAction(tr_problem(view.refused)).setEnabled(False)
        return menu
    _verb(menu, reading, "three_planes", view.three, tr("ui.mpr.three"))
    menu.addSeparator()
    for plane, command in _PLANES.items():
        _verb(menu, reading, command, view.plane == plane)
    menu.addSeparator()
    for mode, command in _SLABS.items():
        _verb(menu, reading, command, view.slab_mode == mode)
    thickness = menu.addMenu(tr("ui.mpr.thickness"))
    offered = sorted({mm for mm in OFFERED_MM if mm in view.thicknesses} | ({view.slab_mm} if view.slab_mm > 0 else set()))
    for mm in offered:
        action = _ticked(thickness.addAction(tr("ui.mpr.mm", value=f"{mm:g}")), view.slab_mm == mm)
        action.triggered.connect(lambda _=False, t=mm: reading.reformats.to_thickness(t))
    thickness.addSeparator()
    for command in ("slab_thicker", "slab_thinner"):
        _verb(thickness, reading, command)
    if view.curve:
        menu.addSeparator()
        _verb(menu, reading, "section_row", view.in_row, tr("ui.mpr.row"))
        for command in ("sections_apart", "sections_closer") if view.in_row else ():
            _verb(menu, reading, command)
        for command in ("curve_higher", "curve_lower"):
            _verb(menu, reading, command)
    if view.refused is not None:
        for action in menu.actions():
            action.setEnabled(False)
        menu.insertAction(menu.actions()[0], _told(menu, tr_problem(view.refused)))
    return menu


def _told(menu: QMenu, words: str) -> QAction:
    told = QAction(words, menu)
    told.setEnabled(False)
    return told


def _verb(menu: QMenu, reading: ReadingSession, command: str, chosen: bool = False, title: str = "") -> None:
    key = key_of("reading", command)
    action = _ticked(menu.addAction((title or tr(f"ui.key.{command}")) + (f"\t{key}" if key else "")), chosen)
    action.triggered.connect(lambda _=False: reading.command(command))


def _ticked(action: QAction, chosen: bool) -> QAction:
    action.setCheckable(chosen)
    action.setChecked(chosen)
    if chosen:
        action.setIcon(icon("check"))
    return action
