from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.report import Report, ReportLine
from app.report.pdf import render_pdf
from tests.dicom.objects_phantom import READER
from tests.report.report_phantom import full_report, signature_block, verdict_rows


def text_of(pdf: bytes, folder: Path) -> list[str]:
    """Text page by page."""
    program = shutil.which("pdftotext")
    if program is None:
        pytest.skip("pdftotext (Debian package poppler-utils) is not installed")
    file = folder / "x.pdf"
    file.write_bytes(pdf)
    done = subprocess.run([program, "-layout", str(file), "-"], capture_output=True, check=True, timeout=60)  # noqa: S603
    return done.stdout.decode("utf-8").split("\f")[:-1]


def long(report: Report) -> Report:
    lines = tuple(ReportLine(f"Сөйлем {n}: ұзын мәтін, ол бірнеше бетке созылады. " * 3, edited=True) for n in range(60))
    return replace(report, sections=(replace(report.sections[0], lines=lines), *report.sections[1:]))


@pytest.mark.parametrize("language", ["en", "ru", "kk"])
def test_every_page_says_who_and_which_page(language: str, tmp_path: Path) -> None:
    pages = text_of(render_pdf(long(full_report(language, demonstration=True)), signature=signature_block()), tmp_path)
    assert len(pages) > 2
    total = len(pages)
    page_words = {"en": "Page {0} of {1}", "ru": "Страница {0} из {1}", "kk": "{1} беттің {0}-беті"}[language]
    mark = {"en": "DEMONSTRATION", "ru": "ДЕМОНСТРАЦИЯ", "kk": "КӨРСЕТІЛІМ"}[language]
    for number, page in enumerate(pages, start=1):
        assert "Серікбаева Әлия Маратқызы" in page
        assert "620314400027" in page
        assert page_words.format(number, total) in page
        assert mark in page


def test_kazakh_letters_are_drawn_and_extracted(tmp_path: Path) -> None:
    report = full_report("kk")
    letters = "Әә Ғғ Ққ Ңң Өө Ұұ Үү Һһ Іі"
    report = replace(report, sections=(replace(report.sections[0], lines=(ReportLine(letters),)), *report.sections[1:]))
    assert letters in text_of(render_pdf(report), tmp_path)[0]


def test_the_second_reading_is_told_with_model_and_verdicts(tmp_path: Path) -> None:
    report = full_report("ru")
    (page, *_) = text_of(
        render_pdf(report, verdicts=verdict_rows(), readers=(READER,), signature=signature_block()), tmp_path
    )
    for words in (
        "lung_ct 1.2.0",
        "sensitivity 0.90",
        "Только для исследований",
        "отклонено",
        "артефакт",
        "0,88",
        "изменено",
    ):
        assert words in page
    assert "тестовым сертификатом" in page
    assert "не имеет юридической силы" in page
    assert "Жақсыбекова Айнұр Ерланқызы" in page


def test_a_reader_that_found_nothing_is_told_too(tmp_path: Path) -> None:
    (page, *_) = text_of(render_pdf(full_report("en"), readers=(READER,)), tmp_path)
    assert "The second reader marked nothing" in page


def test_without_a_signature_it_says_draft(tmp_path: Path) -> None:
    (page, *_) = text_of(render_pdf(full_report("en")), tmp_path)
    assert "DRAFT, not signed" in page
    (page, *_) = text_of(render_pdf(full_report("en"), signature=signature_block(test_certificate=False)), tmp_path)
    assert "DRAFT" not in page
    assert "test certificate" not in page
    assert "DEMONSTRATION" not in page


def test_markup_in_typed_text_is_only_text(tmp_path: Path) -> None:
    report = full_report("en")
    evil = "<b>a</b> & <img src='file:///etc/hostname'/> 5 < 6"
    report = replace(report, sections=(replace(report.sections[0], lines=(ReportLine(evil),)), *report.sections[1:]))
    assert "<b>a</b> & <img" in text_of(render_pdf(report), tmp_path)[0]


def test_the_same_report_gives_the_same_bytes() -> None:
    arguments = {"verdicts": verdict_rows(), "readers": (READER,), "signature": signature_block()}
    first = render_pdf(full_report("kk"), **arguments)  # type: ignore[arg-type]
    assert render_pdf(full_report("kk"), **arguments) == first  # type: ignore[arg-type]
