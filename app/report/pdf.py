"""The report as a PDF: a printed hospital document with an embedded font that holds Kazakh Cyrillic.

Every page carries the identity, its number out of the total, and in a demonstration a watermark. Nothing here decides
anything: it draws what the :class:`~app.domain.report.Report` and the verdict rows say.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape  # noqa: S406 - escapes text for reportlab's markup, parses nothing

from app.domain.finding import Finding, ReaderIdentity
from app.domain.messages import translate
from app.domain.problem import fail
from app.domain.report import Origin, Report, ReportLine
from app.domain.resources import resource_path
from app.domain.verdict import Decision, Verdict
from app.report import palette, words

_FACES = {"Inter": "Inter-Regular.ttf", "Inter-Medium": "Inter-Medium.ttf", "Inter-SemiBold": "Inter-SemiBold.ttf"}
_MARGIN_MM = 18.0
_BAR_INDENT = 9.0
_ONE_AT_A_TIME = threading.Lock()
"""The registered fonts keep state of the document being written: a preview and a signing must not mix."""


@dataclass(frozen=True)
class VerdictRow:
    """A line of the table of the second reading."""

    badge: str
    """A1, A2..."""
    finding: Finding
    verdict: Verdict | None


@dataclass(frozen=True)
class SignatureBlock:
    """What the document says about who signs it; the signature itself is put into the file afterwards."""

    name: str
    issuer: str
    certificate_sha256: str
    signed_at: datetime
    """Aware; printed with its offset."""
    test_certificate: bool = False
    time_stamped: bool = False


@dataclass(frozen=True)
class _Style:
    body: Any
    small: Any
    label: Any
    value: Any
    title: Any
    section: Any
    cell: Any
    cell_head: Any
    caption: Any
    notice: Any


def render_pdf(
    report: Report,
    *,
    verdicts: Sequence[VerdictRow] = (),
    readers: Sequence[ReaderIdentity] = (),
    signature: SignatureBlock | None = None,
    institution: str = "",
) -> bytes:
    """PDF 1.4+ bytes, the same for the same input. ``readers``: the second readers that ran, also when they found nothing.

    Without ``signature`` the document says that it is a draft. Raises ``report.font_missing``.
    """
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm
    from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate

    _register_fonts()
    style = _styles()
    language = report.language
    buffer = io.BytesIO()
    margin = _MARGIN_MM * mm
    frame = Frame(margin, 24 * mm, A4[0] - 2 * margin, A4[1] - 24 * mm - 24 * mm, 0, 0, 0, 0)
    values = list(report.header.values())
    document = BaseDocTemplate(
        buffer,
        pagesize=A4,
        title=report.title,
        author=signature.name if signature else "",
        subject="Ekinshi",
        creator="Ekinshi",
        invariant=1,
        lang=language,
    )
    document.addPageTemplates([PageTemplate(id="page", frames=[frame])])
    story: list[Any] = [*_head(report, style, frame._width)]
    for section in report.sections:
        story += _section(section.title, section.lines, style, frame._width)
    story += _origins(report, style)
    story += _key_images(report, style, frame._width)
    story += _second_read(language, verdicts, readers, style, frame._width)
    story += _signature(language, signature, style, frame._width)
    identity = " · ".join(v for v in values[:4] if v)
    place = institution or report.header.get(translate(language, "report.label.institution"), "")

    class NumberedCanvas(_canvas_class()):  # type: ignore[misc]
        """Keeps the pages until their number is known, then draws what every page carries."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._pages: list[dict[str, Any]] = []

        def showPage(self) -> None:
            self._pages.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for number, state in enumerate(self._pages, start=1):
                self.__dict__.update(state)
                _furniture(self, report, identity, place, number, len(self._pages), signature is None)
                super().showPage()
            super().save()

    with _ONE_AT_A_TIME:
        document.build(story, canvasmaker=NumberedCanvas)
    return buffer.getvalue()


