"""Overlays for every colour vision: CIEDE2000 after Machado, Oliveira and Fernandes (2009); contrast by WCAG 2.2."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from PySide6.QtGui import QColor, QImage

from app.dicom.saved_overlays import PALETTE
from app.ui.theme import contrast, load_theme
from app.viewer.luts import lut
from tests.ui.conftest import Open, settled

VISIONS = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
"""Severity 1.0, on linear RGB."""
XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
Rgb = tuple[int, int, int]


def linear(rgb: Rgb) -> np.ndarray:
    v = np.asarray(rgb) / 255
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def lab(rgb: Rgb, vision: str) -> np.ndarray:
    xyz = XYZ @ np.clip(np.array(VISIONS[vision]) @ linear(rgb), 0, 1) / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def ciede2000(one: np.ndarray, other: np.ndarray) -> float:
    (l1, a1, b1), (l2, a2, b2) = one, other
    mean = (math.hypot(a1, b1) + math.hypot(a2, b2)) / 2
    g = 0.5 * (1 - math.sqrt(mean**7 / (mean**7 + 25**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = math.hypot(a1, b1), math.hypot(a2, b2)
    h1, h2 = math.degrees(math.atan2(b1, a1)) % 360, math.degrees(math.atan2(b2, a2)) % 360
    turn = 0.0 if c1 * c2 == 0 else (h2 - h1 + 180) % 360 - 180
    dh = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(turn / 2))
    lm, cm, hm = (l1 + l2) / 2, (c1 + c2) / 2, h1 + h2 if c1 * c2 == 0 else (h1 + turn / 2) % 360
    t = 1 - 0.17 * math.cos(math.radians(hm - 30)) + 0.24 * math.cos(math.radians(2 * hm))
    t += 0.32 * math.cos(math.radians(3 * hm + 6)) - 0.20 * math.cos(math.radians(4 * hm - 63))
    sl, sc, sh = 1 + 0.015 * (lm - 50) ** 2 / math.sqrt(20 + (lm - 50) ** 2), 1 + 0.045 * cm, 1 + 0.015 * cm * t
    rt = -math.sin(math.radians(60 * math.exp(-(((hm - 275) / 25) ** 2)))) * 2 * math.sqrt(cm**7 / (cm**7 + 25**7))
    dl, dc = (l2 - l1) / sl, (c2 - c1) / sc
    return math.sqrt(dl**2 + dc**2 + (dh / sh) ** 2 + rt * dc * dh / sh)


def test_the_distance_is_that_of_the_published_pairs() -> None:
    """Sharma, Wu and Dalal (2005), table 1: pairs 1, 7, 10, 17, 25."""
    for one, other, expected in (
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
        ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0009), 7.1792),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ):
        assert ciede2000(np.array(one), np.array(other)) == pytest.approx(expected, abs=1e-4)


def rgb(name: str, theme: str = "dark") -> Rgb:
    return QColor(load_theme(theme).colours[name]).getRgb()[:3]  # type: ignore[return-value]


def nearest(one: Rgb, other: Rgb) -> tuple[float, str]:
    return min((ciede2000(lab(one, v), lab(other, v)), v) for v in VISIONS)


@pytest.mark.parametrize(
    ("one", "other", "least"),
    [
        ("mine", "ai", 40.0),
        ("mine", "truth", 12.0),
        ("ai", "truth", 20.0),
        ("mine", "bad", 35.0),
        ("ai", "bad", 12.0),
        ("mine", "text_on_images", 12.0),
        ("ai", "text_on_images", 20.0),
        ("truth", "text_on_images", 20.0),
    ],
)
def test_whose_mark_it_is_stays_seen(one: str, other: str, least: float) -> None:
    """A difference of 10 is seen at a glance. (``ok`` and ``bad`` are nearer to a deutan: an icon is always with them.)"""
    found, vision = nearest(rgb(one), rgb(other))
    assert found >= least, f"{vision}: {found:.1f}"


def test_segments_stay_apart_from_each_other_and_from_both_readers() -> None:
    others = [*PALETTE, rgb("mine"), rgb("ai")]
    close = [(a, b, nearest(a, b)) for a, b in itertools.combinations(others, 2) if nearest(a, b)[0] < 8.5]
    assert not close


@pytest.mark.parametrize("name", ["inferno", "viridis", "cividis"])
@pytest.mark.parametrize("vision", VISIONS)
def test_a_map_grows_lighter_with_its_value_for_everybody(name: str, vision: str) -> None:
    """A value is read from lightness: 16 steps, each lighter than the one before, ends far apart."""
    table = lut(name)
    light = [float(lab(tuple(int(c) for c in table[n]), vision)[0]) for n in np.linspace(0, 255, 16).astype(int)]
    assert min(np.diff(light)) > 1.5
    assert light[-1] - light[0] > 60


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_words_and_edges_by_wcag(theme: str) -> None:
    colours = {k: QColor(v) for k, v in load_theme(theme).colours.items()}
    poor = []
    for role in ("mine", "ai", "bad", "ok"):
        for ground in (f"{role}_wash", "panel", "raised"):
            poor += [(role, ground)] if contrast(colours[role], colours[ground]) < 4.5 else []
    for state in ("primary", "primary_hover", "primary_on"):
        poor += [("on_primary", state)] if contrast(colours["on_primary"], colours[state]) < 4.5 else []
    for ground in ("ground", "panel", "raised", "on", "selected"):
        poor += [("text", ground)] if contrast(colours["text"], colours[ground]) < 7 else []
        edge = "control_edge" if ground not in ("on", "selected") else "text"
        poor += [(edge, ground)] if contrast(colours[edge], colours[ground]) < 3 else []
    assert not poor


def test_words_over_the_brightest_image_are_read() -> None:
    dark = load_theme("dark")
    white = round(255 * (1 - dark.plate_alpha))
    plate = QColor(white, white, white)
    for role in ("text_on_images", "mine", "ai"):
        assert contrast(QColor(dark.colours[role]), plate) >= (4.5 if role == "text_on_images" else 3.0), role


@pytest.mark.parametrize("screen", ["worklist", "tray", "reading"])
def test_the_dark_room_stays_dark(open_window: Open, screen: str) -> None:
    """All but the panes (thumbnails are in it): mean luminance of the screen, and how much of it is bright."""
    window = open_window()
    if screen == "reading":
        window.open_study("1.2.0")
        settled(window.screen_widget("reading").panes.idle)
    else:
        window.go(screen)
    picture = window.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(picture.constBits(), np.uint8).reshape(picture.height(), picture.bytesPerLine())
    pixels = rows[:, : 3 * picture.width()].reshape(picture.height(), picture.width(), 3)
    if screen == "reading":
        panes = window.screen_widget("reading").panes
        at = panes.mapTo(window, panes.rect().topLeft())
        pixels = np.concatenate([pixels[:, : at.x()], pixels[:, at.x() + panes.width() :]], axis=1)
    luminance = linear(pixels) @ np.array([0.2126, 0.7152, 0.0722])
    assert luminance.mean() < 0.05
    assert (luminance > 0.5).mean() < 0.05
