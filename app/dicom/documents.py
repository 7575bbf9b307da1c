"""Any non-image object as a :class:`Document` to read. What has no reader of its own is shown by its attributes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from app.dicom import cda, waveform
from app.dicom.data_set import data_set
from app.dicom.encapsulated import ENCAPSULATED_PDF, extract_pdf
from app.dicom.pdf_pages import pdf_pages
from app.dicom.sr_reader import SrNode, read_sr
from app.dicom.tag_names import uid_name
from app.dicom.tag_tree import TagElement, read_tree
from app.dicom.tag_values import shown
from app.domain.document import Document, DocumentKind, DocumentLine, LineKind, Surface
from app.domain.problem import Problem, ProblemError, Severity, fail

_SR = "1.2.840.10008.5.1.4.1.1.88."
KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"
_CDA = "1.2.840.10008.5.1.4.1.1.104.2"
_MODELS = {"1.2.840.10008.5.1.4.1.1.104.3": "STL", "1.2.840.10008.5.1.4.1.1.104.4": "OBJ"}
_WAVEFORM = "1.2.840.10008.5.1.4.1.1.9."
_REAL_WORLD_VALUES = "1.2.840.10008.5.1.4.1.1.67"
_TRACTOGRAPHY = "1.2.840.10008.5.1.4.1.1.66.6"
MAX_LINES = 20_000
_SKIPPED_GROUPS = (0x0002, 0x0010)


def read_document(data: bytes) -> Document:
    """Raises ``ProblemError`` when the object cannot be read at all."""
    try:
        ds: Any = data_set(data)
        kind = str(ds.get("SOPClassUID", ""))
    except Exception as error:  # any maker's bytes
        raise fail("document.unreadable", kept_safe="kept.original") from error
    try:
        if kind.startswith(_SR):
            return _report(data, kind)
        if kind == ENCAPSULATED_PDF:
            return _pdf(data, ds)
        if kind == _CDA:
            title, facts, lines = cda.read_cda(_embedded(ds))
            return Document(DocumentKind.CDA, title or _title(ds), _uid(ds), facts, lines)
        if kind in _MODELS:
            return _model(ds, _MODELS[kind])
        if kind.startswith(_WAVEFORM):
            return _waveform(ds)
        if kind == _REAL_WORLD_VALUES:
            return _real_world_values(ds)
    except ProblemError as error:
        return _attributes(data, ds, error.problem)
    except Exception as error:  # any maker's bytes: its attributes can still be read
        return _attributes(data, ds, Problem("document.part_unreadable", {"error": type(error).__name__}, Severity.WARNING))
    remark = Problem("document.tractography", {}, Severity.WARNING) if kind == _TRACTOGRAPHY else None
    return _attributes(data, ds, remark)


def _said(ds: Any, keyword: str) -> str:
    """An element as text; empty also where pydicom cannot make sense of it (it converts when it is asked)."""
    try:
        return str(ds.get(keyword) or "")
    except Exception:  # any maker's bytes: one broken element must not hide the others
        return ""


def _uid(ds: Any) -> str:
    return _said(ds, "SOPInstanceUID")


def _title(ds: Any) -> str:
    for keyword in ("DocumentTitle", "ContentDescription", "ContentLabel", "RTPlanLabel", "SeriesDescription"):
        if text := _said(ds, keyword):
            return text[:128]
    return uid_name(_said(ds, "SOPClassUID")).removesuffix(" Storage")


# -- structured reports and key objects --------------------------------------------------------------------------------


def _report(data: bytes, kind: str) -> Document:
    document = read_sr(data)
    facts: list[tuple[str, str]] = []
    if kind != KEY_OBJECTS:  # a selection of images has neither state nor verification
        facts = [
            ("document.fact.state", "document.complete" if document.complete else "document.partial"),
            ("document.fact.verified", "document.yes" if document.verified else "document.no"),
        ]
    if document.content_datetime:
        facts.append(("document.fact.time", document.content_datetime[:14]))
    if document.observer:
        facts.append(("document.fact.author", document.observer.replace("^", " ").strip()))
    lines: list[DocumentLine] = []
    for child in document.root.children:
        _content(child, 0, lines)
    found = DocumentKind.KEY_OBJECTS if kind == KEY_OBJECTS else DocumentKind.REPORT
    return Document(found, document.title or "SR", document.sop_instance_uid, tuple(facts), tuple(lines))


def _content(node: SrNode, depth: int, lines: list[DocumentLine]) -> None:
    if len(lines) >= MAX_LINES:
        return
    label = node.concept.meaning if node.concept else ""
    detail = f"{node.concept.value} {node.concept.scheme}" if node.concept else ""
    target, frame, value, line_kind, label_id = node.sop_instance_uid, node.frame, node.text, LineKind.ITEM, ""
    if node.value_type == "CONTAINER":
        line_kind = LineKind.HEADING
        label_id = "" if label else "document.container"
    elif node.value_type == "NUM":
        value = f"{node.text} {node.unit if node.unit not in ('1', '') else ''}".strip() if node.text else "–"
    elif node.value_type in ("SCOORD", "SCOORD3D", "TCOORD"):
        label_id = "" if label else "document.region"
        value = f"{node.graphic_type} · {len(node.points)}" if node.graphic_type else ""
        image = next((c for c in node.children if c.sop_instance_uid), None)
        if image is not None:
            target, frame = image.sop_instance_uid, image.frame
    elif node.value_type in ("IMAGE", "COMPOSITE", "WAVEFORM"):
        label_id = "" if label else "document.image"
        value = uid_name(node.sop_class_uid).removesuffix(" Storage") or node.sop_class_uid
    elif node.value_type == "PNAME":
        value = " ".join(p for p in node.text.split("=")[0].split("^") if p)
    elif node.value_type == "CODE" and node.code is not None:
        detail = f"{node.code.value} {node.code.scheme}"
    point = _middle(node) if node.value_type == "SCOORD3D" else None
    for at in node.frames or (frame,):  # a line leads to one frame
        said = f"{value} · {at + 1}" if len(node.frames) > 1 else value
        lines.append(
            DocumentLine(depth, line_kind, label, said, detail, label_id, target, at, point, node.frame_of_reference_uid)
        )
    for child in node.children:
        # The image under a region is where the region's own line leads.
        if node.value_type in ("SCOORD", "SCOORD3D") and child.sop_instance_uid:
            continue
        _content(child, depth + 1, lines)


def _middle(node: SrNode) -> tuple[float, float, float] | None:
    """The middle of a region in the patient."""
    points = [p for p in node.points if len(p) == 3]
    if not points:
        return None
    x, y, z = (sum(p[a] for p in points) / len(points) for a in range(3))
    return (x, y, z)


# -- encapsulated ------------------------------------------------------------------------------------------------------


def _embedded(ds: Any) -> bytes:
    data = bytes(ds.EncapsulatedDocument)
    length = ds.get("EncapsulatedDocumentLength")
    return data[: int(length)] if length is not None else data


def _pdf(data: bytes, ds: Any) -> Document:
    found = extract_pdf(data)
    facts = [("document.fact.time", str(ds.get("ContentDate", "") or "") + str(ds.get("ContentTime", "") or ""))]
    try:
        pages = pdf_pages.sizes(found.pdf)
        remarks: tuple[Problem, ...] = ()
    except ProblemError as error:
        pages, remarks = (), (error.problem,)
    return Document(
        DocumentKind.PDF,
        found.title or _title(ds),
        found.sop_instance_uid,
        tuple(f for f in facts if f[1]),
        pdf=found.pdf,
        pages=pages,
        remarks=remarks,
    )


def _model(ds: Any, name: str) -> Document:
    data = _embedded(ds)
    facts = [("document.fact.format", name), ("document.fact.bytes", str(len(data)))]
    surface = None
    if name == "STL":
        points, triangles = stl_points(data)
        facts.append(("document.fact.triangles", str(triangles)))
        if triangles:
            low, high = points.min(axis=0), points.max(axis=0)
            codes = ds.get("MeasurementUnitsCodeSequence")
            surface = Surface(points, str(codes[0].get("CodeValue", "") or "") if codes else "")
            unit = f" {surface.unit}" if codes else ""
            for axis, word in enumerate("xyz"):
                facts.append((f"document.fact.extent_{word}", f"{low[axis]:.2f} … {high[axis]:.2f}{unit}"))
        if triangles and not np.isfinite(points).all():
            surface = None  # its numbers are told, a picture of it would be none
    return Document(DocumentKind.MODEL, _title(ds), _uid(ds), tuple(facts), surface=surface)


def stl_points(data: bytes) -> tuple[np.ndarray[Any, np.dtype[np.float32]], int]:
    """(3 × triangles, 3) corner points of an STL, and the number of triangles, binary or ASCII.

    Raises ``document.stl_broken``.
    """
    if len(data) >= 84:
        (count,) = struct.unpack_from("<I", data, 80)
        if 84 + 50 * count <= len(data) < 84 + 50 * count + 2:
            body = np.frombuffer(data, np.uint8, 50 * count, 84).reshape(count, 50)[:, 12:48]
            return np.ascontiguousarray(body).view("<f4").reshape(-1, 3), int(count)
    if data.lstrip().startswith(b"solid"):
        numbers = [
            part.split()[1:4] for part in data.decode("ascii", "replace").splitlines() if part.strip().startswith("vertex")
        ]
        points = np.asarray([[float(v) for v in n] for n in numbers], dtype=np.float32).reshape(-1, 3)
        if len(points) % 3 == 0:
            return points, len(points) // 3
    raise fail("document.stl_broken", kept_safe="kept.original")


def _waveform(ds: Any) -> Document:
    groups = waveform.groups_of(ds)
    facts = [("document.fact.time", str(ds.get("AcquisitionDateTime", "") or "")[:14])]
    lines: list[DocumentLine] = []
    for item in ds.get("WaveformAnnotationSequence") or ():
        names, values = item.get("ConceptNameCodeSequence"), item.get("NumericValue")
        label = str(names[0].get("CodeMeaning", "")) if names else ""
        text = str(item.get("UnformattedTextValue", "") or "")
        if values is not None:
            units = item.get("MeasurementUnitsCodeSequence")
            text = f"{values} {units[0].get('CodeValue', '') if units else ''}".strip()
        if label or text:
            lines.append(DocumentLine(0, LineKind.ITEM, label, text))
        if len(lines) >= MAX_LINES:
            break
    return Document(
        DocumentKind.WAVEFORM, _title(ds), _uid(ds), tuple(f for f in facts if f[1]), tuple(lines), groups=groups
    )


def _real_world_values(ds: Any) -> Document:
    lines: list[DocumentLine] = []
    for item in ds.get("ReferencedImageRealWorldValueMappingSequence") or ():
        for mapping in item.get("RealWorldValueMappingSequence") or ():
            units = mapping.get("MeasurementUnitsCodeSequence")
            unit = str(units[0].get("CodeMeaning", "") or units[0].get("CodeValue", "")) if units else ""
            label = str(mapping.get("LUTExplanation", "") or mapping.get("LUTLabel", "") or "")
            if "RealWorldValueSlope" in mapping:
                slope, intercept = float(mapping.RealWorldValueSlope), float(mapping.get("RealWorldValueIntercept", 0))
                value = f"y = {slope:.6g} · x + {intercept:.6g}"
            else:
                value = f"{len(mapping.get('RealWorldValueLUTData') or ())}"
            lines.append(DocumentLine(0, LineKind.HEADING, label, value, unit))
        for image in item.get("ReferencedImageSequence") or ():
            uid = str(image.get("ReferencedSOPInstanceUID", ""))
            name = uid_name(str(image.get("ReferencedSOPClassUID", ""))).removesuffix(" Storage")
            lines.append(DocumentLine(1, LineKind.ITEM, "", name, "", "document.image", uid))
    return Document(DocumentKind.VALUES, _title(ds), _uid(ds), (), tuple(lines[:MAX_LINES]))


# -- anything else -----------------------------------------------------------------------------------------------------


def _attributes(data: bytes, ds: Any, remark: Problem | None) -> Document:
    """Every attribute with a name and a value, sequences indented."""
    tree = read_tree(lambda offset, length: data[offset : offset + length], len(data))
    lines: list[DocumentLine] = []
    say: Callable[[TagElement], str] = lambda e: shown(tree, e, 400).text  # noqa: E731
    for element in tree.walk():
        root = element.tag >> 16 if element.depth == 0 else 0
        if (
            root in _SKIPPED_GROUPS
            or element.kind == "fragment"
            or (element.tag & 0xFFFF == 0 and element.kind == "element")
        ):
            continue
        depth = element.depth // 2
        if element.vr == "SQ":
            if element.children:
                lines.append(DocumentLine(depth, LineKind.HEADING, _spaced(element.keyword), detail=element.tag_text))
        elif element.kind == "element":
            value = say(element)
            if value and element.keyword:
                lines.append(DocumentLine(depth, LineKind.ITEM, _spaced(element.keyword), value, element.tag_text))
        if len(lines) >= MAX_LINES:
            break
    facts = (("document.fact.kind", uid_name(_said(ds, "SOPClassUID")) or _said(ds, "SOPClassUID")),)
    return Document(DocumentKind.OBJECT, _title(ds), _uid(ds), facts, tuple(lines), remarks=(remark,) if remark else ())


def _spaced(keyword: str) -> str:
    """``PatientName`` as words."""
    out = ""
    for n, letter in enumerate(keyword):
        if n and letter.isupper() and (keyword[n - 1].islower() or (n + 1 < len(keyword) and keyword[n + 1].islower())):
            out += " "
        out += letter
    return out
