"""The seal: results of the second readers stay ciphertext until the reader's first opinion and its audit row are durable.

This is the only module that uses the private seal key (decisions.md, "The seal"). Before a commit it knows of a result
nothing but its reader, its state and the name of a padded, encrypted object.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from app.ai.catalogue import Accepted
from app.ai.client import JobHandle
from app.ai.read_job import OutcomeState, ProgressNote, ReadJob, ReadOutcome
from app.ai.result_codec import decode_result
from app.domain.event import EventKind
from app.domain.finding import Finding, ReadResult
from app.domain.model_card import ModelCard
from app.domain.ports import MainLoop
from app.domain.problem import Problem, ProblemError, fail
from app.domain.verdict import FirstOpinion, ImageQuality, Overall
from app.security.sealing import unseal
from app.store.library import Library
from app.store.sealed import SealedResult, SealState

_log = logging.getLogger(__name__)


class SealKeys(Protocol):
    """Where the pair lies: public for everyone, private for this module."""

    def public_key(self) -> bytes: ...

    def private_key(self) -> bytes: ...


class ReaderClient(Protocol):
    """The part of ``app.ai.client`` that is used here."""

    def submit(
        self,
        job: ReadJob,
        on_progress: Callable[[ProgressNote], None] | None = None,
        on_done: Callable[[ReadOutcome], None] | None = None,
    ) -> JobHandle: ...

    def cancel(self, handle: JobHandle) -> None: ...


@dataclass(frozen=True)
class Refused:
    """A reader of the study's kind that does not read it, with the reason that is told."""

    card: ModelCard
    reason: Problem


@dataclass(frozen=True)
class Plan:
    """Which readers read a study, and why others of its modality do not."""

    accepted: tuple[Accepted, ...]
    refused: tuple[Refused, ...]


class ReadPlanner(Protocol):
    """Headers to plan, and plan to job with pixels; the pixels are built on a background thread."""

    def plan(self, study_instance_uid: str) -> Plan: ...

    def job(self, study_instance_uid: str, accepted: Accepted, seal_public_key: bytes) -> ReadJob: ...


@dataclass
class _Run:
    study: str
    accepted: Accepted
    handle: JobHandle | None = None
    fraction: float | None = None


@dataclass
class _Queue:
    waiting: deque[_Run] = field(default_factory=deque)
    running: _Run | None = None


