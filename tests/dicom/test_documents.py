"""Every non-image object as something to read: reports, key objects, PDF, CDA, models, curves, the rest by attributes."""

from __future__ import annotations

import io
import struct

import numpy as np
import pydicom
import pytest

from app.dicom.cda import parse, read_cda
from app.dicom.documents import read_document, stl_points
from app.dicom.waveform import groups_of
from app.domain.document import DocumentKind, LineKind
from app.domain.problem import ProblemError
from tests.dicom.saved_phantom import IMAGE, encapsulated, item, part10, plain_object, reference, waveform
from tests.dicom.test_shared_data import ROOT

needs_data = pytest.mark.skipif(not ROOT.is_dir(), reason="the shared development data is not here")

CDA = """<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3"><title>Выписка</title><effectiveTime value="20240305"/>
<recordTarget><patientRole><patient><name><given>Әлия</given><family>Серікбаева</family></name></patient></patientRole></recordTarget>
<component><structuredBody><component><section><title>Анамнез</title><text>Боль <content>в груди</content>.
<paragraph>Второй абзац</paragraph><list><item>раз</item><item>два</item></list>
<table><tr><th>Показатель</th><th>Знач.</th></tr><tr><td>Hb</td><td>120</td></tr></table></text>
<component><section><title>Внутри</title><text>глубже<br/>строка</text></section></component></section></component>
</structuredBody></component></ClinicalDocument>"""


def _pdf(pages: int = 2) -> bytes:
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(200, 100))
    for _ in range(pages):
        canvas.rect(0, 0, 100, 100, stroke=0, fill=1)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _stl() -> bytes:
    corners = np.array([[[0, 0, 0], [10, 0, 0], [0, 20, 0]], [[0, 0, -5], [10, 0, 0], [0, 20, 0]]], dtype="<f4")
    out = b"made by a test".ljust(80) + struct.pack("<I", 2)
    for triangle in corners:
        out += bytes(12) + triangle.tobytes() + bytes(2)
    return out


def test_curves_come_in_their_own_unit() -> None:
    document = read_document(waveform())
    assert document.kind is DocumentKind.WAVEFORM
    (group,) = document.groups
    assert (group.label, group.hertz, group.seconds) == ("RHYTHM", 500.0, 4 / 500)
    one, two = group.channels
    assert (one.name, one.unit) == ("Lead I", "uV")
    # sample x 2.5 uV x 2 + 10 uV; the padded sample is no value.
    assert one.values[[0, 1, 3]].tolist() == [10.0, 30.0, 50.0]
    assert np.isnan(one.values[2])
    assert two.values.tolist() == [510.0, -490.0, 10.0, 260.0]
    assert [line.value for line in document.lines] == ["Sinus rhythm"]


def test_broken_curves_are_named_and_the_attributes_stay() -> None:
    document = read_document(waveform(NumberOfWaveformSamples=400))
    assert document.kind is DocumentKind.OBJECT
    assert [p.code for p in document.remarks] == ["document.waveform_broken"]
    assert any(line.label == "Number Of Waveform Channels" for line in document.lines)
    assert [p.code for p in read_document(waveform(WaveformSampleInterpretation="XX")).remarks] == [
        "document.waveform_coding"
    ]


def test_companded_audio() -> None:
    group = item(
        NumberOfWaveformChannels=1, NumberOfWaveformSamples=4, SamplingFrequency="8000", WaveformSampleInterpretation="MB"
    )
    group.WaveformData = bytes([0xFF, 0x7F, 0x80, 0x00])
    values = groups_of(item(WaveformSequence=[group]))[0].channels[0].values * 32768
    assert values.tolist() == [0.0, 0.0, 32124.0, -32124.0]  # ITU-T G.711: both zeros, and the ends of mu-law
    group.WaveformSampleInterpretation = "AB"
    group.WaveformData = bytes([0xD5, 0x55, 0xAA, 0x2A])
    values = groups_of(item(WaveformSequence=[group]))[0].channels[0].values * 32768
    assert values.tolist() == [8.0, -8.0, 32256.0, -32256.0]


