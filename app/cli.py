"""The commands without a window. Everything they do is the session's; here is only asking and telling.

Exit codes: 0 done; 1 a file could not be opened, or a reader asked for by name failed or refused; 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app import __version__
from app.cli_files import add_export, add_picture_options, export, import_pictures
from app.domain.messages import LANGUAGES, sentence
from app.domain.problem import ProblemError

OK, FAILED, USAGE = 0, 1, 2


class TerminalProgress:
    """One line on standard error, only when somebody sits there."""

    def __init__(self) -> None:
        self._shown = -1
        self._visible = sys.stderr.isatty()

    def report(self, fraction: float, stage: str = "") -> None:
        del stage
        percent = int(100 * fraction)
        if self._visible and percent != self._shown:
            self._shown = percent
            print(f"\r{percent:3d} %", end="\n" if percent >= 100 else "", file=sys.stderr, flush=True)

    def cancelled(self) -> bool:
        return False


def parser() -> argparse.ArgumentParser:
    main = argparse.ArgumentParser(
        prog="ekinshi", description="A radiology workstation with an embedded second reader. Without a command: the window."
    )
    main.add_argument("--version", action="version", version=f"Ekinshi {__version__}")
    main.add_argument(
        "--language", choices=LANGUAGES, help="language of the screen and of messages (default: the last one, else en)"
    )
    commands = main.add_subparsers(dest="command", metavar="COMMAND")

    window = commands.add_parser("window", help="open the workstation (the default)")
    window.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="import these first")
    window.add_argument("--samples", action="store_true", help="a demonstration library with the sample studies")

    demo = commands.add_parser("demo", help="play the whole path through the real window on the sample studies")
    demo.add_argument("--out", type=Path, default=Path("demo-out"), help="folder for pictures, findings, report, receipt")

    info = commands.add_parser("info", help="what the files are: studies, series, transfer syntaxes, refused files")
    info.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    info.add_argument("--json", action="store_true", help="one JSON object on standard output")
    info.add_argument("--pixels", action="store_true", help="shape, dtype, min, max, mean and SHA-256 of the stored values")

    info.add_argument("--tags", action="store_true", help="why a file did not open: rules of the standard and every tag")
    info.add_argument("--find", default="", metavar="TEXT", help="with --tags: only tags whose name or value holds it")

    read = commands.add_parser("read", help="run the second readers over files; the output is unsealed and says so")
    read.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    read.add_argument("--out", type=Path, required=True, help="folder for findings.json, DICOM objects and key images")
    read.add_argument("--reader", action="append", default=[], metavar="NAME", help="only this reader; may be repeated")
    read.add_argument("--json", action="store_true", help="one JSON object on standard output")

    imports = commands.add_parser("import", help="import files, folders, ZIPs or discs into the library")
    imports.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    imports.add_argument("--json", action="store_true")
    add_picture_options(imports)
    add_export(commands)

    sync = commands.add_parser("sync", help="send what waits in the outbox and prove what was sent")
    sync.add_argument("--once", action="store_true", help="one round, then end; else until interrupted")
    sync.add_argument("--json", action="store_true")

    verify = commands.add_parser("verify", help="check the signature of a report (PDF or DICOM) or a receipt")
    verify.add_argument("files", nargs="+", type=Path, metavar="FILE")
    verify.add_argument("--json", action="store_true")

    models = commands.add_parser("models", help="the second readers that are installed")
    models.add_argument("what", choices=("list", "card", "self-test"))
    models.add_argument("name", nargs="?", help="reader (for card and self-test)")
    models.add_argument("--json", action="store_true")
    return main


def _say_problem(error: ProblemError, language: str) -> None:
    print(f"ekinshi: {sentence(language, error.problem)}", file=sys.stderr)


def _json(document: Any) -> None:
    print(json.dumps(document, ensure_ascii=False, indent=2))


def _missing(paths: Sequence[Path]) -> bool:
    """Says which paths are not there; True when one is missing."""
    missing = [p for p in paths if not p.exists()]
    for path in missing:
        print(f"ekinshi: there is no file or folder {path}", file=sys.stderr)
    return bool(missing)


def info(options: argparse.Namespace) -> int:
    from app.dicom.info import all_opened, inspect

    if _missing(options.paths):
        return FAILED
    if options.tags:
        return _tags(options)
    report = inspect(options.paths, pixels=options.pixels, progress=TerminalProgress())
    if options.json:
        _json(report)
    else:
        _print_info(report)
    return OK if all_opened(report) else FAILED


def _tags(options: argparse.Namespace) -> int:
    """Each file held against the standard; folders are walked."""
    from app.dicom.examine import REFUSED
    from app.dicom.tag_report import SCHEMA, lines
    from app.session.commands import tags_of

    answers = tags_of(options.paths, options.find, options.language)
    if options.json:
        _json({"schema": SCHEMA, "files": answers})
    else:
        for answer in answers:
            print(answer["path"])
            print("\n".join(lines(answer)))
    return FAILED if any(a["state"] == REFUSED for a in answers) else OK


def _print_info(report: dict[str, Any]) -> None:
    for study in report["studies"]:
        print(f"Study {study['study_instance_uid']}  {study['study_datetime']}  {study['description']}")
        for series in study["series"]:
            print(
                f"  Series {series['series_number'] or '-'}  {series['modality']}  "
                f"{series['description']}  {series['instances']} objects, {series['frames']} frames"
            )
            for shown in series.get("display_sets", []):
                print(f"    {shown['kind']}: {shown['label']} ({shown['frames']} frames)")
    for entry in report["files"]:
        if entry["state"] != "exact":
            print(f"{entry['state']}: {entry['path']}: {entry['sentence']}")
        elif entry.get("pixels"):
            p = entry["pixels"]
            print(f"{entry['path']}: {p['shape']} {p['dtype']} {p['min']}..{p['max']} mean {p['mean']} {p['sha256']}")
    for entry in (*report["duplicates"], *report["remarks"]):
        print(": ".join(str(part) for part in (entry.get("path"), entry["sentence"]) if part))
    counts = report["counts"]
    print(f"{counts['exact']} exact, {counts['repaired']} repaired, {counts['refused']} refused")


def read(options: argparse.Namespace) -> int:
    from app.session.commands import sealed_studies, worker_parts
    from app.session.headless_read import read_paths

    if _missing(options.paths):
        return FAILED
    catalogue, worker = worker_parts()
    output = read_paths(
        options.paths,
        options.out,
        catalogue,
        worker,
        TerminalProgress(),
        readers=options.reader,
        sealed_studies=sealed_studies(),
        language=options.language,
    )
    if options.json:
        _json(output.document)
    else:
        for study in output.document["studies"]:
            print(f"Study {study['study_instance_uid']}: {study['findings']} findings -> {study['folder']}")
            for run in study["readers"]:
                print(f"  {run['name']} {run['version']}: {run['state']} {run['reason']} ({run['seconds']} s)")
        print("Unsealed, command line. Research use only.")
    for name in output.document["unknown_readers"]:
        print(f"ekinshi: there is no reader {name}; `ekinshi models list` names those that are installed", file=sys.stderr)
    for refused in output.document["refused"]:
        print(f"ekinshi: {refused['path']}: {refused['reason']}", file=sys.stderr)
    if not output.studies and not output.document["refused"]:
        print("ekinshi: no DICOM study was found there", file=sys.stderr)
    return output.exit_code


def import_(options: argparse.Namespace) -> int:
    from app.session.commands import import_into_library

    if _missing(options.paths):
        return FAILED
    if options.as_patient:
        return import_pictures(options, TerminalProgress())
    document = import_into_library(options.paths, TerminalProgress())
    if options.json:
        _json(document)
    else:
        print(
            f"{len(document['studies'])} studies with something new, {document['added']} new images, "
            f"{document['known']} known, {len(document['refused'])} refused"
        )
        for refused in document["refused"]:
            print(f"refused: {refused['path']}: {refused['reason']}")
        if document["stopped"]:
            print(f"ekinshi: {document['stopped']['reason']}", file=sys.stderr)
    return FAILED if document["refused"] or document["stopped"] else OK


def sync(options: argparse.Namespace) -> int:
    from app.session.commands import sync_library

    document = sync_library(once=options.once)
    if options.json:
        _json(document)
    else:
        print(", ".join(f"{n} {state}" for state, n in document["states"].items() if n) or "nothing is waiting")
        for problem in document["problems"]:
            print(f"{problem['target']}: {problem['reason']}")
    return FAILED if document["problems"] else OK


def verify(options: argparse.Namespace) -> int:
    from app.session.commands import verify_files

    if _missing(options.files):
        return FAILED
    answers = verify_files(options.files, options.language)
    if options.json:
        _json({"schema": "ekinshi.verify/1", "files": answers})
    else:
        for answer in answers:
            print(f"{answer['path']}: {answer['sentence']}")
    return OK if all(a["valid"] for a in answers) else FAILED


def models(options: argparse.Namespace) -> int:
    from app.session import commands

    if options.what == "list":
        document = commands.models_list(options.language)
        if options.json:
            _json(document)
        else:
            for model in document["models"]:
                print(f"{model['name']} {model['version']}  {model['title']}  {model['package_sha256'][:16]}")
            for broken in document["broken"]:
                print(f"{broken['file']}: {broken['reason']}")
        return FAILED if document["broken"] else OK
    if options.what == "card":
        if not options.name:
            print("ekinshi: `models card` needs the name of a reader", file=sys.stderr)
            return USAGE
        card = commands.model_card(options.name)
        if card is None:
            print(f"ekinshi: there is no reader {options.name}", file=sys.stderr)
            return FAILED
        _json(card)
        return OK
    document = commands.self_test(options.name)
    if options.json:
        _json(document)
    else:
        for model in document["models"]:
            print(f"{model['name']}: {'passed' if model['passed'] else 'FAILED'} {model['reason']}")
    return OK if document["models"] and all(m["passed"] for m in document["models"]) else FAILED


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "info": info,
    "read": read,
    "import": import_,
    "export": lambda options: export(options, TerminalProgress()),
    "sync": sync,
    "verify": verify,
    "models": models,
}


def run(options: argparse.Namespace) -> int:
    """Runs a command that needs no window; problems are told in a sentence, never as a stack of calls."""
    options.language = options.language or "en"
    try:
        return COMMANDS[options.command](options)
    except ProblemError as error:
        _say_problem(error, options.language)
        return FAILED
    except BrokenPipeError:
        sys.stderr.close()
        return FAILED
    except KeyboardInterrupt:
        print("ekinshi: stopped; what was confirmed is kept", file=sys.stderr)
        return FAILED
