"""A second opinion on streams that the fast decoders refuse, in a process of its own: a native crash costs one frame.

Messages are JSON and raw bytes (no pickle): request = header, stream; answer = header, pixels.
"""

from __future__ import annotations

import json
import multiprocessing
import threading
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import numpy.typing as npt

from app.domain.pixels import PixelFormat
from app.domain.problem import fail

Array = npt.NDArray[np.generic]

TIMEOUT_S = 30.0
_PLUGINS = ("gdcm", "pylibjpeg")


class IsolatedDecoder:
    """One spawned process, started at the first need, replaced when it dies or hangs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: Any = None
        self._pipe: Connection | None = None

    def decode(self, stream: bytes, fmt: PixelFormat, transfer_syntax_uid: str) -> Array | None:
        """Stored values, or None when no decoder there opens the stream. Raises ``ProblemError`` when the process dies."""
        if multiprocessing.current_process().daemon:
            return None  # such a process may have no children; it is expendable itself
        head = {
            "rows": fmt.rows,
            "columns": fmt.columns,
            "samples": fmt.samples_per_pixel,
            "photometric": fmt.photometric_interpretation,
            "allocated": fmt.bits_allocated,
            "stored": fmt.bits_stored,
            "high": fmt.high_bit,
            "signed": fmt.signed,
            "syntax": transfer_syntax_uid,
        }
        with self._lock:
            pipe = self._started()
            try:
                pipe.send_bytes(json.dumps(head).encode())
                pipe.send_bytes(stream)
                if not pipe.poll(TIMEOUT_S):
                    raise TimeoutError
                answer = json.loads(pipe.recv_bytes())
                raw = pipe.recv_bytes() if answer.get("dtype") else b""
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                self._stop()
                raise fail("dicom.decoder_died", kept_safe="kept.original") from error
        if not answer.get("dtype"):
            return None
        return np.frombuffer(raw, np.dtype(answer["dtype"])).reshape(answer["shape"]).copy()

    def close(self) -> None:
        with self._lock:
            self._stop()

    def _started(self) -> Connection:
        if self._pipe is not None and self._process is not None and self._process.is_alive():
            return self._pipe
        self._stop()
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs,), daemon=True, name="isolated-decoder")
        process.start()
        self._process = process
        theirs.close()
        self._pipe = ours
        return ours

    def _stop(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.kill()
            self._process.join(5)
        self._pipe = self._process = None


def _serve(pipe: Connection) -> None:
    """The spawned process: answers until the pipe closes."""
    import logging
    import warnings

    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    while True:
        try:
            head = json.loads(pipe.recv_bytes())
            stream = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        values = _opinion(head, stream)
        if values is None:
            pipe.send_bytes(b"{}")
            continue
        pipe.send_bytes(json.dumps({"dtype": values.dtype.str, "shape": values.shape}).encode())
        pipe.send_bytes(values.tobytes())


def _opinion(head: dict[str, Any], stream: bytes) -> Array | None:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.pixels import get_decoder

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = head["syntax"]
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = head["rows"], head["columns"], head["samples"]
    dataset.PhotometricInterpretation = head["photometric"]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = head["allocated"], head["stored"], head["high"]
    dataset.PixelRepresentation = int(head["signed"])
    if head["samples"] > 1:
        dataset.PlanarConfiguration = 0
    dataset.PixelData = encapsulate([stream])
    dataset["PixelData"].is_undefined_length = True
    try:
        decoder = get_decoder(head["syntax"])
        plugins = [p for p in _PLUGINS if p in decoder.available_plugins]
    except (NotImplementedError, ValueError):
        return None
    for plugin in plugins:
        try:
            return np.ascontiguousarray(decoder.as_array(dataset, raw=True, decoding_plugin=plugin)[0])
        except Exception:  # noqa: S112 - the next decoder has its say; none means no opinion
            continue
    return None


second_opinion = IsolatedDecoder()
"""The process's own; its child ends with it."""
