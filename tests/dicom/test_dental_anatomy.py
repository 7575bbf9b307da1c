"""Teeth of a dental film by their codes and by the words of other makers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from app.dicom.coding import site_code
from app.dicom.dental_anatomy import teeth_in_words
from app.dicom.scanner import scan
from tests import phantoms


@pytest.mark.parametrize(
    ("words", "teeth"),
    [
        ("Maxillary right first molar tooth", (16,)),
        ("Mandibular left lateral incisor tooth", (32,)),
        ("Tooth 46 (FDI)", (46,)),
        ("Upper left premolars", (24, 25)),
        ("right third molar", (18, 48)),
        ("Mandible", ()),
        ("Head 16", ()),
    ],
)
def test_words_of_a_meaning(words: str, teeth: tuple[int, ...]) -> None:
    assert teeth_in_words(words) == teeth


def _item(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def test_codes_of_a_film_reach_its_header(tmp_path: Path) -> None:
    path = phantoms.write_film(tmp_path / "io.dcm", np.zeros((40, 50), np.uint16), modality="PX")
    ds = pydicom.dcmread(path)
    code = site_code("17")
    assert code is not None
    ds.PrimaryAnatomicStructureSequence = [
        _item(code.value, "SCT", "Tooth 17"),
        _item("16", "ISO3950-V2010", "sixteen"),
        _item("T-54999", "SRT", "Mandibular right second bicuspid tooth"),
    ]
    ds.save_as(path)
    study = scan([tmp_path]).studies[0]
    assert study.series[0].instances[0].extra["teeth"] == "17 16 45"