def _canvas_class() -> Any:
    from reportlab.pdfgen.canvas import Canvas

    return Canvas


def _register_fonts() -> None:
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFError, TTFont

    try:
        for face, file in _FACES.items():
            if face not in pdfmetrics.getRegisteredFontNames():
                pdfmetrics.registerFont(TTFont(face, str(resource_path("fonts", file))))
    except (OSError, TTFError) as error:
        raise fail("report.font_missing") from error
    pdfmetrics.registerFontFamily(
        "Inter", normal="Inter", bold="Inter-SemiBold", italic="Inter", boldItalic="Inter-SemiBold"
    )


def _styles() -> _Style:
    from reportlab.lib.colors import HexColor
    from reportlab.lib.styles import ParagraphStyle

    def make(name: str, size: float, colour: str, face: str = "Inter", **more: Any) -> Any:
        return ParagraphStyle(
            name, fontName=face, fontSize=size, leading=size * 1.42, textColor=HexColor(colour), splitLongWords=1, **more
        )

    text, secondary, third = palette.light("text"), palette.light("secondary"), palette.light("third")
    return _Style(
        body=make("body", 9.6, text),
        small=make("small", 7.4, secondary),
        label=make("label", 8, third),
        value=make("value", 8.8, text, "Inter-Medium"),
        title=make("title", 16, text, "Inter-SemiBold"),
        section=make("section", 10.2, text, "Inter-SemiBold", spaceBefore=9, spaceAfter=3, keepWithNext=1),
        cell=make("cell", 8, text),
        cell_head=make("cell_head", 7.4, secondary, "Inter-Medium"),
        caption=make("caption", 7.6, secondary),
        notice=make("notice", 8, palette.light("bad"), "Inter-Medium"),
    )


def _text(content: str) -> str:
    return escape(content).replace("\n", "<br/>")


def _head(report: Report, style: _Style, width: float) -> list[Any]:
    from reportlab.lib.colors import HexColor
    from reportlab.platypus import HRFlowable, Paragraph, Spacer, Table, TableStyle

    language = report.language
    version = translate(language, "report.version", {"version": report.version})
    if report.replaces:
        version += ", " + translate(language, "report.replaces")
    rows: list[list[Any]] = []
    pairs = [
        (Paragraph(_text(key), style.label), Paragraph(_text(value), style.value)) for key, value in report.header.items()
    ]
    half = (len(pairs) + 1) // 2
    for n in range(half):
        left = pairs[n]
        right = pairs[n + half] if n + half < len(pairs) else ("", "")
        rows.append([*left, *right])
    story: list[Any] = [Paragraph(_text(report.title), style.title), Spacer(1, 2), Paragraph(_text(version), style.small)]
    if report.demonstration:
        story.append(Paragraph(_text(translate(language, "report.demonstration_notice")), style.notice))
    story.append(Spacer(1, 7))
    if rows:
        table = Table(rows, colWidths=[width * f for f in (0.18, 0.34, 0.15, 0.33)])
        table.setStyle(
            TableStyle(
                [
                    ("VALIGN", (0, 0), (-1, -1), "TOP"),
                    ("TOPPADDING", (0, 0), (-1, -1), 1.6),
                    ("BOTTOMPADDING", (0, 0), (-1, -1), 1.6),
                    ("LEFTPADDING", (0, 0), (-1, -1), 0),
                    ("RIGHTPADDING", (0, 0), (-1, -1), 6),
                ]
            )
        )
        story.append(table)
    story += [Spacer(1, 5), HRFlowable(width="100%", thickness=0.7, color=HexColor(palette.light("line")))]
    return story


def _bar_colours(origin: Origin) -> tuple[str, ...]:
    mine, ai = palette.light("mine"), palette.light("ai_line")
    return {Origin.MINE: (mine,), Origin.AI_ACCEPTED: (ai,), Origin.BOTH: (mine, ai)}.get(origin, ())


