"""Presentation states, structure sets, curves and encapsulated objects with known contents, as Part 10 bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items

IMAGE = "2.25.4001"
OTHER_IMAGE = "2.25.4002"
SERIES = "2.25.4100"
STUDY = "2.25.4200"
FRAME_OF_REFERENCE = "2.25.4300"
CT = "1.2.840.10008.5.1.4.1.1.2"


def item(**values: Any) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(
            made, keyword, Items(value) if isinstance(value, list) and value and isinstance(value[0], Dataset) else value
        )
    return made


def part10(ds: Dataset) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    meta.TransferSyntaxUID, meta.ImplementationClassUID = "1.2.840.10008.1.2.1", "1.2.3"
    ds.file_meta, ds.preamble = meta, bytes(128)
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def _object(kind: str, modality: str, uid: str, **values: Any) -> Dataset:
    return item(
        SOPClassUID=kind,
        SOPInstanceUID=uid,
        Modality=modality,
        StudyInstanceUID=STUDY,
        SeriesInstanceUID=SERIES + "9",
        PatientID="P-1",
        PatientName="Ким^Ольга",
        SpecificCharacterSet="ISO_IR 192",
        **values,
    )


def reference(uid: str = IMAGE, frames: Sequence[int] = ()) -> Dataset:
    made = item(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID=uid)
    if frames:
        made.ReferencedFrameNumber = list(frames)
    return made


def presentation_state(**changes: Any) -> Dataset:
    """Over IMAGE (all frames) and OTHER_IMAGE (frame 2): window 40/400 on rescale 1/-1024, a circle and a text."""
    circle = item(
        GraphicAnnotationUnits="PIXEL",
        GraphicDimensions=2,
        NumberOfGraphicPoints=2,
        GraphicData=[10.0, 12.0, 14.0, 15.0],
        GraphicType="CIRCLE",
        GraphicFilled="N",
    )
    words = item(
        BoundingBoxAnnotationUnits="DISPLAY",
        BoundingBoxTopLeftHandCorner=[0.25, 0.5],
        BoundingBoxBottomRightHandCorner=[0.75, 0.6],
        BoundingBoxTextHorizontalJustification="CENTER",
        UnformattedTextValue="Смотрите\r\nсюда",
    )
    ds = _object(
        "1.2.840.10008.5.1.4.1.1.11.1",
        "PR",
        "2.25.4400",
        ContentLabel="MARKED",
        ContentDescription="For the board",
        ContentCreatorName="Серікбаева^Дана",
        PresentationCreationDate="20240305",
        PresentationCreationTime="101500",
        ReferencedSeriesSequence=[
            item(SeriesInstanceUID=SERIES, ReferencedImageSequence=[reference(), reference(OTHER_IMAGE, (2,))])
        ],
        RescaleSlope="1",
        RescaleIntercept="-1024",
        RescaleType="HU",
        SoftcopyVOILUTSequence=[item(WindowCenter="40", WindowWidth="400")],
        PresentationLUTShape="IDENTITY",
        ImageRotation=90,
        ImageHorizontalFlip="Y",
        DisplayedAreaSelectionSequence=[
            item(
                DisplayedAreaTopLeftHandCorner=[5, 9],
                DisplayedAreaBottomRightHandCorner=[20, 16],
                PresentationSizeMode="SCALE TO FIT",
                PresentationPixelAspectRatio=[1, 1],
            )
        ],
        GraphicLayerSequence=[
            item(GraphicLayer="HIGH", GraphicLayerOrder=2, GraphicLayerRecommendedDisplayGrayscaleValue=0x8000),
            item(GraphicLayer="LOW", GraphicLayerOrder=1),
        ],
        GraphicAnnotationSequence=[
            item(GraphicLayer="HIGH", GraphicObjectSequence=[circle]),
            item(GraphicLayer="LOW", TextObjectSequence=[words], ReferencedImageSequence=[reference()]),
        ],
    )
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    return ds


def structure_set(contours: Sequence[np.ndarray], colour: tuple[int, int, int] = (255, 0, 64)) -> bytes:
    """One structure, "Liver", with closed planar contours (n, 3) in LPS mm; and a second one without any."""
    lines = [
        item(
            ContourGeometricType="CLOSED_PLANAR",
            NumberOfContourPoints=len(c),
            ContourData=[f"{v:.6g}" for v in c.ravel()],
            ContourImageSequence=[reference()],
        )
        for c in contours
    ]
    ds = _object(
        "1.2.840.10008.5.1.4.1.1.481.3",
        "RTSTRUCT",
        "2.25.4500",
        StructureSetLabel="PLAN A",
        StructureSetROISequence=[
            item(ROINumber=n, ReferencedFrameOfReferenceUID=FRAME_OF_REFERENCE, ROIName=name, ROIGenerationAlgorithm="")
            for n, name in ((1, "Liver"), (2, "Empty"))
        ],
        ROIContourSequence=[
            item(ReferencedROINumber=1, ROIDisplayColor=list(colour), ContourSequence=lines),
            item(ReferencedROINumber=2),
        ],
        RTROIObservationsSequence=[item(ObservationNumber=1, ReferencedROINumber=1, RTROIInterpretedType="ORGAN")],
    )
    return part10(ds)


def waveform(**changes: Any) -> bytes:
    """Two channels of 500 Hz: 16-bit samples, 2.5 uV a step with correction 2, baseline 10 uV; -32768 is padding."""
    samples = np.array([[0, 100], [4, -100], [-32768, 0], [8, 50]], dtype="<i2")
    unit = item(CodeValue="uV", CodingSchemeDesignator="UCUM", CodeMeaning="microvolt")

    def channel(name: str) -> Dataset:
        return item(
            ChannelLabel=name,
            ChannelSensitivity="2.5",
            ChannelSensitivityUnitsSequence=[unit],
            ChannelSensitivityCorrectionFactor="2",
            ChannelBaseline="10",
        )

    group = item(
        NumberOfWaveformChannels=2,
        NumberOfWaveformSamples=4,
        SamplingFrequency="500",
        MultiplexGroupLabel="RHYTHM",
        ChannelDefinitionSequence=[channel("Lead I"), channel("Lead II")],
        WaveformBitsAllocated=16,
        WaveformSampleInterpretation="SS",
    )
    group.add_new(0x5400100A, "OW", np.array([-32768], dtype="<i2").tobytes())
    group.add_new(0x54001010, "OW", samples.tobytes())
    for keyword, value in changes.items():
        setattr(group, keyword, value)
    annotation = item(UnformattedTextValue="Sinus rhythm")
    return part10(
        _object(
            "1.2.840.10008.5.1.4.1.1.9.1.1",
            "ECG",
            "2.25.4600",
            WaveformSequence=[group],
            WaveformAnnotationSequence=[annotation],
        )
    )


def encapsulated(kind: str, body: bytes, mime: str, modality: str = "DOC", title: str = "Выписка") -> bytes:
    ds = _object(kind, modality, "2.25.4700", DocumentTitle=title, MIMETypeOfEncapsulatedDocument=mime)
    ds.EncapsulatedDocument = body + b"\0" * (len(body) % 2)
    ds.EncapsulatedDocumentLength = len(body)
    return part10(ds)


def plain_object(kind: str, modality: str, **values: Any) -> bytes:
    return part10(_object(kind, modality, "2.25.4800", **values))
