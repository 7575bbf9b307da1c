"""Makes the chest film reader's package with one command and fixed seeds.

    python -m app.ai.training.chest_xray --data DIR --out resources/models/chest_xray.ekmodel [--work build/chest_xray]

DIR holds ``labelled/chest-xray-nih``. The place scorer learns calculated nodules in real films; the film's two scores are
ridge regressions on the film's numbers; that of a mass is joined half and half with what a network sees that looks at the
whole film. Figures: five folds by patient over all films, and the test split by a model that was trained on train and
validation only, which is the one that ships. Networks lie in the working folder and are not trained twice.

    python -m app.ai.training.chest_xray --data DIR --partition 1

only divides the films into five parts otherwise and prints the folds' figures.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.ai.engines.torch_engine import golden_cases, module_arrays
from app.ai.networks.letter import LetterNet
from app.ai.networks.place_score import PlaceScoreNet
from app.ai.package import Limits, NetworkSpec, PackageParts, build_package
from app.ai.readers.chest.marker import CROP, LETTERS
from app.ai.readers.chest.marker import NETWORK as LETTER_NETWORK
from app.ai.readers.chest.mass import JOINED
from app.ai.readers.chest.mass import NETWORK as MASS_NETWORK
from app.ai.readers.chest.measure import NAMES
from app.ai.readers.chest_xray import KINDS, NETWORK, FilmMeasured, FilmScored, scored_film
from app.ai.training.card_figures import bands_of
from app.ai.training.chest_marker_net import WIDTH as LETTER_WIDTH
from app.ai.training.chest_marker_net import trained_letters
from app.ai.training.chest_mass_figures import joined_log_odds, joined_weights, mass_parts
from app.ai.training.chest_mass_net import MEMBERS, levels_of, levels_out_of_fold, together
from app.ai.training.chest_mass_net import SPEC as MASS_SPEC
from app.ai.training.chest_xray_card import CARD, OPERATING_POINT
from app.ai.training.evaluation.chest_xray import figures_of
from app.ai.training.nih import Inserted, LabelledChest, inserted, load_set, measured_set
from app.ai.training.place_net import Logistic, Places, PlaceSettings, balanced, logistic, scores, train_places
from app.domain.model_card import CalibrationBand, Metric
from app.domain.scoring import Interval, isotonic

PACKAGE_ID = "kz.ekinshi.chest_xray"
LABELLED = "labelled/chest-xray-nih"
SETTINGS = PlaceSettings(hidden=32, members=2, dropout=0.3, decay=0.1, epochs=12)
FOLDS = 5
RIDGE = 20.0
NORMAL_PLACES = 150
TOGETHER = 30
MARKER_FROM = 0.5
MARKER_ALARM_FROM = 0.7
"""Chances of a letter from which it is read, and from which it may doubt the sides of a film. Chosen on kept-out films."""
STEEPEST_EDGE = 0.32
"""Steeper places get no mark: of those marked on train and validation films all were devices and letters."""
MARKED_SHARE = 0.2
"""Share of films without nodule or mass on which a mark is allowed."""
KNOWN_SEED = 51
"""Of the mass networks that ship. What they read of the films that each has not seen sets the scale of the joining."""
BANDS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def places_of(
    films: Sequence[LabelledChest], found: Sequence[FilmMeasured], made: Sequence[Inserted], rng: np.random.Generator
) -> Places:
    """Places inside calculated nodules against places of films without nodule or mass."""
    x, truth, weight = [], [], []
    for film, one, other in zip(films, found, made, strict=True):
        parts = [(other.inside, 1.0)]
        if not (film.nodule or film.mass):
            parts.append((one.features[rng.permutation(len(one.features))[:NORMAL_PLACES]], 0.0))
        for part, kind in parts:
            if len(part):
                x.append(part)
                truth.append(np.full(len(part), kind))
                weight.append(np.full(len(part), 1.0 / len(part)))
    y = np.concatenate(truth).astype(np.float32)
    return Places(np.concatenate(x), y, balanced(y, np.concatenate(weight).astype(np.float32)))


def folds_of(films: Sequence[LabelledChest], seed: int, folds: int = FOLDS) -> npt.NDArray[np.int64]:
    patients = sorted({f.patient for f in films})
    fold = dict(zip(patients, np.random.default_rng(seed).permutation(len(patients)) % folds, strict=True))
    return np.asarray([fold[f.patient] for f in films])


def out_of_fold(
    films: Sequence[LabelledChest], found: Sequence[FilmMeasured], made: Sequence[Inserted], seed: int
) -> tuple[list[FilmScored], list[FilmScored]]:
    """(films, films with a calculated nodule) scored by the network that has seen neither."""
    fold = folds_of(films, seed)
    plain: dict[int, FilmScored] = {}
    changed: dict[int, FilmScored] = {}
    for f in range(FOLDS):
        seen = np.nonzero(fold != f)[0]
        rng = np.random.default_rng([seed, f])
        data = places_of([films[n] for n in seen], [found[n] for n in seen], [made[n] for n in seen], rng)
        net = train_places(data, replace(SETTINGS, seed=100 * seed + f))
        for n in np.nonzero(fold == f)[0]:
            plain[int(n)] = scored_by(net, found[n])
            changed[int(n)] = scored_by(net, made[n].measured)
    return [plain[n] for n in range(len(films))], [changed[n] for n in range(len(films))]


def scored_by(net: PlaceScoreNet, measured: FilmMeasured) -> FilmScored:
    return scored_film(measured, scores(net, measured.features))


def traits_of_films(results: Sequence[FilmScored]) -> npt.NDArray[np.float64]:
    return np.asarray([r.traits for r in results], np.float64)


def head_of(kind: str, traits: npt.NDArray[np.float64], truth: npt.NDArray[np.bool_]) -> Logistic:
    """The nodule score rests on the mean of the three highest marks alone: more numbers did worse in the folds."""
    size = traits.shape[1]
    use = np.zeros((size, 1)) if kind == "nodule" else np.eye(size)[:, : size - 3]
    if kind == "nodule":
        use[size - 6 : size - 3, 0] = 1.0 / 3.0
    fitted = logistic(traits @ use, truth, RIDGE)
    weights = use @ (fitted.weights * fitted.scale)
    bias = fitted.bias - float((fitted.weights * fitted.scale) @ fitted.centre)
    return Logistic(np.zeros(size), np.ones(size), weights, bias)


def truth_of(films: Sequence[LabelledChest], kind: str) -> npt.NDArray[np.bool_]:
    return np.asarray([getattr(f, kind) for f in films], bool)


def heads_out_of_fold(
    kind: str, traits: npt.NDArray[np.float64], truth: npt.NDArray[np.bool_], fold: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Log odds of each film by a regression on the other folds."""
    score = np.zeros(len(truth))
    for f in sorted(set(fold.tolist())):
        score[fold == f] = head_of(kind, traits[fold != f], truth[fold != f])(traits[fold == f])
    return score


