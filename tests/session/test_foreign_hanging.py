"""Hanging Protocol objects of other makers hang the studies they are for, and no others."""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from app.dicom.hanging_object import hanging_object, read_hanging_object
from app.session.own_hangings import OwnHangings
from app.viewer.hanging import hang
from app.viewer.hanging_protocols import protocol_from, shipped_protocols
from app.viewer.layouts import layout_cells
from tests.flows import stage
from tests.viewer.test_hanging import study_of
from tests.viewer.test_hanging_descriptions import ct, film, mr


def code(value: str, meaning: str, scheme: str = "SCT") -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodeMeaning, item.CodingSchemeDesignator = value, meaning, scheme
    return item


CHEST, KNEE = code("51185008", "Thorax"), code("T-D9200", "Knee", "SRT")


def foreign(modality: str, *definitions: dict[str, Any]) -> bytes:
    """An object as another maker writes it: one box in the lung window, no private element."""
    data = {
        "name": "x",
        "match": [{"attribute": "Modality", "equals": modality, "required": True}] * max(1, len(definitions)),
        "set": [{"name": "a", "rule": [{"attribute": "Modality", "equals": modality, "required": True}]}],
        "stage": [{"name": "s", "layout": "1x1", "pane": [{"set": "a", "preset": "lung"}]}],
    }
    ds = pydicom.dcmread(io.BytesIO(hanging_object(data, layout_cells, "Foreign", "Other", datetime(2026, 1, 1))))
    ds.remove_private_tags()
    for item, more in zip(ds.HangingProtocolDefinitionSequence, definitions, strict=False):
        for keyword, value in more.items():
            setattr(item, keyword, value)
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def hung(content: bytes, description: str, series: list) -> str:
    sets = [{"modality": m, "description": d, **more} for m, d, more in series]
    study = study_of({"study_description": description, "display_set": sets})
    return hang(*study, protocols=(protocol_from(read_hanging_object(content)), *shipped_protocols().protocols)).protocol


def test_a_chest_protocol_of_another_maker_hangs_chests_and_no_head() -> None:
    content = foreign("CT", {"AnatomicRegionSequence": [CHEST]})
    for description in ("CT Chest", "КТ ОГК", "Кеуде қуысының КТ-сы"):
        assert hung(content, description, [ct("1.0", 1.0)]) == "imported", description
    for description, mine in (
        ("CT HEAD W/O", "head_ct"),
        ("КТ шеи", "ct_neck"),
        ("CT T-SPINE", "ct_spine"),
        ("CT", "generic"),
    ):
        assert hung(content, description, [ct("1.0", 1.0)]) == mine
    assert hung(content, "Chest", film("PA")) == "chest_film"


def test_a_side_is_asked_for() -> None:
    content = foreign("MR", {"AnatomicRegionSequence": [KNEE], "Laterality": "L"})
    series = mr("sca", "PD FS sag", "PD FS cor", "PD FS tra")
    assert hung(content, "MRI KNEE LT", series) == "imported"
    assert hung(content, "MRI KNEE RT", series) == "mr_knee"
    assert hung(content, "MRI KNEE", series) == "mr_knee"
    assert hung(content, "MRI SHOULDER LT", series) == "mr"


def test_a_procedure_is_asked_for_by_its_words_or_its_code() -> None:
    content = foreign("CT", {"ProcedureCodeSequence": [code("CTLDCT", "Low dose screening", "99SITE")]})
    assert hung(content, "Low-dose screening", [ct("1.0", 1.0)]) == "imported"
    assert hung(content, "CTLDCT", [ct("1.0", 1.0)]) == "imported"
    assert hung(content, "CT head", [ct("1.0", 1.0)]) == "head_ct"


def test_definitions_are_alternatives_and_what_one_leaves_open_stays_open() -> None:
    both = foreign("CT", {"AnatomicRegionSequence": [CHEST]}, {"AnatomicRegionSequence": [code("69536005", "Head")]})
    assert hung(both, "CT head", [ct("1.0", 1.0)]) == hung(both, "CT chest", [ct("1.0", 1.0)]) == "imported"
    assert hung(both, "CT abdomen", [ct("1.0", 1.0)]) == "ct_abdomen"
    one = foreign("CT", {"AnatomicRegionSequence": [CHEST]}, {})
    assert hung(one, "CT", [ct("1.0", 1.0)]) == "imported"
    assert hung(one, "CT head", [ct("1.0", 1.0)]) == "head_ct"  # without a region it does not go before one that has it


def test_a_region_that_nobody_knows_is_looked_for_by_its_words_and_one_without_words_hangs_nothing() -> None:
    odd = foreign("CT", {"AnatomicRegionSequence": [code("9999", "Left great toe", "99X")]})
    assert hung(odd, "CT left great toe", [ct("1.0", 1.0)]) == "imported"
    assert hung(odd, "CT left foot", [ct("1.0", 1.0)]) != "imported"
    silent = foreign("CT", {"AnatomicRegionSequence": [code("9999", "", "99X")]})
    assert hung(silent, "CT left foot", [ct("1.0", 1.0)]) != "imported"


def test_patterns_hidden_in_the_words_of_an_object_are_plain_words() -> None:
    for meaning in ("*", "$chest", "!x", "* *", "$nothing", "[*]"):
        protocol = protocol_from(read_hanging_object(foreign("CT", {"AnatomicRegionSequence": [code("9", meaning)]})))
        assert protocol.rules, meaning


@pytest.mark.parametrize(("given", "kept"), [(None, 5.0), (1e9, 20.0), (3.5, 3.5)])
def test_no_object_goes_before_everything(tmp_path: Path, given: float | None, kept: float) -> None:
    content = foreign("CT", {"AnatomicRegionSequence": [CHEST]})
    if given is not None:
        data = {**read_hanging_object(content), "rank": given}
        content = hanging_object(data, layout_cells, "Own", "Site", datetime(2026, 1, 1))
    with stage.stage(tmp_path / "home", None) as s:
        own = OwnHangings(s.ws.library, "p")
        own.bring(content)
        assert own.protocols()[0].rank == kept
