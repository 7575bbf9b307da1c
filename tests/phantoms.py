"""Exact phantoms: volumes with known answers and folders of DICOM with known faults.

Volumes have unequal spacing and an origin far from zero, so that a swapped axis or a forgotten offset shows at once.
Every ``write_*`` function fills a folder (a tmp path) and is deterministic.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.dicom.frame_encoder import Syntax
from app.dicom.image_writer import (
    ImageLevel,
    SeriesHeader,
    StudyHeader,
    ct_dataset,
    instance_uid,
    save_dataset,
    write_ct_series,
    write_projection,
    write_secondary_capture,
)
from app.domain.geometry import Point3, VolumeGeometry
from app.domain.identity import uid_for
from app.domain.study import Patient, PersonName
from app.domain.volume import Volume

ORIGIN_MM: Point3 = (-151.25, 38.5, -1210.75)
SPACING_MM = (2.5, 0.8, 0.6)
"""(k, j, i)."""
SHAPE = (12, 40, 48)
FRAME_UID = uid_for("phantom", "frame")
CHEST_WINDOWS = ((40.0, 400.0, "SOFT"), (-600.0, 1500.0, "LUNG"))


@dataclass(frozen=True)
class Sphere:
    """A ball of constant HU in patient space."""

    centre_mm: Point3
    radius_mm: float
    hu: float = 60.0

    @property
    def volume_mm3(self) -> float:
        return 4.0 / 3.0 * np.pi * self.radius_mm**3


# --- people ---

ALIYA = Patient("DEMO-0001", "EKINSHI", PersonName("Серікбаева^Әлия^Маратқызы"), "19620314", "F")
VIKTOR = Patient("DEMO-0002", "EKINSHI", PersonName("Ли^Виктор^Сергеевич"), "19551130", "M")


def study_header(patient: Patient = ALIYA, key: str = "study", date: str = "20261117") -> StudyHeader:
    """Study header of a phantom; ``key`` makes the UID."""
    return StudyHeader(
        patient,
        uid_for("phantom", key, patient.patient_id),
        study_date=date,
        study_time="094200",
        study_id=key[:16],
        accession_number=f"A-{key}"[:16],
        description="Generated",
        patient_age="064Y",
        institution="DEMONSTRATION",
    )


def series_header(key: str = "series", modality: str = "CT", number: int = 1, study_key: str = "study") -> SeriesHeader:
    """Series header of a phantom; ``study_key`` and ``key`` make the UID."""
    part = {"CT": "CHEST", "DX": "CHEST", "MG": "BREAST", "PX": "JAW"}.get(modality, "CHEST")
    return SeriesHeader(uid_for("phantom", study_key, key), modality, number, f"Generated {key}", part)


# --- volumes ---


def geometry(
    shape: tuple[int, int, int] = SHAPE,
    spacing_mm: tuple[float, float, float] = SPACING_MM,
    origin_mm: Point3 = ORIGIN_MM,
) -> VolumeGeometry:
    """Axis-aligned grid far from zero."""
    return VolumeGeometry.axial(shape, spacing_mm, origin_mm, FRAME_UID)


def oblique_geometry(shape: tuple[int, int, int] = SHAPE, angle_deg: float = 20.0) -> VolumeGeometry:
    """Turned about x and z; the slices still lie along their normal."""
    a, b = np.deg2rad(angle_deg), np.deg2rad(angle_deg / 2)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    r = about_z @ about_x
    k, j, i = SPACING_MM
    return VolumeGeometry(
        ORIGIN_MM,
        _point(r @ np.array([0.0, 0.0, k])),
        _point(r @ np.array([0.0, j, 0.0])),
        _point(r @ np.array([i, 0.0, 0.0])),
        shape,
        FRAME_UID,
    )


def tilted_geometry(shape: tuple[int, int, int] = SHAPE, tilt_deg: float = 18.5) -> VolumeGeometry:
    """Gantry tilt: the planes lean, the table still moves along the patient, so a step is not along the normal."""
    t = np.deg2rad(tilt_deg)
    k, j, i = SPACING_MM
    return VolumeGeometry(
        ORIGIN_MM,
        (0.0, 0.0, k / float(np.cos(t))),
        (0.0, j * float(np.cos(t)), -j * float(np.sin(t))),
        (i, 0.0, 0.0),
        shape,
        FRAME_UID,
    )


def _point(v: npt.NDArray[np.float64]) -> Point3:
    return (float(v[0]), float(v[1]), float(v[2]))


def positions_mm(grid: VolumeGeometry) -> npt.NDArray[np.float64]:
    """LPS mm of every voxel centre, (k, j, i, 3)."""
    index = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float64) for n in grid.shape), indexing="ij"), axis=-1)
    return grid.to_patient_many(index.reshape(-1, 3)).reshape(*grid.shape, 3)


def spheres_volume(
    spheres: Sequence[Sphere],
    grid: VolumeGeometry | None = None,
    background_hu: float = -850.0,
) -> Volume:
    """Balls of constant HU; a voxel belongs to a ball when its centre lies inside."""
    grid = grid or geometry()
    points = positions_mm(grid)
    voxels = np.full(grid.shape, background_hu, np.float32)
    for ball in spheres:
        distance = np.linalg.norm(points - np.asarray(ball.centre_mm), axis=-1)
        voxels[distance <= ball.radius_mm] = ball.hu
    return Volume(voxels.astype(np.int16), grid, "HU")


def ramp_volume(grid: VolumeGeometry | None = None, gradient: Point3 = (1.0, 2.0, 0.5), offset: float = 300.0) -> Volume:
    """HU linear in patient millimetres from the first voxel: any interpolation at any obliquity must give it back."""
    grid = grid or geometry()
    values = (positions_mm(grid) - np.asarray(grid.origin_mm)) @ np.asarray(gradient) + offset
    return Volume(np.rint(values).astype(np.int16), grid, "HU")


def index_volume(shape: tuple[int, int, int] = SHAPE) -> Volume:
    """Voxel value 100 k + j + i / 64 rounded down: tells which slice and row a pixel came from (k < 30)."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    return Volume((100 * k + j + i // 64).astype(np.int16), geometry(shape), "HU")


