"""Trains the network that reads side markers: drawn letters on real films against everything else that is bright there.

Twice: what the first network reads on the films of the set tells the second which places hold a marker (it agrees with the
side of the patient, for these films hang rightly; such a place is no negative) and which only look like one (it contradicts:
a negative that counts three times). Films whose picture number is divisible by four are kept out of both; figures come from
them and from validation films.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from app.ai.networks.letter import LetterNet
from app.ai.readers.chest.field import prepare
from app.ai.readers.chest.marker import LETTERS, MEANS, Part, chances, crops_of, grid_of, outshining, parts_of
from app.ai.training.chest_letters import TRAIN_FONTS, Drawn, overlap, with_drawing
from app.ai.training.nih import LabelledChest, grey_of

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
DRAWINGS = 4
ROUNDS = 2
REAL_PARTS = 30
NEAR_PX = 34.0
BESIDE_PX = 48.0
SURE = 0.15
LEAST_OVERLAP = 0.55
EPOCHS = 8
WIDTH = 10


@dataclass(frozen=True, eq=False)
class Letters:
    """``x`` (n, 2, CROP, CROP), ``kind`` (n,) class, ``weight`` (n,)."""

    x: Floats
    kind: npt.NDArray[np.int64]
    weight: Floats


def kept_out(film: LabelledChest) -> bool:
    """Not trained on: validation, test, and every fourth film of the rest."""
    return film.split != "train" or int(film.name.split("_")[0]) % 4 == 0


def box_of(part: Part) -> tuple[float, float, float, float]:
    return part.x, part.y, part.x + part.width, part.y + part.height


def examples(films: Sequence[LabelledChest], seed: int, rounds: int, first: LetterNet | None = None) -> Letters:
    """``first`` tells markers of the films from what looks like one."""
    x, kind, weight = [], [], []

    def take(hat: Floats, parts: Sequence[Part], masks: Sequence[Bools], pick: Sequence[int], k: int, counts: float) -> None:
        if len(pick):
            x.append(crops_of(hat, [parts[n] for n in pick], [masks[n] for n in pick]).astype(np.float16))
            kind.append(np.full(len(pick), k))
            weight.append(np.full(len(pick), counts))

    for film in films:
        rng = np.random.default_rng([seed, int(film.name.split("_")[0])])
        grid = grid_of(grey_of(film))
        lungs = cv2.resize(prepare(grid).lungs.astype(np.uint8), grid.shape[::-1]) > 0
        hat = outshining(grid)
        parts, masks = parts_of(hat)
        agree, contradict = _told_apart(first, hat, parts, masks) if first is not None else ([], [])
        known = [parts[n].centre for n in agree]
        free = [n for n, p in enumerate(parts) if all(np.hypot(*np.subtract(p.centre, k)) > NEAR_PX for k in known)]
        take(hat, parts, masks, rng.permutation(free)[:REAL_PARTS].tolist(), 0, 0.25)
        take(hat, parts, masks, contradict, 0, 0.75)
        for _ in range(rounds):
            changed, drawn = grid, list[Drawn]()
            for _ in range(DRAWINGS):
                changed, one = with_drawing(changed, int(rng.choice([0, 0, 1, 2, 3, 4])), TRAIN_FONTS, rng, lungs)
                drawn.append(one)
            hat = outshining(changed)
            parts, masks = parts_of(hat)
            share = np.asarray([[overlap(box_of(p), d.box) for d in drawn] for p in parts]).reshape(-1, DRAWINGS)
            for n, one in enumerate(drawn):
                pick = np.flatnonzero(share[:, n] >= LEAST_OVERLAP)
                take(hat, parts, masks, rng.permutation(pick)[:3].tolist(), one.kind, 1.0 / max(1, min(3, len(pick))))
                # Initials, balls and rings beside a letter, and pieces of it, are none.
                apart = [np.hypot(*np.subtract(p.centre, one.centre)) < BESIDE_PX for p in parts]
                beside = np.flatnonzero(np.asarray(apart, bool) & (share.max(1) < 0.2)) if len(parts) else []
                take(hat, parts, masks, rng.permutation(beside)[:3].tolist(), 0, 0.25)
    return Letters(np.concatenate(x), np.concatenate(kind), np.concatenate(weight).astype(np.float32))


def _told_apart(net: LetterNet, hat: Floats, parts: Sequence[Part], masks: Sequence[Bools]) -> tuple[list[int], list[int]]:
    """Parts read as a letter that agrees with, or contradicts, the patient's right being on the left of the picture."""
    chance = chances(logits_of(net, crops_of(hat, parts, masks)))
    agree, contradict = [], []
    for n, part in enumerate(parts):
        best = 1 + int(chance[n, 1:].argmax())
        if chance[n, best] < SURE:
            continue
        right_half = part.centre[0] > hat.shape[1] / 2
        (agree if MEANS[LETTERS[best]] == ("L" if right_half else "R") else contradict).append(n)
    # Near a marker, what contradicts it is its initials; elsewhere a hook or a corner.
    return agree, contradict


def train_letters(data: Letters, seed: int = 3, epochs: int = EPOCHS, width: int = WIDTH) -> LetterNet:
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    net = LetterNet(len(LETTERS), width)
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.kind)
    w = torch.from_numpy(data.weight / data.weight.mean())
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.02)
    each = -(-len(y) // 128)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=epochs * each)
    net.train()
    with torch.enable_grad():
        for _ in range(epochs):
            order = torch.randperm(len(y))
            for n in range(each):
                pick = order[n * 128 : (n + 1) * 128]
                given = x[pick].float() * (0.7 + 0.6 * torch.rand(len(pick), 1, 1, 1))
                loss = (
                    functional.cross_entropy(net(given), y[pick], reduction="none", label_smoothing=0.02) * w[pick]
                ).mean()
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                plan.step()
    return net.eval().requires_grad_(False)


def logits_of(net: LetterNet, crops: Floats) -> Floats:
    if not len(crops):
        return np.zeros((0, len(LETTERS)), np.float32)
    with torch.no_grad():
        return np.asarray(net(torch.from_numpy(crops)).numpy(), np.float32)


def trained_letters(films: Sequence[LabelledChest], work: Path) -> LetterNet:
    """Both trainings on those of ``films`` that are not kept out; a network that ``work`` keeps is not trained again."""
    mine = [f for f in films if not kept_out(f)]
    first = _kept(work / "letters_first.npz", lambda: train_letters(examples(mine, 1, 1), 3, 5))
    return _kept(work / "letters.npz", lambda: train_letters(examples(mine, 2, ROUNDS, first), 4))


def _kept(path: Path, make: Callable[[], LetterNet]) -> LetterNet:
    if not path.is_file():
        made = make()
        np.savez(path, **{name: value.numpy() for name, value in made.state_dict().items()})
        return made
    net = LetterNet(len(LETTERS), WIDTH)
    with np.load(path) as stored:
        net.load_state_dict({name: torch.from_numpy(stored[name]) for name in stored.files})
    return net.eval().requires_grad_(False)
