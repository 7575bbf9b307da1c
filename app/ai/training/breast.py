"""Makes the mammography reader's package with one command and fixed seeds.

    python -m app.ai.training.breast --data DIR --out resources/models/breast.ekmodel [--work build/breast]

DIR holds ``labelled/mammo-mias``. Stages: ``measure`` (the places of every picture), ``cross`` (five folds by patient over
all pictures, three seeds: the figures; three further seeds judge what ranking and patches add; six minutes of processor
time a seed, kept in the working folder as ``cross-VERSION-SEED.json`` and not done again), ``clusters`` (points of the
generated views: about seven minutes of processor time), ``package`` (trained on train and validation; their own five folds
give the weights of the image score and the calibration; the test split's figures are counted with the result).
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.ai.engines.torch_engine import golden_cases, module_arrays
from app.ai.networks.place_score import PlaceScoreNet
from app.ai.package import Limits, NetworkSpec, PackageParts, build_package
from app.ai.readers.film.places import NOTHING
from app.ai.readers.mammogram.clusters import NAMES as CLUSTER_NAMES
from app.ai.readers.mammogram.clusters import NETWORK as CLUSTERS
from app.ai.readers.mammogram.maps import NAMES, PAIRED
from app.ai.readers.mammogram.patches import NETWORK as PATCHES
from app.ai.readers.mammogram.patches import SIDE, looked_again
from app.ai.readers.mammogram.study import LOOKED, NETWORK, Measured, Scored, image_traits, looked_traits, scored
from app.ai.training import breast_clusters as specks
from app.ai.training.breast_card import CARD, OPERATING_POINT, VERSION
from app.ai.training.breast_patches import PatchSettings, films_of, train_patches
from app.ai.training.card_figures import bands_of
from app.ai.training.evaluation.breast import figures_of, hits, image_scores, rows_of
from app.ai.training.mias import MASSES, Mammogram, load_set, measured_set, partner_of
from app.ai.training.place_net import PlaceSettings, logistic, scores, train_places
from app.ai.training.place_ranking import PicturePlaces, flat, joined, train_ranked
from app.ai.training.stages import PlainNetworks
from app.domain.model_card import CalibrationBand, Metric
from app.domain.scoring import auc, isotonic, paired_bootstrap

Floats = npt.NDArray[np.float64]

PACKAGE_ID = "kz.ekinshi.breast"
LABELLED = "labelled/mammo-mias"
SETTINGS = PlaceSettings(hidden=24, members=3, dropout=0.5, decay=0.5, epochs=14)
RANKED = replace(SETTINGS, members=8, epochs=20)
PATCH_SETTINGS = PatchSettings()
FOLDS = 5
SEEDS = (0, 1, 2)
FRESH_SEEDS = (3, 4, 5)
"""Other folds, on which nothing was chosen: they judge what the ranking members and the patches add."""
RIDGE = 3.0
CALIBRATED_MARKS = 5
TOGETHER = 30
FALSE_PER_NORMAL = 1.0
"""False marks on a normal view that the operating point allows."""
HIDEABLE = [NAMES.index(name) for name in PAIRED]
BANDS = (0.0, 0.1, 0.2, 0.3, 0.5, 1.0)
STAGES = ("measure", "cross", "clusters", "package")


def pictures_of(images: Sequence[Mammogram], found: Sequence[Measured], rng: np.random.Generator) -> list[PicturePlaces]:
    """Places inside circles and places far from any, picture by picture."""
    out = []
    for image, one in zip(images, found, strict=True):
        row, column = one.places[:, 0], one.places[:, 1]
        free = np.ones(len(one.places), bool)
        chosen: list[npt.NDArray[np.int64]] = []
        for lesion in image.lesions:
            if lesion.circle is None:
                free[:] = False  # the lesion is somewhere: no place of this picture is surely normal
                continue
            cx, cy = one.view.to_grid(lesion.circle[0], lesion.circle[1])
            radius = max(lesion.circle[2] * one.view.scale[1], 6.0)
            far = np.hypot(column - cx, row - cy)
            free &= far > 1.5 * radius
            inside = rng.permutation(np.nonzero(far <= 0.75 * radius)[0])[:60]
            if len(inside):
                chosen.append(inside)
        outside = rng.permutation(np.nonzero(free)[0])[:250]
        kinds = np.repeat(np.arange(len(chosen) + 1), [len(outside), *(len(c) for c in chosen)])
        if len(kinds):
            out.append(PicturePlaces(one.features[np.concatenate([outside, *chosen])], kinds, int(free.sum())))
    return out


def trained(pictures: Sequence[PicturePlaces], seed: int) -> tuple[PlaceScoreNet, PlaceScoreNet]:
    """(what ships, its part): the mean of a network that tells places apart and one that sets lesions before the rest of
    their picture; the former alone."""
    apart = train_places(flat(pictures), replace(SETTINGS, seed=seed), HIDEABLE)
    return joined(apart, train_ranked(pictures, replace(RANKED, seed=seed), HIDEABLE)), apart


def folds_of(images: Sequence[Mammogram], seed: int) -> npt.NDArray[np.int64]:
    patients = sorted({i.patient for i in images})
    order = np.random.default_rng(seed).permutation(len(patients)) % FOLDS
    fold = dict(zip(patients, order, strict=True))
    return np.asarray([fold[i.patient] for i in images])


@dataclass(frozen=True, eq=False)
class Looks:
    """A picture scored three ways by networks that have not seen its patient."""

    full: Scored
    """As the package does it."""
    places: Scored
    """Without the patches."""
    apart: Scored
    """Without the ranking members too."""


def place_scores(
    images: Sequence[Mammogram], found: Sequence[Measured], seen: npt.NDArray[np.int64], seed: int, f: int
) -> tuple[list[Scored], list[Scored]]:
    """Every picture by the networks (``trained``) of fold ``f`` of ``seed``, which learned from the pictures ``seen``."""
    rng = np.random.default_rng([seed, f])
    nets = trained(pictures_of([images[n] for n in seen], [found[n] for n in seen], rng), 100 * seed + f)
    both, apart = ([scored(m, scores(net, m.features)) for m in found] for net in nets)
    return both, apart


def out_of_fold(images: Sequence[Mammogram], found: Sequence[Measured], seed: int) -> list[Looks]:
    fold, films = folds_of(images, seed), films_of(images, found)
    out: dict[int, Looks] = {}
    for f in range(FOLDS):
        seen, own = np.nonzero(fold != f)[0], np.nonzero(fold == f)[0]
        both, apart = place_scores(images, found, seen, seed, f)
        settings = replace(PATCH_SETTINGS, seed=100 * seed + f)
        net = train_patches([films[n] for n in seen], [both[n] for n in seen], settings)
        full = looked_again([both[n] for n in own], partner_of([images[n] for n in own]), PlainNetworks({PATCHES: net}))
        out |= {int(n): Looks(one, both[n], apart[n]) for n, one in zip(own, full, strict=True)}
    return [out[n] for n in range(len(images))]


def traits_of_images(images: Sequence[Mammogram], results: Sequence[Scored]) -> npt.NDArray[np.float64]:
    """Those of the second look where it was made (of all pictures with places), else those of the places."""
    of = looked_traits if any(r.looked is not None for r in results) else image_traits
    pairs = zip(results, partner_of(images), strict=True)
    return np.asarray([of(r, None if p is None else results[p]) for r, p in pairs], np.float64)


def seed_figures(images: Sequence[Mammogram], found: Sequence[Measured], seed: int) -> dict[str, Any]:
    """What one seed gives: figures of the full reader, and the outcome of each way of scoring."""
    looks = out_of_fold(images, found, seed)
    ways = {"full": [x.full for x in looks], "places": [x.places for x in looks], "apart": [x.apart for x in looks]}
    outcomes = {name: outcome(images, results, seed) for name, results in ways.items()}
    values, told, _ = figures_of(images, ways["full"], outcomes["full"].score)
    print(f"seed {seed}:", {k: round(v.value, 3) for k, v in values.items()}, flush=True)
    return {
        "values": {k: {"value": v.value, "low": v.low, "high": v.high} for k, v in values.items()},
        "more": told,
        "outcomes": {k: {"score": o.score.tolist(), "reached": o.reached.tolist()} for k, o in outcomes.items()},
    }


def cross_figures(images: Sequence[Mammogram], found: Sequence[Measured], work: Path) -> dict[str, Any]:
    """Five folds by patient over all pictures. The image score's few weights are fitted on the other four folds."""
    known: dict[int, dict[str, Any]] = {}
    for seed in (*SEEDS, *FRESH_SEEDS):
        kept = work / f"cross-{VERSION}-{seed}.json"
        if not kept.exists():
            kept.write_text(json.dumps(seed_figures(images, found, seed)), encoding="utf-8")
        known[seed] = json.loads(kept.read_text(encoding="utf-8"))
    each = [known[s]["values"] for s in SEEDS]
    mean = {
        k: {"value": float(np.mean([v[k]["value"] for v in each])), "low": v["low"], "high": v["high"]}
        for k, v in each[0].items()
    }
    ways = {
        s: {k: Outcome(np.asarray(o["score"]), np.asarray(o["reached"])) for k, o in known[s]["outcomes"].items()}
        for s in known
    }
    groups = {"seeds": SEEDS, "fresh_seeds": FRESH_SEEDS}
    told: dict[str, Any] = {
        name: {group: gains(images, [(ways[s][of], ways[s][over]) for s in own]) for group, own in groups.items()}
        for name, of, over in (("ranking_gain", "places", "apart"), ("patch_gain", "full", "places"))
    }
    print(told, flush=True)
    by_seed = [{k: v["value"] for k, v in e.items()} for e in each]
    return {"mean_of_seeds": mean, "seed_0": known[SEEDS[0]]["more"], "by_seed": by_seed, **told}


