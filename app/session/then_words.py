"""What is said of a nodule's past: lines of the card, reasons, the sentence of the report."""

from __future__ import annotations

import math
from collections.abc import Mapping

from app.domain.finding import Finding
from app.domain.messages import translate
from app.domain.prior_match import Change, PriorMatch
from app.imaging.matching import LUNG
from app.report import words as spoken
from app.session.cards import region_of, title_of
from app.session.clock import dicom_date
from app.session.growth import Growth, Trend, Withheld, method_of
from app.session.then_proposals import Place
from app.session.tracking import size_mm
from app.session.tracking_words import signed
from app.session.views import NOTHING, Words

CHANGES: Mapping[Trend, Change] = {
    Trend.GROWN: Change.GROWN,
    Trend.SHRUNK: Change.SHRUNK,
    Trend.STEADY: Change.STEADY,
    Trend.UNKNOWN: Change.UNKNOWN,
}
_GATE_MM = round(LUNG.reach)
_SURE = 0.01


def nodule_words(finding: Finding) -> Words:
    """``Solid nodule · Right upper lobe · 6.2 mm``."""
    size = size_mm(finding)
    where = region_of(finding)
    parts: dict[str, str | int | float | Words] = {"what": title_of(finding), "where": where, "mm": f"{size or 0.0:.1f}"}
    if size is None:
        return Words("then.nodule_unsized" if where is not NOTHING else "then.nodule_bare", parts)
    return Words("then.nodule" if where is not NOTHING else "then.nodule_nowhere", parts)


def growth_lines(found: Growth, date: str) -> tuple[Words, ...]:
    """What it was, and how it has changed since."""
    out = []
    if found.then_mm is not None and found.change_mm is not None and found.percent is not None:
        params: dict[str, str | int | float | Words] = {
            "mm": f"{found.then_mm:.1f}",
            "date": date,
            "change": signed(found.change_mm, 1),
            "percent": signed(found.percent, 0),
        }
        out.append(Words("then.was", params))
    else:
        out.append(Words("then.was_there", {"date": date}))
    if found.volume_percent is not None and found.then_mm3 is not None and found.now_mm3 is not None:
        told = {
            "then": f"{found.then_mm3:.0f}",
            "now": f"{found.now_mm3:.0f}",
            "percent": signed(found.volume_percent, 0),
        }
        out.append(Words("then.volume", told))
    if found.doubling_days is not None:
        out.append(Words("then.doubles", {"n": round(found.doubling_days)}))
    elif found.withheld is not Withheld.NO_VOLUMES:
        out.append(Words(f"then.withheld.{found.withheld.value}"))
    return tuple(out)


def place_trace(then: Finding | None, place: Place | None, similarity: float | None) -> list[tuple[Words, Words]]:
    """How the place in the earlier study was found, and how far from it the earlier nodule lies."""
    out = []
    if similarity is None:
        out.append((Words("then.trace.registration"), Words("then.trace.same_frame")))
    else:
        out.append((Words("then.trace.registration"), Words("then.trace.alike", {"value": f"{similarity:.2f}"})))
    if place is None:
        return out
    held = place.alike > _SURE
    params: dict[str, str | int | float | Words] = {"mm": f"{place.shift_mm:.0f}", "value": f"{place.alike:.2f}"}
    out.append((Words("then.trace.around"), Words("then.trace.shift", params) if held else Words("then.trace.not_held")))
    there = then.location.centre_lps_mm if then is not None else None
    if there is not None:
        apart: dict[str, str | int | float | Words] = {"mm": f"{math.dist(place.place_mm, there):.1f}", "reach": _GATE_MM}
        out.append((Words("then.trace.apart"), Words("then.trace.mm_of", apart)))
    else:
        out.append((Words("then.trace.apart"), Words("then.trace.nothing_near", {"reach": _GATE_MM})))
    return out


def growth_trace(found: Growth, now: Finding, then: Finding) -> list[tuple[Words, Words]]:
    """What was compared with what, by which formula."""
    out = [(Words("then.trace.days"), Words("then.trace.n_days", {"n": found.days}))]
    if found.now_mm3 and found.then_mm3:
        methods = method_words(now), method_words(then)
        both: dict[str, str | int | float | Words] = {"now": methods[0], "then": methods[1]}
        out.append((Words("then.trace.outlines"), methods[0] if methods[0] == methods[1] else Words("then.trace.two", both)))
    if found.doubling_days is not None and found.now_mm3 and found.then_mm3:
        formula: dict[str, str | int | float | Words] = {
            "days": found.days,
            "now": f"{found.now_mm3:.0f}",
            "then": f"{found.then_mm3:.0f}",
            "result": round(found.days * math.log(2.0) / math.log(found.now_mm3 / found.then_mm3)),
        }
        out.append((Words("then.trace.doubling"), Words("then.trace.formula", formula)))
    out.append((Words("then.trace.limits"), Words("then.trace.limits_are")))
    return out


def method_words(finding: Finding) -> Words:
    method = method_of(finding)
    if method in ("grown", "painted", "drawn"):
        return Words(f"then.method.{method}")
    return Words("then.method.reader", {"name": method})


def sentence(language: str, match: PriorMatch) -> str:
    """Behind the finding's line of the report; "" where nothing can be said."""
    date = dicom_date(match.study_date)
    if match.change is Change.NEW:
        return translate(language, "then.report.new", {"date": date})

    def plus(value: float, digits: int) -> str:
        text = spoken.number(language, abs(value), digits)
        zero = not any(c in "123456789" for c in text)
        return text if zero else f"{'+' if value > 0 else chr(0x2212)}{text}"

    parts = []
    if match.then_mm is not None and match.now_mm is not None:
        change = match.now_mm - match.then_mm
        params = {"mm": spoken.number(language, match.then_mm, 1), "change": plus(change, 1)}
        parts.append(translate(language, "then.report.size", {**params, "percent": plus(100.0 * change / match.then_mm, 0)}))
    if match.then_mm3 and match.now_mm3:
        percent = plus(100.0 * (match.now_mm3 - match.then_mm3) / match.then_mm3, 0)
        volumes = {"then": spoken.number(language, match.then_mm3, 0), "now": spoken.number(language, match.now_mm3, 0)}
        parts.append(translate(language, "then.report.volume", {**volumes, "percent": percent}))
    if match.doubling_days is not None:
        parts.append(translate(language, "then.report.doubles", {"n": round(match.doubling_days)}))
    if not parts:
        return translate(language, "then.report.there", {"date": date})
    return translate(language, "then.report.was", {"date": date, "what": ", ".join(parts)})


def lost_sentence(language: str, then: Finding, date: str) -> str:
    size = size_mm(then)
    where = spoken.where_words(language, then)
    params = {
        "what": spoken.kind_words(language, then),
        "where": f", {where}" if where else "",
        "size": f", {spoken.number(language, size, 1)}\u00a0{spoken.unit_word(language, 'mm')}" if size is not None else "",
        "date": date,
    }
    return spoken.sentence(translate(language, "then.report.lost", params))
