"""Lines of a document as rich text. Everything that comes from the object is escaped; nothing is loaded from anywhere."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from app.domain.document import Document, DocumentLine, LineKind
from app.ui.i18n import tr
from app.ui.theme import colour

_SHOWN = 4000
"""More lines than this are counted, not laid out."""
_INDENT_PX = 18


def time_of(value: str) -> str:
    """``20240305101112`` as 05.03.2024 10:11."""
    digits = value.replace(".", "")[:14]
    if len(digits) < 8 or not digits[:8].isdigit():
        return value
    date = f"{digits[6:8]}.{digits[4:6]}.{digits[:4]}"
    return f"{date} {digits[8:10]}:{digits[10:12]}" if len(digits) >= 12 and digits[8:12].isdigit() else date


def html_of(document: Document, is_here: Callable[[DocumentLine], bool]) -> str:
    """``is_here``: whether the image or place of a line can be shown; only then is there a link."""
    text, quiet, link = (colour(r).name() for r in ("text", "third", "mine"))
    out = [f'<html><body style="color:{text};">']
    rows: list[str] = []

    def flush() -> None:
        if rows:
            out.append(f'<table cellspacing="0" cellpadding="5" style="margin-left:14px;">{"".join(rows)}</table>')
            rows.clear()

    for line in document.lines[:_SHOWN]:
        if line.kind is LineKind.ROW:
            cells = "".join(f"<td>{escape(cell)}</td>" for cell in line.value.split("\t"))
            rows.append(f"<tr>{cells}</tr>")
            continue
        flush()
        out.append(_line(line, is_here, quiet, link))
    flush()
    if len(document.lines) > _SHOWN:
        out.append(f'<p style="color:{quiet};">{escape(tr("ui.document.more", n=len(document.lines) - _SHOWN))}</p>')
    if not document.lines:
        out.append(f'<p style="color:{quiet}; margin:14px;">{escape(tr("ui.document.nothing"))}</p>')
    return "".join([*out, "</body></html>"])


def _line(line: DocumentLine, is_here: Callable[[DocumentLine], bool], quiet: str, link: str) -> str:
    margin = 14 + _INDENT_PX * min(line.depth, 12)
    label = line.label or (tr(line.label_id) if line.label_id else "")
    value = escape(line.value).replace("\n", "<br>")
    if (line.sop_instance_uid or line.point_mm is not None) and is_here(line):
        shown = value or escape(tr("document.image"))
        words = escape(tr("ui.document.show_image"))
        if line.sop_instance_uid:
            target = f"image:{escape(line.sop_instance_uid)}/{line.frame}"
        else:
            x, y, z = line.point_mm or (0.0, 0.0, 0.0)
            target = f"place:{escape(line.frame_of_reference_uid)}/{x!r}/{y!r}/{z!r}"
        value = f'{shown} <a href="{target}" style="color:{link}; text-decoration:none;">{words}</a>'
    if line.kind is LineKind.HEADING:
        detail = f' <span style="color:{quiet};">{value} {escape(line.detail)}</span>' if value or line.detail else ""
        return f'<p style="margin:10px 14px 3px {margin}px;"><b>{escape(label)}</b>{detail}</p>'
    if line.kind is LineKind.TEXT:
        return f'<p style="margin:3px 14px 3px {margin}px;">{value}</p>'
    name = f'<span style="color:{quiet};">{escape(label)}</span>&nbsp;&nbsp;' if label else ""
    detail = f'&nbsp;&nbsp;<span style="color:{quiet};"><small>{escape(line.detail)}</small></span>' if line.detail else ""
    return f'<p style="margin:2px 14px 2px {margin}px;">{name}{value}{detail}</p>'
