"""Which series are chosen, and the tree with its check boxes and states. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from app.domain.problem import Problem, Severity
from app.session.import_scan import Compared, Scanned
from app.session.import_tree import PatientNode, SeriesNode, StudyNode
from app.session.import_views import Check, ImportLine, Level, Phase
from app.session.import_watch import ImportWatch
from app.session.views import NOTHING, Words


@dataclass(frozen=True)
class Chosen:
    """What the foot of the dialog says."""

    studies: int
    images: int
    new_images: int
    new_bytes: int


@dataclass(frozen=True)
class Choice:
    """Keys of the chosen series."""

    series: frozenset[str] = frozenset()

    def toggled(self, scanned: Scanned, key: str) -> Choice:
        """A part that was not wholly chosen is chosen; else it is left out."""
        nodes = [(s, x) for _, s, x in _series(scanned) if _belongs(scanned, key, s, x)]
        keys = {x.key for _, x in nodes}
        if not keys or not all(_may_be_chosen(scanned, s) for s, _ in nodes):
            keys = {x.key for s, x in nodes if _may_be_chosen(scanned, s)}
        if keys <= self.series:
            return Choice(self.series - keys)
        chosen = set(self.series)
        for study, one in nodes:
            if one.key in keys and study.shares_uid:
                # two persons under one number: choosing the one leaves the other out
                uid = study.study.study_instance_uid
                others = [x.key for _, s, x in _series(scanned) if s.study.study_instance_uid == uid and s.key != study.key]
                chosen -= set(others)
        taken: dict[str, str] = {}
        for study, one in nodes:
            uid = study.study.study_instance_uid
            if one.key in keys and taken.setdefault(uid, study.key) == study.key:
                chosen.add(one.key)
        return Choice(frozenset(chosen))

    def without_known(self, scanned: Scanned, same: frozenset[str]) -> Choice:
        """Series that are here byte for byte need not be chosen."""
        here = {x.key for _, _, x in _series(scanned) if all(i.sop_instance_uid in same for i in x.instances)}
        return replace(self, series=self.series - here)

    def files(self, scanned: Scanned, same: frozenset[str]) -> dict[str, tuple[str, int]]:
        """Series key and size by locator of what is to be copied."""
        return {
            i.locator: (x.key, i.size_bytes)
            for _, _, x in _series(scanned)
            if x.key in self.series
            for i in x.instances
            if i.sop_instance_uid not in same
        }

    def summary(self, scanned: Scanned, same: frozenset[str]) -> Chosen:
        studies, images, new, size = set(), 0, 0, 0
        for _, study, one in _series(scanned):
            if one.key in self.series:
                studies.add(study.key)
                images += len(one.instances)
                fresh = [i for i in one.instances if i.sop_instance_uid not in same]
                new += len(fresh)
                size += sum(i.size_bytes for i in fresh)
        return Chosen(len(studies), images, new, size)


def default_choice(scanned: Scanned) -> Choice:
    """Everything but studies whose number two persons share: which of them it is, is for a person to say."""
    return Choice(frozenset(x.key for _, s, x in _series(scanned) if not s.shares_uid))


def _series(scanned: Scanned) -> Iterator[tuple[PatientNode, StudyNode, SeriesNode]]:
    for patient in scanned.patients:
        for study in patient.studies:
            for one in study.series:
                yield patient, study, one


def _belongs(scanned: Scanned, key: str, study: StudyNode, one: SeriesNode) -> bool:
    if key in (one.key, study.key):
        return True
    return any(p.key == key and study in p.studies for p in scanned.patients)


def _may_be_chosen(scanned: Scanned, study: StudyNode) -> bool:
    """Not when the library has this study number for another person: it can never be mixed in."""
    owner = scanned.owners.get(study.study.study_instance_uid)
    return owner is None or owner == "\x1f".join(study.study.patient.key)


def tree_lines(
    scanned: Scanned,
    choice: Choice,
    compared: Compared,
    watch: ImportWatch | None,
    phase: Phase,
    comparing: bool,
) -> tuple[ImportLine, ...]:
    """All rows, parents before their children."""
    lines: list[ImportLine] = []
    candidates = frozenset(i.sop_instance_uid for i in scanned.candidates)
    for patient in scanned.patients:
        at = len(lines)
        below: list[ImportLine] = []
        for study in patient.studies:
            below += _study_lines(scanned, patient, study, choice, compared, watch, phase, candidates if comparing else None)
        series = [line for line in below if line.level is Level.SERIES]
        why = Problem("import.other_person", severity=Severity.WARNING) if patient.suspicious else None
        lines.insert(
            at,
            ImportLine(
                patient.key, "", Level.PATIENT, patient.name, patient.line, "", sum(x.images for x in series),
                sum(x.size_bytes for x in series), _check(series), any(x.choosable for x in series),
                "warning" if patient.suspicious else "user", patient.place, "bad" if patient.suspicious else "secondary",
                why=why,
            ),
        )  # fmt: skip
        lines += below
    return tuple(lines)


def _check(series: list[ImportLine]) -> Check:
    on = sum(x.check is Check.ON for x in series)
    return Check.ON if on and on == len(series) else Check.SOME if on else Check.OFF


def _study_lines(
    scanned: Scanned,
    patient: PatientNode,
    study: StudyNode,
    choice: Choice,
    compared: Compared,
    watch: ImportWatch | None,
    phase: Phase,
    candidates: frozenset[str] | None,
) -> list[ImportLine]:
    may = _may_be_chosen(scanned, study)
    children = []
    for one in study.series:
        icon, words, role, fraction, done = _state(one, one.key in choice.series, compared, watch, phase, candidates)
        children.append(
            ImportLine(
                one.key, study.key, Level.SERIES, one.title, one.note, one.modality, len(one.instances), one.size_bytes,
                Check.ON if one.key in choice.series else Check.OFF, may and phase is Phase.CHOOSING, icon, words, role,
                fraction, done, one.key if one.display_set is not None else "",
            )
        )  # fmt: skip
    whole = SeriesNode(study.key, "", NOTHING, "", tuple(i for s in study.series for i in s.instances), None)
    chosen = any(s.key in choice.series for s in study.series)
    icon, words, role, fraction, done = _state(whole, chosen, compared, watch, phase, candidates, study)
    why = None
    if study.shares_uid:
        code = "import.shared_number" if may else "store.other_patient"
        why = Problem(code, severity=Severity.WARNING, next_step="import.next.choose_person" if may else "")
        if phase is Phase.CHOOSING or not chosen:
            icon, words, role = "warning", Words(f"import.state.{'shared' if may else 'other_patient'}"), "bad"
            fraction = None
    picture = study.picture
    head = ImportLine(
        study.key, patient.key, Level.STUDY, study.title, study.subtitle, study.modality, len(whole.instances),
        whole.size_bytes, _check(children), may and phase is Phase.CHOOSING, icon, words, role, fraction, done,
        picture.key if picture is not None else "", why,
    )  # fmt: skip
    return [head, *children]


_State = tuple[str, Words, str, float | None, int]


def _state(
    node: SeriesNode,
    chosen: bool,
    compared: Compared,
    watch: ImportWatch | None,
    phase: Phase,
    candidates: frozenset[str] | None,
    study: StudyNode | None = None,
) -> _State:
    """Icon, words, role, fraction and bytes done of a row."""
    total = len(node.instances)
    same = sum(i.sop_instance_uid in compared.same for i in node.instances)
    if watch is not None and chosen:
        keys = [s.key for s in study.series] if study is not None else [node.key]
        counts = [watch.series[k] for k in keys if k in watch.series]
        size, done = sum(c.total_bytes for c in counts), sum(c.done_bytes for c in counts)
        files, ended = sum(c.files for c in counts), sum(c.ended for c in counts)
        refused = sum(len(c.refused) for c in counts)
        if files and ended >= files:
            if refused:
                return "warning-circle", Words("import.state.read_but", {"n": refused}), "bad", None, done
            return "check", Words("import.state.read" if study is None else "import.state.read_whole"), "text", None, done
        if files and done and phase in (Phase.IMPORTING, Phase.PAUSED):
            return "", Words("import.state.reading"), "text", done / max(size, 1), done
        if files:
            stopped = phase is Phase.DONE
            return "clock", Words("import.state.not_read" if stopped else "import.state.waits"), "secondary", None, done
    if same and same == total:
        return "copy", Words("import.state.here", {"n": total}), "text", None, 0
    if same:
        return "copy", Words("import.state.some_here", {"n": same, "of": total}), "text", None, 0
    if candidates is not None and any(i.sop_instance_uid in candidates for i in node.instances):
        return "circle-notch", Words("import.state.comparing"), "secondary", None, 0
    repairs = sum(bool(i.repairs) for i in node.instances)
    if repairs:
        return "note-pencil", Words("import.state.repaired", {"n": repairs}), "secondary", None, 0
    return "", Words("import.state.new" if chosen else "import.state.left_out"), "secondary", None, 0
