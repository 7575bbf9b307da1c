"""A second opinion on streams that the fast decoders refuse, in a process of its own: a crash costs one frame.

Request = header, stream; answer = header, pixels.
"""

from __future__ import annotations

import contextlib
import json
import sys
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import numpy.typing as npt

from app.dicom.expendable import ExpendableProcess, expendable_already
from app.domain.pixels import PixelFormat
from app.domain.problem import ProblemError, fail

Array = npt.NDArray[np.generic]

TIMEOUT_S = 30.0
_PLUGINS = ("gdcm", "pylibjpeg")
_CHILD_BYTES = 8 << 30


class IsolatedDecoder:
    """One process. Callers wait for each other."""

    def __init__(self) -> None:
        self._child = ExpendableProcess(_serve, "isolated-decoder", _died)

    def decode(self, stream: bytes, fmt: PixelFormat, transfer_syntax_uid: str) -> Array | None:
        """Stored values, or None when no decoder there opens the stream. Raises ``ProblemError`` when the process dies."""
        if expendable_already():
            return None
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
        return self.ask(head, stream)

    def ask(self, head: dict[str, Any], stream: bytes) -> Array | None:
        """The child's answer to a request. Raises ``dicom.decoder_died``."""

        def send(pipe: Connection) -> None:
            pipe.send_bytes(json.dumps(head).encode())
            pipe.send_bytes(stream)

        with self._child.lock:
            return self._child.ask(send, _values, TIMEOUT_S)

    def close(self) -> None:
        with self._child.lock:
            self._child.stop()


def _died() -> ProblemError:
    return fail("dicom.decoder_died", kept_safe="kept.original")


def _values(pipe: Connection) -> Array | None:
    answer = json.loads(pipe.recv_bytes())
    if not answer.get("dtype"):
        return None
    return np.frombuffer(pipe.recv_bytes(), np.dtype(answer["dtype"])).reshape(answer["shape"]).copy()


def _serve(pipe: Connection) -> None:
    """The spawned process: answers until the pipe closes."""
    import logging
    import warnings

    logging.disable(logging.CRITICAL)
    limit_memory()
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


def limit_memory() -> None:
    """A stream that asks for more than any picture needs is refused by the system, in this process alone."""
    if sys.platform == "win32":
        return
    import resource

    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_CHILD_BYTES, resource.RLIM_INFINITY))


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
