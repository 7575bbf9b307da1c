"""A short run of the campaign, its regressions, and the proof that it finds what it looks for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.dicom.codecs import fast_htj2k, isolated
from tests.fuzz.seeds import CORPUS, kind_of
from tests.fuzz.targets import exercise

ROOT = Path(__file__).resolve().parents[2]
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the campaign limits memory and reads /proc as Linux does")


def campaign(folder: Path, *arguments: str) -> tuple[int, dict[str, object]]:
    command = [sys.executable, "-m", "tests.fuzz.campaign", "--keep", str(folder / "found"), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, json.loads(done.stdout.strip().splitlines()[-1])


@linux_only
def test_a_short_campaign_finds_nothing(tmp_path: Path) -> None:
    code, result = campaign(tmp_path, "--cases", "4000", "--seconds", "60", "--seed", "20260314")
    assert result["failures"] == {}
    assert code == 0
    assert isinstance(result["cases"], int)
    assert result["cases"] > 500


@linux_only
@pytest.mark.parametrize(
    ("fault", "told"), [("raise", "KeyError"), ("die", "died -11"), ("memory", "MemoryError"), ("hang", "hang")]
)
def test_a_planted_fault_is_found_and_kept(fault: str, told: str, tmp_path: Path) -> None:
    code, result = campaign(tmp_path, "--cases", "20", "--seconds", "60", "--plant", fault, "--chunk", "20")
    assert code == 1
    assert any(str(name).startswith(told) for name in dict(result["failures"]))  # type: ignore[call-overload]
    assert list((tmp_path / "found").glob("*.bin"))


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.bin")), ids=lambda p: p.stem)
def test_what_once_failed_ends_with_a_reason(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated.IsolatedDecoder, "decode", lambda *_: None)
    monkeypatch.setattr(fast_htj2k.Htj2kProcesses, "decode", lambda *_: None)
    assert exercise(kind_of(path.name), path.read_bytes(), tmp_path).words


def test_a_stream_that_crashes_its_decoder_costs_one_frame() -> None:
    """OpenJPH in a process of its own: the crash is a named reason, and the next frame opens again."""
    import imagecodecs
    import numpy as np

    from app.dicom.codecs.stream_info import jpeg2000_info
    from app.domain.problem import ProblemError

    data = (CORPUS / "image-htj2k-quantisation-cut.bin").read_bytes()
    stream = data[data.find(b"\xff\x4f\xff\x51") :]
    processes = fast_htj2k.Htj2kProcesses(1)
    try:
        assert processes.wait_until_up()
        with pytest.raises(ProblemError, match="decoder_died"):
            processes.decode(stream, jpeg2000_info(stream))
        ramp = np.arange(48, dtype=np.uint16).reshape(6, 8)
        whole = imagecodecs.htj2k_encode(ramp, reversible=True)
        np.testing.assert_array_equal(processes.decode(whole, jpeg2000_info(whole)), ramp)
    finally:
        processes.close()
