"""Corner texts, letters, scale bar, colour bar and lines of a pane: pure function to drawing primitives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from app.domain.geometry import PlaneGeometry, Point3, orientation_letters
from app.domain.problem import Problem, Severity
from app.viewer.bars import colour_bar, scale_bar
from app.viewer.bars import scale_bar_mm as scale_bar_mm
from app.viewer.label_room import slid_apart
from app.viewer.pane_info import CineInfo, PaneInfo
from app.viewer.primitives import (
    Anchor,
    Line,
    Polyline,
    Primitive,
    Role,
    Text,
    TextWidth,
)
from app.viewer.style import Style as Style
from app.viewer.style import is_bright
from app.viewer.suv import window_in_suv
from app.viewer.view_state import ResolvedView
from app.viewer.words import Texts, number, say, say_problem

_OPPOSITE = str.maketrans("LRAPHF", "RLPAFH")
_ROOMY = 520.0
"""Logical pixels of width below which a pane keeps only what must be read: identity, plane, position, window, remarks."""


_NARROW = 200.0
"""Logical pixels of width below which what stands at the bottom right follows what stands at the bottom left."""


def _is_narrow(width: float, style: Style) -> bool:
    return width < _NARROW * style.scale and not style.terse


@dataclass(frozen=True)
class _Item:
    """A corner line; the lower ``rank`` the longer it stays. Rank 0 always stays."""

    key: str
    text: str
    rank: int
    role: Role = Role.TEXT
    bold: bool = False
    framed: bool = False
    large: bool = False
    short: str = ""
    """What a narrow pane says instead."""


def _date(text: str) -> str:
    if text[:8].isdigit() and not int(text[4:6] or 0):
        return ""  # 00000000: a place kept for a date
    return f"{text[6:8]}.{text[4:6]}.{text[:4]}" if len(text) >= 8 and text[:8].isdigit() else text


def _date_time(text: str) -> str:
    day = _date(text[:8])
    clock = text[8:]
    return f"{day} {clock[:2]}:{clock[2:4]}" if len(clock) >= 4 and clock[:4].isdigit() else day


def _age(texts: Texts, age: str) -> str:
    if age == "000Y":
        return ""
    if len(age) == 4 and age[:3].isdigit() and age[3] in "YMWD":
        return say(texts, f"viewer.age.{ {'Y': 'years', 'M': 'months', 'W': 'weeks', 'D': 'days'}[age[3]] }", n=int(age[:3]))
    return age


def _joined(*parts: str) -> str:
    return " \u00b7 ".join(p for p in parts if p)


def window_text(texts: Texts, info: PaneInfo) -> str:
    if info.window is None:
        return ""
    window = info.window if info.suv is None else window_in_suv(info.window, info.suv)
    digits = 0 if window.width >= (10 if info.suv is None else 100) else 2
    if 0 < window.width < 0.1:  # rates of counts: two digits that say something
        digits = min(9, 1 - math.floor(math.log10(window.width)))
    w, c = number(texts, window.width, digits), number(texts, window.center, digits)
    return _joined(say(texts, "viewer.window", w=w, l=c), "" if info.suv is None else "SUVbw", info.preset)


def cine_text(texts: Texts, cine: CineInfo | None) -> str:
    """The rate and, while playing, what is really painted and what had to be left out."""
    if cine is None:
        return ""
    rate = say(texts, "viewer.cine.rate", rate=number(texts, cine.rate, 0 if cine.rate >= 10 else 1))
    if not cine.stated:
        rate = _joined(rate, say(texts, "viewer.cine.not_stated"))
    way = say(texts, "viewer.cine.sweep") if cine.sweep else ""
    if not cine.playing:
        return _joined(rate, way)
    shown = "" if cine.shown_rate is None else say(texts, "viewer.cine.shown", rate=number(texts, cine.shown_rate, 1))
    dropped = say(texts, "viewer.cine.dropped", n=cine.dropped) if cine.dropped else ""
    return "\u25b6 " + _joined(rate, way, shown, dropped)


_NOTES = {"viewer.spacing.regions": Role.TEXT}
"""Words about the calibration that warn of nothing."""


def _role_of(problem: Problem) -> Role:
    return Role.TEXT if problem.severity is Severity.NOTE else Role.WARNING


def _top_left(info: PaneInfo, texts: Texts) -> list[_Item]:
    name = info.patient_name or say(texts, "viewer.no_name")
    identity = info.patient_id or say(texts, "viewer.no_id")
    sex = say(texts, f"viewer.sex.{info.sex.lower()}") if info.sex in ("M", "F", "O") else ""
    items = []
    if info.laterality in ("R", "L", "B") or info.view_position:
        side = say(texts, f"viewer.side.{info.laterality.lower()}") if info.laterality in ("R", "L", "B") else ""
        items.append(_Item("laterality", " ".join(p for p in (side, info.view_position) if p), 0, bold=True, large=True))
    items.append(_Item("identity", name, 0, bold=True))
    items.append(_Item("patient_id", identity, 0))
    items.append(_Item("patient", _joined(sex, _date(info.birth_date), _age(texts, info.age)), 2))
    if info.demonstration:
        items.append(_Item("demonstration", say(texts, "viewer.demonstration"), 0, Role.WARNING, framed=True))
    if info.prior:
        items.append(_Item("prior", say(texts, "viewer.prior"), 0, framed=True))
    if info.side_not_stated:
        items.append(_Item("side_not_stated", say(texts, "viewer.side_not_stated"), 0))
    return items


def _top_right(info: PaneInfo, texts: Texts) -> list[_Item]:
    plane = say(texts, info.plane) if info.plane else ""
    return [
        _Item("plane", plane, 1),
        _Item("study_date", _date_time(info.study_datetime), 0 if info.prior else 1),
        _Item("study", info.study_description, 4),
        _Item("series", info.series_line, 1),
        _Item("contrast", info.contrast, 6),
    ]


def _bottom_left(info: PaneInfo, texts: Texts) -> list[_Item]:
    named = "viewer.frame_of" if info.cine is not None and info.cine.frames else "viewer.image_of"
    place = say(texts, named, n=info.position, count=info.count) if info.position and info.count else ""
    thickness = say(texts, "viewer.mm", value=number(texts, info.thickness_mm, 1)) if info.thickness_mm else ""
    location = say(texts, "viewer.mm", value=number(texts, info.location_mm, 1)) if info.location_mm is not None else ""
    location = f"{info.location_axis} {location}" if location and info.location_axis else location
    slab = ""
    if info.slab_mm > 0:
        slab = say(texts, f"viewer.slab.{info.slab_mode or 'max'}", value=number(texts, info.slab_mm, 1))
    said = {say_problem(texts, p): _role_of(p) for p in info.remarks}  # a volume says again what its slices say
    remarks = [_Item(f"remark{n}", text, 0, role) for n, (text, role) in enumerate(said.items())]
    if info.calibration_note:
        role = _NOTES.get(info.calibration_note, Role.WARNING)
        short = say(texts, "viewer.spacing.short") if role is Role.WARNING else ""
        remarks.append(_Item("calibration", say(texts, info.calibration_note), 0, role, short=short))
    remarks += [_Item("state", say(texts, s), 0) for s in info.states]
    return [
        *remarks,
        _Item("slab", slab, 1),
        _Item("cine", cine_text(texts, info.cine), 1),
        _Item("position", place, 1),
        _Item("place", _joined(thickness, location), 1 if info.location_axis else 5),
        _Item("window", window_text(texts, info), 1),
    ]


def _bottom_right(info: PaneInfo, texts: Texts, resolved: ResolvedView) -> list[_Item]:
    zoom = say(texts, "viewer.zoom", value=number(texts, resolved.scale, 2))
    state = say(texts, "viewer.interpolated") if resolved.interpolated else ""
    registered = say(texts, "viewer.registered") if info.registered else ""
    lossy = ""
    if info.lossy:
        ratio = f" {info.lossy_ratio}:1" if info.lossy_ratio else ""
        lossy = say(texts, "viewer.lossy") + ratio
    kvp = say(texts, "viewer.kv", value=number(texts, info.kvp, 0)) if info.kvp else ""
    mas = say(texts, "viewer.mas", value=number(texts, info.mas, 0)) if info.mas else ""
    ai = []
    if info.ai_shown:
        label = "viewer.ai.attention" if info.ai_activation_map else "viewer.ai.shown"
        ai.append(_Item("ai", say(texts, label), 0, Role.AI))
        if info.ai_research_only:
            ai.append(_Item("ai_research", say(texts, "viewer.ai.research_only"), 0, Role.AI))
    return [
        *ai,
        _Item("zoom", _joined(zoom, state, registered), 1),
        _Item("lossy", lossy, 0, Role.WARNING),
        _Item("exposure", _joined(kvp, mas), 5),
    ]


def _elided(text: str, width: float, size: float, bold: bool, measure: TextWidth) -> str:
    if measure(text, size, bold) <= width:
        return text
    while len(text) > 1 and measure(text + "\u2026", size, bold) > width:
        text = text[:-1]
    return text.rstrip() + "\u2026"


def _wrapped(item: _Item, width: float, style: Style) -> list[_Item]:
    """A remark that is longer than the pane is wide, in as many lines as it needs: what must be read is not cut."""
    if (
        not item.key.startswith(("remark", "calibration", "state"))
        or style.text_width(item.text, style.font, item.bold) <= width
    ):
        return [item]
    lines: list[str] = []
    for word in item.text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and style.text_width(longer, style.font, item.bold) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [replace(item, text=line) for line in lines]


def _parted(item: _Item, width: float, style: Style) -> list[_Item]:
    """Scale and "interpolated" in a line each where one has no room: that values are calculated is never cut off."""
    if style.text_width(item.text, style.font, item.bold) <= width:
        return [item]
    return [replace(item, text=part) for part in item.text.split(" \u00b7 ")]


def _corner(
    items: Sequence[_Item],
    size: tuple[int, int],
    right: bool,
    bottom: bool,
    style: Style,
    grey: npt.NDArray[np.uint8] | None,
) -> list[Primitive]:
    w, h = size
    # In a narrow pane the corners of a side stand below each other: a line may be as long as the pane is wide.
    room = max(style.font * 4, w * 0.5 - style.margin * 1.5) if not _is_narrow(w, style) else w - 2 * style.margin
    shown = [
        i for i in items if i.text and (style.corner_texts or i.rank == 0) and (i.rank <= 1 or w >= _ROOMY * style.scale)
    ]
    if style.terse:
        shown = [replace(i, text=i.short or i.text) for i in shown if i.rank == 0]
    shown = [part for item in shown for part in _wrapped(item, w - 2 * style.margin, style)]
    shown = [part for item in shown for part in (_parted(item, room, style) if item.key == "zoom" else [item])]
    lines = max(1, int((h * 0.42 - style.margin) / style.line))
    while len(shown) > lines and any(i.rank > 0 for i in shown):
        worst = max(i.rank for i in shown)
        shown.remove(next(i for i in reversed(shown) if i.rank == worst))
    out: list[Primitive] = []
    heights = [style.line * (1.5 if i.large else 1.0) for i in shown]
    y = h - style.margin - sum(heights) if bottom else style.margin
    for item, height in zip(shown, heights, strict=True):
        font = style.font * (1.5 if item.large else 1.0)
        # What must stay is never cut to nothing: it may run under the other corner's lesser lines.
        width = w - 2 * style.margin if item.rank == 0 else room
        text = _elided(item.text, width, font, item.bold, style.text_width)
        x = w - style.margin if right else style.margin
        left = x - style.text_width(text, font, item.bold) if right else x
        out.append(
            Text(
                x,
                y,
                text,
                Anchor.TOP_RIGHT if right else Anchor.TOP_LEFT,
                item.role,
                font,
                item.bold,
                is_bright(grey, left, y, style.text_width(text, font, item.bold), height),
                item.framed,
                key=item.key,
            )
        )
        y += height
    return out


def edge_letters(resolved: ResolvedView) -> tuple[str, str, str, str] | None:
    """Patient letters at the (left, right, top, bottom) edges; None when the image does not say."""
    plane = resolved.geometry.plane
    if plane is not None and not plane.in_patient:
        return None
    directions = resolved.edge_directions()
    if directions is not None:
        right, down = directions
        left: Point3 = (-right[0], -right[1], -right[2])
        up: Point3 = (-down[0], -down[1], -down[2])
        return (
            orientation_letters(left)[:2],
            orientation_letters(right)[:2],
            orientation_letters(up)[:2],
            orientation_letters(down)[:2],
        )
    po = resolved.geometry.patient_orientation
    if len(po) != 2 or not all(po) or any(set(p) - set("LRAPHF") for p in po):
        return None
    out = []
    for axis in (0, 1):
        column = resolved.px_from_pane[:, axis]
        along = 0 if abs(column[0]) >= abs(column[1]) else 1
        letters = po[along] if column[along] > 0 else po[along].translate(_OPPOSITE)
        out.append(letters)
    return (out[0].translate(_OPPOSITE), out[0], out[1].translate(_OPPOSITE), out[1])


def _letters(resolved: ResolvedView, style: Style, grey: npt.NDArray[np.uint8] | None) -> list[Primitive]:
    letters = edge_letters(resolved)
    if letters is None:
        return []
    w, h = resolved.size
    m = style.margin
    places = (
        (m, h / 2, Anchor.LEFT, "edge_left"),
        (w - m, h / 2, Anchor.RIGHT, "edge_right"),
        (w / 2, m, Anchor.TOP, "edge_top"),
        (w / 2, h - m, Anchor.BOTTOM, "edge_bottom"),
    )
    out: list[Primitive] = []
    for letter, (x, y, anchor, key) in zip(letters, places, strict=True):
        bright = is_bright(grey, x - style.font, y - style.font, 2 * style.font, 2 * style.font)
        out.append(Text(x, y, letter, anchor, Role.TEXT, style.font, True, bright, key=key))
    return out


def cross_reference(resolved: ResolvedView, other: PlaneGeometry, style: Style | None = None) -> tuple[Line, ...]:
    """Where another pane's plane cuts this one, within both images; empty when parallel or in another frame of reference."""
    style = style or Style()
    mine = resolved.geometry.plane
    if mine is None or not mine.frame_of_reference_uid or mine.frame_of_reference_uid != other.frame_of_reference_uid:
        return ()
    # Corners of the other image as signed distances from this plane; the cut edges give the segment's two ends.
    ends = [(-0.5, -0.5), (-0.5, other.columns - 0.5), (other.rows - 0.5, other.columns - 0.5), (other.rows - 0.5, -0.5)]
    corners = [other.to_patient(j, i) for j, i in ends]
    found = [mine.to_index(c) for c in corners]
    cuts: list[tuple[float, float]] = []
    for (ja, ia, da), (jb, ib, db) in zip(found, found[1:] + found[:1], strict=True):
        if (da < 0) != (db < 0):
            t = da / (da - db)
            cuts.append(resolved.px_to_pane(ia + t * (ib - ia) + 0.5, ja + t * (jb - ja) + 0.5))
    if len(cuts) != 2:
        return ()
    (x0, y0), (x1, y1) = cuts
    return (Line(x0, y0, x1, y1, Role.SECONDARY, style.scale, True, "cross_reference"),)


