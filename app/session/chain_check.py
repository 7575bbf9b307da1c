"""Whether the event log's chain of digests holds: the whole log is checked beside whenever it has grown."""

from __future__ import annotations

from collections.abc import Callable

from app.domain.problem import Problem
from app.session.images import Images
from app.session.views import Changes, Notice
from app.store.events import ChainReport
from app.store.library import Library


class ChainCheck:
    def __init__(
        self, library: Library, beside: Images, announce: Callable[[Changes], None], notice: Callable[[Notice], None]
    ) -> None:
        self._library = library
        self._beside = beside
        self._announce = announce
        self._notice = notice
        self._checked, self._checking, self._intact = -1, False, True

    def intact(self) -> bool:
        """What the last check of the whole log said; a longer log is checked again beside, never on this thread."""
        count = self._library.events.count()
        if self._checked != count and not self._checking:
            self._checking = True
            self._beside.beside(lambda: self._library.events.verify_chain(), self._came)
        return self._intact

    def _came(self, report: ChainReport | None) -> None:
        self._checking = False
        if report is None:
            return
        changed = report.intact != self._intact
        self._checked, self._intact = report.length, report.intact
        if not report.intact:
            self._notice(Notice(Problem("library.chain_broken", {"at": report.broken_at}, next_step="next.tell_support")))
        if changed:
            self._announce(Changes(worklist=True, tray=True))
