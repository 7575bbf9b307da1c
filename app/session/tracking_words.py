"""An earlier size as one line of words."""

from __future__ import annotations

from datetime import date

from app.session.tracking import Earlier
from app.session.views import Words

_MONTH_DAYS = 30.44


def signed(value: float, digits: int) -> str:
    """With its sign, minus as U+2212; nothing has none."""
    text = f"{value:+.{digits}f}"
    return (text.lstrip("+-") if float(text) == 0.0 else text).replace("-", "\u2212")


def day_of(study_datetime: str) -> date | None:
    """Of a DICOM DT; None when it is none."""
    try:
        return date(int(study_datetime[:4]), int(study_datetime[4:6]), int(study_datetime[6:8]))
    except ValueError:
        return None


def then_words(found: Earlier) -> Words:
    """Size then, months ago, and the doubling time where it has grown."""
    params: dict[str, str | int | float | Words] = {
        "mm": f"{found.then_mm:.1f}",
        "change": signed(found.change_mm, 1),
        "months": max(0, round(found.days / _MONTH_DAYS)),
    }
    if found.doubling_days is None:
        return Words("finding.then", params)
    return Words("finding.then_doubles", {**params, "days": round(found.doubling_days)})
