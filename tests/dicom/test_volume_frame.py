"""Enhanced objects in a volume's own frame of reference: right to each other, in the patient only where that is stated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from app.dicom.byte_source import FileByteSource
from app.dicom.display_sets import display_sets
from app.dicom.scanner import scan
from app.dicom.volume_builder import build_volume
from app.dicom.volume_frame import rigid_matrix
from app.domain.study import DisplaySetKind, Study
from app.session.finding_words import side_of
from app.viewer.decorations import edge_letters
from app.viewer.layers import ImageLayer
from app.viewer.slice_sampler import mpr_geometry
from app.viewer.view_state import ImageGeometry, Plane, ViewState, resolve
from tests.dicom.builders import image, save
from tests.dicom.saved_phantom import item
from tests.flows import stage

US_VOLUME = "1.2.840.10008.5.1.4.1.1.6.2"
CORNER = (-31.5, 12.25, 240.0)
# A quarter turn about z and a shift: volume x goes to y, volume y to -x.
MATRIX = [0.0, -1.0, 0.0, 100.0, 1.0, 0.0, 0.0, -50.0, 0.0, 0.0, 1.0, 7.0, 0.0, 0.0, 0.0, 1.0]


def volume(folder: Path, **changes: Any) -> Study:
    """Three frames of 4 x 5 pixels of 0.5 x 0.75 mm, 1.25 mm apart along the volume's z; frame n holds n."""
    values = np.stack([np.full((4, 5), n, np.uint8) for n in range(3)])
    groups = [
        item(
            PlanePositionVolumeSequence=[item(ImagePositionVolume=[CORNER[0], CORNER[1], CORNER[2] + 1.25 * n])],
            FrameContentSequence=[item(StackID="1", DimensionIndexValues=[n + 1])],
        )
        for n in range(3)
    ]
    shared = item(
        PixelMeasuresSequence=[item(PixelSpacing=[0.5, 0.75], SliceThickness=1.25)],
        PlaneOrientationVolumeSequence=[item(ImageOrientationVolume=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0])],
    )
    d = image(values, RescaleSlope=None, RescaleIntercept=None, Modality="US")
    d.SOPClassUID, d.ImageType = US_VOLUME, ["ORIGINAL", "PRIMARY"]
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        del d[name]
    d.SharedFunctionalGroupsSequence, d.PerFrameFunctionalGroupsSequence = [shared], groups
    d.VolumeFrameOfReferenceUID, d.FrameOfReferenceUID = "2.25.90", "2.25.91"
    for name, value in changes.items():
        setattr(d, name, value)
    folder.mkdir(exist_ok=True)
    save(d, folder / "us.dcm")
    return scan([folder]).studies[0]


def test_frames_lie_right_to_each_other_and_nowhere_in_the_patient(tmp_path: Path) -> None:
    study = volume(tmp_path)
    (chosen,) = display_sets(study)
    assert chosen.kind is DisplaySetKind.STACK
    instance = study.series[0].instances[0]
    assert [p.code for p in instance.repairs] == ["dicom.no_place_in_patient"]
    planes = [f.plane for f in instance.frames]
    assert [p.origin_mm for p in planes if p] == [(CORNER[0], CORNER[1], CORNER[2] + 1.25 * n) for n in range(3)]
    assert {(p.frame_of_reference_uid, p.in_patient) for p in planes if p} == {("2.25.90", False)}
    built = build_volume(study, chosen, FileByteSource())
    assert built.geometry.spacing_mm == pytest.approx((1.25, 0.5, 0.75))
    assert built.voxels[:, 0, 0].tolist() == [0, 1, 2]
    assert not built.geometry.in_patient
    assert not built.geometry.cropped(slice(0, 2), slice(0, 2), slice(0, 2)).in_patient


def test_no_letter_and_no_side_is_said_of_it(tmp_path: Path) -> None:
    study = volume(tmp_path)
    (chosen,) = display_sets(study)
    built = build_volume(study, chosen, FileByteSource())
    plane = study.series[0].instances[0].frames[0].plane
    assert plane is not None
    flat = ImageGeometry.of_plane(plane)
    assert edge_letters(resolve(ViewState("x"), (50, 40), flat)) is None
    for cut in (
        ViewState("x", Plane.CORONAL),
        ViewState("x", Plane.OBLIQUE, oblique_row=(0.6, 0.8, 0.0), oblique_column=(0.0, 0.0, -1.0)),
    ):
        geometry = mpr_geometry(built.geometry, cut)
        assert edge_letters(resolve(cut, (50, 40), geometry)) is None
    assert side_of(ImageLayer(volume=built), (50.0, 0.0, 240.0)) == ""


