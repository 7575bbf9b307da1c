"""What a pane's corners say, gathered from the study; texts of the object itself are not translated."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.domain.pixels import VoiWindow
from app.domain.problem import Problem
from app.domain.study import DisplaySet, Instance, Series, Study
from app.viewer.image_geometry import PROJECTION


@dataclass(frozen=True)
class CineInfo:
    """Frames in time: the rate that is asked for and, while playing, what the screen makes of it."""

    rate: float
    playing: bool = False
    shown_rate: float | None = None
    """Pictures a second that were painted; None until it is measured."""
    dropped: int = 0
    sweep: bool = False
    stated: bool = True
    """The object names the rate itself."""
    frames: bool = True
    """The set's pictures are frames of one object, not slices."""


@dataclass(frozen=True)
class PaneInfo:
    """Identity and laterality are always drawn; the rest as the pane's size allows."""

    patient_name: str = ""
    patient_id: str = ""
    sex: str = ""
    birth_date: str = ""
    """YYYYMMDD."""
    age: str = ""
    """AS as sent, 064Y."""
    study_datetime: str = ""
    study_description: str = ""
    series_line: str = ""
    laterality: str = ""
    """R, L, B or empty."""
    view_position: str = ""
    position: int | None = None
    """From 1."""
    count: int | None = None
    thickness_mm: float | None = None
    location_mm: float | None = None
    window: VoiWindow | None = None
    preset: str = ""
    """Already translated name of the window preset, or empty."""
    kvp: float | None = None
    mas: float | None = None
    lossy: bool = False
    lossy_ratio: str = ""
    contrast: str = ""
    plane: str = ""
    """Message id of the plane's name (``viewer.plane.coronal``) or empty for acquired images."""
    slab_mm: float = 0.0
    slab_mode: str = ""
    prior: bool = False
    registered: bool = False
    demonstration: bool = False
    ai_shown: bool = False
    ai_research_only: bool = True
    ai_activation_map: bool = False
    """The heatmap is no probability: "attention, not location"."""
    calibration_note: str = ""
    """Message id such as ``viewer.spacing.detector``."""
    remarks: tuple[Problem, ...] = ()
    """Uncalibrated, corrected, incomplete: always drawn, in words."""
    cine: CineInfo | None = None
    suv: float | None = None
    """What makes the values SUVbw; the window is told in SUV then."""
    states: tuple[str, ...] = ()
    """Message ids of what was done to the pane (shutter, linked by hand, true size): always drawn."""
    location_axis: str = ""
    """L, P or H before the location of a reformat; empty for acquired slices."""
    side_not_stated: bool = False
    """A projection whose file says neither side nor directions: letters cannot be drawn."""


def pane_info(study: Study, series: Series | None, display_set: DisplaySet, instance: Instance | None, at: int) -> PaneInfo:
    """``at``: frame position in the display set from 0. View, window and AI fields are the caller's (``replace``)."""
    info = PaneInfo(
        patient_name=study.patient.name.display(),
        patient_id=study.patient.patient_id,
        sex=study.patient.sex,
        birth_date=study.patient.birth_date,
        age=study.patient_age,
        study_datetime=study.study_datetime,
        study_description=study.description,
        position=at + 1,
        count=len(display_set.frames),
        remarks=display_set.remarks,
    )
    if series is not None:
        parts = [f"Se {series.series_number}" if series.series_number is not None else "", series.description]
        info = replace(info, series_line=" \u00b7 ".join(p for p in parts if p), laterality=series.laterality)
    if instance is not None:
        info = replace(
            info,
            laterality=instance.laterality or info.laterality,
            view_position=instance.view_position,
            thickness_mm=instance.slice_thickness_mm,
            location_mm=instance.slice_location_mm,
            kvp=instance.kvp,
            mas=instance.exposure_mas,
            lossy=instance.lossy,
            lossy_ratio=instance.lossy_ratio,
            contrast=instance.contrast_agent,
            remarks=(*info.remarks, *instance.repairs),
        )
        told = info.laterality in ("R", "L", "B") or len(instance.patient_orientation) == 2
        silent = not told and not any(f.plane is not None for f in instance.frames[:1])
        info = replace(info, side_not_stated=silent and display_set.modality in PROJECTION)
    return info