def _section(title: str, lines: Sequence[ReportLine], style: _Style, width: float) -> list[Any]:
    from reportlab.platypus import Paragraph, Spacer

    if not any(line.text.strip() for line in lines):
        return []
    story: list[Any] = [Paragraph(_text(title), style.section)]
    for line in lines:
        if not line.text.strip():
            continue
        text = _text(line.text)
        if line.key_image is not None:
            text += f' <font name="Inter-Medium" size="7.4" color="{palette.light("secondary")}">[{line.key_image}]</font>'
        story.append(_barred(Paragraph(text, style.body), _bar_colours(line.origin), width))
        story.append(Spacer(1, 2.4))
    return story


def _barred(paragraph: Any, colours: tuple[str, ...], width: float) -> Any:
    """A line with the bar of its origin: whole for one, halves for both."""
    from reportlab.lib.colors import HexColor
    from reportlab.platypus import Table, TableStyle

    table = Table([["", paragraph]], colWidths=[_BAR_INDENT, width - _BAR_INDENT])
    commands: list[Any] = [
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 0),
        ("TOPPADDING", (0, 0), (-1, -1), 0.6),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1.4),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ]
    if colours:
        commands.append(("LINEBEFORE", (0, 0), (0, 0), 2.4, HexColor(colours[0])))
    if len(colours) > 1:
        commands.append(("LINEBEFORE", (1, 0), (1, 0), 2.4, HexColor(colours[1])))
        commands.append(("LEFTPADDING", (1, 0), (1, 0), _BAR_INDENT - 3.2))
        table = Table([["", paragraph]], colWidths=[3.2, width - 3.2])
    table.setStyle(TableStyle(commands))
    return table


def _origins(report: Report, style: _Style) -> list[Any]:
    """The legend of the bars, only of those that are there."""
    from reportlab.platypus import Paragraph, Spacer

    used = {line.origin for s in report.sections for line in s.lines if line.text.strip()}
    parts = []
    for origin in (Origin.MINE, Origin.AI_ACCEPTED, Origin.BOTH):
        if origin in used:
            marks = "".join(f'<font name="Inter-SemiBold" color="{c}">|</font>' for c in _bar_colours(origin))
            parts.append(f"{marks} {_text(translate(report.language, f'report.origin.{origin}'))}")
    if not parts:
        return []
    return [Spacer(1, 4), Paragraph("&nbsp;&nbsp;&nbsp;".join(parts), style.small)]


def _key_images(report: Report, style: _Style, width: float) -> list[Any]:
    from reportlab.lib.utils import ImageReader
    from reportlab.platypus import Image, KeepTogether, Paragraph, Spacer, Table, TableStyle

    images = [image for image in report.key_images if image.png]
    if not images:
        return []
    columns = 3
    cell = (width - 8 * (columns - 1)) / columns
    rows: list[list[Any]] = []
    for image in images:
        w, h = ImageReader(io.BytesIO(image.png)).getSize()
        scale = min(cell / w, cell * 0.8 / h)
        caption = f"{translate(report.language, 'report.key_image', {'number': image.number})}"
        if image.caption:
            caption += f". {image.caption}"
        picture = Image(io.BytesIO(image.png), w * scale, h * scale)
        picture.hAlign = "LEFT"
        item = [picture, Spacer(1, 2), Paragraph(_text(caption), style.caption)]
        if not rows or len(rows[-1]) == columns:
            rows.append([])
        rows[-1].append(item)
    rows[-1] += [""] * (columns - len(rows[-1]))
    story: list[Any] = []
    for n, row in enumerate(rows):
        table = Table([row], colWidths=[cell + 8] * (columns - 1) + [cell])
        table.setStyle(
            TableStyle(
                [
                    ("VALIGN", (0, 0), (-1, -1), "TOP"),
                    ("LEFTPADDING", (0, 0), (-1, -1), 0),
                    ("RIGHTPADDING", (0, 0), (-1, -1), 8),
                    ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
                ]
            )
        )
        title = [Paragraph(_text(translate(report.language, "report.key_images")), style.section)] if n == 0 else []
        story.append(KeepTogether([*title, table]))
    return story


