"""The teeth of an open dental film: the second reader's numbers with the dentist's corrections, and the tooth chart.

The chart is drawn from findings and holds none of its own: what the dentist enters becomes a mark with the tooth's number,
what a second reader found appears after the reveal and counts once it is accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.dicom.coding import FINDING_KINDS, finding_kind
from app.domain.finding import Finding, Location, Source
from app.domain.identity import new_uid
from app.domain.measurement import MarkShape, Placement
from app.domain.person import Person
from app.domain.study import DisplaySetKind, Study
from app.domain.study_lookup import instances_by_uid
from app.domain.teeth import LOWER, PERMANENT, SURFACES, UPPER, NumberedTooth, is_fdi, is_upper, side_of
from app.domain.verdict import Decision
from app.session.findings_desk import FindingsDesk
from app.session.open_study import OpenStudy
from app.session.views import Changes
from app.store.library import Library

_JAWS = ("JAW", "TEETH", "DENTAL", "PANORAM", "ОРТОПАНТОМ", "ЧЕЛЮСТ", "ЖАҚ")
STATES = (
    "caries",
    "filled_tooth",
    "root_filled_crowned_tooth",
    "implant",
    "gross_crown_loss",
    "crown_fracture",
    "impacted_tooth",
    "periapical_lesion",
    "missing_tooth",
)
"""What a tooth in the chart can be, as kinds of findings; in the order of the buttons."""
ON_SURFACES = ("caries", "filled_tooth", "crown_fracture")
SURFACE_ATTRIBUTE = "surfaces"
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class ChartEntry:
    """One statement about a tooth. ``origin``: mine, ai_accepted, ai_pending."""

    finding_id: str
    kind: str
    origin: str
    surfaces: str = ""


@dataclass(frozen=True)
class ChartTooth:
    fdi: int
    entries: tuple[ChartEntry, ...] = ()
    confidence: float | None = None
    """Of the second reader's number; None before the reveal or where it saw no tooth."""
    corrected: bool = False

    @property
    def answered(self) -> bool:
        return any(e.origin == "ai_accepted" for e in self.entries)

    @property
    def gone(self) -> bool:
        return any(e.kind == "missing_tooth" and e.origin != "ai_pending" for e in self.entries)


