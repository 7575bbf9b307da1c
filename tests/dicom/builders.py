"""Small DICOM files with known answers: unequal spacing in the plane, origins far from zero."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite

CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
ORIGIN = (-121.5, 87.25, 640.125)


def image(values: np.ndarray, **changes: Any) -> Dataset:
    """A CT slice; ``values`` are stored values (rows, columns[, 3]) or (frames, rows, columns)."""
    d = Dataset()
    d.SOPClassUID = CT
    d.SOPInstanceUID = "2.25.11"
    d.StudyInstanceUID, d.SeriesInstanceUID = "2.25.1", "2.25.2"
    d.FrameOfReferenceUID = "2.25.3"
    d.Modality = "CT"
    d.SpecificCharacterSet = "ISO_IR 192"
    d.PatientName, d.PatientID = "Әбдіғали^Нұрлан", "KZ-1"
    d.PatientBirthDate, d.PatientSex = "19700102", "M"
    d.StudyDate, d.StudyTime = "20260301", "101112.5"
    d.InstanceNumber, d.SeriesNumber, d.StudyID, d.AccessionNumber = "1", "1", "S", "A"
    d.ImagePositionPatient = list(ORIGIN)
    d.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    d.PixelSpacing = [0.5, 0.75]
    d.RescaleSlope, d.RescaleIntercept = "1", "-1024"
    d.SamplesPerPixel = 3 if values.ndim == 3 and values.shape[-1] == 3 else 1
    d.PhotometricInterpretation = "RGB" if d.SamplesPerPixel == 3 else "MONOCHROME2"
    if d.SamplesPerPixel == 3:
        d.PlanarConfiguration = 0
    shape = values.shape[:-1] if d.SamplesPerPixel == 3 else values.shape
    if len(shape) == 3:
        d.NumberOfFrames = str(shape[0])
    d.Rows, d.Columns = shape[-2:]
    d.BitsAllocated = values.dtype.itemsize * 8
    d.BitsStored, d.HighBit = d.BitsAllocated, d.BitsAllocated - 1
    d.PixelRepresentation = int(values.dtype.kind == "i")
    d.PixelData = values.tobytes() + b"\0" * (values.nbytes % 2)
    d["PixelData"].VR = "OB" if values.dtype.itemsize == 1 else "OW"
    for name, value in changes.items():
        if value is None:
            del d[name]
        else:
            setattr(d, name, value)
    return d


def save(d: Dataset, path: Path, syntax: str = EXPLICIT, big: bool = False) -> Path:
    d.file_meta = FileMetaDataset()
    # pydicom writes only the syntaxes it knows: others go out under a name of the same length.
    known = syntax.replace(".4.110", ".4.201").replace(".4.112", ".4.203").replace("1.2.8.1", "1.2.4.50")
    d.file_meta.TransferSyntaxUID = known
    d.file_meta.MediaStorageSOPClassUID = d.get("SOPClassUID", CT)
    d.file_meta.MediaStorageSOPInstanceUID = d.get("SOPInstanceUID", "2.25.99")
    path.parent.mkdir(parents=True, exist_ok=True)
    dcmwrite(path, d, enforce_file_format=True)
    if known != syntax:
        path.write_bytes(path.read_bytes().replace(known.encode(), syntax.encode().ljust(len(known), b"\0"), 1))
    return path


def compressed(d: Dataset, streams: Sequence[bytes], path: Path, syntax: str, offsets: bool = True) -> Path:
    d.PixelData = encapsulate(list(streams), has_bot=offsets)
    d["PixelData"].VR = "OB"
    d["PixelData"].is_undefined_length = True
    return save(d, path, syntax)


def series(
    folder: Path, positions_mm: Sequence[float], make: Any = None, tilt_mm_per_mm: float = 0.0, **changes: Any
) -> Path:
    """Axial slices at ``positions_mm`` along S in a shuffled file order; slice k holds the stored value 1024 + k."""
    order = list(range(len(positions_mm)))
    for n, k in enumerate(reversed(order)):
        values = np.full((6, 8), 1024 + k, np.uint16) if make is None else make(k)
        d = image(values, **changes)
        z = positions_mm[k]
        shift = tilt_mm_per_mm * (z - positions_mm[0])
        d.ImagePositionPatient = [ORIGIN[0], round(ORIGIN[1] + shift, 4), round(ORIGIN[2] + z, 4)]
        d.SOPInstanceUID = f"2.25.100{k}"
        d.InstanceNumber = str(n + 1)
        save(d, folder / f"f{n:03d}.dcm")
    return folder