def test_a_pdf_with_its_pages() -> None:
    from app.dicom.pdf_pages import PdfPages

    document = read_document(encapsulated("1.2.840.10008.5.1.4.1.1.104.1", _pdf(), "application/pdf"))
    assert (document.kind, document.title) == (DocumentKind.PDF, "Выписка")
    assert document.pages == ((200.0, 100.0), (200.0, 100.0))
    pages = PdfPages()
    try:
        picture = pages.page(document.pdf, 1, 400)
        assert picture.shape == (200, 400, 3)
        assert picture[100, 50].tolist() == [0, 0, 0]
        assert picture[100, 350].tolist() == [255, 255, 255]
        with pytest.raises(ProblemError, match="document.pdf_unreadable"):
            pages.page(document.pdf, 7, 400)
        with pytest.raises(ProblemError, match="document.pdf_unreadable"):
            pages.sizes(b"%PDF-1.4 broken")
        assert len(pages.sizes(document.pdf)) == 2  # and it goes on afterwards
    finally:
        pages.close()


def test_a_clinical_document_line_by_line() -> None:
    title, facts, lines = read_cda(CDA.encode())
    assert title == "Выписка"
    assert dict(facts) == {"document.fact.patient": "Әлия Серікбаева", "document.fact.time": "20240305"}
    assert [(n.depth, n.kind, n.label or n.value) for n in lines] == [
        (0, LineKind.HEADING, "Анамнез"),
        (1, LineKind.TEXT, "Боль в груди ."),
        (1, LineKind.TEXT, "Второй абзац"),
        (2, LineKind.TEXT, "раз"),
        (2, LineKind.TEXT, "два"),
        (1, LineKind.ROW, "Показатель\tЗнач."),
        (1, LineKind.ROW, "Hb\t120"),
        (1, LineKind.HEADING, "Внутри"),
        (2, LineKind.TEXT, "глубже"),
        (2, LineKind.TEXT, "строка"),
    ]
    document = read_document(encapsulated("1.2.840.10008.5.1.4.1.1.104.2", CDA.encode(), "text/XML"))
    assert (document.kind, document.title, len(document.lines)) == (DocumentKind.CDA, "Выписка", 10)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_and_document_types_are_never_followed(encoding: str) -> None:
    bomb = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]><a>&y;</a>'
    outside = '<?xml version="1.0"?><!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>'
    for text in (bomb, outside):
        with pytest.raises(ProblemError, match="document.cda_unsafe"):
            parse(text.encode(encoding))
    with pytest.raises(ProblemError, match="document.cda_unreadable"):
        parse(("<a>" * 300 + "</a>" * 300).encode(encoding))
    with pytest.raises(ProblemError, match="document.cda_unreadable"):
        parse("<a><b></a>".encode(encoding))


def test_a_surface_model_by_its_figures() -> None:
    points, triangles = stl_points(_stl())
    assert (triangles, points.shape) == (2, (6, 3))
    text = (
        b"solid t\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 2 0\nendloop\nendfacet\nendsolid t\n"
    )
    assert stl_points(text)[1] == 1
    with pytest.raises(ProblemError, match="document.stl_broken"):
        stl_points(b"nothing of a model")
    document = read_document(encapsulated("1.2.840.10008.5.1.4.1.1.104.3", _stl(), "model/stl", "M3D", "Cup"))
    facts = dict(document.facts)
    assert (document.kind, facts["document.fact.triangles"]) == (DocumentKind.MODEL, "2")
    assert facts["document.fact.extent_y"] == "0.00 … 20.00"
    assert facts["document.fact.extent_z"] == "-5.00 … 0.00"
    assert document.surface is not None
    assert document.surface.points.shape == (6, 3)
    assert document.surface.mm_per_unit is None


