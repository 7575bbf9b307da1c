"""The one table of codes in the objects that we write: what was found, how much, where, and what a person said about it.

Standard codes come from PS3.16 (DCM), SNOMED CT (SCT), RadLex and UCUM. Where the standard has none, or where the IHE
profile's own values could not be obtained (AIRA), the scheme ``99EKINSHI`` fills in; to change to official values change
this file and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from app.domain.measurement import Code, Quantity
from app.domain.verdict import Decision, ImageQuality, Overall, RejectReason

OWN_SCHEME = "99EKINSHI"
OWN_SCHEME_UID = "2.25.9778838691328428576029559953836882910"
"""Coding Scheme UID of 99EKINSHI; a random UUID drawn once, never to change."""
OWN_SCHEME_NAME = "Ekinshi reading workstation"


def _dcm(value: str, meaning: str) -> Code:
    return Code(value, "DCM", meaning)


def _sct(value: str, meaning: str) -> Code:
    return Code(value, "SCT", meaning)


def _own(value: str, meaning: str) -> Code:
    return Code(value, OWN_SCHEME, meaning)


FINDING_KINDS: Mapping[str, Code] = {
    "nodule": _sct("27925004", "Nodule"),
    "mass": _sct("4147007", "Mass"),
    "lesion": _sct("52988006", "Lesion"),
    "pneumothorax": _sct("36118008", "Pneumothorax"),
    "pleural_effusion": _sct("60046008", "Pleural effusion"),
    "consolidation": _sct("95436008", "Consolidation"),
    "atelectasis": _sct("46621007", "Atelectasis"),
    "cardiomegaly": _sct("8186001", "Cardiomegaly"),
    "oedema": _sct("19242006", "Pulmonary edema"),
    "pneumonia": _sct("233604007", "Pneumonia"),
    "emphysema": _sct("87433001", "Pulmonary emphysema"),
    "fibrosis": _sct("51615001", "Fibrosis of lung"),
    "infiltration": _own("AIK-001", "Infiltration"),
    "pleural_thickening": _own("AIK-002", "Pleural thickening"),
    "calcification_cluster": _sct("129769006", "Calcification cluster"),
    "breast_mass": _sct("129788004", "Mammographic breast mass"),
    "architectural_distortion": _sct("129792006", "Architectural distortion of breast"),
    "asymmetry": _sct("129790003", "Asymmetric breast tissue"),
    "focal_asymmetry": _sct("129789007", "Focal asymmetric breast tissue"),
    "skin_thickening": _sct("129797000", "Skin thickening of breast"),
    "intracranial_haemorrhage": _sct("1386000", "Intracranial hemorrhage"),
    "stroke": _sct("230690007", "Stroke"),
    "caries": _sct("80967001", "Dental caries"),
    "deep_caries": _own("AIK-010", "Deep dental caries"),
    "periapical_lesion": _own("AIK-011", "Periapical lesion"),
    "impacted_tooth": _own("AIK-012", "Impacted tooth"),
    "filled_tooth": _own("AIK-020", "Tooth with filling"),
    "root_filled_crowned_tooth": _own("AIK-021", "Root-filled crowned tooth or implant"),
    "gross_crown_loss": _own("AIK-022", "Gross crown loss or retained root"),
    "missing_tooth": _own("AIK-023", "Tooth not on the film"),
    "implant": _own("AIK-024", "Dental implant"),
    "crown_fracture": _own("AIK-025", "Fracture of the crown"),
    "bone_loss": _own("AIK-026", "Bone level along the root"),
}
"""Kind (the last part of the message id ``finding.<kind>``) to code."""

_KIND_BY_CODE = {(c.value, c.scheme): kind for kind, c in FINDING_KINDS.items()} | {("118538004", "SCT"): "mass"}


def finding_kind(code: Code) -> str:
    """Our word for a code, or ``finding`` for one that the table does not know (its own meaning is shown then)."""
    return _KIND_BY_CODE.get((code.value, code.scheme), "finding")


QUANTITIES: Mapping[Quantity, Code] = {
    Quantity.LENGTH: _sct("410668003", "Length"),
    Quantity.LONG_AXIS: _sct("103339001", "Long axis"),
    Quantity.SHORT_AXIS: _sct("103340004", "Short axis"),
    Quantity.MEAN_DIAMETER: _sct("81827009", "Diameter"),
    Quantity.ANGLE: _sct("1483009", "Angle"),
    Quantity.AREA: _sct("42798000", "Area"),
    Quantity.VOLUME: _sct("118565006", "Volume"),
    Quantity.VALUE: _own("AIQ-001", "Pixel value"),
    Quantity.MEAN: _own("AIQ-002", "Pixel value, mean"),
    Quantity.STANDARD_DEVIATION: _own("AIQ-003", "Pixel value, standard deviation"),
    Quantity.MINIMUM: _own("AIQ-004", "Pixel value, minimum"),
    Quantity.MAXIMUM: _own("AIQ-005", "Pixel value, maximum"),
    Quantity.COUNT: _own("AIQ-006", "Count"),
    Quantity.RATIO: _own("AIQ-020", "Cardiothoracic ratio"),
    Quantity.HEART_WIDTH: _own("AIQ-021", "Width of the heart"),
    Quantity.THORAX_WIDTH: _own("AIQ-022", "Inner width of the thorax"),
    Quantity.FIRST_LENGTH: _own("AIQ-023", "First length of a pair"),
    Quantity.SECOND_LENGTH: _own("AIQ-024", "Second length of a pair"),
    Quantity.DIFFERENCE: _own("AIQ-025", "Difference of two lengths"),
    Quantity.TIME: _own("AIQ-026", "Time"),
    Quantity.DEPTH: _own("AIQ-027", "Depth"),
    Quantity.VELOCITY: _own("AIQ-028", "Velocity"),
    Quantity.FREQUENCY: _own("AIQ-029", "Frequency"),
    Quantity.DOSE: _own("AIQ-040", "Absorbed dose"),
    Quantity.OVERLAY_VALUE: _own("AIQ-030", "Pixel value of the series laid over the image"),
    Quantity.OVERLAY_MEAN: _own("AIQ-031", "Pixel value of the series laid over the image, mean"),
    Quantity.OVERLAY_STANDARD_DEVIATION: _own(
        "AIQ-032", "Pixel value of the series laid over the image, standard deviation"
    ),
    Quantity.OVERLAY_MINIMUM: _own("AIQ-033", "Pixel value of the series laid over the image, minimum"),
    Quantity.OVERLAY_MAXIMUM: _own("AIQ-034", "Pixel value of the series laid over the image, maximum"),
}
_QUANTITY_BY_CODE = {(c.value, c.scheme): q for q, c in QUANTITIES.items()} | {
    ("G-D7FE", "SRT"): Quantity.LENGTH,
    ("G-A185", "SRT"): Quantity.LONG_AXIS,
    ("G-A186", "SRT"): Quantity.SHORT_AXIS,
    ("G-D705", "SRT"): Quantity.VOLUME,
    ("G-A166", "SRT"): Quantity.AREA,
}


def quantity_of(code: Code) -> Quantity | None:
    return _QUANTITY_BY_CODE.get((code.value, code.scheme))


_UNIT_MEANINGS = {
    "mm": "millimeter",
    "mm2": "square millimeter",
    "mm3": "cubic millimeter",
    "deg": "degree",
    "[hnsf'U]": "Hounsfield unit",
    "{SUVbw}g/ml": "Standardized Uptake Value body weight",
    "px": "pixels",
    "{pixels}": "pixels",
    "{square_pixels}": "square pixels",
    "1": "no units",
    "%": "percent",
    "ml": "milliliter",
    "s": "second",
    "d": "day",
    "cm/s": "centimeter per second",
    "Hz": "Hertz",
    "Bq/ml": "Becquerels per milliliter",
    "{score}": "score",
}


_PIXELS = {"px": "{pixels}", "px2": "{square_pixels}"}


def unit_code(unit: str) -> Code:
    """UCUM code of a unit. Pixels are not a unit of UCUM and become its annotation ``{pixels}``."""
    ucum = _PIXELS.get(unit) or unit or "1"
    return Code(ucum, "UCUM", _UNIT_MEANINGS.get(ucum, ucum))


def unit_of(code: Code) -> str:
    """The inverse of :func:`unit_code`."""
    return next((unit for unit, ucum in _PIXELS.items() if ucum == code.value), code.value)


def is_calibrated(unit: str) -> bool:
    """What a unit says by itself of the image's calibration."""
    return unit not in _PIXELS


