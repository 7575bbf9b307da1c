"""What of an open study a step can change: panes and how they are looked at, marks, verdicts, tooth numbers, the words of
the report, answers to a guideline, millimetres by hand, the films of a mount, drawings on priors and proposals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.domain.finding import Finding
from app.domain.problem import Problem, Severity
from app.domain.verdict import Verdict
from app.session.encoded_once import EncodedOnce
from app.session.panes import PaneState
from app.session.prior_marks import DrawnBeside
from app.session.report_desk import ReportWords
from app.session.shown_state import ShownState, show_again, shown
from app.session.undoing import Aspect, Undoing
from app.store.codec import decode, encode

if TYPE_CHECKING:
    from app.session.calibration_desk import CalibrationDesk
    from app.session.findings_desk import FindingsDesk
    from app.session.guideline_desk import GuidelineDesk
    from app.session.mount_desk import MountDesk
    from app.session.prior_desk import PriorDesk
    from app.session.reading_room import ReadingRoom
    from app.session.report_desk import ReportDesk
    from app.session.teeth_desk import TeethDesk


def undoing_of(room: ReadingRoom, desk: FindingsDesk, reports: ReportDesk, changed: Callable[[], None]) -> Undoing:
    """The journal of an open study; whoever is about to change something notes it there."""
    undoing = Undoing(
        {
            "panes": panes_aspect(room, desk),
            "marks": marks_aspect(desk),
            "verdicts": verdicts_aspect(desk),
            "report": report_aspect(reports),
        },
        changed,
    )

    def leaves_panes() -> None:
        reports.looks.note()
        undoing.note("panes")

    room.on_remember = leaves_panes
    undoing.before_turn = lambda: room.extras.settle()
    desk.before_marks = lambda: undoing.note("marks")
    desk.before_verdicts = lambda: undoing.note("verdicts")
    desk.before_heat = lambda what: undoing.note("panes", f"heat.{what}")
    reports.before_words = lambda: undoing.note("report")
    return undoing


def out_of_sight(turned: str, screen: str) -> Problem | None:
    """What to say of a step that went back on the other screen (``reading`` or ``report``)."""
    where = "report" if turned == "report" else "reading"
    return Problem(f"undo.elsewhere.{where}", severity=Severity.NOTE) if turned and where != screen else None


@dataclass(frozen=True)
class Arrangement:
    """How the panes stand."""

    layout: str
    stage: int
    panes: tuple[PaneState, ...]
    shown: ShownState | None = None


def panes_aspect(room: ReadingRoom, desk: FindingsDesk) -> Aspect:
    def take() -> Arrangement:
        return Arrangement(room.layout().name, room.stage, room.panes(), shown(room, desk))

    def put(wanted: Arrangement) -> None:
        if all(not p.display_set_id or room.content.knows(p.display_set_id) for p in wanted.panes):
            room.put_back(wanted.layout, wanted.stage, room.active, wanted.panes)
            if wanted.shown is not None:
                show_again(room, desk, wanted.shown)

    return Aspect(take, put, lambda state, other: encode(state, compact=True), lambda data: decode(Arrangement, data))


@dataclass(frozen=True)
class Part:
    """Of a mapping: only the keys that a step changed, None for one that is absent; and the order of all keys."""

    changed: Mapping[str, Any]
    order: tuple[str, ...]


def _difference(state: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    keys = [k for k in {**state, **other} if state.get(k) != other.get(k)]
    return {k: _written(state[k]) if k in state else None for k in keys}


_written = EncodedOnce()


def marks_aspect(desk: FindingsDesk) -> Aspect:
    def put(wanted: Mapping[str, Finding] | Part) -> None:
        if isinstance(wanted, Part):
            now = {m.finding_id: m for m in desk.marks}
            now.update({k: v for k, v in wanted.changed.items() if v is not None})
            gone = {k for k, v in wanted.changed.items() if v is None}
            known = [k for k in wanted.order if k in now and k not in gone]
            wanted = {k: now[k] for k in (*known, *(k for k in now if k not in known and k not in gone))}
        desk.restore_marks(tuple(wanted.values()))

    def read(data: Mapping[str, Any]) -> Part:
        changed = {k: decode(Finding, v) if v is not None else None for k, v in data["changed"].items()}
        return Part(changed, tuple(data["order"]))

    def weigh(before: Mapping[str, Finding] | Part, after: Mapping[str, Finding] | Part) -> int:
        one, other = (s.changed if isinstance(s, Part) else s for s in (before, after))
        changed = [m for k in {**one, **other} if one.get(k) != other.get(k) for m in (one.get(k), other.get(k))]
        return sum(len(m.mask.bits) for m in changed if m is not None and m.mask is not None)

    return Aspect(
        lambda: {m.finding_id: m for m in desk.marks},
        put,
        lambda state, other: {"changed": _difference(state, other), "order": list(state)},
        read,
        weigh,
    )


def prior_marks_aspect(desk: PriorDesk) -> Aspect:
    """What is drawn on priors, and the proposals that wait."""

    def put(wanted: Mapping[str, DrawnBeside] | Part) -> None:
        if isinstance(wanted, Part):
            gone = [k for k, v in wanted.changed.items() if v is None]
            merged = {**desk.kept(), **wanted.changed}
            desk.put_back({k: v for k, v in merged.items() if v is not None}, gone)
        else:
            desk.put_back(wanted)

    def read(data: Mapping[str, Any]) -> Part:
        return Part({k: decode(DrawnBeside, v) if v is not None else None for k, v in data["changed"].items()}, ())

    return Aspect(desk.kept, put, lambda state, other: {"changed": _difference(state, other)}, read)


def accepted_aspect(desk: FindingsDesk, priors: PriorDesk) -> Aspect:
    """A proposal that becomes a mark of the study: both change in one step."""
    marks, beside = marks_aspect(desk), prior_marks_aspect(priors)

    def put(wanted: tuple[Any, Any]) -> None:
        marks.put(wanted[0])
        beside.put(wanted[1])

    return Aspect(
        lambda: (marks.take(), beside.take()),
        put,
        lambda state, other: [marks.encode(state[0], other[0]), beside.encode(state[1], other[1])],
        lambda data: (marks.decode(data[0]), beside.decode(data[1])),
        lambda before, after: marks.weigh(before[0], after[0]),
    )


def note_prior_marks(undoing: Undoing, desk: FindingsDesk, priors: PriorDesk) -> None:
    undoing.add("prior_marks", prior_marks_aspect(priors))
    undoing.add("accepted", accepted_aspect(desk, priors))
    priors.before_change = lambda: undoing.note("prior_marks")
    priors.accepting = lambda: undoing.together("accepted")


def verdicts_aspect(desk: FindingsDesk) -> Aspect:
    def put(wanted: Mapping[str, Verdict] | Part) -> None:
        if isinstance(wanted, Part):
            wanted = {**desk.verdicts, **wanted.changed}
            wanted = {k: v for k, v in wanted.items() if v is not None}
        desk.restore_verdicts(wanted)

    def read(data: Mapping[str, Any]) -> Part:
        return Part({k: decode(Verdict, v) if v is not None else None for k, v in data["changed"].items()}, ())

    return Aspect(lambda: desk.verdicts, put, lambda state, other: {"changed": _difference(state, other)}, read)


def teeth_aspect(desk: TeethDesk) -> Aspect:
    """Where the dentist put the numbers: plain JSON already."""
    return Aspect(desk.kept, desk.put_back, lambda state, other: state, dict)


def guideline_aspect(desk: GuidelineDesk) -> Aspect:
    """What was said to a guideline and which category was chosen: plain JSON already."""
    return Aspect(desk.kept, desk.put_back, lambda state, other: state, dict)


def report_aspect(reports: ReportDesk) -> Aspect:
    """The words of the report, its language and template."""
    return Aspect(
        reports.words, reports.put_words, lambda state, other: encode(state, compact=True), lambda d: decode(ReportWords, d)
    )


def calibration_aspect(desk: CalibrationDesk) -> Aspect:
    """Millimetres by hand: (row, column) spacing by SOP Instance UID."""

    def read(data: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
        return {uid: (float(row), float(column)) for uid, (row, column) in data.items()}

    return Aspect(desk.held, desk.put_back, lambda state, other: {uid: list(mm) for uid, mm in state.items()}, read)


@dataclass(frozen=True)
class Laid:
    """A mount: what lies where, and what of it is kept with the study."""

    panes: tuple[PaneState, ...]
    kept: Mapping[str, str]


def mount_aspect(room: ReadingRoom, mount: MountDesk) -> Aspect:
    def put(wanted: Laid) -> None:
        if mount.here:
            room.put_back(room.layout().name, room.stage, room.active, wanted.panes)
        mount.keep(wanted.kept)

    return Aspect(
        lambda: Laid(room.panes(), mount.kept()),
        put,
        lambda state, other: encode(state, compact=True),
        lambda data: decode(Laid, data),
    )
