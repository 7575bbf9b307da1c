"""The six sides of a 3D view's crop box as numbers: how many millimetres each takes away. Arrow keys step by a voxel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QLocale
from PySide6.QtWidgets import QDoubleSpinBox, QGridLayout, QWidget

from app.domain.geometry import VolumeGeometry
from app.ui.i18n import language, tr
from app.ui.widgets.text import Text
from app.viewer.crop_box import SIDES, removed_mm, step_mm, with_removed
from app.viewer.view_state import Plane, ViewState

if TYPE_CHECKING:
    from app.session.reading_room import ReadingRoom


class CropPanel(QWidget):
    """Two sides of one axis in a row."""

    def __init__(self, room: ReadingRoom, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._room = room
        lay = QGridLayout(self)
        lay.setContentsMargins(14, 8, 14, 8)
        lay.setHorizontalSpacing(10)
        lay.addWidget(Text(tr("crop.removed_mm"), "small", "regular", "secondary"), 0, 0, 1, 4)
        self._fields: list[QDoubleSpinBox] = []
        for side, name in enumerate(SIDES):
            row, column = 1 + side // 2, 2 * (side % 2)
            label = Text(tr(f"sight.{name}"), "small", "regular")
            field = QDoubleSpinBox()
            field.setLocale(QLocale(language()))
            field.setDecimals(1)
            field.setKeyboardTracking(False)
            field.setAccessibleName(tr(f"sight.{name}"))
            field.setMinimumWidth(92)
            field.valueChanged.connect(lambda value, s=side: self._changed(s, value))
            lay.addWidget(label, row, column)
            lay.addWidget(field, row, column + 1)
            self._fields.append(field)
        self.refresh()

    def refresh(self) -> None:
        found = self._geometry()
        if found is None:
            return
        geometry, view = found
        removed = removed_mm(view.crop, geometry)
        for side, field in enumerate(self._fields):
            field.blockSignals(True)
            field.setSingleStep(step_mm(geometry, side))
            field.setRange(0.0, removed_mm((1.0, 0.0, 1.0, 0.0, 1.0, 0.0), geometry)[side])
            field.setValue(removed[side])
            field.blockSignals(False)

    def _geometry(self) -> tuple[VolumeGeometry, ViewState] | None:
        pane = self._room.pane(self._room.active)
        layer = self._room.image_layer(pane)
        if pane.view.plane is not Plane.RENDERED or layer is None or layer.volume is None:
            return None
        return layer.volume.geometry, pane.view

    def _changed(self, side: int, value: float) -> None:
        found = self._geometry()
        if found is not None:
            geometry, view = found
            self._room.change_view(crop=with_removed(view.crop, side, value, geometry))
            self.refresh()
