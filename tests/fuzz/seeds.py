"""What the campaign starts from: small generated objects of every kind, past failures, a robustness folder if given."""

from __future__ import annotations

import io
import itertools
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from tests.dicom.builders import BIG, DEFLATED, EXPLICIT, IMPLICIT, compressed, image, save
from tests.dicom.form_variants import fragments, structures

CORPUS = Path(__file__).parent / "corpus"
KINDS = frozenset(["sr", "seg", "map", "pdf", "directory", "zip", "state", "structures", "curves", "picture"])
LARGEST_SEED = 64 << 10
"""Larger files are cut to this: what lies behind is pixels."""


@dataclass(frozen=True)
class Seed:
    kind: str
    """Which readers it is meant for: image, sr, seg, map, pdf, directory, zip, state, structures, curves, picture."""
    data: bytes


def _images(folder: Path) -> list[bytes]:
    import imagecodecs

    ramp = np.arange(48, dtype=np.uint16).reshape(6, 8)
    colour = np.arange(144, dtype=np.uint8).reshape(6, 8, 3)
    signed = (ramp.astype(np.int16) - 20) << 4
    paths = [save(image(ramp), folder / f"{n}", s) for n, s in enumerate((IMPLICIT, EXPLICIT, BIG, DEFLATED))]
    paths.append(save(image(colour), folder / "colour"))
    paths.append(save(image(colour, PhotometricInterpretation="YBR_FULL_422", PlanarConfiguration=0), folder / "422"))
    paths.append(save(image(colour, PlanarConfiguration=1), folder / "planar"))
    paths.append(save(image(np.stack([ramp, ramp])), folder / "frames"))
    paths.append(save(image(colour, ICCProfile=_profile()), folder / "profile"))
    paths.append(save(image(signed, BitsStored=12, HighBit=15, PixelPaddingValue=-320), folder / "high bit"))
    paths.append(save(_with_luts(image(ramp)), folder / "luts"))
    paths.append(save(_with_palette(image(ramp.astype(np.uint8))), folder / "palette"))
    paths.append(save(_with_overlays(image(ramp)), folder / "overlays"))
    paths.append(save(_enhanced(ramp), folder / "enhanced"))
    paths.append(save(_ultrasound(colour), folder / "us"))
    for name, charset in (("jp", ["", "ISO 2022 IR 87"]), ("kr", ["", "ISO 2022 IR 149"]), ("ru", "ISO_IR 144")):
        text = {"jp": "Yamada^Tarou=山田^太郎", "kr": "Hong^Gildong=洪^吉洞", "ru": "Люкceмбypг"}[name]
        paths.append(save(image(ramp, SpecificCharacterSet=charset, PatientName=text), folder / name))
    streams = [imagecodecs.jpegls_encode(ramp), imagecodecs.jpegls_encode(ramp + 1)]
    for bot in (True, False):
        frames = image(np.stack([ramp, ramp]))
        paths.append(compressed(frames, streams, folder / f"jls{bot}", "1.2.840.10008.1.2.4.80", bot))
    one = {
        "1.2.840.10008.1.2.4.90": imagecodecs.jpeg2k_encode(ramp, level=0, codecformat="j2k"),
        "1.2.840.10008.1.2.4.70": imagecodecs.jpeg8_encode(ramp, lossless=True),
        "1.2.840.10008.1.2.4.201": imagecodecs.htj2k_encode(ramp, reversible=True),
        "1.2.840.10008.1.2.4.110": imagecodecs.jpegxl_encode(ramp, lossless=True),
    }
    for uid, stream in one.items():
        paths.append(compressed(image(ramp), [stream], folder / uid, uid))
    photo = imagecodecs.jpeg8_encode(np.repeat(np.repeat(colour, 4, 0), 4, 1), level=80)
    big = np.repeat(np.repeat(colour, 4, 0), 4, 1)
    shown = image(big, PhotometricInterpretation="YBR_FULL_422")
    paths.append(compressed(shown, [photo], folder / "jpeg", "1.2.840.10008.1.2.4.50"))
    packed = pydicom.dcmread(save(image(ramp), folder / "for rle"))
    packed.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)
    packed.save_as(folder / "rle", enforce_file_format=True)
    paths.append(folder / "rle")
    bits = image(np.zeros((6, 8), np.uint8), BitsAllocated=1, BitsStored=1, HighBit=0)
    bits.PixelData = bytes(range(6))
    paths.append(save(bits, folder / "bits"))
    return [p.read_bytes() for p in paths]


