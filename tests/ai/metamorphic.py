"""What the metamorphic modules share: shipped readers, their cases, and how far a told-another-way case may differ.

Limits are those of the design (half a voxel, a tenth of the volume, 0.05 of the score) unless
``docs/evaluation/metamorphic.md`` names a wider one with what was measured. ``-rP`` prints what each comparison measured.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from app.ai.reader_api import FilmImage, Networks, ReaderJob, ReaderOutput
from app.ai.training.evaluation.common import Opened, open_reader
from app.domain.finding import Finding, ReaderIdentity, ReadState
from app.domain.geometry import VolumeGeometry
from app.domain.ports import SilentProgress
from app.domain.volume import Volume

OTHER = {"L": "R", "R": "L", "A": "P", "P": "A"}
Films = tuple[FilmImage, ...]
Xy = tuple[float, float]


class Remembering:
    """Asks a network only about what it has not seen: cubes of voxels that a relation leaves alone are answered once."""

    def __init__(self, nets: Networks) -> None:
        self._nets = nets
        self._known: dict[tuple[str, bytes], np.ndarray] = {}

    def run(self, name: str, batch: np.ndarray) -> np.ndarray:
        if name != "lung_candidate":  # short answers to many questions
            return self._nets.run(name, batch)
        keys = [(name, hashlib.blake2b(row.data, digest_size=16).digest()) for row in np.ascontiguousarray(batch)]
        new = [n for n, key in enumerate(keys) if key not in self._known]
        if new:
            for n, row in zip(new, self._nets.run(name, np.ascontiguousarray(batch[new])), strict=True):
                self._known[keys[n]] = row
        return np.stack([self._known[key] for key in keys])


@cache
def opened(reader: str) -> tuple[Opened, Remembering]:
    one = open_reader(reader, None, 1, "openvino")
    return one, Remembering(one.nets)


def read(reader: str, *, volume: Volume | None = None, films: Films = ()) -> ReaderOutput:
    out = answered(reader, volume=volume, films=films)
    assert out.state is ReadState.COMPLETED, out.problems
    return out


def answered(reader: str, *, volume: Volume | None = None, films: Films = ()) -> ReaderOutput:
    one, remembering = opened(reader)
    job = ReaderJob("2.25.5", ReaderIdentity(reader, "0.0.0", "ab" * 32), volume, films, "d")
    run = importlib.import_module(f"app.ai.readers.{reader}").READER.run
    parameters: Mapping[str, Any] = one.parameters
    out: ReaderOutput = run(job, remembering, parameters, SilentProgress())
    return out


# --- Films ---------------------------------------------------------------------------------------------------------

CHEST_COLUMNS = 1000
CHEST_MM = 350.0 / CHEST_COLUMNS
BREAST_MM = 0.2


def film(pixels: np.ndarray, uid: str = "2.25.1", mm: float | None = None, **told: Any) -> FilmImage:
    spacing = (mm, mm) if mm is not None else None
    return FilmImage(pixels.astype(np.float32), uid, spacing, detector_spacing_mm=spacing, **told)


def chest_film(*nodules: tuple[float, float, float], seed: int = 4) -> Films:
    """Nodules as (x, y, diameter) in mm."""
    from app.samples.chest_film import FilmNodule, generate_chest_film

    made = generate_chest_film(seed, nodules=tuple(FilmNodule(*n) for n in nodules), columns=CHEST_COLUMNS)
    return (film(made.pixels, mm=CHEST_MM, view_position="PA", patient_orientation=("L", "F")),)


def mammogram(seed: int = 2, rows: int = 1024) -> Films:
    from app.samples.mammogram import generate_mammogram

    views = generate_mammogram(seed, shape=(rows, rows * 3 // 4), views=("RMLO", "LMLO"), threads=1)
    mm = BREAST_MM * 1024 / rows
    return tuple(
        film(
            v.pixels,
            f"2.25.{n}",
            mm,
            laterality=v.laterality,
            view_position="MLO",
            patient_orientation=v.patient_orientation,
        )
        for n, v in enumerate(views)
    )


MASS_PX = (420.0, 440.0)


def one_mass(point: Xy = MASS_PX) -> Films:
    """A plain dense mass of 16 mm: the reader does not tell the generator's own masses from its glandular tissue."""
    right, left = mammogram()
    return (with_shadow(right, point, 40.0, 900.0), left)


