"""Brings the numbering network to real films: numbers that it and the order of the arch give together are its next lesson.

No real film is numbered. The labelled train films (``labelled/dental-panoramic``) are numbered by the network as it is, the
arch (``readers.dental.arch``) and the set's own boxes as evidence: which teeth there are, and which of them are impacted.
Teeth whose number is sure are learnt, uncertain ones count neither for nor against. Every other picture is a generated film
with known numbers, so that a mistake of the real ones does not feed itself. Called by ``dental_teeth`` (stage *real*).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.readers.dental.boxes import ToothBox
from app.ai.readers.dental.film import blank_area, evened
from app.ai.readers.dental.numbering import (
    CELLS,
    COLUMNS,
    NETWORK,
    OTHER_SIDE,
    ROWS,
    TEETH,
    as_input,
    guess,
    local_contrast,
    number_teeth,
)
from app.ai.training.averaging import follow
from app.ai.training.dental_set import LabelledFilm, load_films

LEARNT_FROM = 0.6
"""Confidence from which a number is learnt."""
FEWEST_TEETH = 8
WORKING = (384, 640)
"""Rows and columns of the exposed part as it is kept."""
RATE = 8e-4
GENERATED = 120
STEPS, NUMBERED_ANEW = 240, 120
Boxes = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Numbered:
    """A real film: greys and what is exposed, teeth by index in ``TEETH`` with box and confidence."""

    pixels: npt.NDArray[np.uint8]
    shown: npt.NDArray[np.bool_]
    kinds: npt.NDArray[np.int64]
    boxes: Boxes
    confidence: npt.NDArray[np.float64]


def one_of_each(films: Sequence[LabelledFilm]) -> list[LabelledFilm]:
    """Copies of a film left out."""
    first: dict[str, LabelledFilm] = {}
    for film in films:
        first.setdefault(film.film, film)
    return list(first.values())


def numbered(nets: Any, film: LabelledFilm, template: Sequence[Sequence[float]]) -> Numbered | None:
    picture, content = as_input(film.values)
    boxes = [ToothBox(k, (b[0], b[1], b[2], b[3]), 1.0) for k, b in zip(film.kinds, film.boxes.tolist(), strict=True)]
    seen = [t for t in number_teeth(guess(picture, nets), content, template, boxes) if t.seen]
    if len(seen) < FEWEST_TEETH:
        return None
    part = (slice(int(content.y0), int(content.y1)), slice(int(content.x0), int(content.x1)))
    blank = blank_area(film.values)[part]
    grey = cv2.resize(evened(film.values[part], blank), WORKING[::-1], interpolation=cv2.INTER_LINEAR)
    hidden = cv2.resize(blank.astype(np.uint8), WORKING[::-1]) > 0
    scale = np.array([WORKING[1] / blank.shape[1], WORKING[0] / blank.shape[0]] * 2)
    placed = (np.array([t.box_px for t in seen]) - [content.x0, content.y0] * 2) * scale
    kinds = np.array([TEETH.index(t.fdi) for t in seen])
    return Numbered((grey * 255).astype(np.uint8), ~hidden, kinds, placed, np.array([t.confidence for t in seen]))


def look(film: Numbered, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, Boxes, np.ndarray]:
    """One look: network input, numbers, boxes in network pixels, confidence."""
    pixels, shown, kinds, boxes = film.pixels, film.shown, film.kinds, film.boxes
    rows, columns = pixels.shape
    if rng.random() < 0.5:
        pixels, shown = pixels[:, ::-1], shown[:, ::-1]
        kinds = np.array(OTHER_SIDE)[kinds]
        boxes = np.stack([columns - boxes[:, 2], boxes[:, 1], columns - boxes[:, 0], boxes[:, 3]], 1)
    w, h = columns * rng.uniform(0.78, 1.12), rows * rng.uniform(0.78, 1.12)
    middle = np.array([columns / 2 + rng.normal(0, 0.03) * columns, rows / 2 + rng.normal(0, 0.03) * rows])
    turn, shear = np.deg2rad(rng.normal(0, 2.0)), rng.normal(0, 0.02)
    linear = np.array(
        [
            [w / COLUMNS * np.cos(turn), -h / ROWS * np.sin(turn)],
            [w / COLUMNS * (np.sin(turn) + shear), h / ROWS * np.cos(turn)],
        ]
    )
    offset = middle - linear @ (COLUMNS / 2, ROWS / 2)
    to_film = np.hstack([linear, offset[:, None]])
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    grey = cv2.warpAffine(np.ascontiguousarray(pixels), to_film, (COLUMNS, ROWS), flags=how).astype(np.float32) / 255
    kept = cv2.warpAffine(np.ascontiguousarray(shown).astype(np.uint8) * 255, to_film, (COLUMNS, ROWS), flags=how) > 252
    grey = np.clip(grey, 1e-3, 1) ** float(np.exp(rng.normal(0, 0.25))) * float(np.exp(rng.normal(0, 0.15)))
    if rng.random() < 0.3:
        grey = cv2.GaussianBlur(grey, (0, 0), float(rng.uniform(0.4, 1.0)))
    grey = np.clip(grey + rng.normal(0, rng.uniform(0, 0.03), grey.shape), 0, 1.2)
    counts = kept.astype(np.float32)
    picture = local_contrast((grey * counts).astype(np.float32), counts)
    centres = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2], 1)
    there = (centres - offset) @ np.linalg.inv(linear).T
    half = np.stack([(boxes[:, 2] - boxes[:, 0]) / w * COLUMNS / 2, (boxes[:, 3] - boxes[:, 1]) / h * ROWS / 2], 1)
    inside = (there > 3).all(axis=1) & (there[:, 0] < COLUMNS - 3) & (there[:, 1] < ROWS - 3)
    return picture, kinds[inside], np.concatenate([there - half, there + half], 1)[inside], film.confidence[inside]


def lesson(kinds: np.ndarray, boxes: Boxes, confidence: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """``dental_teeth.targets`` of the sure teeth, and by cell whether it counts: not where an uncertain tooth stands."""
    from app.ai.training.dental_teeth import targets

    sure = confidence >= LEARNT_FROM
    heat, aims, weight = targets(kinds[sure], boxes[sure])
    counts = np.ones(CELLS, np.float32)
    if not sure.all():
        doubtful = targets(kinds[~sure], boxes[~sure])[0].max(axis=0) > 0.08
        counts[doubtful & (heat.max(axis=0) < 0.5)] = 0.0
    return heat, aims, weight, counts


def train_on_real(work: Path, data: Path, start: Path, steps: int = STEPS, batch: int = 8, threads: int = 1) -> None:
    import torch

    from app.ai.engines.torch_engine import module_arrays
    from app.ai.training import dental_teeth as generated
    from app.ai.training.stages import PlainNetworks, load_network
    from app.ai.weights_file import write_tensors

    torch.set_num_threads(threads)
    cv2.setNumThreads(1)
    torch.manual_seed(6)
    rng = np.random.default_rng(6)
    films = one_of_each(load_films(data / "labelled/dental-panoramic", "train"))
    known = [generated.film_of(seed) for seed in list(generated.TRAINED_SEEDS)[:GENERATED]]
    template = generated.template()
    net = load_network(start, generated.spec()).requires_grad_(True).to(memory_format=torch.channels_last)
    mean = copy.deepcopy(net).eval()
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.02)
    started, sums = time.monotonic(), []
    real: list[Numbered] = []
    for step in range(steps):
        if step % NUMBERED_ANEW == 0:
            nets = PlainNetworks({NETWORK: mean.eval()})
            real = [n for n in (numbered(nets, f, template) for f in films) if n is not None]
            sure = np.concatenate([n.confidence for n in real]) >= LEARNT_FROM
            print(f"{len(real)} films numbered, {sure.mean():.2f} of the teeth surely", flush=True)
        net.train()
        looks = []
        for n in range(batch):
            if n % 2:
                picture, kinds, boxes = generated.look(known[int(rng.integers(len(known)))], rng)
                looks.append((picture, *lesson(kinds, boxes, np.ones(len(kinds)))))
            else:
                picture, *told = look(real[int(rng.integers(len(real)))], rng)
                looks.append((picture, *lesson(*told)))
        x, heat, aims, weight, counts = (torch.from_numpy(np.stack(t)) for t in zip(*looks, strict=True))
        with torch.autocast("cpu", torch.bfloat16):
            out = net(x[:, None].contiguous(memory_format=torch.channels_last))
        loss = generated.loss_of(out, heat, aims, weight, counts[:, None])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        done = step / steps
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, done / 0.05 + 0.05) * (0.5 + 0.5 * np.cos(np.pi * done))
        optimiser.step()
        follow(mean, net, step + 1, 0.99)
        sums.append(float(loss.detach()))
        if (step + 1) % 20 == 0:
            print(f"step {step + 1}: loss {np.mean(sums[-20:]):.3f}, {time.monotonic() - started:.0f} s", flush=True)
    (work / "network.safetensors").write_bytes(write_tensors(module_arrays(mean, half=False)))
