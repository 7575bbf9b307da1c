"""How pictures stand on a sheet, in millimetres: paper and film, one to nine pictures, the head, the words below each."""

from __future__ import annotations

from dataclasses import dataclass

INCH_MM = 25.4
PAPERS: dict[str, tuple[float, float]] = {
    "A4": (210.0, 297.0),
    "A3": (297.0, 420.0),
    "Letter": (215.9, 279.4),
    "8x10": (203.2, 254.0),
    "10x12": (254.0, 304.8),
    "11x14": (279.4, 355.6),
    "14x14": (355.6, 355.6),
    "14x17": (355.6, 431.8),
}
"""Width and height in mm; the inches are film sizes (PS3.3 C.13.3, Film Size ID)."""
FORMS: dict[int, tuple[int, int]] = {1: (1, 1), 2: (1, 2), 4: (2, 2), 6: (2, 3), 9: (3, 3)}
"""Pictures a page to columns and rows, on upright paper."""
MARGIN_MM = 10.0
HEAD_MM = 16.0
FOOT_MM = 6.0
GAP_MM = 4.0
CAPTION_MM = 5.0


@dataclass(frozen=True)
class Box:
    """Millimetres from the upper left corner of the sheet."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Sheet:
    """One page's places: ``pictures`` with a line of words of ``CAPTION_MM`` right below each."""

    width: float
    height: float
    head: Box
    foot: Box
    pictures: tuple[Box, ...]


def sheet(paper: str, per_page: int, landscape: bool = False) -> Sheet:
    """Raises ``KeyError`` for a paper or a number that is not offered."""
    width, height = PAPERS[paper]
    columns, rows = FORMS[per_page]
    if landscape:
        width, height, columns, rows = height, width, rows, columns
    inner_w, top = width - 2 * MARGIN_MM, MARGIN_MM + HEAD_MM
    inner_h = height - top - FOOT_MM - MARGIN_MM
    w = (inner_w - (columns - 1) * GAP_MM) / columns
    h = (inner_h - (rows - 1) * GAP_MM) / rows
    places = tuple(
        Box(MARGIN_MM + c * (w + GAP_MM), top + r * (h + GAP_MM), w, h - CAPTION_MM)
        for r in range(rows)
        for c in range(columns)
    )
    return Sheet(
        width,
        height,
        Box(MARGIN_MM, MARGIN_MM, inner_w, HEAD_MM - GAP_MM),
        Box(MARGIN_MM, height - MARGIN_MM - FOOT_MM + 1.0, inner_w, FOOT_MM),
        places,
    )


def page_count(pictures: int, per_page: int) -> int:
    return -(-pictures // per_page)
