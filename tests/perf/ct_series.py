"""A synthetic chest CT on disk in several transfer syntaxes, made once; noise that packs like a real one's."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from tests.perf._bench import cache_folder

SYNTAXES = {
    "explicit": "1.2.840.10008.1.2.1",
    "rle": "1.2.840.10008.1.2.5",
    "jpeg_lossless": "1.2.840.10008.1.2.4.70",
    "jpeg_ls": "1.2.840.10008.1.2.4.80",
    "jpeg_2000": "1.2.840.10008.1.2.4.90",
    "htj2k": "1.2.840.10008.1.2.4.201",
}
SIZE = 512


def slice_values(k: int, size: int = SIZE) -> np.ndarray:
    """Stored values (0 to 4095) of slice k: a body with lungs, vessels and smooth noise."""
    j, i = np.mgrid[0:size, 0:size].astype(np.float32)
    x, y = (i - size / 2) / (size / 2), (j - size / 2) / (size / 2)
    rng = np.random.default_rng(k)
    out = np.full((size, size), 24.0, np.float32)
    out[(x / 0.85) ** 2 + (y / 0.65) ** 2 < 1] = 1064.0
    for side in (-1, 1):
        out[((x - 0.38 * side) / 0.28) ** 2 + (y / 0.42) ** 2 < 1] = 170.0
    for n in range(40):
        cx, cy, r = rng.uniform(-0.6, 0.6), rng.uniform(-0.4, 0.4), rng.uniform(0.004, 0.02)
        out[(x - cx) ** 2 + (y - cy) ** 2 < r * r] = 1100.0 + n
    noise = rng.normal(0, 22, (size, size)).astype(np.float32)
    noise = (noise + np.roll(noise, 1, 0) + np.roll(noise, 1, 1) + np.roll(noise, (1, 1), (0, 1))) / 2
    return np.clip(out + noise, 0, 4095).astype(np.uint16)


def _dataset(k: int, syntax: str) -> Dataset:
    d = Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = syntax
    d.file_meta.MediaStorageSOPClassUID = CTImageStorage
    d.file_meta.MediaStorageSOPInstanceUID = f"2.25.1000.{k}"
    d.SpecificCharacterSet = "ISO_IR 192"
    d.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"]
    d.SOPClassUID = CTImageStorage
    d.SOPInstanceUID = f"2.25.1000.{k}"
    for name in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
        setattr(d, name, "20260314")
    for name in ("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime"):
        setattr(d, name, "101530.120000")
    d.AccessionNumber = "A-1009"
    d.Modality = "CT"
    d.Manufacturer = "Ekinshi"
    d.InstitutionName = "Қалалық аурухана"
    d.ReferringPhysicianName = "Дәрігер^Бірінші"
    d.StudyDescription = "Кеуде КТ"
    d.SeriesDescription = "Thorax 1.0 B40f"
    d.ManufacturerModelName = "Phantom"
    d.PatientName = "Әлімбек^Гүлнәр"
    d.PatientID = "EK-1009"
    d.PatientBirthDate = "19610203"
    d.PatientSex = "F"
    d.PatientAge = "065Y"
    d.BodyPartExamined = "CHEST"
    d.SliceThickness = "1"
    d.KVP = "120"
    d.DataCollectionDiameter = "500"
    d.SoftwareVersions = "1"
    d.ProtocolName = "Thorax"
    d.ReconstructionDiameter = "358"
    d.DistanceSourceToDetector = "1040"
    d.DistanceSourceToPatient = "570"
    d.GantryDetectorTilt = "0"
    d.TableHeight = "151"
    d.RotationDirection = "CW"
    d.ExposureTime = "500"
    d.XRayTubeCurrent = "150"
    d.Exposure = "75"
    d.FilterType = "WEDGE_2"
    d.GeneratorPower = "26"
    d.FocalSpots = "1.2"
    d.ConvolutionKernel = "B40f"
    d.PatientPosition = "HFS"
    d.StudyInstanceUID = "2.25.1"
    d.SeriesInstanceUID = "2.25.2"
    d.StudyID = "1009"
    d.SeriesNumber = "3"
    d.AcquisitionNumber = "1"
    d.InstanceNumber = str(k + 1)
    d.ImagePositionPatient = [-179.65, -302.5, round(-220.0 + k, 3)]
    d.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    d.FrameOfReferenceUID = "2.25.3"
    d.PositionReferenceIndicator = ""
    d.SliceLocation = str(round(-220.0 + k, 3))
    d.SamplesPerPixel = 1
    d.PhotometricInterpretation = "MONOCHROME2"
    d.Rows = d.Columns = SIZE
    d.PixelSpacing = [0.703125, 0.703125]
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 12, 11, 0
    d.WindowCenter, d.WindowWidth = ["50", "-600"], ["350", "1200"]
    d.RescaleIntercept, d.RescaleSlope, d.RescaleType = "-1024", "1", "HU"
    d.WindowCenterWidthExplanation = ["WINDOW1", "WINDOW2"]
    return d


def _encoded(values: np.ndarray, kind: str, dataset: Dataset) -> None:
    import imagecodecs

    if kind == "explicit":
        dataset.PixelData = values.tobytes()
        dataset["PixelData"].VR = "OW"
        return
    if kind == "rle":
        dataset.PixelData = values.tobytes()
        dataset["PixelData"].VR = "OW"
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)
        return
    stream = {
        "jpeg_lossless": lambda: imagecodecs.jpeg8_encode(values, lossless=True, bitspersample=12),
        "jpeg_ls": lambda: imagecodecs.jpegls_encode(values),
        "jpeg_2000": lambda: imagecodecs.jpeg2k_encode(
            values, level=0, codecformat="j2k", reversible=True, bitspersample=12
        ),
        "htj2k": lambda: imagecodecs.htj2k_encode(values, reversible=True),
    }[kind]()
    dataset.PixelData = encapsulate([stream])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True


def series(kind: str, slices: int) -> Path:
    """Folder with ``slices`` files; made when it is not there. ~10 distinct slices repeat, with their own headers."""
    folder = cache_folder(f"ct-{kind}-{slices}-v2")
    done = folder / ".complete"
    if done.exists():
        return folder / "data"
    data = folder / "data"
    data.mkdir(exist_ok=True)
    distinct: dict[int, Dataset] = {}
    for k in range(slices):
        dataset = _dataset(k, SYNTAXES[kind])
        base = distinct.get(k % 10)
        if base is None:
            _encoded(slice_values(k % 10), kind, dataset)
            distinct[k % 10] = dataset
        else:
            dataset.PixelData = base.PixelData
            dataset["PixelData"].VR = base["PixelData"].VR
            dataset["PixelData"].is_undefined_length = kind != "explicit"
        pydicom.dcmwrite(data / f"I{k:05d}.dcm", dataset, enforce_file_format=True)
    done.touch()
    return data


if __name__ == "__main__":
    print(series(sys.argv[1], int(sys.argv[2])))