def cross_figures(
    films: Sequence[LabelledChest],
    found: Sequence[FilmMeasured],
    made: Sequence[Inserted],
    work: Path,
    seed: int = 0,
) -> tuple[dict[str, Interval], dict[str, object]]:
    results, _ = out_of_fold(films, found, made, seed)
    fold, traits = folds_of(films, seed), traits_of_films(results)
    score = {kind: heads_out_of_fold(kind, traits, truth_of(films, kind), fold) for kind in KINDS}
    numbers, truth = score["mass"], truth_of(films, "mass")
    level, _ = levels_out_of_fold(films, found, fold, seed, work)
    score["mass"] = joined_log_odds(joined_weights(numbers, level, truth), numbers, level)
    values, more, _ = figures_of(films, results, score)
    return values, {**more, "mass_parts": mass_parts(films, numbers, level, score["mass"])}


def calibration_of(
    films: Sequence[LabelledChest], plain: Sequence[FilmScored], changed: Sequence[FilmScored], made: Sequence[Inserted]
) -> tuple[dict[str, Any], float, list[CalibrationBand], float]:
    """(table, threshold, bands, hit rate) of the highest marks: every second film with a calculated nodule in it."""
    score, right, clean = [], [], []
    hit = []
    for n, film in enumerate(films):
        x, y, radius = made[n].circle
        own = changed[n].marks
        inside = bool(own) and float(np.hypot(own[0].x - x, own[0].y - y)) <= max(radius, 4.0)
        hit.append(inside)
        for result, is_changed in ((plain[n], False), (changed[n], True)):
            if result.marks and (n % 2 == int(is_changed)):
                score.append(result.marks[0].score)
                right.append(is_changed and inside)
        if not (film.nodule or film.mass) and plain[n].marks:
            clean.append(plain[n].marks[0].score)
    s, y_true = np.asarray(score), np.asarray(right)
    knots, chance = isotonic(s, y_true)
    # The last few marks alone would promise certainty: no mark is told to be likelier than the highest ones together.
    chance = np.minimum(chance, float(y_true[np.argsort(-s)[:TOGETHER]].mean()))
    table = {"score": [round(float(v), 4) for v in knots], "probability": [round(float(v), 4) for v in chance]}
    cut = float(np.quantile(clean, 1 - MARKED_SHARE))
    likely = np.interp(s, knots, chance)
    threshold = round(float(np.interp(cut, knots, chance)), 4)
    bands = bands_of(likely.tolist(), y_true.tolist(), BANDS, "inserted nodules", shown_from=threshold)
    return table, threshold, bands, float(np.mean(hit))


