"""Looking before an import, choosing, going on after a cut, two persons under one number, films bound to a person."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.dicom.byte_source import FileByteSource
from app.dicom.secondary_capture import Binding, film_kinds
from app.domain.ports import SilentProgress
from app.domain.study import Patient, PersonName
from app.session.clock import SystemClock
from app.session.import_desk import DeskParts, ImportDesk
from app.session.import_views import Check, Level, Phase
from app.session.importing import ImportSummary, import_paths
from app.session.loop import QueueLoop
from app.session.picture_import import source_bytes
from app.session.tasks import TaskRunner
from app.store.library import Library
from app.store.objects import ObjectStore
from tests import phantoms
from tests.store.conftest import FixedKey

PERSON = "reader"


class Desk:
    """A desk over a library, pumped by hand."""

    def __init__(self, home: Path) -> None:
        self.loop = QueueLoop()
        self.library = Library.open(home, FixedKey(), SystemClock())
        self.summaries: list[ImportSummary] = []
        self.notices: list[str] = []
        self.tasks = TaskRunner(self.loop, lambda: None)
        self.desk = ImportDesk(
            DeskParts(
                self.library,
                self.tasks,
                self.loop,
                lambda _changes: None,
                lambda notice: self.notices.append(notice.problem.code),
                lambda: PERSON,
                self.summaries.append,
            )
        )

    def until(self, done: object, seconds: float = 20.0) -> None:
        assert self.loop.run_until(done, seconds), "it did not come"  # type: ignore[arg-type]

    def look(self, *paths: Path) -> None:
        assert self.desk.offer(paths)
        self.until(lambda: self.desk.phase is Phase.CHOOSING and not self.desk.view().comparing)

    def bring(self) -> ImportSummary:
        before = len(self.summaries)
        self.desk.start()
        self.until(lambda: len(self.summaries) > before)
        return self.summaries[-1]

    def states(self, level: Level) -> dict[str, str]:
        return {x.title: x.state.id for x in self.desk.view().lines if x.level is level}

    def close(self) -> None:
        self.desk.close()
        self.tasks.close()
        self.library.close()


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "home")
    yield desk
    desk.close()


def is_clean(library: Library) -> bool:
    for name in library.objects.names():
        library.objects.verify(name)
    return not library.unreferenced()


def test_nothing_is_copied_before_a_person_chose(made: Desk, tmp_path: Path) -> None:
    phantoms.write_ct(tmp_path / "dicom")
    made.look(tmp_path / "dicom")
    view = made.desk.view()
    assert [x.level for x in view.lines] == [Level.PATIENT, Level.STUDY, Level.SERIES]
    assert view.lines[1].images == 12
    assert view.new_bytes == sum(p.stat().st_size for p in (tmp_path / "dicom").iterdir())
    assert not list(made.library.objects.names())
    summary = made.bring()
    assert (summary.added, summary.stopped) == (12, None)
    assert made.desk.view().fraction == 1.0
    assert set(made.states(Level.SERIES).values()) == {"import.state.read"}
    assert made.desk.cut_imports() == ()


def test_only_the_chosen_series_come_in(made: Desk, tmp_path: Path) -> None:
    phantoms.write_ct(tmp_path / "dicom" / "a", key="one")
    phantoms.write_ct(tmp_path / "dicom" / "b", key="two")
    made.look(tmp_path / "dicom")
    studies = [x for x in made.desk.view().lines if x.level is Level.STUDY]
    made.desk.toggle(studies[0].key)
    view = made.desk.view()
    assert [x.check for x in view.lines if x.level is Level.PATIENT] == [Check.SOME]
    assert (view.chosen_studies, view.studies) == (1, 2)
    assert made.bring().added == 12
    assert made.library.studies.count() == 1


def test_what_is_here_is_recognised_by_its_bytes(made: Desk, tmp_path: Path) -> None:
    paths = phantoms.write_ct(tmp_path / "dicom", phantoms.index_volume((3, 32, 32)))
    import_paths(made.library, [tmp_path / "dicom"], SilentProgress())
    for path in paths:
        path.rename(path.with_name("renamed-" + path.name))
    changed = bytearray((tmp_path / "dicom" / f"renamed-{paths[0].name}").read_bytes())
    made.look(tmp_path / "dicom")
    assert set(made.states(Level.STUDY).values()) == {"import.state.here"}
    assert made.desk.view().chosen_studies == 0
    changed[-1] ^= 1
    (tmp_path / "dicom" / f"renamed-{paths[0].name}").write_bytes(bytes(changed))
    made.look(tmp_path / "dicom")
    assert set(made.states(Level.STUDY).values()) == {"import.state.some_here"}
    assert [r.problem.code for r in made.desk.view().refused] == ["store.same_uid_other_bytes"]


def test_two_persons_under_one_number_are_named_and_a_person_chooses(made: Desk, tmp_path: Path) -> None:
    phantoms.write_two_patients_one_study(tmp_path / "dicom")
    made.look(tmp_path / "dicom")
    lines = made.desk.view().lines
    studies = [x for x in lines if x.level is Level.STUDY]
    assert {x.state.id for x in studies} == {"import.state.shared"}
    assert {x.check for x in studies} == {Check.OFF}
    made.desk.toggle(studies[0].key)
    made.desk.toggle(studies[1].key)
    checks = {x.key: x.check for x in made.desk.view().lines}
    assert (checks[studies[0].key], checks[studies[1].key]) == (Check.OFF, Check.ON)
    made.bring()
    rows = made.library.studies.search()
    assert [r.patient.name.display() for r in rows] == [lines[[x.key for x in lines].index(studies[1].parent)].title]
    made.look(tmp_path / "dicom")
    other = next(x for x in made.desk.view().lines if x.key == studies[0].key)
    assert (other.choosable, other.state.id) == (False, "import.state.other_patient")
    made.desk.toggle(other.key)
    assert made.desk.view().chosen_studies == 0


def test_a_cancelled_import_goes_on_where_it_was(made: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    phantoms.write_ct(tmp_path / "dicom", phantoms.index_volume((80, 16, 16)))
    real, puts = ObjectStore.put, []

    def put(self: ObjectStore, content: bytes | Path, moved: object = None) -> object:
        puts.append(content)
        if len(puts) == 70:
            made.desk.cancel()
        return real(self, content, moved)  # type: ignore[arg-type]

    monkeypatch.setattr(ObjectStore, "put", put)
    made.look(tmp_path / "dicom")
    summary = made.bring()
    assert summary.stopped is not None
    assert made.library.studies.count() == 0, "half a study must not be in the list"
    (cut,) = made.desk.cut_imports()
    assert 0 < cut.done_bytes < cut.total_bytes
    assert cut.here
    assert is_clean(made.library)
    copied = len(puts)
    assert made.desk.resume(cut.job_id)
    made.until(lambda: len(made.summaries) == 2)
    assert made.summaries[-1].added == 80
    assert len(puts) - copied <= 80 - 64, "what had been copied was copied again"
    assert made.desk.cut_imports() == ()
    assert is_clean(made.library)


def test_a_cut_import_can_be_let_go(made: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    phantoms.write_ct(tmp_path / "dicom", phantoms.index_volume((80, 16, 16)))
    real, puts = ObjectStore.put, []

    def put(self: ObjectStore, content: bytes | Path, moved: object = None) -> object:
        puts.append(content)
        if len(puts) == 70:
            made.desk.cancel()
        return real(self, content, moved)  # type: ignore[arg-type]

    monkeypatch.setattr(ObjectStore, "put", put)
    made.look(tmp_path / "dicom")
    made.bring()
    (cut,) = made.desk.cut_imports()
    assert list(made.library.objects.names())
    made.desk.discard(cut.job_id)
    assert made.desk.cut_imports() == ()
    assert not list(made.library.objects.names())


_KILLED = """
import os, sys, time
from pathlib import Path
from app.session.clock import SystemClock
from app.session.import_desk import DeskParts, ImportDesk
from app.session.loop import QueueLoop
from app.session.tasks import TaskRunner
from app.store.library import Library
from app.store.objects import ObjectStore
from tests.store.conftest import FixedKey

