"""The window's view of a nodule's past, and its verbs: confirm, choose, take back, put what is lost into the report."""

from __future__ import annotations

from app.domain.finding import Finding
from app.session.cards import region_of, sizes, title_of
from app.session.prior_verbs import PriorVerbs
from app.session.report_desk import ReportDesk
from app.session.then_desk import SAID_BY, SAID_THEN, Compared, EarlierScan, ThenDesk
from app.session.then_views import LostRow, ThenChoice, ThenState, ThenView
from app.session.then_words import growth_lines, growth_trace, lost_sentence, nodule_words, place_trace
from app.session.views import Words

Trace = tuple[tuple[Words, Words], ...]


class ThenVerbs:
    def __init__(self, desk: ThenDesk, earlier: PriorVerbs, reports: ReportDesk) -> None:
        self.desk, self._earlier, self._reports = desk, earlier, reports

    # -- what is shown -------------------------------------------------------------------------------------------------

    def view(self, finding_id: str) -> ThenView | None:
        """None where the finding has nothing to be compared with."""
        desk = self.desk
        finding = next((f for f in desk.nodules() if f.finding_id == finding_id), None)
        found = desk.compared() if finding is not None else None
        if finding is None or found is None:
            return None
        said = desk.said(finding_id)
        if said and said.get("study") == found.scan.uid:
            return self._said(finding, found, said[SAID_THEN], said[SAID_BY])
        if found.state is not ThenState.FOUND:
            line = Words(f"then.{found.state.value}", {"date": found.scan.date})
            return ThenView(found.state, (line,), self._choices(found, None), "", self._trace(finding, found, None))
        proposed = found.proposed.get(finding_id)
        if proposed is None:
            return None
        then = _by_id(found.candidates, proposed.then_id)
        choices, trace = self._choices(found, then), self._trace(finding, found, then)
        if then is None:
            state = ThenState.NEW if proposed.inside else ThenState.OUTSIDE
            line = Words(f"then.{state.value}", {"date": found.scan.date})
            return ThenView(state, (line,), choices, "", trace)
        lines = growth_lines(desk.grown(found.scan, finding, then), found.scan.date)
        if proposed.clear:
            return ThenView(ThenState.FOUND, lines, choices, "", trace, then.finding_id)
        return ThenView(ThenState.UNCLEAR, (*lines, Words("then.unclear")), choices, "", trace, then.finding_id)

    def _said(self, finding: Finding, found: Compared, then_id: str, by: str) -> ThenView:
        then = _by_id(found.candidates, then_id)
        trace = self._trace(finding, found, then)
        if then is None:
            line = Words("then.said_new" if not then_id else "then.said_gone", {"date": found.scan.date})
            return ThenView(ThenState.NEW, (line,), self._choices(found, None, none=not then_id), by, trace)
        lines = growth_lines(self.desk.grown(found.scan, finding, then), found.scan.date)
        return ThenView(ThenState.FOUND, lines, self._choices(found, then), by, trace, then.finding_id)

    def _choices(self, found: Compared, chosen: Finding | None, none: bool = False) -> tuple[ThenChoice, ...]:
        every = tuple(ThenChoice(f.finding_id, nodule_words(f), f is chosen) for f in found.candidates)
        return (*every, ThenChoice("", Words("then.none_of_them"), none))

    def _trace(self, finding: Finding, found: Compared, then: Finding | None) -> Trace:
        desk, scan = self.desk, found.scan
        out = [
            (Words("then.trace.now"), nodule_words(finding)),
            (Words("then.trace.study"), self._looked(scan, len(found.candidates))),
        ]
        if then is not None:
            out.append(
                (Words("then.trace.then"), Words("then.trace.whose", {"what": nodule_words(then), "who": _who(then)}))
            )
        proposed = found.proposed.get(finding.finding_id)
        if found.state is ThenState.FOUND:
            out += place_trace(then, found.places.get(finding.finding_id), found.similarity)
        elif found.similarity is not None:
            poor = Words("then.trace.alike", {"value": f"{found.similarity:.2f}"})
            out.append((Words("then.trace.registration"), poor))
        rivals = [f for i in (proposed.rivals if proposed is not None else ()) if (f := _by_id(found.candidates, i))]
        out += [(Words("then.trace.rival"), nodule_words(f)) for f in rivals[:3]]
        if then is not None:
            out += growth_trace(desk.grown(scan, finding, then), finding, then)
        sealed = desk.waiting_for_seal()
        if sealed is not None:
            out.append((Words("then.trace.sealed"), Words("then.trace.sealed_of", {"date": sealed.date})))
        return tuple(out)

    @staticmethod
    def _looked(scan: EarlierScan, count: int) -> Words:
        return Words("then.trace.found_there", {"date": scan.date, "n": count})

    def lost(self) -> tuple[LostRow, ...]:
        """Earlier nodules that nothing on the present images is."""
        found = self.desk.compared()
        if found is None or found.state is not ThenState.FOUND:
            return ()
        out = []
        for finding in found.lost:
            told = sizes(finding.measurements)
            value, unit = (told[0][1], told[0][2]) if told else ("", "")
            row = LostRow(
                finding.finding_id, title_of(finding), region_of(finding), value, unit, found.scan.date,
                self._in_report(self._lost_text(found, finding)),
            )  # fmt: skip
            out.append(row)
        return tuple(out)

    # -- verbs ---------------------------------------------------------------------------------------------------------

    def confirm(self, finding_id: str) -> None:
        self.desk.confirm(finding_id)

    def choose(self, finding_id: str, then_id: str) -> None:
        self.desk.choose(finding_id, then_id)

    def go_to(self, then_id: str) -> None:
        """The earlier images, at that nodule."""
        self._earlier.go_to(then_id)

    def take_back(self, finding_id: str) -> None:
        self.desk.take_back(finding_id)

    def lost_to_report(self, then_id: str) -> None:
        """A line of the reader's own: that it is not found again."""
        found = self.desk.compared()
        then = _by_id(found.lost, then_id) if found is not None else None
        if found is None or then is None or self._in_report(text := self._lost_text(found, then)):
            return
        section = self._reports.report().sections[0]
        self._reports.add_line(section.section_id, text, len(section.lines))
        self._earlier.desk.course_told()

    def _lost_text(self, found: Compared, then: Finding) -> str:
        return lost_sentence(self._reports.report().language, then, found.scan.date)

    def _in_report(self, text: str) -> bool:
        return any(line.text == text for s in self._reports.report().sections for line in s.lines)


def _by_id(findings: tuple[Finding, ...], finding_id: str) -> Finding | None:
    return next((f for f in findings if f.finding_id == finding_id), None)


def _who(finding: Finding) -> Words:
    return Words("then.by_reader" if finding.reader is not None else "then.by_person")
