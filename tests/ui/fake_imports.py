"""Import and export desks without a library behind them: a disc with two patients, a refusal and a film."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from app.dicom.plain_pictures import PictureInfo
from app.dicom.tag_compare import Difference
from app.domain.problem import Problem
from app.domain.study import Patient, PersonName, RefusedFile
from app.session.aside_desk import AsideLine, AsideView, Side
from app.session.import_views import (
    Check,
    CutImport,
    FoundPicture,
    ImportLine,
    ImportView,
    KnownPatient,
    Level,
    Phase,
    SmallPicture,
)
from app.session.views import Changes, Words

TILEUBAEV = Patient("580802300116", "", PersonName("Тілеубаев^Ғалым^Сейтжанұлы"), "19580802", "M")
LINE = Words("import.patient_line", {"sex": Words("sex.m"), "born": "02.08.1958", "number": "580802 3•• •16"})


def lines(running: bool) -> tuple[ImportLine, ...]:
    def one(key: str, parent: str, level: Level, title: str, note: Words | str, **more: Any) -> ImportLine:
        base = ImportLine(
            key, parent, level, title, note, "CT", 348, 183_400_000, Check.ON, True, "", Words("import.state.new")
        )
        return replace(base, **more)

    fraction = {"fraction": 0.56, "done_bytes": 102_700_000} if running else {}
    shared = Problem("import.shared_number", next_step="import.next.choose_person")
    place = Words("import.place.known")
    return (
        one("p1", "", Level.PATIENT, TILEUBAEV.name.display(), LINE, icon="user", state=place, role="secondary"),
        one("s1", "p1", Level.STUDY, "Chest with contrast", "12.11.2026 · Шалқар", picture="pic", **fraction),
        one("e1", "s1", Level.SERIES, "2 · Arterial 1.0", Words("import.note.regular", {"mm": "0.80"}), **fraction),
        one("p2", "", Level.PATIENT, "KIM Alexandr", LINE, icon="user", state=Words("import.place.new"), check=Check.OFF),
        one(
            "s2", "p2", Level.STUDY, "Heart", "29.10.2026", modality="US", check=Check.OFF, icon="warning",
            state=Words("import.state.shared"), role="bad", why=shared,
        ),
        one("e2", "s2", Level.SERIES, "1 · Cine", Words("import.note.cine", {"n": 65}), modality="US", check=Check.OFF),
    )  # fmt: skip


class FakeAside:
    """Two files that wait for a choice."""

    def __init__(self) -> None:
        self.lines: tuple[AsideLine, ...] = ()
        self.cannot_take: Problem | None = None
        self.asked: list[tuple[str, str]] = []

    def count(self) -> int:
        return len(self.lines)

    def waiting(self) -> tuple[AsideLine, ...]:
        return self.lines

    def compare(self, key: str, came: Any, failed: Any = None) -> str:
        grey = np.tile(np.linspace(0, 255, 96).astype(np.uint8), (96, 1))
        different = (
            Difference("(0008,0023)", "ContentDate", "20260301", "20260302"),
            Difference("(0018,0060)", "KVP", "120", "", in_other=False),
            Difference("(7FE0,0010)", "PixelData", "", "", bulk=True),
        )
        first, other = (
            Side("#4 · 512 × 512", digit * 64, 526_000, pixels) for digit, pixels in (("a", grey), ("b", grey.T))
        )
        came(AsideView(key, first, other, different, self.cannot_take))
        return "task-1"

    def keep_shown(self, key: str) -> None:
        self.asked.append(("keep", key))
        self.lines = tuple(x for x in self.lines if x.key != key)

    def show_other(self, key: str) -> None:
        self.asked.append(("take", key))
        self.lines = tuple(x for x in self.lines if x.key != key)


class FakeEjector:
    def __init__(self) -> None:
        self.started = 0

    def start(self) -> None:
        self.started += 1


class FakeImports:
    def __init__(self, workstation: Any) -> None:
        self._workstation = workstation
        self.phase = Phase.IDLE
        self.asked: list[tuple] = []
        self.cut: tuple[CutImport, ...] = ()
        self.aside = FakeAside()
        self.ejector = FakeEjector()
        self.medium = ""

    def tell(self) -> None:
        self._workstation.changed.emit(Changes(tasks=True))

    def offer(self, paths: Sequence[Path]) -> bool:
        self._workstation.asked.append(("import", *paths))
        self.phase = Phase.CHOOSING
        return True

    def view(self) -> ImportView:
        running = self.phase in (Phase.IMPORTING, Phase.PAUSED)
        info = PictureInfo("jpeg", 3_100_000, rows=2000, columns=2000)
        return ImportView(
            self.phase,
            "KINGSTON",
            read_only_medium=True,
            medium=self.medium,
            lines=lines(running) if self.phase is not Phase.IDLE else (),
            patients=2,
            studies=2,
            fraction=0.66 if running else 0.0,
            done_bytes=1_340_000_000 if running else 0,
            total_bytes=2_030_000_000 if running else 0,
            bytes_per_s=9_600_000.0 if running else None,
            seconds_left=72.0 if running else None,
            now="/media/KINGSTON/DICOM/MG/DBT_R_MLO.dcm" if running else "",
            files_seen=977,
            scan_s=0.9,
            programs=12,
            chosen_studies=1,
            chosen_images=348,
            new_images=348,
            new_bytes=183_400_000,
            free_bytes=412_000_000_000,
            refused=(RefusedFile("/media/OLD/IM000213.dcm", Problem("dicom.truncated", next_step="dicom.next.ask_again")),),
            remarks=(Problem("media.wrong_links", {"name": "DICOMDIR", "reached": 1, "listed": 52}),),
            pictures=(FoundPicture("picture/1", "/media/film.jpg", "film_tileubaev_2019.jpg", info),),
        )

    def picture(self, key: str) -> SmallPicture | None:
        from tests.ui.fake_workstation import chest

        return SmallPicture(key, chest(96, 7))

    def patients(self, text: str) -> tuple[KnownPatient, ...]:
        return (
            KnownPatient("a", TILEUBAEV, TILEUBAEV.name.display(), LINE, True),
            KnownPatient("b", TILEUBAEV, "Тілеубаева Гүлзира Сәкенқызы", LINE, False),
        )

    def cut_imports(self) -> tuple[CutImport, ...]:
        return self.cut

    def start(self) -> None:
        self.asked.append(("start",))
        self.phase = Phase.IMPORTING
        self.tell()

    def pause(self) -> None:
        self.phase = Phase.PAUSED
        self.tell()

    def go_on(self) -> None:
        self.phase = Phase.IMPORTING
        self.tell()

    def resume(self, job_id: str) -> bool:
        self.asked.append(("resume", job_id))
        self.phase = Phase.IMPORTING
        return True

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self.asked.append((name, *arguments))


class FakeExports:
    def __init__(self, workstation: Any) -> None:
        self._workstation = workstation
        self.asked: list[tuple] = []
        self._state: Any = None

    @property
    def state(self) -> Any:
        """Made at its first use: a window that shows nothing of it loads nothing for it."""
        if self._state is None:
            from app.session.export_desk import ExportPhase, ExportView

            self._state = ExportView(ExportPhase.CHOOSING, 1, 348, 183_400_000, "Тілеубаев Ғалым", 3)
        return self._state

    def choose(self, uids: Sequence[str]) -> bool:
        self.asked.append(("choose", *uids))
        return True

    def view(self) -> Any:
        return self.state

    def start(self, target: Path, wish: Any) -> None:
        self.asked.append(("start", target, wish))
        from app.session.export_desk import ExportPhase

        self._state = replace(self.state, phase=ExportPhase.WRITING, fraction=0.4, stage="export.stage.writing")

    def cancel(self) -> None:
        self.asked.append(("cancel",))

    def again(self) -> None:
        self._state = None
