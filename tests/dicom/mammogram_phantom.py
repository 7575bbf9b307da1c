"""Four mammograms in the domain model (unequal spacing) and what the mammography reader may say of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.domain.finding import Band, Finding, Heatmap, Location, ReaderIdentity, ReadResult, ReadState, Source
from app.domain.identity import uid_for
from app.domain.measurement import Code
from app.domain.pixels import PixelFormat
from app.domain.study import FrameHeader, Instance, Patient, PersonName, Series, Study

LESION = Code("52988006", "SCT", "Lesion")
BREAST = ReaderIdentity("breast", "1.4.0", "cd" * 32, "2 marks a view", "openvino")
VIEWS = (("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"))
FILMS = tuple(uid_for("cad", side, view) for side, view in VIEWS)


def film(side: str, view: str, **changes: object) -> Instance:
    values: dict[str, object] = {
        "sop_instance_uid": uid_for("cad", side, view),
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.1.2",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "locator": f"file:/none/{side}{view}.dcm",
        "pixel_format": PixelFormat(rows=400, columns=300),
        "frames": (FrameHeader(),),
        "laterality": side,
        "view_position": view,
        "patient_orientation": ("P", "L") if side == "R" else ("A", "R"),
        "content_datetime": "20261119081501.250",
        "imager_pixel_spacing_mm": (0.1, 0.07),
        "presentation_intent_type": "FOR PRESENTATION",
    }
    return Instance(**{**values, **changes})  # type: ignore[arg-type]


def study(*instances: Instance) -> Study:
    patient = Patient("520314400027", "KZ", PersonName("Серікбаева^Әлия^Маратқызы"), "19520314", "F")
    shown = instances or tuple(film(side, view) for side, view in VIEWS)
    series = tuple(Series(uid_for("cad series", str(n)), "MG", (i,), n + 1) for n, i in enumerate(shown))
    return Study(uid_for("cad study"), patient, series, study_datetime="20261119081000", study_id="19")


def mark(uid: str, x: float, y: float, chance: float, **changes: object) -> Finding:
    values: dict[str, object] = {
        "finding_id": uid_for("cad mark", uid, str(x)),
        "source": Source.AI,
        "code": LESION,
        "location": Location(sop_instance_uid=uid, centre_px=(x, y), box_px=(x - 20.5, y - 30.0, x + 20.5, y + 30.0)),
        "laterality": "R",
        "probability": chance,
        "band": Band.HIGH,
        "reader": BREAST,
    }
    return Finding(**{**values, **changes})  # type: ignore[arg-type]


def heat(uid: str) -> Heatmap:
    return Heatmap(LESION, np.zeros((2, 2), np.float16), sop_instance_uid=uid)


def read_of(*findings: Finding, films: tuple[str, ...] = FILMS, **changes: object) -> ReadResult:
    result = ReadResult(BREAST, uid_for("cad study"), ReadState.COMPLETED, findings, tuple(heat(u) for u in films))
    return replace(result, **changes)  # type: ignore[arg-type]


DENSITY = (("breast.dense_area_right", 31.5, "%"), ("breast.highest_view_score", 0.412, "1"))
