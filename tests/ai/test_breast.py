"""The mammography reader on drawn breasts, with a stand-in for the network; and the figures on a folder of pictures."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from app.ai.package import open_package
from app.ai.reader_api import FilmImage, ReaderJob
from app.ai.readers.breast import READER, partners
from app.ai.readers.mammogram.clusters import NAMES as CLUSTER_NAMES
from app.ai.readers.mammogram.density import band_of, dense_share
from app.ai.readers.mammogram.maps import NAMES, PAIRED
from app.ai.readers.mammogram.view import prepare
from app.ai.selection import set_reason
from app.ai.training.mias import load_set, partner_of
from app.ai.trust import read_trust
from app.domain.finding import ReaderIdentity, ReadState
from app.domain.ports import Cancelled, SilentProgress
from app.domain.resources import resource_path

IDENTITY = ReaderIdentity("breast", "0.0.1", "cd" * 32)
PARAMETERS = {
    "threshold": 0.0,
    "most_marks": 1,
    "calibration": {"score": [-0.5, 1.0], "probability": [0.0, 0.8]},
    "image": {"weights": [1.0] + [0.0] * 11, "bias": 0.0},
}
MM = 0.4


class Blobs:
    """The strength of a 6-pixel blob stands in for the trained network."""

    def run(self, name: str, batch: np.ndarray) -> np.ndarray:
        assert batch.shape[1:] == (1, len(NAMES))
        return batch[:, :, NAMES.index("blob_6.0")]


def breast(lesion: tuple[float, float] | None = None, seed: int = 1, shape: tuple[int, int] = (360, 220)) -> np.ndarray:
    """Chest wall on the left: half an ellipse of tissue, a bright triangle of muscle, a round lesion (x, y)."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    inside = (x / 180) ** 2 + ((y - 180) / 165) ** 2
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=shape).astype(np.float32), (0, 0), 5) * 60
    film = np.where(inside < 1, 300 + 500 * np.sqrt(np.clip(1 - inside, 0, 1)) + noise, 0)
    film = np.where((x / 70 + y / 150 < 1) & (inside < 1.4), 1250, film)
    if lesion is not None:
        film = film + 260 * np.exp(-((x - lesion[0]) ** 2 + (y - lesion[1]) ** 2) / (2 * 8.0**2))
    return cv2.GaussianBlur(film.astype(np.float32), (0, 0), 1.0)


def film(values: np.ndarray, side: str = "L", view: str = "MLO", uid: str = "1.2.3") -> FilmImage:
    return FilmImage(values, uid, (MM, MM), side, view, (), None, (MM, MM))


def read(*films: FilmImage, **more):
    job = ReaderJob("1.2", IDENTITY, None, films, **more)
    return READER.run(job, Blobs(), PARAMETERS, SilentProgress())  # type: ignore[arg-type]


def test_breast_and_muscle_are_found_on_either_side():
    values = breast()
    left, right = prepare(values, (MM, MM), True), prepare(np.ascontiguousarray(values[:, ::-1]), (MM, MM), True)
    assert not left.mirrored
    assert right.mirrored
    assert np.array_equal(left.breast, right.breast)
    drawn = float(((np.indices(values.shape)[1] / 180) ** 2 + ((np.indices(values.shape)[0] - 180) / 165) ** 2 < 1).sum())
    assert left.breast.sum() == pytest.approx(drawn, rel=0.08)
    assert left.muscle.sum() == pytest.approx(0.5 * 70 * 150, rel=0.35)
    assert not prepare(values, (MM, MM), False).muscle.any()


def test_places_go_to_the_film_and_back():
    values = np.ascontiguousarray(breast()[:, ::-1])
    view = prepare(values, (0.2, 0.2), True)
    assert view.scale == pytest.approx((0.5, 0.5))
    x, y = view.to_film(31.0, 47.0)
    assert view.to_grid(x, y) == pytest.approx((31.0, 47.0))


