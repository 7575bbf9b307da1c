"""Bad files dropped on the window: the summary opens by itself and names each with its reason; the rest is in the list."""

from __future__ import annotations

from pathlib import Path

from app.domain.messages import sentence
from app.ui.worklist.import_sheet import ImportSheet
from tests import phantoms
from tests.flows.conftest import OpenDesk
from tests.flows.test_seal import on_screen


def test_the_summary_names_each_file_that_was_refused(open_desk: OpenDesk, tmp_path: Path) -> None:
    phantoms.write_bad_files(tmp_path / "dicom")
    demo = open_desk(tmp_path / "home", None)
    demo.window.import_paths([tmp_path / "dicom"])
    demo.until(lambda: bool(demo.window.findChildren(ImportSheet)), 30, "the summary")
    demo.pump(0.1)
    summary = demo.workstation.last_import_summary()
    assert summary is not None
    assert len(summary.refused) == 8
    text = on_screen(demo.window)
    for refused in summary.refused:
        assert Path(refused.path).name in text
        assert sentence("en", refused.problem).split(".")[0] in text
    assert len(demo.workstation.library.studies.search()) == 2


def test_a_clean_import_shows_its_studies_and_nothing_else(open_desk: OpenDesk, tmp_path: Path) -> None:
    phantoms.write_ct(tmp_path / "dicom")
    demo = open_desk(tmp_path / "home", None)
    demo.window.import_paths([tmp_path / "dicom"])
    demo.until(lambda: not demo.workstation.tasks(), 30, "import")
    demo.pump(0.1)
    assert not demo.window.findChildren(ImportSheet)
    assert demo.window.worklist.table.list.current_key()
