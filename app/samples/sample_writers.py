"""One function per sample study: draws the images, writes the objects, gives the answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.dicom.image_writer import SeriesHeader, StudyHeader, instance_uid, write_ct_series, write_projection
from app.domain.geometry import Point3
from app.domain.identity import uid_for
from app.domain.ports import Progress
from app.domain.study import Patient
from app.samples.sample_people import age_text

INSTITUTION = "DEMONSTRATION"
MARK = "DEMONSTRATION. Generated image, no person. Not for diagnosis."

LUNG = (-600.0, 1500.0, "LUNG")
SOFT = (40.0, 400.0, "MEDIASTINUM")
BRAIN = (40.0, 80.0, "BRAIN")
BONE = (480.0, 2500.0, "BONE")
PANORAMIC_PIXEL_MM = 0.1
"""At the detector; a panoramic film has no true scale in the patient."""


@dataclass(frozen=True)
class Answer:
    """A finding that was put in: in the patient (CT) or on one image (films, ``image_px``)."""

    kind: str
    """nodule, haemorrhage, mass, calcifications, filling, cavity, impacted, missing ..."""
    laterality: str = ""
    region: str = ""
    """FDI number of a tooth, view of a breast."""
    diameter_mm: float | None = None
    volume_ml: float | None = None
    centre_lps_mm: tuple[float, ...] | None = None
    sop_instance_uid: str = ""
    centre_px: tuple[float, ...] | None = None
    box_px: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Job:
    """What one writer is asked for."""

    folder: Path
    patient: Patient
    study_instance_uid: str
    date: str
    time: str
    description: str
    seed: int
    prior: bool
    small: bool
    progress: Progress

    def study(self) -> StudyHeader:
        return StudyHeader(
            self.patient,
            self.study_instance_uid,
            study_date=self.date,
            study_time=self.time,
            study_id=self.date[2:] + self.time[:4],
            accession_number=f"D{self.date[2:]}{self.time[:4]}",
            description=self.description,
            patient_age=age_text(self.patient.birth_date, self.date),
            institution=INSTITUTION,
            extra={"InstitutionalDepartmentName": "DEMONSTRATION", "StationName": "EKINSHI"},
        )

    def series(
        self, key: str, modality: str, number: int, description: str, part: str, extra: dict[str, Any]
    ) -> SeriesHeader:
        return SeriesHeader(
            uid_for(self.study_instance_uid, key),
            modality,
            number,
            description,
            part,
            protocol_name=description,
            extra={**extra, "ImageComments": MARK},
        )


def _ct_technique(kernel: str, mas: int, diameter_mm: float) -> dict[str, Any]:
    return {
        "ConvolutionKernel": kernel,
        "XRayTubeCurrent": str(mas * 2),
        "ExposureTime": "500",
        "Exposure": str(mas),
        "GantryDetectorTilt": "0",
        "ReconstructionDiameter": f"{diameter_mm:.1f}",
        "RotationDirection": "CW",
    }


def write_chest_ct(job: Job) -> tuple[Answer, ...]:
    """Screening chest CT of 2 mm; the prior (14 months before) has the large nodule small, in thicker slices."""
    from app.samples.chest_ct import NoduleSpec, ScanStyle, generate_chest_ct

    shape, spacing = ((140, 512, 512), (2.0, 0.7, 0.7))
    if job.prior:
        shape, spacing = (70, 512, 512), (4.0, 0.7, 0.7)
    if job.small:
        shape, spacing = ((28, 96, 96), (10.0, 3.75, 3.75)) if not job.prior else ((14, 96, 96), (20.0, 3.75, 3.75))
    # The same places in both examinations: upper left grown, right stable, ground glass new.
    places: tuple[tuple[Point3, float, float, str, float], ...] = (
        ((77.5, -39.0, -162.0), 11.6, 7.4, "solid", 0.35),
        ((-86.0, -52.0, -214.0), 5.8, 5.6, "solid", 0.0),
        ((-100.0, 37.0, -311.0), 9.0, 0.0, "ground_glass", 0.0),
    )
    specs = tuple(
        NoduleSpec(before if job.prior else now, kind, place, spiculation=spikes)
        for place, now, before, kind, spikes in places
        if not job.prior or before > 0
    )
    frame = uid_for(job.study_instance_uid, "frame")
    phantom = generate_chest_ct(
        job.seed,
        shape,
        spacing,
        specs,
        origin_mm=(-178.85, -191.35, -383.6),
        style=ScanStyle(noise_seed=101 if job.prior else 100),
        frame_of_reference_uid=frame,
    )
    job.progress.report(0.6)
    extra = _ct_technique("LUNG", 40, shape[1] * spacing[1])
    series = job.series("lung", "CT", 2, f"Lung {spacing[0]:.1f}", "CHEST", extra)
    write_ct_series(
        phantom.volume, job.folder / "lung", job.study(), series, windows=(LUNG, SOFT), slice_thickness_mm=spacing[0]
    )
    return tuple(
        Answer(
            "nodule",
            t.laterality,
            t.kind,
            diameter_mm=round(t.diameter_mm, 2),
            volume_ml=round(t.volume_mm3 / 1000, 4),
            centre_lps_mm=t.centre_lps_mm,
            sop_instance_uid=instance_uid(series, shape[0] - round(phantom.volume.geometry.to_index(t.centre_lps_mm)[0])),
        )
        for t in phantom.truth
    )


def write_head_ct(job: Job) -> tuple[Answer, ...]:
    """Head CT with a small bleed: a 5 mm brain series and a thin bone series of the same head."""
    from app.samples.head_ct import Bleed, generate_head_ct, thick_slices

    frame = uid_for(job.study_instance_uid, "frame")
    bleed = Bleed((25.0, -5.0, 8.0), (8.5, 14.0, 11.0), 4.0)
    rows = 128 if job.small else 512
    thin_mm = 5.0 if job.small else 1.0
    thin = generate_head_ct(
        job.seed, slice_mm=thin_mm, rows=rows, bleed=bleed, frame_of_reference_uid=frame, threads=1 if job.small else 2
    )
    job.progress.report(0.5)
    thick = thick_slices(thin, 2 if job.small else 5)
    answers: tuple[Answer, ...] = ()
    for key, number, head, kernel, windows in (
        ("brain", 2, thick, "BRAIN", (BRAIN, BONE)),
        ("bone", 3, thin, "BONE", (BONE, BRAIN)),
    ):
        thickness = head.volume.geometry.spacing_mm[0]
        extra = _ct_technique(kernel, 280, 215.0)
        series = job.series(key, "CT", number, f"{kernel.title()} {thickness:.1f}", "HEAD", extra)
        write_ct_series(head.volume, job.folder / key, job.study(), series, windows=windows, slice_thickness_mm=thickness)
        job.progress.report(0.6 if key == "brain" else 1.0)
        if head is thick and head.bleed is not None:
            k = round(head.volume.geometry.to_index(head.bleed.centre_lps_mm)[0])
            answers = (
                Answer(
                    "haemorrhage",
                    head.bleed.side,
                    volume_ml=round(head.bleed.volume_ml, 2),
                    centre_lps_mm=head.bleed.centre_lps_mm,
                    sop_instance_uid=instance_uid(series, head.volume.voxels.shape[0] - k),
                ),
            )
    return answers


def write_mammogram(job: Job) -> tuple[Answer, ...]:
    """Four views; the current examination has a mass on the right and calcifications on the left, the prior a small mass."""
    from app.samples.mammogram import Lesion, generate_mammogram

    lesions: tuple[Lesion, ...] = (
        Lesion("R", "mass", 0.60, 0.70, 0.62, 14.0),
        Lesion("L", "calcifications", 0.34, -0.36, -0.42, 9.5),
    )
    if job.prior:
        lesions = (replace(lesions[0], diameter_mm=8.0),)
    shape = (256, 192) if job.small else (2048, 1536)
    views = generate_mammogram(job.seed, density=0.46, lesions=lesions, shape=shape, exam=1 if job.prior else 2)
    answers = []
    force = {"RCC": (98, 52, 71), "LCC": (101, 51, 69), "RMLO": (109, 57, 84), "LMLO": (112, 56, 82)}
    for number, view in enumerate(views, 1):
        newton, thick, mas = force[view.name]
        extra = {
            "KVP": "29" if "MLO" in view.name else "28",
            "Exposure": str(mas),
            "ExposureTime": str(mas * 12),
            "XRayTubeCurrent": "83",
            "CompressionForce": str(newton),
            "BodyPartThickness": str(thick),
            "AnodeTargetMaterial": "TUNGSTEN",
            "PositionerPrimaryAngle": "0" if "CC" in view.name else ("45" if view.laterality == "L" else "-45"),
            "DerivationDescription": MARK,
        }
        label = f"{view.laterality} {view.view_position}"
        series = job.series(view.name, "MG", number, label, "BREAST", extra)
        write_projection(
            view.pixels,
            job.folder / f"{view.name}.dcm",
            job.study(),
            series,
            pixel_spacing_mm=(view.pixel_mm, view.pixel_mm),
            laterality=view.laterality,
            patient_orientation=view.patient_orientation,
            view_position=view.view_position,
            windows=((1900.0, 3400.0, "NORMAL"), (2100.0, 2400.0, "HARDER")),
        )
        job.progress.report(number / 4)
        answers += [
            Answer(
                t.kind,
                view.laterality,
                view.view_position,
                diameter_mm=t.diameter_mm,
                sop_instance_uid=instance_uid(series, 1),
                centre_px=t.centre_px,
                box_px=t.box_px,
            )
            for t in view.lesions
        ]
    return tuple(answers)


def write_panoramic(job: Job) -> tuple[Answer, ...]:
    """A panoramic film with fillings, two half-erupted wisdom teeth, two missing premolars and two doubtful cavities."""
    from app.samples.panoramic import DentalPlan, generate_panoramic

    plan = DentalPlan(
        missing=(18, 28, 44, 34),
        fillings={17: "O", 16: "M", 26: "MO", 27: "O", 36: "O", 37: "OD", 47: "OM"},
        cavities={24: "O", 35: "M"},
        impacted={48: 35.0, 38: 40.0},
    )
    film = generate_panoramic(job.seed, plan, columns=512 if job.small else 2048)
    extra = {"KVP": "70", "XRayTubeCurrent": "8", "ExposureTime": "14000", "DerivationDescription": MARK}
    series = job.series("film", "PX", 1, "Orthopantomogram", "JAW", extra)
    write_projection(
        film.pixels,
        job.folder / "panoramic.dcm",
        job.study(),
        series,
        pixel_spacing_mm=(PANORAMIC_PIXEL_MM, PANORAMIC_PIXEL_MM),
        laterality="U",
        patient_orientation=("L", "F"),
        windows=((2000.0, 3900.0, "NORMAL"),),
    )
    uid = instance_uid(series, 1)
    found = [
        Answer(f.name, "R" if f.fdi // 10 in (1, 4) else "L", str(f.fdi), sop_instance_uid=uid, box_px=f.box_px)
        for f in film.findings
    ]
    gone = [Answer("missing", "R" if n // 10 in (1, 4) else "L", str(n), sop_instance_uid=uid) for n in plan.missing]
    return (*found, *gone)


def write_chest_film(job: Job) -> tuple[Answer, ...]:
    """A PA film with one nodule in the right upper field."""
    from app.samples.chest_film import FilmNodule, generate_chest_film

    film = generate_chest_film(job.seed, nodules=(FilmNodule(-88.0, 150.0, 17.0),), columns=350 if job.small else 1750)
    extra = {
        "KVP": "125",
        "Exposure": "2",
        "DistanceSourceToDetector": "1800",
        "Grid": "FOCUSED",
        "DerivationDescription": MARK,
    }
    series = job.series("pa", "DX", 1, "Chest PA", "CHEST", extra)
    write_projection(
        film.pixels,
        job.folder / "chest_pa.dcm",
        job.study(),
        series,
        pixel_spacing_mm=(film.pixel_mm, film.pixel_mm),
        view_position="PA",
        windows=((2150.0, 3600.0, "NORMAL"),),
    )
    return tuple(
        Answer(
            "nodule",
            "R",
            diameter_mm=n.diameter_mm,
            sop_instance_uid=instance_uid(series, 1),
            centre_px=n.centre_px,
            box_px=n.box_px,
        )
        for n in film.nodules
    )