class SecondReads:
    """Plans, queues, seals; and opens what may be opened. Called on the main thread."""

    def __init__(
        self,
        library: Library,
        planner: ReadPlanner,
        client: ReaderClient | None,
        keys: SealKeys,
        loop: MainLoop,
        announce: Callable[[str], None],
        say: Callable[[Problem], None] = lambda problem: None,
    ) -> None:
        """``announce(study)`` is called on the main thread when a state changed. ``client`` None: no reader can run."""
        self._library = library
        self._planner = planner
        self._client = client
        self._keys = keys
        self._loop = loop
        self._announce = announce
        self._say = say
        self._queue = _Queue()
        self._opened: dict[tuple[str, str], ReadResult] = {}
        self._closed = False
        self._planning = 0
        self._work = ThreadPoolExecutor(1, thread_name_prefix="ekinshi-read-input")

    # -- reading in the background ---------------------------------------------------------------------------------

    def arrived(self, study: str, *, first: bool = False) -> None:
        """Plans a study that was imported or changed, beside the main thread; readers that finished it are left alone."""
        if self._client is None:
            return  # nobody could run what is queued, and a report would wait for it for ever
        self._planning += 1

        def plan() -> None:
            found, problem = None, None
            try:
                found = self._planner.plan(study)
            except ProblemError as error:
                problem = error.problem
            except Exception as error:  # a bug of ours: the study stays readable, and the log names what failed
                _log.exception("a study could not be planned")
                problem = Problem("second_read.plan_failed", {"kind": type(error).__name__}, next_step="next.retry")
            self._loop.post(lambda: self._planned(study, found, problem, first))

        self._work.submit(plan)

    def _planned(self, study: str, plan: Plan | None, problem: Problem | None, first: bool) -> None:
        self._planning -= 1
        if self._closed:
            return
        if plan is None:
            if problem is not None:
                self._say(problem)
            return
        done = {r.reader: r for r in self._library.sealed.for_study(study) if r.state is SealState.SEALED}
        for refused in plan.refused:
            if refused.card.reader_name not in done:
                self._put(study, refused.card, SealState.REFUSED, problems=(refused.reason,))
        for accepted in plan.accepted:
            card = accepted.card
            if card.reader_name in done or self._is_queued(study, card):
                continue
            self._put(study, card, SealState.WAITING)
            run = _Run(study, accepted)
            self._queue.waiting.appendleft(run) if first else self._queue.waiting.append(run)
        self._announce(study)
        self._next()

    def resume(self) -> None:
        """Queues again what was waiting or running when the programme ended."""
        for study in dict.fromkeys(r.study_instance_uid for r in self._library.sealed.unfinished()):
            self.arrived(study)

    def prefer(self, study: str) -> None:
        """The study on the screen goes first among those that wait."""
        mine = [r for r in self._queue.waiting if r.study == study]
        for run in mine:
            self._queue.waiting.remove(run)
        self._queue.waiting.extendleft(reversed(mine))

    def retry(self, study: str) -> None:
        """Runs failed readers of a study again."""
        self.arrived(study, first=True)

    def _is_queued(self, study: str, card: ModelCard) -> bool:
        runs = [*self._queue.waiting, *([self._queue.running] if self._queue.running else [])]
        return any(r.study == study and r.accepted.card.reader_name == card.reader_name for r in runs)

    def _put(
        self,
        study: str,
        card: ModelCard,
        state: SealState,
        *,
        object_name: str = "",
        problems: tuple[Problem, ...] = (),
    ) -> None:
        self._library.write(
            lambda tx: self._library.sealed.put(
                tx, study, card.reader_name, card.version, state, object_name=object_name, problems=problems
            )
        )

    def _next(self) -> None:
        if self._closed or self._queue.running is not None or not self._queue.waiting or self._client is None:
            return
        run = self._queue.waiting.popleft()
        self._queue.running = run
        self._put(run.study, run.accepted.card, SealState.RUNNING)
        self._announce(run.study)
        self._work.submit(self._prepare, run)

    def _prepare(self, run: _Run) -> None:
        """Decodes the images for the worker (not on the main thread), then hands the job over on it."""
        try:
            job = self._planner.job(run.study, run.accepted, self._keys.public_key())
        except ProblemError as error:
            problem = error.problem
            self._loop.post(lambda: self._ended(run, SealState.REFUSED, problems=(problem,)))
        except Exception as error:  # a bug of ours: the reader must not see "running" for ever
            _log.exception("the input of %s could not be built", run.accepted.card.reader_name)
            broken = Problem("second_read.input_failed", {"kind": type(error).__name__}, next_step="next.retry")
            self._loop.post(lambda: self._ended(run, SealState.FAILED, problems=(broken,)))
        else:
            self._loop.post(lambda: self._submit(run, job))

    def _submit(self, run: _Run, job: ReadJob) -> None:
        if self._closed or self._client is None:
            return
        run.fraction = 0.0

        def progress(note: ProgressNote) -> None:
            run.fraction = note.fraction
            self._announce(run.study)

        run.handle = self._client.submit(job, progress, lambda outcome: self._answered(run, outcome))

    def _answered(self, run: _Run, outcome: ReadOutcome) -> None:
        problems = (outcome.problem,) if outcome.problem else ()
        if outcome.state is OutcomeState.SEALED:
            try:
                stored = self._library.objects.put(outcome.sealed)
                self._ended(run, SealState.SEALED, object_name=stored.name, problems=run.accepted.remarks)
            except ProblemError as error:
                self._ended(run, SealState.FAILED, problems=(error.problem,))
        elif outcome.state is OutcomeState.REFUSED:
            self._ended(run, SealState.REFUSED, problems=problems)
        else:
            self._ended(run, SealState.FAILED, problems=problems)

    def _ended(self, run: _Run, state: SealState, *, object_name: str = "", problems: tuple[Problem, ...] = ()) -> None:
        if self._closed:
            return
        self._queue.running = None
        self._put(run.study, run.accepted.card, state, object_name=object_name, problems=problems)
        self._announce(run.study)
        self._next()

    def results(self, study: str) -> tuple[SealedResult, ...]:
        """Reader, state and reason only."""
        return self._library.sealed.for_study(study)

    def fraction(self, study: str) -> float | None:
        """Progress of the run on this study, None when none is under way."""
        running = self._queue.running
        return running.fraction if running is not None and running.study == study else None

    def busy(self) -> bool:
        return self._planning > 0 or self._queue.running is not None or bool(self._queue.waiting)

    def close(self) -> None:
        self._closed = True
        self._work.shutdown(wait=True, cancel_futures=True)
        running = self._queue.running
        if running is not None and running.handle is not None and self._client is not None:
            self._client.cancel(running.handle)

    # -- commit and reveal -----------------------------------------------------------------------------------------

    def commit(
        self, study: str, person: str, overall: Overall, quality: ImageQuality, marks: tuple[Finding, ...]
    ) -> FirstOpinion:
        """Keeps the first opinion and records the reveal in one durable transaction. Only after it may results be opened.

        Raises ``store.opinion_exists`` when this person has committed already.
        """
        readers = [r.reader for r in self.results(study) if r.state is SealState.SEALED]

        def work(tx):  # type: ignore[no-untyped-def]
            opinion = FirstOpinion(study, person, tx.tick(), overall, quality, marks)
            self._library.opinions.commit(tx, opinion)
            self._library.opinions.reveal(tx, study, person, readers)
            return opinion

        opinion: FirstOpinion = self._library.write(work)
        self._announce(study)
        return opinion

    def reveal_late(self, study: str, person: str) -> None:
        """Readers that finished after the commit are recorded as shown from now on."""
        shown = self._library.opinions.revealed(study, person)
        sealed = [r.reader for r in self.results(study) if r.state is SealState.SEALED]
        if shown is not None and set(sealed) - set(shown.readers):
            self._library.write(lambda tx: self._library.opinions.reveal(tx, study, person, sealed))

    def may_open(self, study: str, person: str) -> bool:
        """This person's commit and reveal are on disk, the audit row too."""
        opinions = self._library.opinions
        if opinions.revealed(study, person) is None or not opinions.is_committed(study, person):
            return False
        return any(e.person == person for e in self._library.events.query(study=study, kinds=(EventKind.AI_REVEALED,)))

    def opened(self, study: str, person: str) -> tuple[ReadResult, ...]:
        """What the readers found, for a person whose commit and reveal are on disk. Raises ``second_read.sealed`` else."""
        shown = self._library.opinions.revealed(study, person)
        if shown is None or not self.may_open(study, person):
            raise fail("second_read.sealed", next_step="next.commit_first")
        results = []
        for row in self.results(study):
            if row.state is not SealState.SEALED or row.reader not in shown.readers:
                continue
            key = (study, row.object_name)
            result = self._opened.get(key)
            if result is None:
                blob = self._library.objects.read(f"object:{row.object_name}")
                result = self._opened[key] = decode_result(unseal(self._keys.private_key(), blob))
            results.append(result)
        return tuple(results)

    def forget(self, study: str) -> None:
        """Drops opened results from memory when the study is closed."""
        for key in [k for k in list(self._opened) if k[0] == study]:  # another thread may be opening a prior's
            self._opened.pop(key, None)
