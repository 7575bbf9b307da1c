"""Pane pictures with their decorations as PNG, without a window: key images of the report and of ``ekinshi read``."""

from __future__ import annotations

import io
import math
import tomllib
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from app.domain.resources import resource_path
from app.session.picture import PanePicture, PictureRequest
from app.viewer.luts import lut
from app.viewer.primitives import Anchor, ColourBar, Ellipse, Line, Plate, Polyline, Primitive, Role, Text

Colour = tuple[int, int, int, int]
_ROLE_TOKENS = {
    Role.TEXT: "text_on_images",
    Role.SECONDARY: "waiting",
    Role.MINE: "mine",
    Role.AI: "ai",
    Role.TRUTH: "truth",
    Role.WARNING: "bad",
    Role.OK: "ok",
}
_PLATE: Colour = (0, 0, 0, 163)
_DASH = 5.0


@cache
def _colours() -> dict[Role, Colour]:
    tokens = tomllib.loads(resource_path("theme.toml").read_text(encoding="utf-8"))["dark"]
    out: dict[Role, Colour] = {}
    for role, token in _ROLE_TOKENS.items():
        text = str(tokens[token]).lstrip("#")
        out[role] = (int(text[0:2], 16), int(text[2:4], 16), int(text[4:6], 16), 255)
    return out


def role_rgb(role: Role) -> tuple[int, int, int]:
    """The role's colour on images."""
    return _colours()[role][:3]


@cache
def _font(size: int, bold: bool) -> Any:
    name = "Inter-SemiBold.ttf" if bold else "Inter-Regular.ttf"
    return ImageFont.truetype(str(resource_path("fonts", name)), size)


def text_width(text: str, size_px: float, bold: bool) -> float:
    """Width in pixels of the bundled font: the measure for pictures painted here."""
    return float(_font(max(6, round(size_px)), bold).getlength(_printable(text)))


def _printable(text: str) -> str:
    """The diameter sign is not in the bundled font."""
    return text.replace("\u2300", "\u00d8")


def rgb_of(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(h, w) grey or (h, w, 4) B, G, R, x to (h, w, 3) R, G, B."""
    if pixels.ndim == 2:
        return np.ascontiguousarray(np.repeat(pixels[:, :, None], 3, axis=2))
    return np.ascontiguousarray(pixels[:, :, 2::-1])


def png(rgb: npt.NDArray[np.uint8]) -> bytes:
    """(h, w, 3) or (h, w) to PNG bytes."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG", optimize=False, compress_level=3)
    return buffer.getvalue()


def painted(picture: PanePicture) -> npt.NDArray[np.uint8]:
    """(h, w, 3) RGB of a picture with its decorations. Raises ``ValueError`` when the picture has no pixels."""
    if picture.pixels is None:
        raise ValueError("the picture has no pixels")
    image = Image.fromarray(rgb_of(picture.pixels)).convert("RGBA")
    for primitive in picture.decorations:
        _draw(image, primitive)
    return np.asarray(image.convert("RGB"))


def painted_png(request: PictureRequest) -> bytes:
    return png(painted(request()))


def _dimmed(colour: Colour, opacity: float) -> Colour:
    return (colour[0], colour[1], colour[2], round(colour[3] * opacity))


def _over(image: Any, draw: Any) -> None:
    """Draws on a transparent sheet first, so that half-transparent strokes blend instead of replacing."""
    sheet = Image.new("RGBA", image.size, (0, 0, 0, 0))
    draw(ImageDraw.Draw(sheet))
    image.alpha_composite(sheet)


