"""What must not matter does not: the shipped readers of volumes on a scan, and on the same scan told another way.

1 and 3 other axes and an oblique orientation, 2 mirrored in silence, 4 other voxels, 5 air around, 9 drift of the
calibration, 12 a lesion moved, 13 a second far lesion, 15 the work cut in other pieces, 16 contrast, 17 sound scans. 14 is
about perfusion, which no reader of ours reads. Limits and what was measured: ``docs/evaluation/metamorphic.md``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from app.ai.engines import networks
from app.ai.readers.head import segment
from app.domain.volume import Volume
from tests.ai.metamorphic import (
    NODULES_LPS_MM,
    OTHER,
    VOLUMES,
    centre,
    chest,
    far_mm,
    found_in,
    head,
    nearest,
    opened,
    output_of,
    read,
    same_mm,
    steps_of,
    told,
    volume_of,
)


@pytest.mark.parametrize("reader", VOLUMES)
def test_01_03_voxels_told_in_another_order_are_the_same_body(reader: str) -> None:
    """Columns before rows, left to right: the same millimetres and the same side."""
    volume = volume_of(reader)
    k, j, i = steps_of(volume)
    last = volume.voxels.shape[2] - 1
    turned = told(volume, volume.voxels[:, :, ::-1].transpose(0, 2, 1), (0, 0, last), (k, -i, j))
    same_mm(reader, read(reader, volume=turned).findings, exact=True)


@pytest.mark.parametrize("reader", VOLUMES)
def test_03_findings_of_an_oblique_scan_turn_with_its_orientation(reader: str) -> None:
    """The same voxels of a patient who lay turned by 15 degrees about x and 10 about z."""
    volume = volume_of(reader)
    a, b = np.deg2rad(15), np.deg2rad(10)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    turn, origin = about_z @ about_x, np.asarray(volume.geometry.origin_mm)
    oblique = told(volume, volume.voxels, (0, 0, 0), [turn @ s for s in steps_of(volume)])
    findings = read(reader, volume=oblique).findings
    assert np.linalg.norm(np.subtract(centre(findings[0]), centre(found_in(reader)[0]))) > 10
    same_mm(reader, findings, exact=True, back=lambda p: origin + turn.T @ (np.asarray(p) - origin))


@pytest.mark.parametrize("reader", ["head_ct"])
def test_02_voxels_mirrored_in_silence_change_the_side(reader: str) -> None:
    volume = volume_of(reader)
    last = volume.voxels.shape[2] - 1
    wrong = Volume(np.ascontiguousarray(volume.voxels[:, :, ::-1]), volume.geometry, "HU")
    findings = read(reader, volume=wrong).findings
    for one in found_in(reader):
        index = volume.geometry.to_index(centre(one))
        there = volume.geometry.to_patient((index[0], index[1], last - index[2]))
        twin = nearest(findings, there)
        assert np.linalg.norm(np.subtract(centre(twin), there)) < 8.0
        assert twin.laterality == OTHER[one.laterality]


@pytest.mark.parametrize("factor", [0.8, 1.2])
@pytest.mark.parametrize("reader", VOLUMES)
def test_04_finer_and_coarser_voxels_change_nothing(reader: str, factor: float) -> None:
    from scipy.ndimage import zoom

    volume = volume_of(reader)
    voxels = zoom(volume.voxels.astype(np.float32), 1 / factor, order=1, grid_mode=False)
    shares = [(a - 1) / (b - 1) for a, b in zip(volume.voxels.shape, voxels.shape, strict=True)]
    steps = [step * share for step, share in zip(steps_of(volume), shares, strict=True)]
    findings = read(reader, volume=told(volume, np.rint(voxels).astype(np.int16), (0, 0, 0), steps)).findings
    same_mm(reader, findings, more=VOLUMES[reader].marks_by_finer if factor < 1 else 0)


def test_05_air_around_the_head_changes_nothing() -> None:
    volume = volume_of("head_ct")
    air = np.pad(volume.voxels, ((0, 0), (20, 12), (30, 10)), constant_values=-1000)
    same_mm("head_ct", read("head_ct", volume=told(volume, air, (0, -20, -30), steps_of(volume))).findings)


def test_02_05_a_chest_mirrored_in_silence_with_air_around_it_changes_only_the_side() -> None:
    """One read for two relations: it takes as long as all of the head's."""
    volume = volume_of("lung_ct")
    last = volume.voxels.shape[2] - 1
    air = np.pad(volume.voxels[:, :, ::-1], ((0, 0), (20, 12), (30, 10)), constant_values=-1000)
    findings = read("lung_ct", volume=told(volume, air, (0, -20, -30), steps_of(volume))).findings

    def back(point: tuple[float, float, float]) -> tuple[float, float, float]:
        index = volume.geometry.to_index(point)
        return volume.geometry.to_patient((index[0], index[1], last - index[2]))

    same_mm("lung_ct", findings, back=back, side=lambda s: OTHER[s])


