"""What the author of a reader writes of it, and the card that this makes with the figures of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.domain.model_card import CalibrationBand, Metric, ModelCard, SelectionRules


@dataclass(frozen=True)
class ReaderCard:
    """Texts by language; every reader of ours is for research and reads second."""

    reader: str
    version: str
    titles: Mapping[str, str]
    intended_use: Mapping[str, str]
    limits: Mapping[str, tuple[str, ...]]
    rules: SelectionRules
    training_data: tuple[str, ...]
    attributions: tuple[str, ...] = ()

    def with_figures(
        self,
        metrics: Sequence[Metric],
        calibration: Sequence[CalibrationBand],
        threshold: float,
        operating_point: str,
        seconds: float | None,
    ) -> ModelCard:
        return ModelCard(
            self.reader,
            self.version,
            self.titles,
            self.intended_use,
            self.limits,
            self.rules,
            self.training_data,
            "Apache-2.0",
            self.attributions,
            tuple(metrics),
            tuple(calibration),
            operating_point,
            threshold,
            True,
            "second",
            seconds,
        )
