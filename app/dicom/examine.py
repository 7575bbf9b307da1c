"""One file held against the rules: does it open, what was mended, what refuses it, and every element with its place."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from app.dicom.frame_decoder import fragment_note, stored_frame
from app.dicom.header import read_header
from app.dicom.one_value import PICTURES, all_alike, has_one_value, remark
from app.dicom.repair import Repair, repair_of
from app.dicom.rules import Rule, rule_of
from app.dicom.tag_names import uid_name
from app.dicom.tag_tree import Breach, Fetch, TagElement, TagTree, read_tree
from app.dicom.transfer_syntaxes import name_of
from app.domain.ports import ByteSource
from app.domain.problem import Problem, ProblemError, Severity
from app.domain.study import Instance

EXACT, REPAIRED, REFUSED = "exact", "repaired", "refused"


@dataclass(frozen=True)
class Reason:
    """A refusal, a repair or a breach of the standard, with its place."""

    problem: Problem | None
    """None for a breach that needed neither."""
    rule: Rule | None
    breach: Breach | None = None
    refuses: bool = False

    @property
    def clause(self) -> str:
        if self.breach is not None:
            return self.breach.clause
        return self.rule.clause if self.rule is not None else ""


@dataclass(frozen=True, eq=False)
class Examination:
    name: str
    state: str
    """exact, repaired or refused."""
    reasons: tuple[Reason, ...]
    tree: TagTree
    transfer_syntax: str
    sop_class: str
    instance: Instance | None = None
    places: tuple[TagElement | None, ...] = ()
    """Where each of ``reasons`` is to be seen in the tree."""
    repair: Repair | None = None
    """Of a refused file: what can be repaired in a copy."""

    def element(self, reason: Reason) -> TagElement | None:
        """Where a reason is to be seen in the tree."""
        return next((p for r, p in zip(self.reasons, self.places, strict=False) if r is reason), None)


def _places(tree: TagTree, reasons: Sequence[Reason]) -> tuple[TagElement | None, ...]:
    """The element of each reason: the last that starts at or before a breach, or the first of a rule's tag. One walk: a
    large enhanced object has hundreds of thousands of elements."""
    elements = sorted(tree.walk(), key=lambda e: e.offset) if reasons else []
    starts = [e.offset for e in elements]
    wanted = {r.rule.tag for r in reasons if r.rule is not None and r.rule.tag}
    first: dict[int, TagElement] = {}
    for element in elements:
        if element.tag in wanted:
            first.setdefault(element.tag, element)

    def place(reason: Reason) -> TagElement | None:
        if reason.breach is None:
            return first.get(reason.rule.tag) if reason.rule is not None else None
        at = bisect_left(starts, reason.breach.offset)
        if at < len(starts) and starts[at] == reason.breach.offset:
            return elements[at]
        return elements[at - 1] if at else None

    return tuple(place(r) for r in reasons)


def examine(locator: str, source: ByteSource, name: str = "", told: Problem | None = None) -> Examination:
    """What a file of ``locator`` is. Decodes its first and last frame. ``told``: why it was refused, where that is known.

    Raises ``ProblemError`` when its bytes cannot be had at all.
    """
    fetch, size = _fetch(locator, source)
    tree = read_tree(fetch, size)
    reasons: list[Reason] = []
    instance: Instance | None = None
    state = EXACT
    try:
        instance = read_header(locator, source).instance
        for problem in instance.repairs:
            reasons.append(Reason(problem, rule_of(problem.code)))
        if instance.pixel_format is not None:
            frames = [stored_frame(instance, n, source) for n in sorted({0, instance.pixel_format.frames - 1})]
            alike = has_one_value(instance, source) or (instance.pixel_format.frames == 1 and all_alike(frames[0]))
            if alike and instance.sop_class_uid in PICTURES:
                reasons.append(Reason(remark(), rule_of(remark().code)))
            del frames
            note = fragment_note(instance, source)
            if note:
                reasons.append(Reason(Problem(note, {}, Severity.WARNING), rule_of(note)))
        state = REPAIRED if reasons else EXACT
    except ProblemError as error:
        reasons.insert(0, Reason(error.problem, rule_of(error.problem.code), refuses=True))
        state = REFUSED
    if told is not None and told.code.startswith("zip."):
        # An archive is no DICOM file by right: what is wrong with the archive is the reason.
        reasons, state = [Reason(told, rule_of(told.code), refuses=True)], REFUSED
    elif told is not None and state != REFUSED:
        # It opens now, alone: it was refused beside others (an identity that was taken, a full disk).
        reasons.insert(0, Reason(told, rule_of(told.code), refuses=True))
        state = REFUSED
    why = reasons[0].problem if state == REFUSED else None
    repair = repair_of(why.code, tree, fetch) if why is not None else None
    if told is None or not told.code.startswith("zip."):
        reasons += [Reason(None, None, breach) for breach in tree.breaches]
    sop_class = _text(tree, 0x00080016) or _text(tree, 0x00020002)
    return Examination(
        name,
        state,
        tuple(reasons),
        tree,
        name_of(tree.transfer_syntax_uid) if tree.transfer_syntax_uid else "",
        uid_name(sop_class) or sop_class,
        instance,
        _places(tree, reasons),
        repair,
    )


def _text(tree: TagTree, tag: int) -> str:
    for element in tree.roots:
        if element.tag == tag:
            return tree.raw(element, 0, 64).rstrip(b"\0 ").decode("ascii", "replace").strip()
    return ""


def _fetch(locator: str, source: ByteSource) -> tuple[Fetch, int]:
    path = source.plain_path(locator)
    if path is None:
        data = source.read(locator)
        return (lambda offset, length: data[offset : offset + length]), len(data)
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ProblemError(Problem("dicom.file_gone", next_step="dicom.next.rescan")) from error
    return (lambda offset, length: source.read_range(locator, offset, length)), size
