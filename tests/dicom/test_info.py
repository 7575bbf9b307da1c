"""The JSON of ``ekinshi info``: the keys that others rely on, exact sums of stored values, reasons with sentences."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from app.dicom.info import SCHEMA, all_opened, inspect
from app.dicom.sentences import sentence
from app.domain.problem import Problem
from tests.dicom.builders import image, save, series

SIGNED = np.array([[-2000, 5], [7, 2000]], np.int16)


def test_one_file_with_its_pixels(tmp_path: Path) -> None:
    path = save(image(np.stack([SIGNED, SIGNED + 1])), tmp_path / "a.dcm")
    report = inspect([path], pixels=True)
    assert report["schema"] == SCHEMA == "ekinshi.info/1"
    (entry,) = report["files"]
    assert {k: entry[k] for k in ("path", "sop_instance_uid", "transfer_syntax_uid", "state", "reason")} == {
        "path": str(path),
        "sop_instance_uid": "2.25.11",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "state": "exact",
        "reason": "",
    }
    assert entry["pixels"] == {
        "shape": [2, 2, 2],
        "dtype": "int16",
        "min": -2000,
        "max": 2001,
        "mean": (12 + 16) / 8,
        "sha256": hashlib.sha256(np.stack([SIGNED, SIGNED + 1]).tobytes()).hexdigest(),
    }
    assert all_opened(report)
    json.dumps(report)


def test_studies_series_and_display_sets(tmp_path: Path) -> None:
    report = inspect([series(tmp_path, [0.0, 1.0, 3.0])])
    (study,) = report["studies"]
    assert (study["patient_name"], study["patient_id"], study["modalities"]) == ("Әбдіғали Нұрлан", "KZ-1", ["CT"])
    (found,) = study["series"]
    assert (found["instances"], found["transfer_syntaxes"]) == (3, ["1.2.840.10008.1.2.1"])
    (stack,) = found["display_sets"]
    assert (stack["kind"], stack["frames"]) == ("stack", 3)
    assert "pixels" not in report["files"][0]


def test_refused_and_repaired_files_say_why(tmp_path: Path) -> None:
    good = save(image(SIGNED), tmp_path / "a.dcm").read_bytes()
    (tmp_path / "b.dcm").write_bytes(good[:-3])
    (tmp_path / "c.txt").write_text("hello")
    save(image(SIGNED, RescaleSlope="0", SOPInstanceUID="2.25.12"), tmp_path / "d.dcm")
    report = inspect([tmp_path], pixels=True)
    states = {Path(f["path"]).name: (f["state"], f["reason"]) for f in report["files"]}
    assert states == {
        "a.dcm": ("exact", ""),
        "b.dcm": ("refused", "dicom.truncated"),
        "c.txt": ("refused", "dicom.not_dicom"),
        "d.dcm": ("repaired", "dicom.repaired.slope"),
    }
    assert report["counts"] == {"exact": 1, "repaired": 1, "refused": 2}
    assert not all_opened(report)
    by_name = {Path(f["path"]).name: f for f in report["files"]}
    assert by_name["c.txt"]["sentence"] == "This is not a DICOM file."
    assert by_name["b.dcm"]["sop_instance_uid"] == "2.25.11"
    assert "zero" in by_name["d.dcm"]["sentence"]


def test_a_frame_that_cannot_be_decoded_refuses_the_file(tmp_path: Path) -> None:
    from tests.dicom.builders import compressed

    broken = compressed(image(SIGNED), [b"\xff\xd8\xff\xf7" + b"x" * 40], tmp_path / "a.dcm", "1.2.840.10008.1.2.4.80")
    (entry,) = inspect([broken], pixels=True)["files"]
    assert entry["state"] == "refused"
    assert entry["reason"].startswith("dicom.stream")
    assert "pixels" not in entry


def test_sentences() -> None:
    assert sentence(Problem("dicom.no_such_frame", {"frame": 7, "frames": 3})) == "There is no frame 7; the object has 3."
    assert sentence(Problem("dicom.no_such_frame", {"frame": 7}), "kk") == "7-кадр жоқ; барлығы: {frames}."
    assert sentence(Problem("nowhere.said")) == "nowhere.said"
