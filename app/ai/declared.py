"""What headers declare of images that no reader of ours was shown: test objects and strong lossy compression."""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.domain.problem import Problem, Severity
from app.domain.study import DisplaySet, Instance, Study
from app.domain.study_lookup import series_by_uid

LOSSY_RATIO_LIMIT = 10.0
"""Stronger compression changes the fine structure that networks look at; readers of ours were never tried on it."""
_TEST_OBJECT = re.compile(
    r"(?<![^\W\d_])(phantom|catphan|quality (control|assurance)|daily qa|qa test|constancy|test object|фантом|тест-объект)"
    r"(?![^\W\d_])",
    re.IGNORECASE,
)


def declared_reason(study: Study, display_set: DisplaySet, instances: Sequence[Instance]) -> Problem | None:
    """Why images are not read, whatever the reader. The patient's name is looked at here and goes nowhere."""
    if _is_test_object(study, display_set, instances):
        return Problem("ai.scope.test_object", severity=Severity.NOTE)
    ratio = max((lossy_ratio(i) for i in instances), default=0.0)
    if ratio > LOSSY_RATIO_LIMIT:
        params = {"ratio": round(ratio, 1), "limit": round(LOSSY_RATIO_LIMIT)}
        return Problem("ai.scope.lossy", params, Severity.NOTE)
    return None


def declared_remarks(instances: Sequence[Instance]) -> list[Problem]:
    """What is told beside a read."""
    return [Problem("ai.scope.lossy_read", severity=Severity.NOTE)] if any(i.lossy for i in instances) else []


def lossy_ratio(instance: Instance) -> float:
    """The product of the ratios of every lossy step (PS3.3 C.7.6.1.1.5); 0 where none is stated."""
    product = 1.0
    found = False
    for part in instance.lossy_ratio.split("\\"):
        try:
            value = float(part)
        except ValueError:
            continue
        if 1.0 <= value < 1e4:
            product, found = product * value, True
    return product if found else 0.0


def _is_test_object(study: Study, display_set: DisplaySet, instances: Sequence[Instance]) -> bool:
    series = series_by_uid(study).get(display_set.series_instance_uid)
    told = [study.description, study.patient.name.display()]
    told += [series.description, series.protocol_name, series.body_part_examined] if series is not None else []
    told += [i.body_part_examined for i in instances[:1]]
    return any(_TEST_OBJECT.search(text) for text in told if text)