def with_shadow(one: FilmImage, point: Xy, radius: float, contrast: float) -> FilmImage:
    """A ball's shadow; lengths in pixels."""
    y, x = np.mgrid[: one.values.shape[0], : one.values.shape[1]]
    lump = np.sqrt(np.clip(1 - ((x - point[0]) ** 2 + (y - point[1]) ** 2) / radius**2, 0, 1)).astype(np.float32)
    return replace(one, values=one.values + np.float32(contrast) * lump)


def panoramic(seed: int = 3, sound: bool = False) -> Films:
    from app.samples.panoramic import DentalPlan, generate_panoramic

    made = generate_panoramic(seed, DentalPlan() if sound else None, columns=1200)
    return (film(made.pixels, patient_orientation=("L", "F")),)


def intraoral(seed: int = 917, healthy: bool | None = None) -> Films:
    from app.samples.intraoral import generate_intraoral

    return (film(generate_intraoral(seed, healthy=healthy, pixel_mm=0.06).pixels, mm=0.06),)


@dataclass(frozen=True)
class FilmReader:
    make: Callable[[], Films]
    place_px: float
    """Findings may move this far on the film of the case: about one pixel of the grid that the reader works on."""
    score: float = 0.05
    """and their scores change this much of themselves."""
    learned_from_padding: float = 1.0
    """How much wider both are where the film gets a border."""
    kinds: tuple[str, ...] = ()
    """Of the findings that are compared; all when empty."""
    first_of: str = ""
    """Only the first mark of this film: weaker ones change places with others of about their score."""


