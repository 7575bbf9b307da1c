"""A finding as the reader corrects it: pure functions from a finding to a finding."""

from __future__ import annotations

from dataclasses import replace

from app.domain.finding import Finding
from app.domain.measurement import Measurement, Quantity
from app.session.finding_words import side_of_region


def modified(
    finding: Finding,
    mark: Finding | None,
    region: str | None,
    composition: str | None,
    long_axis_mm: float | None,
    short_axis_mm: float | None,
) -> Finding:
    """The finding with what is not None changed; ``mark`` gives its place and measurements."""
    changed = finding
    if mark is not None:
        changed = replace(
            changed, location=mark.location, measurements=mark.measurements, shape=mark.shape, placement=mark.placement
        )
    if region is not None:
        changed = replace(changed, region=region, laterality=side_of_region(region, changed.laterality))
    if composition is not None:
        kept = tuple(a for a in changed.attributes if a[0] != "composition")
        changed = replace(changed, attributes=(*kept, ("composition", composition)))
    if long_axis_mm is not None or short_axis_mm is not None:
        changed = replace(changed, measurements=_with_axes(changed, long_axis_mm, short_axis_mm))
    return changed


def _with_axes(finding: Finding, long_mm: float | None, short_mm: float | None) -> tuple[Measurement, ...]:
    """Measurements with the reader's axes; what was computed from the old ones (mean, volume) goes."""
    kept = [
        m
        for m in finding.measurements
        if m.quantity not in (Quantity.LONG_AXIS, Quantity.SHORT_AXIS, Quantity.MEAN_DIAMETER, Quantity.VOLUME)
    ]
    old = {m.quantity: m.value for m in finding.measurements}
    long_value = long_mm if long_mm is not None else old.get(Quantity.LONG_AXIS)
    short_value = short_mm if short_mm is not None else old.get(Quantity.SHORT_AXIS)
    out = list(kept)
    if long_value is not None:
        out.append(Measurement(Quantity.LONG_AXIS, long_value, "mm"))
    if short_value is not None:
        out.append(Measurement(Quantity.SHORT_AXIS, short_value, "mm"))
    if long_value is not None and short_value is not None:
        out.append(Measurement(Quantity.MEAN_DIAMETER, (long_value + short_value) / 2, "mm"))
    return tuple(out)
