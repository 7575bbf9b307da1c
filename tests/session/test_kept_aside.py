"""Same number, other bytes: nothing is lost, two are compared, a person chooses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest

from app.domain.event import EventKind
from app.domain.identity import uid_for
from app.domain.ports import SilentProgress
from app.domain.problem import ProblemError
from app.session.aside_desk import AsideView
from app.session.importing import import_paths
from app.session.resumable_import import import_resumably
from app.store.aside import AsideObject
from app.store.library import Library
from app.store.sealed import SealState
from tests import phantoms
from tests.flows import stage
from tests.session.test_import_desk import Desk, is_clean


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "home")
    yield desk
    desk.close()


def changed(path: Path, target: Path, **values: object) -> bytes:
    """The object of ``path`` with other content under the same number."""
    d = pydicom.dcmread(path)
    for name, value in values.items():
        setattr(d, name, value)
    target.parent.mkdir(parents=True, exist_ok=True)
    d.save_as(target)
    return target.read_bytes()


def brighter(path: Path) -> bytes:
    d = pydicom.dcmread(path)
    return (d.pixel_array + 7).astype(d.pixel_array.dtype).tobytes()


def first_and_other(made: Desk, tmp_path: Path) -> tuple[bytes, bytes]:
    """A study in the library, then a medium with one of its objects changed."""
    paths = phantoms.write_ct(tmp_path / "dicom", phantoms.index_volume((4, 32, 32)))
    import_paths(made.library, [tmp_path / "dicom"], SilentProgress())
    first = paths[1].read_bytes()
    target = tmp_path / "medium" / "IM1.dcm"
    other = changed(paths[1], target, PixelData=brighter(paths[1]), ContentDate="20260302", KVP=None)
    return first, other


def waiting(library: Library) -> tuple[AsideObject, ...]:
    return library.aside.waiting()


def view_of(made: Desk) -> AsideView:
    came: list[AsideView] = []
    (line,) = made.desk.aside.waiting()
    made.desk.aside.compare(line.key, came.append)
    made.until(lambda: bool(came))
    return came[0]


def test_other_bytes_of_a_medium_lie_aside_encrypted(made: Desk, tmp_path: Path) -> None:
    first, other = first_and_other(made, tmp_path)
    made.look(tmp_path / "medium")
    (before,) = made.desk.view().refused
    assert (before.problem.code, before.problem.kept_safe) == ("store.same_uid_other_bytes", "safe.kept_aside")
    summary = made.bring()
    assert [r.problem.code for r in summary.refused] == ["store.same_uid_other_bytes"]
    assert len(made.desk.view().refused) == 1, "told once"
    (one,) = waiting(made.library)
    assert made.library.objects.read(one.locator) == other
    assert one.source == str(tmp_path / "medium" / "IM1.dcm")
    shown = made.library.studies.instance(one.sop_instance_uid)
    assert shown is not None
    assert made.library.objects.read(shown[2]) == first
    assert is_clean(made.library)
    plain = b"".join(p.read_bytes() for p in (tmp_path / "home").rglob("*") if p.is_file())
    assert other[400:480] not in plain
    # The same medium again changes nothing.
    made.look(tmp_path / "medium")
    made.bring()
    assert len(waiting(made.library)) == 1
    (line,) = made.desk.aside.waiting()
    assert line.name


def test_two_of_one_medium_are_both_kept(made: Desk, tmp_path: Path) -> None:
    paths = phantoms.write_ct(tmp_path / "medium", phantoms.index_volume((4, 32, 32)))
    other = changed(paths[1], tmp_path / "medium" / "zz.dcm", PixelData=brighter(paths[1]))
    (tmp_path / "medium" / "zzz.dcm").write_bytes(paths[2].read_bytes())
    made.look(tmp_path / "medium")
    summary = made.bring()
    assert [(r.problem.code, r.problem.kept_safe) for r in summary.refused] == [("dicom.duplicate_uid", "safe.kept_aside")]
    (one,) = waiting(made.library)
    assert made.library.objects.read(one.locator) == other
    assert is_clean(made.library)
    # The command line keeps the same ones.
    again, _ = import_resumably(made.library, [tmp_path / "medium"], SilentProgress())
    assert again.added == 0
    assert len(waiting(made.library)) == 1


def test_both_are_seen_beside_each_other(made: Desk, tmp_path: Path) -> None:
    first, other = first_and_other(made, tmp_path)
    import_paths(made.library, [tmp_path / "medium"], SilentProgress())
    view = view_of(made)
    assert (view.first.size_bytes, view.other.size_bytes) == (len(first), len(other))
    assert view.first.pixels is not None
    assert view.other.pixels is not None
    assert not np.array_equal(view.first.pixels, view.other.pixels)
    told = {d.keyword: (d.first, d.other, d.bulk) for d in view.different}
    assert told["PixelData"] == ("", "", True)
    assert told["ContentDate"][1] == "20260302"
    assert set(told) <= {"PixelData", "ContentDate", "KVP", "FileMetaInformationVersion", "ImplementationVersionName"}
    assert view.cannot_take is None


def test_a_person_keeps_the_first(made: Desk, tmp_path: Path) -> None:
    first, other = first_and_other(made, tmp_path)
    import_paths(made.library, [tmp_path / "medium"], SilentProgress())
    (line,) = made.desk.aside.waiting()
    made.desk.aside.keep_shown(line.key)
    assert made.desk.aside.count() == 0
    (kept,) = made.library.aside.all()
    assert kept.decided
    assert made.library.objects.read(kept.locator) == other
    assert is_clean(made.library)
    with pytest.raises(ProblemError, match="decided"):
        made.desk.aside.keep_shown(line.key)
    (event,) = made.library.events.query(kinds=[EventKind.OBJECT_CHOSEN])
    assert (event.body["shown"], event.person) == ("shown", "reader")


def test_a_person_shows_the_other(made: Desk, tmp_path: Path) -> None:
    first, other = first_and_other(made, tmp_path)
    import_paths(made.library, [tmp_path / "medium"], SilentProgress())
    (line,) = made.desk.aside.waiting()
    made.desk.aside.show_other(line.key)
    (kept,) = made.library.aside.all()
    assert made.library.objects.read(kept.locator) == first
    shown = made.library.studies.instance(kept.sop_instance_uid)
    assert shown is not None
    assert made.library.objects.read(shown[2]) == other
    study = made.library.studies.load(shown[0])
    instances = {i.sop_instance_uid: i for s in study.series for i in s.instances}
    assert len(instances) == 4
    assert instances[kept.sop_instance_uid].locator == shown[2]
    assert instances[kept.sop_instance_uid].content_datetime.startswith("20260302")
    row = made.library.studies.row(shown[0])
    assert row is not None
    assert row.size_bytes == sum(i.size_bytes for i in instances.values())
    assert is_clean(made.library)


def test_what_somebody_began_to_read_stays(made: Desk, tmp_path: Path) -> None:
    first_and_other(made, tmp_path)
    import_paths(made.library, [tmp_path / "medium"], SilentProgress())
    (one,) = waiting(made.library)
    library, uid = made.library, one.study_instance_uid
    library.write(lambda tx: library.sealed.put(tx, uid, "lung_ct", "1", SealState.REFUSED))
    assert not library.aside.is_in_use(uid)
    library.write(lambda tx: library.sealed.put(tx, uid, "other", "1", SealState.RUNNING))
    assert view_of(made).cannot_take.code == "aside.in_use"
    (line,) = made.desk.aside.waiting()
    with pytest.raises(ProblemError, match="in_use"):
        made.desk.aside.show_other(line.key)
    assert made.desk.aside.count() == 1


def test_an_earlier_study_that_hangs_beside_the_open_one_stays(tmp_path: Path) -> None:
    phantoms.write_ct(tmp_path / "now", phantoms.index_volume((4, 32, 32)), key="now")
    paths = phantoms.write_ct(tmp_path / "then", phantoms.index_volume((4, 32, 32)), key="then", date="20240101")
    changed(paths[1], tmp_path / "medium" / "IM1.dcm", PixelData=brighter(paths[1]))
    with stage.stage(tmp_path / "home", None) as made:
        made.bring(tmp_path / "now", tmp_path / "then")
        import_paths(made.ws.library, [tmp_path / "medium"], SilentProgress())
        aside = made.ws.imports.aside
        (line,) = aside.waiting()
        (one,) = waiting(made.ws.library)
        reading = made.ws.open_study(uid_for("phantom", "now", phantoms.ALIYA.patient_id))
        made.until(lambda: bool(reading.prior_cards()))
        with pytest.raises(ProblemError, match="in_use"):
            aside.show_other(line.key)
        made.ws.close_study()
        aside.show_other(line.key)
        shown = made.ws.library.studies.instance(one.sop_instance_uid)
        assert shown is not None
        assert shown[2] == one.locator


def test_somebody_elses_bytes_never_take_the_place(made: Desk, tmp_path: Path) -> None:
    paths = phantoms.write_ct(tmp_path / "medium", phantoms.index_volume((4, 32, 32)))
    changed(paths[1], tmp_path / "medium" / "zz.dcm", PatientName="Somebody^Else", PatientID="999")
    import_paths(made.library, [tmp_path / "medium"], SilentProgress())
    assert view_of(made).cannot_take.code == "aside.elsewhere"
    (line,) = made.desk.aside.waiting()
    with pytest.raises(ProblemError, match="elsewhere"):
        made.desk.aside.show_other(line.key)


def test_bytes_that_do_not_open_are_kept_and_named(made: Desk, tmp_path: Path) -> None:
    first_and_other(made, tmp_path)
    path = tmp_path / "medium" / "IM1.dcm"
    path.write_bytes(path.read_bytes()[:-200])
    import_paths(made.library, [tmp_path / "medium"], SilentProgress())
    assert waiting(made.library) == (), "a cut file is refused for that, and stays on its medium"


def test_an_other_one_without_a_picture_cannot_take_the_place(made: Desk, tmp_path: Path) -> None:
    paths = phantoms.write_ct(tmp_path / "dicom", phantoms.index_volume((4, 32, 32)))
    import_paths(made.library, [tmp_path / "dicom"], SilentProgress())
    d = pydicom.dcmread(paths[1])
    d.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)
    cut = bytearray(d.PixelData)
    cut[12:-20] = bytes(len(cut) - 32)
    d.PixelData = bytes(cut)
    (tmp_path / "medium").mkdir()
    d.save_as(tmp_path / "medium" / "IM1.dcm")
    import_paths(made.library, [tmp_path / "medium"], SilentProgress())
    view = view_of(made)
    assert view.other.pixels is None
    assert view.other.problem is not None
    assert view.cannot_take == view.other.problem