@dataclass(frozen=True, eq=False)
class Outcome:
    """One way of scoring on all pictures: the image score, and 1 for each located lesion hit by its picture's first two
    marks."""

    score: Floats
    reached: Floats


def outcome(images: Sequence[Mammogram], results: Sequence[Scored], seed: int) -> Outcome:
    truth = np.asarray([i.abnormal for i in images])
    fold, traits = folds_of(images, seed), traits_of_images(images, results)
    score = np.zeros(len(images))
    for f in range(FOLDS):
        score[fold == f] = logistic(traits[fold != f], truth[fold != f], RIDGE)(traits[fold == f])
    return Outcome(score, np.asarray([0 < row.hit_at <= 2 for row in rows_of(images, results)], np.float64))


def gains(images: Sequence[Mammogram], pairs: Sequence[tuple[Outcome, Outcome]]) -> dict[str, list[float]]:
    """The first way less the second, means of the seeds, paired by patient: [value, low, high]."""
    sick, mass = np.asarray([i.abnormal for i in images]), np.asarray([i.mass for i in images])
    located = [(n, lesion.kind in MASSES) for n, i in enumerate(images) for lesion in i.lesions if lesion.circle]
    found = {}
    for name, truth, own in (("image_auc", sick, np.arange(len(images))), ("mass_auc", mass, np.nonzero(mass | ~sick)[0])):
        scores_of = [np.asarray([pair[n].score for pair in pairs])[:, own] for n in (0, 1)]
        found[name] = _gain(lambda i, s, t=truth[own]: float(np.mean([auc(t[i], one[i]) for one in s])), scores_of,
                            [images[n].patient for n in own])  # fmt: skip
    for name, kinds in (("sensitivity_at_2", (True, False)), ("mass_sensitivity_at_2", (True,))):
        rows = [k for k, (_, kind) in enumerate(located) if kind in kinds]
        hit_of = [np.asarray([pair[n].reached for pair in pairs])[:, rows] for n in (0, 1)]
        patients = [images[located[k][0]].patient for k in rows]
        found[name] = _gain(lambda i, s: float(s[:, i].mean()), hit_of, patients)
    return found


