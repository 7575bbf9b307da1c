"""From findings, measurements and the first opinion to a report whose lines follow the measurements until edited."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from app.domain.finding import Finding
from app.domain.identity import uid_for
from app.domain.measurement import Annotation
from app.domain.messages import translate
from app.domain.report import KeyImage, Origin, Report, ReportLine, ReportSection
from app.domain.study import Study
from app.domain.verdict import FirstOpinion, ImageQuality, Overall
from app.report import words
from app.report.templates import Template, choose_template, templates

IMPRESSION = "impression"
_DOUBT = "doubt:"
"""Prefix of the pseudo id of a line that tells of a value which is not confirmed."""
_STATEMENT = "statement:"
"""Prefix of the pseudo id of a line that states the first opinion, so that it follows a change."""


@dataclass(frozen=True)
class ReportFinding:
    """A finding that belongs in the report: accepted, modified (already with the reader's values) or the reader's own."""

    finding: Finding
    origin: Origin


def compose(
    study: Study,
    *,
    language: str,
    findings: Sequence[ReportFinding] = (),
    opinion: FirstOpinion | None = None,
    measurements: Sequence[Annotation] = (),
    doubted: Mapping[str, str] | None = None,
    then: Mapping[str, str] | None = None,
    key_images: Sequence[KeyImage] = (),
    previous: Report | None = None,
    template: str = "",
    comparison: str = "",
    version: int = 1,
    replaces: str = "",
    demonstration: bool = False,
) -> Report:
    """The report as it should stand now.

    Lines of ``previous`` that the reader edited or typed stay word for word, in their place; all others are made anew
    from the values. An edited line whose finding is gone stays as plain text, so that nothing typed is lost.

    ``doubted``: finding or annotation to the message id of what an independent computation says against its values; the
    line says it too, or a line of its own where the words are the reader's.
    ``then``: finding to the sentence that tells what it was in an earlier study; it follows the finding's line.
    ``comparison``: date of the prior (YYYYMMDD), or empty. Raises ``report.template_damaged``.
    """
    chosen = templates().get(template) or choose_template(study)
    shown = {image.finding_id: image.number for image in key_images}
    made: dict[str, list[ReportLine]] = {s.section_id: [] for s in chosen.sections}
    doubts = _Doubts(language, doubted or {}, previous)
    for item in findings:
        section = chosen.section_for(item.finding.region)
        line = _finding_line(language, item, shown.get(item.finding.finding_id))
        past = (then or {}).get(item.finding.finding_id, "")
        line = replace(line, text=f"{line.text} {past}") if past else line
        made[section.section_id] += doubts.told(line, section.section_id)
    for annotation in measurements:
        if annotation.measurements:
            first = chosen.sections[0].section_id
            made[first] += doubts.told(_measurement_line(language, annotation), first)
    if IMPRESSION in made:
        for line in _impression(language, findings, opinion, shown):
            made[IMPRESSION] += doubts.told(line, IMPRESSION)
    before = {s.section_id: s.lines for s in previous.sections} if previous is not None else {}
    sections = [
        ReportSection(s.section_id, s.title(language), _merged(made[s.section_id], before.pop(s.section_id, ())))
        for s in chosen.sections
    ]
    kept = [_as_text(line) for lines in before.values() for line in lines if line.edited or not line.finding_ids]
    if kept:  # the template was changed: what was typed in sections that it does not have goes to the first one
        sections[0] = replace(sections[0], lines=(*sections[0].lines, *kept))
    return Report(
        report_id=report_id_for(study, version),
        study_instance_uid=study.study_instance_uid,
        version=version,
        language=language,
        title=chosen.title(language),
        sections=tuple(sections),
        key_images=tuple(key_images) or (previous.key_images if previous is not None else ()),
        header=header(study, language, comparison),
        replaces=replaces,
        demonstration=demonstration,
    )


def report_id_for(study: Study, version: int) -> str:
    """Deterministic: the same version of a study's report has the same UID on a retry."""
    return uid_for("report", study.study_instance_uid, str(version))


def edit_line(report: Report, section_id: str, index: int, text: str) -> Report:
    """The report with the words of one line changed by the reader: from now on they are the reader's."""
    return _with_lines(
        report,
        section_id,
        lambda lines: tuple(replace(line, text=text, edited=True) if n == index else line for n, line in enumerate(lines)),
    )


def insert_line(report: Report, section_id: str, index: int, text: str) -> Report:
    """The report with a line of the reader's own (a phrase of the template, or typed)."""
    line = ReportLine(text, edited=True)
    return _with_lines(report, section_id, lambda lines: (*lines[:index], line, *lines[index:]))


def remove_line(report: Report, section_id: str, index: int) -> Report:
    """The report without a line. A generated line comes back with the next compose: reject or remove its finding instead."""
    return _with_lines(report, section_id, lambda lines: (*lines[:index], *lines[index + 1 :]))


def _with_lines(
    report: Report, section_id: str, change: Callable[[tuple[ReportLine, ...]], tuple[ReportLine, ...]]
) -> Report:
    sections = tuple(replace(s, lines=change(s.lines)) if s.section_id == section_id else s for s in report.sections)
    return replace(report, sections=sections)


def phrases(template: Template, section_id: str, language: str) -> tuple[str, ...]:
    """Wordings that the template offers for a section."""
    return next((s.phrase_texts(language) for s in template.sections if s.section_id == section_id), ())


def header(study: Study, language: str, comparison: str = "") -> Mapping[str, str]:
    """Label to value, in order, in the report's language."""

    def label(name: str) -> str:
        return translate(language, f"report.label.{name}")

    patient = study.patient
    is_iin = len(patient.patient_id) == 12 and patient.patient_id.isdigit()
    age = study.patient_age
    born = words.date(language, patient.birth_date)
    if age[:3].isdigit() and age[3:] == "Y":
        years = translate(language, "report.years", {"n": int(age[:3])})
        born = f"{born} ({years})" if born else years
    rows = {
        label("patient"): patient.name.display(),
        label("iin" if is_iin else "patient_id"): patient.patient_id,
        label("birth"): born,
        label("sex"): translate(language, f"report.sex.{patient.sex}") if patient.sex in ("M", "F", "O") else "",
        label("study_date"): words.date_time(language, study.study_datetime),
        label("accession"): study.accession_number,
        label("study"): study.description,
        label("comparison"): words.date(language, comparison) if comparison else translate(language, "report.no_comparison"),
        label("technique"): technique(study, language),
        label("referrer"): " ".join(part for part in study.referring_physician.split("^") if part),
        label("institution"): study.institution,
    }
    return {key: value for key, value in rows.items() if value}


def technique(study: Study, language: str) -> str:
    """Modality, tube voltage, slice thickness, contrast, number of images: only what the headers say."""
    images = [(s, i) for s in study.series for i in s.instances if i.pixel_format is not None]
    if not images:
        return ""
    series = max(study.series, key=lambda s: sum(i.pixel_format is not None for i in s.instances))
    first = next(i for i in series.instances if i.pixel_format is not None)
    modality_id = f"report.modality.{series.modality}"
    modality = translate(language, modality_id)
    parts = [series.modality if modality == modality_id else modality]
    if first.kvp:
        parts.append(translate(language, "report.kvp", {"value": words.number(language, first.kvp, 0)}))
    if first.slice_thickness_mm and len(series.instances) > 1:
        value = words.number(language, first.slice_thickness_mm, 1)
        parts.append(translate(language, "report.slice", {"value": value}))
    if first.contrast_agent:
        parts.append(translate(language, "report.contrast"))
    parts.append(translate(language, "report.images", {"n": len(images)}))
    return ", ".join(parts)


def _finding_line(language: str, item: ReportFinding, key_image: int | None) -> ReportLine:
    finding = item.finding
    size, more = words.size(language, finding), words.more_values(language, finding)
    params = {
        "where": words.where_words(language, finding),
        "what": words.kind_words(language, finding),
        "size": f" {size}" if size else "",
        "more": f" ({more})" if more else "",
    }
    message_id = "report.line" if params["where"] else "report.line_nowhere"
    text = words.sentence(translate(language, message_id, params))
    return ReportLine(text, item.origin, (finding.finding_id,), key_image)


def _measurement_line(language: str, annotation: Annotation) -> ReportLine:
    what = ", ".join(words.quantity_words(language, m) for m in annotation.measurements)
    if annotation.text:
        what = f"{annotation.text}, {what}"
    text = translate(language, "report.measurement_line", {"what": what})
    return ReportLine(text, Origin.MINE, (annotation.annotation_id,))


class _Doubts:
    """Which values an independent computation does not confirm, and who says so."""

    def __init__(self, language: str, doubted: Mapping[str, str], previous: Report | None) -> None:
        self._language, self._doubted = language, doubted
        sections = previous.sections if previous is not None else ()
        self._typed = {(s.section_id, line.finding_ids) for s in sections for line in s.lines if line.edited}

    def told(self, line: ReportLine, section_id: str) -> list[ReportLine]:
        message_id = next((self._doubted[i] for i in line.finding_ids if i in self._doubted), "")
        if not message_id:
            return [line]
        said = translate(self._language, message_id)
        if (section_id, line.finding_ids) in self._typed:  # the reader's words stay as they are
            return [line, ReportLine(said, line.origin, tuple(f"{_DOUBT}{i}" for i in line.finding_ids))]
        return [replace(line, text=f"{line.text} {said}")]


def _impression(
    language: str, findings: Sequence[ReportFinding], opinion: FirstOpinion | None, shown: Mapping[str, int]
) -> list[ReportLine]:
    lines = []
    if opinion is not None and opinion.quality is not ImageQuality.DIAGNOSTIC:
        text = translate(language, f"report.quality.{opinion.quality}")
        lines.append(ReportLine(text, Origin.MINE, (f"{_STATEMENT}quality",)))
    if opinion is not None and opinion.overall is Overall.CANNOT_JUDGE:
        text = translate(language, "report.cannot_judge")
        lines.append(ReportLine(text, Origin.MINE, (f"{_STATEMENT}overall",)))
    elif opinion is not None and opinion.overall is Overall.NOTHING and not findings:
        text = translate(language, "report.nothing_found")
        lines.append(ReportLine(text, Origin.MINE, (f"{_STATEMENT}overall",)))
    for number, item in enumerate(findings, start=1):
        finding = item.finding
        size = words.size(language, finding)
        params = {
            "number": number,
            "where": words.where_words(language, finding),
            "what": words.kind_words(language, finding),
            "size": f" {size}" if size else "",
        }
        message_id = "report.impression_line" if params["where"] else "report.impression_line_nowhere"
        text = translate(language, message_id, params)
        lines.append(ReportLine(text, item.origin, (finding.finding_id,), shown.get(finding.finding_id)))
    return lines


def _as_text(line: ReportLine) -> ReportLine:
    return replace(line, origin=Origin.TEXT, finding_ids=(), key_image=None, edited=True)


def _merged(made: Sequence[ReportLine], before: Sequence[ReportLine]) -> tuple[ReportLine, ...]:
    """Typed words stay in their places; new findings come after the last line that follows one; what is made anew stands
    in its own order, so that numbers count on."""
    fresh = {line.finding_ids: line for line in made}
    merged: list[ReportLine] = []
    last_generated = -1
    for old in before:
        line = fresh.pop(old.finding_ids, None) if old.finding_ids else None
        if not old.finding_ids:
            merged.append(old)
        elif line is None:
            if old.edited:
                merged.append(_as_text(old))
        else:
            merged.append(replace(line, text=old.text, edited=True) if old.edited else line)
            last_generated = len(merged) - 1
    rest = [line for line in made if line.finding_ids in fresh]
    merged[last_generated + 1 : last_generated + 1] = rest
    order = {line.finding_ids: n for n, line in enumerate(made)}
    places = [n for n, line in enumerate(merged) if line.finding_ids in order and not line.edited]
    in_order = sorted((merged[n] for n in places), key=lambda line: order[line.finding_ids])
    for place, line in zip(places, in_order, strict=True):
        merged[place] = line
    return tuple(merged)
