"""Numbers for the findings of a panoramic film, and the teeth that are not on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from app.ai.reader_api import FilmImage, Networks, ReaderJob
from app.ai.readers.dental.boxes import ToothBox
from app.ai.readers.dental.numbering import (
    SURE,
    ToothPlace,
    as_input,
    closer,
    guess,
    number_teeth,
    template_of,
    tooth_of,
)
from app.domain.finding import Finding, Location, Source
from app.domain.identity import uid_for
from app.domain.measurement import Code
from app.domain.teeth import LOWER, UPPER, NumberedTooth, side_of

Floats = npt.NDArray[np.float32]
MISSING = Code("AIK-023", "99EKINSHI", "Tooth not on the film")
CONFIDENCE = "tooth_confidence"
"""Attribute of a finding: confidence of its number, 0..1 with two decimals."""
_MOST_SURE = 0.6
"""Share of the seen teeth whose number is sure: below it nothing is said about teeth that are not there."""


def numbers_on(
    film: FilmImage, nets: Networks, parameters: Mapping[str, Any], boxes: Sequence[ToothBox] = ()
) -> list[NumberedTooth]:
    """Every number with its place; empty when the package cannot number, or too few teeth are seen.

    ``boxes``: the detector's, with their calibrated probability as score.
    """
    template = template_of(parameters)
    if template is None:
        return []
    # A film whose header says that its rows run to the patient's right lies mirrored.
    mirrored = film.patient_orientation[:1] == ("R",)
    width = float(film.values.shape[1])
    values, valid = film.values, film.valid
    if mirrored:
        values, valid = values[:, ::-1], None if valid is None else valid[:, ::-1]
        boxes = [ToothBox(b.kind, (width - b.box[2], b.box[1], width - b.box[0], b.box[3]), b.score) for b in boxes]
    found = places(np.ascontiguousarray(values), valid, nets, template, boxes)
    return [_turned(t, width, mirrored, film.sop_instance_uid) for t in found]


def places(
    values: Floats,
    valid: npt.NDArray[np.bool_] | None,
    nets: Networks,
    template: Sequence[Sequence[float]],
    boxes: Sequence[ToothBox] = (),
) -> tuple[ToothPlace, ...]:
    """Numbers on a film that hangs as films are hung; a small arch on a wide film is looked at twice."""
    picture, content = as_input(values, valid)
    found = number_teeth(guess(picture, nets), content, template, boxes)
    around = closer(found, content)
    if around is None:
        return found
    picture, content = as_input(values, valid, around)
    return number_teeth(guess(picture, nets), content, template, boxes) or found


def _turned(tooth: ToothPlace, width: float, mirrored: bool, uid: str) -> NumberedTooth:
    x0, y0, x1, y1 = tooth.box_px
    box = (round(width - x1, 1), y0, round(width - x0, 1), y1) if mirrored else tooth.box_px
    return NumberedTooth(tooth.fdi, box, tooth.confidence, tooth.seen, uid)


def with_tooth(finding: Finding, teeth: Sequence[NumberedTooth]) -> Finding:
    """The finding with the number of the tooth that its box is of, and how sure that is."""
    box = finding.location.box_px
    known = [ToothPlace(t.fdi, t.box_px, t.confidence, t.seen) for t in teeth]
    found = tooth_of(box, known) if box is not None else None
    if found is None:
        return finding
    fdi, sure = found
    return replace(
        finding,
        region=str(fdi),
        laterality=side_of(fdi),
        attributes=(*finding.attributes, (CONFIDENCE, f"{sure:.2f}")),
    )


def not_seen(job: ReaderJob, film: FilmImage, teeth: Sequence[NumberedTooth], found: Sequence[Finding]) -> list[Finding]:
    """A finding for each number without a tooth, where the numbers of its neighbours are sure."""
    seen = [t for t in teeth if t.seen]
    if not seen or sum(t.confidence >= SURE for t in seen) < _MOST_SURE * len(seen):
        return []
    taken = {f.region for f in found}
    sure = {t.fdi for t in seen if t.confidence >= SURE}
    out = []
    for tooth in teeth:
        if tooth.seen or str(tooth.fdi) in taken:
            continue
        row = UPPER if tooth.fdi in UPPER else LOWER
        at = row.index(tooth.fdi)
        beside = [row[k] for k in (at - 1, at + 1) if 0 <= k < len(row)]
        if not any(n in sure for n in beside):
            continue
        what = (job.study_instance_uid, film.sop_instance_uid, job.identity.package_sha256, "missing", str(tooth.fdi))
        out.append(
            Finding(
                uid_for(*what),
                Source.AI,
                MISSING,
                Location(sop_instance_uid=film.sop_instance_uid, centre_px=tooth.centre_px, box_px=tooth.box_px),
                laterality=side_of(tooth.fdi),
                region=str(tooth.fdi),
                reader=job.identity,
                source_sop_instance_uids=(film.sop_instance_uid,) if film.sop_instance_uid else (),
            )
        )
    return out
