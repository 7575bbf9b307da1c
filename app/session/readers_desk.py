"""The cards of the second readers on this PC as a person reads them. Pure but for the catalogue's own list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.ai.catalogue import Catalogue, InstalledPackage
from app.domain.model_card import CalibrationBand, Metric
from app.domain.problem import Problem
from app.session.views import NOTHING, Words


@dataclass(frozen=True)
class CardPage:
    """Everything that a reader's signed card says. English words of its data have messages: ``app.ui.i18n.data_words``."""

    reader: str
    version: str
    title: str
    modality: tuple[str, ...]
    made_for: str
    not_for: tuple[str, ...]
    trained_on: tuple[str, ...]
    figures: tuple[tuple[str, tuple[Metric, ...]], ...]
    """By the data that they were counted on, in the card's order."""
    bands: tuple[tuple[Words, tuple[CalibrationBand, ...]], ...]
    """By the kind of finding that was counted; no words where all kinds were counted together."""
    bands_data: str
    operating_point: str
    threshold: float
    licence: str
    attributions: tuple[str, ...]
    signed_by: str
    digest: str
    research_use_only: bool
    mode: str


@dataclass(frozen=True)
class BrokenPage:
    """A package file that is not used, and why."""

    file_name: str
    problem: Problem


def metric_words(key: str) -> Words:
    return Words(f"figure.{key}")


def pages(catalogue: Catalogue, language: str) -> tuple[tuple[CardPage, ...], tuple[BrokenPage, ...]]:
    """The installed readers by name, and the files that were refused."""
    made = tuple(_page(p, language) for p in sorted(catalogue.installed(), key=lambda p: p.name))
    return made, tuple(BrokenPage(b.path.name, b.problem) for b in catalogue.broken())


def _page(package: InstalledPackage, language: str) -> CardPage:
    card = package.card
    by_data: dict[str, list[Metric]] = {}
    for metric in card.metrics:
        by_data.setdefault(metric.data, []).append(metric)
    return CardPage(
        card.reader_name,
        card.version,
        _in(card.titles, language) or card.reader_name,
        card.rules.modality,
        _in(card.intended_use, language),
        card.limits.get(language) or card.limits.get("en", ()),
        card.training_data,
        tuple((data, tuple(metrics)) for data, metrics in by_data.items()),
        _by_kind(card.calibration),
        card.calibration[0].data if card.calibration else "",
        card.operating_point,
        card.threshold,
        card.licence,
        card.attributions,
        package.signed_by,
        package.digest,
        card.research_use_only,
        card.mode,
    )


def _in(texts: Mapping[str, str], language: str) -> str:
    return texts.get(language) or texts.get("en", "")


def _by_kind(bands: Sequence[CalibrationBand]) -> tuple[tuple[Words, tuple[CalibrationBand, ...]], ...]:
    kinds = dict.fromkeys(b.kind for b in bands)
    return tuple((Words(f"finding.{k}") if k else NOTHING, tuple(b for b in bands if b.kind == k)) for k in kinds)
