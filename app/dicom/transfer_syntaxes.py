"""The transfer syntaxes of PS3.6 A and how each is opened."""

from __future__ import annotations

from typing import Final, NamedTuple


class Syntax(NamedTuple):
    name: str
    codec: str
    """"native", a codec family of ``app.dicom.codecs``, or "" when nothing here opens it."""
    lossy: bool = False


_P = "1.2.840.10008.1.2."

SYNTAXES: Final[dict[str, Syntax]] = {
    "1.2.840.10008.1.2": Syntax("Implicit VR Little Endian", "native"),
    _P + "1": Syntax("Explicit VR Little Endian", "native"),
    _P + "1.98": Syntax("Encapsulated Uncompressed Explicit VR Little Endian", "uncompressed"),
    _P + "1.99": Syntax("Deflated Explicit VR Little Endian", "native"),
    _P + "2": Syntax("Explicit VR Big Endian", "native"),
    _P + "4.50": Syntax("JPEG Baseline (Process 1)", "jpeg", True),
    _P + "4.51": Syntax("JPEG Extended (Process 2 and 4)", "jpeg", True),
    _P + "4.52": Syntax("JPEG Extended, arithmetic (Process 3 and 5, retired)", "jpeg", True),
    _P + "4.53": Syntax("JPEG Spectral Selection (Process 6 and 8)", "jpeg", True),
    _P + "4.54": Syntax("JPEG Spectral Selection, arithmetic (Process 7 and 9, retired)", "jpeg", True),
    _P + "4.55": Syntax("JPEG Full Progression (Process 10 and 12)", "jpeg", True),
    _P + "4.56": Syntax("JPEG Full Progression, arithmetic (Process 11 and 13, retired)", "jpeg", True),
    _P + "4.57": Syntax("JPEG Lossless (Process 14)", "jpeg"),
    _P + "4.58": Syntax("JPEG Lossless, arithmetic (Process 15, retired)", ""),
    _P + "4.59": Syntax("JPEG Extended, hierarchical (Process 16 and 18, retired)", ""),
    _P + "4.60": Syntax("JPEG Extended, hierarchical (Process 17 and 19, retired)", ""),
    _P + "4.61": Syntax("JPEG Spectral Selection, hierarchical (Process 20 and 22, retired)", ""),
    _P + "4.62": Syntax("JPEG Spectral Selection, hierarchical (Process 21 and 23, retired)", ""),
    _P + "4.63": Syntax("JPEG Full Progression, hierarchical (Process 24 and 26, retired)", ""),
    _P + "4.64": Syntax("JPEG Full Progression, hierarchical (Process 25 and 27, retired)", ""),
    _P + "4.65": Syntax("JPEG Lossless, hierarchical (Process 28, retired)", ""),
    _P + "4.66": Syntax("JPEG Lossless, hierarchical (Process 29, retired)", ""),
    _P + "4.70": Syntax("JPEG Lossless (Process 14, SV1)", "jpeg"),
    _P + "4.80": Syntax("JPEG-LS Lossless", "jpegls"),
    _P + "4.81": Syntax("JPEG-LS Near-lossless", "jpegls", True),
    _P + "4.90": Syntax("JPEG 2000 Lossless", "jpeg2000"),
    _P + "4.91": Syntax("JPEG 2000", "jpeg2000", True),
    _P + "4.92": Syntax("JPEG 2000 Part 2 Lossless", "jpeg2000"),
    _P + "4.93": Syntax("JPEG 2000 Part 2", "jpeg2000", True),
    _P + "4.94": Syntax("JPIP Referenced", ""),
    _P + "4.95": Syntax("JPIP Referenced Deflate", ""),
    _P + "4.100": Syntax("MPEG-2 Main Profile Main Level", "video", True),
    _P + "4.100.1": Syntax("MPEG-2 Main Profile Main Level, fragmentable", "video", True),
    _P + "4.101": Syntax("MPEG-2 Main Profile High Level", "video", True),
    _P + "4.101.1": Syntax("MPEG-2 Main Profile High Level, fragmentable", "video", True),
    _P + "4.102": Syntax("MPEG-4 AVC/H.264 High Profile", "video", True),
    _P + "4.102.1": Syntax("MPEG-4 AVC/H.264 High Profile, fragmentable", "video", True),
    _P + "4.103": Syntax("MPEG-4 AVC/H.264 BD-compatible", "video", True),
    _P + "4.103.1": Syntax("MPEG-4 AVC/H.264 BD-compatible, fragmentable", "video", True),
    _P + "4.104": Syntax("MPEG-4 AVC/H.264 2D", "video", True),
    _P + "4.104.1": Syntax("MPEG-4 AVC/H.264 2D, fragmentable", "video", True),
    _P + "4.105": Syntax("MPEG-4 AVC/H.264 3D", "video", True),
    _P + "4.105.1": Syntax("MPEG-4 AVC/H.264 3D, fragmentable", "video", True),
    _P + "4.106": Syntax("MPEG-4 AVC/H.264 Stereo", "video", True),
    _P + "4.106.1": Syntax("MPEG-4 AVC/H.264 Stereo, fragmentable", "video", True),
    _P + "4.107": Syntax("HEVC/H.265 Main Profile", "video", True),
    _P + "4.108": Syntax("HEVC/H.265 Main 10 Profile", "video", True),
    _P + "4.110": Syntax("JPEG XL Lossless", "jpegxl"),
    _P + "4.111": Syntax("JPEG XL JPEG Recompression", "jpegxl", True),
    _P + "4.112": Syntax("JPEG XL", "jpegxl", True),
    _P + "4.201": Syntax("High-Throughput JPEG 2000 Lossless", "htj2k"),
    _P + "4.202": Syntax("High-Throughput JPEG 2000 RPCL Lossless", "htj2k"),
    _P + "4.203": Syntax("High-Throughput JPEG 2000", "htj2k", True),
    _P + "4.204": Syntax("JPIP HTJ2K Referenced", ""),
    _P + "4.205": Syntax("JPIP HTJ2K Referenced Deflate", ""),
    _P + "5": Syntax("RLE Lossless", "rle"),
    _P + "8.1": Syntax("Deflated Image Frame Compression", "deflated_frame"),
}


STEREO_VIDEO: Final = frozenset({_P + "4.105", _P + "4.105.1", _P + "4.106", _P + "4.106.1"})
"""Hold a second view for the other eye."""


def syntax_of(uid: str) -> Syntax | None:
    return SYNTAXES.get(uid)


def name_of(uid: str) -> str:
    found = SYNTAXES.get(uid)
    return found.name if found else uid


def is_video(uid: str) -> bool:
    """All frames are one stream (MPEG-2, MPEG-4 AVC, HEVC)."""
    found = SYNTAXES.get(uid)
    return found is not None and found.codec == "video"


def is_native(uid: str) -> bool:
    """Pixels lie in the file as they are (after inflating a deflated data set)."""
    found = SYNTAXES.get(uid)
    return found is not None and found.codec == "native"