def _gain(figure: Callable[..., float], values: Sequence[Floats], patients: Sequence[str]) -> list[float]:
    told = paired_bootstrap(lambda i: figure(i, values[0]), lambda i: figure(i, values[1]), patients, 1000)
    return [round(v, 4) for v in (told.value, told.low, told.high)]


def calibration_of(
    images: Sequence[Mammogram], results: Sequence[Scored]
) -> tuple[dict[str, Any], float, list[CalibrationBand]]:
    """(table, threshold, bands): the chance that a mark of some score lies in a circle, and the operating point."""
    score, right, normal = [], [], []
    for image, result in zip(images, results, strict=True):
        for n, mark in enumerate(result.marks[:CALIBRATED_MARKS], 1):
            inside = [hits([mark], result.measured, x.circle) > 0 for x in image.lesions if x.circle is not None]
            score.append(mark.score)
            right.append(any(inside))
            normal.append(not image.abnormal and n <= 2)
    s, y, at_normal = np.asarray(score), np.asarray(right), np.asarray(normal)
    knots, chance = isotonic(s, y)
    # The last few marks alone would promise certainty: no mark is told to be likelier than the highest ones together.
    chance = np.minimum(chance, float(y[np.argsort(-s)[:TOGETHER]].mean()))
    table = {"score": [round(float(v), 4) for v in knots], "probability": [round(float(v), 4) for v in chance]}
    views = sum(not i.abnormal for i in images)
    highest = np.sort(s[at_normal])[::-1]
    cut = highest[min(len(highest) - 1, round(FALSE_PER_NORMAL * views))] if len(highest) else NOTHING
    # By the rounded table, as the reader does it: a mark at the cut is shown and counted.
    likely = np.interp(s, table["score"], table["probability"])
    threshold = math.floor(float(np.interp(cut, table["score"], table["probability"])) * 1e4) / 1e4
    bands = bands_of(likely.tolist(), y.tolist(), BANDS, "mammo-mias, five folds", shown_from=threshold)
    return table, threshold, bands