# --- folders ---


def write_ct(
    folder: Path,
    volume: Volume | None = None,
    *,
    patient: Patient = ALIYA,
    key: str = "study",
    series_key: str = "series",
    number: int = 1,
    syntax: Syntax = Syntax.EXPLICIT_LE,
    date: str = "20261117",
    **options: object,
) -> tuple[Path, ...]:
    """One clean CT series; ``options`` go to ``write_ct_series``. Paths by slice k."""
    return write_ct_series(
        volume or index_volume(),
        folder,
        study_header(patient, key, date),
        series_header(series_key, "CT", number, uid_for(key, patient.patient_id)),
        syntax=syntax,
        windows=CHEST_WINDOWS,
        **options,  # type: ignore[arg-type]
    )


def write_two_patients(folder: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Two persons in one folder."""
    return (
        write_ct(folder / "a", index_volume((4, 16, 16)), patient=ALIYA),
        write_ct(folder / "b", index_volume((5, 16, 16)), patient=VIKTOR),
    )


def write_two_patients_one_study(folder: Path) -> tuple[Path, Path]:
    """The same Study and Series Instance UID under two persons: must never be shown as one."""
    volume = index_volume((2, 16, 16))
    series = series_header("shared")
    paths = []
    for number, patient in enumerate((ALIYA, VIKTOR), 1):
        header = replace(study_header(patient), study_instance_uid=uid_for("phantom", "shared study"))
        ds = ct_dataset(volume, 0, header, series, ImageLevel(number), instance_uid(series, number))
        folder.mkdir(parents=True, exist_ok=True)
        paths.append(save_dataset(ds, folder / f"mixed{number}.dcm"))
    return (paths[0], paths[1])


def write_duplicates(folder: Path) -> dict[str, Path]:
    """``first``; ``same`` (identical bytes again); ``other`` (the same SOP Instance UID with other bytes)."""
    volume = index_volume((3, 16, 16))
    paths = write_ct(folder, volume)
    same = folder / "copy.dcm"
    shutil.copyfile(paths[0], same)
    changed = replace(volume, voxels=np.asarray(volume.voxels + 1))
    series = series_header("series", "CT", 1, uid_for("study", ALIYA.patient_id))
    ds = ct_dataset(changed, 0, study_header(), series, ImageLevel(3), instance_uid(series, 3))
    return {"first": paths[0], "same": same, "other": save_dataset(ds, folder / "other.dcm")}


def write_gap(folder: Path, missing: Sequence[int] = (4, 5)) -> tuple[Path, ...]:
    """A CT whose slices ``missing`` (k) are not there; the remaining paths by k."""
    paths = write_ct(folder, index_volume((10, 24, 24)))
    for k in missing:
        paths[k].unlink()
    return tuple(p for k, p in enumerate(paths) if k not in missing)


def write_unequal_spacing(folder: Path, extra_mm: float = 4.0, after: int = 5) -> tuple[Path, ...]:
    """Slices above ``after`` lie ``extra_mm`` further away: spacing changes within the series."""
    import pydicom

    paths = write_ct(folder, index_volume((10, 24, 24)))
    for k, path in enumerate(paths):
        if k > after:
            ds = pydicom.dcmread(path)
            x, y, z = (float(v) for v in ds.ImagePositionPatient)
            ds.ImagePositionPatient = [x, y, z + extra_mm * (k - after)]
            ds.save_as(path)
    return paths


def write_tilted(folder: Path, tilt_deg: float = 18.5) -> tuple[Path, ...]:
    """A CT acquired with gantry tilt."""
    series = replace(
        series_header("tilted", "CT", 1, uid_for("tilted", ALIYA.patient_id)), extra={"GantryDetectorTilt": str(tilt_deg)}
    )
    volume = ramp_volume(tilted_geometry(tilt_deg=tilt_deg))
    return write_ct_series(volume, folder, study_header(key="tilted"), series, windows=CHEST_WINDOWS)


def write_oblique(folder: Path) -> tuple[Path, ...]:
    """A CT with oblique but orthogonal slices."""
    return write_ct(folder, ramp_volume(oblique_geometry()), key="oblique")


def write_mixed_orientation(folder: Path) -> tuple[Path, ...]:
    """One series number with a scout of another orientation among the axial slices."""
    paths = write_ct(folder, index_volume((4, 24, 24)))
    series = series_header("series", "CT", 1, uid_for("study", ALIYA.patient_id))
    coronal = VolumeGeometry(
        (-50.0, 70.0, -1100.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (1.0, 0.0, 0.0), (1, 24, 24), FRAME_UID
    )
    volume = Volume(np.zeros((1, 24, 24), np.int16), coronal, "HU")
    extra = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
    ds = ct_dataset(volume, 0, study_header(), series, ImageLevel(99, (), extra), instance_uid(series, 99))
    return (*paths, save_dataset(ds, folder / "scout.dcm"))


def write_film(
    path: Path,
    array: npt.NDArray[np.uint16] | None = None,
    *,
    modality: str = "DX",
    patient: Patient = ALIYA,
    key: str = "film",
    **options: object,
) -> Path:
    """One projection image (DX, MG or PX) with a gradient; ``options`` go to ``write_projection``."""
    if array is None:
        array = (np.add.outer(np.arange(60) * 40, np.arange(50) * 30) % 4096).astype(np.uint16)
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_projection(
        array,
        path,
        study_header(patient, key),
        series_header(f"{key}-{modality}", modality, 1, uid_for(key, patient.patient_id)),
        windows=((2048.0, 4096.0, "NORMAL"),),
        **options,  # type: ignore[arg-type]
    )


def colour_frames(count: int = 3, rows: int = 48, columns: int = 64) -> npt.NDArray[np.uint8]:
    """Smooth RGB frames, each different: (frames, rows, columns, 3)."""
    y, x = np.mgrid[0:rows, 0:columns]
    frames = [np.stack([x * 4 % 256, y * 5 % 256, (x + y + 8 * n) % 256], axis=-1) for n in range(count)]
    return np.stack(frames).astype(np.uint8)


def write_colour(path: Path, count: int = 1, syntax: Syntax = Syntax.EXPLICIT_LE) -> Path:
    """A colour picture, or a cine of ``count`` frames at 25 a second (Secondary Capture)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = series_header("colour", "OT", 9, uid_for("colour", ALIYA.patient_id))
    return write_secondary_capture(colour_frames(count), path, study_header(key="colour"), header, syntax=syntax)


def write_dicomdir(folder: Path, source: Path) -> Path:
    """A file-set of all DICOM files below ``source`` with its DICOMDIR; the path of the DICOMDIR."""
    from pydicom.fileset import FileSet

    files = FileSet()
    for path in sorted(source.rglob("*.dcm")):
        files.add(path)
    folder.mkdir(parents=True, exist_ok=True)
    files.write(folder)
    return folder / "DICOMDIR"


def write_bad_files(folder: Path) -> dict[str, Path]:
    """Files that must each be named with a reason, beside one good file (key ``good``)."""
    import pydicom

    folder.mkdir(parents=True, exist_ok=True)
    good = write_ct(folder, index_volume((1, 32, 32)), file_names="good.dcm")[0]
    data = good.read_bytes()

    def put(name: str, content: bytes) -> Path:
        target = folder / name
        target.write_bytes(content)
        return target

    def changed(name: str, **values: object) -> Path:
        ds = pydicom.dcmread(good)
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = uid_for("phantom", name)
        for keyword, value in values.items():
            if value is None:
                delattr(ds, keyword)
            else:
                setattr(ds, keyword, value)
        target = folder / name
        ds.save_as(target)
        return target

    unknown = pydicom.dcmread(good)
    unknown.SOPInstanceUID = unknown.file_meta.MediaStorageSOPInstanceUID = uid_for("phantom", "unknown syntax")
    unknown.save_as(folder / "unknown_syntax.dcm")
    raw = (folder / "unknown_syntax.dcm").read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.9.9.9\0", 1)
    return {
        "good": good,
        "empty": put("empty.dcm", b""),
        "not_dicom": put("not_dicom.dcm", b"This is a letter, not an image.\n" * 40),
        "preamble_only": put("preamble_only.dcm", data[:132]),
        "truncated_header": put("truncated_header.dcm", data[:400]),
        "truncated_pixels": put("truncated_pixels.dcm", data[:-700]),
        "unknown_syntax": put("unknown_syntax.dcm", raw),
        "no_pixels": changed("no_pixels.dcm", PixelData=None),
        "zero_spacing": changed("zero_spacing.dcm", PixelSpacing=["0", "0"]),
        "wrong_rows": changed("wrong_rows.dcm", Rows=64),
        "no_study_uid": changed("no_study_uid.dcm", StudyInstanceUID=None),
    }


def write_zip(archive: Path, folder: Path) -> Path:
    """All files below ``folder`` as a ZIP."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as z:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                z.write(path, path.relative_to(folder).as_posix())
    return archive