def package(
    films: Sequence[LabelledChest],
    found: Sequence[FilmMeasured],
    made: Sequence[Inserted],
    cross: tuple[Mapping[str, Interval], Mapping[str, object]],
    seconds: float | None,
    letter_net: LetterNet,
    work: Path,
) -> tuple[bytes, dict[str, object]]:
    from app.ai.training.signing_key import private_key

    known = [n for n, f in enumerate(films) if f.split != "test"]
    mine, own, own_made = [films[n] for n in known], [found[n] for n in known], [made[n] for n in known]
    plain, changed = out_of_fold(mine, own, own_made, 1)
    traits = traits_of_films(plain)
    heads = {kind: head_of(kind, traits, truth_of(mine, kind)) for kind in KINDS}
    fold, has_mass = folds_of(mine, 1, MEMBERS), truth_of(mine, "mass")
    level, members = levels_out_of_fold(mine, own, fold, KNOWN_SEED, work)
    joined = joined_weights(heads_out_of_fold("mass", traits, has_mass, fold), level, has_mass)
    mass_net = together(members)
    table, threshold, bands, hit_rate = calibration_of(mine, plain, changed, own_made)
    net = train_places(places_of(mine, own, own_made, np.random.default_rng(7)), replace(SETTINGS, seed=7))
    params = {"inputs": len(NAMES), "hidden": SETTINGS.hidden, "members": SETTINGS.members}
    letters = {"classes": len(LETTERS), "width": LETTER_WIDTH}
    networks = {
        NETWORK: NetworkSpec("place_score_v1", params, (1, len(NAMES))),
        LETTER_NETWORK: NetworkSpec("letter_v1", letters, (2, CROP, CROP)),
        MASS_NETWORK: MASS_SPEC,
    }
    arrays = {NETWORK: module_arrays(net, half=False), LETTER_NETWORK: module_arrays(letter_net, half=False)}
    arrays[MASS_NETWORK] = module_arrays(mass_net)
    pipeline = {
        "most_marks": 1,
        "steepest_edge": STEEPEST_EDGE,
        "bands": [0.4, 0.7],
        "maps": list(NAMES),
        "marker_from": MARKER_FROM,
        "marker_alarm_from": MARKER_ALARM_FROM,
        **{k: h.plain() for k, h in heads.items()},
        JOINED: joined,
    }
    last = [n for n, f in enumerate(films) if f.split == "test"]
    tested = [scored_by(net, found[n]) for n in last]
    score = {kind: heads[kind](traits_of_films(tested)) for kind in KINDS}
    numbers, level = score["mass"], levels_of(mass_net, [found[n] for n in last])
    score["mass"] = joined_log_odds(joined, numbers, level)
    figures, told, _ = figures_of([films[n] for n in last], tested, score)
    evaluate = "python -m app.ai.training.evaluate chest_xray --data labelled/chest-xray-nih --split test"
    metrics = _metrics(figures, "chest-xray-nih, test split", evaluate)
    again = "python -m app.ai.training.chest_xray --data DIR"
    metrics += _metrics(cross[0], "chest-xray-nih, five folds by patient over all films", again)
    metrics.append(
        Metric("inserted_hit_rate", round(hit_rate, 4), round(hit_rate, 4), round(hit_rate, 4), len(mine),
               "calculated nodules in real films, five folds", again)
    )  # fmt: skip
    card = CARD.with_figures(metrics, bands, threshold, OPERATING_POINT, seconds)
    parts = PackageParts(
        PACKAGE_ID, card, pipeline, networks, arrays, table, golden_cases(networks, arrays), Limits(ram_mb=1000),
        "Ekinshi developers",
    )  # fmt: skip
    report = {
        "test": {k: [v.value, v.low, v.high] for k, v in figures.items()}
        | {**told, "mass_parts": mass_parts([films[n] for n in last], numbers, level, score["mass"])},
        "folds": {k: [v.value, v.low, v.high] for k, v in cross[0].items()} | dict(cross[1]),
        "inserted_hit_rate": hit_rate,
        "threshold": threshold,
        "bands": [b.__dict__ for b in bands],
    }
    return build_package(parts, private_key()), report


def _metrics(figures: Mapping[str, Interval], data: str, command: str) -> list[Metric]:
    return [
        Metric(k, round(v.value, 4), round(v.low, 4), round(v.high, 4), v.n, data, command)
        for k, v in figures.items()
        if np.isfinite(v.value)
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.ai.training.chest_xray")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("resources/models/chest_xray.ekmodel"))
    parser.add_argument("--work", type=Path, default=Path("build/chest_xray"))
    parser.add_argument("--seconds", type=float, help="measured seconds for one film, for the card")
    parser.add_argument("--partition", type=int, help="only the folds' figures, the films divided otherwise")
    given = parser.parse_args(arguments)
    given.work.mkdir(parents=True, exist_ok=True)
    films = load_set(given.data / LABELLED)
    found = measured_set(films)
    made = [inserted(film) for film in films]
    cross = cross_figures(films, found, made, given.work, given.partition or 0)
    if given.partition is not None:
        print(json.dumps({k: [v.value, v.low, v.high] for k, v in cross[0].items()} | dict(cross[1]), indent=1))
        return 0
    letters = trained_letters(films, given.work)
    data, report = package(films, found, made, cross, given.seconds, letters, given.work)
    given.out.write_bytes(data)
    (given.work / "figures.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    print(json.dumps(report, indent=1))
    print(f"{given.out}: version {CARD.version}, {len(data) / 2**20:.2f} MiB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
