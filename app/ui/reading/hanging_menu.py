"""The part of the layout menu that keeps, exchanges and removes the reader's own arrangements."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from app.domain.problem import Problem, ProblemError
from app.session.views import Notice
from app.ui.i18n import tr
from app.ui.icons import icon
from app.ui.shortcuts import key_of

if TYPE_CHECKING:
    from app.session.own_hangings import HangingVerbs

LIMIT_BYTES = 4 << 20


def add_hanging_actions(menu: QMenu, verbs: HangingVerbs, parent: QWidget, notice: Callable[[Notice], None]) -> None:
    menu.addSeparator()
    key = key_of("reading", "save_arrangement")
    save = menu.addAction(icon("floppy-disk"), tr("ui.hanging.save") + (f"\t{key}" if key else ""))
    save.triggered.connect(verbs.save)
    own = verbs.own.own()
    if own:
        kept = menu.addMenu(tr("ui.hanging.own"))
        for protocol in own:
            entry = kept.addMenu(protocol.title or protocol.name)
            entry.addAction(icon("export"), tr("ui.hanging.export")).triggered.connect(
                lambda _=False, n=protocol.name: _export(verbs, n, parent, notice)
            )
            entry.addAction(icon("trash"), tr("ui.hanging.remove")).triggered.connect(
                lambda _=False, n=protocol.name: verbs.own.remove(n)
            )
    menu.addAction(icon("download-simple"), tr("ui.hanging.import")).triggered.connect(
        lambda: _import(verbs, parent, notice)
    )


def _export(verbs: HangingVerbs, name: str, parent: QWidget, notice: Callable[[Notice], None]) -> None:
    file, _ = QFileDialog.getSaveFileName(parent, tr("ui.hanging.export"), f"{name}.dcm", "DICOM (*.dcm)")
    if not file:
        return
    try:
        Path(file).write_bytes(verbs.own.export(name, "Ekinshi"))
    except ProblemError as error:
        notice(Notice(error.problem))
    except OSError as error:
        notice(Notice(Problem("hanging.not_written", {"kind": type(error).__name__})))


def _import(verbs: HangingVerbs, parent: QWidget, notice: Callable[[Notice], None]) -> None:
    file, _ = QFileDialog.getOpenFileName(parent, tr("ui.hanging.import"), "", "DICOM (*.dcm *)")
    if not file:
        return
    try:
        with Path(file).open("rb") as stream:
            verbs.own.bring(stream.read(LIMIT_BYTES + 1))
    except ProblemError as error:
        notice(Notice(error.problem))
    except OSError as error:
        notice(Notice(Problem("hanging.object_unreadable", {"kind": type(error).__name__})))
