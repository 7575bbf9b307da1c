"""What must not matter does not: each shipped reader on a study, and on the same study told another way.

1 mirrored and said so, 2 mirrored in silence, 3 other axes, 4 other pixels, 5 and 12 a border (the body moves in the
picture), 6 to 8 order of files, transfer syntax and rescale (``test_metamorphic_files.py``), 9 drift of the calibration,
10 photometric interpretation, 11 padding values, 13 a second lesion, 15 order of films, 16 contrast, 17 sound cases. 14
is about perfusion, which no reader of ours reads. Findings are compared in patient millimetres, or in pixels of films.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
import pytest

from app.ai.inputs import dense_bright, without_padding
from app.ai.reader_api import FilmImage, ReaderJob, ReaderOutput
from app.ai.training.evaluation.common import Opened, open_reader
from app.domain.finding import Finding, ReaderIdentity, ReadState
from app.domain.geometry import VolumeGeometry
from app.domain.pixels import FramePixels
from app.domain.ports import SilentProgress
from app.domain.volume import Volume

OTHER = {"L": "R", "R": "L", "A": "P", "P": "A"}
Films = tuple[FilmImage, ...]


@cache
def opened(reader: str) -> Opened:
    return open_reader(reader, None, 2, "torch")


def read(reader: str, *, volume: Volume | None = None, films: Films = ()) -> ReaderOutput:
    out = answered(reader, volume=volume, films=films)
    assert out.state is ReadState.COMPLETED, out.problems
    return out


def answered(reader: str, *, volume: Volume | None = None, films: Films = ()) -> ReaderOutput:
    one = opened(reader)
    job = ReaderJob("2.25.5", ReaderIdentity(reader, "0.0.0", "ab" * 32), volume, films, "d")
    run = importlib.import_module(f"app.ai.readers.{reader}").READER.run
    out: ReaderOutput = run(job, one.nets, one.parameters, SilentProgress())
    return out


# --- Films ---------------------------------------------------------------------------------------------------------


def chest_film(diameter_mm: float = 22.0, columns: int = 1750) -> Films:
    from app.samples.chest_film import FilmNodule, generate_chest_film

    made = generate_chest_film(1, nodules=(FilmNodule(-70, 150, diameter_mm),) if diameter_mm else (), columns=columns)
    return (FilmImage(made.pixels.astype(np.float32), "2.25.1", None, "", "PA", ("L", "F")),)


def mammogram() -> Films:
    from app.samples.mammogram import Lesion, generate_mammogram

    views = generate_mammogram(1, lesions=(Lesion(diameter_mm=18),), shape=(1024, 768), views=("RMLO", "LMLO"))
    mm = (0.2, 0.2)
    return tuple(
        FilmImage(
            v.pixels.astype(np.float32), f"2.25.{n}", mm, v.laterality, v.view_position, v.patient_orientation, None, mm
        )
        for n, v in enumerate(views)
    )


def panoramic() -> Films:
    from app.samples.panoramic import generate_panoramic

    return (FilmImage(generate_panoramic(3, columns=1200).pixels.astype(np.float32), "2.25.1"),)


def intraoral() -> Films:
    from app.samples.intraoral import generate_intraoral

    made = generate_intraoral(917, pixel_mm=0.06)
    return (FilmImage(made.pixels.astype(np.float32), "2.25.1", (0.06, 0.06), detector_spacing_mm=(0.06, 0.06)),)


@dataclass(frozen=True)
class FilmReader:
    make: Callable[[], Films]
    place_px: float
    """Findings may move this far on the film of the case."""
    score: float
    """and their scores change this much of themselves."""
    learned_from_padding: float = 1.0
    """How much wider both are where the film gets a border."""
    kinds: tuple[str, ...] = ()
    """Of the findings that are compared; all when empty."""
    strongest: bool = False
    """Only the first mark of each film: weaker ones change places with others of about their score."""


FILMS = {
    "chest_xray": FilmReader(chest_film, 8.0, 0.05),
    "breast": FilmReader(mammogram, 6.0, 0.08, strongest=True),
    "dental_panoramic": FilmReader(panoramic, 6.0, 0.05, 1.5, ("Impacted tooth", "Root-filled crowned tooth or implant")),
    "dental_intraoral": FilmReader(intraoral, 8.0, 0.2, 2.0, kinds=("Periapical lesion", "Dental caries")),
}


@cache
def case(reader: str) -> Films:
    return FILMS[reader].make()


@cache
def as_it_is(reader: str) -> tuple[Finding, ...]:
    found = compared(reader, read(reader, films=case(reader)))
    assert found, "a relation over nothing says nothing"
    return found


def compared(reader: str, out: ReaderOutput) -> tuple[Finding, ...]:
    limits, kept, films = FILMS[reader], [], set()
    for finding in sorted(out.findings, key=lambda f: -(f.score or 0.0)):
        uid = finding.location.sop_instance_uid
        if (limits.kinds and finding.code.meaning not in limits.kinds) or (limits.strongest and uid in films):
            continue
        films.add(uid)
        kept.append(finding)
    return tuple(kept)


def same(
    reader: str,
    out: ReaderOutput,
    back: Callable[[float, float], tuple[float, float]],
    side: Callable[[str], str] = lambda s: s,
    wider: float = 1.0,
) -> None:
    """Each finding of the case has its twin: ``back`` leads from the changed film to the case."""
    limits, found = FILMS[reader], compared(reader, out)
    assert len(found) == len(as_it_is(reader))
    for one in as_it_is(reader):
        x, y = one.location.centre_px or (0.0, 0.0)
        near = [f for f in found if f.location.sop_instance_uid == one.location.sop_instance_uid and f.code == one.code]
        twin = min(near, key=lambda f: np.hypot(*np.subtract(back(*(f.location.centre_px or (0, 0))), (x, y))))
        away = np.hypot(*np.subtract(back(*(twin.location.centre_px or (0, 0))), (x, y)))
        assert away <= limits.place_px * wider, (one.code.meaning, away)
        assert twin.laterality == side(one.laterality)
        assert twin.score == pytest.approx(one.score, rel=limits.score * wider, abs=0.02)


def width(reader: str) -> int:
    return case(reader)[0].values.shape[1]


def mirrored(film: FilmImage, tell: bool) -> FilmImage:
    stated = film.patient_orientation
    along = (OTHER[stated[0]], *stated[1:]) if tell and stated else stated
    return replace(film, values=np.ascontiguousarray(film.values[:, ::-1]), patient_orientation=along)


@pytest.mark.parametrize("reader", FILMS)
def test_01_a_mirrored_film_that_says_so_has_the_same_findings(reader: str) -> None:
    out = read(reader, films=tuple(mirrored(f, True) for f in case(reader)))
    swap = (lambda s: OTHER.get(s, "")) if not case(reader)[0].patient_orientation else (lambda s: s)
    same(reader, out, lambda x, y: (width(reader) - x, y), swap)


def test_02_a_mirrored_film_that_does_not_say_so_shows_on_the_other_side() -> None:
    out = read("chest_xray", films=tuple(mirrored(f, False) for f in case("chest_xray")))
    same("chest_xray", out, lambda x, y: (width("chest_xray") - x, y), lambda s: OTHER[s])


@pytest.mark.parametrize("factor", [0.8, 1.2])
@pytest.mark.parametrize("reader", FILMS)
def test_04_finer_and_coarser_pixels_change_nothing(reader: str, factor: float) -> None:
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR

    def scaled(film: FilmImage) -> FilmImage:
        mm = tuple(s / factor for s in film.spacing_mm) if film.spacing_mm else None
        values = cv2.resize(film.values, None, fx=factor, fy=factor, interpolation=how)
        return replace(film, values=values, spacing_mm=mm, detector_spacing_mm=mm)  # type: ignore[arg-type]

    same(reader, read(reader, films=tuple(scaled(f) for f in case(reader))), lambda x, y: (x / factor, y / factor))


@pytest.mark.parametrize("reader", FILMS)
def test_05_12_a_border_of_padding_shifts_findings_by_its_width(reader: str) -> None:
    left, top = 40, 24

    def bordered(film: FilmImage) -> FilmImage:
        edges = ((top, 8), (left, 16))
        seen = np.pad(np.ones(film.values.shape, bool), edges)
        return replace(film, values=without_padding(np.pad(film.values, edges), seen), valid=seen)

    out = read(reader, films=tuple(bordered(f) for f in case(reader)))
    same(reader, out, lambda x, y: (x - left, y - top), wider=FILMS[reader].learned_from_padding)


@pytest.mark.parametrize("reader", FILMS)
def test_10_the_photometric_interpretation_changes_nothing(reader: str) -> None:
    films = []
    for film in case(reader):
        top, bottom = float(film.values.max()), float(film.values.min())
        films.append(replace(film, values=dense_bright(FramePixels(top + bottom - film.values, inverse=True))))
    out = read(reader, films=tuple(films))
    same(reader, out, lambda x, y: (x, y))


@pytest.mark.parametrize("reader", FILMS)
def test_11_padding_may_hold_any_value(reader: str) -> None:
    outs = []
    for value in (0.0, 60000.0):
        films = []
        for film in case(reader):
            seen = np.ones(film.values.shape, bool)
            seen[:, :24] = seen[:12] = False
            padded = np.where(seen, film.values, np.float32(value))
            films.append(replace(film, values=without_padding(padded, seen), valid=seen))
        outs.append([(f.code, f.location.centre_px, f.score) for f in read(reader, films=tuple(films)).findings])
    assert outs[0] == outs[1]


@pytest.mark.parametrize("reader", FILMS)
def test_15_the_order_of_the_films_changes_nothing(reader: str) -> None:
    same(reader, read(reader, films=case(reader)[::-1]), lambda x, y: (x, y))


def _away(finding: Finding, point: tuple[float, float]) -> float:
    return float(np.hypot(*np.subtract(finding.location.centre_px or (0.0, 0.0), point)))


def test_16_a_denser_shadow_never_scores_lower_on_a_chest_film() -> None:
    def strength(contrast: float) -> float:
        film = case("chest_xray")[0]
        y, x = np.mgrid[: film.values.shape[0], : film.values.shape[1]]
        lump = np.sqrt(np.clip(1 - ((x - 525) ** 2 + (y - 750) ** 2) / 70.0**2, 0, 1)).astype(np.float32)
        out = read("chest_xray", films=(replace(film, values=film.values + contrast * lump),))
        near = [
            f.score or 0.0 for f in out.findings if np.hypot(*np.subtract(f.location.centre_px or (0, 0), (525, 750))) < 70
        ]
        return max(near, default=0.0)

    grown = [strength(c) for c in (0.0, 80.0, 160.0)]
    assert grown[0] > 0
    assert all(b >= a - 0.02 * abs(a) for a, b in zip(grown[:-1], grown[1:], strict=True)), grown


def test_17_sound_films_keep_to_the_declared_rate_of_false_marks() -> None:
    """The card's operating point: a mark on about one of five films without a shadow."""
    from app.samples.chest_film import generate_chest_film

    marks = 0
    for seed in range(20, 30):
        film = generate_chest_film(seed, columns=1000)
        marks += len(answered("chest_xray", films=(FilmImage(film.pixels.astype(np.float32), "2.25.1"),)).findings)
    assert marks <= 5


