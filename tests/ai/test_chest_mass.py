"""The look for a mass on the whole chest film: what the network is shown, how its cells become one number, its training."""

from __future__ import annotations

import csv
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from app.ai.networks.film_mass import FilmMassNet
from app.ai.readers.chest.field import ChestField, prepare
from app.ai.readers.chest.mass import (
    BEST,
    CELL,
    JOINED,
    LOOK,
    NETWORK,
    cells_seen,
    crop_of,
    look_of,
    mass_level,
    mass_log_odds,
    seen_part,
)
from app.ai.readers.chest_xray import measured_film
from app.ai.training.chest_mass_figures import joined_log_odds, joined_weights, mass_parts
from app.ai.training.chest_mass_net import SPEC, MassSettings, mass_film, shown, train_member
from app.ai.training.evaluation.common import open_reader
from app.ai.training.film_nodules import with_mass
from app.ai.training.nih import LabelledChest, load_set
from app.domain.resources import resource_path
from app.samples.chest_film import FilmNodule, generate_chest_film
from tests.ai.test_chest_xray import chest


@pytest.fixture(scope="module")
def field() -> ChestField:
    return prepare(chest())


class Contrast:
    """A stand-in: a cell's logit is the mean of the second channel in it, plus more the farther right it lies."""

    def run(self, name: str, batch: np.ndarray) -> np.ndarray:
        assert name == NETWORK
        assert batch.shape == (2, 2, LOOK, LOOK)
        cells = batch[:, 1].reshape(len(batch), LOOK // CELL, CELL, LOOK // CELL, CELL).mean((2, 4))
        return np.asarray(cells + np.linspace(0, 1, LOOK // CELL, dtype=np.float32))[:, None]


def film_with(*findings: str) -> LabelledChest:
    from pathlib import Path

    told = frozenset(findings)
    return LabelledChest("a.png", Path("a.png"), "1", "train", "Nodule" in told, "Mass" in told, "PA", (), told)


def test_what_lies_outside_the_outline_around_the_lungs_is_hidden(field: ChestField) -> None:
    values, lungs, _ = crop_of(field)
    assert values.shape == lungs.shape == (LOOK, LOOK)
    seen = seen_part(lungs)
    assert (seen[lungs > 127] > 0.9).all()
    assert 0.3 < float((seen > 0.5).mean()) < 0.9
    marked = values.copy()
    marked[seen == 0] = 2.0  # letters, the film's border
    look, other = look_of(values, seen), look_of(marked, seen)
    assert not look[:, seen == 0].any()
    assert np.array_equal(look[0], other[0])


def test_the_level_is_the_mean_of_the_highest_cells_and_the_same_for_the_mirror_image(field: ChestField) -> None:
    level = mass_level(field, Contrast())  # type: ignore[arg-type]
    sides = (field.sides[1][:, ::-1], field.sides[0][:, ::-1])
    mirrored = replace(field, values=np.ascontiguousarray(field.values[:, ::-1]), sides=sides)
    assert mass_level(mirrored, Contrast()) == pytest.approx(level, abs=0.02)  # type: ignore[arg-type]
    values, lungs, _ = crop_of(field)
    seen = seen_part(lungs)
    look = look_of(values, seen)
    both = Contrast().run(NETWORK, np.stack([look, look[:, :, ::-1]]))[:, 0]
    cells = np.sort(((both[0] + both[1][:, ::-1]) / 2)[cells_seen(seen)])
    assert level == pytest.approx(float(cells[-BEST:].mean()))


def test_numbers_and_network_are_joined_where_the_package_has_the_network(field: ChestField) -> None:
    old = {"mass": {"weights": [2.0, 1.0], "bias": 0.5}}
    new = {**old, JOINED: {"weights": [0.25, 3.0], "bias": -1.0}}
    assert mass_log_odds((1.0, 2.0), field, Contrast(), old) == pytest.approx(4.5)  # type: ignore[arg-type]
    joined = 0.25 * 4.5 + 3.0 * mass_level(field, Contrast()) - 1.0  # type: ignore[arg-type]
    assert mass_log_odds((1.0, 2.0), field, Contrast(), new) == pytest.approx(joined)  # type: ignore[arg-type]


def test_the_network_has_one_cell_for_eight_pixels_and_is_the_mean_of_its_members() -> None:
    torch.manual_seed(1)
    net = FilmMassNet(2, (16, 16, 16, 16)).eval()
    given = torch.randn(1, 2, 64, 48)
    with torch.no_grad():
        out = net(given)
        each = [member(given) for member in net.members]
    assert out.shape == (1, 1, 8, 6)
    assert torch.allclose(out, (each[0] + each[1]) / 2)


@pytest.mark.parametrize("seed", range(6))
def test_a_drawn_mass_lies_in_a_lung_where_it_is_told_and_nowhere_else(field: ChestField, seed: int) -> None:
    changed, (x, y, radius) = with_mass(field.values, field.lungs, 256 / 350, np.random.default_rng(seed))
    added = changed - field.values
    assert field.lungs[round(y), round(x)]
    assert 12 / 2 * 256 / 350 * 0.99 <= radius <= 75 / 2 * 256 / 350 * 1.01
    assert added[round(y), round(x)] > 0.03
    assert float(added.min()) >= -1e-6
    row, column = np.indices(added.shape)
    assert not added[np.hypot(row - y, column - x) > 2.5 * radius + 7].any()


def test_a_look_knows_the_cells_of_the_drawn_mass_and_nothing_of_the_cells_of_a_real_one() -> None:
    measured = measured_film(prepare(chest()))
    clean, real = (mass_film(film_with(*told), measured) for told in (("Effusion",), ("Mass",)))
    for seed in range(4):
        one = shown(clean, np.random.default_rng(seed), 1.0)
        assert one.cells.any()
        assert one.look.shape == (2, LOOK, LOOK)
        assert one.cell_weight[one.cells > 0].all()
        assert [int(v) for v in one.finding_weight[:3]] == [0, 0, 1]
    never = shown(clean, np.random.default_rng(0), 0.0)
    assert not never.cells.any()
    assert never.cell_weight.all()
    assert never.finding_weight.all()
    other = shown(real, np.random.default_rng(0), 1.0)
    assert not other.cells.any()
    assert not other.cell_weight.any()
    assert other.finding_weight.all()


def test_the_same_seed_trains_the_same_network() -> None:
    measured = measured_film(prepare(chest(size=300)))
    films = [mass_film(film_with(*told), measured) for told in (("Mass",), ("Effusion",), ("No_Finding",), ())]
    short = MassSettings(epochs=1, batch=2)
    first, second, third = (train_member(films, seed, short).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["place.weight"], third["place.weight"])


def test_both_parts_count_half_in_their_own_spread() -> None:
    rng = np.random.default_rng(3)
    truth = rng.random(400) < 0.2
    numbers, level = truth + rng.normal(size=400), 10 * (truth + rng.normal(size=400)) + 7
    joined = joined_weights(numbers, level, truth)
    first, second = np.asarray(joined["weights"])
    assert first * numbers.std() == pytest.approx(second * level.std(), rel=1e-3)
    assert first > 0
    films = [film_with(*(("Mass",) if t else ("Effusion",) if n % 2 else ("No_Finding",))) for n, t in enumerate(truth)]
    films = [replace(f, patient=str(n)) for n, f in enumerate(films)]
    told = mass_parts(films, numbers, level, joined_log_odds(joined, numbers, level))
    assert told["gain_over_numbers"][1] > 0
    assert told["against_no_finding"][0] != told["against_other_findings"][0]
    assert "view_AP" not in told
    assert "view_PA" in told


def test_the_findings_of_a_report_are_read(tmp_path) -> None:
    with (tmp_path / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [["image", "Nodule", "Mass", "Edema"], ["a.png", "0", "1.0", "1"], ["b.png", "0", "", ""]]
        )
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8), np.uint8))
    first, second = load_set(tmp_path)
    assert (first.mass, first.nodule, first.findings) == (True, False, {"Mass", "Edema"})
    assert not second.findings


def test_the_shipped_network_sees_a_mass_that_is_drawn_into_a_generated_chest() -> None:
    path = resource_path("models") / "chest_xray.ekmodel"
    opened = open_reader("chest_xray", threads=1, engine="torch")
    assert path.stat().st_size <= 4 * 2**20
    assert opened.package.networks[NETWORK].architecture == SPEC.architecture
    assert opened.package.networks[NETWORK].input_shape == SPEC.input_shape
    weights = opened.parameters[JOINED]["weights"]
    assert len(weights) == 2
    assert min(weights) > 0
    pairs = []
    for seed in range(2):
        made = (generate_chest_film(seed, nodules=with_it, columns=512) for with_it in ((), (FilmNodule(-75, 150, 45),)))
        pairs.append([mass_level(prepare(film.pixels.astype(np.float32)), opened.nets) for film in made])
    assert all(with_it > without + 0.5 for without, with_it in pairs), pairs
