"""The work list: its rows, a study's preview and history, and what may be said of the second reader there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date

from app.domain.person import Person
from app.domain.problem import Problem
from app.domain.study import Study
from app.domain.verdict import Decision
from app.session.clock import dicom_date_time, local_hms
from app.session.people import patient_line
from app.session.second_read import SecondReads
from app.session.study_headers import StudyHeaders
from app.session.thumbnails import of_study
from app.session.views import HistoryEntry, StudyPreview, Words, WorklistQuery, WorklistView
from app.session.worklist import AiFacts, ai_status, build, history_entry, study_title
from app.store.hlc import utc_iso
from app.store.library import Library
from app.store.sealed import SealedResult, SealState
from app.store.studies import StudyRow

_HISTORY_SHOWN = 12
_LISTED = 5000


class ListDesk:
    """``unanswered(study)`` counts the findings of the open study that wait for a verdict; None for any other study."""

    def __init__(
        self,
        library: Library,
        reads: SecondReads,
        headers: StudyHeaders,
        person: Callable[[], Person],
        unanswered: Callable[[str], int | None],
        chain_intact: Callable[[], bool],
    ) -> None:
        self._library = library
        self._reads = reads
        self._headers = headers
        self._person = person
        self._unanswered = unanswered
        self._chain_intact = chain_intact

    def view(self, query: WorklistQuery) -> WorklistView:
        rows = self._library.studies.search(limit=_LISTED)
        found = None
        if query.text.strip():
            found = {r.study_instance_uid for r in self._library.studies.search(query.text, limit=_LISTED)}
        runs = self._library.sealed.by_study()
        person = self._person().person_id
        committed = self._library.opinions.committed_studies(person)
        view = build(
            rows,
            found,
            query,
            lambda row: self._ai_facts(row, runs.get(row.study_instance_uid, ()), row.study_instance_uid in committed),
            person,
            self._person_name,
            date.today(),
            self._library.is_demo,
        )
        # The picture is found out when a row is painted: a long list must not read every study's headers.
        shown = tuple(replace(r, thumbnail=of_study(r.study_instance_uid)) for r in view.rows)
        return replace(view, rows=shown)

    def _person_name(self, person_id: str) -> str:
        person = self._person()
        return person.display_name if person_id == person.person_id else person_id

    def _ai_facts(self, row: StudyRow, results: Sequence[SealedResult], mine: bool) -> AiFacts:
        """``mine``: this person has given a first opinion; only then is a word said about what was found."""
        told = next((r for r in results if r.problems and r.state is not SealState.SEALED), None)  # those are remarks
        sealed = next((r for r in results if r.state is SealState.SEALED), None)
        shown = mine and row.revealed
        return AiFacts(
            states=row.ai_states,
            revealed=shown,
            fraction=self._reads.fraction(row.study_instance_uid),
            problem=told.problems[0] if told else None,
            ready_at=local_hms(utc_iso(sealed.hlc))[:5] if sealed else "",
            counts=self._answers(row.study_instance_uid) if shown else None,
        )

    def _facts_of(self, row: StudyRow) -> AiFacts:
        uid = row.study_instance_uid
        mine = self._library.opinions.is_committed(uid, self._person().person_id)
        return self._ai_facts(row, self._reads.results(uid), mine)

    def _answers(self, uid: str) -> dict[str, int]:
        """Verdicts by kind, and how many findings of the open study wait for one. After this person's own reveal only."""
        verdicts = self._library.verdicts.current(uid)
        counts = {d.value: sum(v.decision is d for v in verdicts.values()) for d in Decision if d is not Decision.WITHDRAWN}
        unanswered = self._unanswered(uid)
        if unanswered is not None:
            counts["open"] = unanswered
        return counts

    def preview(self, study_instance_uid: str) -> StudyPreview | None:
        row = self._library.studies.row(study_instance_uid)
        if row is None:
            return None
        study = self._headers.study(study_instance_uid)
        facts: list[tuple[Words, str]] = [(Words("preview.study"), study_title(row))]
        facts.append(
            (Words("preview.acquired"), " · ".join(p for p in (dicom_date_time(row.study_datetime), study.institution) if p))
        )
        if study.accession_number:
            facts.append((Words("preview.accession"), study.accession_number))
        facts.append((Words("preview.series"), f"{row.series_count} · {row.instance_count}"))
        ai = self._facts_of(row)
        readers = [f"{r.reader} {r.reader_version}" for r in self._reads.results(study_instance_uid)]
        sets = self._headers.picture_sets(study_instance_uid)
        return StudyPreview(
            study_instance_uid=study_instance_uid,
            patient_name=row.patient.name.display(),
            patient_line=patient_line(row.patient, row.study_datetime, study.patient_age),
            title=study_title(row),
            facts=tuple(facts),
            thumbnails=tuple(d.display_set_id for d in sets[:2]),
            ai=ai_status(ai),
            ai_reader=", ".join(readers),
            history=self.history(study_instance_uid),
            chain_entries=len(self._library.events.query(study=study_instance_uid)),
            chain_intact=self._chain_intact(),
            repairs=_repairs(study),
        )

    def history(self, uid: str) -> tuple[HistoryEntry, ...]:
        entries = []
        for row in self._library.studies.of_patient(uid)[:_HISTORY_SHOWN]:
            signed = self._library.reports.latest(row.study_instance_uid)
            entries.append(
                history_entry(
                    row,
                    self._facts_of(row),
                    row.institution,
                    self._person_name(signed.person_id) if signed else "",
                    row.study_instance_uid == uid,
                )
            )
        return tuple(entries)


def _repairs(study: Study) -> tuple[Problem, ...]:
    """What was mended in the objects of a study, each kind of repair once."""
    found: dict[tuple[str, str], Problem] = {}
    for series in study.series:
        for instance in series.instances:
            for problem in instance.repairs:
                found.setdefault((problem.code, str(problem.params.get("codec", ""))), problem)
    return tuple(found.values())