class TeethDesk:
    """Main thread only."""

    def __init__(
        self,
        library: Library,
        current: OpenStudy,
        desk: FindingsDesk,
        person: Person,
        announce: Callable[[Changes], None],
    ) -> None:
        self._library = library
        self._desk = desk
        self._person = person
        self._announce = announce
        study = current.study
        self._key = f"teeth:{study.study_instance_uid}"
        self._kept: dict[str, Any] = dict(library.settings.get(self._key, {}))
        self._film, self._size = _film_of(current)
        self.available = bool(self._film) and is_panoramic(study)
        self.numbers_shown = True
        self.selected = 0
        """FDI number chosen in the chart; 0: none."""
        self.before_numbers: Callable[[], None] = lambda: None
        """Called before the numbers change: what is to be undone is noted."""
        desk.shown_as = self.renumbered

    # -- numbers -------------------------------------------------------------------------------------------------------

    def numbers(self) -> tuple[NumberedTooth, ...]:
        """After the commit: every number with its place, the dentist's word over the second reader's."""
        found = tuple(t for r in self._desk.results for t in r.teeth)
        moved = self._moved()
        return tuple(replace(t, box_px=moved[t.fdi], confidence=1.0, seen=True) if t.fdi in moved else t for t in found)

    def _moved(self) -> Mapping[int, Box]:
        return {int(k): (v[0], v[1], v[2], v[3]) for k, v in self._kept.get("places", {}).items()}

    def corrected(self) -> frozenset[int]:
        return frozenset(self._moved())

    def show_numbers(self, shown: bool) -> None:
        self.numbers_shown = shown
        self._announce(Changes(view=True, settings=True))

    def move(self, fdi: int, to: tuple[float, float], whole_row: bool = False) -> None:
        """A number was dragged to ``to`` (film px). On another tooth: the two change places, or the rest of that side of
        the row moves along by one (``whole_row``). Elsewhere: the number's own place moves there."""
        teeth = {t.fdi: t for t in self.numbers()}
        if fdi not in teeth:
            return
        row = [n for n in (UPPER if is_upper(fdi) else LOWER) if n in teeth]
        other = min(row, key=lambda n: _far(teeth[n].centre_px, to))
        width = teeth[fdi].box_px[2] - teeth[fdi].box_px[0]
        boxes: dict[int, Box] = {}
        if other == fdi or _far(teeth[other].centre_px, to) > 0.75 * width + 0.25 * _height(teeth[other].box_px):
            boxes[fdi] = _at(teeth[fdi].box_px, to)
        elif not whole_row:
            boxes[fdi], boxes[other] = teeth[other].box_px, teeth[fdi].box_px
        else:
            a, b = row.index(fdi), row.index(other)
            step = 1 if b > a else -1
            # From the dragged number outwards to the end of the row, each takes the place of the next.
            rest = row[a:] if step > 0 else row[a::-1]
            for n, following in zip(rest, rest[1:], strict=False):
                boxes[n] = teeth[following].box_px
            last = rest[-1]
            w = teeth[last].box_px[2] - teeth[last].box_px[0]
            x, y = teeth[last].centre_px
            boxes[last] = _at(teeth[last].box_px, (x + step * w, y))
        places = {**self._kept.get("places", {}), **{str(n): [round(v, 1) for v in b] for n, b in boxes.items()}}
        self._keep({**self._kept, "places": places})
        self._follow()

    def reset_numbers(self) -> None:
        """The second reader's numbers again."""
        self._keep({**self._kept, "places": {}})
        self._follow()

    def kept(self) -> dict[str, Any]:
        """What the dentist has put right, JSON-able."""
        return self._kept

    def put_back(self, state: Mapping[str, Any]) -> None:
        """Undo: the numbers lie where they lay. Verdicts that followed them have steps of their own."""
        self._keep(dict(state))

    def _keep(self, state: dict[str, Any]) -> None:
        self.before_numbers()
        self._kept = state
        self._library.write(lambda tx: self._library.settings.set(tx, self._key, state, self._person.person_id))
        self._announce(Changes(findings=True, second_read=True, report=True, view=True))

    def renumbered(self, finding: Finding) -> Finding:
        """A second reader's finding with the number that its place has now. The finding itself stays as it was written."""
        if finding.source is not Source.AI or not self._moved() or not is_fdi(finding.region):
            return finding
        at = finding.location.centre_px
        seen = [t for t in self.numbers() if t.seen or str(t.fdi) == finding.region]
        if at is None or not seen:
            return finding
        nearest = min(seen, key=lambda t: _far(t.centre_px, at))
        if str(nearest.fdi) == finding.region:
            return finding
        return replace(finding, region=str(nearest.fdi), laterality=side_of(nearest.fdi))

    def accept(self, finding_id: str) -> bool:
        """Accepts a finding whose tooth was numbered anew, as modified; False when there is nothing to change."""
        finding = self._desk.finding(finding_id)
        if finding is None or finding.source is not Source.AI:
            return False
        now = self.renumbered(finding)
        if now == finding:
            return False
        self._desk.modify(finding_id, now)
        return True

    def _follow(self) -> None:
        """Accepted findings take the number that their place has now."""
        for finding in self._desk.ai_findings():
            verdict = self._desk.verdict(finding.finding_id)
            if verdict is None or verdict.decision is Decision.REJECTED:
                continue
            holds = verdict.modified or finding
            region = self.renumbered(finding).region
            if holds.region != region:
                changed = replace(holds, region=region, laterality=side_of(int(region)) if is_fdi(region) else "")
                self._desk.modify(finding.finding_id, changed)

    # -- chart ---------------------------------------------------------------------------------------------------------

    def chart(self) -> tuple[ChartTooth, ...]:
        """All 32 in the order of the chart. Before the commit: the dentist's own entries only."""
        entries: dict[int, list[ChartEntry]] = {n: [] for n in PERMANENT}
        for mark in self._desk.own_findings():
            if is_fdi(mark.region):
                entries[int(mark.region)].append(_entry(mark, "mine"))
        for finding in self._desk.ai_findings():
            verdict = self._desk.verdict(finding.finding_id)
            if verdict is not None and verdict.decision is Decision.REJECTED:
                continue
            shown = verdict.modified if verdict is not None and verdict.modified is not None else self.renumbered(finding)
            if is_fdi(shown.region):
                entries[int(shown.region)].append(_entry(shown, "ai_pending" if verdict is None else "ai_accepted"))
        sure = {t.fdi: t.confidence for t in self.numbers() if t.seen}
        corrected = self.corrected()
        return tuple(ChartTooth(n, tuple(entries[n]), sure.get(n), n in corrected) for n in PERMANENT)

    def select(self, fdi: int) -> None:
        """Chooses a tooth; its first finding is chosen with it."""
        self.selected = fdi if fdi != self.selected else 0
        tooth = next((t for t in self.chart() if t.fdi == self.selected), None)
        if tooth is not None and tooth.entries:
            self._desk.select(tooth.entries[0].finding_id)
        self._announce(Changes(findings=True, view=True))

    def states_of(self, fdi: int) -> dict[str, ChartEntry]:
        """The dentist's own entries of a tooth by kind."""
        tooth = next(t for t in self.chart() if t.fdi == fdi)
        return {e.kind: e for e in tooth.entries if e.origin == "mine"}

    def toggle(self, fdi: int, kind: str) -> None:
        """Enters a state of a tooth, or takes the dentist's own entry back. *Missing* excludes the others."""
        mine = self.states_of(fdi)
        if kind in mine:
            self._desk.remove(mine[kind].finding_id)
            return
        if kind == "missing_tooth":
            for entry in mine.values():
                self._desk.remove(entry.finding_id)
        elif "missing_tooth" in mine:
            self._desk.remove(mine["missing_tooth"].finding_id)
        self._desk.keep(self._mark(fdi, kind))

    def toggle_surface(self, fdi: int, surface: str) -> None:
        """On the dentist's entry that lies on surfaces (caries first); without one caries is entered."""
        mine = self.states_of(fdi)
        kind = next((k for k in ON_SURFACES if k in mine), "")
        if not kind:
            mark = replace(self._mark(fdi, ON_SURFACES[0]), attributes=((SURFACE_ATTRIBUTE, surface),))
        else:
            found = self._desk.mark(mine[kind].finding_id)
            if found is None:
                return
            had = set(mine[kind].surfaces)
            now = "".join(s for s in SURFACES if (s in had) != (s == surface))
            kept = tuple(a for a in found.attributes if a[0] != SURFACE_ATTRIBUTE)
            mark = replace(found, attributes=(*kept, (SURFACE_ATTRIBUTE, now)) if now else kept)
        self._desk.keep(mark)

    def _mark(self, fdi: int, kind: str) -> Finding:
        """An own finding at the tooth's place: where it is seen, else where such a tooth usually lies."""
        known = next((t for t in self.numbers() if t.fdi == fdi), None)
        at = known.centre_px if known is not None else self._usual_place(fdi)
        return Finding(
            finding_id=new_uid(),
            source=Source.MINE,
            code=FINDING_KINDS[kind],
            location=Location(sop_instance_uid=self._film, centre_px=at),
            laterality=side_of(fdi),
            region=str(fdi),
            shape=MarkShape.POINT,
            placement=Placement(self._film, 0, (at,)),
            source_sop_instance_uids=(self._film,),
        )

    def _usual_place(self, fdi: int) -> tuple[float, float]:
        columns, rows = self._size
        row = UPPER if is_upper(fdi) else LOWER
        across = (row.index(fdi) - 7.5) / 7.5
        y = 0.54 - 0.05 * across * across + (-0.09 if is_upper(fdi) else 0.10)
        return round(columns * (0.5 + 0.22 * across), 1), round(rows * y, 1)


