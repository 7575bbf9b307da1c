"""Body-weight SUV of a PET series: one factor for its rescaled values, or the reason why there is none.

After the vendor-neutral pseudo-code of the QIBA FDG-PET/CT profile (PS3.3 C.8.9.1 for the attributes). The traps it knows:
a Series Time later than the acquisition (post-processed series), GE's private scan time, Siemens' Frame Reference Time,
Philips' private factors for counts, an injection before midnight, dates shifted by de-identification.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from app.dicom import tags
from app.dicom.raw_items import RawDataset
from app.dicom.values import code, codes, number, text
from app.domain.problem import Problem, Severity
from app.domain.study import Instance

UNIT = "SUVbw"
LONGEST_H = 24.0
"""From injection to scan; a longer time is a mistake of dates, not a protocol."""
WEIGHT_KG = (0.5, 400.0)
DOSE_BQ = (1e4, 1e12)
HALF_LIFE_S = (30.0, 3e6)


@dataclass(frozen=True)
class Suv:
    """``value * factor`` is SUVbw in g/ml, for values that the rescale slope has already been applied to."""

    factor: float
    to_bq_per_ml: float | None
    """What turns the values into Bq/ml; None where they are counts or SUV and nothing says so."""
    decay_s: float
    """From injection to the time that the values are corrected to; 0 where the scanner corrected to the injection."""
    remarks: tuple[Problem, ...] = ()


def pet_attributes(d: RawDataset) -> dict[str, Any]:
    """What the SUV needs of one header, as JSON-able values; empty for an object without a word of PET."""
    drug = d.first(tags.RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE)
    units = code(d, tags.UNITS)
    if drug is None and not units:
        return {}
    found: dict[str, Any] = {
        "units": units,
        "decay_correction": code(d, tags.DECAY_CORRECTION),
        "corrected_image": list(codes(d, tags.CORRECTED_IMAGE)),
        "suv_type": code(d, tags.SUV_TYPE),
        "zone": text(d, tags.TIMEZONE_OFFSET),
        "series": [code(d, tags.SERIES_DATE), code(d, tags.SERIES_TIME)],
        "corrected_to": code(d, tags.DECAY_CORRECTION_DATETIME),
        "frame_reference_ms": number(d, tags.FRAME_REFERENCE_TIME),
        "frame_ms": number(d, tags.ACTUAL_FRAME_DURATION),
        "weight_kg": number(d, tags.PATIENT_WEIGHT),
    }
    if drug is not None:
        found["started"] = code(drug, tags.RADIOPHARMACEUTICAL_START_DATETIME)
        found["start_time"] = code(drug, tags.RADIOPHARMACEUTICAL_START_TIME)
        found["dose_bq"] = number(drug, tags.RADIONUCLIDE_TOTAL_DOSE)
        found["half_life_s"] = number(drug, tags.RADIONUCLIDE_HALF_LIFE)
    for creator, element in zip(tags.GE_PRIVATE_CREATORS, tags.GE_SCAN_DATETIMES, strict=True):
        if code(d, creator) == "GEMS_PETD_01":
            found["ge_scan"] = code(d, element)
    found["philips_suv"] = number(d, tags.PHILIPS_SUV_FACTOR)
    found["philips_bq"] = number(d, tags.PHILIPS_ACTIVITY_FACTOR)
    return {k: v for k, v in found.items() if v not in ("", None, [])}


@lru_cache(maxsize=256)
def _head(text_: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(text_)
    return found


def _refused(why: str, **params: str | int | float) -> Problem:
    return Problem(f"suv.{why}", params, Severity.WARNING)


def suv_of(instances: Sequence[Instance]) -> Suv | Problem:
    """Of all images of one series. A :class:`Problem` says why the series has no SUV."""
    # The time of acquisition differs from slice to slice and is the instance's own; the rest is common to the series.
    heads = [{**_head(i.extra["pet"]), "acquired": i.acquisition_datetime} for i in instances if "pet" in i.extra]
    if not heads or len(heads) != len(instances):
        return _refused("not_pet")
    head = heads[0]
    for name in ("units", "dose_bq", "weight_kg", "decay_correction", "half_life_s", "philips_suv"):
        if len({json.dumps(h.get(name)) for h in heads}) > 1:
            return _refused("mixed", name=name)
    frames = instances[0].frames
    units = str(head.get("units", "")) or (frames[0].modality_transform.unit if frames else "")  # enhanced ones: by frame
    if units == "GML":
        kind = str(head.get("suv_type", "BW"))
        return Suv(1.0, None, 0.0) if kind == "BW" else _refused("other_type", kind=kind)
    if units == "CNTS":
        if head.get("philips_suv"):
            return Suv(float(head["philips_suv"]), head.get("philips_bq"), 0.0)
        if not head.get("philips_bq"):
            return _refused("counts")
        return _from_activity(heads, float(head["philips_bq"]))
    if units not in ("BQML", "BQ/ML"):
        return _refused("units", units=units or "?")
    return _from_activity(heads, 1.0)


def _from_activity(heads: Sequence[Mapping[str, Any]], to_bq: float) -> Suv | Problem:
    head = heads[0]
    corrected = head.get("corrected_image", [])
    if corrected and "ATTN" not in corrected:
        return _refused("not_attenuation_corrected")
    decay = str(head.get("decay_correction", ""))
    if decay == "NONE" or (corrected and "DECY" not in corrected) or (not decay and "corrected_to" not in head):
        return _refused("not_decay_corrected")
    if decay not in ("START", "ADMIN", ""):
        return _refused("decay_unknown", value=decay)
    for name, limits, why in (
        ("weight_kg", WEIGHT_KG, "weight"),
        ("dose_bq", DOSE_BQ, "dose"),
        ("half_life_s", HALF_LIFE_S, "half_life"),
    ):
        value = head.get(name)
        if value is None:
            return _refused(f"{why}_missing")
        if not limits[0] <= float(value) <= limits[1]:
            return _refused(f"{why}_absurd", value=float(value))
    if not math.isfinite(to_bq) or to_bq <= 0:
        return _refused("counts")
    dose, half_life = float(head["dose_bq"]), float(head["half_life_s"])
    decay_s = 0.0
    remarks: tuple[Problem, ...] = ()
    if decay != "ADMIN":
        timed = _decay_time(heads, half_life)
        if isinstance(timed, Problem):
            return timed
        decay_s, remarks = timed
    left = dose * 2.0 ** (-decay_s / half_life)
    return Suv(to_bq * float(head["weight_kg"]) * 1000.0 / left, to_bq, decay_s, remarks)


def _decay_time(heads: Sequence[Mapping[str, Any]], half_life_s: float) -> tuple[float, tuple[Problem, ...]] | Problem:
    """Seconds from the injection to the time that the values are corrected to, and what had to be assumed."""
    scanned = _scan_time(heads, half_life_s)
    if isinstance(scanned, Problem):
        return scanned
    head = heads[0]
    zone = _zone(str(head.get("zone", "")))
    stated = _moment(str(head.get("started", ""))[:8], str(head.get("started", ""))[8:], zone)
    if stated is not None:
        seconds = _between(stated, scanned)
        if 0 <= seconds <= LONGEST_H * 3600:
            return seconds, ()
    clock = str(head.get("start_time", "")) or (str(head.get("started", ""))[8:] if stated is not None else "")
    by_clock = _moment(scanned.strftime("%Y%m%d"), clock, zone)
    if by_clock is None:
        return _refused("injection_missing") if stated is None else _refused("times")
    seconds = _between(by_clock, scanned)
    if seconds < 0:
        seconds += 86400.0  # injected before midnight, scanned after it
    if stated is None:
        # A plain time of day has no date: only what lies within half a day before the scan is believed.
        return (seconds, ()) if seconds <= LONGEST_H * 1800 else _refused("times")
    if seconds > LONGEST_H * 1800:
        return _refused("times")
    return seconds, (Problem("suv.date_not_believed", {}, Severity.WARNING),)


def _between(start: datetime, end: datetime) -> float:
    """Seconds. Where only one of the two names its zone, both count as local times of one place."""
    if (start.tzinfo is None) != (end.tzinfo is None):
        start, end = start.replace(tzinfo=None), end.replace(tzinfo=None)
    return (end - start).total_seconds()


def _scan_time(heads: Sequence[Mapping[str, Any]], half_life_s: float) -> datetime | Problem:
    """The time that DecayCorrection START refers to."""
    zone = _zone(str(heads[0].get("zone", "")))
    stated = str(heads[0].get("corrected_to", ""))
    if stated:
        found = _moment(stated[:8], stated[8:], zone)
        return found if found is not None else _refused("times")
    acquired = [t for h in heads if (t := _acquired(h, zone)) is not None]
    date, time = heads[0].get("series", ("", ""))
    series = _moment(str(date), str(time), zone)
    if not acquired:
        return _refused("scan_missing")
    first = min(acquired)
    if series is not None and series <= first:
        return series
    ge = str(heads[0].get("ge_scan", ""))
    if ge and (found := _moment(ge[:8], ge[8:], zone)) is not None:
        return found
    # The series was written later than it was acquired: back from this frame's own reference time, where it has one.
    for head in heads:
        moment = _acquired(head, zone)
        reference, frame = head.get("frame_reference_ms"), head.get("frame_ms")
        if moment is not None and moment == first and reference and frame:
            rate = math.log(2) / half_life_s
            decay = rate * float(frame) / 1000.0
            middle = math.log(decay / -math.expm1(-decay)) / rate
            return first + timedelta(seconds=middle - float(reference) / 1000.0)
    return first


def _acquired(head: Mapping[str, Any], zone: timezone | None) -> datetime | None:
    whole = str(head.get("acquired", ""))
    return _moment(whole[:8], whole[8:], zone)


def _zone(offset: str) -> timezone | None:
    if len(offset) == 5 and offset[0] in "+-" and offset[1:].isdigit():
        minutes = int(offset[1:3]) * 60 + int(offset[3:5])
        if minutes <= 14 * 60:
            return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))
    return None


def _moment(date: str, time: str, zone: timezone | None) -> datetime | None:
    """A DA and a TM, or the two parts of a DT with its own offset; None where either is missing or is no time."""
    for sign in "+-":
        if sign in time:
            time, _, offset = time.partition(sign)
            zone = _zone(sign + offset) or zone
    whole, _, part = time.replace(":", "").partition(".")
    whole = whole.strip()
    if len(date) != 8 or len(whole) < 4 or not (date + whole).isdigit():
        return None
    try:
        found = datetime.strptime(date + (whole + "00")[:6], "%Y%m%d%H%M%S")
    except ValueError:
        return None
    part = part.strip()
    return (found + timedelta(seconds=float(f"0.{part}") if part.isdigit() else 0.0)).replace(tzinfo=zone)
