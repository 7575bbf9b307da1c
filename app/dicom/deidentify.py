"""De-identified copies of objects: DICOM PS3.15 Annex E, Basic Application Level Confidentiality Profile, table E.1-1.

The table is a file, ``resources/deidentification/basic_profile.csv``. Where it leaves a choice that depends on the type of
the attribute (``X/Z``, ``X/D`` ...), the one is taken that keeps the object valid. Private attributes, curves and
overlays go. UIDs and pseudonyms follow from a secret of the export: equal within it, not to be traced back without it.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence

from app.dicom.data_set import data_set
from app.domain.problem import ProblemError, fail
from app.domain.resources import resource_path

_DUMMY_TEXT = "REMOVED"
_DUMMIES: Mapping[str, Any] = {
    "DA": "19000101", "TM": "000000", "DT": "19000101000000", "AS": "000Y", "IS": "0", "DS": "0", "UR": "removed:",
    "US": 0, "SS": 0, "UL": 0, "SL": 0, "UV": 0, "SV": 0, "FL": 0.0, "FD": 0.0, "AT": 0, "OB": b"\0\0", "OW": b"\0\0",
    "OF": bytes(4), "OD": bytes(8), "OL": bytes(4), "OV": bytes(8), "UN": b"\0\0", "CS": _DUMMY_TEXT,
}  # fmt: skip
_TEXT = frozenset({"AE", "LO", "SH", "ST", "LT", "UC", "UT"})
_OLDEST_SHOWN = 89
"""Ages above it single a person out; they are given as 90 (HIPAA 164.514(b)(2)(i)(C))."""
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_LEAST = 4
"""Shorter values of a patient (a sex, a number of two digits) are found in anything."""
_DOCUMENTS = "1.2.840.10008.5.1.4.1.1.104."
_OFTEN_BURNED_IN = ("1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.6.", "1.2.840.10008.5.1.4.1.1.3.1")


class Dates(StrEnum):
    REMOVE = "remove"
    SHIFT = "shift"
    """All dates of a patient move by the same secret number of days: intervals stay true."""
    KEEP = "keep"


@dataclass(frozen=True)
class Profile:
    """What is chosen beside the basic profile."""

    secret: bytes = field(repr=False)
    dates: Dates = Dates.REMOVE
    keep_characteristics: bool = False
    """Sex, age, size, weight of the patient (option "Retain Patient Characteristics")."""

    def codes(self) -> tuple[tuple[str, str], ...]:
        """De-identification method codes (PS3.16 CID 7050)."""
        found = [("113100", "Basic Application Confidentiality Profile")]
        if self.dates is Dates.KEEP:
            found.append(("113106", "Retain Longitudinal Temporal Information Full Dates Option"))
        if self.dates is Dates.SHIFT:
            found.append(("113107", "Retain Longitudinal Temporal Information Modified Dates Option"))
        if self.keep_characteristics:
            found.append(("113108", "Retain Patient Characteristics Option"))
        return tuple(found)


class BurnedIn(StrEnum):
    NO = "no"
    YES = "yes"
    LIKELY = "likely"
    """Nobody says, and objects of this kind often carry names in their pixels."""


@dataclass(frozen=True)
class Deidentified:
    data: bytes
    sop_instance_uid: str
    study_instance_uid: str
    patient_id: str
    burned_in: BurnedIn


@dataclass(frozen=True)
class _Rule:
    basic: str
    patient: str
    full_dates: str
    modified_dates: str


@cache
def table() -> Mapping[int, _Rule]:
    """Tag to rule. Repeating groups (50xx, 60xx) are handled beside the table."""
    text = resource_path("deidentification", "basic_profile.csv").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    found = {}
    for row in csv.DictReader(lines):
        if "X" not in row["tag"]:
            rule = _Rule(row["basic"], row["retain_patient"], row["full_dates"], row["modified_dates"])
            found[int(row["tag"], 16)] = rule
    return found


def new_uid(secret: bytes, uid: str) -> str:
    """The UID that stands for ``uid`` in one export."""
    digest = hmac.new(secret, b"uid " + uid.encode(), hashlib.sha256).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def pseudonym(secret: bytes, patient: str) -> str:
    """The number that stands for a patient in one export."""
    digest = hmac.new(secret, b"patient " + patient.encode(), hashlib.sha256).digest()
    return f"P{digest.hex()[:12].upper()}"


def _shift_days(secret: bytes, patient: str) -> int:
    digest = hmac.new(secret, b"days " + patient.encode(), hashlib.sha256).digest()
    return -(1 + int.from_bytes(digest[:4], "big") % 3650)


def deidentify(data: bytes, profile: Profile, uids: tuple[str, str, str] = ("", "", "")) -> Deidentified:
    """A Part 10 object without identity; its pixels are the same bytes.

    ``uids``: study, series and instance as the library knows them, for objects that do not say them.

    Raises ``deident.document`` for encapsulated documents, whose content cannot be cleaned, and ``deident.unreadable``.
    """
    try:
        ds: Any = data_set(data, force=True)
        sop_class = str(ds.get("SOPClassUID", ""))
        if sop_class.startswith(_DOCUMENTS):
            raise fail("deident.document", kept_safe="kept.original")
        for keyword, uid in zip(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"), uids, strict=True):
            if not ds.get(keyword) and uid:
                setattr(ds, keyword, uid)
        patient = f"{ds.get('IssuerOfPatientID', '')}|{ds.get('PatientID', '')}|{ds.get('PatientName', '')}"
        known = _identifiers(ds)
        burned = burned_in_of(ds)
        work = _Work(profile, _shift_days(profile.secret, patient))
        work.dataset(ds)
        work.clean(ds, known)
        _mark(ds, profile, pseudonym(profile.secret, patient))
        _file_header(ds, profile)
        buffer = io.BytesIO()
        ds.save_as(buffer, enforce_file_format=True)
    except ProblemError:
        raise
    except Exception as error:  # any maker's bytes
        raise fail("deident.unreadable", kept_safe="kept.original", error=type(error).__name__) from error
    left = leaks(buffer.getvalue(), known)
    if left:
        raise fail("deident.left", kept_safe="kept.original", n=len(left))
    study, instance = str(ds.get("StudyInstanceUID", "")), str(ds.get("SOPInstanceUID", ""))
    return Deidentified(buffer.getvalue(), instance, study, str(ds.PatientID), burned)


def burned_in_of(ds: Any) -> BurnedIn:
    """What the object says about names in its pixels (PS3.3 C.7.6.1), or what is to be feared of its kind."""
    said = str(ds.get("BurnedInAnnotation", "")).upper()
    if said in ("YES", "NO"):
        return BurnedIn(said.lower())
    return BurnedIn.LIKELY if often_burned_in(str(ds.get("SOPClassUID", ""))) else BurnedIn.NO


def often_burned_in(sop_class_uid: str) -> bool:
    """Objects of a kind that often carries names in its pixels (screen saves, ultrasound)."""
    return any(
        sop_class_uid == c or sop_class_uid.startswith(c + ("" if c.endswith(".") else ".")) for c in _OFTEN_BURNED_IN
    )


class _Work:
    def __init__(self, profile: Profile, days: int) -> None:
        self._profile = profile
        self._days = days

    def dataset(self, ds: Any) -> None:
        """In place, with everything that is nested."""
        for tag in [t for t in ds.keys() if int(t) >> 16 == 0xFFFE]:  # noqa: SIM118 - a data set iterates over elements
            ds._dict.pop(tag)  # a stray delimiter, which no element can be made of
        for element in list(ds):
            tag = int(element.tag)
            group = tag >> 16
            if group % 2 or 0x5000 <= group <= 0x50FF or 0x6000 <= group <= 0x60FF or tag & 0xFFFF == 0:
                del ds[element.tag]
                continue
            if tag in _PIXELS:
                continue
            self._apply(ds, element, self._action(tag, element.VR))

    def clean(self, ds: Any, known: frozenset[str]) -> None:
        """Texts that the table leaves, in which an identifier of this object stands all the same."""
        for element in _naming_elements(ds, known):
            element.value = self._uids(element.value) if element.VR == "UI" else _DUMMY_TEXT

    def _action(self, tag: int, vr: str) -> str:
        rule = table().get(tag)
        if rule is None:
            # The table names every attribute of a person; what is newer than it goes when it can only be a name.
            return "Z" if vr == "PN" else "K"
        if self._profile.keep_characteristics and rule.patient:
            return rule.patient if rule.patient == "K" else "X"
        if self._profile.dates is Dates.KEEP and rule.full_dates == "K":
            return "K"
        if self._profile.dates is Dates.SHIFT and rule.modified_dates:
            return "S"
        return {"X/Z/U*": "U", "X/Z": "Z", "X/D": "D", "X/Z/D": "D", "Z/D": "D"}.get(rule.basic, rule.basic)

    def _apply(self, ds: Any, element: Any, action: str) -> None:
        if element.VR == "SQ":
            if action == "X":
                del ds[element.tag]
            elif action == "Z":
                element.value = DicomSequence([])
            else:
                for item in element.value:
                    self.dataset(item)
            return
        if action == "X":
            del ds[element.tag]
        elif action == "Z":
            element.value = b"" if element.VR in ("OB", "OW", "UN") else ""
        elif action == "D":
            element.value = self._dummy(element)
        elif action == "U":
            element.value = self._uids(element.value)
        elif action == "S":
            element.value = self._shifted(element)
        elif action == "K" and element.VR == "AS":
            element.value = _age(str(element.value))

    def _dummy(self, element: Any) -> Any:
        if element.VR == "UI":
            return self._uids(element.value)
        if element.VR == "PN" or element.VR in _TEXT:
            return _DUMMY_TEXT
        return _DUMMIES.get(element.VR, "")

    def _uids(self, value: Any) -> Any:
        def one(uid: str) -> str:
            return uid if not uid or uid.startswith("1.2.840.10008.") else new_uid(self._profile.secret, uid)

        return one(str(value)) if isinstance(value, str) else [one(str(v)) for v in value or ()]

    def _shifted(self, element: Any) -> Any:
        if element.VR == "TM":
            return element.value
        if element.VR not in ("DA", "DT"):
            return self._dummy(element)
        values = element.value if isinstance(element.value, (list, tuple)) or _is_multi(element.value) else [element.value]
        moved = [self._day(str(v)) for v in values]
        return moved if len(moved) > 1 else (moved[0] if moved else "")

    def _day(self, text: str) -> str:
        """YYYYMMDD... moved; what is no full date goes."""
        if not re.match(r"\d{8}", text):
            return ""
        try:
            at = date(int(text[:4]), int(text[4:6]), int(text[6:8])) + timedelta(days=self._days)
        except (ValueError, OverflowError):
            return ""
        return f"{at:%Y%m%d}{text[8:]}"


def _is_multi(value: Any) -> bool:
    return not isinstance(value, str) and hasattr(value, "__iter__")


def _age(text: str) -> str:
    return "090Y" if len(text) == 4 and text[3] == "Y" and text[:3].isdigit() and int(text[:3]) > _OLDEST_SHOWN else text


def _mark(ds: Any, profile: Profile, number: str) -> None:
    ds.PatientName = number
    ds.PatientID = number
    ds.PatientIdentityRemoved = "YES"
    ds.DeidentificationMethod = "PS3.15 Basic Application Level Confidentiality Profile"
    items = []
    for value, meaning in profile.codes():
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
        items.append(item)
    ds.DeidentificationMethodCodeSequence = DicomSequence(items)
    ds.LongitudinalTemporalInformationModified = {
        Dates.KEEP: "UNMODIFIED", Dates.SHIFT: "MODIFIED", Dates.REMOVE: "REMOVED"
    }[profile.dates]  # fmt: skip


def _file_header(ds: Any, profile: Profile) -> None:
    """The preamble and everything in group 2 that names a sender go too."""
    ds.preamble = bytes(128)
    meta = ds.file_meta
    for element in list(meta):
        if int(element.tag) >= 0x00020012:
            del meta[element.tag]
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    from app.dicom.object_header import IMPLEMENTATION_CLASS_UID

    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = "EKINSHI"


_NAMING = (
    "PatientName", "PatientID", "OtherPatientIDs", "OtherPatientNames", "PatientBirthName", "AccessionNumber",
    "ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName", "InstitutionName", "InstitutionAddress",
    "PatientAddress", "PatientTelephoneNumbers", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID",
    "FrameOfReferenceUID", "StudyID", "StationName", "DeviceSerialNumber",
)  # fmt: skip


def _identifiers(ds: Any) -> frozenset[str]:
    """Texts of the original that must not be found in the copy."""
    found: set[str] = set()
    for keyword in _NAMING:
        value = ds.get(keyword)
        for one in value if _is_multi(value) and not hasattr(value, "components") else [value]:
            text = str(one or "").strip()
            found.update(p for p in re.split(r"[\^=]", text) if len(p.strip()) >= _LEAST)
    return frozenset(p.strip() for p in found if p.strip().upper() not in (_DUMMY_TEXT, "ANONYMOUS", "UNKNOWN"))


def leaks(data: bytes, known: frozenset[str]) -> tuple[str, ...]:
    """Keywords of elements of a copy in which a text of the original still stands, whole or as a word."""
    ds: Any = data_set(data, stop_before_pixels=True, force=True)
    return tuple(element.keyword or str(element.tag) for element in _naming_elements(ds, known))


_NO_TEXT = frozenset({"OB", "OW", "OF", "OD", "OL", "OV", "UN", "SQ", "CS", "DA", "TM", "DT", "DS", "IS"})


def _naming_elements(ds: Any, known: frozenset[str]) -> list[Any]:
    if not known:
        return []
    longest_first = sorted(known, key=len, reverse=True)
    pattern = re.compile(r"(?<![^\W_])(?:" + "|".join(map(re.escape, longest_first)) + r")(?![^\W_])", re.IGNORECASE)
    return [
        element
        for element in _elements(ds)
        if element.VR not in _NO_TEXT and pattern.search(str(element.value)) and not _is_our_own(element)
    ]


def _is_our_own(element: Any) -> bool:
    return element.keyword in ("DeidentificationMethod", "CodeMeaning", "CodeValue", "SpecificCharacterSet")


def _elements(ds: Any) -> Iterator[Any]:
    for element in ds:
        yield element
        if element.VR == "SQ":
            for item in element.value:
                yield from _elements(item)
