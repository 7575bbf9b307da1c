"""A second reader's nodules in the patient's earlier chest CT: which it was, how it has grown, what was not found again.

Nothing of it before the reader's first opinion. Every match is a proposal on the card until a person confirms it, chooses
another or says that it is new; only that word goes into report, structured report and guideline. The newest earlier study
that somebody has looked at counts. Registration and the search around each place run beside the reading.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from app.domain.finding import Finding
from app.domain.person import Person
from app.domain.prior_match import Change, PriorMatch
from app.domain.problem import Problem
from app.domain.study import DisplaySet
from app.domain.verdict import Decision
from app.domain.volume import Volume
from app.imaging.registration import RigidTransform
from app.session import marks as own
from app.session.agreement import agreements
from app.session.clock import dicom_date
from app.session.findings_desk import FindingsDesk
from app.session.growth import Growth, Seen, growth
from app.session.images import Images
from app.session.open_study import OpenStudy
from app.session.prior_desk import PriorDesk
from app.session.reading_room import ReadingRoom
from app.session.then_findings import OpenedThen, followed
from app.session.then_proposals import Place, Proposed, gap_mm, in_stack, proposals, without_doubles
from app.session.then_views import ThenState
from app.session.then_words import CHANGES
from app.session.tracking_words import day_of
from app.session.undoing import Aspect
from app.session.views import Changes
from app.store.library import Library

SAID_THEN, SAID_STUDY, SAID_BY = "then", "study", "by"


@dataclass(frozen=True, eq=False)
class EarlierScan:
    """One earlier study, and what was found in it."""

    opened: OpenStudy
    seen: OpenedThen
    on: date

    @property
    def uid(self) -> str:
        return self.opened.study.study_instance_uid

    @property
    def date(self) -> str:
        return dicom_date(self.opened.study.study_datetime)


@dataclass(frozen=True, eq=False)
class Compared:
    """The present findings against one earlier scan."""

    scan: EarlierScan
    state: ThenState
    """ALIGNING, POOR, or FOUND when proposals are here."""
    candidates: tuple[Finding, ...]
    proposed: Mapping[str, Proposed]
    places: Mapping[str, Place]
    similarity: float | None = None
    """None: one frame of reference."""
    lost: tuple[Finding, ...] = ()


class ThenDesk:
    """Main thread only."""

    def __init__(
        self,
        library: Library,
        current: OpenStudy,
        room: ReadingRoom,
        images: Images,
        desk: FindingsDesk,
        earlier: PriorDesk,
        person: Person,
        announce: Callable[[Changes], None],
    ) -> None:
        self._library, self._current, self._room, self._images = library, current, room, images
        self._desk, self._earlier, self._person, self._announce = desk, earlier, person, announce
        self._key = f"then:{current.study.study_instance_uid}"
        self._kept: dict[str, dict[str, str]] = dict(library.settings.get(self._key, {}))
        self._scans: tuple[EarlierScan, ...] = ()
        self._stacks: dict[tuple[str, str], tuple[DisplaySet, DisplaySet] | None] = {}
        self._placed: dict[tuple[str, str], dict[str, Place]] = {}
        self._running: set[tuple[str, str]] = set()
        self.before_change: Callable[[], None] = lambda: None
        """Called before a person's word changes: what is to be undone is noted."""
        self.changed: Callable[[], None] = lambda: None
        """Called after it: the report follows."""
        earlier.matched = self._matched

    def add(self, opened: OpenStudy, seen: OpenedThen) -> None:
        """One more earlier study."""
        on = day_of(opened.study.study_datetime)
        if on is not None:
            scans = (*self._scans, EarlierScan(opened, seen, on))
            self._scans = tuple(sorted(scans, key=lambda s: s.opened.study.study_datetime, reverse=True))

    # -- what is compared with what ------------------------------------------------------------------------------------

    def nodules(self) -> tuple[Finding, ...]:
        """Second readers' findings that may have a past, as they now stand; none before the first opinion."""
        if not self._desk.committed:
            return ()
        out = []
        for finding in self._desk.ai_findings():
            verdict = self._desk.verdict(finding.finding_id)
            if verdict is not None and verdict.decision is Decision.REJECTED:
                continue
            out.append(verdict.modified if verdict is not None and verdict.modified is not None else finding)
        return tuple(f for f in out if followed(f) and f.location.centre_lps_mm is not None)

    def _own(self, theirs: Sequence[Finding]) -> tuple[Finding, ...]:
        """The reader's own nodules that no second reader found: an earlier one that they are is not lost."""
        mine = [m for m in self._desk.own_findings() if followed(m) and m.location.centre_lps_mm is not None]
        agreed = set(agreements(mine, theirs).values())
        return tuple(m for m in mine if m.finding_id not in agreed)

    def candidates(self, scan: EarlierScan) -> tuple[Finding, ...]:
        """What was found there, each nodule once."""
        marks = (m.finding for m in self._earlier.marks() if m.study_instance_uid == scan.uid)
        human = [f for f in marks if own.is_finding(f) and followed(f) and f.location.centre_lps_mm is not None]
        return without_doubles(human, scan.seen.findings)

    def earlier_finding(self, finding_id: str) -> tuple[Finding | None, str]:
        """(what was found in an earlier scan, its study)."""
        every = ((f, s.uid) for s in self._scans for f in self.candidates(s))
        return next((pair for pair in every if pair[0].finding_id == finding_id), (None, ""))

    def scan(self) -> tuple[EarlierScan, tuple[Finding, ...], tuple[DisplaySet, DisplaySet]] | None:
        """The newest earlier one that somebody has looked at and that has images alike."""
        for scan in self._scans:
            found = self.candidates(scan)
            if not (found or scan.seen.looked):
                continue
            stacks = self._stacks_of(scan, found)
            if stacks is not None:
                return scan, found, stacks
        return None

    def _stacks_of(self, scan: EarlierScan, found: Sequence[Finding]) -> tuple[DisplaySet, DisplaySet] | None:
        first = found[0] if found else None
        key = (scan.uid, first.finding_id if first is not None else "")
        if key not in self._stacks:
            self._stacks[key] = self._earlier.places.stacks(scan.opened, first)
        return self._stacks[key]

    def waiting_for_seal(self) -> EarlierScan | None:
        """An earlier study whose second read this person has not been shown: its findings are not compared."""
        return next((s for s in self._scans if s.seen.sealed), None)

    # -- places, found beside the main thread ----------------------------------------------------------------------------

    def step(self) -> Problem | None:
        """Goes on when volumes or registrations came."""
        if not self._scans or not self.nodules():
            return None
        chosen = self.scan()
        if chosen is not None:
            self._transform(chosen[2])
            self._place(chosen)
        return None

    def _transform(self, stacks: tuple[DisplaySet, DisplaySet]) -> RigidTransform | Problem | None:
        return self._earlier.places.between(*stacks)

    def _place(
        self, chosen: tuple[EarlierScan, tuple[Finding, ...], tuple[DisplaySet, DisplaySet]]
    ) -> dict[str, Place] | None:
        """By finding; None while a second reader's finding has no place yet."""
        now, then = chosen[2]
        pair = (now.display_set_id, then.display_set_id)
        known = self._placed.setdefault(pair, {})
        mine = self.nodules()
        wanted = {_key_of(f): f for f in (*mine, *self._own(mine))}
        if any(key not in known for key in wanted):
            self._search(pair, chosen[2], [f for key, f in wanted.items() if key not in known])
        if any(_key_of(f) not in known for f in mine):
            return None
        return {f.finding_id: known[key] for key, f in wanted.items() if key in known}

    def _search(self, pair: tuple[str, str], stacks: tuple[DisplaySet, DisplaySet], findings: list[Finding]) -> None:
        align = self._transform(stacks)
        if pair in self._running or not isinstance(align, RigidTransform) or align.poor:
            return
        now, then = (self._images.volume(name) for name in pair)
        if now is None or then is None:
            return
        self._running.add(pair)

        def came(found: dict[str, Place] | None) -> None:
            self._running.discard(pair)
            # What could not be searched stands where the registration has it.
            rigid = {_key_of(f): _rigid(align, f) for f in findings}
            self._placed[pair].update({**rigid, **(found or {})})
            self._announce(Changes(findings=True, report=True))

        self._images.beside(lambda: _places(now, then, align, findings), came, slow=True)

    # -- the comparison ------------------------------------------------------------------------------------------------

    def compared(self) -> Compared | None:
        """None where there is nothing to compare with."""
        mine = self.nodules()
        chosen = self.scan() if mine else None
        if chosen is None:
            return None
        scan, found, stacks = chosen
        transform = self._transform(stacks)
        similarity = transform.similarity if isinstance(transform, RigidTransform) else None
        if isinstance(transform, Problem) or (isinstance(transform, RigidTransform) and transform.poor):
            return Compared(scan, ThenState.POOR, found, {}, {}, similarity)
        places = self._place(chosen)
        if not isinstance(transform, RigidTransform) or places is None:
            return Compared(scan, ThenState.ALIGNING, found, {}, {}, similarity)
        one_frame = self._earlier.places.one_frame(*stacks)
        reference = self._planes(stacks[1])[0].frame_of_reference_uid if self._planes(stacks[1]) else ""
        there = [f for f in found if f.location.frame_of_reference_uid in ("", reference)]
        free = [f for f in (*mine, *self._own(mine)) if not self.said(f.finding_id)]
        taken = {s[SAID_THEN] for f in mine if (s := self.said(f.finding_id))}
        open_ = [f for f in there if f.finding_id not in taken]
        proposed = proposals(free, open_, places, self._planes(stacks[1]))
        for_now = {p.then_id for p in proposed.values()} | taken
        back = transform.inverse()
        planes = self._planes(stacks[0])
        lost = [f for f in there if f.finding_id not in for_now and f.location.centre_lps_mm is not None]
        lost = [f for f in lost if f.location.centre_lps_mm and in_stack(planes, back.apply(f.location.centre_lps_mm))]
        shown = None if one_frame else similarity
        return Compared(scan, ThenState.FOUND, found, proposed, places, shown, tuple(lost))

    def _planes(self, chosen: DisplaySet) -> list[Any]:
        return [p for p in self._room.content.planes(chosen) if p is not None]

    def grown(self, scan: EarlierScan, now: Finding, then: Finding) -> Growth:
        today = day_of(self._current.study.study_datetime)
        days = (today - scan.on).days if today is not None else 0
        stacks = [self._slices(self._current, now), self._slices(scan.opened, then)]
        return growth(Seen(now, stacks[0]), Seen(then, stacks[1]), days)

    def _slices(self, opened: OpenStudy, finding: Finding) -> float | None:
        """Distance of the slices that a finding was measured on."""
        uid = finding.location.sop_instance_uid
        for chosen in opened.display_sets:
            if uid and any(f.sop_instance_uid == uid for f in chosen.frames):
                return gap_mm(self._planes(chosen))
        return None

    # -- the person's word ---------------------------------------------------------------------------------------------

    def said(self, finding_id: str) -> Mapping[str, str]:
        """Empty while nobody has said anything."""
        return self._kept.get(finding_id, {})

    def confirm(self, finding_id: str) -> None:
        """The proposal as it stands."""
        found = self.compared()
        proposed = found.proposed.get(finding_id) if found is not None else None
        if proposed is not None and (proposed.then_id or proposed.inside):
            self.choose(finding_id, proposed.then_id)

    def choose(self, finding_id: str, then_id: str) -> None:
        """Another nodule of the earlier scan, or "" for none. One that another finding was said to be is given up there."""
        chosen = self.scan()
        known = chosen is not None and (not then_id or any(f.finding_id == then_id for f in chosen[1]))
        if chosen is None or not known or all(f.finding_id != finding_id for f in self.nodules()):
            return
        others = {i: s for i, s in self._kept.items() if not then_id or s[SAID_THEN] != then_id}
        word = {SAID_THEN: then_id, SAID_STUDY: chosen[0].uid, SAID_BY: self._person.display_name}
        self._keep({**others, finding_id: word})

    def take_back(self, finding_id: str) -> None:
        """Nobody has said anything: it is a proposal again."""
        if finding_id in self._kept:
            self._keep({i: s for i, s in self._kept.items() if i != finding_id})

    def kept(self) -> dict[str, dict[str, str]]:
        """For undo: JSON-able."""
        return self._kept

    def put_back(self, state: Mapping[str, Any]) -> None:
        self._keep({i: dict(s) for i, s in state.items()})

    def _keep(self, state: dict[str, dict[str, str]]) -> None:
        self.before_change()
        self._kept = state
        self._library.write(lambda tx: self._library.settings.set(tx, self._key, state, self._person.person_id))
        self.changed()
        self._announce(Changes(findings=True, report=True))

    def _matched(self, finding_id: str) -> tuple[str, Finding | None] | None:
        said = self.said(finding_id)
        scan = self._scan_of(said)
        return (scan.uid, self._then(scan, said)) if scan is not None else None

    def _scan_of(self, said: Mapping[str, str]) -> EarlierScan | None:
        return next((s for s in self._scans if said and s.uid == said[SAID_STUDY]), None)

    def _then(self, scan: EarlierScan, said: Mapping[str, str]) -> Finding | None:
        return next((f for f in self.candidates(scan) if f.finding_id == said[SAID_THEN]), None)

    def match_of(self, finding: Finding) -> PriorMatch | None:
        """A person's word with the sizes that go with it; None where nobody has said anything."""
        said = self.said(finding.finding_id)
        scan = self._scan_of(said)
        if scan is None:
            return None
        then = self._then(scan, said)
        day = f"{scan.on:%Y%m%d}"
        today = day_of(self._current.study.study_datetime)
        days = (today - scan.on).days if today is not None else 0
        if then is None:
            new = PriorMatch(finding.finding_id, "", scan.uid, day, days, Change.NEW)
            return new if not said[SAID_THEN] else None  # what it was is not there any more
        g = self.grown(scan, finding, then)
        volumes = (g.now_mm3, g.then_mm3) if g.volume_percent is not None else (None, None)
        return PriorMatch(
            finding.finding_id, then.finding_id, scan.uid, day, g.days, CHANGES[g.trend], g.now_mm, g.then_mm, *volumes,
            g.doubling_days,
        )  # fmt: skip

    def matches(self) -> tuple[PriorMatch, ...]:
        """Of every finding that stands."""
        return tuple(m for f in self.nodules() if (m := self.match_of(f)) is not None)


def _key_of(finding: Finding) -> str:
    return f"{finding.finding_id} {finding.location.centre_lps_mm}"


def _rigid(align: RigidTransform, finding: Finding) -> Place:
    centre = finding.location.centre_lps_mm
    assert centre is not None
    return Place(align.apply(centre), align.apply(centre))


def _places(now: Volume, then: Volume, align: RigidTransform, findings: Sequence[Finding]) -> dict[str, Place]:
    """From any thread."""
    from app.imaging.local_place import local_place

    out = {}
    for finding in findings:
        centre = finding.location.centre_lps_mm
        if centre is not None:
            found = local_place(now, then, align, centre)
            out[_key_of(finding)] = Place(align.apply(centre), found.place_mm, found.shift_mm, found.alike)
    return out


def then_aspect(desk: ThenDesk) -> Aspect:
    """What undo takes back: plain JSON already."""
    return Aspect(desk.kept, desk.put_back, lambda state, other: state, dict)
