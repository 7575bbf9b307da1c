"""The folds' figures of the mammography reader by their own stage, on a few drawn pictures and with short training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.ai.readers.mammogram.maps import NAMES
from app.ai.readers.mammogram.study import Measured
from app.ai.training import breast
from app.ai.training.breast_card import VERSION
from app.ai.training.mias import Mammogram
from tests.ai.test_breast_patches import women


@pytest.fixture(scope="module")
def pictures() -> tuple[list[Mammogram], list[Measured]]:
    images, results = women()
    rng, found = np.random.default_rng(1), []
    for result in results[:8]:
        features = rng.normal(size=(len(result.score), len(NAMES))).astype(np.float32)
        features[:, 0] = result.score
        found.append(replace(result.measured, features=features))
    return images[:8], found


def test_one_stage_gives_the_figures_and_what_each_part_adds(
    pictures: tuple[list[Mammogram], list[Measured]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, found = pictures
    monkeypatch.setattr(breast, "SETTINGS", replace(breast.SETTINGS, hidden=4, members=1, epochs=1))
    monkeypatch.setattr(breast, "RANKED", replace(breast.RANKED, hidden=4, members=1, epochs=1))
    monkeypatch.setattr(breast, "PATCH_SETTINGS", replace(breast.PATCH_SETTINGS, steps=1, batch=16))
    monkeypatch.setattr(breast, "SEEDS", (0,))
    monkeypatch.setattr(breast, "FRESH_SEEDS", (0,))  # not trained twice
    told = breast.cross_figures(images, found, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [f"cross-{VERSION}-0.json"]
    assert {"image_auc", "mass_auc", "sensitivity_at_2"} <= set(told["mean_of_seeds"])
    for part in ("ranking_gain", "patch_gain"):
        for group in ("seeds", "fresh_seeds"):
            value, low, high = told[part][group]["image_auc"]
            assert -1.0 <= low <= value <= high <= 1.0
    # What a seed gave is kept: the second run trains nothing.
    monkeypatch.setattr(breast, "train_patches", None)
    assert breast.cross_figures(images, found, tmp_path) == told
