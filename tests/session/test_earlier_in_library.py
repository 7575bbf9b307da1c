"""A film of a patient in the library and an older one: the planner hands over both, the reader says what was there then."""

from __future__ import annotations

from pathlib import Path

from app.ai.catalogue import Catalogue
from app.ai.reader_api import ReaderJob
from app.ai.readers.chest_xray import READER
from app.ai.training.evaluation.common import open_reader
from app.dicom.image_writer import SeriesHeader, StudyHeader, write_projection
from app.domain.earlier_mark import EarlierState
from app.domain.finding import ReaderIdentity
from app.domain.ports import SilentProgress
from app.domain.resources import resource_path
from app.domain.study import Patient, PersonName
from app.samples.chest_film import FilmNodule, generate_chest_film
from app.session.read_planner import LibraryPlanner
from tests.flows.stage import stage

ANNA = Patient("C-7", name=PersonName("Sample^Anna"), birth_date="19600101", sex="F")
OTHER = Patient("C-8", name=PersonName("Sample^Other"), birth_date="19600101", sex="F")


def write(folder: Path, uid: str, day: str, size_mm: float, exam: int, patient: Patient = ANNA) -> str:
    nodules = (FilmNodule(-70.0, 150.0, size_mm),) if size_mm else ()
    film = generate_chest_film(4, nodules=nodules, columns=500, exam=exam)
    folder.mkdir(parents=True, exist_ok=True)
    write_projection(
        film.pixels,
        folder / f"{uid}.dcm",
        StudyHeader(patient, uid, day, description="Chest PA"),
        SeriesHeader(f"{uid}.1", "DX", description="Chest PA", body_part_examined="CHEST"),
        pixel_spacing_mm=(film.pixel_mm, film.pixel_mm),
        view_position="PA",
    )
    return uid


def test_a_grown_nodule_is_told_as_grown_with_the_day_of_the_newest_earlier_film(tmp_path: Path) -> None:
    folder = tmp_path / "films"
    now = write(folder, "2.25.4001", "20260601", 24.0, 0)
    write(folder, "2.25.4002", "20250302", 12.0, 1)
    oldest = write(folder, "2.25.4003", "20240101", 0.0, 2)
    write(folder, "2.25.4004", "20260101", 24.0, 1, OTHER)
    models = resource_path("models")
    with stage(tmp_path / "home", None) as session:
        session.bring(folder)
        planner = LibraryPlanner(session.ws.library, Catalogue([models], [models / "trust.json"]))
        (chest,) = [a for a in planner.plan(now).accepted if a.package.name == "chest_xray"]
        job = planner.job(now, chest, b"k" * 32)
        assert job.earlier is not None
        assert job.earlier.study_date == "20250302"
        assert len(job.earlier.films) == 1
        (first,) = [a for a in planner.plan(oldest).accepted if a.package.name == "chest_xray"]
        assert planner.job(oldest, first, b"k" * 32).earlier is None
    one = open_reader("chest_xray", None, 1, "torch")
    identity = ReaderIdentity("chest_xray", "0", "ab" * 32)
    given = ReaderJob(now, identity, None, job.films, attributes=job.attributes, earlier=job.earlier)
    (mark,) = READER.run(given, one.nets, one.parameters, SilentProgress()).findings
    told = dict(mark.attributes)
    assert told["earlier_state"] == EarlierState.MORE
    assert told["earlier_date"] == "20250302"


def test_a_mammogram_gets_the_views_of_the_earlier_study(tmp_path: Path) -> None:
    from app.samples.mammogram import generate_mammogram

    folder = tmp_path / "views"
    folder.mkdir()
    for uid, day in (("2.25.4011", "20260601"), ("2.25.4012", "20240301")):
        for number, name in enumerate(("RCC", "RMLO"), 1):
            (view,) = generate_mammogram(31, shape=(256, 192), views=(name,), threads=1)
            write_projection(
                view.pixels,
                folder / f"{uid}.{number}.dcm",
                StudyHeader(ANNA, uid, day, description="Mammography"),
                SeriesHeader(f"{uid}.{number}", "MG", description=name, body_part_examined="BREAST"),
                pixel_spacing_mm=(view.pixel_mm, view.pixel_mm),
                laterality="R",
                view_position=name[1:],
                patient_orientation=view.patient_orientation,
            )
    models = resource_path("models")
    with stage(tmp_path / "home", None) as session:
        session.bring(folder)
        planner = LibraryPlanner(session.ws.library, Catalogue([models], [models / "trust.json"]))
        (breast,) = [a for a in planner.plan("2.25.4011").accepted if a.package.name == "breast"]
        earlier = planner.job("2.25.4011", breast, b"k" * 32).earlier
    assert earlier is not None
    assert earlier.study_date == "20240301"
    assert [(f.laterality, f.view_position) for f in earlier.films] == [("R", "CC"), ("R", "MLO")]