def _draw(image: Any, p: Primitive) -> None:
    if isinstance(p, Text):
        _text(image, p)
    elif isinstance(p, Line):
        colour = _colours()[p.role]
        _over(image, lambda d: _stroke(d, [(p.x0, p.y0), (p.x1, p.y1)], colour, p.width, p.dashed))
    elif isinstance(p, Polyline):
        points = [*p.points, p.points[0]] if p.closed else list(p.points)
        own = (*p.rgb, 255) if p.rgb is not None else _colours()[p.role]
        colour = _dimmed(own, p.opacity)
        if p.filled:
            _over(image, lambda d: d.polygon(list(p.points), fill=colour))
        _over(image, lambda d: _stroke(d, points, colour, p.width, p.dashed))
    elif isinstance(p, Ellipse):
        turn = math.radians(p.angle_deg)
        ring = []
        for n in range(97):
            x, y = p.rx * math.cos(2 * math.pi * n / 96), p.ry * math.sin(2 * math.pi * n / 96)
            ring.append((p.cx + x * math.cos(turn) - y * math.sin(turn), p.cy + x * math.sin(turn) + y * math.cos(turn)))
        colour = _dimmed(_colours()[p.role], p.opacity)
        _over(image, lambda d: _stroke(d, ring, colour, p.width, p.dashed))
    elif isinstance(p, Plate):
        _over(image, lambda d: d.rounded_rectangle((p.x, p.y, p.x + p.w, p.y + p.h), 4, fill=_PLATE))
    elif isinstance(p, ColourBar):
        _colour_bar(image, p)


def _stroke(draw: Any, points: list[tuple[float, float]], colour: Colour, width: float, dashed: bool) -> None:
    pixels = max(1, round(width))
    if not dashed:
        draw.line(points, fill=colour, width=pixels, joint="curve")
        return
    on, left = True, _DASH
    for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False):
        length = math.hypot(x1 - x0, y1 - y0)
        at = 0.0
        while length - at > 1e-6:
            step = min(left, length - at)
            if on:
                a, b = at / length, (at + step) / length
                draw.line(
                    [(x0 + (x1 - x0) * a, y0 + (y1 - y0) * a), (x0 + (x1 - x0) * b, y0 + (y1 - y0) * b)],
                    fill=colour,
                    width=pixels,
                )
            at, left = at + step, left - step
            if left <= 1e-6:
                on, left = not on, _DASH


_ANCHORS = {
    Anchor.TOP_LEFT: (0.0, 0.0),
    Anchor.TOP: (0.5, 0.0),
    Anchor.TOP_RIGHT: (1.0, 0.0),
    Anchor.LEFT: (0.0, 0.5),
    Anchor.CENTRE: (0.5, 0.5),
    Anchor.RIGHT: (1.0, 0.5),
    Anchor.BOTTOM_LEFT: (0.0, 1.0),
    Anchor.BOTTOM: (0.5, 1.0),
    Anchor.BOTTOM_RIGHT: (1.0, 1.0),
}


def _text(image: Any, p: Text) -> None:
    font, words = _font(max(6, round(p.size_px)), p.bold), _printable(p.text)
    width, height = font.getlength(words), p.size_px * 1.25
    ax, ay = _ANCHORS[p.anchor]
    x, y = p.x - width * ax, p.y - height * ay
    colour = _colours()[p.role]

    def draw(d: Any) -> None:
        pad = p.size_px * 0.3
        box = (x - pad, y - pad * 0.4, x + width + pad, y + height + pad * 0.4)
        if p.plate or p.framed:
            d.rounded_rectangle(box, 3, fill=_PLATE)
        if p.framed:
            corners = [(box[0], box[1]), (box[2], box[1]), (box[2], box[3]), (box[0], box[3]), (box[0], box[1])]
            _stroke(d, corners, colour, 1.0, p.dashed)
        if not (p.plate or p.framed):
            d.text((x + 1, y + 1), words, font=font, fill=(0, 0, 0, 200))
        d.text((x, y), words, font=font, fill=colour)

    _over(image, draw)


def _colour_bar(image: Any, p: ColourBar) -> None:
    table = lut(p.lut)
    rows = max(2, round(p.h))
    for n in range(rows):
        value = 1.0 - n / (rows - 1)
        red, green, blue = (int(c) for c in table[round(value * 255)][:3])
        if value < p.threshold:
            red, green, blue = 40, 44, 50
        ImageDraw.Draw(image).line([(p.x, p.y + n), (p.x + p.w, p.y + n)], fill=(red, green, blue, 255))
