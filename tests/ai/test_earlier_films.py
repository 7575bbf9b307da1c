"""The films of an earlier study on their way to the reader: chosen by the same rules, carried whole, asked for by cards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.ai import messages
from app.ai.catalogue import Accepted, Catalogue
from app.ai.client import JobHandle, _message
from app.ai.reader_api import EarlierFilms, FilmImage
from app.ai.shared_array import ArrayHandle
from app.ai.worker import _reader_job
from app.dicom.byte_source import FileByteSource
from app.dicom.display_sets import display_sets
from app.domain.finding import ReaderIdentity
from app.domain.model_card import SelectionRules
from app.domain.pixels import FramePixels
from app.domain.problem import fail
from app.domain.study import FrameHeader, Instance, Patient, PixelFormat, Series, Study
from app.session import earlier_films as earlier
from tests.ai import tiny_package

ANNA = Patient("7", birth_date="19600101")
RULES = SelectionRules(("DX",), ("CHEST",), extra={"kind": "films", "views": "PA,AP", "earlier": "1"})
PIXELS = PixelFormat(4, 5, bits_stored=12, high_bit=11)


def study(uid: str, day: str, view: str = "PA", patient: Patient = ANNA) -> Study:
    film = Instance(
        f"{uid}.1.1", "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.1.2.1", f"file:{uid}", pixel_format=PIXELS,
        frames=(FrameHeader(),), view_position=view, body_part_examined="CHEST",
    )  # fmt: skip
    return Study(uid, patient, (Series(f"{uid}.1", "DX", (film,)),), day)


def accepted_by(folder: Path, rules: SelectionRules, now: Study) -> tuple[Catalogue, Accepted]:
    installed = tiny_package.install(folder, replace(tiny_package.parts(), card=tiny_package.card(rules=rules)))
    catalogue = Catalogue([folder], [installed.trust_path])
    (accepted,) = catalogue.accepting(now, display_sets(now)).accepted
    return catalogue, accepted


NOW = study("1.9", "20260601")


@pytest.mark.parametrize(
    ("others", "day"),
    [
        ((study("1.1", "20240101"), study("1.2", "20250101")), "20250101"),
        ((study("1.1", "20240101"), study("1.2", "20250101", "LL")), "20240101"),
        ((study("1.3", "20270101"),), None),
        ((study("1.4", "20250101", patient=Patient("8", birth_date="19600101")),), None),
        ((study("1.5", "20250101.broken"), study("1.1", "20240101")), "20240101"),
        ((), None),
    ],
)
def test_the_newest_earlier_study_that_the_reader_reads(tmp_path, monkeypatch, others, day):
    def decoded(instance, frame, source):
        if instance.sop_instance_uid == "1.5.1.1":
            raise fail("dicom.truncated")
        return FramePixels(np.full((4, 5), 3, np.uint16))

    monkeypatch.setattr(earlier, "frame_pixels", decoded)
    catalogue, accepted = accepted_by(tmp_path, RULES, NOW)
    found = earlier.earlier_films(catalogue, accepted, NOW, others, FileByteSource())
    assert (found.study_date if found else None) == day
    if found:
        (film,) = found.films
        assert film.values.shape == (4, 5)
        assert film.view_position == "PA"


def test_nobody_gets_films_that_the_card_does_not_ask_for_or_of_a_patient_without_a_number(tmp_path, monkeypatch):
    monkeypatch.setattr(earlier, "frame_pixels", lambda *_: FramePixels(np.zeros((4, 5), np.uint16)))
    old = study("1.1", "20240101")
    plain = replace(RULES, extra={"kind": "films"})
    catalogue, accepted = accepted_by(tmp_path / "a", plain, NOW)
    assert earlier.earlier_films(catalogue, accepted, NOW, (old,), FileByteSource()) is None
    catalogue, accepted = accepted_by(tmp_path / "b", RULES, NOW)
    nameless = [replace(s, patient=Patient()) for s in (NOW, old)]
    assert earlier.earlier_films(catalogue, accepted, nameless[0], nameless[1:], FileByteSource()) is None


class Sent:
    """Shared memory within one process: what the client put there is what the worker finds."""

    blocks: dict[ArrayHandle, np.ndarray] = {}

    def __init__(self, values: np.ndarray | ArrayHandle) -> None:
        if isinstance(values, ArrayHandle):
            self.values = self.blocks[values]
            return
        self.handle = ArrayHandle(f"b{len(self.blocks)}", values.dtype.name, tuple(values.shape))
        self.blocks[self.handle] = values


def test_they_reach_the_reader_as_they_were_given(tmp_path, monkeypatch):
    monkeypatch.setattr("app.ai.client.OwnedArray", Sent)
    monkeypatch.setattr("app.ai.worker.AttachedArray", Sent)
    installed = tiny_package.install(tmp_path)
    old = FilmImage(
        np.arange(12, dtype=np.float32).reshape(3, 4), "1.1", None, "L", "PA", ("L", "F"), np.eye(3, 4) > 0, (0.2, 0.2)
    )
    now = FilmImage(np.ones((2, 2), np.float32), "1.9")
    job = replace(
        tiny_package.job(installed, b"k" * 32), volume=None, films=(now,), earlier=EarlierFilms("20250101", (old,))
    )
    sent = _message(JobHandle("1", 0, job, installed.path, installed.digest), [])
    came = messages.decode(messages.encode(sent))
    assert isinstance(came, messages.Job)
    got = _reader_job(came, ReaderIdentity("tiny", "1", "ab"), []).earlier
    assert got is not None
    assert got.study_date == "20250101"
    (film,) = got.films
    assert np.array_equal(film.values, old.values)
    assert np.array_equal(film.valid, old.valid)
    assert (film.sop_instance_uid, film.patient_orientation, film.detector_spacing_mm) == ("1.1", ("L", "F"), (0.2, 0.2))
