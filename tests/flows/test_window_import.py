"""Bad files dropped on the window: the summary opens by itself and names each with its reason; the rest is in the list."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from app.domain.messages import sentence
from app.session.import_views import Phase
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


def test_what_is_dropped_is_shown_first_and_comes_in_when_a_person_says_so(open_desk: OpenDesk, tmp_path: Path) -> None:
    """A ZIP with a study, a cut file and a film; the explorer opens on what was refused."""
    phantoms.write_ct(tmp_path / "in" / "ct")
    bad = phantoms.write_bad_files(tmp_path / "bad")
    shutil.copy(bad["truncated_header"], tmp_path / "in" / "cut.dcm")
    Image.fromarray((np.arange(400 * 400) % 251).astype(np.uint8).reshape(400, 400)).save(tmp_path / "in" / "film.png")
    with zipfile.ZipFile(tmp_path / "disc.zip", "w") as archive:
        for path in sorted((tmp_path / "in").rglob("*")):
            archive.write(path, path.relative_to(tmp_path / "in").as_posix())
    demo = open_desk(tmp_path / "home", None)
    imports = demo.workstation.imports
    demo.window.offer_import([tmp_path / "disc.zip"])
    demo.until(lambda: imports.phase is Phase.CHOOSING, 30, "the look")
    demo.pump(0.2)
    dialog = demo.window.imports.dialog
    assert dialog is not None
    assert "Import 1 study" in dialog._go.text()
    assert demo.workstation.library.studies.count() == 0
    view = imports.view()
    assert [(f.name, f.info.kind) for f in view.pictures] == [("film.png", "png")]
    assert [r.problem.code for r in view.refused] == ["dicom.truncated"]
    dialog._explore()
    demo.pump(0.3)
    assert demo.window.explorer.sheet is not None
    assert demo.window.explorer.sheet.isVisible()
    demo.window.explorer.sheet.leave()
    dialog._go.click()
    demo.until(lambda: imports.phase is Phase.DONE, 30, "the import")
    demo.pump(0.2)
    assert demo.workstation.library.studies.count() == 1
    form = dialog._films
    form._choose(imports.patients("")[0])
    form._select.chosen.emit("panoramic")
    form._sure.setChecked(True)
    form._bind.click()
    demo.until(lambda: demo.workstation.library.studies.count() == 2, 30, "the film")
    demo.pump(0.2)
    assert not form.isVisible()
    dialog.leave()
