"""``ekinshi demo`` without a screen leaves what a first run promises: pictures, findings, a signed report, a receipt."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest
from PIL import Image

from app import demo
from app.__main__ import main
from app.samples import catalogue

LANGUAGE = "en"


@pytest.fixture
def small_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EKINSHI_HOME", str(tmp_path / "account"))
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.setattr(catalogue, "write_samples", functools.partial(catalogue.write_samples, small=True))


@pytest.mark.usefixtures("small_samples")
def test_the_demo_leaves_what_it_promises(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert demo.main(out, LANGUAGE, (1600, 900)) == 0, capsys.readouterr().err
    screens = sorted((out / "screens").glob("*.png"))
    assert len(screens) >= 6
    for picture in screens:
        image = Image.open(picture).convert("RGB")
        assert image.size == (1600, 900)
        colours = image.getcolors(1 << 24)
        assert colours is not None
        assert len(colours) > 100, f"{picture.name} is empty"
    findings = json.loads((out / "findings.json").read_text(encoding="utf-8"))
    assert findings["demonstration"] is True
    assert all(f["verdict"] for f in findings["findings"]), "a finding without a verdict"
    receipt = json.loads((out / "receipt.json").read_text(encoding="utf-8"))
    assert receipt["state"] == "verified"
    assert receipt["demonstration"] is True
    assert {r["level"] for r in receipt["receipts"]} == {"verified"}
    assert all(r["sha256_sent"] == r["sha256_read_back"] for r in receipt["receipts"])
    assert {"report_pdf", "verdict_sr"} <= {r["kind"] for r in receipt["receipts"]}
    said = capsys.readouterr().out
    assert str(out / "report.pdf") in said
    assert "demonstration" in said

    assert main(["verify", str(out / "report.pdf"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)["files"][0]
    assert (answer["valid"], answer["demonstration"]) == (True, True)
    assert main(["verify", str(out / "receipt.json")]) == 0
    # it worked in a home of its own, which is gone: nothing of it is in this account's
    assert not (tmp_path / "account" / "library.db").exists()
