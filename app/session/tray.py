"""The tray as data: what waits, moves, is proven or needs a person, and the proof of one report. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.outbox import OutboxItem, OutboxState, Receipt
from app.domain.problem import Problem
from app.session.clock import local_hms
from app.session.views import NOTHING, ProofStep, ProofView, Status, TrayRow, Words
from app.store.hlc import utc_iso

_NEEDS_YOU = (OutboxState.CONFLICT, OutboxState.REFUSED, OutboxState.AUTH)
_GROUPS = ("needs_you", "moving", "waits", "proven")


@dataclass(frozen=True)
class Sent:
    """One signed report on its way: what the rows and the proof are made of."""

    report_id: str
    study_instance_uid: str
    patient_name: str
    patient_line: Words
    title: str
    signed_at: str
    items: tuple[OutboxItem, ...]
    receipts: Mapping[str, tuple[Receipt, ...]]
    """By item id, oldest first."""


def state_of(items: Sequence[OutboxItem]) -> OutboxState:
    """The state that a person has to know of several objects: the worst first, "verified" only when all are."""
    states = {item.state for item in items}
    for state in (*_NEEDS_YOU, OutboxState.SENDING, OutboxState.WAITING, OutboxState.QUEUED, OutboxState.ACCEPTED):
        if state in states:
            return state
    return OutboxState.VERIFIED


_WORDS: Mapping[OutboxState, tuple[str, str, str]] = {
    OutboxState.QUEUED: ("clock", "storage.queued", "waiting"),
    OutboxState.WAITING: ("clock", "storage.queued", "waiting"),
    OutboxState.SENDING: ("arrows-clockwise", "storage.sending", "text"),
    OutboxState.ACCEPTED: ("arrow-up", "storage.sent", "text"),
    OutboxState.VERIFIED: ("seal-check", "storage.proven", "ok"),
    OutboxState.CONFLICT: ("git-fork", "storage.conflict", "bad"),
    OutboxState.REFUSED: ("prohibit", "storage.refused", "bad"),
    OutboxState.AUTH: ("key", "storage.auth", "bad"),
}


def target_status(items: Sequence[OutboxItem], receipts: Mapping[str, Sequence[Receipt]]) -> Status:
    state = state_of(items)
    icon, title, role = _WORDS[state]
    if state is OutboxState.VERIFIED:
        last = max((r.checked_at for i in items for r in receipts.get(i.item_id, ())), default="")
        return Status(icon, Words(title), Words("tray.at", {"time": local_hms(last)}), role)
    if state is OutboxState.SENDING:
        done = sum(i.state is OutboxState.VERIFIED for i in items)
        return Status(icon, Words(title), NOTHING, role, done / len(items))
    if state is OutboxState.ACCEPTED:
        return Status(icon, Words(title), Words("storage.read_back_waits"), role)
    worst = next(i for i in items if i.state is state)
    if worst.last_problem:
        return Status(icon, Words(title), Words(worst.last_problem, worst.last_params), role)
    return Status(icon, Words(title), Words("storage.objects", {"n": len(items)}), role)


def group_of(items: Sequence[OutboxItem]) -> str:
    state = state_of(items)
    if state in _NEEDS_YOU:
        return "needs_you"
    if state is OutboxState.VERIFIED:
        return "proven"
    return "moving" if state in (OutboxState.SENDING, OutboxState.ACCEPTED) else "waits"


def _next_step(items: Sequence[OutboxItem], wall_s: float) -> Words:
    state = state_of(items)
    if state is OutboxState.CONFLICT:
        return Words("tray.next.conflict")
    if state is OutboxState.REFUSED:
        return Words("tray.next.refused")
    if state is OutboxState.AUTH:
        return Words("tray.next.auth")
    if state is OutboxState.WAITING:
        due = min((i.next_at for i in items if i.state is OutboxState.WAITING), default=0.0)
        return Words("tray.next.tries_again", {"n": max(0, round(due - wall_s)), "tries": max(i.attempts for i in items)})
    return Words("tray.next.nothing")


def row(sent: Sent, targets: Sequence[str], wall_s: float) -> TrayRow:
    per_target = []
    for target in targets:
        mine = [i for i in sent.items if i.target == target]
        if mine:
            per_target.append((target, target_status(mine, sent.receipts)))
    group = group_of(sent.items)
    kinds = Counter(i.kind for i in sent.items if i.target == sent.items[0].target)
    return TrayRow(
        report_id=sent.report_id,
        study_instance_uid=sent.study_instance_uid,
        patient_name=sent.patient_name,
        patient_line=sent.patient_line,
        title=sent.title,
        contents=_contents(tuple(kinds), sum(kinds.values())),
        size_bytes=sum(i.size_bytes for i in sent.items if i.target == sent.items[0].target),
        group=group,
        per_target=tuple(per_target),
        next_step=_next_step(sent.items, wall_s),
        action="retry" if group == "needs_you" or state_of(sent.items) is OutboxState.WAITING else "",
    )


def _contents(kinds: Sequence[str], n: int) -> Words:
    """``Report, verdicts, findings`` of at most three kinds, and how many objects there are."""
    shown = [Words(f"kind.{kind}") for kind in kinds[:3]]
    params: dict[str, str | int | float | Words] = {f"k{i}": w for i, w in enumerate(shown, 1)}
    return Words(f"tray.contents_{len(shown)}", {**params, "n": n})


def rows(sent: Sequence[Sent], targets: Sequence[str], wall_s: float) -> tuple[TrayRow, ...]:
    """Grouped: what needs a person first; newest first within a group."""
    made = [(s.signed_at, row(s, targets, wall_s)) for s in sent if s.items]
    ordered = sorted(made, key=lambda pair: pair[0], reverse=True)
    return tuple(r for name in _GROUPS for _, r in ordered if r.group == name)


def counts(table: Sequence[TrayRow]) -> dict[str, int]:
    found = Counter(r.group for r in table)
    return {"everything": len(table), **{name: found.get(name, 0) for name in _GROUPS}}


def proof(sent: Sent) -> ProofView:
    """Every step that is known of a report, in the order in which it happened, and the objects with their digests."""
    steps = [ProofStep(Words("proof.signed"), Words("proof.one_transaction"), local_hms(sent.signed_at), "circle-fill")]
    accepted = [r for rs in sent.receipts.values() for r in rs if r.level == "accepted"]
    verified = {i.item_id: rs[-1] for i in sent.items if (rs := sent.receipts.get(i.item_id)) and rs[-1].level == "verified"}
    n, total = len(verified), len(sent.items)
    tries = sum(max(0, i.attempts - 1) for i in sent.items)
    if tries:
        last = max(sent.items, key=lambda i: i.attempts)
        problem = Words(last.last_problem, last.last_params) if last.last_problem else Words("proof.kept")
        steps.append(ProofStep(Words("proof.tries", {"n": tries}), problem, "", "circle"))
    if accepted:
        steps.append(
            ProofStep(
                Words("proof.accepted"),
                Words("storage.objects", {"n": len(accepted)}),
                local_hms(accepted[-1].checked_at),
                "circle-fill",
            )
        )
    if n:
        at = local_hms(max(r.checked_at for r in verified.values()))
        size = sum(i.size_bytes for i in sent.items if i.item_id in verified)
        steps.append(ProofStep(Words("proof.read_back"), Words("proof.fetched", {"n": n, "size": size}), at, "circle-fill"))
        if n == total:
            steps.append(ProofStep(Words("proof.equal", {"n": n}), Words("proof.only_now"), at, "circle-fill", "ok"))
    waiting = [i for i in sent.items if i.item_id not in verified]
    if waiting:
        state = state_of(waiting)
        step = Words("proof.waits", {"n": len(waiting)})
        why = next((Words(i.last_problem, i.last_params) for i in waiting if i.last_problem), Words(_WORDS[state][1]))
        steps.append(ProofStep(step, why, "", "circle-dashed", _WORDS[state][2]))
    last_receipt = max(verified.values(), key=lambda r: r.checked_at, default=None)
    facts = []
    if last_receipt is not None:
        facts.append((Words("proof.server"), last_receipt.server))
        facts.append((Words("proof.checked_at"), _local(last_receipt.checked_at)))
    return ProofView(
        report_id=sent.report_id,
        title=Words(_WORDS[state_of(sent.items)][1]) if sent.items else Words("storage.nothing_to_send"),
        patient_name=sent.patient_name,
        what=sent.title,
        steps=tuple(steps),
        objects=tuple((Words(f"kind.{i.kind}"), i.size_bytes, i.sha256, i.item_id in verified) for i in sent.items),
        facts=tuple(facts),
    )


def _local(iso: str) -> str:
    return datetime.fromisoformat(iso.replace("Z", "+00:00")).astimezone().strftime("%d.%m.%Y %H:%M:%S") if iso else ""


def line_problem(items: Sequence[OutboxItem]) -> tuple[str, Problem] | None:
    """(since, why) when items wait because a line is down or a server is busy; None when none does."""
    waiting = [i for i in items if i.state is OutboxState.WAITING]
    if not waiting:
        return None
    first = min(waiting, key=lambda i: i.updated_hlc)
    return utc_iso(first.updated_hlc), Problem(first.last_problem or "storage.queued", first.last_params)