def _with_luts(d: Dataset) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [48, 0, 16]
    item.LUTData = np.arange(48, dtype="<u2").tobytes()
    item["LUTData"].VR = "OW"
    d.VOILUTSequence = [item]
    modality = Dataset()
    modality.LUTDescriptor, modality.ModalityLUTType = [48, 0, 16], "US"
    modality.LUTData = np.arange(48, dtype="<u2").tobytes()
    modality["LUTData"].VR = "OW"
    del d.RescaleSlope, d.RescaleIntercept
    d.ModalityLUTSequence = [modality]
    return d


def _with_palette(d: Dataset) -> Dataset:
    d.PhotometricInterpretation = "PALETTE COLOR"
    for name in ("Red", "Green", "Blue"):
        setattr(d, f"{name}PaletteColorLookupTableDescriptor", [48, 0, 16])
        setattr(d, f"{name}PaletteColorLookupTableData", np.arange(48, dtype="<u2").tobytes())
    return d


def _with_overlays(d: Dataset) -> Dataset:
    for group in (0x6000, 0x6002):
        d.add_new((group, 0x0010), "US", 6)
        d.add_new((group, 0x0011), "US", 8)
        d.add_new((group, 0x0040), "CS", "G")
        d.add_new((group, 0x0050), "SS", [1, 1])
        d.add_new((group, 0x0100), "US", 1)
        d.add_new((group, 0x0102), "US", 0)
        d.add_new((group, 0x3000), "OW", bytes(range(6)))
    return d


def _enhanced(ramp: np.ndarray) -> Dataset:
    d = image(np.stack([ramp, ramp, ramp]))
    d.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2.1"
    del d.ImagePositionPatient, d.ImageOrientationPatient, d.PixelSpacing, d.RescaleSlope, d.RescaleIntercept
    shared, orientation, measures, values = Dataset(), Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    measures.PixelSpacing, measures.SliceThickness = [0.5, 0.75], "2"
    values.RescaleSlope, values.RescaleIntercept, values.RescaleType = "1", "-1024", "HU"
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
    shared.PixelValueTransformationSequence = [values]
    d.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for k in range(3):
        group, place, content = Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient = [-120.0, 80.0, 600.0 + 2 * k]
        content.DimensionIndexValues, content.StackID, content.InStackPositionNumber = [1, k + 1], "1", k + 1
        group.PlanePositionSequence, group.FrameContentSequence = [place], [content]
        groups.append(group)
    d.PerFrameFunctionalGroupsSequence = groups
    return d


def _ultrasound(colour: np.ndarray) -> Dataset:
    d = image(np.stack([colour, colour]).reshape(2, 6, 8, 3)[0])
    d.Modality, d.SOPClassUID = "US", "1.2.840.10008.5.1.4.1.1.6.1"
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 0, 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 7, 5
    region.PhysicalUnitsXDirection, region.PhysicalUnitsYDirection = 3, 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.01, 0.02
    d.SequenceOfUltrasoundRegions = [region]
    return d


def _objects() -> list[Seed]:
    from app.dicom.encapsulated import encapsulate_pdf
    from app.dicom.key_objects import key_objects
    from app.dicom.media_writer import MediaFolder
    from app.dicom.parametric_map import heatmap_pm
    from app.dicom.segmentation import finding_masks_seg
    from app.dicom.structured_report import ai_findings_sr
    from app.domain.finding import Heatmap, SegmentMask
    from app.domain.identity import uid_for
    from tests.dicom.objects_phantom import GEOMETRY, NODULE, READER, ai_finding, ai_result, ct_study, header

    mask = np.zeros(GEOMETRY.shape, bool)
    mask[2:4, 4:7, 5:9] = True
    with_mask = replace(ai_result(ai_finding(1)), masks=(SegmentMask(ai_finding(1).finding_id, mask, GEOMETRY),))
    heat = np.zeros(GEOMETRY.shape, np.float16)
    heat[2, 3, 4] = 0.5
    seeds = [
        Seed("sr", ai_findings_sr(ct_study(), ai_result(ai_finding()), header("ai"))),
        Seed("sr", key_objects(ct_study(), (uid_for("objects", "ct", "1"),), header("ko"))),
        Seed("pdf", encapsulate_pdf(ct_study(), b"%PDF-1.4 x", "Қорытынды", header("pdf"))),
        Seed("seg", finding_masks_seg(ct_study(), with_mask, header("seg"))),
        Seed("map", heatmap_pm(ct_study(), Heatmap(NODULE, heat, GEOMETRY), READER, header("pm"))),
    ]
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = MediaFolder(Path(name))
        for seed in seeds:
            folder.add(seed.data)
        folder.write_directory()
        seeds.append(Seed("directory", (Path(name) / "DICOMDIR").read_bytes()))
    return seeds


