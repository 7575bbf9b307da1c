"""Pages of a PDF as pictures, drawn in a process of their own: a hostile file costs that process, not the programme."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import threading
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import numpy.typing as npt

from app.domain.problem import fail

TIMEOUT_S = 20.0
MAX_SIDE_PX = 4000
MAX_PAGES = 2000


class PdfPages:
    """One spawned process at the first need; replaced when it dies or hangs. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: Any = None
        self._pipe: Connection | None = None
        self._there = b""

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
        with self._lock:
            self._stop()

    def _ask(self, pdf: bytes, head: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        digest = hashlib.sha256(pdf).digest()
        with self._lock:
            try:
                pipe = self._started()
                if digest != self._there:
                    pipe.send_bytes(b'{"what": "open"}')
                    pipe.send_bytes(pdf)
                    self._there = digest
                pipe.send_bytes(json.dumps(head).encode())
                if not pipe.poll(TIMEOUT_S):
                    raise TimeoutError
                answer = json.loads(pipe.recv_bytes())
                raw = pipe.recv_bytes() if answer.get("shape") else b""
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                self._stop()
                raise fail("document.pdf_unreadable", kept_safe="kept.original") from error
        if "error" in answer:
            raise fail("document.pdf_unreadable", kept_safe="kept.original")
        return answer, raw

    def _started(self) -> Connection:
        if self._pipe is not None and self._process is not None and self._process.is_alive():
            return self._pipe
        self._stop()
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs,), daemon=True, name="pdf-pages")
        process.start()
        theirs.close()
        self._process, self._pipe = process, ours
        return ours

    def _stop(self) -> None:
        self._there = b""
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.kill()
            self._process.join(5)
        self._pipe = self._process = None


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
