"""The explorer's sheet over a real explorer: search in slices, samples and repairs beside the window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from app.dicom.byte_source import FileByteSource, file_locator
from app.domain.problem import Problem
from app.session.explorer import Explorer, of_path, of_refused
from app.session.importing import ImportSummary
from app.session.tasks import TaskRunner
from app.session.views import Words
from app.ui.explorer import sheet as sheet_module
from app.ui.explorer.reason_card import ReasonCard
from app.ui.explorer.sheet import ExplorerSheet
from app.ui.main_loop import QtMainLoop
from app.ui.widgets.buttons import Button
from tests.dicom.builders import image, save
from tests.dicom.saved_phantom import item
from tests.ui.conftest import settle, settled

TEN = np.stack([np.arange(48, dtype=np.uint16).reshape(6, 8) + n for n in range(10)])


class Repairs:
    def __init__(self, tasks: TaskRunner) -> None:
        self.tasks = tasks
        self.asked: list[tuple[str, str]] = []

    def start(self, source: object, key: str, repair: Any, done: Any, failed: Any) -> str:
        self.asked.append((key, repair.kind))
        summary = ImportSummary(("1",), (), 1, 1, 0, (), 0, (), 0, 1)
        return self.tasks.start(Words("task.repair"), lambda progress: summary, done, failed)


class Workstation:
    def __init__(self) -> None:
        self.runner = TaskRunner(QtMainLoop(), lambda: None)
        self.repairs = Repairs(self.runner)
        self.explorer = Explorer(FileByteSource(), QtMainLoop(), self.runner, self.repairs)  # type: ignore[arg-type]
        self.dismissed: list[str] = []

    def tasks(self) -> tuple[Any, ...]:
        return self.runner.views()

    def cancel_task(self, task: str) -> None:
        self.runner.cancel(task)

    def dismiss_task(self, task: str) -> None:
        self.dismissed.append(task)
        self.runner.dismiss(task)


@pytest.fixture
def made(qapp: QApplication) -> Iterator[tuple[Workstation, ExplorerSheet]]:
    workstation = Workstation()
    ground = QWidget()
    ground.resize(1400, 900)
    ground.show()
    sheet = ExplorerSheet(workstation, ground)  # type: ignore[arg-type]
    yield workstation, sheet
    workstation.explorer.close()
    workstation.runner.close()
    ground.close()
    ground.deleteLater()


def shown(sheet: ExplorerSheet, files: tuple[Any, ...]) -> None:
    sheet.open()
    sheet.show_files(files, Words("ui.explorer.title"))
    assert settled(lambda: sheet._shown is not None)


def test_a_search_goes_on_in_slices_and_the_newest_word_counts(
    made: tuple[Workstation, ExplorerSheet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    d = image(TEN[0])
    d.PerFrameFunctionalGroupsSequence = [item(FrameContentSequence=[item(StackID=f"S{n}")]) for n in range(700)]
    path = save(d, tmp_path / "enhanced.dcm")
    monkeypatch.setattr(sheet_module, "_SLICE_S", -1.0)
    _, sheet = made
    shown(sheet, (of_path(path),))
    slices: list[int] = []
    real = sheet._look_on
    monkeypatch.setattr(sheet, "_look_on", lambda: (slices.append(1), real()))
    sheet._slices.timeout.connect(lambda: slices.append(1))
    sheet._search.edit.setText("s5")
    sheet._find()
    assert sheet._search.note.text() == "searching…"
    assert sheet._looking is not None, "the window is asked in between"
    sheet._search.edit.setText("s699")
    sheet._find()
    assert settled(lambda: sheet._looking is None)
    assert [h.keyword for h in sheet._hits] == ["StackID"]
    assert len(slices) > 5
    sheet._search.edit.setText("s1")
    sheet._find()
    sheet._search.edit.setText("")
    sheet._find()
    settle()
    assert sheet._looking is None
    assert sheet._model._hits is None


def test_a_sample_shows_its_progress_and_can_be_cancelled(
    made: tuple[Workstation, ExplorerSheet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workstation, sheet = made
    shown(sheet, (of_path(save(image(TEN[0]), tmp_path / "one.dcm")),))
    sheet.export(tmp_path / "sample.dcm", True)
    assert sheet._writing.isVisible()
    assert not sheet._export.isVisible()
    assert settled(lambda: sheet._export.isVisible())
    assert (tmp_path / "sample.dcm").exists()
    assert "values were replaced" in sheet._facts.text() or sheet._facts.text()
    sheet.export(tmp_path / "none" / "sample.dcm", True)
    assert settled(lambda: bool(workstation.dismissed) and sheet._export.isVisible())
    assert workstation.tasks() == ()
    gate = sheet_module.time.monotonic() + 10

    def slow(key: str, target: Path, noise: bool, progress: Any) -> None:
        from app.domain.ports import Cancelled

        while sheet_module.time.monotonic() < gate:
            if progress.cancelled():
                raise Cancelled
        raise AssertionError("it was not cancelled")

    monkeypatch.setattr(workstation.explorer, "write_sample", slow)
    sheet.export(tmp_path / "other.dcm", True)
    stop = sheet._writing.findChild(Button)
    QTest.mouseClick(stop, Qt.MouseButton.LeftButton)
    assert settled(lambda: sheet._export.isVisible())
    assert workstation.tasks() == ()


def test_a_repair_is_offered_where_one_is_feasible(made: tuple[Workstation, ExplorerSheet], tmp_path: Path) -> None:
    workstation, sheet = made
    whole = save(image(TEN), tmp_path / "whole.dcm").read_bytes()
    (tmp_path / "cut.dcm").write_bytes(whole[: -96 * 3])
    (tmp_path / "hopeless.dcm").write_bytes(whole[: -96 * 10 + 5])
    refused = [_refused(tmp_path / name) for name in ("cut.dcm", "hopeless.dcm")]
    shown(sheet, of_refused(refused))
    (card, *_) = sheet.findChildren(ReasonCard)
    (mend,) = [b for b in card.findChildren(Button) if b.text() == "Repair a copy"]
    QTest.mouseClick(mend, Qt.MouseButton.LeftButton)
    assert workstation.repairs.asked == [(file_locator(tmp_path / "cut.dcm"), "frames")]
    assert settled(lambda: "original bytes are kept" in sheet._facts.text() and sheet._export.isVisible())
    sheet._pick(file_locator(tmp_path / "hopeless.dcm"))
    assert settled(lambda: sheet._shown is not None and sheet._shown.name == "hopeless.dcm")
    settle()
    assert not [b for b in sheet.findChildren(Button) if b.text() == "Repair a copy" and b.isVisible()]


def _refused(path: Path) -> Any:
    from app.domain.study import RefusedFile

    return RefusedFile(str(path), Problem("dicom.truncated"))
