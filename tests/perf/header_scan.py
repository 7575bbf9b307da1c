"""600 files, the 25 attributes of a study tree: the thin header reader against pydicom reading the same attributes.

The values are compared first: a fast reader of other values would be worth nothing. Beside it stands the whole scan of the
folder to studies, series and instances. Bar: at least 10 times pydicom.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom

from app.dicom import tags
from app.dicom.byte_source import FileByteSource, file_locator
from app.dicom.header import read_raw_at
from app.dicom.raw_items import RawDataset
from app.dicom.scanner import scan
from app.dicom.text import person_name
from app.dicom.values import code, codes, integer, number, numbers, text, unsigned
from tests.perf._bench import alternating, arguments, bars, emit, say, table
from tests.perf.ct_series import series

BAR = 10.0
Read = Callable[[RawDataset, int], Any]


def _name(dataset: RawDataset, tag: int) -> str:
    return person_name(dataset.raw(tag), dataset.charsets)[0].alphabetic


ATTRIBUTES: tuple[tuple[str, int, Read], ...] = (
    ("SOPClassUID", tags.SOP_CLASS_UID, code),
    ("SOPInstanceUID", tags.SOP_INSTANCE_UID, code),
    ("ImageType", tags.IMAGE_TYPE, codes),
    ("StudyDate", tags.STUDY_DATE, code),
    ("StudyTime", tags.STUDY_TIME, code),
    ("AccessionNumber", tags.ACCESSION_NUMBER, text),
    ("Modality", tags.MODALITY, code),
    ("StudyDescription", tags.STUDY_DESCRIPTION, text),
    ("SeriesDescription", tags.SERIES_DESCRIPTION, text),
    ("PatientName", tags.PATIENT_NAME, _name),
    ("PatientID", tags.PATIENT_ID, text),
    ("PatientBirthDate", tags.PATIENT_BIRTH_DATE, code),
    ("PatientSex", tags.PATIENT_SEX, code),
    ("BodyPartExamined", tags.BODY_PART_EXAMINED, code),
    ("SliceThickness", tags.SLICE_THICKNESS, number),
    ("StudyInstanceUID", tags.STUDY_INSTANCE_UID, code),
    ("SeriesInstanceUID", tags.SERIES_INSTANCE_UID, code),
    ("SeriesNumber", tags.SERIES_NUMBER, integer),
    ("InstanceNumber", tags.INSTANCE_NUMBER, integer),
    ("ImagePositionPatient", tags.IMAGE_POSITION_PATIENT, numbers),
    ("ImageOrientationPatient", tags.IMAGE_ORIENTATION_PATIENT, numbers),
    ("Rows", tags.ROWS, unsigned),
    ("Columns", tags.COLUMNS, unsigned),
    ("PixelSpacing", tags.PIXEL_SPACING, numbers),
    ("RescaleIntercept", tags.RESCALE_INTERCEPT, number),
)
WANTED = frozenset(tag for _, tag, _ in ATTRIBUTES) | {tags.SPECIFIC_CHARACTER_SET}


def ours(paths: list[Path]) -> list[list[Any]]:
    source = FileByteSource()
    found = []
    for path in paths:
        dataset = read_raw_at(file_locator(path), source, WANTED)[0].dataset
        found.append([read(dataset, tag) for _, tag, read in ATTRIBUTES])
    return found


def theirs(paths: list[Path]) -> list[list[Any]]:
    found = []
    for path in paths:
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        found.append([dataset.get(keyword) for keyword, _, _ in ATTRIBUTES])
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue":
        return [_plain(v) for v in value]
    if isinstance(value, (int, float)):
        return float(value)
    return str(value)


def main(argv: list[str] | None = None) -> int:
    chosen = arguments(__doc__ or "", argv)
    folder = series("explicit", 600)
    paths = sorted(folder.iterdir())
    if [[_plain(v) for v in row] for row in ours(paths)] != [[_plain(v) for v in row] for row in theirs(paths)]:
        sys.exit("the two readers do not agree on the values")
    rounds = 5 if chosen.quick else 9
    seconds = alternating({"ekinshi": lambda: ours(paths), "pydicom": lambda: theirs(paths)}, rounds)
    whole = alternating({"scan": lambda: scan([folder])}, rounds)["scan"]
    limit = alternating({"open": lambda: [_first_bytes(p) for p in paths]}, rounds)["open"]
    n = len(paths)
    rows = [(name, s * 1e3, n / s) for name, s in {**seconds, "open and read 8 KiB (limit)": limit}.items()]
    rows.append(("scan(): folder to Study tree", whole * 1e3, n / whole))
    table(rows, (f"{n} files, {len(ATTRIBUTES)} attributes", "ms", "files/s"))
    ratio = seconds["pydicom"] / seconds["ekinshi"]
    say(f"\nthe whole scan to studies: {seconds['pydicom'] / whole:.1f} times pydicom's reading of the attributes alone")
    passed = bars([("the attributes, against pydicom", ratio, ">=", BAR, "times")])
    details = {
        "files": n,
        "attributes": len(ATTRIBUTES),
        "scan_files_per_s": round(n / whole),
        "open_files_per_s": round(n / limit),
        "scan_ratio": round(seconds["pydicom"] / whole, 2),
        "bar": BAR,
    }
    return emit(
        "header_scan",
        n / seconds["ekinshi"],
        "files/s",
        "pydicom",
        n / seconds["pydicom"],
        ratio,
        passed,
        details,
    )


def _first_bytes(path: Path) -> bytes:
    handle = os.open(path, os.O_RDONLY)
    try:
        return os.read(handle, 8192)
    finally:
        os.close(handle)


if __name__ == "__main__":
    sys.exit(main())
