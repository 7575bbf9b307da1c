"""What the command line asks for, as plain JSON-able answers. The same library, readers and targets as the window's."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.ai.catalogue import Catalogue
from app.ai.plain import to_plain
from app.ai.read_now import self_test_now
from app.ai.worker_process import WorkerOptions
from app.domain.messages import sentence, translate
from app.domain.ports import Progress
from app.domain.problem import Problem, ProblemError
from app.report.verification import verify_file
from app.security.keys import default_key_provider
from app.security.secrets_box import open_box
from app.session.clock import SystemClock
from app.session.homes import cache_folder, home_folder, model_folders, trust_lists
from app.session.resumable_import import import_resumably
from app.session.sync_service import SyncService, targets_of
from app.store.library import DATABASE_NAME, Library


def worker_parts() -> tuple[Catalogue, WorkerOptions]:
    home = home_folder()
    trust = trust_lists(home)
    return Catalogue(model_folders(home), trust), WorkerOptions(trust=trust, cache=cache_folder() / "engines")


def _library(create: bool) -> Library:
    home = home_folder()
    return Library.open(home, default_key_provider(home), SystemClock(), create=create)


def open_library(create: bool) -> Library:
    """This PC's library, for a command. Raises ``ProblemError``."""
    return _library(create)


def sealed_studies() -> frozenset[str]:
    """Studies of this PC's library whose first opinion nobody has committed: `ekinshi read` must not open them.

    Empty when there is no library here. A library that cannot be opened without a person is told as a problem.
    """
    home = home_folder()
    if not (home / DATABASE_NAME).exists():
        return frozenset()
    with Library.open(home, default_key_provider(home), SystemClock(), create=False) as library:
        rows = library.studies.search(limit=1_000_000)
        return frozenset(r.study_instance_uid for r in rows if not library.opinions.is_committed(r.study_instance_uid))


def import_into_library(paths: Sequence[Path], progress: Progress) -> dict[str, Any]:
    with _library(create=True) as library:
        summary, resumed = import_resumably(library, paths, progress)
    return {
        "schema": "ekinshi.import/1",
        "resumed": resumed,
        "studies": list(summary.studies),
        "known_studies": list(summary.known_studies),
        "patients": summary.patients,
        "added": summary.added,
        "known": summary.known,
        "repaired": summary.repaired,
        "refused": [{"path": r.path, "code": r.problem.code, "reason": sentence("en", r.problem)} for r in summary.refused],
        "remarks": [sentence("en", p) for p in summary.remarks],
        "stopped": {"code": stopped.code, "reason": sentence("en", stopped)} if (stopped := summary.stopped) else None,
    }


def sync_library(once: bool) -> dict[str, Any]:
    """One round over every target, or rounds until interrupted."""
    home = home_folder()
    keys = default_key_provider(home)
    clock = SystemClock()
    with Library.open(home, keys, clock, create=False) as library:
        service = SyncService(library, targets_of(home, open_box(home, keys)), clock)
        while True:
            service.drain_once()
            if once:
                break
            time.sleep(5.0)
        counts = library.outbox.counts()
        targets = service.targets()
    return {
        "schema": "ekinshi.sync/1",
        "states": {state.value: n for state, n in counts.items()},
        "problems": [
            {"target": t.name, "code": t.last_problem.code, "reason": sentence("en", t.last_problem)}
            for t in targets
            if t.last_problem is not None
        ],
    }


def verify_files(files: Sequence[Path], language: str) -> list[dict[str, Any]]:
    answers = []
    for file in files:
        try:
            result = verify_file(file)
        except ProblemError as error:
            answers.append(
                {"path": str(file), "valid": False, "answer": "unreadable", "sentence": sentence(language, error.problem)}
            )
            continue
        answers.append(
            {
                "path": str(file),
                "valid": result.answer.value == "valid",
                "answer": result.answer.value,
                "kind": result.kind,
                "signer": result.signer,
                "issuer": result.issuer,
                "signed_at": result.signed_at,
                "demonstration": result.demonstration,
                "report_id": result.report_id,
                "sentence": translate(language, result.code, {"signer": result.signer, **result.params}),
            }
        )
    return answers


def models_list(language: str) -> dict[str, Any]:
    catalogue, _ = worker_parts()
    return {
        "schema": "ekinshi.models/1",
        "models": [
            {
                "name": p.name,
                "version": p.card.version,
                "title": p.card.titles.get(language) or p.card.titles.get("en", p.name),
                "package_sha256": p.digest,
                "signed_by": p.signed_by,
                "research_use_only": p.card.research_use_only,
            }
            for p in catalogue.installed()
        ],
        "broken": [
            {"file": b.path.name, "code": b.problem.code, "reason": sentence("en", b.problem)} for b in catalogue.broken()
        ],
    }


def model_card(name: str) -> dict[str, Any] | None:
    catalogue, _ = worker_parts()
    card = catalogue.card(name)
    return dict(to_plain(card)) if card is not None else None


def self_test(name: str | None) -> dict[str, Any]:
    """Golden cases of one package, or of all that are installed."""
    catalogue, options = worker_parts()
    packages = [p for p in catalogue.installed() if name is None or p.name == name]
    out = []
    for package in packages:
        try:
            report: dict[str, Any] = self_test_now(package.path, options)
            out.append({"name": package.name, "passed": True, "reason": "", "report": report})
        except ProblemError as error:
            out.append({"name": package.name, "passed": False, "reason": sentence("en", error.problem), "report": {}})
    if name is not None and not packages:
        problem = Problem("ai.reader.missing", {"name": name})
        out.append({"name": name, "passed": False, "reason": sentence("en", problem), "report": {}})
    return {"schema": "ekinshi.self-test/1", "models": out}


def tags_of(paths: Sequence[Path], find: str, language: str) -> list[dict[str, Any]]:
    """What ``info --tags`` says of each file; what cannot be read at all is refused with its reason."""
    from app.dicom.byte_source import FileByteSource, file_locator
    from app.dicom.examine import REFUSED, examine
    from app.dicom.tag_report import report

    source = FileByteSource()
    answers: list[dict[str, Any]] = []
    files = [f for p in paths for f in (sorted(q for q in p.rglob("*") if q.is_file()) if p.is_dir() else [p])]
    for file in files:
        try:
            answer = report(examine(file_locator(file), source, file.name), find, language)
        except ProblemError as error:
            answer = {
                "state": REFUSED,
                "sop_class": "",
                "transfer_syntax": "",
                "bytes": 0,
                "reasons": [],
                "tags": [],
                "sentence": sentence(language, error.problem),
            }
        answers.append({"path": str(file), **answer})
    source.close()
    return answers
