"""``ekinshi read``: second readers over files, without a library and without a seal; the output says so."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app import __version__
from app.ai.catalogue import Accepted, Catalogue
from app.ai.client import SecondReaderClient
from app.ai.read_now import InlineLoop, read_now
from app.ai.reader_api import EarlierFilms
from app.ai.worker_process import WorkerOptions
from app.dicom.byte_source import FileByteSource
from app.dicom.coding import finding_kind
from app.dicom.display_sets import display_sets
from app.dicom.scanner import scan
from app.domain.finding import Finding, ReadResult, ReadState
from app.domain.messages import sentence, templates
from app.domain.model_card import ModelCard
from app.domain.ports import Cancelled, Progress
from app.domain.problem import Problem, ProblemError
from app.domain.report import Report
from app.domain.study import DisplaySet, RefusedFile, Study
from app.session.cards import ordered
from app.session.earlier_films import earlier_films
from app.session.finding_picture import finding_picture
from app.session.read_planner import job_of
from app.session.report_packet import PacketInput, ai_objects
from app.session.wiring import this_person

SCHEMA = "ekinshi.read/1"
UNSEALED = "unsealed, command line"


@dataclass(frozen=True)
class ReaderRun:
    """What became of one reader on one study."""

    name: str
    version: str
    state: ReadState
    reason: str = ""
    code: str = ""
    seconds: float = 0.0
    result: ReadResult | None = None


@dataclass(frozen=True)
class StudyRead:
    study: Study
    folder: Path
    runs: tuple[ReaderRun, ...]


@dataclass(frozen=True)
class ReadOutput:
    """``document`` is the JSON of the command; ``exit_code`` 0 or 1 as documented in ``docs/cli.md``."""

    document: dict[str, Any]
    exit_code: int
    studies: tuple[StudyRead, ...]
    refused: tuple[RefusedFile, ...]


class _Timed:
    """Progress of one study among several."""

    def __init__(self, outer: Progress, start: float, share: float) -> None:
        self._outer, self._start, self._share = outer, start, share

    def report(self, fraction: float, stage: str = "") -> None:
        self._outer.report(self._start + self._share * fraction, stage)

    def cancelled(self) -> bool:
        return self._outer.cancelled()


def read_paths(
    paths: Sequence[Path],
    out: Path,
    catalogue: Catalogue,
    options: WorkerOptions,
    progress: Progress,
    readers: Sequence[str] = (),
    sealed_studies: frozenset[str] = frozenset(),
    language: str = "en",
) -> ReadOutput:
    """Scans, reads with every accepting reader (or those of ``readers``), writes a folder a study below ``out``.

    ``sealed_studies``: studies of the library whose first opinion is not committed; they are refused, not read.
    """
    found = scan(paths, _Timed(progress, 0.0, 0.05))
    client = SecondReaderClient(InlineLoop(), options)
    reads: list[StudyRead] = []
    try:
        for n, study in enumerate(found.studies):
            share = _Timed(progress, 0.05 + 0.95 * n / len(found.studies), 0.95 / len(found.studies))
            sealed = study.study_instance_uid in sealed_studies
            others = [s for s in found.studies if s is not study]
            reads.append(_read_study(study, others, out, catalogue, options, client, share, readers, sealed, language))
    finally:
        client.shutdown()
    asked_failed = any(
        run.state in (ReadState.FAILED, ReadState.OUT_OF_SCOPE) and run.name in readers for r in reads for run in r.runs
    )
    failed = any(run.state is ReadState.FAILED for r in reads for run in r.runs)
    unknown = [name for name in readers if catalogue.package(name) is None]
    document = {
        "schema": SCHEMA,
        "software": f"Ekinshi {__version__}",
        "seal": UNSEALED,
        "studies": [
            {
                "study_instance_uid": r.study.study_instance_uid,
                "folder": str(r.folder),
                "findings": sum(len(run.result.findings) for run in r.runs if run.result),
                "readers": [_run_json(run) for run in r.runs],
            }
            for r in reads
        ],
        "refused": [{"path": f.path, "code": f.problem.code, "reason": sentence("en", f.problem)} for f in found.refused],
        "unknown_readers": unknown,
    }
    bad = bool(found.refused) or not found.studies or failed or asked_failed or bool(unknown)
    return ReadOutput(document, 1 if bad else 0, tuple(reads), found.refused)


def _read_study(
    study: Study,
    others: Sequence[Study],
    out: Path,
    catalogue: Catalogue,
    options: WorkerOptions,
    client: SecondReaderClient,
    progress: Progress,
    readers: Sequence[str],
    sealed: bool,
    language: str,
) -> StudyRead:
    folder = out / study.study_instance_uid
    folder.mkdir(parents=True, exist_ok=True)
    sets = display_sets(study)
    runs: list[ReaderRun] = []
    if sealed:
        problem = Problem("read.study_is_sealed", next_step="next.commit_first")
        runs = [_refused(p.card, problem) for p in catalogue.installed() if not readers or p.name in readers]
    else:
        acceptance = catalogue.accepting(study, sets)
        accepted = [a for a in acceptance.accepted if not readers or a.package.name in readers]
        reading = {a.package.name for a in accepted}
        for no in acceptance.refused:
            wanted = not readers or no.package.name in readers
            if wanted and no.package.name not in reading and all(r.name != no.package.name for r in runs):
                runs.append(_refused(no.package.card, no.reason))
        for n, one in enumerate(accepted):
            share = _Timed(progress, n / len(accepted), 1 / len(accepted))
            earlier = earlier_films(catalogue, one, study, others, FileByteSource())
            runs.append(_run(study, one, options, client, share, earlier))
    runs.sort(key=lambda r: r.name)
    _write(study, sets, folder, runs, language)
    return StudyRead(study, folder, tuple(runs))


def _refused(card: ModelCard, problem: Problem) -> ReaderRun:
    return ReaderRun(card.reader_name, card.version, ReadState.OUT_OF_SCOPE, sentence("en", problem), problem.code)


def _run(
    study: Study,
    accepted: Accepted,
    options: WorkerOptions,
    client: SecondReaderClient,
    progress: Progress,
    earlier: EarlierFilms | None,
) -> ReaderRun:
    card, started = accepted.card, time.perf_counter()

    def ended(state: ReadState, problem: Problem | None, result: ReadResult | None = None) -> ReaderRun:
        reason = sentence("en", problem) if problem is not None else ""
        seconds = round(time.perf_counter() - started, 2)
        return ReaderRun(card.reader_name, card.version, state, reason, problem.code if problem else "", seconds, result)

    try:
        job = job_of(study, accepted, FileByteSource(), b"", earlier)
        result = read_now(job, options, progress, client)
    except Cancelled:
        raise
    except ProblemError as error:
        broken = error.problem.code.startswith(("ai.run.", "ai.worker.", "ai.client."))
        return ended(ReadState.FAILED if broken else ReadState.OUT_OF_SCOPE, error.problem)
    return ended(result.state, result.problems[0] if result.problems else None, result)


def _run_json(run: ReaderRun) -> dict[str, Any]:
    return {
        "name": run.name,
        "version": run.version,
        "state": run.state.value,
        "reason": run.reason,
        "code": run.code,
        "seconds": run.seconds,
        "findings": len(run.result.findings) if run.result else 0,
    }


# -- what is written -------------------------------------------------------------------------------------------------


def finding_json(finding: Finding, rank: int) -> dict[str, Any]:
    """One finding with the keys of ``docs/cli.md``."""
    location, reader = finding.location, finding.reader
    return {
        "rank": rank,
        "finding_id": finding.finding_id,
        "code": {"value": finding.code.value, "scheme": finding.code.scheme, "meaning": finding.code.meaning},
        "label": finding_kind(finding.code),
        "laterality": finding.laterality,
        "region": finding.region,
        "attributes": dict(finding.attributes),
        "centre_lps_mm": list(location.centre_lps_mm) if location.centre_lps_mm else None,
        "box_lps_mm": [list(p) for p in location.box_lps_mm] if location.box_lps_mm else None,
        "frame_of_reference_uid": location.frame_of_reference_uid,
        "sop_instance_uid": location.sop_instance_uid,
        "frame": location.frame,
        "image_px": list(location.centre_px) if location.centre_px else None,
        "box_px": list(location.box_px) if location.box_px else None,
        "measurements": [
            {"quantity": m.quantity.value, "value": round(m.value, 4), "unit": m.unit, "calibrated": m.calibrated}
            for m in finding.measurements
        ],
        "score": finding.score,
        "probability": finding.probability,
        "band": finding.band.value if finding.band else None,
        "reader": reader.name if reader else "",
        "reader_version": reader.version if reader else "",
        "operating_point": reader.operating_point if reader else "",
        "package_sha256": reader.package_sha256 if reader else "",
        "research_use_only": reader.research_use_only if reader else True,
    }


def findings_document(
    study: Study, results: Iterable[ReadResult], runs: Sequence[dict[str, Any]], seal: str
) -> dict[str, Any]:
    """``findings.json`` of one study."""
    kept = tuple(results)
    return {
        "schema": SCHEMA,
        "study_instance_uid": study.study_instance_uid,
        "seal": seal,
        "notice": "Research use only. Not a diagnosis: a person decides on every finding.",
        "readers": list(runs),
        "findings": [finding_json(f, n) for n, f in enumerate(ordered(kept), 1)],
        "measurements": [
            {"reader": r.reader.name, "what": what, "value": value, "unit": unit}
            for r in kept
            for what, value, unit in r.measurements
        ],
    }


def _write(study: Study, sets: tuple[DisplaySet, ...], folder: Path, runs: Sequence[ReaderRun], language: str) -> None:
    results = tuple(run.result for run in runs if run.result is not None)
    document = findings_document(study, results, [_run_json(r) for r in runs], UNSEALED)
    objects = []
    if results:
        packet = PacketInput(
            study=study,
            report=Report("", study.study_instance_uid, 1, language, "", ()),
            person=this_person(),
            signed_at=datetime.now(UTC).replace(microsecond=0),
            demonstration=False,
            results=results,
            verdicts={},
            own=(),
            agreed_own=frozenset(),
            opinion=None,
        )
        for n, written in enumerate(ai_objects(packet), 1):
            name = f"{written.kind}-{n}.dcm"
            (folder / name).write_bytes(written.content)
            objects.append({"kind": written.kind, "file": name, "sha256": written.sha256})
    pictures = []
    for n, finding in enumerate(ordered(results), 1):
        picture = finding_picture(study, sets, FileByteSource(), finding, f"A{n}", templates(language))
        if picture is not None:
            name = f"finding-{n:02d}.png"
            (folder / name).write_bytes(picture)
            pictures.append({"finding_id": finding.finding_id, "file": name})
    document = {**document, "objects": objects, "key_images": pictures}
    temporary = folder / "findings.json.part"
    temporary.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    temporary.replace(folder / "findings.json")