def _saved() -> list[Seed]:
    from tests.dicom.saved_phantom import encapsulated, part10, presentation_state, structure_set, waveform

    square = np.array([[0.0, 0, 5], [10, 0, 5], [10, 10, 5], [0, 10, 5]])
    cda = b'<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><title>A</title></ClinicalDocument>'
    return [
        Seed("state", part10(presentation_state())),
        Seed("structures", structure_set([square, square + 2])),
        Seed("curves", waveform()),
        Seed("curves", encapsulated("1.2.840.10008.5.1.4.1.1.104.2", cda, "text/XML")),
    ]


def _profile() -> bytes:
    from PIL import ImageCms

    found = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return found.replace("sRGB".encode("utf-16-be"), "Test".encode("utf-16-be"))


def _odd_files() -> list[Seed]:
    """Fragments and structures as no rule allows them."""
    odd = itertools.islice(itertools.chain(fragments(), structures()), 0, None, 3)
    return [Seed("image", variant.data) for variant in odd]


def _pictures() -> list[Seed]:
    import imagecodecs
    from PIL import Image

    colour = np.arange(32 * 24 * 3, dtype=np.uint8).reshape(32, 24, 3)
    deep = np.arange(32 * 24, dtype=np.uint16).reshape(32, 24)
    found = [imagecodecs.jpeg8_encode(colour, level=90), imagecodecs.png_encode(colour), imagecodecs.png_encode(deep)]
    for mode in ("tiff_lzw", "raw"):
        buffer = io.BytesIO()
        Image.fromarray(colour).save(buffer, "TIFF", compression=mode)
        found.append(buffer.getvalue())
    profile = _profile()
    inks = Image.fromarray(colour).convert("CMYK")
    for made, form, options in (
        (Image.fromarray(deep.astype(np.float32)), "TIFF", {}),
        (Image.fromarray(deep.astype(np.int32)), "TIFF", {"big_tiff": True}),
        (inks, "TIFF", {}),
        (inks, "JPEG", {"icc_profile": profile}),
        (Image.fromarray(colour), "PNG", {"icc_profile": profile}),
    ):
        buffer = io.BytesIO()
        made.save(buffer, form, **options)
        found.append(buffer.getvalue())
    return [Seed("picture", bytes(data)) for data in found]


def _archive(contents: list[bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for n, data in enumerate(contents):
            archive.writestr(f"D/I{n}.dcm", data)
    return buffer.getvalue()


def kind_of(name: str) -> str:
    """Kind of a corpus file, from the word before the first hyphen of its name."""
    kind = name.split("-", 1)[0]
    return (
        kind
        if kind in {"sr", "seg", "map", "pdf", "directory", "zip", "state", "structures", "curves", "picture"}
        else "image"
    )


def seeds(folder: Path, robustness: Path | None = None) -> list[Seed]:
    """All seeds; ``folder`` takes scratch files. ``robustness``: other people's odd files, used in memory only."""
    images = _images(folder)
    found = [Seed("image", data) for data in images] + _objects() + _saved() + _pictures() + _odd_files()
    found.append(Seed("zip", _archive(images[:2])))
    found.append(Seed("zip", _archive([_archive(images[:2]), _archive([_archive(images[:1])])])))
    found += [Seed(kind_of(p.name), p.read_bytes()) for p in sorted(CORPUS.glob("*.bin"))]
    if robustness is not None and robustness.is_dir():
        for path in sorted(p for p in robustness.iterdir() if p.is_file()):
            found.append(Seed("sr" if "SR" in path.name else "image", path.read_bytes()[:LARGEST_SEED]))
    return found
