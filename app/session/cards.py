"""Findings as cards of the right-hand panel, and the second read as one view. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from app.dicom.coding import finding_kind
from app.dicom.reading_units import told
from app.domain.finding import Finding, ReadResult
from app.domain.measurement import Measurement, Quantity
from app.domain.model_card import CalibrationBand, ModelCard
from app.domain.verdict import Verdict
from app.session.agreement import agreements
from app.session.views import NOTHING, FindingCard, Words
from app.viewer.suv import SUV_UNIT

Place = Callable[[Finding], Words]
"""Where a finding lies, as words: series, image, z."""


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}"


_UNITS = {
    "[hnsf'U]": "HU",
    "mm2": "mm²",
    "mm3": "mm³",
    "deg": "°",
    "{SUVbw}g/ml": "SUVbw",
    "Bq/ml": "Bq/ml",
    "1": "",
    "%": "%",
}


def sizes(measurements: Sequence[Measurement]) -> tuple[tuple[Words, str, str], ...]:
    """(what, number, unit) lines: long × short together, then the rest in a fixed order."""
    by = {m.quantity: m for m in measurements}
    out: list[tuple[Words, str, str]] = []
    if Quantity.LONG_AXIS in by and Quantity.SHORT_AXIS in by:
        long, short = by[Quantity.LONG_AXIS], by[Quantity.SHORT_AXIS]
        out.append((Words("quantity.long_short"), f"{long.value:.1f} × {short.value:.1f}", _UNITS.get(long.unit, long.unit)))
    for quantity in Quantity:
        found = by.get(quantity)
        if found is None or (quantity in (Quantity.LONG_AXIS, Quantity.SHORT_AXIS) and Quantity.SHORT_AXIS in by):
            continue
        whole = quantity is Quantity.COUNT or found.unit == "mm3"
        digits = 0 if whole or abs(found.value) >= 100 else 1
        digits = 2 if found.unit == SUV_UNIT else digits
        out.append((Words(f"quantity.{quantity.value}"), _number(found.value, digits), _UNITS.get(found.unit, found.unit)))
    return tuple(out)


def _of_the_root(finding: Finding) -> tuple[tuple[Words, str, str], ...]:
    """The bone level as a share of the root: the only size that an uncalibrated film has."""
    share = dict(finding.attributes).get("bone_percent", "")
    return ((Words("quantity.bone_percent"), share, "%"),) if share else ()


def title_of(finding: Finding) -> Words:
    """``finding.nodule`` with the composition where one is stated; an unknown code keeps its own meaning."""
    kind = finding_kind(finding.code)
    if kind == "finding":
        return Words("finding.other", {"meaning": finding.code.meaning})
    composition = dict(finding.attributes).get("composition", "")
    return Words(f"finding.{kind}.{composition}" if composition and kind == "nodule" else f"finding.{kind}")


def region_of(finding: Finding) -> Words:
    if finding.region.isdigit():
        return Words("region.tooth", {"fdi": finding.region})
    if finding.region:
        return Words(finding.region)
    return Words(f"side.{finding.laterality.lower()}") if finding.laterality in ("R", "L", "B") else NOTHING


def band_of(probability: float | None, card: ModelCard | None, kind: str = "") -> CalibrationBand | None:
    """The band that holds the probability: of marks of this kind where the card counted them apart."""
    if probability is None or card is None:
        return None
    bands = [b for b in card.calibration if b.kind == kind] or [b for b in card.calibration if not b.kind]
    for band in bands:
        if band.low <= probability < band.high or (probability == 1.0 and band.high >= 1.0):
            return band
    return None


def interval_of_100(band: CalibrationBand) -> tuple[int, int]:
    """95 % Wilson interval of the band's true share, in marks of 100."""
    z, n = 1.96, band.n
    p = band.true / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * ((p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5) / (1 + z * z / n)
    return (round(100 * max(0.0, middle - half)), round(100 * min(1.0, middle + half)))


def card(
    finding: Finding,
    badge: str,
    place: Place,
    verdict: Verdict | None = None,
    agrees_with: str = "",
    model: ModelCard | None = None,
) -> FindingCard:
    shown = verdict.modified if verdict is not None and verdict.modified is not None else finding
    band = band_of(finding.probability, model, finding_kind(finding.code))
    counted = band is not None and band.n > 0
    return FindingCard(
        finding=finding,
        badge=badge,
        title=title_of(shown),
        region=region_of(shown),
        sizes=(*sizes(told(shown)), *_of_the_root(shown)),
        place=place(shown),
        verdict=verdict,
        agrees_with=agrees_with,
        of_100=round(100 * band.true / band.n) if counted and band else None,
        of_100_data=band.data if counted and band else "",
        of_100_interval=interval_of_100(band) if counted and band else None,
        band_range=(band.low, band.high) if counted and band else None,
    )


def weight(finding: Finding) -> float:
    """What orders differences: the calibrated probability, else the raw score."""
    return finding.probability if finding.probability is not None else (finding.score or 0.0)


def ordered(results: Sequence[ReadResult]) -> tuple[Finding, ...]:
    """All AI findings, the weightiest first; the badge A1 is the first of them."""
    found = [f for r in results for f in r.findings]
    return tuple(sorted(found, key=lambda f: (-weight(f), f.finding_id)))


def split(
    mine: Sequence[Finding],
    theirs: Sequence[Finding],
    verdicts: Mapping[str, Verdict],
    place: Place,
    models: Mapping[str, ModelCard],
) -> tuple[tuple[FindingCard, ...], tuple[FindingCard, ...], tuple[FindingCard, ...], tuple[FindingCard, ...]]:
    """(own, AI only, only mine, agreed) cards. Own badges are 1, 2...; AI badges A1, A2... by weight."""
    matched = agreements(mine, theirs)
    badges = {f.finding_id: str(n) for n, f in enumerate(mine, 1)}
    own = tuple(card(f, badges[f.finding_id], place) for f in mine)
    ai_only: list[FindingCard] = []
    agreed: list[FindingCard] = []
    for n, finding in enumerate(theirs, 1):
        model = models.get(finding.reader.name) if finding.reader is not None else None
        partner = matched.get(finding.finding_id, "")
        made = card(finding, f"A{n}", place, verdicts.get(finding.finding_id), badges.get(partner, ""), model)
        (agreed if partner else ai_only).append(made)
    taken = set(matched.values())
    only_mine = tuple(c for c in own if c.finding.finding_id not in taken)
    return own, tuple(ai_only), only_mine, tuple(agreed)
