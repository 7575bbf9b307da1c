"""Numbers, units, names of findings and places in the language of a report."""

from __future__ import annotations

from app.dicom.coding import finding_kind
from app.dicom.reading_units import told
from app.domain.finding import Finding
from app.domain.measurement import Measurement, Quantity
from app.domain.messages import translate

_UNIT_IDS = {"[hnsf'U]": "hu", "{SUVbw}g/ml": "suv", "%": "percent"}
_WHOLE = {"mm2", "mm3", "[hnsf'U]", "px"}
_SIZE_AXES = (Quantity.LONG_AXIS, Quantity.SHORT_AXIS)


def number(language: str, value: float, digits: int) -> str:
    """With a decimal comma in Russian and Kazakh, a narrow minus sign, no thousands separator."""
    text = f"{value:.{digits}f}"
    if text.lstrip("-").strip("0.") == "":
        text = text.lstrip("-")  # no minus zero
    text = text.replace("-", "\u2212")
    return text if language == "en" else text.replace(".", ",")


def unit_word(language: str, unit: str) -> str:
    if unit in ("", "1"):
        return ""
    message_id = "report.unit." + _UNIT_IDS.get(unit, unit)
    word = translate(language, message_id)
    return unit if word == message_id else word


def amount(language: str, measurement: Measurement) -> str:
    """``11,6 мм``: one decimal for lengths and angles, none for areas, volumes and Hounsfield units."""
    text = number(language, measurement.value, 0 if measurement.unit in _WHOLE else 1)
    unit = unit_word(language, measurement.unit)
    if not unit:
        return text
    return f"{text}{unit}" if unit == "°" else f"{text}\u00a0{unit}"


def size(language: str, finding: Finding) -> str:
    """``11,6 × 10,8 мм`` from the two axes, else the one length there is, else empty."""
    axes = [m for q in _SIZE_AXES if (m := finding.measured(q)) is not None]
    if len(axes) == 2 and axes[0].unit == axes[1].unit:
        first = number(language, axes[0].value, 0 if axes[0].unit == "px" else 1)
        return f"{first} × {amount(language, axes[1])}"
    for quantity in (Quantity.LONG_AXIS, Quantity.MEAN_DIAMETER, Quantity.LENGTH):
        measurement = finding.measured(quantity)
        if measurement is not None:
            return amount(language, measurement)
    return ""


def more_values(language: str, finding: Finding) -> str:
    """What :func:`size` does not say: mean diameter, volume, density..."""
    said = set(_SIZE_AXES)
    if finding.measured(Quantity.LONG_AXIS) is None:
        said |= {Quantity.MEAN_DIAMETER, Quantity.LENGTH}
    parts = [quantity_words(language, m) for m in told(finding) if m.quantity not in said]
    share = dict(finding.attributes).get("bone_percent", "")
    if share:
        parts.append(translate(language, "report.root_percent", {"value": share}))
    return ", ".join(parts)


def quantity_words(language: str, measurement: Measurement) -> str:
    """``объём 1128 мм³``."""
    told = f"{measurement.of} {amount(language, measurement)}" if measurement.of else amount(language, measurement)
    return translate(language, f"report.quantity.{measurement.quantity}", {"value": told})


def kind_words(language: str, finding: Finding) -> str:
    """What it is, with the attributes that have a word: ``солидный очаг``."""
    kind = finding_kind(finding.code)
    message_id = f"report.finding.{kind}"
    name = translate(language, message_id)
    if name == message_id:
        name = finding.code.meaning
    adjectives = []
    for _, value in finding.attributes:
        attribute_id = "report.attribute." + value.rpartition(".")[2]
        word = translate(language, attribute_id)
        if word != attribute_id:
            adjectives.append(word)
    surfaces = ", ".join(dict(finding.attributes).get("surfaces", ""))
    said = [translate(language, "report.surfaces", {"list": surfaces})] if surfaces else []
    return " ".join([*adjectives, name, *said])


def where_words(language: str, finding: Finding) -> str:
    """The region by name with its side; the side is never left out when it is known."""
    region = finding.region
    number_of_tooth = region.rpartition(".")[2]
    if len(number_of_tooth) == 2 and number_of_tooth.isdigit():
        return translate(language, "report.region.tooth", {"number": number_of_tooth})
    name = ""
    candidates = []
    if finding.laterality in ("L", "R") and region.count(".") == 1:
        side_name = "left" if finding.laterality == "L" else "right"
        candidates.append(f"report.{region}.{side_name}")
    candidates += [f"report.{region}", region]
    for message_id in candidates if region else ():
        text = translate(language, message_id)
        if text != message_id:
            name = text
            sided = message_id.endswith((".left", ".right")) or any(s in message_id for s in (".left_", ".right_"))
            if sided:
                return name
            break
    side = translate(language, f"report.side.{finding.laterality}") if finding.laterality in ("L", "R", "B") else ""
    if name and side:
        return f"{name}, {side}"
    return name or _capital(side)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """First letter large."""
    return _capital(text)


def date(language: str, dicom_date: str) -> str:
    """``17.11.2026`` (and 2026-11-17 in English) from the first eight digits; the text itself when they are no date."""
    digits = dicom_date[:8]
    if len(digits) != 8 or not digits.isdigit():
        return dicom_date
    if language == "en":
        return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
    return f"{digits[6:]}.{digits[4:6]}.{digits[:4]}"


def date_time(language: str, dicom_datetime: str) -> str:
    day = date(language, dicom_datetime)
    clock = dicom_datetime[8:12]
    return f"{day} {clock[:2]}:{clock[2:]}" if len(clock) == 4 and clock.isdigit() else day
