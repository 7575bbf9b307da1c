"""Command line of what goes in and out as files: pictures bound to a patient, studies exported."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from app.domain.ports import Progress


def add_picture_options(imports: argparse.ArgumentParser) -> None:
    group = imports.add_argument_group("pictures (JPEG, PNG, TIFF, PDF) of one patient")
    group.add_argument("--as-patient", metavar="NUMBER", help="bind picture files to this patient; must be known, or named")
    group.add_argument("--name", default="", help='a new patient: "Family Given" or Family^Given')
    group.add_argument("--birth-date", default="", metavar="YYYYMMDD")
    group.add_argument("--sex", default="", choices=("", "F", "M", "O"))
    group.add_argument("--kind", default="other", help="panoramic, periapical, chest_pa, document ... (default: other)")
    group.add_argument("--taken-on", default="", metavar="YYYY[MMDD]", help="when the film was taken; may be a year alone")
    group.add_argument("--mirrored", action="store_true", help="the film lay the wrong way round")
    group.add_argument("--laterality", default="", choices=("", "R", "L"), help="of a paired part")


def add_export(commands: Any) -> None:
    export = commands.add_parser("export", help="studies of the library to a folder, a ZIP or a medium with DICOMDIR")
    export.add_argument("studies", nargs="+", metavar="STUDY", help="Study Instance UID or accession number")
    export.add_argument("--out", type=Path, required=True, help="folder, or a file that ends in .zip and does not exist")
    export.add_argument("--media", action="store_true", help="with DICOMDIR, uncompressed, into an empty folder")
    export.add_argument("--deidentify", action="store_true", help="by the basic profile of DICOM PS3.15 Annex E")
    export.add_argument("--dates", choices=("remove", "shift", "keep"), default="remove", help="with --deidentify")
    export.add_argument("--keep-characteristics", action="store_true", help="with --deidentify: keep sex, age, size, weight")
    export.add_argument(
        "--include-burned-in", action="store_true", help="with --deidentify: also objects that say a name is in their pixels"
    )
    export.add_argument("--json", action="store_true", help="one JSON object on standard output")


def import_pictures(options: argparse.Namespace, progress: Progress) -> int:
    from app.session.file_commands import PatientWords, import_pictures

    words = PatientWords(options.as_patient, options.name, options.birth_date, options.sex)
    document = import_pictures(
        options.paths, words, options.kind, options.taken_on, options.mirrored, options.laterality, progress
    )
    if options.json:
        print(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        new = sum(p["added"] for p in document["pictures"])
        print(f"{new} pictures bound, {len(document['pictures']) - new} known, {len(document['refused'])} refused")
        for refused in document["refused"]:
            print(f"refused: {refused['path']}: {refused['reason']}")
    return 1 if document["refused"] or not document["pictures"] else 0


def export(options: argparse.Namespace, progress: Progress) -> int:
    from app.session.exporting import Form
    from app.session.file_commands import export_from_library

    zipped = options.out.suffix.lower() == ".zip"
    if zipped and options.media:
        print("ekinshi: --media writes a folder; leave .zip out of --out", file=sys.stderr)
        return 2
    if not options.deidentify and (options.dates != "remove" or options.keep_characteristics or options.include_burned_in):
        print("ekinshi: --dates, --keep-characteristics and --include-burned-in go with --deidentify", file=sys.stderr)
        return 2
    form = Form.MEDIA if options.media else Form.ZIP if zipped else Form.FOLDER
    document = export_from_library(
        options.studies,
        options.out,
        form=form,
        deidentified=options.deidentify,
        dates=options.dates,
        keep_characteristics=options.keep_characteristics,
        burned_in=options.include_burned_in,
        progress=progress,
    )
    if options.json:
        print(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        how = "de-identified, " if document["deidentified"] else ""
        print(f"{len(document['files'])} files, {how}read back and equal: {document['target']}")
        for left in document["left_out"]:
            print(f"left out: {left['object']}: {left['reason']}")
        for warning in document["warnings"]:
            print(f"warning: {warning}")
    return 1 if document["left_out"] else 0
