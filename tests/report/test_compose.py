from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.finding import Finding
from app.domain.measurement import Annotation, MarkShape, Measurement, Placement, Quantity
from app.domain.messages import translate
from app.domain.problem import ProblemError
from app.domain.report import Origin, Report
from app.domain.study import Series, Study
from app.domain.verdict import Overall
from app.report.compose import ReportFinding, compose, edit_line, insert_line
from app.report.templates import choose_template, load_template, templates
from app.report.words import amount, number
from tests.dicom.objects_phantom import ai_finding, ct_study, own_mark
from tests.report.report_phantom import full_report, key_image, opinion

LANGUAGES = ("en", "ru", "kk")


def lines(report: Report, section: str = "findings") -> list[str]:
    return [line.text for s in report.sections if s.section_id == section for line in s.lines]


def resized(finding: Finding, mm: float) -> Finding:
    return replace(finding, measurements=(Measurement(Quantity.LONG_AXIS, mm, "mm"),))


def test_lines_say_values_in_the_reports_language() -> None:
    assert lines(full_report("ru")) == [
        "Верхняя доля левого лёгкого: солидный очаг 11,6 × 10,8\u00a0мм (объём 1128\u00a0мм³).",
        "Верхняя доля правого лёгкого: очаг 6,2\u00a0мм.",
    ]
    assert lines(full_report("en"))[0] == "Left upper lobe: solid nodule 11.6 × 10.8\u00a0mm (volume 1128\u00a0mm³)."
    assert lines(full_report("kk"), "impression")[1] == "2. Оң жақ өкпенің жоғарғы бөлігі: ошақ 6,2\u00a0мм."


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_message_is_missing(language: str) -> None:
    report = full_report(language)
    everything = [report.title, *report.header, *report.header.values(), *(s.title for s in report.sections)]
    for section in report.sections:
        everything += [line.text for line in section.lines]
    assert not [text for text in everything if "report." in text or "{" in text]


def test_header_has_identity_and_age_with_its_plural() -> None:
    header = full_report("ru").header
    assert header["Пациент"] == "Серікбаева Әлия Маратқызы"
    assert header["ИИН"] == "620314400027"
    assert header["Дата рождения"] == "14.03.1962 (64 года)"
    assert header["Сравнение"] == "09.09.2025"
    assert header["Техника"] == "КТ, срез 2,5 мм, 6 изображений"
    assert full_report("kk").header["Туған күні"] == "14.03.1962 (64 жас)"


def test_lines_know_where_they_come_from() -> None:
    (section, *_) = full_report("ru").sections
    assert [line.origin for line in section.lines] == [Origin.AI_ACCEPTED, Origin.BOTH]
    assert [line.finding_ids for line in section.lines] == [(ai_finding().finding_id,), (own_mark().finding_id,)]
    assert [line.key_image for line in section.lines] == [1, 2]


def composed(previous: Report | None, *findings: Finding, language: str = "ru") -> Report:
    items = tuple(ReportFinding(f, Origin.MINE) for f in findings)
    return compose(ct_study(), language=language, findings=items, opinion=opinion(), previous=previous)


def test_a_line_follows_its_measurement_until_it_is_edited() -> None:
    first = composed(None, resized(own_mark(), 6.2))
    assert lines(composed(first, resized(own_mark(), 7.4))) == ["Верхняя доля правого лёгкого: очаг 7,4\u00a0мм."]
    edited = edit_line(first, "findings", 0, "Мои слова.")
    assert lines(composed(edited, resized(own_mark(), 7.4))) == ["Мои слова."]
    # the other line about it was not edited and still follows
    assert lines(composed(edited, resized(own_mark(), 7.4)), "impression") == [
        "1. Верхняя доля правого лёгкого: очаг 7,4\u00a0мм."
    ]


def test_typed_lines_keep_their_place_and_new_findings_come_after() -> None:
    first = composed(None, own_mark(1))
    typed = insert_line(insert_line(first, "findings", 0, "До."), "findings", 2, "После.")
    second = composed(typed, own_mark(1), own_mark(2, 4))
    assert [line.text.split(":")[0] for line in second.sections[0].lines] == [
        "До.",
        "Верхняя доля правого лёгкого",
        "Верхняя доля правого лёгкого",
        "После.",
    ]
    assert [s.lines for s in composed(second, own_mark(1), own_mark(2, 4)).sections] == [s.lines for s in second.sections]


def test_a_finding_that_is_gone_takes_its_line_but_never_typed_words() -> None:
    first = composed(None, own_mark(1), own_mark(2))
    assert len(lines(composed(first, own_mark(2)))) == 1
    edited = edit_line(first, "findings", 0, "Мои слова.")
    after = composed(edited, own_mark(2))
    assert lines(after)[0] == "Мои слова."
    assert after.sections[0].lines[0].finding_ids == ()
    assert after.sections[0].lines[0].origin is Origin.TEXT


def test_another_language_renders_anew_but_keeps_typed_words() -> None:
    first = edit_line(composed(None, own_mark(1), own_mark(2)), "findings", 1, "Мои слова.")
    english = composed(first, own_mark(1), own_mark(2), language="en")
    assert lines(english) == ["Right upper lobe: nodule 6.2\u00a0mm.", "Мои слова."]
    assert english.title == "CT of the chest"