real, count = ObjectStore.put, [0]
def put(self, content, moved=None):
    count[0] += 1
    if count[0] > 66:
        os.write(1, b"NOW\\n")  # four write at once: one write, so that their lines stay apart
        time.sleep(60)
    return real(self, content, moved)
ObjectStore.put = put
loop = QueueLoop()
library = Library.open(Path(sys.argv[1]), FixedKey(), SystemClock())
tasks = TaskRunner(loop, lambda: None)
desk = ImportDesk(DeskParts(library, tasks, loop, lambda c: None, lambda n: None, lambda: "", lambda s: None))
desk.offer([Path(sys.argv[2])])
loop.run_until(lambda: desk.phase.value == "choosing", 20)
desk.start()
loop.run_until(lambda: False, 60)
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_a_killed_import_is_offered_at_the_next_start(tmp_path: Path) -> None:
    phantoms.write_ct(tmp_path / "dicom", phantoms.index_volume((80, 16, 16)))
    arguments = [sys.executable, "-c", _KILLED, str(tmp_path / "home"), str(tmp_path / "dicom")]
    child = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    try:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "NOW"
        time.sleep(0.3)  # the others of the four may still be writing; the point is that none of it is needed
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    made = Desk(tmp_path / "home")
    try:
        (cut,) = made.desk.cut_imports()
        assert cut.done_bytes > 0
        assert is_clean(made.library)
        assert made.desk.resume(cut.job_id)
        made.until(lambda: bool(made.summaries))
        assert made.summaries[0].added == 80
        assert is_clean(made.library)
    finally:
        made.close()