@dataclass(frozen=True, eq=False)
class Clusters:
    """What the generated views gave: part of the package."""

    net: Any
    told: Mapping[str, Any]
    bands: Sequence[CalibrationBand]
    metrics: Sequence[Metric]


def clusters_of(work: Path) -> Clusters:
    known, fresh = (
        [specks.ClusterCase.of(c) for c in json.loads((work / f"clusters-{name}.json").read_text(encoding="utf-8"))]
        for name in ("training", "held-out")
    )
    told, bands = specks.chosen(known)
    net = specks.trained(known)
    values, more, hit = specks.figures(fresh, specks.scored_cases(net, fresh), told["threshold"])
    count = specks.threshold_at(known, specks.baseline_scores(known))
    values |= specks.against_baseline(fresh, hit, count)
    print("clusters:", {k: round(v.value, 3) for k, v in values.items()}, more, flush=True)
    command = "python -m app.ai.training.evaluate breast --data generated"
    metrics = [
        Metric(k, round(v.value, 4), round(v.low, 4), round(v.high, 4), v.n, f"{specks.DATA}, held out", command)
        for k, v in values.items()
    ]
    return Clusters(net, {**told, "baseline_count": count}, bands, metrics)


def keep_clusters(work: Path) -> None:
    for name, seeds in (("training", specks.TRAINING_SEEDS), ("held-out", specks.HELD_OUT_SEEDS)):
        cases = specks.cases_of(seeds, lambda line: print(line, flush=True))
        (work / f"clusters-{name}.json").write_text(json.dumps([c.plain() for c in cases]), encoding="utf-8")