@pytest.mark.parametrize("mirror", [False, True])
def test_a_lesion_is_marked_where_it_lies(mirror):
    values = breast((90.0, 230.0))
    if mirror:
        values = np.ascontiguousarray(values[:, ::-1])
    out = read(film(values, "R" if mirror else "L"))
    assert out.state is ReadState.COMPLETED
    (found,) = out.findings
    x = values.shape[1] - 90.5 if mirror else 90.5
    assert found.location.centre_px == pytest.approx((x, 230.5), abs=5.0)
    assert found.laterality == ("R" if mirror else "L")
    assert out.problems[0].code == "ai.breast.chances_from_film"
    (heat,) = out.heatmaps
    assert heat.is_probability
    assert float(heat.values.min()) >= 0.0
    assert float(heat.values.max()) <= 0.8
    peak = np.unravel_index(int(heat.values.argmax()), heat.values.shape)
    assert peak[1] / heat.values.shape[1] * values.shape[1] == pytest.approx(x, abs=8)
    assert peak[0] / heat.values.shape[0] * values.shape[0] == pytest.approx(230, abs=8)


def test_a_finer_film_gives_the_same_place():
    values = breast((90.0, 230.0))
    fine = cv2.resize(values, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    out = read(replace(film(fine), spacing_mm=(MM / 2, MM / 2), detector_spacing_mm=(MM / 2, MM / 2)))
    assert out.findings[0].location.centre_px == pytest.approx((181, 461), abs=10)


def test_padding_does_not_count():
    values = breast((90.0, 230.0))
    padded = np.pad(values, ((0, 40), (0, 60)), constant_values=4095.0)
    valid = np.zeros(padded.shape, bool)
    valid[:360, :220] = True
    out = read(replace(film(padded), valid=valid))
    assert out.findings[0].location.centre_px == pytest.approx((90.5, 230.5), abs=5)


def test_the_other_breast_is_compared_by_projection():
    films = [film(breast(), "L", "MLO"), film(breast(), "R", "MLO"), film(breast(), "L", "CC")]
    assert partners(films) == [1, 0, None]
    assert partners([film(breast(), "L", "")]) == [None]
    alone = read(films[0])
    assert "ai.breast.one_side" in [p.code for p in alone.problems]
    assert len(PAIRED) + len(set(NAMES) - set(PAIRED)) == len(NAMES)


def _mirrored(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values[:, ::-1])


def test_a_mark_says_when_it_outshines_the_other_breast():
    lesion = (90.0, 230.0)
    left = film(breast(lesion), "L", "MLO", "1")
    alone, other, alike = (
        read(left),
        read(left, film(_mirrored(breast(seed=2)), "R", "MLO", "2")),
        read(left, film(_mirrored(breast(lesion)), "R", "MLO", "2")),
    )
    (mark,) = [f for f in other.findings if f.laterality == "L"]
    ((name, z),) = mark.attributes
    assert name == "asymmetry"
    assert 3.0 <= float(z) < 20.0
    assert [f.attributes for f in (*alone.findings, *alike.findings)] == [(), (), ()]
    assert [f.attributes for f in other.findings if f.laterality == "R"] == [()]
    # It is told beside the mark and counts in nothing.
    (same,) = alone.findings
    assert replace(mark, attributes=()) == same


def test_repeated_runs_agree_and_the_density_is_told():
    first, second = read(film(breast((90.0, 230.0)))), read(film(breast((90.0, 230.0))))
    assert first.findings == second.findings
    assert np.array_equal(first.heatmaps[0].values, second.heatmaps[0].values)
    values = {name: value for name, value, _ in first.measurements}
    assert 0.0 <= values["breast.dense_area_left"] <= 100.0
    assert "ai.breast.density" in [p.code for p in first.problems]


def test_denser_breasts_have_a_higher_share():
    y, x = np.mgrid[:360, :220].astype(np.float32)
    shares = []
    for radius in (30.0, 60.0, 90.0):
        gland = 420 / (1 + np.exp((np.hypot(x - 80, y - 190) - radius) / 3))
        share = dense_share(prepare((breast() * 0.4 + gland).astype(np.float32), (MM, MM), False))
        assert share is not None
        shares.append(share)
    assert shares == sorted(shares)
    assert shares[2] > shares[0] + 10
    assert [band_of(v) for v in (5.0, 10.0, 25.0, 50.0)] == ["A", "B", "C", "D"]


@pytest.mark.parametrize(
    ("given", "more", "code"),
    [
        (film(breast()), {"attributes": {"presentation_intent_type": "FOR PROCESSING"}}, "ai.breast.for_processing"),
        (film(breast()), {"patient_age_years": 12.0}, "ai.breast.child"),
        (replace(film(breast()), spacing_mm=None, detector_spacing_mm=None), {}, "ai.breast.no_pixel_size"),
        (replace(film(breast()), detector_spacing_mm=(2.0, 2.0)), {}, "ai.breast.too_coarse"),
        (film(np.full((300, 200), 7.0, np.float32)), {}, "ai.breast.empty"),
        (film(np.pad(breast(shape=(80, 60)), 4)), {}, "ai.breast.no_breast"),
    ],
)
def test_what_is_not_read_is_said(given, more, code):
    out = read(given, **more)
    assert out.state is ReadState.OUT_OF_SCOPE
    assert [p.code for p in out.problems] == [code]
    assert not out.findings


def test_nothing_to_read_is_said_too():
    assert [p.code for p in read().problems] == ["ai.breast.no_film"]


def test_an_age_that_was_taken_out_is_no_reason():
    assert read(film(breast()), patient_age_years=0.0).state is ReadState.COMPLETED


def test_cancel_is_heard():
    class Stop(SilentProgress):
        def cancelled(self) -> bool:
            return True

    with pytest.raises(Cancelled):
        READER.run(ReaderJob("1", IDENTITY, None, (film(breast()),)), Blobs(), PARAMETERS, Stop())  # type: ignore[arg-type]


def shipped():
    path = resource_path("models") / "breast.ekmodel"
    return open_package(path, read_trust(resource_path("models") / "trust.json"))


def test_the_shipped_package_fits_the_reader():
    package = shipped()
    assert package.pipeline["maps"] == list(NAMES)
    clusters = package.pipeline["clusters"]
    assert clusters["features"] == list(CLUSTER_NAMES)
    assert {m.key for m in package.card.metrics} >= {
        "cluster_sensitivity",
        "cluster_false_per_view",
        "cluster_gain_over_count",
    }
    assert any(b.kind == "calcification_cluster" and "generated" in b.data for b in package.card.calibration)
    assert np.all(np.diff(clusters["calibration"]["probability"]) >= 0)
    assert package.card.seconds_hint is not None
    assert package.card.research_use_only
    assert any("research purposes only" in a for a in package.card.attributions)
    assert {m.key for m in package.card.metrics} >= {"image_auc", "sensitivity_at_1", "sensitivity_at_2", "mass_auc"}
    rising = package.calibration
    assert rising is not None
    assert np.all(np.diff(rising["probability"]) >= 0)


def test_rules_refuse_raw_images():
    from app.domain.study import DisplaySet, DisplaySetKind, FrameRef, Instance, Patient, Series, Study

    rules = shipped().card.rules
    for intent, code in (("FOR PRESENTATION", None), ("FOR PROCESSING", "ai.scope.for_processing")):
        more = {"presentation_intent_type": intent, "body_part_examined": "BREAST"}
        instance = Instance("1.1", "1.2.840.10008.5.1.4.1.1.1.2", "1.2.840.10008.1.2.1", "", **more)
        study = Study("1", Patient("p"), (Series("1.0", "MG", (instance,)),))
        shown = DisplaySet("d", "1.0", "1", "MG", DisplaySetKind.IMAGES, (FrameRef("1.1", 0),))
        reason, _ = set_reason(rules, study, shown)
        assert (reason.code if reason else None) == code


def test_figures_of_a_folder_without_splits(tmp_path):
    from app.ai.training import evaluate

    (tmp_path / "images").mkdir()
    rows = ["image,patient,class,severity,x,y,radius"]
    for n in range(6):
        place = (90.0, 150.0 + 20 * n) if n % 3 == 0 else None
        values = np.clip(breast(place, seed=n) / 8, 0, 255).astype(np.uint8)
        cv2.imwrite(str(tmp_path / "images" / f"f{n}.png"), values)
        rows.append(f"f{n}.png,p{n // 2}," + (f"CIRC,B,{place[0]},{place[1]},25" if place else "NORM,,,,"))
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    images = load_set(tmp_path, "test")
    assert partner_of(images) == [1, 0, 3, 2, 5, 4]
    result = evaluate.run("breast", tmp_path, "test", engine="torch")
    assert result["n"] == 6
    assert result["n_located"] == 2
    for key in ("image_auc", "mass_auc", "sensitivity_at_1", "sensitivity_at_2", "mass_sensitivity_at_2"):
        assert 0.0 <= result[key] <= 1.0
        assert result[f"{key}_ci"][0] <= result[key] <= result[f"{key}_ci"][1]
