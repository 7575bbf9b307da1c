"""The lung reader end to end on generated chests, with networks of the test's own or the package that ships."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from app.ai.reader_api import ReaderJob
from app.ai.readers.lung.window import GRID
from app.ai.readers.lung_ct import READER, _suspicion, calibrated
from app.domain.finding import SUSPICION, ReaderIdentity, ReadState
from app.domain.geometry import VolumeGeometry
from app.domain.measurement import Quantity
from app.domain.ports import Cancelled, SilentProgress
from app.domain.volume import Volume
from app.samples.chest_ct import NoduleSpec, ScanStyle, generate_chest_ct

IDENTITY = ReaderIdentity("lung_ct", "0.0.1", "ab" * 32)
JUDGED = {"log_width": 1.0, "densest": 0.0, "rating": 0.0, "bias": -3.0, "shown": True}
PARAMETERS = {"threshold": 0.5, "mirrors": 1, "malignancy": JUDGED}
SPACING = (3.2, 1.5, 1.5)


class BrightCentre:
    """Stands in for trained networks: a bright, compact middle is a nodule; what is bright near the seed is its mask."""

    def run(self, name: str, batch: np.ndarray) -> np.ndarray:
        if name == "lung_candidate":
            middle = batch[:, 0, 13:19, 13:19, 13:19].mean((1, 2, 3))
            shell = batch[:, 0].copy()
            shell[:, 3:29, 3:29, 3:29] = np.nan
            return ((middle - 0.15) * 12 - np.clip(np.nanmean(shell, (1, 2, 3)) + 0.6, 0, 1) * 8)[:, None].astype(np.float32)
        image, distance = batch[:, 0], batch[:, 1]
        logits = np.where((image > -0.25) & (distance < 0.8), 6.0, -6.0)
        return np.concatenate([logits.reshape(len(batch), -1), np.zeros((len(batch), 9))], 1).astype(np.float32)


@pytest.fixture(scope="module")
def phantom():
    specs = (NoduleSpec(20.0, irregularity=0.05, hu=30), NoduleSpec(16.0, irregularity=0.05, hu=30))
    return generate_chest_ct(3, (84, 220, 220), SPACING, specs, (-171.5, -40.0, -512.0), ScanStyle(12.0, vessels=0.4))


def read(volume: Volume, nets: object | None = None):
    job = ReaderJob("1.2.3", IDENTITY, volume, display_set_id="d")
    return READER.run(job, nets or BrightCentre(), PARAMETERS, SilentProgress())  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def result(phantom):
    return read(phantom.volume)


def nearest(findings, point):
    return min(findings, key=lambda f: np.linalg.norm(np.subtract(f.location.centre_lps_mm, point)))


def test_nodules_are_found_where_they_lie(phantom, result):
    assert result.state is ReadState.COMPLETED
    for truth in phantom.truth:
        found = nearest(result.findings, truth.centre_lps_mm)
        assert np.linalg.norm(np.subtract(found.location.centre_lps_mm, truth.centre_lps_mm)) < 5.0
        assert found.laterality == truth.laterality
        assert found.region.startswith("region.lung.left" if truth.laterality == "L" else "region.lung.right")
        assert found.measured(Quantity.MEAN_DIAMETER).value == pytest.approx(truth.diameter_mm, rel=0.6)
        assert dict(found.attributes)["composition"] == "solid"


def test_mask_and_heatmap_lie_on_the_finding(phantom, result):
    masks = {m.finding_id: m for m in result.masks}
    assert set(masks) == {f.finding_id for f in result.findings}
    (heatmap,) = result.heatmaps
    assert heatmap.is_probability
    assert float(heatmap.values.max()) <= 1.0
    for finding in result.findings:
        mask = masks[finding.finding_id]
        index = np.argwhere(mask.values).mean(0)
        centre = mask.geometry.to_patient(tuple(index))
        assert np.linalg.norm(np.subtract(centre, finding.location.centre_lps_mm)) < 1.0
        points = mask.geometry.to_patient_many(np.argwhere(mask.values).astype(float))
        places = np.rint(heatmap.geometry.to_index_many(points)).astype(int)
        assert float(heatmap.values[tuple(places.T)].min()) >= finding.probability - 0.01


def test_turned_files_give_the_same_findings(phantom, result):
    """Slices from head to foot, rows from back to front: the same patient millimetres and sides."""
    volume = phantom.volume
    g = volume.geometry
    flipped = VolumeGeometry(
        g.to_patient((g.shape[0] - 1, g.shape[1] - 1, 0)),
        tuple(-v for v in g.k_step_mm),
        tuple(-v for v in g.j_step_mm),
        g.i_step_mm,
        g.shape,
    )
    other = read(Volume(np.ascontiguousarray(volume.voxels[::-1, ::-1]), flipped, "HU"))
    assert [(f.finding_id, f.laterality, f.measurements) for f in other.findings] == [
        (f.finding_id, f.laterality, f.measurements) for f in result.findings
    ]


def test_ignored_orientation_would_show(phantom, result):
    """Pixels mirrored without telling the header: the side changes."""
    volume = phantom.volume
    mirrored = read(Volume(np.ascontiguousarray(volume.voxels[:, :, ::-1]), volume.geometry, "HU"))
    truth = phantom.truth[0]
    x = volume.geometry.to_index(truth.centre_lps_mm)
    point = volume.geometry.to_patient((x[0], x[1], volume.geometry.shape[2] - 1 - x[2]))
    assert nearest(mirrored.findings, point).laterality == ("R" if truth.laterality == "L" else "L")


def test_repeated_run_is_the_same(phantom, result):
    again = read(phantom.volume)
    assert again.findings == result.findings
    assert np.array_equal(again.heatmaps[0].values, result.heatmaps[0].values)


@pytest.mark.parametrize(
    ("voxels", "spacing", "unit", "code"),
    [
        (np.full((60, 64, 64), 30, np.int16), (2.0, 1.0, 1.0), "HU", "ai.lung.not_a_chest"),
        (np.full((60, 64, 64), 30, np.int16), (5.0, 1.0, 1.0), "HU", "ai.lung.too_thick"),
        (np.full((10, 64, 64), 30, np.int16), (2.0, 1.0, 1.0), "HU", "ai.lung.too_short"),
        (np.full((60, 64, 64), 30, np.float32), (2.0, 1.0, 1.0), "SUVbw", "ai.lung.not_hu"),
    ],
)
def test_out_of_scope_is_said(voxels, spacing, unit, code):
    out = read(Volume(voxels, VolumeGeometry.axial(voxels.shape, spacing), unit))
    assert out.state is ReadState.OUT_OF_SCOPE
    assert code in [p.code for p in out.problems]
    assert not out.findings


def test_water_and_air_without_lungs_is_out_of_scope():
    voxels = np.full((60, 80, 80), -1000, np.int16)
    voxels[:, 10:70, 10:70] = 150
    out = read(Volume(voxels, VolumeGeometry.axial(voxels.shape, (2.0, 1.5, 1.5)), "HU"))
    assert out.state is ReadState.OUT_OF_SCOPE
    assert out.problems[0].code == "ai.lung.no_lungs"


def test_cancel_is_heard(phantom):
    class Stop(SilentProgress):
        def cancelled(self) -> bool:
            return True

    with pytest.raises(Cancelled):
        READER.run(ReaderJob("1", IDENTITY, phantom.volume), BrightCentre(), PARAMETERS, Stop())


def test_suspicion_is_told_with_the_finding_and_only_where_the_package_shows_it(phantom, result):
    for truth in phantom.truth:
        (said,) = (float(v) for k, v in nearest(result.findings, truth.centre_lps_mm).attributes if k == SUSPICION)
        assert np.log(said / (1 - said)) + 3.0 == pytest.approx(np.log(truth.diameter_mm), abs=0.25)
    turned = SimpleNamespace(geometry=VolumeGeometry.axial((4, 4, 4), SPACING), voxels=np.zeros((4, 4, 4)))
    assert _suspicion(turned, None, {"malignancy": {**JUDGED, "shown": False}}) is None  # type: ignore[arg-type]


def test_calibration_table_is_read_between_its_points():
    table = {"calibration": {"score": [-1.0, 1.0], "probability": [0.2, 0.6]}}
    assert calibrated(0.0, table) == pytest.approx(0.4)
    assert calibrated(9.0, table) == pytest.approx(0.6)
    assert calibrated(0.0, {}) == pytest.approx(0.5)


def test_window_grid_is_the_networks():
    from app.ai.networks import lung_candidate, lung_nodule
    from app.ai.readers.lung import cubes

    assert lung_nodule.GRID == GRID
    assert (lung_candidate.CUBE, lung_candidate.STEPS_MM) == (cubes.CUBE, cubes.STEPS_MM)
