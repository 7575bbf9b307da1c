"""A reader for the flow tests: it finds every bright ball, says values that can be recognised, misbehaves on order."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
from scipy import ndimage

from app.ai.reader_api import ReaderOutput
from app.domain.finding import Band, Finding, Heatmap, Location, ReadState, SegmentMask, Source
from app.domain.identity import uid_for
from app.domain.measurement import Code, Measurement, Quantity
from app.domain.ports import Cancelled
from app.domain.problem import Problem

NODULE = Code("27925004", "SCT", "Nodule")
BALL_HU = -300.0


class BeaconReader:
    """``order``: path of a file with the word that the reader obeys (kill, memory, nan, slow, refuse). No file: it works."""

    name = "beacon"

    def run(self, job, nets, parameters, progress):
        del nets
        volume = job.volume
        progress.report(0.2, "ai.stage.prepare")
        order = _order(parameters.get("order", ""))
        if order == "kill":
            os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        if order == "memory":
            return np.zeros(1 << 50, np.uint8)
        while order == "slow":
            if progress.cancelled():
                raise Cancelled
            time.sleep(0.01)
            order = _order(parameters.get("order", ""))
        if order == "refuse":
            why = Problem("ai.lung.no_volume", {})
            return ReaderOutput(ReadState.OUT_OF_SCOPE, problems=(why,), measurements=(("head.bleed_volume", 1.5, "ml"),))
        labels, count = ndimage.label(volume.voxels > BALL_HU)
        findings, masks = [], []
        for number in range(1, count + 1):
            where = labels == number
            centre = volume.geometry.to_patient(tuple(float(c) for c in np.argwhere(where).mean(axis=0)))
            # Values that nothing else in a home can be: a search for their digits proves the seal.
            size = parameters["size_mm"] + number
            score = float("nan") if order == "nan" else parameters["score"] - 0.01 * number
            found = Finding(
                uid_for(job.study_instance_uid, "beacon", str(number)),
                Source.AI,
                NODULE,
                Location(centre, (centre, centre), volume.geometry.frame_of_reference_uid),
                measurements=(Measurement(Quantity.LONG_AXIS, size, "mm"),),
                attributes=(("composition", "solid"),),
                score=score,
                probability=parameters["probability"],
                band=Band.HIGH,
                reader=job.identity,
                source_sop_instance_uids=tuple(np.array(volume.source_sop_instance_uids)[where.any(axis=(1, 2))].tolist()),
            )
            findings.append(found)
            masks.append(SegmentMask(found.finding_id, where, volume.geometry))
        progress.report(0.9, "ai.stage.measure")
        heat = Heatmap(NODULE, np.where(labels > 0, 0.9, 0.0).astype(np.float16), volume.geometry)
        return ReaderOutput(findings=tuple(findings), heatmaps=(heat,), masks=tuple(masks))


def _order(path):
    if not path or not os.path.exists(path):
        return ""
    with open(path, encoding="ascii") as file:
        return file.read().strip()


READER = BeaconReader()
