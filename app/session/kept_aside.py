"""An import loses nothing: other bytes under a known number go aside, encrypted, for a person to compare."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from app.dicom.byte_source import locator_of
from app.domain.ports import ByteSource
from app.domain.problem import Problem, ProblemError
from app.domain.study import RefusedFile, Series, Study
from app.store.database import Tx
from app.store.library import Library
from app.store.objects import SCHEME, StoredBytes

OTHER_BYTES = frozenset({"store.same_uid_other_bytes", "dicom.duplicate_uid"})


def told_aside(problem: Problem) -> Problem:
    """The same problem, saying where the other bytes are."""
    if problem.code not in OTHER_BYTES:
        return problem
    return dataclasses.replace(problem, kept_safe="safe.kept_aside", next_step="next.compare_the_two")


def shown_path(locator: str) -> str:
    """A path for a person: without the scheme."""
    return locator.split(":", 1)[1] if locator.startswith(("file:", "zip:")) else locator


def keep_refused(
    library: Library, tx: Tx, study: Study, copied: Sequence[Series], refused: Sequence[RefusedFile], person: str
) -> None:
    """Keeps the copies that the library refused because their number is here; inside the study's own transaction.

    ``study``: as it was scanned, ``copied``: its series with locators into the library.
    """
    wanted = {r.sop_instance_uid for r in refused if r.problem.code in OTHER_BYTES}
    if not wanted:
        return
    sources = {i.sop_instance_uid: shown_path(i.locator) for s in study.series for i in s.instances}
    for series in copied:
        for one in series.instances:
            if one.sop_instance_uid in wanted and one.locator.startswith(SCHEME):
                stored = StoredBytes(one.locator.removeprefix(SCHEME), one.sha256, one.size_bytes)
                library.aside.keep(tx, one.sop_instance_uid, stored, sources.get(one.sop_instance_uid, ""), person)


def keep_twice(library: Library, source: ByteSource, twice: Sequence[RefusedFile], person: str) -> Problem | None:
    """Keeps files of one medium that share their number with another file of it that was imported.

    The answer is why that ended early: the library's own disk. A file that cannot be read any more stays on its medium.
    """
    for one in twice:
        locator = locator_of(one.path)
        try:
            stored = library.objects.put(source.plain_path(locator) or source.read(locator))
        except ProblemError as error:
            if error.problem.code.startswith("store."):
                return error.problem
            continue

        def work(tx: Tx, one: RefusedFile = one, stored: StoredBytes = stored) -> bool:
            return library.aside.keep(tx, one.sop_instance_uid, stored, one.path, person)

        if not library.write(work):
            library.remove_unreferenced([stored.name])
    return None
