"""The conformance runner finds what is planted: a wrong pixel, a shifted frame, swapped channels, a filled-up stream."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from app.dicom import frame_decoder
from app.domain.study import Instance
from tests.dicom.builders import compressed, image, save
from tests.dicom.test_whole_streams import COLOUR, FORMS, GREY8, GREY12, damaged
from tests.perf import conformance, judges
from tests.perf.conformance import LOSSLESS, judge, twins
from tests.perf.jpeg_walk import holds_its_picture

_J = "1.2.840.10008.1.2.4."
FILES: dict[str, tuple[str, np.ndarray]] = {
    "native": ("1.2.840.10008.1.2.1", GREY12),
    "jpeg-ls": (_J + "80", GREY12),
    "jpeg 2000": (_J + "90", GREY12),
    "baseline": (_J + "50", GREY8),
    "baseline 4:2:2": (_J + "50", COLOUR),
}
Fault = Callable[[np.ndarray], np.ndarray]


def one_pixel(values: np.ndarray) -> np.ndarray:
    out = values.copy()
    out[0, 40, 40] += 3
    return out


def shifted(values: np.ndarray) -> np.ndarray:
    return np.roll(values, 1, axis=2)


def swapped(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values[..., ::-1])


def one_block(values: np.ndarray) -> np.ndarray:
    out = values.copy()
    out[0, 40:48, 48:56] = np.clip(out[0, 40:48, 48:56].astype(int) + 9, 0, 255)
    return out


FAULTS: list[tuple[str, Fault]] = [
    *((name, fault) for name in ("native", "jpeg-ls", "jpeg 2000", "baseline") for fault in (one_pixel, shifted)),
    *(("baseline 4:2:2", fault) for fault in (shifted, swapped, one_block)),
]


@pytest.fixture(autouse=True)
def heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judges, "quiet", lambda: None)


def written(name: str, folder: Path) -> Path:
    syntax, values = FILES[name]
    kept = {"BitsStored": 12, "HighBit": 11} if values.dtype == np.uint16 else {}
    d = image(values, **kept)
    if values.ndim == 3:
        d.PhotometricInterpretation = "YBR_FULL_422"
    if name == "native":
        return save(d, folder / "f.dcm")
    return compressed(d, [bytes(FORMS[name][1](values))], folder / "f.dcm", syntax)


@pytest.mark.parametrize("name", FILES)
def test_what_is_right_is_confirmed(tmp_path: Path, name: str) -> None:
    (verdict,) = judge(written(name, tmp_path), frozenset(), lambda at: None)
    assert verdict.state == "exact"
    assert verdict.agree


@pytest.mark.parametrize(("name", "fault"), FAULTS, ids=[f"{n}-{f.__name__}" for n, f in FAULTS])
def test_a_planted_fault_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, fault: Fault) -> None:
    path = written(name, tmp_path)
    right = frame_decoder.stored_pixels

    def planted(instance: Instance, source: object) -> np.ndarray:
        return fault(right(instance, source))  # type: ignore[arg-type]

    monkeypatch.setattr(frame_decoder, "stored_pixels", planted)
    (verdict,) = judge(path, frozenset(), lambda at: None)
    assert (verdict.state, verdict.reason) == ("wrong", "no judge agrees")
    assert verdict.differ


def test_a_wrong_twin_is_found(tmp_path: Path) -> None:
    found = [judge(written(n, tmp_path / n), frozenset(), lambda at: None)[0] for n in ("native", "jpeg-ls")]
    assert twins(found) == 2
    assert all(v.state == "exact" for v in found)
    found[1].digest, found[1].agree = "0" * 64, []
    twins(found)
    assert [v.state for v in found] == ["exact", "wrong"]


def test_judges_that_fill_up_have_no_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syntax, encode, values = FORMS["lossless SV1"]
    stream = bytes(encode(values))
    for name, changed in damaged(stream).items():
        path = compressed(image(values, BitsStored=12, HighBit=11), [changed], tmp_path / f"{name}.dcm", syntax)
        (verdict,) = judge(path, frozenset(), lambda at: None)
        assert (verdict.state, verdict.opened_by) == ("refused", []), name
        # Were the product to fill it up as the judges do, the runner would tell.
        monkeypatch.setattr("app.dicom.codecs.registry._fast", lambda s, i: (imagecodecs.jpeg8_decode(s), True))
        (filled,) = judge(path, frozenset(), lambda at: None)
        assert filled.state == "wrong"
        monkeypatch.undo()
        monkeypatch.setattr(judges, "quiet", lambda: None)


@pytest.mark.parametrize("form", [n for n, (s, _, _) in FORMS.items() if s.rsplit(".", 1)[-1] in ("50", "51", "57", "70")])
def test_codes_are_counted_by_another_way(form: str) -> None:
    _, encode, values = FORMS[form]
    stream = bytes(encode(values))
    assert holds_its_picture(stream) is True
    assert {holds_its_picture(s) for s in damaged(stream).values()} == {False}


def test_every_lossless_syntax_is_held_to_the_bit() -> None:
    from app.dicom.transfer_syntaxes import SYNTAXES

    assert {uid for uid, s in SYNTAXES.items() if s.codec and not s.lossy} == LOSSLESS
    assert conformance.LOSSY_MAX <= 2.0
