"""Pages of pictures, read back from the PDF: who, how many, how large on paper; without identity nothing of anybody."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from PySide6.QtPrintSupport import QPrinter

from app.domain.problem import ProblemError
from app.session.print_desk import PrintWish, Source
from app.session.print_layout import FORMS, PAPERS, sheet
from app.ui.reading.print_paint import write_pdf
from app.ui.reading.print_sheet import PrintSheet
from tests import phantoms
from tests.flows import stage
from tests.flows.conftest import OpenDesk
from tests.flows.test_spoken_names import controls, spoken


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("number", FORMS)
def test_pictures_lie_on_the_sheet_beside_each_other(paper: str, number: int) -> None:
    for landscape in (False, True):
        form = sheet(paper, number, landscape)
        assert len(form.pictures) == number
        for n, box in enumerate(form.pictures):
            assert box.x >= 9.99
            assert box.x + box.width <= form.width - 9.99
            assert box.y >= form.head.y + form.head.height
            assert box.y + box.height <= form.foot.y
            assert box.width > 30
            for other in form.pictures[n + 1 :]:
                assert other.x >= box.x + box.width + 3.9 or other.y >= box.y + box.height + 3.9


@pytest.fixture
def desk(tmp_path: Path, open_desk: OpenDesk) -> object:
    uid = stage.write_study(tmp_path / "dicom")
    demo = open_desk(tmp_path / "home", None)
    demo.window.import_paths([tmp_path / "dicom"])
    demo.until(lambda: demo.workstation.last_import_summary() is not None, 30.0, "the import")
    demo.pump(0.2)
    demo.window.open_study(uid)
    demo.workstation.reading.set_layout("1x2")
    demo.until(lambda: demo.window.screen_widget("reading").is_settled() and not demo.workstation.busy(), 30.0, "images")
    return demo


def words(path: Path) -> list[str]:
    with pypdfium2.PdfDocument(path) as document:
        return [document[n].get_textpage().get_text_range() for n in range(len(document))]


def test_the_pdf_holds_who_where_and_what(desk: object, tmp_path: Path) -> None:
    reading = desk.workstation.reading
    prints, study = reading.prints, reading.study
    wish = PrintWish(Source.PANES, 1, "14x17")
    pages = [prints.page(wish, n) for n in range(prints.page_count(wish))]
    assert len(pages) == prints.count(Source.PANES) == 2
    write_pdf(pages, tmp_path / "a.pdf")
    texts = words(tmp_path / "a.pdf")
    assert len(texts) == 2
    for number, text in enumerate(texts):
        for part in (study.patient.name.display(), study.patient.patient_id, f"{number + 1} / 2"):
            assert part in text, part
    with pypdfium2.PdfDocument(tmp_path / "a.pdf") as document:
        width, height = document[0].get_size()
        assert (width / 72, height / 72) == pytest.approx((14, 17), abs=0.01)
        picture = np.asarray(document[0].render(scale=1.0).to_pil().convert("L"))
    assert picture[150:1000].max() > 200
    assert (picture < 130).mean() > 0.3, "the image, on paper"


def test_without_identity_nothing_names_anybody(desk: object, tmp_path: Path) -> None:
    reading = desk.workstation.reading
    wish = PrintWish(Source.PANES, 2, "A4", identified=False)
    write_pdf([reading.prints.page(wish, 0)], tmp_path / "b.pdf")
    text, raw = "".join(words(tmp_path / "b.pdf")), (tmp_path / "b.pdf").read_bytes()
    patient = reading.study.patient
    for part in (*patient.name.display().split(), patient.patient_id, reading.study.study_datetime[:8]):
        assert part not in text
        assert part.encode() not in raw
        assert part.encode("utf-16-be") not in raw
    named, bare = (reading.prints.page(PrintWish(identified=i), 0).pictures[0].rgb for i in (True, False))
    assert np.any(named[:150] != bare[:150]), "nor do the corners"


def test_a_millimetre_of_the_patient_is_one_of_the_paper(desk: object, tmp_path: Path) -> None:
    """The distance of two of the phantom's balls, measured with a ruler on the rendered PDF."""
    reading = desk.workstation.reading
    reading.set_layout("1x1")
    frame = reading.room.frame_nearest_point("pane-0", stage.BALLS[0])
    reading.room.scroll(frame - reading.room.pane("pane-0").view.frame_index)
    desk.pump(0.05)
    desk.until(lambda: desk.window.screen_widget("reading").is_settled() and not desk.workstation.busy(), 30.0, "images")
    for paper, landscape in (("A4", False), ("11x14", True)):
        page = reading.prints.page(PrintWish(Source.ACTIVE, 1, paper, landscape, true_size=True), 0)
        assert page.pictures[0].true_size
        write_pdf([page], tmp_path / "c.pdf")
        with pypdfium2.PdfDocument(tmp_path / "c.pdf") as document:
            sheet_px = np.asarray(document[0].render(scale=300 / 72).to_pil().convert("L")).astype(float) / 255
        box, mm = page.pictures[0].box, 300 / 25.4
        # The slice of 48 x 40 voxels of 0.6 x 0.8 mm stands in the middle of the black box.
        cut = np.s_[
            round((box.y + box.height / 2 - 25) * mm) : round((box.y + box.height / 2 + 25) * mm),
            round((box.x + box.width / 2 - 25) * mm) : round((box.x + box.width / 2 + 25) * mm),
        ]
        lit = sheet_px[cut] > 0.02
        rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
        assert (columns[-1] - columns[0] + 1) / mm == pytest.approx(48 * 0.6, abs=0.4)
        assert (rows[-1] - rows[0] + 1) / mm == pytest.approx(40 * 0.8, abs=0.4)
    assert [w.id for w in page.pictures[0].caption][-1] == "print.true_size"
    reading.room.change_view(pan=(0.4, 0.0))
    moved = reading.prints.page(PrintWish(Source.ACTIVE, 9, "A4", true_size=True), 0)
    assert [w.id for w in moved.pictures[0].caption][-1] == "print.true_size_cut", "what does not fit is said"
    fitted = reading.prints.page(PrintWish(Source.ACTIVE, 1, "A4"), 0)
    assert not fitted.pictures[0].true_size