PROBABILITY = _dcm("122157", "Probability")
SALIENCY = _dcm("130404", "Saliency")
RAW_SCORE = _own("AIQ-010", "Raw score of the second reader")
BAND = _own("AIB-001", "Band by the operating points of the second reader")
BANDS: Mapping[str, Code] = {
    "low": _own("AIB-L", "Low"),
    "mid": _own("AIB-M", "Middle"),
    "high": _own("AIB-H", "High"),
}
ARTIFICIAL_INTELLIGENCE = _dcm("123110", "Artificial Intelligence")
NEIGHBOURHOOD_ANALYSIS = _dcm("123101", "Neighborhood Analysis")
CENTRE = _dcm("111010", "Center")
BOUNDING_BOX = _own("AIL-001", "Box in patient space, two opposite corners")
REGION = _own("AIL-002", "Region, message id")
ATTRIBUTE = _own("AIL-003", "Attribute, message ids")
CONFIDENCE = _own("AIL-004", "Own certainty, 1 to 5")
SHAPE = _own("AIL-005", "Shape of the drawing, and the order of its lines")
OF_IMAGES = _own("AIL-006", "Of which other images the value is")
CALIBRATED = _own("AIL-007", "Millimetres of the image are known, yes or no")
CHANGE_SINCE = _own("AIC-001", "Change since the earlier study")
DOUBLING_TIME = _own("AIC-002", "Volume doubling time since the earlier study")
COMMENT = _dcm("121106", "Comment")
SUMMARY = _dcm("111017", "CAD Processing and Findings Summary")
SUMMARY_NONE = _dcm("111241", "All algorithms succeeded; without findings")
SUMMARY_FOUND = _dcm("111242", "All algorithms succeeded; with findings")
SUMMARY_PARTIAL_NONE = _dcm("111243", "Not all algorithms succeeded; without findings")
SUMMARY_PARTIAL_FOUND = _dcm("111244", "Not all algorithms succeeded; with findings")
SUMMARY_FAILED = _dcm("111245", "No algorithms succeeded; without findings")

