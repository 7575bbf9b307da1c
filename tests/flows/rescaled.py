"""A process of its own: the window at 100 %, then the person takes another size with a study open. Prints one JSON line."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

from app.ui.app_window import AppWindow, application
from app.ui.application import windows
from app.ui.main_loop import QtMainLoop


def main(home: Path, study: Path, percents: list[int]) -> None:
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication

    from app.session.wiring import open_workstation
    from tests.flows.stage import options

    qt = application()
    loop = QtMainLoop()
    workstation = open_workstation(options(home, None), loop)
    called: list[int] = []
    posted = [0]
    stop = threading.Event()
    seen: list[dict[str, object]] = []

    def post_for_ever() -> None:
        while not stop.is_set():
            number = posted[0]
            loop.post(lambda n=number: called.append(n))
            posted[0] += 1
            time.sleep(0.0005)

    poster = threading.Thread(target=post_for_ever)

    def window() -> AppWindow:
        return next(w for w in QApplication.topLevelWidgets() if isinstance(w, AppWindow) and w.isVisible())

    def look() -> None:
        now = window()
        if now.screen == "reading" and not now.screen_widget("reading").panes.idle():
            QTimer.singleShot(20, look)
            return
        pane = now.screen_widget("reading").panes.active_pane()
        seen.append(
            {
                "ratio": now.devicePixelRatioF(),
                "screen": now.screen,
                "pane": [*pane.device_size(), *pane.picture.pixels.shape[:2][::-1]],
                "layout": workstation.reading.layout().name,
                "sheet": [type(c).__name__ for c in now.children() if type(c).__name__ == "SettingsSheet"],
            }
        )
        if percents:
            sheet = next((c for c in now.children() if type(c).__name__ == "SettingsSheet"), None)
            if sheet is None:
                now.show_settings()
                sheet = next(c for c in now.children() if type(c).__name__ == "SettingsSheet")
            sheet.size_choice.chosen.emit(percents.pop(0))
            again(now)
        else:
            stop.set()
            now.close()

    def again(old: AppWindow) -> None:
        """Waits, by the loop that outlives the application, for the next window."""
        shown = [w for w in QApplication.topLevelWidgets() if isinstance(w, AppWindow) and w.isVisible() and w is not old]
        loop.post(look if shown else lambda: (time.sleep(0.002), again(old)))

    def first(now: AppWindow) -> None:
        poster.start()
        now.import_paths([study])
        opened(now)

    def opened(now: AppWindow) -> None:
        if workstation.last_import_summary() is None:
            QTimer.singleShot(20, lambda: opened(now))
            return
        for child in now.children():
            if hasattr(child, "leave"):
                child.leave()
        now.open_study(workstation.last_import_summary().studies[0])
        workstation.reading.set_layout("1x2")
        QTimer.singleShot(50, look)

    code = windows(workstation, loop, qt, first)
    poster.join()
    from PySide6.QtCore import QCoreApplication

    for _ in range(50):
        QCoreApplication.processEvents()
    workstation.shutdown()
    print(json.dumps({"code": code, "seen": seen, "posted": posted[0], "called": called == list(range(posted[0]))}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), [int(p) for p in sys.argv[3:]])
