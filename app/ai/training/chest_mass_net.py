"""Trains the network that looks at the whole chest film for a mass. Fixed seeds, one thread.

Each film is shown turned, sized, moved, mirrored and exposed otherwise. Three things are asked at once: where the calculated
mass lies that stands in half of the films without nodule or mass; whether the film's highest cells agree with its report's
word on a mass; and all findings of the report, which share the features (this part is not shipped).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from app.ai.networks.film_mass import FilmMassMember, FilmMassNet
from app.ai.package import NetworkSpec
from app.ai.readers.chest.field import SIDE
from app.ai.readers.chest.mass import CELL, LOOK, NETWORK, cells_seen, crop_of, look_of, mass_level, seen_part
from app.ai.readers.chest_xray import FilmMeasured
from app.ai.training.film_nodules import WIDTH_MM, with_mass
from app.ai.training.nih import FINDINGS, LabelledChest
from app.ai.training.stages import PlainNetworks, load_network, save_network

Floats = npt.NDArray[np.float32]
WIDTHS = (16, 32, 64, 128)
MEMBERS = 4
"""Networks that ship: each learned three quarters of the train and validation films and read the other quarter."""
SPEC = NetworkSpec("film_mass_v1", {"members": MEMBERS, "widths": list(WIDTHS)}, (2, LOOK, LOOK))
ONE = NetworkSpec("film_mass_v1", {"members": 1, "widths": list(WIDTHS)}, (2, LOOK, LOOK))
MASS, UNTOLD = FINDINGS.index("Mass"), [FINDINGS.index(f) for f in ("Nodule", "Mass", "No_Finding")]


@dataclass(frozen=True)
class MassSettings:
    epochs: int = 24
    batch: int = 16
    rate: float = 2e-3
    decay: float = 0.05
    drop: float = 0.3
    drawn: float = 0.5
    """Share of the films without nodule or mass that get a calculated mass."""


@dataclass(frozen=True, eq=False)
class MassFilm:
    values: Floats
    lungs: npt.NDArray[np.uint8]
    seen: Floats
    px_per_mm: float
    told: npt.NDArray[np.bool_]
    """One for each of ``FINDINGS``."""

    @property
    def clean(self) -> bool:
        return not (self.told[UNTOLD[0]] or self.told[MASS])


def mass_film(film: LabelledChest, measured: FilmMeasured) -> MassFilm:
    values, lungs, k = crop_of(measured.field)
    return MassFilm(values, lungs, seen_part(lungs), k * SIDE / WIDTH_MM, np.asarray([f in film.findings for f in FINDINGS]))


@dataclass(frozen=True, eq=False)
class Shown:
    """A look with what is known of its cells and of the film: ``weight`` 0 where nothing is known."""

    look: Floats
    seen: npt.NDArray[np.bool_]
    cells: Floats
    cell_weight: Floats
    finding_weight: Floats


def shown(film: MassFilm, rng: np.random.Generator, drawn: float) -> Shown:
    size = rng.uniform(0.88, 1.14)
    move = cv2.getRotationMatrix2D((LOOK / 2 - 0.5, LOOK / 2 - 0.5), rng.uniform(-9, 9), size)
    move[:, 2] += rng.uniform(-8, 8, 2)
    values = cv2.warpAffine(film.values, move, (LOOK, LOOK), borderMode=cv2.BORDER_REPLICATE)
    seen, lungs = (cv2.warpAffine(part, move, (LOOK, LOOK)) for part in (film.seen, film.lungs))
    if rng.random() < 0.5:
        values, seen, lungs = (np.ascontiguousarray(part[:, ::-1]) for part in (values, seen, lungs))
    count = LOOK // CELL
    cells = np.zeros((count, count), np.float32)
    cell_weight = np.full((count, count), float(film.clean), np.float32)
    finding_weight = np.ones(len(FINDINGS), np.float32)
    if film.clean and rng.random() < drawn and (lungs > 127).any():
        values, (x, y, radius) = with_mass(values, lungs > 127, film.px_per_mm * size, rng)
        row, column = np.mgrid[:count, :count] * CELL + CELL / 2 - 0.5
        away = np.hypot(column - x, row - y)
        inside = away < max(0.6 * radius, 0.71 * CELL)
        cells[inside] = 1.0
        cell_weight[~inside & (away < max(1.3 * radius, 1.13 * CELL))] = 0.0
        finding_weight[UNTOLD] = 0.0  # the film with a calculated mass says nothing of these labels
    return Shown(look_of(_exposed(values, rng), seen), cells_seen(seen), cells, cell_weight, finding_weight)


def _exposed(values: Floats, rng: np.random.Generator) -> Floats:
    """Another gamma, contrast, scatter, sharpness and noise."""
    low, span = values.min(), max(float(np.ptp(values)), 0.1)
    out = ((values - low) / span) ** np.exp(rng.normal(0, 0.2)) * span + low
    out = out * np.exp(rng.normal(0, 0.12)) + rng.normal(0, 0.03)
    if rng.random() < 0.5:
        uneven = rng.normal(0, 0.12, (4, 4)).astype(np.float32)
        out = out + cv2.resize(uneven, (LOOK, LOOK), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.3:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.4, 1.0))
    if rng.random() < 0.5:
        out = out + rng.normal(0, rng.uniform(0.005, 0.04), out.shape)
    return np.asarray(out, np.float32)


class _Findings(nn.Module):
    """All findings of the report from the coarse features: the highest cells, the mean and the strongest feature."""

    def __init__(self, width: int, drop: float) -> None:
        super().__init__()
        self.drop = drop
        self.cells = nn.Conv2d(width, len(FINDINGS), 1)
        self.film = nn.Linear(2 * width, len(FINDINGS))

    def forward(self, coarse: Tensor) -> Tensor:
        kept = functional.dropout2d(coarse, self.drop, self.training)
        cells = self.cells(kept).float().flatten(2)
        pooled = torch.logsumexp(2 * cells, 2) / 2 - float(np.log(cells.shape[2])) / 2
        whole = functional.dropout(torch.cat([kept.mean((2, 3)), kept.amax((2, 3))], 1), self.drop, self.training)
        return pooled + 0.5 * self.film(whole).float()


def train_member(films: Sequence[MassFilm], seed: int, settings: MassSettings | None = None) -> FilmMassMember:
    s = settings or MassSettings()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = FilmMassMember(WIDTHS).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    head = _Findings(WIDTHS[-1], s.drop)
    parameters = [*net.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=s.rate, weight_decay=s.decay)
    each = len(films) // s.batch
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, s.rate, total_steps=s.epochs * each, pct_start=0.2)
    told = np.stack([f.told for f in films]).astype(np.float32)
    share = told.mean(0)
    rare = torch.from_numpy(np.minimum(np.sqrt((1 - share) / np.maximum(share, 0.02)), 4).astype(np.float32))
    mass_counts = float(min(0.5 / max(float(share[MASS]), 1e-3), 4))
    net.train()
    with torch.enable_grad():
        for _ in range(s.epochs):
            order = rng.permutation(len(films))
            for n in range(each):
                pick = order[n * s.batch : (n + 1) * s.batch]
                looks = [shown(films[i], rng, s.drawn) for i in pick]
                loss = _loss(net, head, looks, torch.from_numpy(told[pick]), rare, mass_counts)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(parameters, 1.0)
                optimiser.step()
                plan.step()
    return net.eval().requires_grad_(False)


def _loss(
    net: FilmMassMember, head: _Findings, looks: Sequence[Shown], told: Tensor, rare: Tensor, mass_counts: float
) -> Tensor:
    def joined(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(look, name) for look in looks]))

    given = joined("look").contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        place, coarse = net.parts(given)
        findings = head(coarse)
    cells = place[:, 0].float()
    aim, weight, known = joined("cells"), joined("cell_weight"), joined("finding_weight")
    soft = 0.9 * told + 0.05
    each = functional.binary_cross_entropy_with_logits(findings, soft, pos_weight=rare, reduction="none")
    of_findings = (each * known).sum() / known.sum()
    each = functional.binary_cross_entropy_with_logits(cells, aim, reduction="none") * weight
    of_cells = 0.5 * (each * aim).sum() / aim.sum().clamp(min=1)
    of_cells = of_cells + 2 * (each * (1 - aim)).sum() / ((1 - aim) * weight).sum().clamp(min=1)
    # A film with a mass in its report has high cells somewhere; one without nodule or mass has none.
    highest = torch.logsumexp((cells - 30 * (~joined("seen")).float()).flatten(1), 1) - 1.4
    nodule, mass = told[:, UNTOLD[0]], told[:, MASS]
    counts = known[:, MASS] * torch.where(mass > 0, mass_counts, (nodule == 0).float())
    each = functional.binary_cross_entropy_with_logits(highest, soft[:, MASS], reduction="none")
    return 0.5 * of_findings + of_cells + 0.5 * (each * counts).sum() / len(looks)


def trained_mass(films: Sequence[MassFilm], seed: int, kept: Path) -> FilmMassNet:
    """One network; one that ``kept`` holds is not trained again."""
    if not kept.is_file():
        save_network(kept.parent, together([train_member(films, seed)]), kept.name)
    return cast(FilmMassNet, load_network(kept.parent, ONE, kept.name))


def together(members: Sequence[nn.Module]) -> FilmMassNet:
    net = FilmMassNet(len(members), WIDTHS)
    for own, member in zip(net.members, members, strict=True):
        own.load_state_dict(member.state_dict())
    return net.eval().requires_grad_(False)


def levels_of(net: nn.Module, found: Sequence[FilmMeasured]) -> npt.NDArray[np.float64]:
    nets = PlainNetworks({NETWORK: net})
    return np.asarray([mass_level(one.field, nets) for one in found])


def levels_out_of_fold(
    films: Sequence[LabelledChest], found: Sequence[FilmMeasured], fold: npt.NDArray[np.int64], seed: int, work: Path
) -> tuple[npt.NDArray[np.float64], list[nn.Module]]:
    """(the mass level of each film by the network that has not seen it, the networks). ``work`` keeps them."""
    ready = [mass_film(film, one) for film, one in zip(films, found, strict=True)]
    level, nets = np.zeros(len(films)), []
    for f in sorted(set(fold.tolist())):
        net = trained_mass(
            [ready[n] for n in np.flatnonzero(fold != f)], 1000 * seed + 10 * f, work / f"mass_{seed}_{f}.safetensors"
        )
        own = np.flatnonzero(fold == f)
        level[own] = levels_of(net, [found[n] for n in own])
        nets.append(net.members[0])
    return level, nets
