"""Why it hangs like this: sentences in three languages for every rule, every pane and every list of words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from app.domain.messages import load_catalogues, translate
from app.domain.resources import resource_path
from app.session.hanging_said import HangingSaid, hanging_said, rule_words
from app.session.views import Words
from app.viewer.hanging import hang
from app.viewer.hanging_protocols import HangingProtocol, protocol_from, shipped_protocols
from app.viewer.hanging_reasons import Because, reasons
from app.viewer.hanging_rules import SET_ATTRIBUTES, STUDY_ATTRIBUTES, rule_from
from app.viewer.word_match import word_lists
from tests.viewer.test_hanging import MAMMO, study_of
from tests.viewer.test_hanging_anatomy import CASES, pictures
from tests.viewer.test_hanging_descriptions import HEAD_SETS, ct
from tests.viewer.test_priors import Old, of

LANGUAGES = ("en", "ru", "kk")


def said_of(description: str, sets: list[dict[str, Any]], stage: int = 0) -> HangingSaid:
    study, display_sets = study_of({"study_description": description, "display_set": sets})
    opened = SimpleNamespace(study=study, display_sets=display_sets)
    board = SimpleNamespace(hanging=hang(study, display_sets), stage=stage, protocols=None, studies=lambda: (opened, ()))
    return hanging_said(board)  # type: ignore[arg-type]


def said_beside(
    now: Old, *old: Old, protocols: Sequence[HangingProtocol] | None = None, stage: str = "compare"
) -> HangingSaid:
    """Of a study with earlier ones; each (description, sets, day)."""
    (study, sets), *older = [of(*o, f"1.{n}") for n, o in enumerate((now, *old), 2)]
    opened = [SimpleNamespace(study=s, display_sets=d) for s, d in ((study, sets), *older)]
    hanging = hang(study, sets, older, protocols)
    number = next(n for n, s in enumerate(hanging.stages) if s.name == stage)
    board = SimpleNamespace(
        hanging=hanging, stage=number, protocols=protocols, studies=lambda: (opened[0], tuple(opened[1:]))
    )
    return hanging_said(board)  # type: ignore[arg-type]


def sentence(words: Words | str, language: str) -> str:
    if isinstance(words, str):
        return words
    return translate(
        language, words.id, {k: sentence(v, language) if isinstance(v, Words) else v for k, v in words.params.items()}
    )


def everything(said: HangingSaid, language: str) -> list[str]:
    out = [sentence(said.protocol, language), *(sentence(r.words, language) for r in said.rules)]
    for pane in said.panes:
        out += [sentence(w, language) for w in (pane.title, pane.series, pane.because, *(r.words for r in pane.rules))]
    return [*out, *(sentence(w, language) for w in (*said.others, *said.priors))]


def entries(series: list) -> list[dict[str, Any]]:
    return [{"modality": m, "description": d, **more} for m, d, more in series]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", CASES)
def test_every_hanging_is_told_in_words_without_names_of_programmes(case: str, language: str) -> None:
    description, sets, *_ = CASES[case]
    for stage in range(2):
        lines = everything(said_of(description, sets, stage), language)
        assert all(line.strip() for line in lines)
        text = "\n".join(lines)
        assert not re.search(r"contains_any|at_least|one_of|equals|\$|\{|\}|hanging\.|preset\.|mount\.", text), text
        assert not {"AnyDescription", "SeriesDescription", "LongestStack", "PictureCount"} & set(re.findall(r"\w+", text))


def test_a_pane_says_what_decided_against_the_next_best() -> None:
    said = said_of("CT HEAD W/O", entries(HEAD_SETS))
    assert [sentence(p.title, "en") for p in said.panes] == [
        "Pane 1 – Brain", "Pane 2 – Bone", "Pane 3 – Subdural", "Pane 4 – Stroke",
    ]  # fmt: skip
    first = said.panes[0]
    assert sentence(first.series, "en") == "Series 3: Head 5.0"
    assert sentence(first.because, "en") == "Chosen before series 1 (Head 0.625), because:"
    assert [sentence(r.words, "en") for r in first.rules] == ["Slice thickness, mm: 5; at least 2.5 wanted"]
    bone = said.panes[1]
    assert sentence(bone.series, "ru") == "Серия 2: Bone 0.625"
    assert [sentence(r.words, "ru") for r in bone.rules] == [
        "Название серии: «Bone 0.625» – кость",
        "Ядро реконструкции: «BONEPLUS» – костное ядро",
    ]
    assert [sentence(p.because, "kk") for p in said.panes[2:]] == ["1-терезедегі кескіндермен бірдей."] * 2


def test_the_protocol_says_its_points_and_the_runners_up_theirs() -> None:
    said = said_of("CT chest, abdomen", entries([ct("Soft 3.0", 3.0)]))
    assert sentence(said.protocol, "en") == "Chest CT fits best: 14 points"
    held = [r.points for r in said.rules if r.held]
    assert sum(float(p) for p in held) == 14.0
    first = next(r.words for r in said.rules if r.words.params["what"] == Words("hanging.attribute.NamedFirst"))
    assert sentence(first, "ru") == "Названо в описании первым: грудная клетка"
    assert sentence(said.others[0], "ru").startswith("КТ живота: баллов ")
    assert said.others[-1].id in ("hanging.said.runner_up", "hanging.said.no_other")
    alone = said_of("", [{"modality": "OT", "kind": "images", "frames": 1}])
    assert [sentence(o, "en") for o in alone.others] == ["No other protocol fits this study."]


@pytest.mark.parametrize(
    ("sets", "because"),
    [
        (CASES["ultrasound"][1], {Because.ORDER}),
        (CASES["mount"][1], {Because.GUESSED}),
        (list(MAMMO["display_set"]), {Because.ONLY}),
        (CASES["prostate"][1], {Because.ONLY, Because.NOTHING, Because.RULES}),
        (CASES["angiography"][1], {Because.FIRST, Because.RULES, Because.ORDER}),
    ],
    ids=["ultrasound", "mount", "mammography", "prostate", "angiography"],
)
def test_reasons_are_of_their_kind(sets: list[dict[str, Any]], because: set[Because]) -> None:
    description = "MR PROSTATE" if sets[0]["modality"] == "MR" else ""
    study, display_sets = study_of({"study_description": description, "display_set": sets})
    found = reasons(hang(study, display_sets), 0, study, display_sets)
    assert {r.because for r in found} <= because
    assert found
    assert reasons(hang(study, display_sets), 99, study, display_sets) == ()


def test_a_prior_is_never_weighed_against_one_that_may_not_hang() -> None:
    def knee(side: str, *names: str) -> list[dict[str, Any]]:
        return [one for name in names for one in pictures("DX", 1, view_position="AP", laterality=side, description=name)]

    now = ("X-ray knee", knee("R", "now"), "20260101")
    right, left = ("X-ray knee", knee("R", "right"), "20240101"), ("X-ray knee", knee("L", "left"), "20250101")
    said = said_beside(now, right, left)
    assert sentence(said.panes[1].series, "en").endswith("right")
    assert said.panes[1].because.id == "hanging.because.only"
    older = ("X-ray knee", knee("R", "older"), "20200101")
    said = said_beside(now, right, left, older)
    assert sentence(said.panes[1].because, "en") == "The newest of the same part that fits here; older: series 1 (older)."
    twice = ("X-ray knee", [*knee("R", "one"), *knee("R", "now")], "20240101")
    said = said_beside(now, twice, left)
    assert sentence(said.panes[1].series, "en").endswith("now")
    assert said.panes[1].because.id == "hanging.because.likest"
    assert "series 1 (one)" in sentence(said.panes[1].because, "en")


def test_rules_about_priors_are_told_of_those_that_go_with_the_study() -> None:
    recent = protocol_from(
        {
            "name": "chest_ct_own1",
            "title": "Recent",
            "rank": 50.0,
            "match": [{"attribute": "PriorAgeDays", "at_most": 30, "required": True}],
            "set": [{"name": "all", "rule": [{"attribute": "Modality", "equals": "CT", "required": True}]}],
            "stage": [{"name": "all", "layout": "1x1", "pane": [{"set": "all"}]}],
        }
    )
    chest, head = entries([ct("Lung", 1.0)]), entries([ct("Head", 1.0)])
    now = ("CT chest", chest, "20260101")
    said = said_beside(now, ("CT head", head, "20251231"), ("CT chest", chest, "20251222"), protocols=(recent,), stage="all")
    (rule,) = [r for r in said.rules if r.words.id == "hanging.said.at_most"]
    assert (rule.held, rule.words.params["found"]) == (True, "10"), "ten days, and not the day of the head"


def test_every_list_attribute_and_reason_has_its_words() -> None:
    wanted = {f"hanging.word.{name}" for name in word_lists()}
    wanted |= {f"hanging.attribute.{name}" for name in STUDY_ATTRIBUTES | SET_ATTRIBUTES}
    wanted |= {f"hanging.because.{b.value}" for b in Because}
    catalogues = load_catalogues(resource_path("i18n", "messages"))
    for language in LANGUAGES:
        assert wanted - set(catalogues[language]) == set()


def test_every_rule_of_every_protocol_can_be_said_held_and_failed() -> None:
    for protocol in shipped_protocols().protocols:
        for rule in (*protocol.rules, *(r for s in protocol.selectors for r in s.rules)):
            for found, passed in ((("CT",), True), ((), False), (None, False)):
                for language in LANGUAGES:
                    assert "{" not in sentence(rule_words(rule, found, passed), language)


@pytest.mark.parametrize(
    ("entry", "found", "passed", "said"),
    [
        ({"attribute": "Modality", "one_of": ["CT", "MR"]}, "US", False, "Modality: US; CT, MR is wanted"),
        ({"attribute": "Plane", "equals": "axial"}, "axial", True, "Plane: axial"),
        ({"attribute": "Contrast", "exists": True}, "", False, "Contrast agent: not stated"),
        ({"attribute": "AnyDescription", "lacks": ["$chest"]}, ("CT head",), True, "Descriptions: nothing speaks of chest"),
        ({"attribute": "SliceThickness", "at_most": 2.5}, 5.0, False, "Slice thickness, mm: 5; at most 2.5 wanted"),
        (
            {"attribute": "SeriesDescription", "contains_any": ["t2[*]", "swi*"]},
            "T2*",
            True,
            "Name of the series: “T2*” – t2*, swi",
        ),
    ],
)
def test_rules_in_words(entry: dict[str, Any], found: Any, passed: bool, said: str) -> None:
    assert sentence(rule_words(rule_from(entry), found, passed), "en") == said
