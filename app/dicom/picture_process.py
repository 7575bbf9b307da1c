"""Decoding of picture files in a process of its own: a decoder that dies or hangs on hostile bytes costs one picture.

Request = verb, file; answer = pages, then the values of each.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import numpy.typing as npt

from app.dicom.expendable import ExpendableProcess, expendable_already
from app.dicom.plain_pictures import PictureInfo, decode_pages, inspect_picture, small
from app.domain.problem import Problem, ProblemError, fail

Pixels = npt.NDArray[np.generic]
TIMEOUT_S = 120.0


class PictureProcess:
    """One process. Callers wait for each other."""

    def __init__(self) -> None:
        self._child = ExpendableProcess(_serve, "picture-decoder", _died)

    def pages(self, data: bytes, info: PictureInfo) -> list[tuple[PictureInfo, Pixels]]:
        """As ``decode_pages``. Raises ``picture.decoder_died`` besides."""
        if expendable_already():
            return decode_pages(data, info)
        return self._asked("pages", 0, data)

    def small(self, data: bytes, info: PictureInfo, side_px: int) -> npt.NDArray[np.uint8] | None:
        """As ``small`` of ``plain_pictures``."""
        if info.kind == "pdf":
            return None
        if expendable_already():
            return small(data, info, side_px)
        found = self._asked("small", side_px, data)
        return found[0][1].astype(np.uint8, copy=False) if found else None

    def close(self) -> None:
        with self._child.lock:
            self._child.stop()

    def _asked(self, verb: str, side_px: int, data: bytes) -> list[tuple[PictureInfo, Pixels]]:
        def send(pipe: Connection) -> None:
            pipe.send_bytes(json.dumps({"verb": verb, "side_px": side_px}).encode())
            pipe.send_bytes(data)

        with self._child.lock:
            answer, raws = self._child.ask(send, _answer, TIMEOUT_S)
        if "code" in answer:
            raise ProblemError(Problem(answer["code"], answer["params"], kept_safe=answer["kept_safe"]))
        made = []
        for page, raw in zip(answer["pages"], raws, strict=True):
            values = np.frombuffer(raw, np.dtype(page.pop("dtype"))).reshape(page.pop("shape")).copy()
            aspect = page.pop("aspect")
            made.append((PictureInfo(**page, aspect=tuple(aspect) if aspect else None), values))
        return made


def _died() -> ProblemError:
    return fail("picture.decoder_died", kept_safe="kept.original")


def _answer(pipe: Connection) -> tuple[dict[str, Any], list[bytes]]:
    answer = json.loads(pipe.recv_bytes())
    return answer, [pipe.recv_bytes() for _ in answer.get("pages", ())]


def _serve(pipe: Connection) -> None:
    """The spawned process: answers until the pipe closes."""
    import logging

    logging.disable(logging.CRITICAL)
    while True:
        try:
            head = json.loads(pipe.recv_bytes())
            data = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        try:
            made = _made(head, data)
        except ProblemError as error:
            problem = error.problem
            answer = {"code": problem.code, "params": dict(problem.params), "kept_safe": problem.kept_safe}
            pipe.send_bytes(json.dumps(answer).encode())
            continue
        pages = [
            {**asdict(replace(info, stream=None)), "dtype": values.dtype.str, "shape": values.shape} for info, values in made
        ]
        pipe.send_bytes(json.dumps({"pages": pages}).encode())
        for _, values in made:
            pipe.send_bytes(np.ascontiguousarray(values).tobytes())


def _made(head: dict[str, Any], data: bytes) -> list[tuple[PictureInfo, Pixels]]:
    info = inspect_picture(data)
    if head["verb"] == "small":
        found = small(data, info, int(head["side_px"]))
        return [(info, found)] if found is not None else []
    return decode_pages(data, info)


picture_process = PictureProcess()
"""The process's own; its child ends with it."""
