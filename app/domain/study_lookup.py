"""Finding things in a study; pure helpers shared by the packages that get a whole :class:`Study`."""

from __future__ import annotations

from app.domain.study import FrameHeader, FrameRef, Instance, Series, Study


def instances_by_uid(study: Study) -> dict[str, Instance]:
    return {i.sop_instance_uid: i for s in study.series for i in s.instances}


def series_by_uid(study: Study) -> dict[str, Series]:
    return {s.series_instance_uid: s for s in study.series}


def frame_header(instance: Instance, ref: FrameRef) -> FrameHeader:
    """The frame's own header; raises ``IndexError`` when the object has no such frame."""
    return instance.frames[ref.frame]