def test_key_images_are_printed_and_nothing_is_said_so(desk: object, tmp_path: Path) -> None:
    reading = desk.workstation.reading
    with pytest.raises(ProblemError) as none:
        reading.prints.page(PrintWish(Source.KEY_IMAGES), 0)
    assert none.value.problem.code == "print.nothing"
    frames = reading.room.display_set(reading.room.pane("pane-0")).frames
    for ref in (frames[0], frames[-1]):
        reading.desk.toggle_star(ref.sop_instance_uid, ref.frame)
    page = reading.prints.page(PrintWish(Source.KEY_IMAGES, 4), 0)
    assert len(page.pictures) == 2
    assert np.any(page.pictures[0].rgb != page.pictures[1].rgb)


def test_the_sheet_shows_the_page_and_writes_it(desk: object, tmp_path: Path) -> None:
    desk.window._run_command("print_images")
    desk.pump(0.05)
    shown = desk.window.findChild(PrintSheet)
    desk.until(lambda: shown.settled, 20.0, "the page")
    assert shown.preview.page is not None
    assert not shown.grab().isNull()
    assert all(spoken(c) for c in controls(shown)), "a screen reader names every control"
    assert shown.wish().per_page == 2, "as many places as there are panes"
    shown.per_page._choose(0)
    desk.until(lambda: shown.settled, 20.0, "the page")
    assert shown.preview.page.pages == 2
    shown._turn(1)
    desk.until(lambda: shown.settled, 20.0, "the page")
    assert shown.preview.page.number == 1
    printer = QPrinter(QPrinter.PrinterMode.HighResolution)
    printer.setOutputFormat(QPrinter.OutputFormat.PdfFormat)
    printer.setOutputFileName(str(tmp_path / "printer.pdf"))
    left = []
    shown.closed.connect(lambda: left.append(True))
    shown.print_by(printer)
    desk.until(lambda: bool(left), 30.0, "the printer")
    assert len(words(tmp_path / "printer.pdf")) == 2
    assert phantoms.ALIYA.patient_id in words(tmp_path / "printer.pdf")[0]


def test_the_sheet_writes_a_pdf_beside_the_window_or_says_why_not(desk: object, tmp_path: Path) -> None:
    desk.window._run_command("print_images")
    shown = desk.window.findChild(PrintSheet)
    left = []
    shown.closed.connect(lambda: left.append(True))
    shown.save(tmp_path / "no such folder" / "a.pdf")
    desk.until(lambda: shown.settled, 20.0, "the refusal")
    assert not left
    assert shown._said.text()
    shown.save(tmp_path / "a.pdf")
    desk.until(lambda: bool(left), 30.0, "the file")
    assert len(words(tmp_path / "a.pdf")) == 1
