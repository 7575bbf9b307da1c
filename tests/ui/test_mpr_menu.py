"""The menu of planes and slabs: ticks what is shown, offers thicknesses of use, says why there is nothing to choose."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from PySide6.QtWidgets import QApplication, QMenu, QWidget

from app.domain.problem import Problem
from app.session.reformats import ReformatView
from app.ui.i18n import tr
from app.ui.reading.mpr_menu import mpr_menu


@pytest.fixture
def owner(qapp: QApplication) -> QWidget:
    return QWidget()


def menu_of(owner: QWidget, view: ReformatView) -> tuple[QMenu, list[object]]:
    done: list[object] = []
    reformats = SimpleNamespace(view=lambda: view, to_thickness=done.append)
    reading = SimpleNamespace(reformats=reformats, command=done.append)
    return mpr_menu(owner, reading), done  # type: ignore[arg-type]


def texts(menu: QMenu) -> list[str]:
    return [a.text().split("\t")[0] for a in menu.actions() if not a.isSeparator()]


def test_it_ticks_what_is_shown_and_offers_what_is_of_use(owner: QWidget) -> None:
    menu, done = menu_of(
        owner, ReformatView(plane="coronal", slab_mode="max", slab_mm=12.0, thicknesses=(5.0, 8.0, 10.0, 12.0, 15.0))
    )
    assert [a.text().split("\t")[0] for a in menu.actions() if a.isChecked()] == [
        tr("ui.key.mpr_coronal"),
        tr("ui.key.slab_mip"),
    ]
    thickness = next(a.menu() for a in menu.actions() if a.menu() is not None)
    assert [t for t in texts(thickness) if t.endswith("mm")] == ["5 mm", "8 mm", "10 mm", "12 mm", "15 mm"]
    thickness.actions()[0].trigger()
    next(a for a in menu.actions() if a.text().startswith(tr("ui.key.slab_off"))).trigger()
    assert done == [5.0, "slab_off"]
    assert tr("ui.mpr.row") not in texts(menu)
    along, _ = menu_of(owner, ReformatView(plane="", curve=True, in_row=True, slab_mode="mean", slab_mm=8.0))
    assert {tr("ui.mpr.row"), tr("ui.key.sections_apart"), tr("ui.key.curve_higher")} <= set(texts(along))


def test_it_says_why_there_is_nothing_to_choose(owner: QWidget) -> None:
    refused = Problem("volume.not_a_stack", kept_safe="mpr.as_acquired")
    for view in (ReformatView(refused), ReformatView(refused, plane="stack")):
        menu, _ = menu_of(owner, view)
        assert texts(menu)[0].startswith(tr("volume.not_a_stack"))
        assert not any(a.isEnabled() for a in menu.actions() if not a.isSeparator())
