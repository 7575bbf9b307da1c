"""A reader for the tests: finds the brightest voxel with a network, and misbehaves when its parameters say so."""

from __future__ import annotations

import os
import signal
import time

import numpy as np

from app.ai.reader_api import ReaderOutput
from app.domain.finding import Band, Finding, Heatmap, Location, SegmentMask, Source
from app.domain.identity import uid_for
from app.domain.measurement import Code, Measurement, Quantity
from app.domain.ports import Cancelled

NODULE = Code("27925004", "SCT", "Nodule")


class TinyReader:
    name = "tiny"

    def run(self, job, nets, parameters, progress):
        mode = parameters.get("mode", job.attributes.get("mode", ""))
        volume = job.volume
        progress.report(0.1, "ai.stage.prepare")
        if mode == "kill":
            os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        if mode == "memory":
            return np.zeros(1 << 50, np.uint8)
        if mode == "hang":
            time.sleep(600)
        if mode == "crash":
            raise KeyError("secret of the patient")
        if mode == "network":
            import socket

            socket.create_connection(("127.0.0.1", 9), 1)
        if mode == "wrong_name":
            return ReaderOutput(findings=(_finding(job, (0.0, 0.0, 0.0), "other"),))
        if mode == "slow":
            for _ in range(6000):
                if progress.cancelled():
                    raise Cancelled
                time.sleep(0.005)
                progress.report(0.2, "ai.stage.candidates 17 found")
        values = volume.voxels.astype(np.float32) / (1.0 if mode == "bright" else 100.0)
        answer = nets.run("finder", values[None, None])[0, 0]
        progress.report(0.9, "ai.stage.measure")
        k, j, i = (int(n) for n in np.unravel_index(int(np.argmax(answer)), answer.shape))
        centre = volume.geometry.to_patient((k, j, i))
        found = _finding(job, centre, "")
        heat = Heatmap(NODULE, (1.0 / (1.0 + np.exp(-answer))).astype(np.float16), volume.geometry)
        mask = SegmentMask(found.finding_id, answer > answer.max() - 0.1, volume.geometry)
        return ReaderOutput(findings=(found,), heatmaps=(heat,), masks=(mask,))


def _finding(job, centre, other):
    from dataclasses import replace

    reader = replace(job.identity, name=other) if other else job.identity
    return Finding(
        uid_for(job.study_instance_uid, "tiny"),
        Source.AI,
        NODULE,
        Location(centre, (centre, centre), job.volume.geometry.frame_of_reference_uid),
        measurements=(Measurement(Quantity.LONG_AXIS, 4.123456789, "mm"),),
        attributes=(("composition", "solid"),),
        score=1.25,
        probability=0.5,
        band=Band.MID,
        reader=reader,
    )


READER = TinyReader()
