"""What an import job has copied: written down as it goes, asked before anything is copied again."""

from __future__ import annotations

import dataclasses
import os
import threading

from app.dicom.byte_source import split_zip_locator
from app.domain.study import Instance, Series, Study
from app.store.database import Tx
from app.store.import_jobs import Copy, ImportJob
from app.store.library import Library
from app.store.objects import SCHEME, StoredBytes

_FLUSH_BYTES = 64 << 20
"""Copied bytes that a kill may cost; so many files come at once anyway."""


def study_key(study: Study) -> str:
    """Names a study of one person: two persons under one Study Instance UID have two keys."""
    return "|".join((study.study_instance_uid, *study.patient.key))


def series_key(study: Study, series: Series) -> str:
    return f"{study_key(study)}|{series.series_instance_uid}"


def changed_ns(locator: str) -> int:
    """When the file behind a locator (for a member, its archive) was last changed; 0 when that cannot be told."""
    path = split_zip_locator(locator)[0] if locator.startswith("zip:") else locator.partition(":")[2]
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


class CopyJournal:
    """Of one job. ``add`` and ``there`` may come from any copying thread."""

    def __init__(self, library: Library, job: ImportJob) -> None:
        self._library = library
        self.job = job
        self._there = library.import_jobs.copies(job.job_id)
        self._new: list[Copy] = []
        self._lock = threading.Lock()

    def begin(self) -> None:
        self._library.write(lambda tx: self._library.import_jobs.begin(tx, self.job))

    def is_done(self, study: Study) -> bool:
        return study_key(study) in self.job.done_studies

    def there(self, instance: Instance) -> StoredBytes | None:
        """The copy that was made before the cut, while its source has not changed and it can still be found."""
        found = self._there.get(instance.locator)
        if found is None or not found.changed_ns or not self._library.objects.exists(found.object_name):
            return None
        if found.size_bytes != instance.size_bytes or found.changed_ns != changed_ns(instance.locator):
            return None
        return StoredBytes(found.object_name, found.sha256, found.size_bytes)

    def add(self, instance: Instance, stored: StoredBytes) -> None:
        copy = Copy(
            instance.locator,
            instance.size_bytes,
            changed_ns(instance.locator),
            stored.sha256,
            stored.locator.removeprefix(SCHEME),
        )
        with self._lock:
            self._new.append(copy)
            many = sum(c.size_bytes for c in self._new) > _FLUSH_BYTES
        if many:
            self.flush()

    def flush(self) -> None:
        """Writes down what has been copied since the last time: from here on a kill does not lose it."""
        with self._lock:
            new, self._new = self._new, []
        if new:
            self._library.write(lambda tx: self._library.import_jobs.copied(tx, self.job.job_id, new))

    def study_done(self, tx: Tx, study: Study) -> None:
        """Inside the transaction that names the study's objects."""
        with self._lock:
            self._new = []
        locators = [i.locator for s in study.series for i in s.instances]
        size = sum(i.size_bytes for s in study.series for i in s.instances)
        self.job = dataclasses.replace(
            self.job,
            done_studies=(*self.job.done_studies, study_key(study)),
            done_bytes=self.job.done_bytes + size,
        )
        self._library.import_jobs.study_done(tx, self.job, locators)

    def finish(self) -> None:
        """The job is over: nothing of it is left but what the library names."""
        jobs = self._library.import_jobs
        self._library.remove_unreferenced(self._library.write(lambda tx: jobs.finish(tx, self.job.job_id)))

    def let_go(self) -> None:
        self._library.write(lambda tx: self._library.import_jobs.let_go(tx, self.job.job_id))
