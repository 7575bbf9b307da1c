"""The process that decodes video: a crash there costs one frame. Messages are JSON heads and raw bytes, never pickle."""

from __future__ import annotations

import json
import logging
from collections import OrderedDict
from multiprocessing.connection import Connection
from typing import Any

KEPT_VIDEOS = 4
"""Four linked panes play side by side."""
PIECE = 4 << 20


def serve(pipe: Connection) -> None:
    """Answers until the pipe closes. Requests: ``open`` (followed by ``size`` bytes in pieces), ``sound``, ``frame``."""
    logging.disable(logging.CRITICAL)
    videos: OrderedDict[str, Any] = OrderedDict()
    while True:
        try:
            head = json.loads(pipe.recv_bytes())
            data = bytearray()
            while head["op"] == "open" and len(data) < head["size"]:
                data += pipe.recv_bytes()
        except (EOFError, OSError):
            return
        answer, body = answered(videos, head, data)
        pipe.send_bytes(json.dumps(answer).encode())
        if body:
            pipe.send_bytes(body)


def answered(videos: OrderedDict[str, Any], head: dict[str, Any], data: bytes | bytearray) -> tuple[dict[str, Any], bytes]:
    """One request's answer: ``about`` of an opened video, ``shape`` with a frame's bytes, a number of ``sound`` frames, or
    ``damaged`` and ``unknown``."""
    from app.dicom.codecs.video_av import Damaged, OpenVideo

    key = str(head["key"])
    try:
        if head["op"] == "open":
            videos[key] = OpenVideo(data)
            while len(videos) > KEPT_VIDEOS:
                videos.popitem(last=False)
            return {"about": videos[key].about}, b""
        if key not in videos:
            return {"unknown": True}, b""
        videos.move_to_end(key)
        if head["op"] == "sound":
            return {"sound": videos[key].sound()}, b""
        values = videos[key].picture(int(head["frame"]), int(head["samples"]))
    except Damaged as error:
        return {"damaged": str(error)}, b""
    return {"shape": values.shape}, values.tobytes()