def crosshair(resolved: ResolvedView, point_mm: Point3, style: Style | None = None) -> tuple[Primitive, ...]:
    """Two lines through the linked point, open around it; empty without a position."""
    style = style or Style()
    at = resolved.patient_to_pane(point_mm)
    if at is None:
        return ()
    x, y, _ = at
    w, h = resolved.size
    gap = 12.0 * style.scale
    lines = ((0.0, y, x - gap, y), (x + gap, y, float(w), y), (x, 0.0, x, y - gap), (x, y + gap, x, float(h)))
    return tuple(Line(*line, Role.SECONDARY, style.scale, True, "crosshair") for line in lines)


_MOST_DOWN = 4


def _span(text: Text, style: Style) -> tuple[float, float]:
    wide = style.text_width(text.text, text.size_px, text.bold)
    if text.anchor is Anchor.TOP_RIGHT:
        return text.x - wide, text.x
    return (text.x - wide / 2, text.x + wide / 2) if text.anchor is Anchor.TOP else (text.x, text.x + wide)


def _below(items: Sequence[Primitive], fixed: Sequence[Primitive], style: Style) -> list[Primitive]:
    """The same lines, as far down as they have to go not to run into the fixed ones: large words in a narrow pane."""
    lines, gap = [t for t in items if isinstance(t, Text)], style.font * 0.4
    down, high = 0.0, 0.85 * style.line / style.font
    for _ in range(_MOST_DOWN):
        hit = any(
            a.y + down < b.y + high * b.size_px
            and b.y < a.y + down + high * a.size_px
            and _span(a, style)[0] < _span(b, style)[1] + gap
            and _span(b, style)[0] < _span(a, style)[1] + gap
            for a in lines
            for b in fixed
            if isinstance(b, Text)
        )
        if not hit:
            break
        down += style.line
    return [replace(t, y=t.y + down) if isinstance(t, Text) else t for t in items] if down else list(items)


