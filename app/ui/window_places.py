"""Puts windows where they stood on these monitors, and brings one back whose monitor was taken away."""

from __future__ import annotations

from PySide6.QtCore import QObject, QRect
from PySide6.QtGui import QGuiApplication, QScreen
from PySide6.QtWidgets import QWidget

from app.session.comforts import Comforts
from app.session.window_places import Monitor, Rect, Standing, WindowPlaces, fitted


def _rect(area: QRect) -> Rect:
    return Rect(area.x(), area.y(), area.width(), area.height())


def monitors() -> tuple[Monitor, ...]:
    """The main one first."""
    main = QGuiApplication.primaryScreen()
    screens = [main, *(s for s in QGuiApplication.screens() if s is not main)]
    return tuple(Monitor(f"{s.manufacturer()} {s.model()} {s.name()}", _rect(s.availableGeometry())) for s in screens if s)


def standing(window: QWidget) -> Standing:
    return Standing(_rect(window.geometry()), 2 if window.isFullScreen() else 1 if window.isMaximized() else 0)


class Placer(QObject):
    """Follows the windows of a programme while monitors come and go. Main thread only."""

    def __init__(self, comforts: Comforts, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._places = WindowPlaces(comforts)
        self._windows: dict[str, QWidget] = {}
        self._before = monitors()
        application = QGuiApplication.instance()
        if isinstance(application, QGuiApplication):
            application.screenAdded.connect(self._changed)
            application.screenRemoved.connect(self._changed)

    def place(self, name: str, window: QWidget) -> bool:
        """Shows the window where it stood on these monitors; False (and nothing done) when it never did."""
        self._windows[name] = window
        kept = self._places.kept(name, monitors())
        if kept is not None:
            self._stand(window, kept)
        return kept is not None

    def beside(self, window: QWidget, other: QWidget) -> None:
        """Over the whole of a monitor that ``other`` does not stand on; a window of its own where there is only one."""
        free = [s for s in QGuiApplication.screens() if s is not QWidget.screen(other)]
        if free:
            window.setGeometry(free[0].geometry())
            window.showFullScreen()
        else:
            window.show()

    def let_go(self, name: str) -> None:
        """Keeps the place of a window that goes."""
        window = self._windows.pop(name, None)
        if window is not None:
            self._places.keep(name, standing(window), monitors())

    def _stand(self, window: QWidget, where: Standing) -> None:
        a = where.area
        window.setGeometry(a.x, a.y, a.width, a.height)
        (window.showNormal, window.showMaximized, window.showFullScreen)[where.state]()

    def _changed(self, screen: QScreen) -> None:
        """Another set: where the windows stood on it, else where they are as far as that can be seen."""
        del screen
        now = monitors()
        if not now or now == self._before:
            return
        for name, window in self._windows.items():
            if window.isVisible():
                stood = standing(window)
                self._places.keep(name, stood, self._before)
                kept = self._places.kept(name, now)
                wanted = kept or fitted(stood, now)
                if wanted != stood:
                    self._stand(window, wanted)
        self._before = now