FILMS = {
    "chest_xray": FilmReader(lambda: chest_film((-70, 150, 22)), 5.0),
    "breast": FilmReader(one_mass, 6.0, first_of="2.25.0"),
    "dental_panoramic": FilmReader(panoramic, 6.0, 0.05, 1.5, ("Impacted tooth", "Root-filled crowned tooth or implant")),
    "dental_intraoral": FilmReader(intraoral, 8.0, 0.2, 2.0, ("Periapical lesion", "Dental caries")),
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
    limits = FILMS[reader]
    found = sorted(out.findings, key=lambda f: -(f.score or 0.0))
    if limits.first_of:
        return tuple(f for f in found if f.location.sop_instance_uid == limits.first_of)[:1]
    return tuple(f for f in found if not limits.kinds or f.code.meaning in limits.kinds)


def at(finding: Finding) -> Xy:
    assert finding.location.centre_px is not None
    return finding.location.centre_px


def away(finding: Finding, point: Xy) -> float:
    return float(np.hypot(*np.subtract(at(finding), point)))


def same(
    reader: str,
    out: ReaderOutput,
    back: Callable[[float, float], Xy] = lambda x, y: (x, y),
    side: Callable[[str], str] = lambda s: s,
    wider: float = 1.0,
) -> None:
    """Each finding of the case has its twin: ``back`` leads from the changed film to the case."""
    limits, found = FILMS[reader], compared(reader, out)
    assert len(found) == len(as_it_is(reader))
    for one in as_it_is(reader):
        near = [f for f in found if f.location.sop_instance_uid == one.location.sop_instance_uid and f.code == one.code]
        twin = min(near, key=lambda f: np.hypot(*np.subtract(back(*at(f)), at(one))))
        moved = float(np.hypot(*np.subtract(back(*at(twin)), at(one))))
        share = (twin.score or 0.0) / (one.score or 1.0) - 1
        print(f"{reader}: {one.code.meaning} moved {moved:.1f} px, score {share:+.1%}")
        assert moved <= limits.place_px * wider, (one.code.meaning, moved)
        assert twin.laterality == side(one.laterality)
        assert twin.score == pytest.approx(one.score, rel=limits.score * wider, abs=0.02)


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
    marks_by_finer: int = 0
    """More that finer voxels may bring: values between voxels are smoother than any scanner's."""
    marks_by_drift: int = 0
    """More that five units of drift may bring. The head reader's window is narrow: it is trusted on calibrated scans."""


def head(centre_mm: tuple[float, float, float] | None = (27.0, -6.0, 8.0), seed: int = 0) -> Volume:
    """``centre_mm`` None: a sound head. With the seed 0 the drawn bleed is the only mark; a false one jumps more."""
    from app.samples.head_ct import Bleed, generate_head_ct

    bleed = None if centre_mm is None else Bleed(centre_mm, (16.0, 22.0, 18.0))
    return generate_head_ct(seed, rows=256, bleed=bleed, threads=1).volume


NODULES_LPS_MM = ((-107.7, 51.7, -457.4), (-83.2, 100.1, -405.4))


def chest(places: Sequence[tuple[float, float, float]] = NODULES_LPS_MM, seed: int = 5) -> Volume:
    """About the smallest chest that is read when its voxels get a fifth finer and coarser. Places in patient mm."""
    from app.samples.chest_ct import NoduleSpec, ScanStyle, generate_chest_ct

    specs = [NoduleSpec(d, centre_lps_mm=p, hu=30) for d, p in zip((14.0, 11.0), places, strict=False)]
    style = ScanStyle(noise_hu=10, vessels=0.5, emphysema=0)
    return generate_chest_ct(seed, (46, 166, 230), (2.8, 1.3, 1.3), specs, (-171.5, -40.0, -512.0), style).volume


VOLUMES = {
    "head_ct": VolumeReader(head, 2.5, 0.05, 0.3, marks_by_drift=2),
    "lung_ct": VolumeReader(chest, 1.5, 0.15, 0.1, marks_by_finer=3),
}


@cache
def volume_of(reader: str) -> Volume:
    return VOLUMES[reader].make()


@cache
def output_of(reader: str) -> ReaderOutput:
    out = read(reader, volume=volume_of(reader))
    assert out.findings, "a relation over nothing says nothing"
    return out


def found_in(reader: str) -> tuple[Finding, ...]:
    return output_of(reader).findings


def same_mm(
    reader: str,
    findings: Sequence[Finding],
    *,
    exact: bool = False,
    more: int = 0,
    back: Callable[[tuple[float, float, float]], Sequence[float]] = lambda p: p,
    side: Callable[[str], str] = lambda s: s,
) -> None:
    """Each finding of the case has its twin: ``back`` leads from the changed volume's patient to the case's."""
    limits = VOLUMES[reader]
    assert 0 <= len(findings) - len(found_in(reader)) <= more
    for one in found_in(reader):
        twin = min(findings, key=lambda f: np.linalg.norm(np.subtract(back(centre(f)), centre(one))))
        moved = float(np.linalg.norm(np.subtract(back(centre(twin)), centre(one))))
        print(f"{reader}: moved {moved:.2f} mm, probability {(twin.probability or 0) - (one.probability or 0):+.3f}")
        assert moved <= (0.05 if exact else limits.place_mm)
        assert twin.laterality == side(one.laterality)
        assert twin.probability == pytest.approx(one.probability, abs=1e-3 if exact else limits.probability)
        for quantity in ("volume", "mean_diameter"):
            a, b = one.measured(quantity), twin.measured(quantity)
            if a is not None and b is not None:
                print(f"   {quantity} {b.value / a.value - 1:+.1%}")
                assert b.value == pytest.approx(a.value, rel=1e-3 if exact else limits.volume), quantity


def centre(finding: Finding) -> tuple[float, float, float]:
    assert finding.location.centre_lps_mm is not None
    return finding.location.centre_lps_mm


def nearest(findings: Sequence[Finding], point: Sequence[float]) -> Finding:
    return min(findings, key=lambda f: np.linalg.norm(np.subtract(centre(f), point)))


def told(volume: Volume, voxels: np.ndarray, corner: Sequence[float], steps: Sequence[np.ndarray]) -> Volume:
    """``voxels`` with their first at index ``corner`` of ``volume`` and these steps in mm."""
    g = volume.geometry
    k, j, i = (tuple(float(v) for v in s) for s in steps)
    made = VolumeGeometry(g.to_patient(tuple(corner)), k, j, i, voxels.shape, g.frame_of_reference_uid)  # type: ignore[arg-type]
    return Volume(np.ascontiguousarray(voxels), made, "HU")


def steps_of(volume: Volume) -> list[np.ndarray]:
    g = volume.geometry
    return [np.asarray(s) for s in (g.k_step_mm, g.j_step_mm, g.i_step_mm)]


def far_mm(volume: Volume, point: Sequence[float]) -> np.ndarray:
    """Distance of each voxel from a place in the patient."""
    index = np.indices(volume.voxels.shape).transpose(1, 2, 3, 0) - np.asarray(volume.geometry.to_index(tuple(point)))  # type: ignore[arg-type]
    return np.linalg.norm(index * np.asarray(volume.geometry.spacing_mm), axis=-1)