def test_its_sections_have_no_anatomical_name(tmp_path: Path) -> None:
    volume(tmp_path / "in")
    with stage.stage(tmp_path / "home", None) as made:
        made.bring(tmp_path / "in")
        room = made.ws.open_study("2.25.1").room
        chosen = room.content.sets()[0]
        room.put_in_pane("pane-0", chosen.display_set_id)
        room.change_view(plane=Plane.CORONAL)

        def here() -> bool:
            room.picture_request("pane-0", (80, 60), 1.0, False)
            return room.image_layer(room.pane("pane-0")) is not None

        made.until(here, 20)
        info = room.picture_request("pane-0", (80, 60), 1.0, False).info
    assert (info.plane, info.location_mm, info.location_axis) == ("viewer.plane.of_volume", None, "")
    assert "dicom.no_place_in_patient" in [p.code for p in info.remarks]


def test_a_stated_transform_places_it_in_the_patient(tmp_path: Path) -> None:
    study = volume(tmp_path, TableFrameOfReferenceUID="2.25.91", VolumeToTableMappingMatrix=MATRIX)
    instance = study.series[0].instances[0]
    assert instance.repairs == ()
    plane = instance.frames[1].plane
    assert plane is not None
    assert (plane.frame_of_reference_uid, plane.in_patient) == ("2.25.91", True)
    # (x, y, z) -> (100 - y, x - 50, z + 7)
    assert plane.origin_mm == pytest.approx((100 - 12.25, -31.5 - 50, 240 + 1.25 + 7))
    assert plane.row_cosines == pytest.approx((0, 1, 0))
    assert plane.column_cosines == pytest.approx((-1, 0, 0))
    letters = edge_letters(resolve(ViewState("x"), (50, 40), ImageGeometry.of_plane(plane)))
    assert letters == ("A", "P", "L", "R")


@pytest.mark.parametrize(
    "changes",
    [
        {"TableFrameOfReferenceUID": "2.25.92", "VolumeToTableMappingMatrix": MATRIX},
        {"TableFrameOfReferenceUID": "2.25.91"},
        {"TableFrameOfReferenceUID": "2.25.91", "VolumeToTableMappingMatrix": [2 * v for v in MATRIX[:12]] + MATRIX[12:]},
    ],
    ids=["another table", "no matrix", "a matrix that scales"],
)
def test_what_is_no_way_to_the_patient_is_not_taken(tmp_path: Path, changes: dict[str, Any]) -> None:
    plane = volume(tmp_path, **changes).series[0].instances[0].frames[0].plane
    assert plane is not None
    assert not plane.in_patient


def test_positions_in_the_patient_come_first(tmp_path: Path) -> None:
    both = [
        item(
            PlanePositionVolumeSequence=[item(ImagePositionVolume=[0.0, 0.0, float(n)])],
            PlanePositionSequence=[item(ImagePositionPatient=[5.0, 6.0, 70.0 + 2 * n])],
            PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        )
        for n in range(3)
    ]
    instance = volume(tmp_path, PerFrameFunctionalGroupsSequence=both).series[0].instances[0]
    assert [f.plane.origin_mm for f in instance.frames if f.plane] == [(5.0, 6.0, 70.0 + 2 * n) for n in range(3)]
    assert all(f.plane.in_patient for f in instance.frames if f.plane)
    assert instance.repairs == ()


def test_a_mirror_is_no_rigid_body() -> None:
    mirror = Dataset()
    mirror.VolumeToTableMappingMatrix = [-1.0, 0, 0, 0, 0, 1.0, 0, 0, 0, 0, 1.0, 0, 0, 0, 0, 1.0]
    assert rigid_matrix(tuple(mirror.VolumeToTableMappingMatrix)) is None
    assert rigid_matrix((1.0,) * 15) is None
    assert rigid_matrix(tuple(MATRIX)) is not None
    rounded = rigid_matrix((0.7073, -0.7071, 0.0, 5.0, 0.7071, 0.7073, 0.0, 6.0, 0.0, 0.0, 1.0002, 7.0, 0.0, 0.0, 0.0, 1.0))
    assert rounded is not None
    assert np.abs(rounded[:3, :3] @ rounded[:3, :3].T - np.eye(3)).max() < 1e-12
