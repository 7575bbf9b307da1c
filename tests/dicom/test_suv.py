"""Body-weight SUV: published headers of four makers with their factors, hand-worked cases, and every refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from app.dicom.scanner import scan
from app.dicom.suv import Suv, suv_of
from app.domain.problem import Problem
from tests.dicom.builders import image, save

PT = "1.2.840.10008.5.1.4.1.1.128"

PLAIN: dict[str, Any] = {
    "units": "BQML", "decay": "START", "corrected": ["DECY", "ATTN"], "weight": 70.0, "dose": 370e6, "half": 6586.2,
    "series": "100000", "acquired": "100000", "started": "20260301090000", "start_time": "090000",
}  # fmt: skip
"""370 MBq of F-18 one hour before the scan, 70 kg."""


def header(n: int = 0, **changes: Any) -> Dataset:
    case = {**PLAIN, **changes}
    d = image(np.full((4, 5), 1000 + n, np.uint16), RescaleSlope="2", RescaleIntercept="0", Modality="PT")
    d.SOPClassUID, d.SOPInstanceUID, d.InstanceNumber = PT, f"2.25.60{n}", str(n + 1)
    d.ImagePositionPatient = [-121.5, 87.25, 640.125 + 3.0 * n]
    d.Units, d.DecayCorrection, d.CorrectedImage = case["units"], case["decay"], case["corrected"]
    d.SeriesDate = d.AcquisitionDate = case.get("date", "20260301")
    d.SeriesTime, d.AcquisitionTime = case["series"], case["acquired"]
    d.PatientWeight = case["weight"]
    drug = Dataset()
    for keyword, name in (
        ("RadionuclideTotalDose", "dose"),
        ("RadionuclideHalfLife", "half"),
        ("RadiopharmaceuticalStartDateTime", "started"),
        ("RadiopharmaceuticalStartTime", "start_time"),
    ):
        if case.get(name) is not None:
            setattr(drug, keyword, case[name])
    d.RadiopharmaceuticalInformationSequence = [drug]
    for keyword, name in (
        ("FrameReferenceTime", "reference"),
        ("ActualFrameDuration", "frame"),
        ("SUVType", "kind"),
        ("TimezoneOffsetFromUTC", "zone"),
        ("AcquisitionDateTime", "acquired_at"),
        ("DecayCorrectionDateTime", "corrected_to"),
    ):
        if case.get(name) is not None:
            setattr(d, keyword, case[name])
    if "philips" in case:
        block = d.private_block(0x7053, "Philips PET Private Group", create=True)
        for element, value in zip((0x00, 0x09), case["philips"], strict=True):
            if value is not None:
                block.add_new(element, "DS", str(value))
    if "ge" in case:
        d.private_block(0x0009, "GEMS_PETD_01", create=True).add_new(0x0D, "DT", case["ge"])
    return d


def found(tmp_path: Path, *cases: dict[str, Any]) -> Suv | Problem:
    for n, case in enumerate(cases or ({},)):
        save(header(n, **case), tmp_path / f"{n}.dcm")
    (series,) = scan([tmp_path]).studies[0].series
    return suv_of(series.instances)


def code(tmp_path: Path, **case: Any) -> str:
    answer = found(tmp_path, case)
    assert isinstance(answer, Problem), answer
    return answer.code


DAY = "20201217"
PUBLISHED = [
    # Headers and factors of the sample data of cornerstonejs/calculate-suv (MIT), test/metadata and its test.
    ("Siemens", 0.00042748316187197236,
     {"weight": 67, "dose": 374e6, "series": "104829.000000", "acquired": "104830.351370", "reference": 38513.36,
      "frame": 74324, "started": DAY + "083045.000000", "start_time": "083045.000000"}),
    ("GE", 0.0005367387681819742,
     {"weight": 52, "dose": 152022720, "half": "6586.20019531", "series": "095621", "acquired": "095621", "reference": 0,
      "frame": 120000, "started": DAY + "084500.00", "start_time": "084500.00"}),
    ("Philips Bq/ml, private factors not to be used", 0.0007463747013889488,
     {"weight": 64, "dose": 126e6, "half": "6586.199707", "series": "110155", "acquired": "110156", "reference": 1328700,
      "frame": 120700, "started": DAY + "100058", "start_time": "100058", "philips": (0.003515736, 4.709921)}),
    ("Philips counts with both factors", 0.000551,
     {"units": "CNTS", "weight": 54, "dose": 238e6, "half": 6588, "series": "093556", "acquired": "095439",
      "started": None, "start_time": "083000", "philips": (0.000551, 1.602563)}),
    ("Philips counts with the SUV factor", 0.000728,
     {"units": "CNTS", "weight": 47, "dose": 208230000, "half": 6588, "series": "134551", "acquired": "141336",
      "started": None, "start_time": "123000", "philips": (0.000728, None)}),
    ("Siemens, series written after the acquisition", 0.0004069156854009332,
     {"weight": 65, "dose": 225e6, "series": "123515.000000", "acquired": "123514.999995", "reference": 59936.854672596,
      "frame": 120000, "started": None, "start_time": "114100.000000"}),
    ("CPS, series much later", 0.00026503312764157046,
     {"weight": 69, "dose": 388e6, "series": "134918.000000", "acquired": "130348.234000", "reference": 0,
      "frame": 180000, "started": None, "start_time": "120037.000000"}),
    ("no date of the injection", 0.0003721089202818729,
     {"weight": 102, "dose": 412e6, "series": "135431.843000", "acquired": "141555.687000", "reference": 1372857.9232493,
      "frame": 180000, "started": None, "start_time": "125000.000000"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "factor", "case"), PUBLISHED, ids=[p[0] for p in PUBLISHED])
def test_published_headers_give_their_published_factor(
    tmp_path: Path, name: str, factor: float, case: dict[str, Any]
) -> None:
    suv = found(tmp_path, {"date": DAY, **case})
    assert isinstance(suv, Suv), suv
    # Acquisition times are kept in whole seconds: one second of decay is 1e-4 of the factor.
    assert suv.factor == pytest.approx(factor, rel=1.1e-4)


def test_one_half_life_doubles_the_factor(tmp_path: Path) -> None:
    suv = found(tmp_path, {"half": 3600})
    assert isinstance(suv, Suv)
    assert suv.decay_s == 3600
    assert suv.factor == pytest.approx(70 * 1000 / 185e6, rel=1e-12)
    assert suv.to_bq_per_ml == 1.0


def test_values_corrected_to_the_injection_do_not_decay(tmp_path: Path) -> None:
    suv = found(tmp_path, {"decay": "ADMIN"})
    assert isinstance(suv, Suv)
    assert (suv.factor, suv.decay_s) == (pytest.approx(70 * 1000 / 370e6, rel=1e-12), 0.0)


def test_stored_suv_is_taken_as_it_is(tmp_path: Path) -> None:
    suv = found(tmp_path, {"units": "GML"})
    assert isinstance(suv, Suv)
    assert suv.factor == 1.0


def test_counts_by_the_activity_factor_go_on_as_activity(tmp_path: Path) -> None:
    suv = found(tmp_path, {"units": "CNTS", "half": 3600, "philips": (0, 1.602563)})
    assert isinstance(suv, Suv)
    assert suv.factor == pytest.approx(1.602563 * 70 * 1000 / 185e6, rel=1e-12)
    assert suv.to_bq_per_ml == 1.602563


@pytest.mark.parametrize(
    ("case", "decay_s"),
    [
        ({"date": "20260302", "series": "003000", "acquired": "003000", "started": "20260301233000"}, 3600),
        ({"date": "20260302", "series": "003000", "acquired": "003000", "started": None, "start_time": "233000"}, 3600),
        ({"zone": "+0500", "started": "20260301040000+0000"}, 3600),
        ({"zone": "+0500", "started": "20260301090000"}, 3600),
        ({"zone": "+0500", "started": "20260301093000+0600"}, 5400),
        ({"started": "20260301090000+0500"}, 3600),
        ({"series": "120000", "ge": "20260301101500", "acquired": "103000"}, 4500),
        ({"series": "120000", "acquired": "103000"}, 5400),
        ({"corrected_to": "20260301094500", "decay": ""}, 2700),
    ],
    ids=[
        "midnight",
        "midnight by clock",
        "zones",
        "one zone",
        "other zone",
        "zone of one only",
        "GE",
        "earliest",
        "enhanced",
    ],
)
def test_times_across_midnight_zones_and_makers(tmp_path: Path, case: dict[str, Any], decay_s: float) -> None:
    suv = found(tmp_path, case)
    assert isinstance(suv, Suv), suv
    assert suv.decay_s == pytest.approx(decay_s, abs=1e-6)
    assert suv.factor == pytest.approx(70e3 / (370e6 * 2 ** (-decay_s / 6586.2)), rel=1e-12)
    assert suv.remarks == ()


def test_the_earliest_bed_counts_when_the_series_was_written_later(tmp_path: Path) -> None:
    suv = found(tmp_path, {"series": "120000", "acquired": "103000"}, {"series": "120000", "acquired": "101000"})
    assert isinstance(suv, Suv)
    assert suv.decay_s == 4200


def test_siemens_frame_reference_goes_back_to_the_start_of_the_series(tmp_path: Path) -> None:
    # The frame of 120 s was acquired 600 s after the start: its mean count time lies 659.94 s behind it.
    suv = found(tmp_path, {"series": "120000", "acquired": "101000", "reference": 659936.85, "frame": 120000})
    assert isinstance(suv, Suv)
    assert suv.decay_s == pytest.approx(3600, abs=0.2)


def test_a_shifted_date_of_the_injection_is_named(tmp_path: Path) -> None:
    suv = found(tmp_path, {"started": "20190704090000"})
    assert isinstance(suv, Suv)
    assert suv.decay_s == 3600
    assert [p.code for p in suv.remarks] == ["suv.date_not_believed"]


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ({"units": "PROPCPS"}, "suv.units"),
        ({"units": "CNTS"}, "suv.counts"),
        ({"units": "GML", "kind": "LBM"}, "suv.other_type"),
        ({"decay": "NONE"}, "suv.not_decay_corrected"),
        ({"corrected": ["ATTN"]}, "suv.not_decay_corrected"),
        ({"corrected": ["DECY"]}, "suv.not_attenuation_corrected"),
        ({"decay": "LATER"}, "suv.decay_unknown"),
        ({"weight": None}, "suv.weight_missing"),
        ({"weight": 0}, "suv.weight_absurd"),
        ({"weight": 70000}, "suv.weight_absurd"),
        ({"dose": None}, "suv.dose_missing"),
        ({"dose": 370}, "suv.dose_absurd"),
        ({"half": None}, "suv.half_life_missing"),
        ({"half": 0}, "suv.half_life_absurd"),
        ({"started": None, "start_time": None}, "suv.injection_missing"),
        ({"started": None, "start_time": "100100"}, "suv.times"),
        ({"started": "20260228230000", "start_time": "110000", "acquired": "100000"}, ""),
        ({"acquired": "", "acquired_at": None}, "suv.scan_missing"),
    ],
)
def test_refusals_name_their_reason(tmp_path: Path, case: dict[str, Any], reason: str) -> None:
    if reason:
        assert code(tmp_path, **case) == reason
    else:
        assert isinstance(found(tmp_path, case), Suv)


def test_images_that_disagree_have_no_common_factor(tmp_path: Path) -> None:
    answer = found(tmp_path, {}, {"dose": 371e6})
    assert isinstance(answer, Problem)
    assert (answer.code, answer.params) == ("suv.mixed", {"name": "dose_bq"})


def test_suv_by_another_measure_is_not_called_by_weight(tmp_path: Path) -> None:
    save(header(units="GML", kind="LBM"), tmp_path / "a.dcm")
    instance = scan([tmp_path]).files[0].instance
    assert instance.frames[0].modality_transform.unit == "{SUVlbm}g/ml"


def test_the_units_of_pet_go_before_a_rescale_type_that_says_nothing(tmp_path: Path) -> None:
    d = header()
    d.RescaleType = "US"
    save(d, tmp_path / "a.dcm")
    assert scan([tmp_path]).files[0].instance.frames[0].modality_transform.unit == "BQML"
