"""How other images look over a pane's own: the window and colours that are meant, and the words for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from app.dicom.suv import Suv
from app.domain.pixels import VoiFunction, VoiWindow
from app.domain.study import DisplaySet, Series
from app.session.clock import dicom_date
from app.session.pane_content import PaneContent
from app.session.panes import Over
from app.session.views import Words
from app.viewer.isodose import dose_unit
from app.viewer.layers import OverMode
from app.viewer.presets import is_suv_preset, preset, presets_for
from app.viewer.view_state import Appearance

DOSE_LUT, DOSE_OPACITY = "inferno", 0.5
PERCENTS = (100, 75, 50, 25)
"""Windows from nothing to a part of the highest value, for values without a scale of their own (SPECT, MR)."""
COLOURS = {"PT": "hot_iron", "NM": "hot_iron", "RTDOSE": DOSE_LUT}
"""Colour table that a modality is laid over others with; the rest in grey would not be told apart from what is below."""
OTHERWISE = "viridis"


@dataclass(frozen=True)
class OverWindow:
    """A window that the upper images can have, in the values that they store."""

    name: str
    title: Words
    window: VoiWindow | None
    """None: by their own values."""


def is_dose(chosen: DisplaySet, mode: OverMode) -> bool:
    return chosen.modality == "RTDOSE" and mode is OverMode.BLEND


_SCALED = frozenset({"CT", "PT"})


def same_scale(a: DisplaySet, b: DisplaySet) -> bool:
    """Values mean the same in both: two weightings of MR are as unlike as two modalities."""
    return a.modality == b.modality and a.modality in _SCALED


def factor_of(content: PaneContent, chosen: DisplaySet) -> tuple[float | None, str]:
    """(what makes the stored values those that are told, their unit's name); None: they are told as stored."""
    found = content.suv(chosen)
    return (found.factor, "SUVbw") if isinstance(found, Suv) else (None, "")


def looked(content: PaneContent, over: Over, chosen: DisplaySet, highest: Callable[[], float]) -> Appearance:
    """The appearance with its window in the values that the upper images store.

    What a protocol hung in the preset of PET is meant so for PET alone: a dose goes from nothing to its highest value, the
    rest are windowed by their own values.
    """
    look = over.appearance
    meant_for_pet = look.window is not None and is_suv_preset(look.window)
    if is_dose(chosen, over.mode):
        if look.window is not None and not meant_for_pet:
            return look
        top = highest()
        window = VoiWindow(top / 2, top, VoiFunction.LINEAR_EXACT, "dose") if top > 0 else None
        return replace(look, window=window, lut=DOSE_LUT, opacity=DOSE_OPACITY * look.opacity)
    if meant_for_pet and chosen.modality != "PT":
        return replace(look, window=None)
    return content.in_stored_values(look, chosen)


def first_look(chosen: DisplaySet) -> Appearance:
    """Of images that a reader lays over others: PET in its preset, a dose by its highest value, the rest by their values."""
    pet = preset("pet")
    window = pet.window if pet is not None and chosen.modality in ("PT", "RTDOSE") else None
    return Appearance(window, COLOURS.get(chosen.modality, OTHERWISE), 0.6 if chosen.modality != "RTDOSE" else 1.0)


def windows_for(unit: str, factor: float | None, highest: float) -> tuple[OverWindow, ...]:
    """Those with an absolute meaning first, then parts of the highest value, then what the values themselves suggest."""
    named = tuple(OverWindow(p.name, Words(f"preset.{p.name}"), p.window) for p in presets_for(unit, factor))
    parts = tuple(
        OverWindow(
            f"percent_{n}",
            Words("fusion.percent", {"value": n}),
            VoiWindow(highest * n / 200.0, highest * n / 100.0, VoiFunction.LINEAR_EXACT, f"percent_{n}"),
        )
        for n in PERCENTS
        if highest > 0 and unit != "HU"
    )
    return (*named, *parts, OverWindow("auto", Words("fusion.auto"), None))


def named(chosen: DisplaySet, series: Series | None) -> str:
    """``PT Se 4``: enough to find it in the strip, and nothing that a person has typed."""
    number = f" Se {series.series_number}" if series is not None and series.series_number is not None else ""
    return f"{chosen.modality}{number}"


def short_name(chosen: DisplaySet, below: DisplaySet | None, series: Series | None, studied: str) -> str:
    """The word before a value of the upper images: their modality; where that says nothing the date of their study
    (``studied``, YYYYMMDD), or their series."""
    if below is None or below.modality != chosen.modality:
        return chosen.modality
    if below.study_instance_uid != chosen.study_instance_uid and dicom_date(studied):
        return dicom_date(studied)
    if series is None or series.series_number is None:
        return chosen.modality
    return f"Se {series.series_number}"


def told_unit(unit: str, factor_unit: str) -> tuple[str, float]:
    """(what is written behind values of the upper images, what makes a dose's stored values those)."""
    if factor_unit:
        return factor_unit, 1.0
    if unit in ("GY", "RELATIVE"):
        return dose_unit(unit)
    return ("Bq/ml" if unit == "BQML" else unit if unit not in ("US", "1") else ""), 1.0


def ends(low: float, high: float) -> tuple[int | float, int | float]:
    """A window's ends with digits that tell them apart."""
    if high - low >= 50:
        return round(low), round(high)
    digits = 1 if high - low >= 5 else 2
    return round(low, digits), round(high, digits)
