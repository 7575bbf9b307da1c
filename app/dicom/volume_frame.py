"""Frames placed in a volume's own frame of reference, as 3D ultrasound gives them (PS3.3 C.8.24.2, C.8.24.3).

Positions go to the patient only by a transform that the object itself states: Volume to Table Mapping Matrix, where the
table's frame of reference is the one of the patient. Otherwise the frames lie right to each other and nowhere in a patient.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from app.dicom import tags
from app.dicom.raw_items import RawDataset
from app.dicom.values import code, doubles
from app.domain.geometry import PlaneGeometry, Point3

_RIGID = 1e-3


@dataclass(frozen=True, eq=False)
class VolumeFrame:
    """The volume's frame of reference and, where it is stated, the way from it to the patient (4 x 4, mm)."""

    uid: str
    patient_uid: str = ""
    to_patient: npt.NDArray[np.float64] | None = None

    def placed(self, plane: PlaneGeometry) -> PlaneGeometry:
        """A plane in volume coordinates where it lies in the patient; marked as outside of it where nobody knows."""
        if self.to_patient is None:
            return replace(plane, frame_of_reference_uid=self.uid, in_patient=False)
        turn, shift = self.to_patient[:3, :3], self.to_patient[:3, 3]

        def moved(v: Point3, by: npt.NDArray[np.float64]) -> Point3:
            found = turn @ np.asarray(v) + by
            return (float(found[0]), float(found[1]), float(found[2]))

        still = np.zeros(3)
        return replace(
            plane,
            origin_mm=moved(plane.origin_mm, shift),
            row_cosines=moved(plane.row_cosines, still),
            column_cosines=moved(plane.column_cosines, still),
            frame_of_reference_uid=self.patient_uid,
        )


def volume_frame_of(dataset: RawDataset) -> VolumeFrame:
    """Of an object with a Volume Frame of Reference UID or without one."""
    own = code(dataset, tags.VOLUME_FRAME_OF_REFERENCE_UID)
    patient, table = code(dataset, tags.FRAME_OF_REFERENCE_UID), code(dataset, tags.TABLE_FRAME_OF_REFERENCE_UID)
    if not patient or table != patient:
        return VolumeFrame(own)
    matrix = rigid_matrix(doubles(dataset, tags.VOLUME_TO_TABLE_MAPPING_MATRIX))
    return VolumeFrame(own) if matrix is None else VolumeFrame(own, patient, matrix)


def rigid_matrix(values: tuple[float, ...]) -> npt.NDArray[np.float64] | None:
    """Sixteen numbers, row by row, as a matrix; None when they turn, mirror or scale as no rigid body may."""
    if len(values) != 16:
        return None
    matrix = np.asarray(values, dtype=np.float64).reshape(4, 4)
    turn = matrix[:3, :3]
    square = bool(np.abs(turn @ turn.T - np.eye(3)).max() < _RIGID) and float(np.linalg.det(turn)) > 0
    if not square or not bool(np.abs(matrix[3] - (0, 0, 0, 1)).max() < _RIGID):
        return None
    u, _, v = np.linalg.svd(turn)
    matrix[:3, :3] = u @ v  # the nearest exact turn: written numbers are rounded
    return matrix
