"""Generated segmentations with many segments, as makers of whole-body readers write them: only frames that are not empty."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence

from app.domain.geometry import VolumeGeometry

BINARY, LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"


def label_volume(shape: tuple[int, int, int], segments: int, seed: int = 3) -> np.ndarray:
    """Ellipsoids side by side and one in another; numbers 1 to ``segments``; a later one cuts into an earlier one."""
    rng = np.random.default_rng(seed)
    out = np.zeros(shape, np.uint8 if segments < 256 else np.uint16)
    half = np.maximum(2, np.asarray(shape) * np.array([0.12, 0.09, 0.09])).astype(int)
    for number in range(1, segments + 1):
        centre = [int(rng.integers(h, n - h)) for h, n in zip(half, shape, strict=True)]
        box = tuple(slice(c - h, c + h + 1) for c, h in zip(centre, half, strict=True))
        axes = np.ogrid[tuple(slice(-h, h + 1) for h in half)]
        ball = sum((a / h) ** 2 for a, h in zip(axes, half, strict=True)) <= 1.0
        out[box][ball] = number
    return out


def _base(geometry: VolumeGeometry, study: tuple[str, str], patient: Dataset, sop_class: str, uid: str) -> Dataset:
    d = Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    d.file_meta.MediaStorageSOPClassUID = d.SOPClassUID = sop_class
    d.file_meta.MediaStorageSOPInstanceUID = d.SOPInstanceUID = uid
    d.SpecificCharacterSet = "ISO_IR 192"
    for element in patient:
        if element.tag.group == 0x0010 or element.keyword in ("StudyDate", "StudyTime", "AccessionNumber"):
            d.add(element)
    d.StudyInstanceUID, d.FrameOfReferenceUID = study
    d.SeriesInstanceUID, d.Modality, d.SeriesNumber, d.InstanceNumber = uid + ".1", "SEG", 900, 1
    d.SeriesDescription = "All organs"
    d.ContentLabel = "ORGANS"
    plane = geometry.plane(0)
    shared, measures, orientation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [plane.row_spacing_mm, plane.column_spacing_mm]
    measures.SliceThickness = measures.SpacingBetweenSlices = geometry.spacing_mm[0]
    orientation.ImageOrientationPatient = [*plane.row_cosines, *plane.column_cosines]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = Sequence([measures]), Sequence([orientation])
    d.SharedFunctionalGroupsSequence = Sequence([shared])
    d.SamplesPerPixel, d.PhotometricInterpretation, d.PixelRepresentation = 1, "MONOCHROME2", 0
    d.Rows, d.Columns = geometry.shape[1:]
    return d


def _described(d: Dataset, segments: int) -> None:
    items = []
    for n in range(1, segments + 1):
        item, kind = Dataset(), Dataset()
        item.SegmentNumber, item.SegmentLabel = n, f"Organ {n}"
        item.SegmentAlgorithmType, item.SegmentAlgorithmName = "AUTOMATIC", "phantom"
        item.RecommendedDisplayCIELabValue = [40000, (n * 7919) % 65536, (n * 104729) % 65536]
        kind.CodeValue, kind.CodingSchemeDesignator, kind.CodeMeaning = str(n), "99TEST", f"Organ {n}"
        item.SegmentedPropertyCategoryCodeSequence = item.SegmentedPropertyTypeCodeSequence = Sequence([kind])
        items.append(item)
    d.SegmentSequence = Sequence(items)


def _group(geometry: VolumeGeometry, k: int, number: int | None) -> Dataset:
    group, place, content = Dataset(), Dataset(), Dataset()
    place.ImagePositionPatient = [round(v, 4) for v in geometry.plane(k).origin_mm]
    content.DimensionIndexValues = [number or 1, k + 1]
    group.PlanePositionSequence, group.FrameContentSequence = Sequence([place]), Sequence([content])
    if number is not None:
        named = Dataset()
        named.ReferencedSegmentNumber = number
        group.SegmentIdentificationSequence = Sequence([named])
    return group


def write_binary(
    path: Path, labels: np.ndarray, segments: int, geometry: VolumeGeometry, study: tuple[str, str], patient: Dataset
) -> int:
    """One frame a segment and slice; returns the number of frames."""
    d = _base(geometry, study, patient, BINARY, "2.25.4001")
    _described(d, segments)
    d.SegmentationType, d.BitsAllocated, d.BitsStored, d.HighBit = "BINARY", 1, 1, 0
    from scipy.ndimage import find_objects

    groups, packed = [], []
    for number, box in enumerate(find_objects(labels, segments), start=1):
        if box is None:
            continue
        inside = (labels[box] == number).any(axis=(1, 2))
        for k in np.flatnonzero(inside) + box[0].start:
            groups.append(_group(geometry, int(k), number))
            packed.append(np.packbits(labels[k] == number, bitorder="little").tobytes())
    d.PerFrameFunctionalGroupsSequence = Sequence(groups)
    d.NumberOfFrames = len(groups)
    data = b"".join(packed)
    d.PixelData = data + b"\0" * (len(data) % 2)
    d["PixelData"].VR = "OB"
    dcmwrite(path, d, enforce_file_format=True)
    return len(groups)


def write_label_map(
    path: Path, labels: np.ndarray, segments: int, geometry: VolumeGeometry, study: tuple[str, str], patient: Dataset
) -> None:
    d = _base(geometry, study, patient, LABEL_MAP, "2.25.4002")
    _described(d, segments)
    bits = labels.dtype.itemsize * 8
    d.SegmentationType, d.BitsAllocated, d.BitsStored, d.HighBit = "LABELMAP", bits, bits, bits - 1
    d.PerFrameFunctionalGroupsSequence = Sequence([_group(geometry, k, None) for k in range(geometry.shape[0])])
    d.NumberOfFrames = geometry.shape[0]
    d.PixelData = labels.tobytes()
    d["PixelData"].VR = "OB" if bits == 8 else "OW"
    dcmwrite(path, d, enforce_file_format=True)