@pytest.mark.parametrize("reader", VOLUMES)
def test_09_a_calibration_that_drifts_by_five_units_changes_little(reader: str) -> None:
    volume = volume_of(reader)
    drifted = Volume(volume.voxels + np.int16(5), volume.geometry, "HU")
    same_mm(reader, read(reader, volume=drifted).findings, more=VOLUMES[reader].marks_by_drift)


@pytest.mark.parametrize(("reader", "moved_mm"), [("head_ct", (0.0, 12.0, 10.0)), ("lung_ct", (9.1, -6.5, 8.4))])
def test_12_a_lesion_that_lies_elsewhere_in_the_body_is_found_there(reader: str, moved_mm: tuple[float, ...]) -> None:
    if reader == "head_ct":
        moved = head(tuple(np.add((27.0, -6.0, 8.0), moved_mm)))  # type: ignore[arg-type]
        old = found_in(reader)[0]
    else:
        moved = chest((tuple(np.add(NODULES_LPS_MM[0], moved_mm)), NODULES_LPS_MM[1]))  # type: ignore[arg-type]
        old = nearest(found_in(reader), NODULES_LPS_MM[0])
    there = np.add(centre(old), moved_mm)
    twin = nearest(read(reader, volume=moved).findings, there)
    print(reader, "shift off by", np.linalg.norm(np.subtract(centre(twin), there)))
    assert np.linalg.norm(np.subtract(centre(twin), there)) <= VOLUMES[reader].place_mm
    assert twin.laterality == old.laterality


@pytest.mark.parametrize("reader", VOLUMES)
def test_13_a_second_far_lesion_leaves_the_first_as_it_is(reader: str) -> None:
    volume = volume_of(reader)
    first = found_in(reader)[0]
    index = volume.geometry.to_index(centre(first))
    there = volume.geometry.to_patient((index[0], index[1], volume.voxels.shape[2] - 1 - index[2]))
    assert np.linalg.norm(np.subtract(there, centre(first))) > 40
    radius, hu = (16.0, 66) if reader == "head_ct" else (6.0, 30)
    voxels = np.where(far_mm(volume, there) < radius, np.int16(hu), volume.voxels)
    findings = read(reader, volume=Volume(voxels, volume.geometry, "HU")).findings
    twin, second = nearest(findings, centre(first)), nearest(findings, there)
    assert np.linalg.norm(np.subtract(centre(second), there)) < radius
    print(reader, np.subtract(centre(twin), centre(first)), twin.probability, first.probability)
    assert centre(twin) == pytest.approx(centre(first), abs=0.01 if reader == "lung_ct" else 1.0)
    # The head's second lesion is the first one's mirror image, and the network compares the sides.
    assert twin.probability == pytest.approx(first.probability, abs=1e-3 if reader == "lung_ct" else 0.05)


def test_15_the_pieces_the_work_is_cut_in_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No reader of ours lays overlapping tiles: these are whole slices and whole cubes, and how many at once."""
    whole = output_of("head_ct")
    nets = opened("lung_ct")[0].nets
    cubes = np.random.default_rng(1).normal(size=(24, 2, 32, 32, 32)).astype(np.float32)
    scores = nets.run("lung_candidate", cubes)
    monkeypatch.setattr(networks, "_CHUNK_ELEMENTS", 1 << 18)
    monkeypatch.setattr(segment, "SLICES_AT_ONCE", 3)
    cut = read("head_ct", volume=volume_of("head_ct"))
    same_mm("head_ct", cut.findings, exact=True)
    for a, b in zip(whole.heatmaps, cut.heatmaps, strict=True):
        assert np.abs(a.values.astype(np.float32) - b.values.astype(np.float32)).max() <= 0.01
    assert nets.run("lung_candidate", cubes) == pytest.approx(scores, abs=1e-3)


@pytest.mark.parametrize("reader", VOLUMES)
def test_16_more_contrast_never_scores_lower(reader: str) -> None:
    volume = volume_of(reader)
    first = found_in(reader)[0]
    inside = far_mm(volume, centre(first)) < 6.0
    voxels = np.where(inside, volume.voxels + np.int16(8), volume.voxels)
    twin = nearest(read(reader, volume=Volume(voxels, volume.geometry, "HU")).findings, centre(first))
    assert np.linalg.norm(np.subtract(centre(twin), centre(first))) < 6.0
    assert (twin.probability or 0.0) >= (first.probability or 0.0) - 0.02


@pytest.mark.parametrize(
    ("reader", "sound", "most"),
    [
        # The card: three marks on 24 heads.
        ("head_ct", lambda: [head(None, s) for s in (20, 21)], 0.5),
        # The card: about 0.5 a scan.
        ("lung_ct", lambda: [chest((), 21)], 0.5),
    ],
)
def test_17_sound_scans_keep_to_the_rate_of_false_marks(reader: str, sound: Callable[[], list[Volume]], most: float) -> None:
    marks = [len(read(reader, volume=v).findings) for v in sound()]
    print(reader, marks)
    assert sum(marks) <= most * len(marks)
