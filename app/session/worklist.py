"""The worklist as data: rows, counts, what the search found. Pure: rows of the store in, a view out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from app.domain.problem import Problem
from app.session.clock import arrived, dicom_date
from app.session.people import patient_line
from app.session.views import HistoryEntry, Status, Words, WorklistQuery, WorklistRow, WorklistView
from app.store.search_key import fold, query_words
from app.store.studies import StudyRow

FILTERS = ("all", "mine", "unread", "sealed", "to_sign", "signed", "refused")
_AI_ORDER = ("running", "failed", "waiting", "sealed", "refused")


@dataclass(frozen=True)
class AiFacts:
    """What may be said about the second readers of one study; after the reveal, how many findings got which answer."""

    states: tuple[tuple[str, str], ...] = ()
    """(reader, state)."""
    revealed: bool = False
    fraction: float | None = None
    problem: Problem | None = None
    ready_at: str = ""
    counts: Mapping[str, int] | None = None
    """accepted, modified, rejected, open; only when revealed."""


def ai_status(facts: AiFacts) -> Status:
    states = {state for _, state in facts.states}
    reader = ", ".join(name for name, state in facts.states if state != "refused")
    if facts.revealed and "sealed" in states:
        return Status("eye", Words("ai.revealed"), _answers(facts.counts or {}), "ai")
    state = next((s for s in _AI_ORDER if s in states), "")
    if state == "running":
        return Status(
            "circle-notch", Words("ai.running"), Words("ai.reader", {"reader": reader}), "ai", facts.fraction or 0.0
        )
    if state == "waiting":
        return Status("hourglass", Words("ai.waiting"), Words("ai.in_queue"), "waiting")
    if state == "sealed":
        detail = Words("ai.ready_at", {"time": facts.ready_at}) if facts.ready_at else Words("ai.opens_after_commit")
        return Status("lock-key", Words("ai.sealed"), detail, "ai")
    if state == "failed":
        return Status("warning", Words("ai.failed"), _reason(facts.problem), "bad")
    if state == "refused":
        return Status("prohibit", Words("ai.refused"), _reason(facts.problem), "waiting")
    return Status("minus", Words("ai.no_reader"), Words("ai.none_accepts"), "waiting")


def _reason(problem: Problem | None) -> Words:
    return Words(problem.code, problem.params) if problem is not None else Words("ai.see_study")


def _answers(counts: Mapping[str, int]) -> Words:
    if counts.get("open"):
        return Words("ai.to_judge", {"n": counts["open"]})
    given = [name for name in ("accepted", "modified", "rejected") if counts.get(name)]
    if not given:
        return Words("ai.no_marks")
    if len(given) == 1:
        return Words(f"ai.{given[0]}_n", {"n": counts[given[0]]})
    return Words("ai.answers", {name: counts.get(name, 0) for name in ("accepted", "modified", "rejected")})


def reading_status(state: str, person: str, at: str) -> Status:
    detail = Words("reading.by_at", {"who": person, "time": at}) if person and at else Words("reading.by", {"who": person})
    none = Words("reading.nobody")
    return {
        "unread": Status("circle", Words("reading.unread"), none),
        "in_progress": Status("circle-half", Words("reading.in_progress"), detail if person else none),
        "committed": Status("check-circle", Words("reading.committed"), detail, "mine"),
        "signed": Status("signature", Words("reading.signed"), detail),
        "addended": Status("note-pencil", Words("reading.addended"), detail),
    }.get(state, Status("circle", Words("reading.unread"), none))


def storage_status(counts: Mapping[str, int], signed: bool) -> Status:
    """Of the outbox items of one study. "Proven" only when every one is verified."""
    total = sum(counts.values())
    if not total:
        return Status("", Words("storage.none" if not signed else "storage.nothing_to_send"), role="waiting")
    for state, icon, title, role in (
        ("conflict", "git-fork", "storage.conflict", "bad"),
        ("refused", "prohibit", "storage.refused", "bad"),
        ("auth", "key", "storage.auth", "bad"),
    ):
        if counts.get(state):
            return Status(icon, Words(title), Words("storage.needs_you"), role)
    verified = counts.get("verified", 0)
    if verified == total:
        return Status("seal-check", Words("storage.proven"), Words("storage.objects", {"n": total}), "ok")
    if counts.get("sending"):
        return Status("arrows-clockwise", Words("storage.sending"), Words("storage.of", {"done": verified, "all": total}))
    if counts.get("accepted"):
        return Status("arrow-up", Words("storage.sent"), Words("storage.read_back_waits"))
    return Status("clock", Words("storage.queued"), Words("storage.objects", {"n": total}), "waiting")


def study_title(row: StudyRow) -> str:
    return row.description or " ".join(row.modalities)


def main_modality(modalities: Sequence[str]) -> str:
    """The image modality of a study; derived objects (SR, SEG, PR, KO, DOC) do not name it."""
    images = [m for m in modalities if m not in {"SR", "SEG", "PR", "KO", "DOC", "OT", "RTSTRUCT", "REG"}]
    return (images or list(modalities) or [""])[0]


def _matches_filter(name: str, row: StudyRow, me: str) -> bool:
    ai = {state for _, state in row.ai_states}
    return {
        "all": True,
        "mine": row.reading_person == me,
        "unread": row.reading_state == "unread",
        "sealed": "sealed" in ai and not row.revealed,
        "to_sign": row.reading_state == "committed",
        "signed": row.reading_state in ("signed", "addended"),
        "refused": bool(ai) and ai <= {"refused"},
    }.get(name, True)


def _match_span(name: str, words: Sequence[str]) -> tuple[int, int] | None:
    """Where a word of the name begins like the first query word, in any script."""
    start = 0
    for part in name.split(" "):
        folded = fold(part)
        for word in words:
            if folded.startswith(word):
                return (start, len(part))
        start += len(part) + 1
    return None


def build(
    rows: Sequence[StudyRow],
    found: set[str] | None,
    query: WorklistQuery,
    facts: Callable[[StudyRow], AiFacts],
    me: str,
    names: Callable[[str], str],
    today: date,
    demonstration: bool,
) -> WorklistView:
    """``rows``: every study of the library; ``found``: UIDs that the search text matched, None without a text."""
    since = (today - timedelta(days=query.days)).strftime("%Y%m%d") if query.days else ""
    counts = {name: sum(_matches_filter(name, row, me) for row in rows) for name in FILTERS}
    modality_counts = Counter(main_modality(row.modalities) for row in rows)
    words = query_words(query.text)
    shown: list[tuple[tuple[object, ...], WorklistRow]] = []
    finds: dict[str, None] = {}
    for row in rows:
        if not _matches_filter(query.filter, row, me):
            continue
        modality = main_modality(row.modalities)
        if query.modalities is not None and modality not in query.modalities:
            continue
        if since and row.study_datetime[:8] < since:
            continue
        matched = found is None or row.study_instance_uid in found
        name = row.patient.name.display()
        span = _match_span(name, words) if words else None
        if span and found is not None:
            finds.setdefault(name[span[0] : span[0] + span[1]])
        at = dicom_date(row.imported_at[:10].replace("-", ""))
        item = WorklistRow(
            study_instance_uid=row.study_instance_uid,
            patient_name=name,
            patient_line=patient_line(row.patient, row.study_datetime),
            match=span if matched else None,
            modality=modality,
            title=study_title(row),
            subtitle=Words("worklist.images", {"n": row.instance_count}),
            arrived=arrived(row.study_datetime, today) or at,
            site=row.institution,
            ai=ai_status(facts(row)),
            reading=reading_status(row.reading_state, names(row.reading_person), ""),
            storage=storage_status(dict(row.sync_states), row.reading_state in ("signed", "addended")),
            matched=matched,
            demonstration=demonstration,
        )
        shown.append((_order(query.order, row, name, matched), item))
    shown.sort(key=lambda pair: pair[0])
    return WorklistView(
        rows=tuple(item for _, item in shown),
        total=len(rows),
        counts=counts,
        modality_counts=dict(sorted(modality_counts.items())),
        matches=sum(item.matched for _, item in shown) if found is not None else 0,
        finds=tuple(finds),
    )


_READING_RANK = {"unread": 0, "in_progress": 0, "committed": 1, "signed": 2, "addended": 2}


def _order(order: str, row: StudyRow, name: str, matched: bool) -> tuple[object, ...]:
    newest = tuple(-ord(c) for c in row.study_datetime)
    if order == "name":
        return (not matched, fold(name), newest)
    if order == "newest":
        return (not matched, newest, row.study_instance_uid)
    return (not matched, _READING_RANK.get(row.reading_state, 0), newest, row.study_instance_uid)


def history_entry(row: StudyRow, facts: AiFacts, site: str, signed_by: str, current: bool) -> HistoryEntry:
    status = ai_status(facts)
    detail = Words("history.signed_by", {"who": signed_by}) if signed_by else status.detail
    return HistoryEntry(
        study_instance_uid=row.study_instance_uid,
        title=study_title(row),
        date=dicom_date(row.study_datetime),
        site=site,
        icon=status.icon,
        state=status.title,
        detail=detail,
        role=status.role,
        current=current,
    )