VERDICT = _own("AIV-001", "Radiologist verdict on AI finding")
ASSESSED_RESULT = _own("AIV-010", "Assessed AI result")
REASON = _own("AIV-020", "Reason for verdict")
VERDICTS: Mapping[Decision, Code] = {
    Decision.ACCEPTED: _own("AIV-A", "Accepted"),
    Decision.MODIFIED: _own("AIV-M", "Modified"),
    Decision.REJECTED: _own("AIV-R", "Rejected"),
}
NOT_REVIEWED = _own("AIV-N", "Not reviewed")
AI_FALSE_NEGATIVE = _own("AIV-F", "AI false negative")
REJECT_REASONS: Mapping[RejectReason, Code] = {
    RejectReason.NOT_PRESENT: _own("AIV-021", "Not present"),
    RejectReason.WRONG_LOCATION: _own("AIV-022", "Wrong location"),
    RejectReason.WRONG_TYPE: _own("AIV-023", "Wrong type"),
    RejectReason.POOR_IMAGE: _own("AIV-024", "Poor image"),
    RejectReason.NOT_SIGNIFICANT: _own("AIV-025", "Present but not significant"),
    RejectReason.KNOWN_AND_STABLE: _own("AIV-026", "Known and stable"),
    RejectReason.ARTEFACT: _own("AIV-027", "Artefact"),
    RejectReason.WRONG_SIZE: _own("AIV-028", "Wrong size"),
    RejectReason.DUPLICATE: _own("AIV-029", "Duplicate"),
    RejectReason.OUT_OF_SCOPE: _own("AIV-030", "Out of scope"),
}
FIRST_OPINION = _own("AIV-100", "First opinion, before the second reader was revealed")
FIRST_OPINION_OVERALL = _own("AIV-101", "Overall first opinion")
FIRST_OPINION_TIME = _own("AIV-102", "Hybrid logical clock of the commit")
FIRST_OPINION_MARK = _own("AIV-103", "Mark put before the second reader was revealed")
OVERALL: Mapping[Overall, Code] = {
    Overall.NOTHING: _own("AIV-110", "Nothing found"),
    Overall.FINDINGS: _own("AIV-111", "Findings"),
    Overall.CANNOT_JUDGE: _own("AIV-112", "Cannot judge"),
    Overall.NOT_GIVEN: _own("AIV-113", "No opinion given"),
}
READER_STATEMENT = _own("AIV-104", "Statement of the reader about the study")
NOTHING_REPORTED = _own("AIV-114", "No finding reported")
QUALITY = _own("AIV-120", "Image quality")
QUALITIES: Mapping[ImageQuality, Code] = {
    ImageQuality.DIAGNOSTIC: Code("RID12", "RADLEX", "Diagnostic quality"),
    ImageQuality.LIMITED: Code("RID13", "RADLEX", "Limited quality"),
    ImageQuality.NON_DIAGNOSTIC: Code("RID14", "RADLEX", "Non-diagnostic quality"),
}

