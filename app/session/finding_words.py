"""Which kinds, regions and sides a reader may give a finding, by what is shown."""

from __future__ import annotations

from collections.abc import Mapping

from app.domain.geometry import Point3
from app.domain.teeth import PERMANENT, is_fdi
from app.domain.teeth import side_of as tooth_side
from app.session.views import Words
from app.viewer.layers import ImageLayer

_DENTAL = (
    "caries",
    "deep_caries",
    "periapical_lesion",
    "filled_tooth",
    "root_filled_crowned_tooth",
    "implant",
    "gross_crown_loss",
    "crown_fracture",
    "impacted_tooth",
    "missing_tooth",
    "lesion",
)
FINDING_KINDS: Mapping[str, tuple[str, ...]] = {
    "MG": (
        "breast_mass",
        "calcification_cluster",
        "asymmetry",
        "focal_asymmetry",
        "architectural_distortion",
        "skin_thickening",
    ),
    "PX": _DENTAL,
    "IO": _DENTAL,
    "CHEST": (
        "nodule",
        "mass",
        "consolidation",
        "atelectasis",
        "pleural_effusion",
        "pneumothorax",
        "emphysema",
        "fibrosis",
        "lesion",
    ),
    "HEAD": ("intracranial_haemorrhage", "stroke", "mass", "lesion"),
}
_GENERAL = ("lesion", "mass", "nodule")
_LUNG_REGIONS = (
    "region.lung.right_upper",
    "region.lung.right_middle",
    "region.lung.right_lower",
    "region.lung.left_upper",
    "region.lung.left_lower",
)


def kinds_of(modality: str, protocol: str) -> tuple[str, ...]:
    """Finding codes offered first to last, by the shown modality, else by the hanging protocol's name."""
    if modality in FINDING_KINDS:
        return FINDING_KINDS[modality]
    if "chest" in protocol:
        return FINDING_KINDS["CHEST"]
    if "head" in protocol or "brain" in protocol:
        return FINDING_KINDS["HEAD"]
    return _GENERAL


def regions_of(protocol: str, modality: str = "") -> tuple[tuple[str, Words], ...]:
    if modality in ("PX", "IO"):
        return tuple((str(n), Words("region.tooth", {"fdi": str(n)})) for n in PERMANENT)
    if "chest" in protocol:
        return tuple((r, Words(r)) for r in _LUNG_REGIONS)
    return tuple((f"region.side_{side}", Words(f"region.side_{side}")) for side in ("right", "left"))


def side_of_region(region: str, otherwise: str = "") -> str:
    """R or L where a region's name or a tooth's number tells it."""
    if is_fdi(region):
        return tooth_side(int(region))
    return "R" if ".right" in region else "L" if ".left" in region else otherwise


def side_of(layer: ImageLayer | None, point_mm: Point3 | None) -> str:
    """R or L of the patient by the middle of the shown image; empty without a position."""
    if point_mm is None or layer is None:
        return ""
    middle = 0.0
    if layer.volume is not None:
        k, j, i = layer.volume.geometry.shape
        middle = layer.volume.geometry.to_patient((k / 2, j / 2, i / 2))[0]
        if not layer.volume.geometry.in_patient:
            return ""
    elif layer.geometry is not None and layer.geometry.plane is not None:
        plane = layer.geometry.plane
        if not plane.in_patient:
            return ""
        middle = plane.to_patient(plane.rows / 2, plane.columns / 2)[0]
    return "L" if point_mm[0] > middle else "R"
