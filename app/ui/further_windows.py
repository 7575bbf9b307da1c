"""The main window and those beside it: for the patient, and for the panes of a second monitor; each where it stood."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

from app.ui.window_places import Placer

if TYPE_CHECKING:
    from app.session.workstation import Workstation
    from app.ui.app_window import AppWindow
    from app.ui.reading.patient_window import PatientWindow
    from app.ui.reading.spread import SpreadWindow


class FurtherWindows:
    """Main thread only. Without settings (a test's workstation) nothing is remembered."""

    def __init__(self, workstation: Workstation, main: AppWindow) -> None:
        self._workstation, self._main = workstation, main
        settings = getattr(workstation, "settings", None)
        self._placer = Placer(settings.comforts, main) if settings is not None else None
        self.patient: PatientWindow | None = None
        self.spread: SpreadWindow | None = None

    def stand(self) -> None:
        if self._placer is None or not self._placer.place("main", self._main):
            self._main.showMaximized()

    def toggle_patient(self) -> None:
        if self.patient is not None:
            self._close("patient", self.patient)
        elif self._workstation.reading is not None:
            from app.ui.reading.patient_window import PatientWindow

            self.patient = PatientWindow(self._main.screen_widget("reading").panes, self._main)  # type: ignore[attr-defined]
            self.patient.gone.connect(lambda: self._gone("patient"))
            self._show("patient", self.patient)
            self.patient.begin()

    def toggle_spread(self) -> None:
        if self.spread is not None:
            self._close("spread", self.spread)
        elif self._workstation.reading is not None:
            from app.ui.reading.spread import SpreadWindow

            self.spread = SpreadWindow(self._main.screen_widget("reading").panes, self._main)  # type: ignore[attr-defined]
            self.spread.gone.connect(lambda: self._gone("spread"))
            self._show("spread", self.spread)
            self._main.activateWindow()

    def _show(self, name: str, window: QWidget) -> None:
        if self._placer is None:
            window.show()
        elif not self._placer.place(name, window):
            self._placer.beside(window, self._main)

    def _close(self, name: str, window: QWidget) -> None:
        window.close()
        self._gone(name)

    def _gone(self, name: str) -> None:
        """Closed by a person: its place is kept."""
        if self._placer is not None:
            self._placer.let_go(name)
        if name == "patient":
            self.patient = None
        else:
            self.spread = None

    def leave(self) -> None:
        """The main window closes, and the others with it."""
        if self._placer is not None:
            self._placer.let_go("main")
        for window in (self.patient, self.spread):
            if window is not None:
                window.close()