def is_panoramic(study: Study) -> bool:
    """A study of a film of both jaws: by its modality, else a film whose headers speak of teeth."""
    if "PX" in study.modalities:
        return True
    told = " ".join(
        [study.description, *(f"{s.description} {s.protocol_name} {s.body_part_examined}" for s in study.series)]
        + [i.body_part_examined for s in study.series for i in s.instances]
    ).upper()
    return bool(set(study.modalities) & {"DX", "CR"}) and any(word in told for word in _JAWS)


def _film_of(current: OpenStudy) -> tuple[str, tuple[int, int]]:
    by_uid = instances_by_uid(current.study)
    for chosen in current.display_sets:
        if chosen.kind is DisplaySetKind.DERIVED or not chosen.frames:
            continue
        instance = by_uid.get(chosen.frames[0].sop_instance_uid)
        if instance is not None and instance.pixel_format is not None:
            return instance.sop_instance_uid, (instance.pixel_format.columns, instance.pixel_format.rows)
    return "", (0, 0)


def _entry(finding: Finding, origin: str) -> ChartEntry:
    surfaces = dict(finding.attributes).get(SURFACE_ATTRIBUTE, "")
    return ChartEntry(finding.finding_id, finding_kind(finding.code), origin, surfaces)


def _far(a: tuple[float, float], b: tuple[float, float]) -> float:
    return float(((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5)


def _height(box: Box) -> float:
    return box[3] - box[1]


def _at(box: Box, to: tuple[float, float]) -> Box:
    w, h = box[2] - box[0], box[3] - box[1]
    return to[0] - w / 2, to[1] - h / 2, to[0] + w / 2, to[1] + h / 2
