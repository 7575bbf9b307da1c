"""The chest film reader on drawn films, with a stand-in for the network; and the figures on a folder of pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from app.ai.package import open_package
from app.ai.reader_api import FilmImage, ReaderJob
from app.ai.readers.chest.field import prepare
from app.ai.readers.chest.measure import NAMES
from app.ai.readers.chest_xray import READER, measured_film, scored_film
from app.ai.training.film_nodules import path_of, with_nodule
from app.ai.trust import read_trust
from app.domain.finding import ReaderIdentity, ReadState
from app.domain.ports import Cancelled, SilentProgress
from app.domain.resources import resource_path

IDENTITY = ReaderIdentity("chest_xray", "0.0.1", "ef" * 32)
PARAMETERS = {
    "threshold": 0.4,
    "most_marks": 1,
    "calibration": {"score": [0.0, 0.15], "probability": [0.0, 0.9]},
}


class Blobs:
    def run(self, name: str, batch: np.ndarray) -> np.ndarray:
        assert batch.shape[1:] == (1, len(NAMES))
        return batch[:, :, NAMES.index("blob_4.7")]


def chest(lesion: tuple[float, float] | None = None, size: int = 512, seed: int = 0, opaque: bool = False) -> np.ndarray:
    """A bright body with two dark lungs; the left one may be opaque; a round shadow at (x, y) shares."""
    y, x = np.mgrid[:size, :size].astype(np.float32) / size
    film = np.full((size, size), 170.0, np.float32)
    film[(np.abs(x - 0.5) > 0.46)] = 20.0
    for n, cx in enumerate((0.30, 0.70)):
        if opaque and n == 0:
            continue
        film[((x - cx) / 0.13) ** 2 + ((y - 0.43) / 0.28) ** 2 < 1] = 75.0
    film = cv2.GaussianBlur(film, (0, 0), size / 100)
    film += cv2.GaussianBlur(np.random.default_rng(seed).normal(size=film.shape).astype(np.float32), (0, 0), 4) * 12
    if lesion is not None:
        film += 45 * np.exp(-((x - lesion[0]) ** 2 + (y - lesion[1]) ** 2) / (2 * 0.022**2))
    return film


def film(values: np.ndarray, view: str = "PA") -> FilmImage:
    return FilmImage(values, "1.2.3", None, "", view)


def read(*films: FilmImage, **more):
    job = ReaderJob("1.2", IDENTITY, None, films, **more)
    return READER.run(job, Blobs(), PARAMETERS, SilentProgress())  # type: ignore[arg-type]


def test_lung_fields_are_found():
    field = prepare(chest())
    assert field.found == (True, True)
    x = [float(np.argwhere(side)[:, 1].mean()) / 256 for side in field.sides]
    assert x == pytest.approx([0.30, 0.70], abs=0.03)
    assert field.lungs.mean() == pytest.approx(2 * np.pi * 0.13 * 0.28, rel=0.25)


def test_an_opaque_lung_is_searched_at_its_mirrored_place():
    field = prepare(chest(opaque=True))
    assert field.found == (False, True)
    assert np.array_equal(field.sides[0], field.sides[1][:, ::-1])
    assert "ai.chest.one_lung" in [p.code for p in read(film(chest(opaque=True))).problems]


@pytest.mark.parametrize("place", [(0.30, 0.40), (0.72, 0.55)])
def test_a_shadow_is_marked_where_it_lies(place):
    values = chest(place)
    out = read(film(values))
    assert out.state is ReadState.COMPLETED
    (found,) = out.findings
    assert found.location.centre_px == pytest.approx((place[0] * 512, place[1] * 512), abs=12)
    box = found.location.box_px
    assert box[0] < place[0] * 512 < box[2]
    assert box[1] < place[1] * 512 < box[3]
    (heat,) = out.heatmaps
    assert heat.is_probability
    assert float(heat.values.max()) <= 0.9
    peak = np.unravel_index(int(heat.values.argmax()), heat.values.shape)
    assert (peak[1] / heat.values.shape[1], peak[0] / heat.values.shape[0]) == pytest.approx(place, abs=0.04)


@pytest.mark.parametrize(("along", "side"), [("L", "R"), ("R", "L"), ("", "")])
def test_the_side_comes_from_the_stated_orientation(along, side):
    given = FilmImage(chest((0.30, 0.40)), "1.2.3", None, "", "PA", (along, "F") if along else ())
    assert read(given).findings[0].laterality == side


def test_size_and_exposure_do_not_move_the_mark():
    place = (0.30, 0.40)
    one = read(film(chest(place)))
    large = cv2.resize(chest(place), (1024, 1024), interpolation=cv2.INTER_LINEAR) * 9 + 300
    other = read(film(large))
    assert np.divide(other.findings[0].location.centre_px, 2) == pytest.approx(one.findings[0].location.centre_px, abs=6)


def test_without_a_shadow_the_reader_abstains():
    out = read(film(chest()))
    assert not out.findings
    assert "ai.chest.abstains" in [p.code for p in out.problems]


def test_repeated_runs_agree():
    first, second = read(film(chest((0.3, 0.4)))), read(film(chest((0.3, 0.4))))
    assert first.findings == second.findings
    assert np.array_equal(first.heatmaps[0].values, second.heatmaps[0].values)


@pytest.mark.parametrize(
    ("given", "more", "code"),
    [
        (film(chest(), "LL"), {}, "ai.chest.not_frontal"),
        (film(chest(), "LATERAL"), {}, "ai.chest.not_frontal"),
        (film(chest()), {"patient_age_years": 9.0}, "ai.chest.child"),
        (film(chest(size=200)), {}, "ai.chest.too_small"),
        (film(chest()[:200].repeat(2, 1)), {}, "ai.chest.too_small"),
        (film(np.tile(chest(), (1, 2))), {}, "ai.chest.not_a_chest"),
        (film(np.full((512, 512), 3.0, np.float32)), {}, "ai.chest.no_lungs"),
        (film(255 - chest()), {}, "ai.chest.no_lungs"),
    ],
)
def test_what_is_not_read_is_said(given, more, code):
    out = read(given, **more)
    assert out.state is ReadState.OUT_OF_SCOPE
    assert [p.code for p in out.problems] == [code]
    assert not out.findings


def test_nothing_to_read_and_films_lying_down_are_told():
    assert [p.code for p in read().problems] == ["ai.chest.no_film"]
    assert "ai.chest.ap" in [p.code for p in read(film(chest(), "AP")).problems]


def test_a_film_taken_lying_down_gets_no_score_for_a_mass_and_says_so():
    measured = measured_film(prepare(chest()))
    traits = len(scored_film(measured, np.zeros(len(measured.places), np.float32)).traits)
    given = {**PARAMETERS, **{kind: {"weights": [0.0] * traits, "bias": 0.0} for kind in ("nodule", "mass")}}
    told = {}
    for view in ("PA", "AP", ""):
        job = ReaderJob("1.2", IDENTITY, None, (film(chest(), view),))
        out = READER.run(job, Blobs(), given, SilentProgress())  # type: ignore[arg-type]
        told[view] = (
            {name for name, _, _ in out.measurements},
            "ai.chest.mass_not_scored" in [p.code for p in out.problems],
        )
    both = {"chest.nodule_score", "chest.mass_score"}
    assert told == {"PA": (both, False), "AP": ({"chest.nodule_score"}, True), "": (both, False)}


def test_what_has_hard_edges_gets_no_mark_and_the_next_shadow_stands_in_its_place():
    values = chest((0.72, 0.55))
    cv2.circle(values, (154, 205), 14, 235.0, -1)  # a port: as bright inside as out to its rim
    told = {}
    for limit in ({}, {"steepest_edge": 0.32}):
        job = ReaderJob("1.2", IDENTITY, None, (film(values),))
        out = READER.run(job, Blobs(), {**PARAMETERS, **limit}, SilentProgress())  # type: ignore[arg-type]
        (mark,) = out.findings
        told[bool(limit)] = (mark.location.centre_px, "ai.chest.hard_edges" in [p.code for p in out.problems])
    assert told[False] == (pytest.approx((154, 205), abs=12), False), "a package of before marks what is brightest"
    assert told[True] == (pytest.approx((0.72 * 512, 0.55 * 512), abs=12), True)


def test_cancel_is_heard():
    class Stop(SilentProgress):
        def cancelled(self) -> bool:
            return True

    with pytest.raises(Cancelled):
        READER.run(ReaderJob("1", IDENTITY, None, (film(chest()),)), Blobs(), PARAMETERS, Stop())  # type: ignore[arg-type]


def test_inserted_nodules_add_a_smooth_shadow():
    rng = np.random.default_rng(3)
    path = path_of((80, 80), (40.0, 30.0), 9.0, rng)
    row, column = np.unravel_index(int(path.argmax()), path.shape)
    assert (column, row) == pytest.approx((40, 30), abs=3)
    assert 0.8 < float(path.max()) <= 1.0
    assert float(path[:, 60:].max()) == 0.0
    values = cv2.resize(chest(), (256, 256))
    lungs = prepare(values).lungs
    changed, (x, y, radius) = with_nodule(values, lungs, rng)
    assert lungs[round(y), round(x)]
    assert float((changed - values)[round(y), round(x)]) > 3
    assert (
        float(np.abs(changed - values)[np.hypot(*(np.indices(values.shape) - [[[y]], [[x]]])) > 3 * radius + 4].max()) < 1e-3
    )


def test_film_numbers_are_as_many_as_the_shipped_weights():
    package = open_package(
        resource_path("models") / "chest_xray.ekmodel", read_trust(resource_path("models") / "trust.json")
    )
    measured = measured_film(prepare(chest()))
    scored = scored_film(measured, np.zeros(len(measured.places), np.float32))
    assert package.pipeline["maps"] == list(NAMES)
    for kind in ("nodule", "mass"):
        assert len(package.pipeline[kind]["weights"]) == len(scored.traits)
    assert package.card.research_use_only
    assert {m.key for m in package.card.metrics} >= {"nodule_auc", "mass_auc"}


def test_figures_of_a_folder_without_splits_and_boxes(tmp_path):
    from app.ai.training import evaluate

    rows = ["image,patient,Nodule,Mass"]
    for n in range(4):
        values = np.clip(chest((0.3, 0.4) if n % 2 else None, seed=n), 0, 255).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"f{n}.png"), values)
        rows.append(f"f{n}.png,{n},{n % 2},{n // 2}")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    result = evaluate.run("chest_xray", tmp_path, "test", threads=1, engine="torch")
    assert result["n"] == 4
    assert (result["n_mass"], result["mass_shown_auc"]) == (2, result["mass_auc"])
    assert result["localisation_hit_rate"] is None
    for key in ("nodule_auc", "mass_auc"):
        assert result[f"{key}_ci"][0] <= result[key] <= result[f"{key}_ci"][1]
    (tmp_path / "boxes.csv").write_text("image,finding,x,y,w,h\nf1.png,Nodule,100,150,110,110\n", encoding="utf-8")
    assert evaluate.run("chest_xray", tmp_path, "all", threads=1, engine="torch")["n_boxes"] == 1