def package(
    images: Sequence[Mammogram],
    found: Sequence[Measured],
    cross: Mapping[str, Any],
    clusters: Clusters,
    seconds: float | None = None,
) -> bytes:
    from app.ai.training.signing_key import private_key

    known = [n for n, i in enumerate(images) if i.split != "test"]
    mine, own = [images[n] for n in known], [found[n] for n in known]
    results = [x.full for x in out_of_fold(mine, own, 0)]
    image = logistic(traits_of_images(mine, results), np.asarray([i.abnormal for i in mine]), RIDGE).plain()
    table, threshold, bands = calibration_of(mine, results)
    net, _ = trained(pictures_of(mine, own, np.random.default_rng(7)), 7)
    by_places = [scored(m, scores(net, m.features)) for m in found]
    patch = train_patches(films_of(mine, own), [by_places[n] for n in known], replace(PATCH_SETTINGS, seed=7))
    params = {"inputs": len(NAMES), "hidden": SETTINGS.hidden, "members": net.members}
    s = specks.SETTINGS
    of_clusters = {"inputs": len(CLUSTER_NAMES), "hidden": s.hidden, "members": s.members}
    networks = {
        NETWORK: NetworkSpec("place_score_v1", params, (1, len(NAMES))),
        PATCHES: NetworkSpec("patch_score_v1", {}, (3, SIDE, SIDE)),
        CLUSTERS: NetworkSpec("place_score_v1", of_clusters, (1, len(CLUSTER_NAMES))),
    }
    modules = {NETWORK: net, PATCHES: patch, CLUSTERS: clusters.net}
    arrays = {name: module_arrays(module, half=False) for name, module in modules.items()}
    pipeline = {LOOKED: image, "most_marks": 2, "bands": [0.2, 0.35], "maps": list(NAMES), "clusters": clusters.told}
    pipeline["patches"] = True
    last = [n for n, i in enumerate(images) if i.split == "test"]
    pictures = [images[n] for n in last]
    tested = looked_again([by_places[n] for n in last], partner_of(pictures), PlainNetworks({PATCHES: patch}))
    figures, told, _ = figures_of(pictures, tested, image_scores(pictures, tested, pipeline))
    print("test:", {k: round(v.value, 3) for k, v in figures.items()}, told, flush=True)
    command = "python -m app.ai.training.evaluate breast --data labelled/mammo-mias --split test"
    metrics = [
        Metric(k, round(v.value, 4), round(v.low, 4), round(v.high, 4), v.n, "mammo-mias, test split", command)
        for k, v in figures.items()
    ]
    folds = "python -m app.ai.training.breast --data DIR --stages cross"
    for k, v in cross.get("mean_of_seeds", {}).items():
        name = "mammo-mias, five folds by patient, mean of three seeds"
        metrics.append(Metric(k, *_around(v), len(images), name, folds))
    metrics += clusters.metrics
    card = CARD.with_figures(metrics, [*bands, *clusters.bands], threshold, OPERATING_POINT, seconds)
    parts = PackageParts(
        PACKAGE_ID, card, pipeline, networks, arrays, table, golden_cases(networks, arrays), Limits(ram_mb=1500),
        "Ekinshi developers",
    )  # fmt: skip
    return build_package(parts, private_key())


def _around(figure: Mapping[str, float]) -> tuple[float, float, float]:
    """(mean of the seeds, the first seed's interval widened to hold it)."""
    value = round(figure["value"], 4)
    return value, min(value, round(figure["low"], 4)), max(value, round(figure["high"], 4))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.ai.training.breast")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("resources/models/breast.ekmodel"))
    parser.add_argument("--work", type=Path, default=Path("build/breast"))
    parser.add_argument("--stages", nargs="*", choices=STAGES, default=list(STAGES))
    parser.add_argument("--seconds", type=float, help="measured seconds for four views (tests.perf.read_time), for the card")
    given = parser.parse_args(arguments)
    given.work.mkdir(parents=True, exist_ok=True)
    needed = set(given.stages) - {"clusters"}
    images = load_set(given.data / LABELLED) if needed else []
    found = measured_set(images)
    kept = given.work / "cross.json"
    if "cross" in given.stages:
        kept.write_text(json.dumps(cross_figures(images, found, given.work), indent=1), encoding="utf-8")
    if "clusters" in given.stages:
        keep_clusters(given.work)
    if "package" in given.stages:
        cross = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
        given.out.write_bytes(package(images, found, cross, clusters_of(given.work), given.seconds))
        print(f"{given.out}: version {CARD.version}, {given.out.stat().st_size / 2**20:.2f} MiB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
