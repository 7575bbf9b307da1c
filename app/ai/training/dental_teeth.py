"""Trains the numbering of teeth: ``python -m app.ai.training.dental_teeth --work DIR [--into FILE.ekmodel]``.

No numbered real film is at hand: the network learns from generated films (``samples.panoramic``, whose teeth are known),
cropped, masked, bent and re-exposed, then from real ones that it numbers itself. Seeds are fixed. Stages:

1. *train*: the network and the template of the arch, on generated films;
2. *real*: the same network learns real train films (``--data DIR``) numbered by itself, the arch and the boxes of the set;
3. *measure* (``dental_teeth_figures``): accuracy on generated films of other seeds, plain and cropped; with ``--data DIR``
   the share of the impacted teeth of the labelled real films that get the number of a third molar or a canine;
4. ``--into``: network and template go into the package of the panoramic reader, which is signed again.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.readers.dental.numbering import CELLS, COLUMNS, NETWORK, ROWS, STRIDE, TEETH, local_contrast
from app.ai.training.averaging import follow
from app.samples.jaws import Mouth
from app.samples.panoramic import DentalPlan, generate_panoramic, random_plan

WIDTHS = (12, 32, 56, 80, 96)
FILM_COLUMNS = 768
TRAINED_SEEDS = range(20_000, 20_320)
HELD_OUT_SEEDS = range(31_000, 31_016)
Film = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.float64], tuple[float, float]]
"""8-bit film, index of each tooth in ``TEETH``, its box in film pixels, (shift, smile) of the line between the jaws."""


def _plan(seed: int) -> DentalPlan:
    """The plan of ``random_plan`` with more teeth lost in every third mouth."""
    plan = random_plan(seed)
    rng = np.random.default_rng([seed, 77])
    if rng.random() < 0.35:
        share = rng.uniform(0.1, 0.45)
        lost = {t for t in TEETH if rng.random() < share}
        return DentalPlan(
            tuple(sorted({*plan.missing, *lost})),
            {k: v for k, v in plan.fillings.items() if k not in lost},
            {k: v for k, v in plan.cavities.items() if k not in lost},
            {k: v for k, v in plan.impacted.items() if k not in lost},
            tuple(t for t in plan.implants if t not in lost),
            tuple(t for t in plan.root_filled if t not in lost),
            tuple(t for t in plan.apical if t not in lost),
        )
    return plan


def film_of(seed: int) -> Film:
    made = generate_panoramic(seed, _plan(seed), columns=FILM_COLUMNS)
    found = [(TEETH.index(t.fdi), t.box_px) for t in made.teeth]
    found += [(TEETH.index(f.fdi), f.box_px) for f in made.findings if f.name == "implant"]
    pixels = np.asarray(made.pixels >> 4, np.uint8)
    mouth = Mouth(np.random.default_rng([seed, 3302]), FILM_COLUMNS)
    return pixels, np.array([n for n, _ in found]), np.array([b for _, b in found], np.float64), (mouth.shift, mouth.smile)


def template() -> list[list[float]]:
    """Mean place of each number over generated mouths, in half widths of the film about its middle."""
    places = np.zeros((32, 2))
    for seed in range(40):
        mouth = Mouth(np.random.default_rng([seed, 3302]), FILM_COLUMNS)
        for n, fdi in enumerate(TEETH):
            tooth = mouth.tooth(fdi, None)
            points = np.concatenate([tooth.put(tooth.shape.crown), *(tooth.put(r) for r in tooth.shape.roots)])
            places[n] += (points.min(axis=0) + points.max(axis=0)) / 2 / 40
    half = FILM_COLUMNS / 2
    return [[round(float((x - half) / half), 4), round(float((y - half / 2) / half), 4)] for x, y in places]


def look(film: Film, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One look: network input, numbers, boxes in network pixels."""
    pixels, kinds, boxes, (shift, smile) = film
    rows, columns = pixels.shape
    # The window that is cut out: from the whole film to little more than the teeth, with its own aspect.
    w = columns * float(rng.uniform(0.46, 1.05))
    h = rows * float(rng.uniform(0.46, 1.05))
    x0 = columns / 2 - w / 2 + float(rng.normal(0, 0.04)) * columns
    y0 = rows * 0.54 - h / 2 + float(rng.normal(0, 0.07)) * rows
    turn = float(np.deg2rad(rng.normal(0, 2.5)))
    bend, shear = float(rng.normal(0, 0.05)), float(rng.normal(0, 0.03))
    wider = float(rng.uniform(0, 0.03)) * rows
    gx, gy = np.meshgrid((np.arange(COLUMNS) + 0.5) / COLUMNS - 0.5, (np.arange(ROWS) + 0.5) / ROWS - 0.5)
    waves = [(rng.normal(0, 0.006), rng.uniform(2, 9), rng.uniform(0, 6.3), int(rng.integers(2))) for _ in range(4)]

    def source(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        a = u + sum(s * np.sin(f * (v if d else u) + p) for s, f, p, d in waves)
        b = v + bend * (4 * u * u - 0.3) + shear * u + sum(s * np.sin(f * u + p + 1) for s, f, p, _ in waves[:2])
        ca, sa = np.cos(turn), np.sin(turn)
        x, y = x0 + w * (0.5 + ca * a - sa * b * h / w), y0 + h * (0.5 + sa * a * w / h + ca * b)
        # A wider bite: the dark row between the jaws is drawn out.
        t = (x * 2048 / columns - 1024 - shift) / 500
        line = (560 - smile * t * t) * columns / 2048
        return x, line + np.sign(y - line) * np.maximum(np.abs(y - line) - wider, 0)

    sx, sy = source(gx, gy)
    shown = (
        cv2.remap(pixels, sx.astype(np.float32) - 0.5, sy.astype(np.float32) - 0.5, cv2.INTER_LINEAR).astype(np.float32)
        / 255
    )
    inside = (sx >= 0) & (sx < columns) & (sy >= 0) & (sy < rows)
    if rng.random() < 0.55:
        rx, ry = rng.uniform(0.47, 0.62, 2)
        inside &= (gx / rx) ** 2 + (gy / ry) ** 2 < 1
    shown = _exposed(shown, gx, gy, rng)
    kept = inside.astype(np.float32)
    picture = local_contrast(shown * kept, kept)
    # Where a box's centre and corners went: the nearest grid place of the inverse, by two Newton steps from a linear guess.
    centres = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2], 1)
    u, v = (centres[:, 0] - x0) / w - 0.5, (centres[:, 1] - y0) / h - 0.5
    for _ in range(6):
        px, py = source(u, v)
        u, v = u + (centres[:, 0] - px) / w, v + (centres[:, 1] - py) / h
    half = np.stack([(boxes[:, 2] - boxes[:, 0]) / w * COLUMNS / 2, (boxes[:, 3] - boxes[:, 1]) / h * ROWS / 2], 1)
    middle = np.stack([(u + 0.5) * COLUMNS, (v + 0.5) * ROWS], 1)
    ok = (middle[:, 0] > 3) & (middle[:, 0] < COLUMNS - 3) & (middle[:, 1] > 3) & (middle[:, 1] < ROWS - 3)
    r = np.clip(middle[:, 1], 0, ROWS - 1).astype(int)
    c = np.clip(middle[:, 0], 0, COLUMNS - 1).astype(int)
    ok &= inside[r, c]
    return picture, kinds[ok], np.concatenate([middle - half, middle + half], 1)[ok]


