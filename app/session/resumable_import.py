"""An import without a window that goes on where it was cut: the same journal as the window's, found by its paths."""

from __future__ import annotations

import dataclasses
import os
import uuid
from collections.abc import Sequence
from pathlib import Path

from app.dicom.scanner import ScanResult, scan
from app.domain.ports import Progress
from app.session.import_journal import CopyJournal, series_key, study_key
from app.session.importing import SCAN_SHARE, ImportSummary, Share, import_scanned
from app.store.import_jobs import ImportJob
from app.store.library import Library


def import_resumably(
    library: Library, paths: Sequence[Path], progress: Progress, person: str = ""
) -> tuple[ImportSummary, bool]:
    """Imports all studies below ``paths``; True when an import of the same paths that had been cut was taken up.

    What was copied before a kill, a full disk or an interrupt is not copied again, and the job is kept until it ends: it is
    offered by the window too. Raises what the scan raises (nothing has been touched then).
    """
    found = scan(paths, Share(progress, 0.0, SCAN_SHARE))
    job, taken_up = _job(library, tuple(os.path.abspath(p) for p in paths), found, person)
    journal = CopyJournal(library, job)
    journal.begin()
    try:
        summary = import_scanned(library, found, Share(progress, SCAN_SHARE, 1 - SCAN_SHARE), person, journal=journal)
    except BaseException:
        journal.let_go()
        raise
    if summary.stopped is None:
        journal.finish()
    else:
        journal.let_go()
    return summary, taken_up


def _job(library: Library, paths: tuple[str, ...], found: ScanResult, person: str) -> tuple[ImportJob, bool]:
    """The job that was cut, or a new one. A study that has more files now than it had then is looked at again."""
    series = tuple(sorted(series_key(study, s) for study in found.studies for s in study.series))
    size = sum(i.size_bytes for study in found.studies for s in study.series for i in s.instances)
    cut = next((job for job, _ in library.import_jobs.waiting() if job.paths == paths), None)
    if cut is None:
        name = Path(paths[0]).name or paths[0]
        title = name if len(paths) == 1 else f"{name} +{len(paths) - 1}"
        return ImportJob(uuid.uuid4().hex, person, paths, series, title, size, library.clock.now_iso()), False
    whole = []
    for study in found.studies:
        uids = {i.sop_instance_uid for s in study.series for i in s.instances}
        if study_key(study) in cut.done_studies and len(library.studies.digests(uids)) == len(uids):
            whole.append(study_key(study))
    return dataclasses.replace(cut, series=series, total_bytes=size, done_studies=tuple(whole)), True
