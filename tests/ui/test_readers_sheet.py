"""The cards of the second readers: every shipped figure has a name in three languages and stands on the sheet."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QWidget

from app.ai.catalogue import Catalogue
from app.domain.messages import LANGUAGES, templates
from app.session.readers_desk import BrokenPage, CardPage, metric_words, pages
from app.ui import i18n
from app.ui.i18n import data_words, number
from app.ui.readers.sheet import ReadersSheet
from app.ui.widgets.text import Text

ROOT = Path(__file__).parents[2]


def shipped(language: str) -> tuple[CardPage, ...]:
    trust = [ROOT / "resources" / "models" / "trust.json"]
    made, broken = pages(Catalogue([ROOT / "resources" / "models"], trust), language)
    assert not broken
    if not made:
        pytest.skip("no package is built")
    return made


class _Workstation:
    def __init__(self, language: str, broken: tuple[BrokenPage, ...] = ()) -> None:
        self.language, self.broken = language, broken

    def reader_pages(self) -> tuple[tuple[CardPage, ...], tuple[BrokenPage, ...]]:
        return shipped(self.language), self.broken


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_the_shipped_cards_is_translated(language: str) -> None:
    known = templates(language)
    missing = []
    for page in shipped(language):
        assert page.made_for
        assert page.not_for
        texts = {*page.trained_on, page.operating_point, page.bands_data, *(data for data, _ in page.figures)} - {""}
        missing += [t for t in texts if f"data.{i18n.slug(t)}" not in known]
        missing += [m.key for _, metrics in page.figures for m in metrics if metric_words(m.key).id not in known]
    assert not missing


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sheet_shows_every_figure_with_its_interval_and_data(qtbot: object, language: str) -> None:
    i18n.set_language(language)
    try:
        window = QWidget()
        qtbot.addWidget(window)  # type: ignore[attr-defined]
        window.resize(1600, 960)
        sheet = ReadersSheet(_Workstation(language), window)  # type: ignore[arg-type]
        for page in shipped(language):
            assert sheet.list.select_key(page.reader)
            said = [t.text() for t in sheet.findChildren(Text)]
            for data, metrics in page.figures:
                assert data_words(data) in said
                for metric in metrics:
                    assert i18n.tr(metric_words(metric.key)) in said
                    assert number(metric.value, 3 if abs(metric.value) < 2 else 1) in said
            assert set(page.not_for) <= set(said)
    finally:
        i18n.set_language("en")
