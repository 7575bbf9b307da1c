"""A repaired copy of a refused file into the library, its unaltered source bytes beside it."""

from __future__ import annotations

from collections.abc import Callable

from app.dicom.repair import Repair, repaired_copy
from app.domain.ports import ByteSource, Progress
from app.domain.problem import Problem, ProblemError
from app.session.importing import ImportSummary, Share
from app.session.picture_import import put_study
from app.session.tasks import TaskRunner
from app.session.views import Words
from app.store.database import Tx
from app.store.import_jobs import SourceFile
from app.store.library import Library


def repair_into(
    library: Library, source: ByteSource, locator: str, repair: Repair, progress: Progress, person: str = ""
) -> ImportSummary:
    """One transaction; nothing half stays, the same file again changes nothing. Raises ``ProblemError``, ``Cancelled``."""
    data = source.read(locator)
    made = repaired_copy(data, repair, Share(progress, 0.0, 0.8))
    put: list[str] = []
    try:
        kept = library.objects.put(data)
        put.append(kept.name)
        study = put_study(library, [made], put)
        sop = study.series[0].instances[0].sop_instance_uid

        def work(tx: Tx) -> bool:
            outcome = library.studies.import_study(tx, study, person=person)
            if outcome.refused:
                raise ProblemError(outcome.refused[0].problem)
            library.import_jobs.keep_source(
                tx, SourceFile(sop, kept.name, kept.sha256, kept.size_bytes, "application/dicom")
            )
            return bool(outcome.added)

        added = library.write(work)
    except BaseException:
        library.remove_unreferenced(put)
        raise
    uids = (study.study_instance_uid,)
    return ImportSummary(
        uids if added else (), () if added else uids, 1, int(added), int(not added), (), 1, (), len(data), 1
    )


class RepairDesk:
    """Main thread."""

    def __init__(
        self,
        library: Library,
        tasks: TaskRunner,
        person: Callable[[], str],
        imported: Callable[[ImportSummary], None],
    ) -> None:
        self._library, self._tasks, self._person, self._imported = library, tasks, person, imported

    def start(
        self,
        source: ByteSource,
        key: str,
        repair: Repair,
        done: Callable[[ImportSummary], None],
        failed: Callable[[Problem], None],
    ) -> str:
        """As a task with progress and cancel; returns its id."""
        library, person = self._library, self._person()

        def came(summary: ImportSummary) -> None:
            self._imported(summary)
            done(summary)

        return self._tasks.start(
            Words("task.repair"), lambda progress: repair_into(library, source, key, repair, progress, person), came, failed
        )