# --- Volumes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class VolumeReader:
    make: Callable[[], Volume]
    place_mm: float
    """Findings may move this far where the voxels are others: half a slice of the head's case, a slice of the chest's."""
    probability: float
    """The lung reader's table from score to probability rises in steps of up to 0.14."""
    volume: float
    """Of themselves."""
    marks_by_drift: int = 0
    """More that five units of drift may bring. The head reader's window is narrow: it is trusted on calibrated scans."""


def head() -> Volume:
    from app.samples.head_ct import Bleed, generate_head_ct

    return generate_head_ct(3, rows=256, bleed=Bleed(semi_axes_mm=(16.0, 22.0, 18.0))).volume


def chest() -> Volume:
    from app.samples.chest_ct import NoduleSpec, generate_chest_ct

    specs = (NoduleSpec(14.0, hu=30), NoduleSpec(11.0, hu=30))
    return generate_chest_ct(3, (64, 190, 190), (3.0, 1.55, 1.55), specs, (-171.5, -40.0, -512.0)).volume


VOLUMES = {"head_ct": VolumeReader(head, 2.5, 0.05, 0.1, 2), "lung_ct": VolumeReader(chest, 3.0, 0.15, 0.12)}


@cache
def volume_of(reader: str) -> Volume:
    return VOLUMES[reader].make()


