"""Test objects and strong lossy compression are refused by their headers, before a pixel is decoded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.ai.declared import declared_reason, declared_remarks, lossy_ratio
from app.ai.selection import set_reason
from app.dicom.display_sets import display_sets
from app.dicom.scanner import scan
from app.domain.model_card import SelectionRules
from app.domain.study import PersonName, Study
from tests import phantoms


@pytest.fixture
def study(tmp_path: Path) -> Study:
    phantoms.write_ct(tmp_path, phantoms.index_volume((6, 16, 16)))
    (found,) = scan([tmp_path]).studies
    return found


def with_instances(study: Study, **fields: object) -> Study:
    (series,) = study.series
    changed = tuple(replace(i, **fields) for i in series.instances)  # type: ignore[arg-type]
    return replace(study, series=(replace(series, instances=changed),))


def reason_of(study: Study) -> str:
    (shown,) = display_sets(study)
    rules = SelectionRules(("CT",), (), 3, 10.0, extra={"kind": "volume"})
    reason, _ = set_reason(rules, study, shown)
    return reason.code if reason is not None else ""


def test_a_plain_study_is_read(study: Study) -> None:
    assert reason_of(study) == ""
    (shown,) = display_sets(study)
    assert declared_reason(study, shown, study.series[0].instances) is None
    assert declared_remarks(study.series[0].instances) == []


@pytest.mark.parametrize("words", ["ACR Phantom weekly", "CATPHAN", "Фантом Шеппа", "Daily QA", "quality control 2"])
def test_a_test_object_is_refused(study: Study, words: str) -> None:
    assert reason_of(replace(study, description=words)) == "ai.scope.test_object"
    named = replace(study, patient=replace(study.patient, name=PersonName(words)))
    assert reason_of(named) == "ai.scope.test_object"


@pytest.mark.parametrize("words", ["Qaiyrova chest", "phantomas", "Aquality controlled", "CT QAMQOR"])
def test_words_that_only_look_alike_are_not(study: Study, words: str) -> None:
    assert reason_of(replace(study, description=words)) == ""


@pytest.mark.parametrize(
    ("stated", "ratio", "code"),
    [("", 0.0, ""), ("8", 8.0, ""), ("10", 10.0, ""), ("10.5", 10.5, "ai.scope.lossy"), ("4\\5", 20.0, "ai.scope.lossy")],
)
def test_the_ratios_of_every_lossy_step_count(study: Study, stated: str, ratio: float, code: str) -> None:
    lossy = with_instances(study, lossy=True, lossy_ratio=stated)
    instances = lossy.series[0].instances
    assert lossy_ratio(instances[0]) == pytest.approx(ratio)
    assert reason_of(lossy) == code
    assert [p.code for p in declared_remarks(instances)] == ["ai.scope.lossy_read"]


@pytest.mark.parametrize("stated", ["x", "-3", "nan", "1e9", "\\"])
def test_nonsense_is_no_ratio(study: Study, stated: str) -> None:
    assert lossy_ratio(with_instances(study, lossy_ratio=stated).series[0].instances[0]) == 0.0