def decorate(
    resolved: ResolvedView,
    info: PaneInfo,
    texts: Texts,
    marks: Sequence[Primitive] = (),
    style: Style | None = None,
    grey: npt.NDArray[np.uint8] | None = None,
    heatmap: tuple[str, float] | None = None,
    cross_references: Sequence[PlaneGeometry] = (),
    point_mm: Point3 | None = None,
) -> tuple[Primitive, ...]:
    """All of a pane, in drawing order. ``marks``: from ``marks.py``. ``grey``: the painted picture, to put plates only
    over bright pixels. ``heatmap``: (lut, threshold) while one is shown. ``point_mm``: crosshair of linked planes.
    """
    style = style or Style()
    size = resolved.size
    out: list[Primitive] = []
    for other in cross_references:
        out.extend(cross_reference(resolved, other, style))
    if point_mm is not None:
        out.extend(crosshair(resolved, point_mm, style))
    identity = _corner(_top_left(info, texts), size, False, False, style, grey)
    beside = _below(_corner(_top_right(info, texts), size, True, False, style, grey), identity, style)
    letters = _letters(resolved, style, grey)[: 2 if style.terse else 4]
    left, right = _bottom_left(info, texts), _bottom_right(info, texts, resolved)
    if _is_narrow(size[0], style):
        left, right = [*left, *right], []
    bottom = [*_corner(left, size, False, True, style, grey), *_corner(right, size, True, True, style, grey)]
    top = min((t.y for t in bottom if isinstance(t, Text)), default=float(size[1])) - style.margin / 2
    lowest = [replace(x, y=min(x.y, top)) if not right and isinstance(x, Text) else x for x in letters[3:]]
    corners = [*identity, *beside, *bottom]
    words = [(low, t.y, high - low, style.line) for t in corners if isinstance(t, Text) for low, high in [_span(t, style)]]
    out.extend(slid_apart(marks, words, size[1], style))
    out.extend([*letters[:2], *(_below([x], [*identity, *beside], style)[0] for x in letters[2:3]), *lowest])
    if style.corner_texts:
        out.extend(scale_bar(resolved, texts, style, [*corners, *lowest], grey))
    if heatmap is not None:
        out.extend(colour_bar(resolved, heatmap[0], heatmap[1], texts, style))
    out.extend(corners)
    return tuple(out)


def outline(points: Sequence[tuple[float, float]], role: Role, key: str = "") -> Polyline:
    return Polyline(tuple(points), role, closed=True, key=key)
