"""From nothing to the window: Qt, the library, the workstation, and back in order."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QMessageBox

from app.domain.problem import ProblemError
from app.ui import i18n, prewarm, text_size
from app.ui.app_window import AppWindow, application
from app.ui.main_loop import QtMainLoop

if TYPE_CHECKING:
    from app.session.workstation import Workstation

FAILED = 1


def _refuse(error: ProblemError) -> int:
    """The library cannot be opened: said in a window and on standard error, and nothing is left running."""
    text = i18n.tr_problem(error.problem)
    print(f"ekinshi: {text}", file=sys.stderr)
    QMessageBox.critical(None, "Ekinshi", text)
    return FAILED


def _window(workstation: Workstation, screen: str) -> AppWindow:
    """The window over the workstation; ``screen``: where another one stood before it."""
    window = AppWindow(workstation)
    window.stand()
    QTimer.singleShot(200, window, lambda: prewarm.begin(window.make_ready))
    prewarm.VolumeWarmth(workstation, window)
    sys.excepthook = lambda _kind, error, _trace: window.unexpected(error)
    if screen:
        window.go(screen)
        window.show_settings()
    return window


def windows(
    workstation: Workstation, loop: QtMainLoop, qt: QApplication, first: Callable[[AppWindow], None] = lambda _: None
) -> int:
    """The window until it is closed; again, with an application of its own, for another size of the interface.

    ``first`` is told the first one. Returns the exit code.
    """
    screen = ""
    while True:
        window = _window(workstation, screen)
        if not screen:
            QTimer.singleShot(0, window, window.restore)
            first(window)
        code = qt.exec()
        sys.excepthook = sys.__excepthook__
        again, screen = window.again, window.screen
        window.deleteLater()
        del window
        if not again:
            return code
        loop.close()
        text_size.end_application(qt)
        del qt
        text_size.announce(workstation.settings.text_percent)
        qt = application()
        loop.open()


def run_window(paths: Sequence[Path] = (), samples: bool = False, language: str = "") -> int:
    """Opens the workstation on this account's library, or on a throw-away demonstration library. Returns the exit code."""
    i18n.set_language(language or "en")
    from app.session.homes import home_folder
    from app.session.settings_desk import text_percent

    try:
        text_size.announce(100 if samples else text_percent(home_folder()))
        qt = application()
    except ProblemError as error:
        print(f"ekinshi: {i18n.tr_problem(error.problem)}", file=sys.stderr)
        return FAILED
    from app.session.wiring import EphemeralHome, Options, open_workstation

    loop = QtMainLoop()
    temporary = EphemeralHome() if samples else None
    try:
        if temporary is not None:
            options = Options(temporary.path, temporary.keys, demo=True, language=language, priors_beside=True)
        else:
            from app.ui.passphrase_dialog import keys_for

            home = home_folder()
            try:
                keys = keys_for(home)
            except ProblemError as error:
                return _refuse(error)
            if keys is None:
                return FAILED
            options = Options(home, keys, language=language, priors_beside=True)
        try:
            workstation = open_workstation(options, loop)
        except ProblemError as error:
            return _refuse(error)
        try:

            def first(window: AppWindow) -> None:
                if samples:
                    QTimer.singleShot(0, window, window.open_samples)
                if paths:
                    QTimer.singleShot(0, window, lambda: window.import_paths(list(paths)))

            return windows(workstation, loop, qt, first)
        finally:
            workstation.shutdown()
    finally:
        if temporary is not None:
            with temporary:
                pass
