"""A PDF as DICOM Encapsulated PDF (PS3.3 A.45.1), and back byte for byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence

from app.dicom.data_set import data_set
from app.dicom.object_header import ObjectHeader, evidence_of, finished
from app.domain.measurement import Code
from app.domain.problem import ProblemError, fail
from app.domain.study import Study

ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
REPORT_CODE = Code("18748-4", "LN", "Diagnostic imaging study")


@dataclass(frozen=True)
class EncapsulatedPdf:
    sop_instance_uid: str
    study_instance_uid: str
    title: str
    pdf: bytes
    patient_id: str


def encapsulate_pdf(
    study: Study,
    pdf: bytes,
    title: str,
    header: ObjectHeader,
    evidence: Sequence[str] = (),
    code: Code | None = REPORT_CODE,
    *,
    scanned: bool = False,
) -> bytes:
    """``pdf`` as an object of ``study``. The signature inside the PDF stays valid: its bytes are not touched.

    ``scanned``: a document of somebody else's, that nobody here has verified.

    Raises ``dicom.not_pdf`` when it does not start as a PDF.
    """
    if not pdf.startswith(b"%PDF-"):
        raise fail("dicom.not_pdf")
    ds = Dataset()
    ds.SOPClassUID = ENCAPSULATED_PDF
    ds.Modality = "DOC"
    ds.ConversionType = "SD" if scanned else "WSD"
    ds.BurnedInAnnotation = "YES"
    ds.RecognizableVisualFeatures = "NO"
    ds.AcquisitionDateTime = ""
    ds.DocumentTitle = title
    named = []
    if code is not None:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme, code.meaning
        named.append(item)
    ds.ConceptNameCodeSequence = DicomSequence(named)
    ds.VerificationFlag = "UNVERIFIED" if scanned else "VERIFIED"
    sources = []
    for image in evidence_of(study, evidence):
        source = Dataset()
        source.ReferencedSOPClassUID = image.SOPClassUID
        source.ReferencedSOPInstanceUID = image.SOPInstanceUID
        purpose = Dataset()
        purpose.CodeValue, purpose.CodingSchemeDesignator = "121322", "DCM"
        purpose.CodeMeaning = "Source image for image processing operation"
        source.PurposeOfReferenceCodeSequence = DicomSequence([purpose])
        sources.append(source)
    if sources:
        ds.SourceInstanceSequence = DicomSequence(sources)
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    ds.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    ds.EncapsulatedDocumentLength = len(pdf)
    return finished(ds, study, header)


def extract_pdf(data: bytes) -> EncapsulatedPdf:
    """The PDF inside, without the padding byte of the element. Raises ``dicom.not_encapsulated_pdf``."""
    try:
        ds: Any = data_set(data)
        if str(ds.SOPClassUID) != ENCAPSULATED_PDF:
            raise fail("dicom.not_encapsulated_pdf")
        pdf = bytes(ds.EncapsulatedDocument)
        length = ds.get("EncapsulatedDocumentLength")
        if length is not None:
            pdf = pdf[: int(length)]
        elif pdf.endswith(b"\0"):
            pdf = pdf[:-1]
        return EncapsulatedPdf(
            str(ds.SOPInstanceUID),
            str(ds.get("StudyInstanceUID", "")),
            str(ds.get("DocumentTitle", "")),
            pdf,
            str(ds.get("PatientID", "")),
        )
    except ProblemError:
        raise
    except Exception as error:  # any maker's bytes
        raise fail("dicom.not_encapsulated_pdf", error=type(error).__name__) from error
