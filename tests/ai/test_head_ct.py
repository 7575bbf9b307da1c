"""The head reader: frame, slabs, marks and the reader on generated heads; figures on a tiny labelled folder."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.ai.engines.torch_engine import TorchEngine
from app.ai.networks.registry import build
from app.ai.reader_api import ReaderJob
from app.ai.readers.head.frame import COLUMNS, ROWS, Frame, frame_of
from app.ai.readers.head.planes import CHANNELS, channels, neighbours, off_grid, on_grid, windowed
from app.ai.readers.head.segment import NETWORK, BleedMap, likeliest, outlines
from app.ai.readers.head.stack import stack_of, to_source
from app.ai.readers.head_ct import READER, calibrated, marks_of
from app.ai.readers.lung.canonical import turn
from app.ai.training.card_figures import table_of
from app.ai.training.head_bleeds import bleed_shape, intracranial, painted
from app.ai.training.head_set import HeadScan, load_scans
from app.domain.finding import ReaderIdentity, ReadState
from app.domain.geometry import VolumeGeometry
from app.domain.ports import SilentProgress
from app.domain.resources import resource_path
from app.domain.volume import Volume

SPACING = (5.0, 1.0, 1.0)
ORIGIN = (-110.0, -340.0, 512.0)
BLOOD_LOW, BLOOD_HIGH = (7, 70, 130), (11, 92, 150)
PACKAGE = resource_path("models") / "head_ct.ekmodel"


def head(tilt_of_image_deg: float = 0.0) -> Volume:
    """A skull with a midline of symmetry along the rows' direction and a block of blood on the patient's left."""
    y, x = np.mgrid[:200, :220].astype(np.float32)
    turned = np.deg2rad(tilt_of_image_deg)
    u = (x - 112) * np.cos(turned) + (y - 98) * np.sin(turned)
    v = (y - 98) * np.cos(turned) - (x - 112) * np.sin(turned)
    r = np.sqrt((u / 72) ** 2 + ((v + 0.0015 * u * u) / 90) ** 2)
    plane = np.where(r < 1, 1100.0, -1000.0)
    plane[r < 0.91] = 33.0
    plane[(np.abs(u) < 12) & (v > -30) & (v < 40) & (r < 0.8)] = 8.0
    voxels = np.repeat(plane[None].astype(np.int16), 18, 0)
    (k0, j0, i0), (k1, j1, i1) = BLOOD_LOW, BLOOD_HIGH
    voxels[k0:k1, j0:j1, i0:i1] = 66
    noise = np.random.default_rng(0).normal(0, 2, voxels.shape).astype(np.int16)
    uids = tuple(f"2.25.{n + 1}" for n in range(18))
    geometry = VolumeGeometry.axial((18, 200, 220), SPACING, ORIGIN, "2.25.99")
    return Volume((voxels + noise).astype(np.int16), geometry, "HU", uids)


class BrightIsBlood:
    """Stands for the network: what lies between 50 and 78 HU away from the bone is blood."""

    def run(self, name: str, batch: np.ndarray) -> np.ndarray:
        assert name == NETWORK
        assert batch.shape[1:] == (CHANNELS, ROWS, COLUMNS)
        grey = batch[:, 0] * 60 + 100
        blood = (grey > 165) & (grey < 250)
        opened = [cv2.morphologyEx(b.astype(np.uint8), cv2.MORPH_OPEN, np.ones((7, 7))) for b in blood]
        logits = np.where(np.stack(opened) > 0, 6.0, -8.0).reshape(len(batch), -1)
        return np.concatenate([logits, logits.max(1, keepdims=True)], 1).astype(np.float32)


PARAMETERS = {"mask_threshold": 0.5, "speck_pixels": 10, "threshold": 0.3}


def read(volume: Volume | None, **attributes: str):  # type: ignore[no-untyped-def]
    job = ReaderJob(
        "2.25.5", ReaderIdentity("head_ct", "0.1.0", "ab" * 32), volume, display_set_id="s", attributes=attributes
    )
    return READER.run(job, BrightIsBlood(), PARAMETERS, SilentProgress())


def test_frame_follows_the_midline() -> None:
    for angle in (0.0, 17.0, -24.0):
        planes = windowed(head(angle).voxels[2:6])
        frame = frame_of(planes)
        # The midline of the phantom runs along v, that is at 90 degrees plus the turn.
        off = (frame.angle_deg - (90.0 + angle) + 90.0) % 180.0 - 90.0
        assert abs(off) <= 3.0
        assert abs(frame.x - 112) < 4
        assert abs(frame.y - 98) < 8


def test_grid_and_back_is_the_same_place() -> None:
    plane = np.zeros((256, 256), np.uint8)
    plane[100:140, 120:150] = 255
    frame = Frame(130.0, 120.0, 31.0, 0.9)
    back = off_grid(on_grid(plane, frame).astype(np.float32), frame, plane.shape)
    assert 2 * ((back > 127) & (plane > 0)).sum() / ((back > 127).sum() + (plane > 0).sum()) > 0.96


def test_window_and_neighbours() -> None:
    assert windowed(np.array([-1000, 0, 40, 80, 500])).tolist() == [0, 0, 128, 255, 255]
    assert neighbours([3, 1, 2, 7], 1.0) == [(2, 0), (1, 2), (1, 0), (3, 3)]


def test_mirrored_channel_changes_sign_with_a_flip() -> None:
    rng = np.random.default_rng(1)
    planes = [rng.integers(0, 255, (ROWS, COLUMNS)).astype(np.uint8) for _ in range(3)]
    made = channels(*planes)
    flipped = channels(*(np.ascontiguousarray(p[::-1]) for p in planes))
    np.testing.assert_allclose(made[:, ::-1], flipped, atol=1e-6)


def test_bleed_is_found_with_side_volume_and_place() -> None:
    volume = head()
    out = read(volume)
    assert out.state is ReadState.COMPLETED
    assert len(out.findings) == 1
    finding = out.findings[0]
    low, high = np.asarray(BLOOD_LOW), np.asarray(BLOOD_HIGH)
    true_mm3 = float(np.prod((high - low) * np.asarray(SPACING)))
    measured = finding.measured("volume")
    assert measured is not None
    assert measured.unit == "mm3"
    assert abs(measured.value - true_mm3) < 0.12 * true_mm3
    centre = volume.geometry.to_patient(tuple(((low + high - 1) / 2).tolist()))
    assert finding.location.centre_lps_mm is not None
    np.testing.assert_allclose(finding.location.centre_lps_mm, centre, atol=1.5)
    assert finding.laterality == "L"
    assert finding.location.box_lps_mm is not None
    for corner, index in zip(finding.location.box_lps_mm, (low - 0.5, high - 0.5), strict=True):
        np.testing.assert_allclose(corner, volume.geometry.to_patient(tuple(index.tolist())), atol=3.0)
    mask = out.masks[0]
    assert mask.geometry is not None
    assert mask.values.shape == mask.geometry.shape
    assert finding.location.sop_instance_uid in volume.source_sop_instance_uids
    heat = out.heatmaps[0]
    assert heat.geometry is not None
    assert heat.values.shape == heat.geometry.shape
    assert float(heat.values.max()) <= 1.0


def test_same_finding_whatever_the_order_of_axes() -> None:
    volume = head()
    g = volume.geometry
    flipped = VolumeGeometry(
        g.to_patient((17.0, 0.0, 219.0)),
        (0.0, 0.0, -5.0),
        g.j_step_mm,
        (-1.0, 0.0, 0.0),
        g.shape,
        g.frame_of_reference_uid,
    )
    other = Volume(volume.voxels[::-1, :, ::-1].copy(), flipped, "HU", volume.source_sop_instance_uids[::-1])
    first, second = read(volume).findings[0], read(other).findings[0]
    assert first.laterality == second.laterality == "L"
    assert first.location.centre_lps_mm is not None
    assert second.location.centre_lps_mm is not None
    np.testing.assert_allclose(first.location.centre_lps_mm, second.location.centre_lps_mm, atol=1.0)
    shown = {first.location.sop_instance_uid, second.location.sop_instance_uid}
    assert shown <= {f"2.25.{n + 1}" for n in range(BLOOD_LOW[0], BLOOD_HIGH[0])}


def test_pixels_flipped_without_the_header_change_the_side() -> None:
    volume = head()
    wrong = replace(volume, voxels=volume.voxels[:, :, ::-1].copy())
    assert read(wrong).findings[0].laterality == "R"


def test_thin_slices_give_the_same_volume() -> None:
    volume = head()
    thin = np.repeat(volume.voxels, 5, 0)
    geometry = VolumeGeometry.axial((90, 200, 220), (1.0, 1.0, 1.0), (ORIGIN[0], ORIGIN[1], ORIGIN[2] - 2.0))
    found = read(Volume(thin, geometry, "HU")).findings
    a, b = read(volume).findings[0].measured("volume"), found[0].measured("volume")
    assert a is not None
    assert b is not None
    assert abs(a.value - b.value) < 0.1 * a.value
    assert found[0].location.centre_lps_mm is not None
    first = read(volume).findings[0].location.centre_lps_mm
    assert first is not None
    np.testing.assert_allclose(found[0].location.centre_lps_mm, first, atol=2.6)


def test_calcification_is_left_out() -> None:
    volume = head()
    stack = stack_of(turn(volume.voxels, volume.geometry))
    masks = np.zeros(stack.hu.shape, bool)
    masks[8:10, 80:90, 140:150] = True
    assert len(marks_of(stack, masks, np.ones(masks.shape, np.float32))) == 1
    dense = replace(stack, hu=np.where(masks, 140.0, stack.hu).astype(np.float32))
    assert marks_of(dense, masks, np.ones(masks.shape, np.float32)) == []
    small = np.zeros_like(masks)
    small[8, 80:84, 140:144] = True  # 16 x 0.92 x 5 mm3: below 0.3 ml
    assert marks_of(stack, small, np.ones(masks.shape, np.float32)) == []


def test_block_goes_back_to_its_source_voxels() -> None:
    volume = head()
    turned = turn(volume.voxels, volume.geometry)
    stack = stack_of(turned)
    mask = np.ones((2, 20, 20), bool)
    block, start = to_source(mask, (4, 50, 60), stack, turned.geometry.shape)
    assert block.shape[0] == 2
    assert start[0] == 4
    assert abs(block.sum() * 5.0 - mask.sum() * stack.voxel_mm3) < 0.12 * mask.sum() * stack.voxel_mm3


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda v: replace(v, unit="SUVbw"), "ai.head.not_hu"),
        (lambda v: v.crop(slice(0, 6)), "ai.head.too_short"),
        (lambda v: replace(v, voxels=np.zeros_like(v.voxels)), "ai.head.not_a_head"),
        (lambda v: replace(v, voxels=np.where(v.voxels > 300, 30, v.voxels)), "ai.head.not_a_head"),
        (
            lambda v: replace(v, geometry=replace(v.geometry, k_step_mm=(0.0, 0.0, 12.0))),
            "ai.head.too_thick",
        ),
    ],
)
def test_out_of_scope_is_said(change, code) -> None:  # type: ignore[no-untyped-def]
    out = read(change(head()))
    assert out.state is ReadState.OUT_OF_SCOPE
    assert code in [p.code for p in out.problems]
    assert out.findings == ()


def test_no_volume_and_a_lung_like_volume() -> None:
    assert [p.code for p in read(None).problems] == ["ai.head.no_volume"]
    volume = head()
    lungs = np.where((volume.voxels > -20) & (volume.voxels < 200), -800, volume.voxels)
    out = read(replace(volume, voxels=lungs))
    assert out.state is ReadState.OUT_OF_SCOPE
    assert out.problems[0].code == "ai.head.not_a_head"


def test_slices_without_an_image_of_their_own_give_no_pixels() -> None:
    resampled = replace(head(), source_sop_instance_uids=())
    (found,) = read(resampled).findings
    (with_images,) = read(head()).findings
    assert found.location.centre_lps_mm == with_images.location.centre_lps_mm
    assert (found.location.centre_px, found.location.box_px, found.location.contour_px) == (None, None, ())
    assert with_images.location.centre_px is not None


def test_contrast_is_remarked() -> None:
    assert "ai.head.contrast" in [p.code for p in read(head(), contrast_agent="IOHEXOL").problems]
    # No ventricles with a septum in this phantom: nothing but that is said.
    assert [p.code for p in read(head()).problems] == ["ai.head.midline_not_measured"]


def test_calibration_table_rises_and_is_read() -> None:
    rng = np.random.default_rng(3)
    score = rng.random(60)
    table = table_of(score.tolist(), (rng.random(60) < score).tolist())
    assert np.all(np.diff(table["probability"]) >= 0)
    assert table["probability"][-1] < 1
    low, high = (calibrated(s, {"calibration": table}) for s in (0.05, 0.95))
    assert low < 0.5 < high


def test_network_has_the_declared_shape() -> None:
    net = build("plane_unet_v1", {"widths": [8, 8, 8, 8, 8]})
    out = TorchEngine(net).run(np.zeros((2, CHANNELS, ROWS, COLUMNS), np.float32))
    assert out.shape == (2, ROWS * COLUMNS + 1)


def test_drawn_bleeds_stay_inside_the_skull() -> None:
    plane = windowed(head().voxels[2])
    inner = intracranial(plane)
    assert 0.6 < inner.sum() / (np.pi * 72 * 90 * 0.91**2) < 1.1
    rng = np.random.default_rng(0)
    drawn = 0
    for _ in range(12):
        mask = bleed_shape(inner, rng)
        assert not (mask & ~inner).any()
        if mask.sum() > 12:
            drawn += 1
            after = painted(plane, mask, inner, 80.0, rng)
            assert float(after[mask].mean()) > float(plane[mask].mean()) + 20
    assert drawn >= 8


def labelled_folder(folder: Path, with_columns: bool) -> Path:
    rows = []
    for s in range(3):
        planes = windowed(head().voxels)
        for n in range(5, 13):
            name = f"s{s}/{n:02d}.png"
            for kind in ("images", "masks"):
                (folder / kind / f"s{s}").mkdir(parents=True, exist_ok=True)
            image = planes[n] if s else planes[2]
            cv2.imwrite(str(folder / "images" / name), np.pad(image, ((28, 28), (18, 18))))
            mask = np.zeros((256, 256), np.uint8)
            if s and BLOOD_LOW[0] <= n < BLOOD_HIGH[0]:
                mask[28 + BLOOD_LOW[1] : 28 + BLOOD_HIGH[1], 18 + BLOOD_LOW[2] : 18 + BLOOD_HIGH[2]] = 255
                cv2.imwrite(str(folder / "masks" / name), mask)
            full = {"scan": f"s{s}", "slice": n, "split": "test", "mask": f"masks/{name}" if mask.any() else ""}
            rows.append({"image": name, "hemorrhage": int(mask.any()), **(full if with_columns else {})})
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.mark.parametrize("with_columns", [True, False])
def test_evaluation_on_a_folder_of_the_same_form(tmp_path: Path, with_columns: bool) -> None:
    from app.ai.training.evaluation.common import Opened
    from app.ai.training.evaluation.head_ct import evaluate

    folder = labelled_folder(tmp_path, with_columns)
    figures = evaluate(folder, "test", Opened(None, BrightIsBlood(), PARAMETERS, "none"))  # type: ignore[arg-type]
    assert figures.n == 24
    assert figures.more["n_scans"] == 3
    assert figures.values["slice_auc"].value == 1.0
    assert figures.values["dice_pooled"].value > 0.85
    assert figures.values["dice_slice"].value > 0.85
    assert figures.values["volume_r"].value > 0.95
    assert figures.more["positive_scans_with_dice_0"] == []
    shown = ("marks_shown", "marks_shown_true", "positive_scans_with_a_true_shown_mark")
    assert [figures.more[key] for key in shown] == [2, 2, 2]
    assert figures.more["scans_without_bleed_with_a_shown_mark"] == 0


def test_a_body_that_is_nowhere_sure_is_left_out_whole() -> None:
    maps = np.zeros((6, ROWS, COLUMNS), np.float32)
    maps[0:3, 20:40, 20:40] = 0.3  # pale, with a sure core one slice on
    maps[1, 28:32, 28:32] = 0.9
    maps[0:3, 100:120, 20:40] = 0.4  # pale everywhere
    maps[4, 20:40, 20:40] = 0.3  # over the sure body, but behind a gap in the stack
    around = neighbours([0.0, 1.0, 2.0, 9.0, 10.0, 11.0], 1.0)
    found = BleedMap(maps, np.zeros(6, np.float32))
    one = {"mask_threshold": 0.2, "speck_pixels": 10}
    assert [int(p.sum()) for p in outlines(found, around, one)] == [800, 800, 800, 0, 400, 0]
    assert [int(p.sum()) for p in outlines(found, around, {**one, "mask_peak": 0.8})] == [400, 400, 400, 0, 0, 0]
    assert not outlines(found, around, {**one, "mask_peak": 0.8, "speck_pixels": 1201}).any()


def test_an_outline_is_as_large_as_promises_the_best_overlap() -> None:
    assert likeliest(np.array([0.2, 0.9, 0.9])) == 2  # 2 * 1.8 / (2 + 2.0) = 0.9, with the third 2 * 2.0 / (3 + 2.0) = 0.8
    assert likeliest(np.array([0.6, 0.9])) == 2
    assert likeliest(np.array([0.2, 0.2, 0.2])) == 3  # pale everywhere: all of it
    maps = np.zeros((2, ROWS, COLUMNS), np.float32)
    maps[:, 50:60, 50:60] = 0.25
    maps[0, 53:57, 53:57] = 0.99
    found, around = BleedMap(maps, np.zeros(2, np.float32)), [(0, 1), (0, 1)]
    way = {"mask_threshold": 0.1, "mask_peak": 0.8, "speck_pixels": 10}
    assert [int(p.sum()) for p in outlines(found, around, way)] == [100, 100]
    # Beside a sure middle the pale rim is left out; a slice that is pale as a whole is outlined as a whole.
    assert [int(p.sum()) for p in outlines(found, around, {**way, "best_overlap": True})] == [16, 100]


def test_what_is_tuned_counts_like_the_outlines() -> None:
    from app.ai.training.head_figures import PEAKS, SPECK_PIXELS, overlap

    rng = np.random.default_rng(1)
    maps = np.stack([cv2.GaussianBlur(rng.random((ROWS, COLUMNS)).astype(np.float32), (0, 0), 2.0) for _ in range(4)])
    maps = np.clip((maps - 0.5) * 6 + 0.3, 0, 1).astype(np.float32)
    truth = np.zeros(maps.shape, bool)
    truth[1:3, 60:90, 60:120] = True
    planes = np.zeros(maps.shape, np.uint8)
    scan = HeadScan("s", ("a",) * 4, planes, truth, truth.any((1, 2)), (0.0, 1.0, 2.0, 3.0), ((),) * 4, frame_of(planes))
    found = BleedMap(maps, np.zeros(4, np.float32))
    for peak, told in zip(PEAKS, overlap([(scan, found)], [truth], 0.3, 0.3), strict=True):
        parameters = {"mask_threshold": 0.3, "mask_smoothing": 0.3, "mask_peak": peak, "speck_pixels": SPECK_PIXELS}
        masks = outlines(found, scan.around(), {**parameters, "best_overlap": True})
        assert told.pooled == pytest.approx(2 * (masks & truth).sum() / (masks.sum() + truth.sum()))


def test_a_lent_bleed_stays_inside_the_other_skull() -> None:
    from app.ai.training.head_net import Drawer, Settings

    volume = head()
    planes = windowed(volume.voxels)
    masks = np.zeros(planes.shape, bool)
    masks[tuple(slice(a, b) for a, b in zip(BLOOD_LOW, BLOOD_HIGH, strict=True))] = True
    order = tuple(float(n) for n in range(len(planes)))

    def scan(name: str, shown: np.ndarray, mask: np.ndarray) -> HeadScan:
        return HeadScan(
            name, (name,) * len(shown), shown, mask, mask.any((1, 2)), order, ((),) * len(shown), frame_of(shown)
        )

    sound = planes.copy()
    sound[masks] = np.median(planes[~masks & (planes > 50) & (planes < 200)])
    drawer = Drawer([scan("a", planes, masks), scan("b", sound, np.zeros_like(masks))], Settings(0, 2, 0, 4, 2))
    x, aim = drawer.batch(np.random.default_rng(0))
    lent = aim[2:6].numpy() > 0.5
    assert lent.any((1, 2)).sum() >= 2
    bright = x[2:6, 0].numpy()
    assert all(bright[n][lent[n]].mean() > np.median(bright[n][bright[n] > -1]) for n in range(4) if lent[n].any())


@pytest.mark.skipif(not PACKAGE.exists(), reason="the package is not built")
def test_shipped_package_finds_a_large_generated_bleed() -> None:
    from app.ai.training.evaluation.common import open_reader
    from app.samples.head_ct import Bleed, generate_head_ct

    opened = open_reader("head_ct", engine="torch")
    assert PACKAGE.stat().st_size <= 4 * 2**20
    assert opened.package.card.research_use_only
    assert set(opened.package.card.titles) == {"en", "ru", "kk"}
    phantom = generate_head_ct(3, rows=256, bleed=Bleed(semi_axes_mm=(16.0, 22.0, 18.0)))
    job = ReaderJob("2.25.5", ReaderIdentity("head_ct", "0.1.0", "ab" * 32), phantom.volume)
    out = READER.run(job, opened.nets, opened.parameters, SilentProgress())
    assert out.state is ReadState.COMPLETED
    assert phantom.bleed is not None
    assert out.findings
    distance = [np.linalg.norm(np.subtract(f.location.centre_lps_mm, phantom.bleed.centre_lps_mm)) for f in out.findings]
    assert min(distance) < 12.0


def test_labelled_set_loads(shared_head_folder: Path) -> None:
    scans = load_scans(shared_head_folder, "val")
    assert len(scans) == 8
    assert sum(int(s.masks.any((1, 2)).sum()) for s in scans) == 29


@pytest.fixture
def shared_head_folder() -> Path:
    import os

    root = Path(os.environ.get("EKINSHI_SHARED_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
    folder = root / "labelled" / "head-ct-ich"
    if not folder.is_dir():
        pytest.skip("the shared data is not here")
    return folder
