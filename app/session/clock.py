"""The machine's clock behind the port, and the few ways in which the session shows times."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime

_EARLIEST_BIRTH = 18000101


class SystemClock:
    def now_iso(self) -> str:
        return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def wall_s(self) -> float:
        return time.time()

    def monotonic_s(self) -> float:
        return time.monotonic()


def local_hms(iso_utc: str) -> str:
    """``10:29:42`` in local time; empty for an empty text."""
    return datetime.fromisoformat(iso_utc.replace("Z", "+00:00")).astimezone().strftime("%H:%M:%S") if iso_utc else ""


def dicom_date(text: str) -> str:
    """``20261117...`` to ``17.11.2026``; what is not a date comes back as it is."""
    if len(text) >= 8 and text[:8].isdigit():
        if text[4:6] == "00":  # 00000000: a place kept for a date
            return ""
        return f"{text[6:8]}.{text[4:6]}.{text[:4]}"
    return text


def dicom_date_time(text: str) -> str:
    """``20261117094210`` to ``17.11.2026 09:42``."""
    shown = dicom_date(text)
    return f"{shown} {text[8:10]}:{text[10:12]}" if len(text) >= 12 and text[8:12].isdigit() else shown


def arrived(text: str, today: date) -> str:
    """``09:42`` for today's date and time, else the date."""
    if len(text) >= 12 and text[:8] == today.strftime("%Y%m%d"):
        return f"{text[8:10]}:{text[10:12]}"
    return dicom_date(text)


def age_years(birth_date: str, at: str, stated: str = "") -> float | None:
    """Whole years between two DICOM dates; the stated AS (``064Y``) where there is no birth date. None when unknown."""
    if len(birth_date) >= 8 and len(at) >= 8 and birth_date[:8].isdigit() and at[:8].isdigit():
        born, then = int(birth_date[:8]), int(at[:8])
        # 00000000 and the like are no dates; nobody is 2015 years old.
        if born >= _EARLIEST_BIRTH and then >= born:
            return float((then - born) // 10000)
    if len(stated) == 4 and stated[:3].isdigit() and stated != "000Y" and stated[3] in "DWMY":
        return int(stated[:3]) / {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}[stated[3]]
    return None