def _second_read(
    language: str, verdicts: Sequence[VerdictRow], readers: Sequence[ReaderIdentity], style: _Style, width: float
) -> list[Any]:
    from reportlab.lib.colors import HexColor
    from reportlab.platypus import Paragraph, Spacer, Table, TableStyle

    known = {(r.name, r.version, r.package_sha256): r for r in readers}
    for row in verdicts:
        reader = row.finding.reader
        if reader is not None:
            known.setdefault((reader.name, reader.version, reader.package_sha256), reader)
    if not known:
        return []
    research = any(r.research_use_only for r in known.values())
    notice = "report.second_read_notice" if research else "report.second_read_device"
    story: list[Any] = [
        Paragraph(_text(translate(language, "report.second_read")), style.section),
        Paragraph(_text(translate(language, notice)), style.small),
    ]
    for reader in known.values():
        params = {
            "name": reader.name,
            "version": reader.version,
            "package": reader.package_sha256[:12] + "…",
            "point": reader.operating_point or translate(language, "report.no_operating_point"),
        }
        story.append(Paragraph(_text(translate(language, "report.reader", params)), style.small))
    story.append(Spacer(1, 4))
    if not verdicts:
        story.append(Paragraph(_text(translate(language, "report.second_read_nothing")), style.cell))
        return story
    heads = ("mark", "proposal", "probability", "verdict", "reason")
    rows: list[list[Any]] = [
        [Paragraph(_text(translate(language, f"report.column.{name}")), style.cell_head) for name in heads]
    ]
    for row in verdicts:
        rows.append([Paragraph(_text(cell), style.cell) for cell in _verdict_cells(language, row)])
    table = Table(rows, colWidths=[width * f for f in (0.09, 0.36, 0.14, 0.16, 0.25)], repeatRows=1)
    line = HexColor(palette.light("line"))
    table.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("RIGHTPADDING", (0, 0), (-1, -1), 6),
                ("TOPPADDING", (0, 0), (-1, -1), 2.6),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
                ("LINEBELOW", (0, 0), (-1, 0), 0.7, line),
                ("LINEBELOW", (0, 1), (-1, -1), 0.35, line),
            ]
        )
    )
    story.append(table)
    return story


def _verdict_cells(language: str, row: VerdictRow) -> tuple[str, str, str, str, str]:
    finding, verdict = row.finding, row.verdict
    parts = [words.where_words(language, finding), words.kind_words(language, finding), words.size(language, finding)]
    probability = "–" if finding.probability is None else words.number(language, finding.probability, 2)
    decision = verdict.decision.value if verdict is not None else "none"
    reason = ""
    if verdict is not None:
        if verdict.reason is not None:
            reason = translate(language, f"report.reason.{verdict.reason}")
        if verdict.decision is Decision.MODIFIED and verdict.modified is not None:
            reason = words.size(language, verdict.modified)
        reason = "; ".join(part for part in (reason, verdict.comment) if part)
    return (
        row.badge,
        words.sentence(", ".join(part for part in parts if part)),
        probability,
        translate(language, f"report.verdict.{decision}"),
        reason,
    )


