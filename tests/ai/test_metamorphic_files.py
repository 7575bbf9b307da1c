"""Relations 6 to 8: files of the same body or film, told another way, give a second reader the same bytes and findings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest

from app.ai.inputs import film_image
from app.ai.plain import canonical_json, to_plain
from app.ai.reader_api import FilmImage
from app.dicom.byte_source import FileByteSource
from app.dicom.display_sets import display_sets
from app.dicom.frame_pixels import frame_pixels
from app.dicom.scanner import scan
from app.dicom.volume_builder import build_volume
from app.domain.study_lookup import instances_by_uid
from app.domain.volume import Volume
from tests.ai.metamorphic import FILMS, case, read
from tests.dicom.builders import ORIGIN, compressed, image, save
from tests.dicom.form_variants import rle_frame

SLICES = 8


def body(k: int) -> np.ndarray:
    """Stored values of 12 bits, 0 is air."""
    return np.random.default_rng(k).integers(0, 3000, (16, 20)).astype(np.uint16)


def written(folder: Path, how: str) -> Path:
    order = list(range(SLICES))
    if how == "shuffled":
        order = [3, 0, 7, 5, 1, 6, 2, 4]
    for n, k in enumerate(order):
        values = body(k)
        changes: dict[str, Any] = {"SOPInstanceUID": f"2.25.50{k}", "BitsStored": 12, "HighBit": 11}
        changes["InstanceNumber"] = str(SLICES - n if how == "shuffled" else k + 1)
        if how == "slope in the pixels":
            values, changes = (values * 2).astype(np.uint16), {**changes, "BitsStored": 16, "HighBit": 15}
            changes |= {"RescaleSlope": "0.5", "RescaleIntercept": "-1024"}
        d = image(values, **changes)
        d.ImagePositionPatient = [*ORIGIN[:2], ORIGIN[2] + 2.5 * k]
        path = folder / f"{n:02d}.dcm"
        if how == "JPEG-LS":
            compressed(d, [imagecodecs.jpegls_encode(values)], path, "1.2.840.10008.1.2.4.80")
        elif how == "JPEG 2000":
            stream = imagecodecs.jpeg2k_encode(values, level=0, codecformat="j2k", reversible=True, bitspersample=12)
            compressed(d, [stream], path, "1.2.840.10008.1.2.4.90")
        elif how == "JPEG Lossless":
            compressed(d, [imagecodecs.ljpeg_encode(values, bitspersample=12)], path, "1.2.840.10008.1.2.4.70")
        elif how == "RLE":
            compressed(d, [rle_frame(values)], path, "1.2.840.10008.1.2.5")
        elif how == "big endian":
            d.PixelData = values.astype(">u2").tobytes()
            save(d, path, "1.2.840.10008.1.2.2")
        else:
            save(d, path)
    return folder


def volume(folder: Path) -> Volume:
    (study,) = scan([folder]).studies
    (shown,) = display_sets(study)
    return build_volume(study, shown, FileByteSource())


@pytest.mark.parametrize(
    "how", ["shuffled", "RLE", "JPEG-LS", "JPEG 2000", "JPEG Lossless", "big endian", "slope in the pixels"]
)
def test_06_07_08_order_syntax_and_rescale_change_nothing(how: str, tmp_path: Path) -> None:
    plain, other = volume(written(tmp_path / "plain", "plain")), volume(written(tmp_path / "other", how))
    assert np.array_equal(other.voxels, plain.voxels)
    assert np.array_equal(plain.voxels[2], body(2).astype(int) - 1024)
    assert other.geometry == plain.geometry
    assert other.unit == plain.unit == "HU"


# --- Films, read ---------------------------------------------------------------------------------------------------

KINDS = {
    "chest_xray": ("1.2.840.10008.5.1.4.1.1.1.1", "DX"),
    "breast": ("1.2.840.10008.5.1.4.1.1.1.2", "MG"),
    "dental_panoramic": ("1.2.840.10008.5.1.4.1.1.1.1", "PX"),
    "dental_intraoral": ("1.2.840.10008.5.1.4.1.1.1.3", "IO"),
}
NOT_OF_A_FILM = ("ImagePositionPatient", "ImageOrientationPatient", "FrameOfReferenceUID")


def film_files(reader: str, folder: Path, how: str) -> Path:
    films = case(reader)
    for n, film in enumerate(films):
        values = np.clip(np.rint(film.values), 0, 4095).astype(np.uint16)
        uid, modality = KINDS[reader]
        changes: dict[str, Any] = dict.fromkeys(NOT_OF_A_FILM)
        changes |= {"SOPClassUID": uid, "Modality": modality, "SOPInstanceUID": film.sop_instance_uid}
        changes |= {"BitsStored": 12, "HighBit": 11, "PatientOrientation": list(film.patient_orientation) or ["", ""]}
        changes |= {"ImageLaterality": film.laterality or "U", "ViewPosition": film.view_position}
        mm = film.spacing_mm
        changes |= {"PixelSpacing": None, "ImagerPixelSpacing": list(mm) if mm is not None else None}
        changes |= {"RescaleSlope": "1", "RescaleIntercept": "0", "PresentationIntentType": "FOR PRESENTATION"}
        changes["InstanceNumber"] = str(len(films) - n if how == "RLE, shuffled" else n + 1)
        if how == "slope in the pixels":
            values = (values * 2 + 7).astype(np.uint16)
            changes |= {"BitsStored": 16, "HighBit": 15, "RescaleSlope": "0.5", "RescaleIntercept": "-3.5"}
        d = image(values)
        for name, value in changes.items():
            if value is None:
                d.pop(name, None)
            else:
                setattr(d, name, value)
        path = folder / f"{len(films) - n if how == 'RLE, shuffled' else n:02d}.dcm"
        if how == "RLE, shuffled":
            compressed(d, [rle_frame(values)], path, "1.2.840.10008.1.2.5")
        elif how == "JPEG-LS":
            compressed(d, [imagecodecs.jpegls_encode(values)], path, "1.2.840.10008.1.2.4.80")
        elif how == "JPEG 2000":
            stream = imagecodecs.jpeg2k_encode(values, level=0, codecformat="j2k", reversible=True, bitspersample=12)
            compressed(d, [stream], path, "1.2.840.10008.1.2.4.90")
        else:
            save(d, path)
    return folder


def films_of(folder: Path) -> tuple[FilmImage, ...]:
    (study,) = scan([folder]).studies
    by_uid = instances_by_uid(study)
    refs = [ref for shown in display_sets(study) for ref in shown.frames]
    source = FileByteSource()
    return tuple(
        film_image(by_uid[r.sop_instance_uid], r, frame_pixels(by_uid[r.sop_instance_uid], r.frame, source)) for r in refs
    )


@pytest.mark.parametrize("reader", FILMS)
def test_06_07_08_a_reader_says_the_same_of_a_film_however_its_file_is_written(reader: str, tmp_path: Path) -> None:
    said = {}
    for how in ("plain", "RLE, shuffled", "JPEG-LS", "JPEG 2000", "slope in the pixels"):
        out = read(reader, films=films_of(film_files(reader, tmp_path / how, how)))
        assert out.findings
        said[how] = canonical_json(to_plain(tuple(sorted(out.findings, key=lambda f: f.finding_id))))
    assert set(said.values()) == {said["plain"]}, [how for how, text in said.items() if text != said["plain"]]
