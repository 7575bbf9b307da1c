"""Every command: what it prints, its JSON keys, its exit code 0, 1 or 2."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app import __version__
from app.__main__ import main
from app.ai.catalogue import Catalogue
from app.ai.worker_process import WorkerOptions
from app.domain.outbox import OutboxState
from app.domain.verdict import Overall
from app.session import commands
from app.session.wiring import DEMO_PIN
from tests import phantoms
from tests.flows import stage
from tests.flows.stage import Beacon, install_beacon

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, opened without asking anybody."""
    folder = tmp_path / "home"
    keys = stage.options(folder, None).keys
    monkeypatch.setenv("EKINSHI_HOME", str(folder))
    monkeypatch.setattr(commands, "default_key_provider", lambda _: keys)
    return folder


@pytest.fixture
def beacon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Beacon:
    made = install_beacon(tmp_path / "packages")
    trust = (made.folder / "trust.json",)
    parts = (Catalogue((made.folder,), trust), WorkerOptions(trust, tmp_path / "cache", threads=1, test_code=stage.CODE))
    monkeypatch.setattr(commands, "worker_parts", lambda: parts)
    return made


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    try:
        code = main([str(a) for a in arguments])
    except SystemExit as left:
        code = int(left.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


def document(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    code, out, _ = run(capsys, *arguments, "--json")
    return code, json.loads(out)


# -- usage


def test_help_of_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    for name in ("window", "demo", "info", "read", "import", "sync", "verify", "models"):
        assert name in out
        code, text, _ = run(capsys, name, "--help")
        assert code == 0
        assert f"ekinshi {name}" in text
    assert run(capsys, "--version")[1].strip() == f"Ekinshi {__version__}"


@pytest.mark.parametrize(
    "arguments",
    [["no_such"], ["info"], ["read", "x"], ["verify"], ["models"], ["models", "paint"], ["--language", "fr", "info", "x"]],
)
def test_wrong_usage_is_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert "usage:" in err


def test_models_card_without_a_name_is_usage(beacon: Beacon, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "models", "card")[0] == 2


@pytest.mark.parametrize("command", [["info"], ["import"], ["verify"], ["read", "--out", "out"]])
def test_a_path_that_is_not_there_is_named(command: list[str], capsys: pytest.CaptureFixture[str], home: Path) -> None:
    code, _, err = run(capsys, *command, "nowhere.dcm")
    assert code == 1
    assert "nowhere.dcm" in err


def test_the_command_starts_without_qt_or_torch() -> None:
    """A command must answer quickly: nothing heavy is loaded for it."""
    look = (
        "import sys, app.__main__; print([m for m in ('PySide6', 'torch', 'vtkmodules', 'highdicom') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# -- info


def test_info_names_every_file_with_its_state(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = phantoms.write_bad_files(tmp_path / "bad")
    code, told = document(capsys, "info", tmp_path / "bad", "--pixels")
    assert code == 1
    assert told["schema"] == "ekinshi.info/1"
    assert {"files_seen", "counts", "studies", "files", "duplicates", "remarks"} <= set(told)
    files = {Path(f["path"]).name: f for f in told["files"]}
    assert set(files) == {p.name for p in bad.values()}
    for entry in files.values():
        assert {"path", "sop_instance_uid", "transfer_syntax_uid", "state", "reason"} <= set(entry)
        assert entry["state"] in ("exact", "repaired", "refused")
        assert entry["state"] == "exact" or entry["reason"]
    assert files["good.dcm"]["state"] == "exact"
    assert {"shape", "dtype", "min", "max", "mean", "sha256"} <= set(files["good.dcm"]["pixels"])
    code, out, _ = run(capsys, "info", tmp_path / "bad")
    assert code == 1
    assert "refused: " in out
    assert "0 bytes" in out


def test_info_tags_says_why_and_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = phantoms.write_ct(tmp_path / "good")[0]
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(good.read_bytes()[:700])
    code, told = document(capsys, "info", good, cut, "--tags")
    assert (code, told["schema"]) == (1, "ekinshi.tags/1")
    whole, broken = told["files"]
    assert (whole["state"], whole["reasons"], whole["sop_class"]) == ("exact", [], "CT Image Storage")
    assert whole["elements"] == len(whole["tags"]) > 40
    name = next(t for t in whole["tags"] if t["keyword"] == "PatientName")
    assert name["value"].startswith(phantoms.ALIYA.name.alphabetic)
    assert good.read_bytes()[name["offset"] : name["offset"] + 6] == b"\x10\x00\x10\x00PN"
    first, second = broken["reasons"]
    assert (broken["state"], first["reason"], first["refuses"], first["clause"]) == (
        "refused",
        "dicom.truncated",
        True,
        "PS3.5 7.1.1",
    )
    assert second["reason"].startswith("breach.")
    assert second["offset"] < 700
    code, out, _ = run(capsys, "--language", "ru", "info", good, "--tags", "--find", "PatientName")
    assert code == 0
    assert "(0010,0010) PN" in out
    assert "(0010,0020)" not in out


def test_info_pixels_are_the_stored_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import pydicom

    path = phantoms.write_ct(tmp_path, phantoms.index_volume((1, 20, 24)))[0]
    code, told = document(capsys, "info", path, "--pixels")
    values = pydicom.dcmread(path).pixel_array[np.newaxis]
    pixels = told["files"][0]["pixels"]
    assert code == 0
    assert pixels["shape"] == [1, 20, 24]
    assert pixels["dtype"] == str(values.dtype)
    assert (pixels["min"], pixels["max"]) == (int(values.min()), int(values.max()))
    assert pixels["mean"] == pytest.approx(float(values.mean()))
    assert pixels["sha256"] == hashlib.sha256(values.astype(values.dtype.newbyteorder("<")).tobytes()).hexdigest()


def test_info_names_a_second_content_under_one_uid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = phantoms.write_duplicates(tmp_path)
    code, told = document(capsys, "info", tmp_path)
    assert code == 0
    found = {Path(d["path"]).name: d["reason"] for d in told["duplicates"]}
    assert found == {paths["other"].name: "dicom.duplicate_uid", paths["same"].name: "dicom.duplicate_same"}
    assert paths["other"].name in run(capsys, "info", tmp_path)[1]


# -- read


def test_read_writes_findings_objects_and_pictures(beacon: Beacon, home: Path, tmp_path: Path, capsys: Any) -> None:
    uid = stage.write_study(tmp_path / "dicom")
    code, told = document(capsys, "read", tmp_path / "dicom", "--out", tmp_path / "out", "--reader", "beacon")
    assert code == 0
    assert told["schema"] == "ekinshi.read/1"
    assert {"software", "seal", "studies", "refused", "unknown_readers"} <= set(told)
    study = told["studies"][0]
    assert (study["study_instance_uid"], study["findings"]) == (uid, 4)
    assert [(r["name"], r["state"]) for r in study["readers"]] == [("beacon", "completed")]
    folder = tmp_path / "out" / uid
    written = json.loads((folder / "findings.json").read_text())
    assert written["schema"] == "ekinshi.read/1"
    assert written["readers"][0]["state"] == "completed"
    finding = written["findings"][0]
    for key in (
        "code", "label", "centre_lps_mm", "image_px", "box_px", "measurements", "score", "probability", "band",
        "reader", "package_sha256",
    ):  # fmt: skip
        assert key in finding
    for entry in written["objects"]:
        content = (folder / entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        assert content[128:132] == b"DICM"
    assert {o["kind"] for o in written["objects"]} >= {"ai_sr", "seg", "heatmap"}
    assert len(written["key_images"]) == 4
    assert all((folder / k["file"]).read_bytes().startswith(b"\x89PNG") for k in written["key_images"])


def test_read_says_out_of_scope_and_still_writes(beacon: Beacon, home: Path, tmp_path: Path, capsys: Any) -> None:
    film = phantoms.write_film(tmp_path / "film.dcm")
    del film
    code, told = document(capsys, "read", tmp_path / "film.dcm", "--out", tmp_path / "out")
    assert code == 0, "no reader was asked for by name"
    uid = told["studies"][0]["study_instance_uid"]
    written = json.loads((tmp_path / "out" / uid / "findings.json").read_text())
    assert [(r["name"], r["state"]) for r in written["readers"]] == [("beacon", "out_of_scope")]
    assert written["readers"][0]["reason"]
    assert run(capsys, "read", tmp_path / "film.dcm", "--out", tmp_path / "out", "--reader", "beacon")[0] == 1


def test_read_fails_when_the_reader_fails(beacon: Beacon, home: Path, tmp_path: Path, capsys: Any) -> None:
    beacon.misbehave("nan")
    uid = stage.write_study(tmp_path / "dicom")
    code, told = document(capsys, "read", tmp_path / "dicom", "--out", tmp_path / "out")
    assert code == 1
    written = json.loads((tmp_path / "out" / uid / "findings.json").read_text())
    assert [(r["state"], r["findings"]) for r in written["readers"]] == [("failed", 0)]
    assert told["studies"][0]["readers"][0]["reason"]


def test_read_of_an_unknown_reader(beacon: Beacon, home: Path, tmp_path: Path, capsys: Any) -> None:
    stage.write_study(tmp_path / "dicom")
    code, _, err = run(capsys, "read", tmp_path / "dicom", "--out", tmp_path / "out", "--reader", "no_such")
    assert code == 1
    assert "no_such" in err


def test_read_of_nothing_that_is_dicom(beacon: Beacon, home: Path, tmp_path: Path, capsys: Any) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("not an image")
    code, _, err = run(capsys, "read", letter, "--out", tmp_path / "out")
    assert code == 1
    assert "letter.txt" in err


def test_read_refuses_what_waits_sealed_in_the_library(beacon: Beacon, home: Path, tmp_path: Path, capsys: Any) -> None:
    uid = stage.write_study(tmp_path / "dicom")
    with stage.stage(home, None) as s:
        s.bring(tmp_path / "dicom")
    code, told = document(capsys, "read", tmp_path / "dicom", "--out", tmp_path / "out", "--reader", "beacon")
    assert code == 1
    assert told["studies"][0]["readers"][0]["code"] == "read.study_is_sealed"
    assert told["studies"][0]["findings"] == 0
    assert json.loads((tmp_path / "out" / uid / "findings.json").read_text())["findings"] == []
    with stage.stage(home, None) as s:
        s.ws.open_study(uid).commit(Overall.NOTHING)
    assert run(capsys, "read", tmp_path / "dicom", "--out", tmp_path / "out")[0] == 0


# -- import, sync


def test_import_says_what_came_and_what_was_refused(home: Path, tmp_path: Path, capsys: Any) -> None:
    phantoms.write_ct(tmp_path / "dicom")
    code, told = document(capsys, "import", tmp_path / "dicom")
    assert code == 0
    assert told["schema"] == "ekinshi.import/1"
    keys = {"schema", "studies", "known_studies", "patients", "added", "known", "repaired", "refused", "remarks", "stopped"}
    assert keys <= set(told)
    assert (told["added"], told["known"], told["refused"], told["stopped"]) == (12, 0, [], None)
    (tmp_path / "dicom" / "letter.dcm").write_text("not an image")
    code, told = document(capsys, "import", tmp_path / "dicom")
    assert code == 1
    assert (told["added"], told["known"]) == (0, 12)
    assert told["refused"][0]["code"] == "dicom.not_dicom"
    code, out, _ = run(capsys, "import", tmp_path / "dicom")
    assert code == 1
    assert "letter.dcm" in out


def test_sync_without_a_library(home: Path, capsys: Any) -> None:
    code, _, err = run(capsys, "sync", "--once")
    assert code == 1
    assert err.startswith("ekinshi: ")


def signed_study(home: Path, tmp_path: Path) -> str:
    """A signed report that waits in the outbox; nothing has been sent."""
    uid = stage.write_study(tmp_path / "dicom")
    with stage.stage(home, None) as s:
        s.ws.sync.stop()
        s.bring(tmp_path / "dicom")
        reading = s.ws.open_study(uid)
        reading.commit(Overall.NOTHING)
        reading.sign(DEMO_PIN)
        s.until(lambda: not s.ws.tasks())
        report = s.ws.library.reports.latest(uid)
        assert report is not None
        assert {i.state for i in s.ws.library.outbox.items()} == {OutboxState.QUEUED}
        pdf = reading.reports.signed_pdf()
        assert pdf is not None
        (tmp_path / "report.pdf").write_bytes(pdf)
    return uid


def test_sync_sends_and_proves_what_waits(home: Path, tmp_path: Path, capsys: Any) -> None:
    signed_study(home, tmp_path)
    code, told = document(capsys, "sync", "--once")
    assert code == 0
    assert told["schema"] == "ekinshi.sync/1"
    assert told["problems"] == []
    assert {k: v for k, v in told["states"].items() if v} == {"verified": 2}
    assert run(capsys, "sync", "--once")[1].strip() == "2 verified"


def test_sync_names_a_target_that_does_not_answer(home: Path, tmp_path: Path, capsys: Any) -> None:
    stage.configure_dicomweb(home, "http://127.0.0.1:9/dicom-web", "user", "secret-password")
    signed_study(home, tmp_path)
    code, out, err = run(capsys, "sync", "--once", "--json")
    told = json.loads(out)
    assert code == 1
    assert [p["target"] for p in told["problems"]] == ["pacs"]
    assert told["states"]["waiting"] == 1, "the first that met no line; the rest of the queue waits behind it"
    assert told["states"]["verified"] == 0
    assert "secret-password" not in out + err


# -- verify


def test_verify_a_report_and_a_changed_one(home: Path, tmp_path: Path, capsys: Any) -> None:
    signed_study(home, tmp_path)
    report = tmp_path / "report.pdf"
    code, told = document(capsys, "verify", report)
    assert code == 0
    assert told["schema"] == "ekinshi.verify/1"
    answer = told["files"][0]
    keys = {"path", "valid", "answer", "kind", "signer", "issuer", "signed_at", "demonstration", "report_id", "sentence"}
    assert keys <= set(answer)
    assert (answer["valid"], answer["demonstration"]) == (True, True)
    data = bytearray(report.read_bytes())
    at = data.index(b"stream") + 40
    data[at] ^= 1
    (tmp_path / "changed.pdf").write_bytes(bytes(data))
    code, told = document(capsys, "verify", report, tmp_path / "changed.pdf")
    assert code == 1
    assert [f["valid"] for f in told["files"]] == [True, False]
    (tmp_path / "letter.txt").write_text("hello")
    code, out, _ = run(capsys, "verify", tmp_path / "letter.txt")
    assert code == 1
    assert "letter.txt" in out


# -- models


def test_models_list_card_and_self_test(beacon: Beacon, capsys: Any) -> None:
    code, told = document(capsys, "models", "list")
    assert code == 0
    assert told["schema"] == "ekinshi.models/1"
    assert [m["name"] for m in told["models"]] == ["beacon"]
    assert {"name", "version", "title", "package_sha256", "signed_by", "research_use_only"} <= set(told["models"][0])
    code, out, _ = run(capsys, "models", "card", "beacon")
    assert code == 0
    assert json.loads(out)["reader_name"] == "beacon"
    code, _, err = run(capsys, "models", "card", "no_such")
    assert code == 1
    assert "no_such" in err
    code, told = document(capsys, "models", "self-test")
    assert code == 0
    assert told["schema"] == "ekinshi.self-test/1"
    assert [(m["name"], m["passed"]) for m in told["models"]] == [("beacon", True)]
    assert run(capsys, "models", "self-test", "no_such")[0] == 1


def test_a_package_that_nobody_trusts_is_named(beacon: Beacon, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    data = bytearray((beacon.folder / "beacon.ekmodel").read_bytes())
    data[len(data) // 2] ^= 1
    (beacon.folder / "beacon.ekmodel").write_bytes(bytes(data))
    trust = (beacon.folder / "trust.json",)
    catalogue = Catalogue((beacon.folder,), trust)
    monkeypatch.setattr(commands, "worker_parts", lambda: (catalogue, dataclasses.replace(WorkerOptions(trust))))
    code, told = document(capsys, "models", "list")
    assert code == 1
    assert told["models"] == []
    assert told["broken"][0]["file"] == "beacon.ekmodel"
    assert told["broken"][0]["reason"]


# -- the whole programme as a process


@pytest.mark.skipif(os.name == "nt", reason="Windows hands no descriptors down this way")
def test_as_a_process_with_a_passphrase(tmp_path: Path) -> None:
    """As the shell runs it: a library under a passphrase given by a file descriptor, never by the environment."""
    phantoms.write_ct(tmp_path / "dicom")

    def call(*arguments: str, passphrase: str | None = "long enough passphrase") -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "EKINSHI_HOME": str(tmp_path / "home"),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        }
        read_end = None
        if passphrase is not None:
            read_end, write_end = os.pipe()
            os.write(write_end, f"{passphrase}\n".encode())
            os.close(write_end)
            environment["EKINSHI_PASSPHRASE_FD"] = str(read_end)
        done = subprocess.run(
            [sys.executable, "-m", "app", *arguments],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120,
            pass_fds=() if read_end is None else (read_end,),
        )  # fmt: skip
        if read_end is not None:
            os.close(read_end)
        return done

    first = call("import", str(tmp_path / "dicom"), "--json")
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["added"] == 12
    wrong = call("import", str(tmp_path / "dicom"), passphrase="another passphrase here")
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("ekinshi: ")
    assert "Traceback" not in wrong.stderr
    none = call("sync", "--once", passphrase=None)
    assert none.returncode == 1
    assert "Traceback" not in none.stderr
    assert call("sync", "--once", "--json").returncode == 0


# -- the page


def keys_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {k for v in value.values() for k in keys_in(v)}
    if isinstance(value, list):
        return {k for v in value for k in keys_in(v)}
    return set()


def test_every_key_stands_in_the_page(home: Path, tmp_path: Path, capsys: Any) -> None:
    """``docs/cli.md`` names what ``info``, ``import``, ``sync`` and ``verify`` say."""
    import re

    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    words = set(re.findall(r"[a-z0-9_]+", page))
    phantoms.write_bad_files(tmp_path / "bad")
    phantoms.write_duplicates(tmp_path / "bad")
    told = [document(capsys, "info", tmp_path / "bad", "--pixels")[1]]
    for entry in told[0]["files"]:
        entry.pop("params", None)
    signed_study(home, tmp_path)
    told.append(document(capsys, "import", tmp_path / "bad")[1])
    told += [document(capsys, "sync", "--once")[1], document(capsys, "verify", tmp_path / "report.pdf")[1]]
    for answer in told:
        for part in ("duplicates", "remarks"):
            for entry in answer.get(part, ()):
                if isinstance(entry, dict):
                    entry.pop("params", None)
        missing = keys_in(answer) - words
        assert not missing, (answer["schema"], missing)
