"""One CT of a folder as a volume, for training and for judging: the largest stack that is there."""

from __future__ import annotations

from pathlib import Path

from app.dicom.byte_source import FileByteSource
from app.dicom.display_sets import display_sets
from app.dicom.scanner import scan
from app.dicom.volume_builder import build_volume
from app.domain.geometry import PlaneGeometry
from app.domain.study import DisplaySetKind
from app.domain.volume import Volume


def read_ct_folder(folder: Path) -> Volume:
    """HU of the largest CT stack below ``folder``. Raises ``ValueError`` without one, ``ProblemError`` when it is broken."""
    found = [
        (len(one.frames), study, one)
        for study in scan([folder]).studies
        for one in display_sets(study)
        if one.kind is DisplaySetKind.STACK and one.modality == "CT"
    ]
    if not found:
        raise ValueError(f"{folder} holds no CT")
    _, study, largest = max(found, key=lambda item: item[0])
    return build_volume(study, largest, FileByteSource())


def plane_of(file: Path) -> PlaneGeometry:
    """Plane of the first frame of one file. Raises ``ValueError`` when it has none."""
    for study in scan([file]).studies:
        for series in study.series:
            for instance in series.instances:
                for frame in instance.frames:
                    if frame.plane is not None:
                        return frame.plane
    raise ValueError(f"{file.name} has no image plane")