def test_a_medium_that_was_taken_out_is_asked_for(made: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    test_a_cut_folder = tmp_path / "dicom"
    phantoms.write_ct(test_a_cut_folder, phantoms.index_volume((4, 16, 16)))
    real = ObjectStore.put

    def put(self: ObjectStore, content: bytes | Path, moved: object = None) -> object:
        made.desk.cancel()
        return real(self, content, moved)  # type: ignore[arg-type]

    monkeypatch.setattr(ObjectStore, "put", put)
    made.look(test_a_cut_folder)
    made.bring()
    test_a_cut_folder.rename(tmp_path / "elsewhere")
    (cut,) = made.desk.cut_imports()
    assert not cut.here
    assert not made.desk.resume(cut.job_id)
    assert made.notices == ["import.medium_missing"]


def png(values: np.ndarray) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(values).save(out, "PNG")
    return out.getvalue()


def test_a_film_is_bound_to_whom_a_person_names_and_its_bytes_are_kept(made: Desk, tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    values = (np.arange(40 * 50, dtype=np.uint16).reshape(40, 50) * 31).astype(np.uint16)
    data = png(values)
    (tmp_path / "films" / "film.png").write_bytes(data)
    made.look(tmp_path / "films")
    (film,) = made.desk.view().pictures
    assert made.desk.view().lines == ()
    made.desk.picture(film.picture_id)
    made.until(lambda: made.desk.picture(film.picture_id) is not None)
    patient = Patient("930412400123", "", PersonName("Тілеубаев^Ғалым"), "19930412", "M")
    made.desk.bind(film.picture_id, Binding(patient, film_kinds()["chest_pa"], "2019", description="Chest PA, 2019"))
    made.until(lambda: bool(made.summaries))
    (row,) = made.library.studies.search("tileubaev")
    study = made.library.studies.load(row.study_instance_uid)
    instance = study.series[0].instances[0]
    assert (study.series[0].modality, instance.body_part_examined, instance.view_position) == ("DX", "CHEST", "PA")
    assert instance.pixel_spacing_mm is None
    assert instance.imager_pixel_spacing_mm is None
    assert not instance.lossy
    assert source_bytes(made.library, instance.sop_instance_uid) == data
    from app.dicom.frame_decoder import stored_frame

    stored = stored_frame(instance, 0, made.library.objects)
    assert np.array_equal(np.asarray(getattr(stored, "values", stored)), values)
    assert made.desk.view().pictures[0].bound_to == "Тілеубаев Ғалым"
    # once more: the same film of the same person is one object
    made.desk.bind(film.picture_id, Binding(patient, film_kinds()["chest_pa"], "2019", description="Chest PA, 2019"))
    made.until(lambda: len(made.summaries) == 2)
    assert made.library.studies.count() == 1
    assert made.summaries[1].known == 1
    assert is_clean(made.library)


def test_a_jpeg_goes_in_unaltered_and_says_that_it_is_lossy(made: Desk, tmp_path: Path) -> None:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray((np.arange(64 * 64) % 251).astype(np.uint8).reshape(64, 64)).save(out, "JPEG", quality=90)
    (tmp_path / "film.jpg").write_bytes(out.getvalue())
    made.look(tmp_path / "film.jpg")
    (film,) = made.desk.view().pictures
    patient = Patient("1", "", PersonName("Doe^Jane"), "19700101", "F")
    made.desk.bind(film.picture_id, Binding(patient, film_kinds()["periapical"], "20240102"))
    made.until(lambda: bool(made.summaries))
    (row,) = made.library.studies.search()
    instance = made.library.studies.load(row.study_instance_uid).series[0].instances[0]
    assert instance.lossy
    assert instance.transfer_syntax_uid == "1.2.840.10008.1.2.4.50"
    assert out.getvalue() in made.library.objects.read(instance.locator)
    assert row.study_datetime == "20240102"


def test_people_are_found_in_any_script_on_the_medium_and_in_the_library(made: Desk, tmp_path: Path) -> None:
    phantoms.write_ct(tmp_path / "here", patient=phantoms.ALIYA, key="here")
    import_paths(made.library, [tmp_path / "here"], SilentProgress())
    other = Patient("5", "", PersonName("Омаров^Бек"), "19500101", "M")
    phantoms.write_ct(tmp_path / "medium", patient=other, key="there")
    made.look(tmp_path / "medium")
    found = made.desk.patients("omar")
    assert [(k.name.split()[0], k.on_this_medium) for k in found][:1] == [("Омаров", True)]
    assert [k.on_this_medium for k in made.desk.patients("serik")] == [False]


def test_the_source_is_only_read(made: Desk, tmp_path: Path) -> None:
    paths = phantoms.write_ct(tmp_path / "dicom")
    before = {p: (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns) for p in paths}
    names = sorted(p.name for p in (tmp_path / "dicom").iterdir())
    made.look(tmp_path / "dicom")
    made.bring()
    assert {p: (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns) for p in paths} == before
    assert sorted(p.name for p in (tmp_path / "dicom").iterdir()) == names
    FileByteSource().close()