def _exposed(shown: np.ndarray, gx: np.ndarray, gy: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shown = np.clip(shown, 1e-3, 1) ** float(np.exp(rng.normal(0, 0.35)))
    field = sum(rng.normal(0, 0.08) * np.cos(rng.uniform(1, 8) * gx + rng.uniform(0, 6)) * np.cos(rng.uniform(1, 8) * gy)
                for _ in range(3))  # fmt: skip
    shown = shown * float(np.exp(rng.normal(0, 0.2))) + field
    if rng.random() < 0.6:  # spine and palate shadows
        shown = shown + rng.uniform(0, 0.35) * np.exp(-(((gx - rng.normal(0, 0.03)) / rng.uniform(0.02, 0.08)) ** 2))
    if rng.random() < 0.5:
        line = rng.uniform(-0.45, -0.15) + rng.normal(0, 0.2) * gx * gx
        shown = shown + rng.uniform(0.1, 0.5) * np.exp(-(((gy - line) / rng.uniform(0.006, 0.02)) ** 2))
    for _ in range(int(rng.integers(0, 10))):  # crowns and bridges
        cx, cy = rng.uniform(-0.4, 0.4), rng.normal(0.02, 0.1)
        blob = ((gx - cx) / rng.uniform(0.012, 0.04)) ** 2 + ((gy - cy) / rng.uniform(0.02, 0.06)) ** 2
        shown = shown + rng.uniform(0.3, 0.9) * (blob < 1)
    if rng.random() < 0.5:
        shown = cv2.GaussianBlur(shown, (0, 0), float(rng.uniform(0.4, 1.6)))
    if rng.random() < 0.3:
        fine = cv2.GaussianBlur(shown, (0, 0), 2.0)
        shown = shown + float(rng.uniform(0.3, 1.2)) * (shown - fine)
    shown = shown + rng.normal(0, rng.uniform(0.0, 0.05), shown.shape)
    return np.asarray(np.clip(shown, 0, 1.2), np.float32)


def targets(kinds: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(heat by number, aims x, y, log w, log h in cells, weight)."""
    heat = np.zeros((len(TEETH), *CELLS), np.float32)
    aims = np.zeros((4, *CELLS), np.float32)
    weight = np.zeros(CELLS, np.float32)
    y, x = np.mgrid[: CELLS[0], : CELLS[1]].astype(np.float32) + 0.5
    for kind, box in zip(kinds, boxes, strict=True):
        cx, cy = (box[0] + box[2]) / 2 / STRIDE, (box[1] + box[3]) / 2 / STRIDE
        w, h = max((box[2] - box[0]) / STRIDE, 0.5), max((box[3] - box[1]) / STRIDE, 0.5)
        spread = np.exp(-((x - cx) ** 2) / (2 * max(0.16 * w, 0.7) ** 2) - ((y - cy) ** 2) / (2 * max(0.10 * h, 0.8) ** 2))
        c, r = int(np.clip(cx, 0, CELLS[1] - 1)), int(np.clip(cy, 0, CELLS[0] - 1))
        spread[r, c] = 1.0
        heat[kind] = np.maximum(heat[kind], spread)
        near = (spread > 0.3) & (spread > weight)
        weight[near] = spread[near]
        for n, value in enumerate((cx, cy, np.log(w), np.log(h))):
            aims[n][near] = value
    return heat, aims, weight


def loss_of(out: Any, heat: Any, aims: Any, weight: Any, counts: Any = 1.0) -> Any:
    """``counts``: 0 where nothing is to be learnt about what does not stand there."""
    import torch
    from torch.nn import functional

    n = len(TEETH)
    logits, told = out[:, :n].float(), out[:, n:].float()
    p = torch.sigmoid(logits)
    centre = heat >= 0.999
    positive = -(functional.logsigmoid(logits) * (1 - p) ** 2)[centre].sum()
    negative = -(functional.logsigmoid(-logits) * p**2 * (1 - heat) ** 4 * counts)[~centre].sum()
    columns = torch.arange(CELLS[1], dtype=torch.float32)
    rows = torch.arange(CELLS[0], dtype=torch.float32)[:, None]
    off = (told[:, 0] + columns - aims[:, 0]).abs() + (told[:, 1] + rows - aims[:, 1]).abs()
    off = off + 2 * (told[:, 2:] - aims[:, 2:]).abs().sum(1)
    return (positive + negative) / centre.sum().clamp(min=1) + 0.3 * (off * weight).sum() / weight.sum().clamp(min=1)


def train(work: Path, minutes: float, steps: int, batch: int = 8, rate: float = 3e-3, threads: int = 1) -> None:
    import copy

    import torch

    from app.ai.engines.torch_engine import module_arrays
    from app.ai.networks.film_detect import FilmDetector
    from app.ai.weights_file import write_tensors

    torch.set_num_threads(threads)
    cv2.setNumThreads(1)
    torch.manual_seed(5)
    rng = np.random.default_rng(5)
    films = [film_of(seed) for seed in TRAINED_SEEDS]
    net = FilmDetector(len(TEETH), WIDTHS).to(memory_format=torch.channels_last)
    mean = copy.deepcopy(net).eval()
    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.02)
    started, sums = time.monotonic(), []
    net.train()
    for step in range(steps):
        done = step / steps
        looks = [look(films[int(rng.integers(len(films)))], rng) for _ in range(batch)]
        x = torch.from_numpy(np.stack([k[0] for k in looks]))[:, None]
        heat, aims, weight = (torch.from_numpy(np.stack(t)) for t in zip(*(targets(k, b) for _, k, b in looks), strict=True))
        with torch.autocast("cpu", torch.bfloat16):
            out = net(x.contiguous(memory_format=torch.channels_last))
        loss = loss_of(out, heat, aims, weight)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, done / 0.05 + 0.02) * (0.5 + 0.5 * np.cos(np.pi * done))
        optimiser.step()
        follow(mean, net, step + 1)
        sums.append(float(loss.detach()))
        if (step + 1) % 50 == 0:
            print(f"step {step + 1}: loss {np.mean(sums[-50:]):.3f}, {time.monotonic() - started:.0f} s", flush=True)
            (work / "network.safetensors").write_bytes(write_tensors(module_arrays(mean, half=False)))
        if time.monotonic() - started > 60 * minutes:
            raise SystemExit(f"stopped after {minutes} minutes at step {step}: take fewer steps, the figures would differ")


def spec() -> Any:
    from app.ai.package import NetworkSpec

    return NetworkSpec("film_detector_v1", {"classes": len(TEETH), "widths": list(WIDTHS)}, (1, ROWS, COLUMNS), dynamic=True)


def nets_of(work: Path) -> Any:
    from app.ai.training.stages import PlainNetworks, load_network

    return PlainNetworks({NETWORK: load_network(work, spec())})


REPLACED = {
    "en": (
        ("Teeth are not numbered", "Tooth numbers were learnt"),
        "Tooth numbers were learnt from generated films and from real ones that the network numbered itself: no real film "
        "was numbered by a person. The found boxes take part: an impacted tooth is taken for a third molar or a canine "
        "unless much speaks against it. Where teeth are lost or crowded, numbers may be off by one and gaps be missed: check"
        " them, drag them right. Left and right follow the header; a film without one is taken as films are hung.",
    ),
    "ru": (
        ("Зубы не нумеруются", "Номера зубов выучены"),
        "Номера зубов выучены на сгенерированных снимках и на реальных, которые сеть пронумеровала сама: человеком не "
        "пронумерован ни один реальный снимок. Найденные рамки участвуют: ретинированный зуб считается третьим моляром "
        "или клыком, если мало что говорит против. При утрате или скученности зубов номер может сдвинуться на один, а "
        "промежуток — остаться незамеченным: проверьте и перетащите. Стороны берутся из заголовка; без него снимок "
        "считается расположенным обычно.",
    ),
    "kk": (
        ("Тістер нөмірленбейді", "Тіс нөмірлері"),
        "Тіс нөмірлері генерацияланған түсірілімдерде және желінің өзі нөмірлеген нақты түсірілімдерде үйретілген: адам "
        "нөмірлеген нақты түсірілім болған жоқ. Табылған жақтаулар да ескеріледі: ретенцияланған тіс, қарсы дәлел аз "
        "болса, үшінші азу не сойдақ тіс деп алынады. Тістер жоғалғанда не тығыз орналасқанда нөмір бірге ауытқуы, бос орын "
        "байқалмай қалуы мүмкін: тексеріп, сүйреп түзетіңіз. Жақтары тақырыптан алынады; ол болмаса, түсірілім әдеттегідей "
        "ілінген деп есептеледі.",
    ),
}
"""Language -> (beginnings of the limits that no longer hold, what stands in their place)."""
COMMAND = "python -m app.ai.training.dental_teeth --stages measure --data DIR"


def pack_into(package: Path, work: Path) -> bytes:
    """The panoramic package with this network, template, figures and limits, signed anew.

    The version stays: without the numbering the package does not ship.
    """
    from dataclasses import replace

    from app.ai.engines.torch_engine import golden_cases, load_module, module_arrays
    from app.ai.package import PackageParts, build_package, open_package
    from app.ai.training.dental_card import LIMITS
    from app.ai.training.signing_key import private_key
    from app.ai.trust import read_trust
    from app.ai.weights_file import read_tensors
    from app.domain.model_card import Metric
    from app.domain.resources import resource_path

    opened = open_package(package, read_trust(resource_path("models") / "trust.json"))
    arrays = module_arrays(load_module(spec(), read_tensors((work / "network.safetensors").read_bytes())))
    figures = json.loads((work / "figures.json").read_text(encoding="utf-8"))
    limits = {}
    for language, texts in LIMITS.items():
        begins, now = REPLACED[language]
        limits[language] = (*(t for t in texts if not t.startswith(begins)), now)
    generated = f"{figures['films_cropped']} generated films of other seeds, cropped and re-exposed"
    low, high = figures["fdi_accuracy_cropped_ci"]
    accuracy = Metric(
        "fdi_accuracy", figures["fdi_accuracy_cropped"], low, high, figures["teeth_cropped"], generated, COMMAND
    )
    metrics = [m for m in opened.card.metrics if m.key not in ("fdi_accuracy", "impacted_on_8_or_3")]
    metrics.append(accuracy)
    if "impacted_on_8_or_3_test" in figures:
        share, n = figures["impacted_on_8_or_3_test"], figures["impacted_boxes_test"]
        low, high = figures["impacted_on_8_or_3_test_ci"]
        films = "dental-panoramic, test films, the found boxes taking part"
        metrics.append(Metric("impacted_on_8_or_3", share, low, high, n, films, COMMAND))
    trained = "Tooth numbers: generated films (app/samples/panoramic.py), then real train films numbered by itself"
    data = (*(t for t in opened.card.training_data if not t.startswith("Tooth numbers:")), trained)
    card = replace(opened.card, limits=limits, metrics=tuple(metrics), training_data=data)
    networks = {**opened.networks, NETWORK: spec()}
    weights = {**opened.weights, NETWORK: arrays}
    golden = {k: v for k, v in opened.golden.items() if v.network != NETWORK}
    # A small input will do: the whole one would add half a megabyte of expected output.
    golden |= golden_cases({NETWORK: spec()}, {NETWORK: arrays}, shapes={NETWORK: (1, 64, 96)})
    parts = PackageParts(
        opened.head.manifest.id,
        card,
        {**opened.pipeline, "teeth": {"template": template()}},
        networks,
        weights,
        opened.calibration,
        golden,
        opened.head.manifest.limits,
        opened.head.manifest.publisher,
    )
    return build_package(parts, private_key())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.ai.training.dental_teeth")
    parser.add_argument("--work", type=Path, default=Path("build/dental_teeth"))
    parser.add_argument("--data", type=Path, help="folder of the shared data, for the impacted teeth of real films")
    parser.add_argument("--splits", nargs="*", default=["val", "test"], help="of the labelled films")
    parser.add_argument("--stages", nargs="*", choices=("train", "real", "measure"), default=["train", "measure"])
    parser.add_argument("--start", type=Path, help="folder of the network that the stage real starts from")
    parser.add_argument("--steps", type=int, default=1100)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--into", type=Path, help="the panoramic package that gets the numbering; it is signed again")
    given = parser.parse_args(arguments)
    given.work.mkdir(parents=True, exist_ok=True)
    if "train" in given.stages:
        train(given.work, given.minutes, given.steps, threads=given.threads)
    if "real" in given.stages:
        if given.data is None:
            parser.error("the stage real needs --data")
        from app.ai.training.dental_real_teeth import train_on_real

        train_on_real(given.work, given.data, given.start or given.work, threads=given.threads)
    if "measure" in given.stages:
        from app.ai.training.dental_teeth_figures import measure

        result = measure(nets_of(given.work), template(), given.data, given.splits)
        (given.work / "figures.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
        print(json.dumps(result))
    if given.into is not None:
        given.into.write_bytes(pack_into(given.into, given.work))
        print(f"{given.into}: {given.into.stat().st_size / 2**20:.2f} MiB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