def test_another_template_loses_no_typed_words() -> None:
    first = insert_line(composed(None, own_mark()), "mediastinum", 0, "Лимфоузлы не увеличены.")
    items = (ReportFinding(own_mark(), Origin.MINE),)
    other = compose(ct_study(), language="ru", findings=items, previous=first, template="generic")
    assert "Лимфоузлы не увеличены." in lines(other)


def test_a_first_opinion_of_nothing_is_stated_and_goes_when_something_is_found() -> None:
    nothing = compose(ct_study(), language="ru", opinion=opinion(Overall.NOTHING))
    assert lines(nothing, "impression") == ["Значимых изменений в данном исследовании не выявлено."]
    found = composed(nothing, own_mark())
    assert "не выявлено" not in " ".join(lines(found, "impression"))
    not_given = compose(ct_study(), language="ru", opinion=opinion(Overall.NOT_GIVEN))
    assert lines(not_given, "impression") == []


def test_uncalibrated_lengths_never_become_millimetres() -> None:
    finding = replace(own_mark(), measurements=(Measurement(Quantity.LENGTH, 41.4, "px", calibrated=False),))
    assert "41\u00a0px (not calibrated)" in lines(composed(None, finding, language="en"))[0]
    assert " mm" not in lines(composed(None, finding, language="en"))[0]


def test_measurements_get_a_line_each() -> None:
    annotation = Annotation(
        "2.25.1",
        MarkShape.ANGLE,
        Placement(points_px=((0.0, 0.0),)),
        (Measurement(Quantity.ANGLE, 12.34, "deg"),),
        "Cobb",
    )
    report = compose(ct_study(), language="ru", measurements=(annotation,))
    assert lines(report) == ["Измерение: Cobb, угол 12,3°."]


def test_the_side_is_never_left_out() -> None:
    finding = replace(own_mark(), region="", laterality="L")
    assert lines(composed(None, finding)) == ["Слева: очаг 6,2\u00a0мм."]
    tooth = replace(own_mark(), region="region.tooth.36", laterality="L")
    assert lines(composed(None, tooth))[0].startswith("Зуб 36:")


@pytest.mark.parametrize(
    ("language", "value", "digits", "text"),
    [("ru", 11.649, 1, "11,6"), ("en", -0.04, 1, "0.0"), ("kk", -1000.0, 0, "\u22121000"), ("en", 1128.4, 0, "1128")],
)
def test_numbers(language: str, value: float, digits: int, text: str) -> None:
    assert number(language, value, digits) == text


def test_units() -> None:
    assert amount("ru", Measurement(Quantity.MEAN, -31.6, "[hnsf'U]")) == "\u221232\u00a0HU"


def with_series(modality: str, description: str = "", body_part: str = "") -> Study:
    study = ct_study()
    series = Series("1.2.3", modality, study.series[0].instances, 1, description, body_part)
    return replace(study, series=(series,), description="")


@pytest.mark.parametrize(
    ("modality", "description", "body_part", "template"),
    [
        ("CT", "", "CHEST", "ct_chest"),
        ("CT", "НДКТ", "", "ct_chest"),
        ("CT", "Head routine", "", "ct_head"),
        ("MG", "", "", "mammography"),
        ("DX", "", "CHEST", "xr_chest"),
        ("PX", "", "", "panoramic"),
        ("CT", "knee", "KNEE", "generic"),
        ("US", "", "CHEST", "generic"),
    ],
)
def test_the_template_fits_the_study(modality: str, description: str, body_part: str, template: str) -> None:
    assert choose_template(with_series(modality, description, body_part)).template_id == template


def test_every_template_is_complete_in_three_languages() -> None:
    assert len(templates()) >= 6
    for template in templates().values():
        assert set(template.titles) >= set(LANGUAGES)
        assert "impression" in [s.section_id for s in template.sections]
        for section in template.sections:
            assert set(section.titles) >= set(LANGUAGES)
            assert all(set(p) >= set(LANGUAGES) for p in section.phrases)


def test_a_broken_template_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("title = ", encoding="utf-8")
    with pytest.raises(ProblemError) as caught:
        load_template(tmp_path / "bad.toml")
    assert caught.value.problem.params["file"] == "bad.toml"


def test_phrases_are_offered_never_inserted() -> None:
    report = full_report("ru")
    offered = templates()["ct_chest"].sections[1].phrase_texts("ru")
    assert offered
    assert not set(offered) & {line.text for s in report.sections for line in s.lines}


def test_images_are_counted_by_the_rules_of_the_language() -> None:
    assert [translate("ru", "report.images", {"n": n}) for n in (1, 3, 5, 21)] == [
        "1 изображение",
        "3 изображения",
        "5 изображений",
        "21 изображение",
    ]


def test_key_images_stay_with_the_draft() -> None:
    first = full_report("ru")
    again = compose(ct_study(), language="ru", previous=first)
    assert (
        again.key_images == first.key_images == (key_image(1, ai_finding().finding_id), key_image(2, own_mark().finding_id))
    )