def _signature(language: str, signature: SignatureBlock | None, style: _Style, width: float) -> list[Any]:
    from reportlab.lib.colors import HexColor
    from reportlab.platypus import KeepTogether, Paragraph, Spacer, Table, TableStyle

    if signature is None:
        return [Spacer(1, 12), Paragraph(_text(translate(language, "report.not_signed")), style.notice)]
    at = signature.signed_at
    offset = f"{at:%z}"
    when = f"{words.date_time(language, f'{at:%Y%m%d%H%M}')} UTC{offset[:3]}:{offset[3:]}"
    rows = [
        ("report.signed_by", signature.name, style.value),
        ("report.signed_at", when, style.value),
        ("report.certificate_issuer", signature.issuer, style.small),
        ("report.fingerprint", signature.certificate_sha256, style.small),
    ]
    cells = [[Paragraph(_text(translate(language, k)), style.label), Paragraph(_text(v), s)] for k, v, s in rows if v]
    table = Table(cells, colWidths=[width * 0.26, width * 0.74 - 20])
    table.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("TOPPADDING", (0, 0), (-1, -1), 1.4),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 1.4),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ]
        )
    )
    inner: list[Any] = [table]
    if not signature.time_stamped:
        inner.append(Paragraph(_text(translate(language, "report.no_timestamp")), style.small))
    if signature.test_certificate:
        inner.append(Paragraph(_text(translate(language, "report.test_certificate")), style.notice))
    box = Table([[inner]], colWidths=[width])
    box.setStyle(
        TableStyle(
            [
                ("BOX", (0, 0), (-1, -1), 0.7, HexColor(palette.light("line"))),
                ("LEFTPADDING", (0, 0), (-1, -1), 10),
                ("RIGHTPADDING", (0, 0), (-1, -1), 10),
                ("TOPPADDING", (0, 0), (-1, -1), 6),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 7),
            ]
        )
    )
    return [Spacer(1, 12), KeepTogether([box])]


def _furniture(canvas: Any, report: Report, identity: str, place: str, page: int, pages: int, draft: bool) -> None:
    """Header, footer and watermark of one page."""
    from reportlab.lib.colors import Color, HexColor
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm

    width, height = A4
    margin = _MARGIN_MM * mm
    language = report.language
    mark = ""
    if report.demonstration:
        mark = translate(language, "report.demonstration")
    elif draft:
        mark = translate(language, "report.not_signed")
    if mark:
        canvas.saveState()
        canvas.setFillColor(Color(0.70, 0.15, 0.12, alpha=0.085))
        canvas.translate(width / 2, height / 2)
        canvas.rotate(52)
        size = min(84.0, 620.0 / max(1.0, canvas.stringWidth(mark, "Inter-SemiBold", 1.0)))
        canvas.setFont("Inter-SemiBold", size)
        canvas.drawCentredString(0, -size / 3, mark)
        canvas.restoreState()
    canvas.saveState()
    canvas.setFillColor(HexColor(palette.light("secondary")))
    canvas.setStrokeColor(HexColor(palette.light("line")))
    canvas.setLineWidth(0.5)
    canvas.setFont("Inter-Medium", 8)
    canvas.drawString(margin, height - 15 * mm, _fitted(canvas, place or "Ekinshi", width / 2 - margin, 8))
    canvas.setFont("Inter", 8)
    canvas.drawRightString(width - margin, height - 15 * mm, _fitted(canvas, report.title, width / 2 - margin - 8, 8))
    canvas.line(margin, height - 18 * mm, width - margin, height - 18 * mm)
    canvas.line(margin, 18 * mm, width - margin, 18 * mm)
    number = translate(language, "report.page", {"page": page, "pages": pages})
    canvas.drawRightString(width - margin, 13.4 * mm, number)
    room = width - 2 * margin - canvas.stringWidth(number, "Inter", 8) - 16
    canvas.setFont("Inter-Medium", 8)
    canvas.drawString(margin, 13.4 * mm, _fitted(canvas, identity, room, 8))
    canvas.setFont("Inter", 6.6)
    note = translate(language, "report.demonstration_notice") if report.demonstration else f"Ekinshi · {report.report_id}"
    canvas.drawString(margin, 9.6 * mm, note)
    canvas.restoreState()


def _fitted(canvas: Any, text: str, room: float, size: float) -> str:
    """``text`` cut with an ellipsis to ``room`` points."""
    if canvas.stringWidth(text, "Inter-Medium", size) <= room:
        return text
    while text and canvas.stringWidth(text + "…", "Inter-Medium", size) > room:
        text = text[:-1]
    return text + "…"
