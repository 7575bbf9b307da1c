"""Which reader reads what, and why not: header rules over made studies, and packages that cannot be used, by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.ai.catalogue import Acceptance, Catalogue
from app.ai.inputs import film_image, films_job, header_facts, volume_job
from app.ai.package import build_package
from app.ai.selection import age_years, slice_spacing_mm
from app.domain.geometry import PlaneGeometry
from app.domain.model_card import SelectionRules
from app.domain.pixels import FramePixels, PixelFormat
from app.domain.study import (
    DisplaySet,
    DisplaySetKind,
    FrameHeader,
    FrameRef,
    Instance,
    Patient,
    PersonName,
    Series,
    Study,
)
from tests.ai import tiny_package


def _chest(spacing: float = 2.0, slices: int = 20, series: str = "1.2.5", **changes: object) -> tuple[Study, DisplaySet]:
    """An oblique CT stack, origin far from zero; ``changes`` are fields of every instance."""
    cosines = ((1.0, 0.0, 0.0), (0.0, 0.8, -0.6))
    normal = np.cross(*cosines)
    instances = []
    for k in range(slices):
        origin = tuple(float(v) for v in np.array([-150.0, -200.0, -1400.0]) + normal * k * spacing)
        plane = PlaneGeometry(origin, *cosines, 0.7, 0.7, 512, 512, "1.2.9")  # type: ignore[arg-type]
        base = Instance(
            f"{series}.{k}", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", "file:x", frames=(FrameHeader(plane),)
        )
        instances.append(
            replace(base, **{"body_part_examined": "CHEST", "image_type": ("ORIGINAL", "PRIMARY", "AXIAL"), **changes})
        )
    patient = Patient("1", name=PersonName("A^B"), birth_date="19600615")
    study = Study("1.2", patient, (Series(series, "CT", tuple(instances)),), "20260101120000")
    frames = tuple(FrameRef(i.sop_instance_uid) for i in instances)
    return study, DisplaySet(series, series, "1.2", "CT", DisplaySetKind.STACK, frames)


def _catalogue(folder: Path, rules: SelectionRules | None = None) -> Catalogue:
    made = tiny_package.parts()
    if rules is not None:
        made = replace(made, card=tiny_package.card(rules=rules))
    installed = tiny_package.install(folder, made)
    return Catalogue([folder], [installed.trust_path])


def _reason(acceptance: Acceptance) -> str:
    assert not acceptance.accepted
    assert len(acceptance.refused) == 1
    return acceptance.refused[0].reason.code


RULES = SelectionRules(("CT",), ("CHEST",), 10, 3.0, 18, True, {"kind": "volume", "min_coverage_mm": "30"})


def test_packages_are_listed_and_broken_ones_named(tmp_path: Path) -> None:
    good = build_package(tiny_package.parts(), tiny_package.PRIVATE_KEY)
    (tmp_path / "cut.ekmodel").write_bytes(good[:500])
    (tmp_path / "empty.ekmodel").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no package")
    catalogue = _catalogue(tmp_path)
    assert [p.name for p in catalogue.installed()] == ["tiny"]
    card = catalogue.card("tiny")
    assert card is not None
    assert card == tiny_package.card()
    assert catalogue.card("other") is None
    assert [b.path.name for b in catalogue.broken()] == ["cut.ekmodel", "empty.ekmodel"]
    assert {b.problem.code for b in catalogue.broken()} == {"ai.package.not_a_package"}


def test_the_latest_version_of_a_reader_counts(tmp_path: Path) -> None:
    for version in ("1.10.0", "1.9.0", "1.2.0"):
        made = replace(tiny_package.parts(), card=tiny_package.card(version=version))
        tiny_package.install(tmp_path / "a", made, f"tiny-{version}")
    catalogue = Catalogue([tmp_path / "absent", tmp_path / "a"], [tmp_path / "a" / "trust.json"])
    assert [(p.name, p.card.version) for p in catalogue.installed()] == [("tiny", "1.10.0")]


def test_a_broken_trust_list_trusts_nobody_and_says_so(tmp_path: Path) -> None:
    _catalogue(tmp_path)
    (tmp_path / "site.json").write_text("{")
    catalogue = Catalogue([tmp_path], [tmp_path / "trust.json", tmp_path / "site.json"])
    assert not catalogue.installed()
    assert [b.problem.code for b in catalogue.broken()] == ["ai.trust.unreadable", "ai.package.untrusted"]


def test_a_fitting_study_is_accepted(tmp_path: Path) -> None:
    study, stack = _chest()
    acceptance = _catalogue(tmp_path, RULES).accepting(study, [stack])
    assert [(a.card.reader_name, a.display_sets, a.remarks) for a in acceptance.accepted] == [("tiny", (stack,), ())]
    assert not acceptance.refused


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"spacing": 5.0}, "slices_too_far"),
        ({"slices": 9}, "too_few_slices"),
        ({"spacing": 1.0}, "coverage"),
        ({"body_part_examined": "KNEE"}, "body_part"),
        ({"contrast_agent": "Iohexol"}, "contrast"),
        ({"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER")}, "localizer"),
        ({"image_type": ("DERIVED", "SECONDARY", "MIP")}, "derived"),
        ({"frames": (FrameHeader(),)}, "no_positions"),
    ],
)
def test_a_study_that_does_not_fit_is_refused_aloud(tmp_path: Path, changes: dict[str, object], reason: str) -> None:
    study, stack = _chest(**changes)  # type: ignore[arg-type]
    rules = replace(RULES, extra={"kind": "volume", "min_coverage_mm": "30"})
    assert _reason(_catalogue(tmp_path, rules).accepting(study, [stack])) == f"ai.scope.{reason}"


def test_rules_about_thickness_tilt_and_age(tmp_path: Path) -> None:
    rules = replace(
        RULES, extra={"kind": "volume", "max_slice_thickness_mm": "2.5", "max_gantry_tilt_deg": "1", "max_age_years": "80"}
    )
    catalogue = _catalogue(tmp_path, rules)
    study, stack = _chest(slice_thickness_mm=2.5, gantry_tilt_deg=0.5)
    assert catalogue.accepting(study, [stack]).accepted
    for change, reason in (({"slice_thickness_mm": 5.0}, "slices_too_thick"), ({"gantry_tilt_deg": -12.0}, "gantry_tilt")):
        study, stack = _chest(**change)
        assert _reason(catalogue.accepting(study, [stack])) == f"ai.scope.{reason}"
    study, stack = _chest()
    for age, reason in (("017Y", "too_young"), ("006M", "too_young"), ("081Y", "too_old")):
        assert _reason(catalogue.accepting(replace(study, patient_age=age), [stack])) == f"ai.scope.{reason}"


def test_what_the_headers_do_not_tell_is_a_remark_not_a_refusal(tmp_path: Path) -> None:
    study, stack = _chest(body_part_examined="")
    nobody = replace(study, patient=Patient())
    (accepted,) = _catalogue(tmp_path, RULES).accepting(nobody, [stack]).accepted
    assert {r.code for r in accepted.remarks} == {"ai.scope.age_unknown", "ai.scope.body_part_unknown"}
    told = replace(study, description="КТ органов грудной клетки")
    (accepted,) = _catalogue(tmp_path, RULES).accepting(told, [stack]).accepted
    assert not accepted.remarks


def test_of_several_series_the_thinnest_is_read_and_the_others_are_named(tmp_path: Path) -> None:
    thick_study, thick = _chest(3.0, 14, "1.2.6")
    thin_study, thin = _chest(1.5, 30, "1.2.7")
    study = replace(thin_study, series=thick_study.series + thin_study.series)
    acceptance = _catalogue(tmp_path, RULES).accepting(study, [thick, thin])
    assert acceptance.accepted[0].display_sets == (thin,)
    assert [(r.display_set_id, r.reason.code) for r in acceptance.refused] == [("1.2.6", "ai.scope.other_series_chosen")]
    assert slice_spacing_mm(study, thick) == pytest.approx(3.0)


def test_age_from_the_header_or_the_dates() -> None:
    study, _ = _chest()
    assert age_years(study) == 65.0
    assert age_years(replace(study, study_datetime="20260615")) == 66.0
    assert age_years(replace(study, patient_age="006M")) == 0.5
    assert age_years(replace(study, study_datetime="", patient_age="")) is None


def _film(uid: str, view: str, laterality: str = "L", **changes: object) -> Instance:
    base = Instance(uid, "1.2.840.10008.5.1.4.1.1.1.2", "1.2.840.10008.1.2.1", "file:x", frames=(FrameHeader(),))
    return replace(base, view_position=view, laterality=laterality, **changes)


def test_a_film_reader_gets_all_films_that_fit(tmp_path: Path) -> None:
    films = [_film("1.1", "CC"), _film("1.2", "MLO"), _film("1.3", "CC", "R"), _film("1.4", "SPECIMEN")]
    series = tuple(Series(f"9.{n}", "MG", (f,)) for n, f in enumerate(films))
    study = Study("1.2", Patient(), series)
    sets = [
        DisplaySet(
            s.series_instance_uid, s.series_instance_uid, "1.2", "MG", DisplaySetKind.IMAGES, (FrameRef(f.sop_instance_uid),)
        )
        for s, f in zip(series, films, strict=True)
    ]
    rules = SelectionRules(("MG",), extra={"kind": "films", "views": "CC,MLO", "min_films": "2"})
    catalogue = _catalogue(tmp_path, rules)
    (accepted,) = catalogue.accepting(study, sets).accepted
    assert accepted.display_sets == tuple(sets[:3])
    assert _reason(catalogue.accepting(study, sets[:1])) == "ai.scope.too_few_films"
    pixels = FramePixels(np.arange(12, dtype=np.uint16).reshape(3, 4))
    job = films_job(accepted, study, [(s.frames[0], pixels) for s in accepted.display_sets])
    assert [(f.laterality, f.view_position) for f in job.films] == [("L", "CC"), ("L", "MLO"), ("R", "CC")]
    assert job.package_sha256 == accepted.package.digest


@pytest.mark.parametrize(
    ("columns", "changes", "fits"),
    [
        (900, {}, True),
        (2000, {}, False),
        (2000, {"body_part_examined": "CHEST"}, True),  # then the reader itself says what is wrong with it
        (2000, {"imager_pixel_spacing_mm": (0.2, 0.1)}, True),
    ],
)
def test_a_wide_film_is_no_chest_film_where_nothing_says_so(
    tmp_path: Path, columns: int, changes: dict[str, object], fits: bool
) -> None:
    film = _film("1.1", "PA", pixel_format=PixelFormat(1000, columns), **changes)
    study = Study("1.2", Patient(), (Series("9.1", "DX", (film,)),))
    films = DisplaySet("9.1", "9.1", "1.2", "DX", DisplaySetKind.IMAGES, (FrameRef("1.1"),))
    rules = SelectionRules(("DX",), ("CHEST",), extra={"kind": "films", "max_width_over_height": "1.5"})
    found = _catalogue(tmp_path, rules).accepting(study, [films])
    assert bool(found.accepted) is fits
    if not fits:
        assert _reason(found) == "ai.scope.proportions"


@pytest.mark.parametrize(("told", "fits"), [("OPG TEETH", False), ("ЗУБЫ, ГРУДНАЯ КЛЕТКА", True), ("ROUTINE", True)])
def test_a_description_that_names_another_part_speaks_for_an_empty_body_part(tmp_path: Path, told: str, fits: bool) -> None:
    study, display_set = _chest(body_part_examined="")
    found = _catalogue(tmp_path, RULES).accepting(replace(study, description=told), [display_set])
    assert bool(found.accepted) is fits
    if not fits:
        assert _reason(found) == "ai.scope.body_part"


def test_a_volume_job_carries_facts_and_no_identity() -> None:
    study, stack = _chest(convolution_kernel="B30f", kvp=120.0, manufacturer="Maker")
    facts = header_facts(study, stack, study.series[0].instances[0])
    assert facts["convolution_kernel"] == "B30f"
    assert facts["kvp"] == "120.0"
    assert "gantry_tilt_deg" not in facts
    assert not {"A^B", "19600615", "1.2"} & set(facts.values())


def test_a_volume_job_is_made_for_the_package(tmp_path: Path) -> None:
    study, stack = _chest()
    package = _catalogue(tmp_path, RULES).installed()[0]
    job = volume_job(package, study, stack, tiny_package.volume())
    assert (job.reader_name, job.package_path, job.display_set_id) == ("tiny", package.path, stack.display_set_id)
    assert job.patient_age_years == 65.0


def test_films_are_turned_so_that_dense_tissue_is_bright_and_padding_dark() -> None:
    values = np.array([[0, 100], [400, 1000]], np.uint16)
    padding = np.array([[True, False], [False, False]])
    plain = film_image(_film("1", "PA"), FrameRef("1"), FramePixels(values, padding=padding))
    turned = film_image(_film("1", "PA"), FrameRef("1"), FramePixels(values, inverse=True, padding=padding))
    assert plain.values.dtype == np.float32
    assert plain.values.tolist() == [[100, 100], [400, 1000]]
    assert turned.values.tolist() == [[100, 1000], [700, 100]]
    assert turned.valid is not None
    assert turned.valid.tolist() == [[False, True], [True, True]]
    grey = film_image(_film("1", "PA"), FrameRef("1"), FramePixels(np.full((2, 2, 3), 80, np.uint8)))
    assert np.allclose(grey.values, 80)


def test_a_film_has_millimetres_only_when_it_is_calibrated() -> None:
    pixels = FramePixels(np.ones((2, 2), np.uint16))
    instance = _film("1", "CC", imager_pixel_spacing_mm=(0.07, 0.07), pixel_spacing_mm=(0.066, 0.066))
    film = film_image(instance, FrameRef("1"), pixels)
    assert film.spacing_mm is None
    assert film.detector_spacing_mm == (0.07, 0.07)
    film = film_image(replace(instance, pixel_spacing_calibrated=True), FrameRef("1"), pixels)
    assert film.spacing_mm == (0.066, 0.066)