@cache
def found_in(reader: str) -> tuple[Finding, ...]:
    found = read(reader, volume=volume_of(reader)).findings
    assert found, "a relation over nothing says nothing"
    return found


def same_mm(
    reader: str,
    findings: Sequence[Finding],
    exact: bool = False,
    more: int = 0,
) -> None:
    limits = VOLUMES[reader]
    assert 0 <= len(findings) - len(found_in(reader)) <= more
    for one in found_in(reader):
        twin = min(findings, key=lambda f: np.linalg.norm(np.subtract(centre(f), centre(one))))
        assert np.linalg.norm(np.subtract(centre(twin), centre(one))) <= (0.05 if exact else limits.place_mm)
        assert twin.laterality == one.laterality
        assert twin.probability == pytest.approx(one.probability, abs=1e-3 if exact else limits.probability)
        for quantity in ("volume", "mean_diameter"):
            a, b = one.measured(quantity), twin.measured(quantity)
            if a is not None and b is not None:
                assert b.value == pytest.approx(a.value, rel=1e-3 if exact else limits.volume), quantity


def centre(finding: Finding) -> tuple[float, float, float]:
    assert finding.location.centre_lps_mm is not None
    return finding.location.centre_lps_mm


def told(volume: Volume, voxels: np.ndarray, corner: tuple[int, int, int], steps: tuple[np.ndarray, ...]) -> Volume:
    g = volume.geometry
    made = VolumeGeometry(
        g.to_patient(corner), *(tuple(float(v) for v in s) for s in steps), voxels.shape, g.frame_of_reference_uid
    )  # type: ignore[arg-type]
    return Volume(np.ascontiguousarray(voxels), made, "HU")