LATERALITY: Mapping[str, Code] = {
    "R": _sct("24028007", "Right"),
    "L": _sct("7771000", "Left"),
    "B": _sct("51440002", "Bilateral"),
}
MAMMOGRAPHIC_VIEWS: Mapping[str, Code] = {
    "CC": _sct("399162004", "cranio-caudal"),
    "MLO": _sct("399368009", "medio-lateral oblique"),
    "ML": _sct("399260004", "medial-lateral"),
    "LM": _sct("399352003", "latero-medial"),
    "LMO": _sct("399099002", "latero-medial oblique"),
    "FB": _sct("399196006", "caudo-cranial"),
    "SIO": _sct("399188001", "superolateral to inferomedial oblique"),
    "ISO": _sct("441555000", "inferomedial to superolateral oblique"),
    "XCCL": _sct("399192008", "cranio-caudal exaggerated laterally"),
    "XCCM": _sct("399101009", "cranio-caudal exaggerated medially"),
}
"""View Position to PS3.16 CID 4014."""
VIEW_MODIFIERS: Mapping[str, Code] = {
    "magnification": _sct("399163009", "Magnification"),
    "spot compression": _sct("399055006", "Spot Compression"),
    "implant displaced": _sct("399209000", "Implant Displaced"),
}
"""Words of ``view_words`` to PS3.16 CID 4015."""
_SITES: Mapping[str, Code] = {
    "lung": _sct("39607008", "Lung"),
    "breast": _sct("76752008", "Breast"),
    "brain": _sct("12738006", "Brain"),
    "head": _sct("69536005", "Head"),
    "chest": _sct("816094009", "Chest"),
    "jaw": _sct("661005", "Jaw region"),
    "lung.right_upper": _sct("42400003", "Upper lobe of right lung"),
    "lung.right_middle": _sct("72481006", "Middle lobe of right lung"),
    "lung.right_lower": _sct("266005", "Lower lobe of right lung"),
    "lung.left_upper": _sct("44714003", "Upper lobe of left lung"),
    "lung.left_lower": _sct("41224006", "Lower lobe of left lung"),
}
_TEETH: Mapping[str, tuple[str, ...]] = {
    "1": ("422653006", "424877001", "860767006", "57826002", "36492000", "865995000", "863902006", "68085002"),
    "2": ("424399000", "423185002", "860780009", "61897005", "23226009", "865988009", "863901004", "87704003"),
    "3": ("425106001", "423331005", "860782001", "2400006", "24573005", "866006002", "863898000", "74344005"),
    "4": ("424575004", "423937004", "860785004", "80140008", "8873007", "866005003", "863899008", "38994002"),
}
"""Permanent teeth by FDI quadrant and place (PS3.16 CID 4018)."""


_BY_TOOTH_CODE = {c: int(f"{q}{n}") for q, row in _TEETH.items() for n, c in enumerate(row, 1)}


def tooth_of(scheme: str, value: str) -> int | None:
    """FDI number of a tooth's code, None for anything else."""
    return _BY_TOOTH_CODE.get(value) if scheme == "SCT" else None


def site_code(region: str) -> Code | None:
    """Finding site of a region: ``region.lung.left_upper`` and the like, or an FDI number; None when unknown."""
    name = region.removeprefix("region.")
    if len(name) == 2 and name[0] in _TEETH and name[1] in "12345678":
        return _sct(_TEETH[name[0]][int(name[1]) - 1], f"Tooth {name} (FDI)")
    while name:
        if name in _SITES:
            return _SITES[name]
        name = name.rpartition(".")[0]
    return None


def study_quantity(message_id: str) -> Code:
    """Code of a study-level value; a stable private code of its message id, which stands in the meaning."""
    return _own("AIS-" + hashlib.sha256(message_id.encode()).hexdigest()[:8].upper(), message_id[:64])


def lookup(table: Mapping[object, Code], value: str, scheme: str) -> object | None:
    """The key of a table row by its code."""
    return next((key for key, code in table.items() if (code.value, code.scheme) == (value, scheme)), None)
