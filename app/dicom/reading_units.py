"""The units that readers use for a finding's sizes, which are not always those that are stored."""

from __future__ import annotations

from dataclasses import replace

from app.dicom.coding import finding_kind
from app.domain.finding import Finding
from app.domain.measurement import Measurement


def told(finding: Finding) -> tuple[Measurement, ...]:
    """The measurements in the units that readers use: blood in millilitres, a nodule's volume in cubic millimetres."""
    if finding_kind(finding.code) != "intracranial_haemorrhage":
        return finding.measurements
    return tuple(replace(m, value=m.value / 1000.0, unit="ml") if m.unit == "mm3" else m for m in finding.measurements)
