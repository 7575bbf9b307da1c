"""Side markers drawn onto films: letters of many fonts, sizes and angles, alone, ringed, on a plate, with initials beside.

What is no marker is drawn too: other letters and figures, words, arrows, rings, bars. All on the grid of 512 pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from app.ai.readers.chest.marker import LETTERS
from app.domain.resources import resource_path

Floats = npt.NDArray[np.float32]
Rng = np.random.Generator

TRAIN_FONTS = (
    "Inter-Medium.ttf", "Inter-SemiBold.ttf", "DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSerif-Bold.ttf",
    "DejaVuSansMono-Bold.ttf", "DejaVuSans-Oblique.ttf", "STIXGeneralBol.ttf",
)  # fmt: skip
TEST_FONTS = ("DejaVuSerif.ttf", "DejaVuSansMono.ttf", "DejaVuSans-BoldOblique.ttf", "Inter-Regular.ttf")
"""Not seen in training."""
UPRIGHT = ("Л", "П")
"""Letters that are looked for about upright or mirrored only: turned they look like others, like brackets or hooks."""
OTHERS = "ABCDEFGHKMNOPQSTUVWXYZ0123456789"
OTHERS_UPRIGHT = "БВДЖИКНОФЦЧШЭЮAHMNOUXYC0248"
WORDS = (
    "PORTABLE", "SUPINE", "ERECT", "UPRIGHT", "SEMI", "MOBILE", "LEFT", "RIGHT", "CHEST", "PA", "AP", "LAT", "1930", "12:45",
    "ЛЁЖА", "СТОЯ", "ПАЛАТА", "ПРЯМАЯ", "ICU 4", "LORDOTIC", "EXPIRATION", "PORTER", "TRL", "RLL",
)  # fmt: skip
_CANVAS = 160


@dataclass(frozen=True)
class Drawn:
    """A letter on the grid: its class and its box (x0, y0, x1, y1)."""

    kind: int
    box: tuple[float, float, float, float]

    @property
    def centre(self) -> tuple[float, float]:
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    own = resource_path("fonts") / name
    if own.is_file():
        return ImageFont.truetype(str(own), size)
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)


def _text(text: str, font: str, height: int) -> Floats:
    """White on black, cut to what is drawn, about ``height`` pixels tall."""
    face = _font(font, max(6, round(height * 1.35)))
    left, top, right, bottom = face.getbbox(text)
    picture = Image.new("L", (int(right - left) + 2, int(bottom - top) + 2))
    ImageDraw.Draw(picture).text((1 - left, 1 - top), text, 255, face)
    return np.asarray(picture, np.float32) / 255


def _lead(letter: str, height: int, rng: Rng) -> Floats | None:
    """A cut lead letter with arms of any length and width; None for letters that are only drawn by fonts."""
    thick = max(2, round(height * rng.uniform(0.12, 0.3)))
    wide = max(thick + 2, round(height * rng.uniform(0.45, 0.85)))
    out = np.zeros((height, wide), np.float32)
    if letter == "L":
        out[:, :thick] = 1
        out[-thick:, :] = 1
    elif letter == "П":
        out[:, :thick] = 1
        out[:, -thick:] = 1
        out[:thick] = 1
    elif letter == "Л":
        thick = max(2, min(thick, wide // 4))
        lean = rng.uniform(0.1, 0.45) * wide
        points = [
            (thick / 2, height - 1),
            (lean + thick / 2, thick / 2),
            (wide - thick / 2, thick / 2),
            (wide - thick / 2, height),
        ]
        cv2.polylines(out, [np.rint(points).astype(np.int32)], False, 1.0, thick)
    else:
        return None
    return out


def _glyph(letter: str, font: str, height: int, rng: Rng) -> Floats:
    lead = _lead(letter, height, rng) if rng.random() < 0.3 else None
    return lead if lead is not None else _text(letter, font, height)


def _put(canvas: Floats, glyph: Floats, x: float, y: float) -> tuple[int, int, int, int]:
    """Adds ``glyph`` with its centre at (x, y); its box."""
    h, w = glyph.shape
    x0, y0 = max(0, round(x - w / 2)), max(0, round(y - h / 2))
    part = canvas[y0 : y0 + h, x0 : x0 + w]
    np.maximum(part, glyph[: part.shape[0], : part.shape[1]], out=part)
    return x0, y0, x0 + part.shape[1], y0 + part.shape[0]


def drawing(kind: int, fonts: Sequence[str], rng: Rng) -> tuple[Floats, Floats, tuple[float, float, float, float]]:
    """(brightness -1..1, mask of the letter alone, box of the letter) on a canvas; ``kind`` 0 draws what is no marker."""
    canvas = np.zeros((_CANVAS, _CANVAS), np.float32)
    own = np.zeros_like(canvas)
    font = str(rng.choice(list(fonts)))
    height = round(float(np.exp(rng.uniform(np.log(10), np.log(32)))))
    middle = _CANVAS / 2
    if kind:
        glyph = _glyph(LETTERS[kind], font, height, rng)
        _put(own, glyph, middle, middle)
        _beside(canvas, glyph.shape, fonts, rng)
    else:
        _other(canvas, own, font, height, rng)
    upright = LETTERS[kind] in UPRIGHT or (kind == 0 and rng.random() < 0.4)
    angle = float(rng.normal(0, 9)) if upright else float(rng.normal(0, 12)) + 90.0 * int(rng.choice([0, 0, 0, 1, 2, 3]))
    if not upright and rng.random() < 0.2:
        angle = float(rng.uniform(0, 360))
    matrix = cv2.getRotationMatrix2D((middle, middle), angle, 1.0)
    if rng.random() < 0.35:
        canvas, own = canvas[:, ::-1], own[:, ::-1]
    dark = np.zeros_like(canvas)
    if rng.random() < 0.12:  # a dark plate or disc behind it
        reach = round(height * float(rng.uniform(0.8, 1.1)))
        at = (round(middle), round(middle))
        if rng.random() < 0.5:
            cv2.circle(dark, at, reach, 1.0, -1)
        else:
            cv2.rectangle(dark, (at[0] - reach, at[1] - reach), (at[0] + reach, at[1] + reach), 1.0, -1)
    soft = float(rng.uniform(0.35, 1.1))
    turned = [
        cv2.GaussianBlur(cv2.warpAffine(np.ascontiguousarray(a), matrix, a.shape[::-1]), (0, 0), soft)
        for a in (canvas, own, dark)
    ]
    place = np.argwhere(turned[1] > 0.4)
    if not len(place):
        return turned[0], turned[1], (0, 0, 0, 0)
    (y0, x0), (y1, x1) = place.min(0), place.max(0) + 1
    shown = np.maximum(turned[0], turned[1]) - np.where(np.maximum(turned[0], turned[1]) > 0.3, 0, turned[2])
    return shown, turned[1], (float(x0), float(y0), float(x1), float(y1))


def _beside(canvas: Floats, shape: tuple[int, ...], fonts: Sequence[str], rng: Rng) -> None:
    """Initials, a ball or a ring about a marker in the middle of ``canvas``."""
    h, w = shape
    middle = _CANVAS / 2
    if rng.random() < 0.5:
        word = "".join(rng.choice(list("ABCDEFGHJKMNOPSTVWZ0123456789"), int(rng.integers(1, 4))))
        small = _text(word, str(rng.choice(list(fonts))), max(6, round(h * rng.uniform(0.35, 0.95))))
        gap = float(rng.uniform(2, 8))
        if rng.random() < 0.6:
            _put(canvas, small, middle + float(rng.normal(0, 4)), middle + h / 2 + gap + small.shape[0] / 2)
        else:
            _put(canvas, small, middle + w / 2 + gap + small.shape[1] / 2, middle + float(rng.normal(0, 3)))
    if rng.random() < 0.25:
        cv2.circle(
            canvas, (round(middle + rng.normal(0, 4)), round(middle - h / 2 - 3 - 0.6 * h)), max(3, round(0.45 * h)), 1.0, -1
        )
    elif rng.random() < 0.15:
        cv2.circle(canvas, (round(middle), round(middle)), round(0.85 * max(h, w)), 1.0, max(1, h // 9))


def _other(canvas: Floats, own: Floats, font: str, height: int, rng: Rng) -> None:
    middle = _CANVAS / 2
    what = int(rng.integers(0, 10))
    if what < 3:
        _put(own, _text(str(rng.choice(list(OTHERS))), font, height), middle, middle)
    elif what < 6:
        word = str(rng.choice(WORDS))
        n = int(rng.integers(len(word)))
        size = min(height, 18)
        pieces = [_text(c, font, size) if c.strip() else np.zeros((size, size // 2), np.float32) for c in word]
        gap = max(1.0, size * float(rng.uniform(0.08, 0.25)))
        ends = np.cumsum([0.0, *[p.shape[1] + gap for p in pieces]])
        for k, piece in enumerate(pieces):
            x = middle + ends[k] - ends[n] + (piece.shape[1] - pieces[n].shape[1]) / 2
            if 0 < x < _CANVAS:
                _put(own if k == n else canvas, piece, x, middle)
    elif what == 6:
        cv2.circle(own, (round(middle), round(middle)), height // 2, 1.0, int(rng.choice([-1, 1, 2])))
    elif what == 7:
        points = rng.uniform(-height / 2, height / 2, (int(rng.integers(2, 5)), 2)) + middle
        cv2.polylines(own, [np.rint(points).astype(np.int32)], False, 1.0, int(rng.integers(1, 4)))
    elif what == 8:
        cv2.ellipse(own, (round(middle), round(middle)), (height // 2, max(3, height // 3)), float(rng.uniform(0, 360)), 0,
                    float(rng.uniform(90, 330)), 1.0, int(rng.integers(1, 4)))  # fmt: skip
    else:
        cv2.arrowedLine(own, (round(middle), round(middle + height / 2)), (round(middle), round(middle - height / 2)), 1.0,
                        int(rng.integers(1, 4)), tipLength=0.4)  # fmt: skip


def with_drawing(
    grid: Floats, kind: int, fonts: Sequence[str], rng: Rng, lungs: npt.NDArray[np.bool_]
) -> tuple[Floats, Drawn]:
    """``grid`` (0 to 255) with one drawing outside the lungs; lead is bright however much tissue lies beneath."""
    shown, _, box = drawing(kind, fonts, rng)
    rows, columns = grid.shape
    place = (0.0, 0.0)
    for _ in range(30):
        x, y = float(rng.uniform(0.04, 0.96)) * columns, float(rng.uniform(0.02, 0.96)) * rows
        place = (x, y)
        if not lungs[min(rows - 1, int(y)), min(columns - 1, int(x))]:
            break
    dx, dy = round(place[0] - _CANVAS / 2), round(place[1] - _CANVAS / 2)
    matrix = np.asarray([[1, 0, dx], [0, 1, dy]], np.float32)
    laid = cv2.warpAffine(shown, matrix, (columns, rows))
    here = float(
        np.median(grid[max(0, int(place[1]) - 20) : int(place[1]) + 20, max(0, int(place[0]) - 20) : int(place[0]) + 20])
    )
    target = max(here + float(rng.uniform(25, 60)), float(rng.uniform(170, 255)))
    amount = np.clip(laid, 0, 1)
    out = grid * (1 - amount) + target * amount
    out = out * (1 - 0.85 * np.clip(-laid, 0, 1))
    return np.clip(out, 0, 255).astype(np.float32), Drawn(kind, (box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy))


def overlap(part: Sequence[float], box: Sequence[float]) -> float:
    """Shared area over joint area of two boxes (x0, y0, x1, y1)."""
    w = min(part[2], box[2]) - max(part[0], box[0])
    h = min(part[3], box[3]) - max(part[1], box[1])
    if w <= 0 or h <= 0:
        return 0.0
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (part, box)]
    return float(w * h / (sum(areas) - w * h))