def steps_of(volume: Volume) -> list[np.ndarray]:
    g = volume.geometry
    return [np.asarray(s) for s in (g.k_step_mm, g.j_step_mm, g.i_step_mm)]


@pytest.mark.parametrize("reader", VOLUMES)
def test_01_03_voxels_told_in_another_order_are_the_same_body(reader: str) -> None:
    """Feet to head, columns before rows, left to right: the same millimetres and the same side."""
    volume = volume_of(reader)
    k, j, i = steps_of(volume)
    _, _, last = volume.voxels.shape
    turned = told(volume, volume.voxels[:, :, ::-1].transpose(0, 2, 1), (0, 0, last - 1), (k, -i, j))
    same_mm(reader, read(reader, volume=turned).findings, exact=True)


@pytest.mark.parametrize("reader", ["head_ct"])
def test_02_voxels_mirrored_in_silence_change_the_side(reader: str) -> None:
    volume = volume_of(reader)
    last = volume.voxels.shape[2] - 1
    wrong = Volume(np.ascontiguousarray(volume.voxels[:, :, ::-1]), volume.geometry, "HU")

    def back(point: tuple[float, float, float]) -> Sequence[float]:
        index = volume.geometry.to_index(point)
        return volume.geometry.to_patient((index[0], index[1], last - index[2]))

    findings = read(reader, volume=wrong).findings
    for one in found_in(reader):
        near = [f for f in findings if np.linalg.norm(np.subtract(back(centre(f)), centre(one))) < 8.0]
        assert near, "the mirrored finding is there"
        assert near[0].laterality == OTHER[one.laterality]


