"""From nothing to the window: Qt, the library, the workstation, and back in order."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QMessageBox

from app.domain.problem import ProblemError
from app.ui import i18n, prewarm
from app.ui.app_window import AppWindow, application
from app.ui.main_loop import QtMainLoop

FAILED = 1


def _refuse(error: ProblemError) -> int:
    """The library cannot be opened: said in a window and on standard error, and nothing is left running."""
    text = i18n.tr_problem(error.problem)
    print(f"ekinshi: {text}", file=sys.stderr)
    QMessageBox.critical(None, "Ekinshi", text)
    return FAILED


def run_window(paths: Sequence[Path] = (), samples: bool = False, language: str = "") -> int:
    """Opens the workstation on this account's library, or on a throw-away demonstration library. Returns the exit code."""
    i18n.set_language(language or "en")
    try:
        qt = application()
    except ProblemError as error:
        print(f"ekinshi: {i18n.tr_problem(error.problem)}", file=sys.stderr)
        return FAILED
    from app.session.wiring import EphemeralHome, Options, open_workstation

    loop = QtMainLoop()
    temporary = EphemeralHome() if samples else None
    try:
        if temporary is not None:
            options = Options(temporary.path, temporary.keys, demo=True, language=language)
        else:
            from app.session.homes import home_folder
            from app.ui.passphrase_dialog import keys_for

            home = home_folder()
            try:
                keys = keys_for(home)
            except ProblemError as error:
                return _refuse(error)
            if keys is None:
                return FAILED
            options = Options(home, keys, language=language)
        try:
            workstation = open_workstation(options, loop)
        except ProblemError as error:
            return _refuse(error)
        try:
            window = AppWindow(workstation)
            window.showMaximized()
            QTimer.singleShot(200, window, prewarm.begin)
            sys.excepthook = lambda _kind, error, _trace: window.unexpected(error)
            if samples:
                QTimer.singleShot(0, window, window.open_samples)
            if paths:
                QTimer.singleShot(0, window, lambda: window.import_paths(list(paths)))
            code = qt.exec()
            sys.excepthook = sys.__excepthook__
            window.deleteLater()
            return code
        finally:
            workstation.shutdown()
    finally:
        if temporary is not None:
            with temporary:
                pass
