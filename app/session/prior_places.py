"""Where an earlier mark lies in the present images, and a present place in an earlier study: by a common frame of
reference, by a registration that is asked for beside the reading, or by how two films lie on each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from app.domain.finding import Finding
from app.domain.geometry import Point3
from app.domain.problem import Problem
from app.domain.study import DisplaySet, DisplaySetKind
from app.imaging.registration import RigidTransform
from app.session.carrying import in_volume, on_film, points_mm
from app.session.change_view import ChangeView, film_fit
from app.session.images import Images
from app.session.open_study import OpenStudy
from app.session.reading_room import ReadingRoom
from app.session.tracking import Place
from app.viewer.anatomy import Match
from app.viewer.hanging_rules import Candidate
from app.viewer.priors import goes_with
from app.viewer.series_kind import likeness


class PriorPlaces:
    """Main thread only."""

    def __init__(self, current: OpenStudy, room: ReadingRoom, images: Images) -> None:
        self._current, self._room, self._images = current, room, images
        self._wanted: set[tuple[str, str]] = set()
        """Pairs of stacks whose registration somebody waits for; the prior need not hang."""

    def step(self) -> bool:
        """Goes on with registrations when volumes came; True when one is done."""
        registrations = self._room.second.registrations
        done = {p for p in self._wanted if registrations.want(*p) is not None or registrations.failed(*p) is not None}
        self._wanted -= done
        return bool(done)

    def proposal(self, prior: OpenStudy, mark: Finding) -> Finding | Problem | None:
        """The mark at its present place; None while that is searched for."""
        if not points_mm(mark):
            return self._on_film(prior, mark)
        pair = self._pair(prior, mark)
        if pair is None:
            return Problem("carry.no_images")
        now, then = pair
        place = self._place(now, then)
        if place is None or isinstance(place, Problem):
            return place
        found = in_volume(mark, place, now.frames, self._room.content.planes(now))
        return found if found is not None else Problem("carry.outside")

    def _place(self, now: DisplaySet, then: DisplaySet) -> Callable[[Point3], Point3] | Problem | None:
        """From the earlier images to the present ones; None while it is searched for."""
        if self._reference(now) and self._reference(now) == self._reference(then):
            return lambda point: point
        transform = self._want(now, then)
        if transform is None:
            failed = self._room.second.registrations.failed(now.display_set_id, then.display_set_id)
            return Problem("carry.no_place") if failed is not None else None
        return transform.inverse().apply if not transform.poor else Problem("carry.poor")

    def stacks(self, prior: OpenStudy, mark: Finding | None) -> tuple[DisplaySet, DisplaySet] | None:
        """(present stack, earlier stack) that are aligned for a mark of ``prior``, or for the study as a whole."""
        return self._pair(prior, mark)

    def between(self, now: DisplaySet, then: DisplaySet) -> RigidTransform | Problem | None:
        """Present to earlier millimetres, also a poor one; None while it is searched for."""
        if self.one_frame(now, then):
            return RigidTransform(np.eye(3), np.zeros(3), 1.0)
        found = self._want(now, then)
        return found or self._room.second.registrations.failed(now.display_set_id, then.display_set_id)

    def one_frame(self, now: DisplaySet, then: DisplaySet) -> bool:
        """Both name one frame of reference: nothing had to be aligned."""
        return self._reference(now) != "" and self._reference(now) == self._reference(then)

    def _want(self, now: DisplaySet, then: DisplaySet) -> RigidTransform | None:
        registrations, pair = self._room.second.registrations, (now.display_set_id, then.display_set_id)
        found = registrations.want(*pair)
        if found is None and registrations.failed(*pair) is None:
            self._wanted.add(pair)
        return found

    def _reference(self, chosen: DisplaySet) -> str:
        planes = self._room.content.planes(chosen)
        return next((p.frame_of_reference_uid for p in planes if p is not None), "")

    def _pair(self, prior: OpenStudy, mark: Finding | None) -> tuple[DisplaySet, DisplaySet] | None:
        """(present stack, earlier stack) through which a place is found: the earlier one that the mark lies in."""
        drawn = mark.placement.frame_of_reference_uid if mark is not None and mark.placement else ""
        reference = (mark.location.frame_of_reference_uid if mark is not None else "") or drawn
        uid = mark.location.sop_instance_uid if mark is not None else ""
        stacks = [d for d in prior.display_sets if d.kind is DisplaySetKind.STACK and self._images.can_be_volume(d)]
        holds = [d for d in stacks if uid and any(f.sop_instance_uid == uid for f in d.frames)]
        holds = holds or [d for d in stacks if reference and self._reference(d) == reference] or stacks
        best: tuple[float, DisplaySet, DisplaySet] | None = None
        for now in self._current.display_sets:
            a = self._candidate(now)
            if a is None or now.kind is not DisplaySetKind.STACK or not self._images.can_be_volume(now):
                continue
            for then in holds:
                b = self._candidate(then, prior=True)
                if b is None or a.display_set.modality != b.display_set.modality or goes_with(a, b) <= Match.OTHER_SIDE:
                    continue
                same = self._reference(now) != "" and self._reference(now) == self._reference(then)
                score = (likeness(a, b, by_hand=True) or -1.0) + (100.0 if same else 0.0)
                if best is None or score > best[0]:
                    best = (score, now, then)
        return (best[1], best[2]) if best is not None else None

    @property
    def _change(self) -> ChangeView:
        return self._room.second.change

    def _candidate(self, chosen: DisplaySet, at: int = 0, prior: bool = False) -> Candidate | None:
        return self._change.candidate(chosen.display_set_id, at, prior)

    def _on_film(self, prior: OpenStudy, mark: Finding) -> Finding | Problem:
        """By the place of both films on each other, as far as it is known: else by their sizes."""
        uid, number = mark.location.sop_instance_uid, mark.location.frame
        for then in prior.display_sets:
            at = next((n for n, f in enumerate(then.frames) if (f.sop_instance_uid, f.frame) == (uid, number)), None)
            b = self._candidate(then, at, prior=True) if at is not None else None
            if b is None or b.instance is None:
                continue
            found: list[tuple[float, Candidate]] = []
            for now in self._current.display_sets:
                for n in range(len(now.frames) if now.kind is DisplaySetKind.IMAGES else 0):
                    a = self._candidate(now, n)
                    score = likeness(a, b, by_hand=True) if a is not None else None
                    if a is not None and score is not None:
                        found.append((score, a))
            if not found:
                return Problem("carry.no_images")
            a = max(found, key=lambda item: item[0])[1]
            ref = a.display_set.frames[a.frame_index]
            if a.instance is None:
                return Problem("carry.no_images")
            known = self._change.film_place((ref.sop_instance_uid, ref.frame), (uid, number))
            place = known or film_fit(a.instance, b.instance)
            moved = on_film(mark, place.to_second, ref, a.instance, a.display_set.modality) if place is not None else None
            return moved if moved is not None else Problem("carry.outside")
        return Problem("carry.no_images")

    def then(self, prior: OpenStudy, finding: Finding, marks: Sequence[Finding]) -> Place:
        """Where a present place lies in a prior. Its registration is asked for when one of its ``marks`` is of the same
        kind, whether the prior hangs or not."""
        known = self._room.place_in(prior, finding)
        centre = finding.location.centre_lps_mm
        alike = next((m for m in marks if m.code.value == finding.code.value and points_mm(m)), None)
        if centre is None or known(centre) is not None or alike is None:
            return known
        pair = self._pair(prior, alike)
        transform = None
        if pair is not None and self._reference(pair[0]) == finding.location.frame_of_reference_uid:
            transform = self._want(*pair)
        return transform.apply if transform is not None and not transform.poor else known