def test_a_surface_model_has_millimetres_only_where_its_unit_is_stated() -> None:
    data = encapsulated("1.2.840.10008.5.1.4.1.1.104.3", _stl(), "model/stl", "M3D", "Cup")
    for code, factor in (("mm", 1.0), ("um", 0.001), ("{pixels}", None)):
        ds = pydicom.dcmread(io.BytesIO(data))
        ds.MeasurementUnitsCodeSequence = [item(CodeValue=code, CodingSchemeDesignator="UCUM", CodeMeaning=code)]
        surface = read_document(part10(ds)).surface
        assert surface is not None
        assert (surface.unit, surface.mm_per_unit) == (code, factor)
    broken = bytearray(_stl())
    broken[84 + 12 : 84 + 16] = struct.pack("<f", float("nan"))
    document = read_document(encapsulated("1.2.840.10008.5.1.4.1.1.104.3", bytes(broken), "model/stl", "M3D", "Cup"))
    assert document.surface is None
    assert dict(document.facts)["document.fact.triangles"] == "2"


def test_key_objects_lead_to_their_images() -> None:
    code = item(CodeValue="113000", CodingSchemeDesignator="DCM", CodeMeaning="Of Interest")
    word = item(CodeValue="113012", CodingSchemeDesignator="DCM", CodeMeaning="Key Object Description")
    data = plain_object(
        "1.2.840.10008.5.1.4.1.1.88.59",
        "KO",
        ValueType="CONTAINER",
        ConceptNameCodeSequence=[code],
        ContentSequence=[
            item(RelationshipType="CONTAINS", ValueType="TEXT", ConceptNameCodeSequence=[word], TextValue="Қараңыз"),
            item(RelationshipType="CONTAINS", ValueType="IMAGE", ReferencedSOPSequence=[reference(IMAGE, (3,))]),
        ],
    )
    document = read_document(data)
    assert (document.kind, document.title) == (DocumentKind.KEY_OBJECTS, "Of Interest")
    text, image = document.lines
    assert (text.label, text.value) == ("Key Object Description", "Қараңыз")
    assert (image.label_id, image.value, image.sop_instance_uid, image.frame) == ("document.image", "CT Image", IMAGE, 2)


def test_anything_else_by_its_attributes() -> None:
    data = plain_object("1.2.840.10008.5.1.4.1.1.481.5", "RTPLAN", RTPlanLabel="A1", BeamSequence=[item(BeamName="AP")])
    document = read_document(data)
    assert (document.kind, document.title) == (DocumentKind.OBJECT, "A1")
    assert ("document.fact.kind", "RT Plan Storage") in document.facts
    found = {(line.label, line.value) for line in document.lines}
    assert ("Beam Name", "AP") in found
    assert ("RT Plan Label", "A1") in found
    assert not any("Patient" in line.label for line in document.lines)
    tracts = read_document(plain_object("1.2.840.10008.5.1.4.1.1.66.6", "MR"))
    assert [p.code for p in tracts.remarks] == ["document.tractography"]
    with pytest.raises(ProblemError, match="document.unreadable"):
        read_document(b"not an object")


def test_real_world_values() -> None:
    unit = item(CodeValue="{SUVbw}g/ml", CodingSchemeDesignator="UCUM", CodeMeaning="SUV body weight")
    mapping = item(
        LUTExplanation="SUV",
        LUTLabel="SUV",
        RealWorldValueSlope=0.25,
        RealWorldValueIntercept=1.0,
        MeasurementUnitsCodeSequence=[unit],
    )
    block = item(RealWorldValueMappingSequence=[mapping], ReferencedImageSequence=[reference()])
    data = plain_object("1.2.840.10008.5.1.4.1.1.67", "RWV", ReferencedImageRealWorldValueMappingSequence=[block])
    document = read_document(data)
    assert [(n.label, n.value, n.detail) for n in document.lines][0] == ("SUV", "y = 0.25 · x + 1", "SUV body weight")
    assert document.lines[1].sop_instance_uid == IMAGE


@needs_data
def test_real_reports_are_read_whole() -> None:
    root = ROOT
    lesion = read_document((root / "ct-chest-nlst" / "SR" / "lesion_boxes_sr.dcm").read_bytes())
    assert (lesion.title, len(lesion.lines)) == ("Imaging Measurement Report", 61)
    assert sum(bool(line.sop_instance_uid) for line in lesion.lines) == 8
    offis = read_document((root / "robustness-fo-dicom" / "test_SR.dcm").read_bytes())
    assert ("Diameter", "3 cm") in {(line.label, line.value) for line in offis.lines}
