"""What coded sequences say: the anatomic region, of enhanced objects too, and how a mammographic view was varied."""

from __future__ import annotations

from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from app.dicom.scanner import scan
from app.viewer.view_modifiers import view_modifiers
from tests import phantoms


def _code(value: str, scheme: str, meaning: str, **more: object) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    for name, given in more.items():
        setattr(item, name, given)
    return item


def _read(file: Path, **attributes: object) -> dict[str, str]:
    ds = pydicom.dcmread(file)
    for name, given in attributes.items():
        setattr(ds, name, given)
    ds.save_as(file)
    (study,) = scan([file.parent]).studies
    (instance,) = [i for s in study.series for i in s.instances]
    return {"modifiers": "; ".join(view_modifiers(instance, study.series[0])), "anatomy": instance.extra.get("anatomy", "")}


def test_a_magnified_view_says_so(tmp_path: Path) -> None:
    file = tmp_path / "film.dcm"
    phantoms.write_film(file, modality="MG", laterality="R", view_position="CC")
    modifiers = Sequence([_code("399163009", "SCT", "Magnified"), _code("442593008", "SCT", "Infra-mammary fold")])
    view = _code("399162004", "SCT", "cranio-caudal", ViewModifierCodeSequence=modifiers)
    assert _read(file, ViewCodeSequence=Sequence([view]))["modifiers"] == "magnification; infra-mammary fold"
    assert _read(file, ViewCodeSequence=Sequence([_code("399162004", "SCT", "cc")]))["modifiers"] == ""
    assert _read(file, EstimatedRadiographicMagnificationFactor="1.8")["modifiers"] == "magnification"


def test_the_region_of_a_film_and_of_an_enhanced_object(tmp_path: Path) -> None:
    file = tmp_path / "film.dcm"
    phantoms.write_film(file, modality="DX", laterality="R", view_position="AP")
    assert _read(file, AnatomicRegionSequence=Sequence([]))["anatomy"] == ""
    knee = Sequence([_code("72696002", "SCT", "Knee")])
    frame = Dataset()
    frame.AnatomicRegionSequence = knee
    shared = Dataset()
    shared.FrameAnatomySequence = Sequence([frame])
    assert _read(file, SharedFunctionalGroupsSequence=Sequence([shared]))["anatomy"] == "Knee"
    hand = Sequence([_code("85562004", "SCT", "Hand")])
    assert _read(file, AnatomicRegionSequence=hand)["anatomy"] == "Hand"
