"""Pages of a PDF as pictures, drawn in a process of their own: a hostile file costs that process, not the programme."""

from __future__ import annotations

import hashlib
import json
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import numpy.typing as npt

from app.dicom.expendable import ExpendableProcess
from app.domain.problem import ProblemError, fail

TIMEOUT_S = 20.0
MAX_SIDE_PX = 4000
MAX_PAGES = 2000


class PdfPages:
    """One process, which keeps the last document open. Callers wait for each other."""

    def __init__(self) -> None:
        self._child = ExpendableProcess(_serve, "pdf-pages", _unreadable)
        self._there = (0, b"")
        """Which child holds which document."""

    def sizes(self, pdf: bytes) -> tuple[tuple[float, float], ...]:
        """(width, height) of each page in points. Raises ``document.pdf_unreadable``."""
        answer, _ = self._ask(pdf, {"what": "sizes"})
        return tuple((float(w), float(h)) for w, h in answer["sizes"])

    def page(self, pdf: bytes, number: int, width_px: int) -> npt.NDArray[np.uint8]:
        """(h, w, 3) RGB of a page, white ground. Raises ``document.pdf_unreadable``."""
        answer, raw = self._ask(pdf, {"what": "page", "number": number, "width": max(16, min(width_px, MAX_SIDE_PX))})
        shape = tuple(int(n) for n in answer["shape"])
        return np.frombuffer(raw, np.uint8).reshape(shape).copy()

    def close(self) -> None:
        with self._child.lock:
            self._child.stop()

    def _ask(self, pdf: bytes, head: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        digest = hashlib.sha256(pdf).digest()

        def send(pipe: Connection) -> None:
            if (self._child.started, digest) != self._there:
                pipe.send_bytes(b'{"what": "open"}')
                pipe.send_bytes(pdf)
            pipe.send_bytes(json.dumps(head).encode())

        with self._child.lock:
            answer, raw = self._child.ask(send, _answer, TIMEOUT_S)
            self._there = (self._child.started, digest)
        if "error" in answer:
            raise _unreadable()
        return answer, raw


def _unreadable() -> ProblemError:
    return fail("document.pdf_unreadable", kept_safe="kept.original")


def _answer(pipe: Connection) -> tuple[dict[str, Any], bytes]:
    answer = json.loads(pipe.recv_bytes())
    return answer, pipe.recv_bytes() if answer.get("shape") else b""


def _serve(pipe: Connection) -> None:
    """The spawned process: answers until the pipe closes."""
    document: Any = None
    while True:
        try:
            head = json.loads(pipe.recv_bytes())
            if head["what"] == "open":
                document = _opened(pipe.recv_bytes())
                continue
        except (EOFError, OSError):
            return
        try:
            if document is None:
                raise ValueError("no document")
            if head["what"] == "sizes":
                count = min(len(document), MAX_PAGES)
                answer: dict[str, Any] = {"sizes": [list(document.get_page_size(n)) for n in range(count)]}
                pipe.send_bytes(json.dumps(answer).encode())
                continue
            pixels = _drawn(document, int(head["number"]), int(head["width"]))
        except Exception as error:  # any maker's bytes
            pipe.send_bytes(json.dumps({"error": type(error).__name__}).encode())
            continue
        pipe.send_bytes(json.dumps({"shape": pixels.shape}).encode())
        pipe.send_bytes(pixels.tobytes())


def _opened(data: bytes) -> Any:
    import pypdfium2

    try:
        return pypdfium2.PdfDocument(data)
    except Exception:  # any maker's bytes; the next question is answered with an error
        return None


def _drawn(document: Any, number: int, width_px: int) -> npt.NDArray[np.uint8]:
    page = document[number]
    width, height = page.get_size()
    scale = width_px / max(width, 1.0)
    scale = min(scale, MAX_SIDE_PX / max(height, 1.0))
    bitmap = page.render(scale=scale, rev_byteorder=True, fill_color=(255, 255, 255, 255))
    return np.ascontiguousarray(bitmap.to_numpy()[..., :3], dtype=np.uint8)


pdf_pages = PdfPages()
"""The process's own; its child ends with it."""