@pytest.mark.parametrize("reader", VOLUMES)
def test_04_finer_voxels_change_nothing(reader: str) -> None:
    from scipy.ndimage import zoom

    volume = volume_of(reader)
    k, j, i = steps_of(volume)
    n, rows, columns = volume.voxels.shape
    voxels = zoom(volume.voxels.astype(np.float32), (1, 1.2, 1.2), order=1, grid_mode=False)
    row, column = (rows - 1) / (voxels.shape[1] - 1), (columns - 1) / (voxels.shape[2] - 1)
    fine = told(volume, np.rint(voxels).astype(np.int16), (0, 0, 0), (k, j * row, i * column))
    assert fine.voxels.shape[0] == n
    same_mm(reader, read(reader, volume=fine).findings)


@pytest.mark.parametrize("reader", VOLUMES)
def test_05_12_air_around_the_scan_changes_nothing(reader: str) -> None:
    volume = volume_of(reader)
    air = np.pad(volume.voxels, ((0, 0), (20, 12), (30, 10)), constant_values=-1000)
    padded = told(volume, air, (0, -20, -30), tuple(steps_of(volume)))
    same_mm(reader, read(reader, volume=padded).findings)


@pytest.mark.parametrize("reader", VOLUMES)
def test_09_a_calibration_that_drifts_by_five_units_changes_little(reader: str) -> None:
    volume = volume_of(reader)
    drifted = Volume(volume.voxels + np.int16(5), volume.geometry, "HU")
    same_mm(reader, read(reader, volume=drifted).findings, more=VOLUMES[reader].marks_by_drift)


def test_13_a_second_far_nodule_leaves_the_first_as_it_is() -> None:
    volume = volume_of("lung_ct")
    first = found_in("lung_ct")[0]
    g = volume.geometry
    at = np.asarray(g.to_index(centre(first)))
    mirror = at.copy()
    mirror[2] = volume.voxels.shape[2] - 1 - at[2]
    index = np.indices(volume.voxels.shape).transpose(1, 2, 3, 0) - mirror
    ball = np.linalg.norm(index * np.asarray(g.spacing_mm), axis=-1) < 6.0
    voxels = np.where(ball, np.int16(30), volume.voxels)
    findings = read("lung_ct", volume=Volume(voxels, g, "HU")).findings
    twin = min(findings, key=lambda f: np.linalg.norm(np.subtract(centre(f), centre(first))))
    assert centre(twin) == pytest.approx(centre(first), abs=0.01)
    assert twin.probability == pytest.approx(first.probability, abs=1e-3)


@pytest.mark.parametrize("reader", VOLUMES)
def test_16_more_contrast_never_scores_lower(reader: str) -> None:
    volume = volume_of(reader)
    first = found_in(reader)[0]
    index = np.indices(volume.voxels.shape).transpose(1, 2, 3, 0) - np.asarray(volume.geometry.to_index(centre(first)))
    inside = np.linalg.norm(index * np.asarray(volume.geometry.spacing_mm), axis=-1) < 6.0
    voxels = np.where(inside, volume.voxels + np.int16(8), volume.voxels)
    findings = read(reader, volume=Volume(voxels, volume.geometry, "HU")).findings
    near = [f for f in findings if np.linalg.norm(np.subtract(centre(f), centre(first))) < 6.0]
    assert near
    assert max(f.probability or 0.0 for f in near) >= (first.probability or 0.0) - 0.02
