"""A generated breast tomosynthesis: one multi-frame object of about 900 MB, uncompressed or JPEG-LS."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence

from app.domain.identity import uid_for

SIZE = 2560
FRAMES = 70
BTO = "1.2.840.10008.5.1.4.1.1.13.1.3"


def frame_values(n: int, size: int = SIZE) -> np.ndarray:
    """(size, size) uint16, 12 bits used: breast, glands that drift from frame to frame, noise."""
    rng = np.random.default_rng(n)
    j, i = np.mgrid[0:size, 0:size].astype(np.float32) / size
    breast = ((i / 0.8) ** 2 + ((j - 0.5) / 0.45) ** 2) < 1
    glands = np.sin(40 * (i + 0.002 * n)) * np.sin(31 * j) * 90
    out = np.where(breast, 1500 + glands + 700 * i, 40)
    return np.clip(out + rng.normal(0, 25, out.shape).astype(np.float32), 0, 4095).astype(np.uint16)


def header(frames: int, size: int, syntax: str) -> Dataset:
    d = Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = syntax
    d.file_meta.MediaStorageSOPClassUID = d.SOPClassUID = BTO
    d.file_meta.MediaStorageSOPInstanceUID = d.SOPInstanceUID = uid_for("tomosynthesis", syntax)
    d.SpecificCharacterSet = "ISO_IR 192"
    d.PatientName, d.PatientID, d.PatientBirthDate, d.PatientSex = "Томо^Синтез", "T-1", "19700101", "F"
    d.StudyInstanceUID, d.SeriesInstanceUID = uid_for("tomosynthesis", "study"), uid_for("tomosynthesis", "series")
    d.StudyDate, d.StudyTime, d.Modality, d.SeriesNumber, d.InstanceNumber = "20261117", "101500", "MG", 1, 1
    d.SeriesDescription, d.ImageLaterality, d.FrameOfReferenceUID = "L MLO tomo", "L", uid_for("tomosynthesis", "frame")
    d.ImageType = ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "NONE"]
    shared, measures, orientation, window, values = (Dataset() for _ in range(5))
    measures.PixelSpacing, measures.SliceThickness = [0.1, 0.1], 1.0
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    window.WindowCenter, window.WindowWidth = 1900, 1600
    values.RescaleIntercept, values.RescaleSlope, values.RescaleType = 0, 1, "US"
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = Sequence([measures]), Sequence([orientation])
    shared.FrameVOILUTSequence, shared.PixelValueTransformationSequence = Sequence([window]), Sequence([values])
    d.SharedFunctionalGroupsSequence = Sequence([shared])
    groups = []
    for n in range(frames):
        group, place, content = Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient = [-20.0, 35.0, 100.0 + n]
        content.DimensionIndexValues, content.StackID, content.InStackPositionNumber = [1, n + 1], "1", n + 1
        group.PlanePositionSequence, group.FrameContentSequence = Sequence([place]), Sequence([content])
        groups.append(group)
    d.PerFrameFunctionalGroupsSequence = Sequence(groups)
    d.NumberOfFrames = frames
    d.SamplesPerPixel, d.PhotometricInterpretation, d.Rows, d.Columns = 1, "MONOCHROME2", size, size
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 12, 11, 0
    return d


def write(path: Path, frames: int = FRAMES, size: int = SIZE, jpeg_ls: bool = False) -> int:
    """Returns the bytes of pixels. Ten different frames repeat: noise of all would only take longer to make."""
    made = [frame_values(n, size) for n in range(min(frames, 10))]
    syntax = "1.2.840.10008.1.2.4.80" if jpeg_ls else "1.2.840.10008.1.2.1"
    dcmwrite(path, header(frames, size, syntax), enforce_file_format=True)
    with open(path, "ab") as stream:
        if jpeg_ls:
            import imagecodecs

            streams = [imagecodecs.jpegls_encode(values) for values in made]
            streams = [s + b"\0" * (len(s) % 2) for s in streams]
            stream.write(b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\0\0\0\0")
            for n in range(frames):
                data = streams[n % len(streams)]
                stream.write(b"\xfe\xff\x00\xe0" + struct.pack("<I", len(data)) + data)
            stream.write(b"\xfe\xff\xdd\xe0\0\0\0\0")
        else:
            stream.write(b"\xe0\x7f\x10\x00OW\0\0" + struct.pack("<I", frames * size * size * 2))
            for n in range(frames):
                stream.write(made[n % len(made)].tobytes())
    return frames * size * size * 2
