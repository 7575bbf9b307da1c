"""PyAV (FFmpeg's libraries): the one file that knows it. Runs in the video process only (``video_process.py``).

A video is indexed once: its packets are kept, in the order of decoding, with the order of showing. A frame is reached from
the last key frame that lies before it in both orders; what is decoded on the way is kept. Decoders are told to stop at
damage (``explode``), because they would otherwise paint over what is missing.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections import OrderedDict
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation

Rgb = npt.NDArray[np.uint8]

KEPT_BYTES = 96 << 20
"""Decoded frames of one video kept near the last request."""
_EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.BITEXACT
"""Within half a level of the formulas; the fast paths are up to three levels off."""
_BT709, _UNSPECIFIED, _BT601 = 1, 2, 5
_MATRICES = {0: 0, 1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
"""ISO/IEC 23091-2 matrix coefficients to those of the converter."""
_FULL = 2
_HD_ROWS = 720
"""A stream of this height or more that names no matrix is BT.709, a smaller one BT.601."""


_TAILS = (b"\x9b\x55\xd2\x6e" * 16, b"\x64\xaa\x2d\x91" * 16)
"""Bits of both kinds, without a start code."""


_HOLE = bytes(64)
"""Zeros that no coder writes inside a picture; between pictures they may be stuffing, so alone they prove nothing."""


class Damaged(Exception):
    """The stream is no video, or is damaged before this frame; the text says where, without any content of it."""


class OpenVideo:
    """One indexed video. Frames are numbered from 0 in the order of showing."""

    def __init__(self, data: bytes | bytearray) -> None:
        try:
            with av.open(io.BytesIO(data)) as container:
                if not container.streams.video:
                    raise Damaged("no video stream")
                stream = container.streams.video[0]
                about = stream.codec_context
                self._codec, self._extradata = about.name, about.extradata
                packets = [p for p in container.demux(stream) if p.size]
        except (av.FFmpegError, ValueError, OSError) as error:
            raise Damaged("container") from error
        if not packets:
            raise Damaged("no packets")
        shown = [p.pts for p in packets]
        self._keys = [n for n, p in enumerate(packets) if p.is_keyframe]
        self._packets = packets
        self._doubt = self._first_doubt(shown, data.find(_HOLE))
        for n, packet in enumerate(packets):
            # The number comes back with the frame, whatever the decoder's delay.
            packet.pts = packet.dts = n
        self._decoder: Any = None
        self._began = self._next = 0
        self._given: set[int] = set()
        self._kept: OrderedDict[int, Any] = OrderedDict()
        self._last_cut: bool | None = None
        self._order = self._order_of(shown)
        self._place = {packet: n for n, packet in enumerate(self._order)}
        self.about = self._about()

    @property
    def frames(self) -> int:
        return len(self._order)

    def _first_doubt(self, shown: list[int | None], hole: int) -> int:
        """The packet, in the order of decoding, where the container sees a loss: a mark, a gap in time, a hole of zeros."""
        doubts = [n for n, p in enumerate(self._packets) if p.is_corrupt]
        if hole >= 0:
            before = [n for n, p in enumerate(self._packets) if p.pos is not None and 0 <= p.pos <= hole]
            doubts += before[-1:]
        times = sorted(t for t in shown if t is not None)
        steps = [b - a for a, b in zip(times, times[1:], strict=False)]
        if len(times) == len(shown) and steps:
            late = [a for a, step in zip(times, steps, strict=False) if step > 1.5 * sorted(steps)[len(steps) // 2]]
            doubts += [n for n, t in enumerate(shown) if late and t is not None and t > late[0]][:1]
        return min(doubts, default=len(self._packets))

    def sound(self) -> int:
        """How many frames from the first are surely those of their numbers where others are missing.

        The order of showing departs from that of decoding: what is lost takes with it the numbers of some frames before.
        """
        doubt = self._doubt
        decoder = self._fresh()
        for n, packet in enumerate([*self._packets[:doubt], None]):
            try:
                found = decoder.decode(packet)
            except av.FFmpegError:
                doubt = min(doubt, n)
                break
            doubt = min([doubt, *(int(f.pts) for f in found if f.is_corrupt)])
        departs = max(abs(packet - n) for n, packet in enumerate(self._order))
        if doubt >= len(self._packets) - departs - 1:  # a cut end: it takes the last ones in the order of decoding
            return max(0, self.frames - departs - 1)
        after = [place for packet, place in self._place.items() if packet >= doubt]
        return max(0, min(after, default=self.frames) - departs)

    def _order_of(self, shown: list[int | None]) -> list[int]:
        """Packet numbers in the order of showing: by the container's times, else by decoding everything once."""
        times = [t for t in shown if t is not None]
        if len(times) == len(shown) and len(set(times)) == len(times):
            return sorted(range(len(times)), key=times.__getitem__)
        order: list[int] = []
        decoder = self._fresh()
        for packet in [*self._packets, None]:
            try:
                order.extend(int(f.pts) for f in decoder.decode(packet))
            except av.FFmpegError:
                continue  # named when the frame itself is asked for
        return order

    def _fresh(self) -> Any:
        decoder = av.CodecContext.create(self._codec, "r")
        if self._extradata:
            decoder.extradata = self._extradata
        decoder.options = {"err_detect": "explode"}
        decoder.thread_type = "SLICE"
        return decoder

    def _about(self) -> dict[str, Any]:
        first = self._decoded(0)
        return {
            "frames": self.frames,
            "reorder": max(abs(packet - n) for n, packet in enumerate(self._order)),
            "codec": self._codec,
            "rows": first.height,
            "columns": first.width,
            "full_range": _is_full(first),
            "matrix": _matrix(first),
            "interlaced": bool(first.interlaced_frame),
        }

    def _start_of(self, frame: int) -> int:
        """The packet to begin with: a key frame at or before the frame in the order of decoding and of showing."""
        packet = self._order[frame]
        for key in reversed(self._keys[: bisect_right(self._keys, packet)]):
            if self._place.get(key, frame + 1) <= frame:
                return key
        return 0

    def _decoded(self, frame: int) -> Any:
        """The decoder's frame. Raises ``Damaged``."""
        wanted = self._order[frame]
        if wanted in self._kept:
            self._kept.move_to_end(wanted)
            return self._kept[wanted]
        start = self._start_of(frame)
        # A decoder gives its pictures late: one that has been fed and is not out yet comes with what is fed next. Only a
        # picture that is out already, or lies before or far behind the run, needs a new start.
        if self._decoder is None or wanted in self._given or not self._began <= start <= self._next:
            self._decoder, self._began, self._next, self._given = self._fresh(), start, start, set()
        while wanted not in self._kept:
            packet = self._packets[self._next] if self._next < len(self._packets) else None
            try:
                found = self._decoder.decode(packet)
            except av.FFmpegError as error:
                self._decoder = None
                raise Damaged(f"frame {frame + 1}") from error
            self._next += 1
            for decoded in found:
                self._given.add(int(decoded.pts))
                if not decoded.is_corrupt:
                    self._keep(int(decoded.pts), decoded)
            if packet is None:
                self._decoder = None
                break
        if wanted not in self._kept:
            raise Damaged(f"frame {frame + 1}")
        return self._kept[wanted]

    def _cut(self, frame: int, decoded: Any) -> bool:
        """The stream ends inside its last picture: bytes put after it change what is decoded.

        A picture that is whole says where it ends, and what follows is not read. Nothing else in a byte stream (ISO 14496-10
        annex B) tells a picture of which the last bytes are missing. Decoders of MPEG-2 notice it themselves.
        """
        if self._last_cut is None:
            data = bytes(self._packets[-1]).rstrip(b"\0")  # zeros are padding: a picture's last byte holds its stop bit
            start = self._start_of(frame)
            self._last_cut = False
            byte_stream = self._codec in ("h264", "hevc") and (data[:3] == b"\0\0\1" or data[:4] == b"\0\0\0\1")
            for tail in _TAILS if byte_stream else ():
                last = av.Packet(data + tail)
                last.pts = last.dts = len(self._packets) - 1
                again = self._run([*self._packets[start:-1], last, None], len(self._packets) - 1)
                if again is None or not _same(again, decoded):
                    self._last_cut = True
                    break
        return self._last_cut

    def _run(self, packets: list[Any], wanted: int) -> Any:
        """One picture out of a run of packets; None where the decoder stops."""
        decoder = self._fresh()
        try:
            for packet in packets:
                for decoded in decoder.decode(packet):
                    if int(decoded.pts) == wanted and not decoded.is_corrupt:
                        return decoded
        except av.FFmpegError:
            return None
        return None

    def _keep(self, packet: int, decoded: Any) -> None:
        self._kept[packet] = decoded
        size = decoded.width * decoded.height * 3 // 2
        while len(self._kept) > max(2, KEPT_BYTES // max(size, 1)):
            self._kept.popitem(last=False)

    def picture(self, frame: int, samples: int) -> Rgb:
        """(rows, columns, 3) RGB, or (rows, columns) luma in full range. Raises ``Damaged``."""
        decoded = self._decoded(frame)
        if self._order[frame] == len(self._packets) - 1 and self._cut(frame, decoded):
            raise Damaged(f"frame {frame + 1}")
        matrix = _matrix(decoded)
        out = decoded.reformat(
            format="rgb24" if samples == 3 else "gray",
            src_colorspace=matrix or None,
            dst_colorspace=matrix or None,
            src_color_range=_FULL if _is_full(decoded) else 1,
            dst_color_range=_FULL,
            interpolation=_EXACT,
            threads=1,
        )
        values: Rgb = np.ascontiguousarray(out.to_ndarray(), dtype=np.uint8)
        return values


def _same(one: Any, other: Any) -> bool:
    return all(bytes(a) == bytes(b) for a, b in zip(one.planes, other.planes, strict=True))


def _is_full(frame: Any) -> bool:
    """Video without a word about its range is limited (16 to 235): that is what the standards of video say."""
    return int(frame.color_range) == _FULL or str(frame.format.name).startswith(("yuvj", "rgb", "gbr"))


def _matrix(frame: Any) -> int:
    stated = int(frame.colorspace)
    if stated in _MATRICES and stated != _UNSPECIFIED:
        return _MATRICES[stated]
    return _BT709 if frame.height >= _HD_ROWS else _BT601
