"""An end marker does not make a stream whole: what is lost before it is an error in every compressed syntax."""

from __future__ import annotations

import zlib
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from app.dicom.codecs import imagecodecs_adapter
from app.dicom.codecs.jpeg_lossless_end import ends_with
from app.dicom.codecs.jpeg_parts import jpeg_parts
from app.dicom.codecs.jpeg_whole import jpeg as jpeg_with_proof
from app.dicom.codecs.stream_info import jpeg_info
from app.dicom.codecs.zero_runs import LONGEST, has_hole
from app.dicom.frame_decoder import fragment_note
from app.dicom.frame_encoder import Syntax, encode_frame
from app.domain.problem import ProblemError
from tests.dicom.builders import compressed, image
from tests.dicom.test_arithmetic import PHOTO
from tests.dicom.test_frame_decoder import SOURCE, opened, pixels

SIZE = 96
_RNG = np.random.default_rng(20261123)
_Y, _X = np.mgrid[:SIZE, :SIZE]
GREY12 = (1500 + 400 * np.sin(_X / 9) + 300 * np.cos(_Y / 7) + _RNG.normal(0, 12, (SIZE, SIZE))).astype(np.uint16)
GREY8 = (GREY12 >> 4).astype(np.uint8)
COLOUR = np.stack([GREY8, GREY8 // 2, 255 - GREY8], -1)
FLAT_END = GREY12.copy()
FLAT_END[SIZE // 2 :] = 0
"""A padded lower half: its codes are as alike as what decoders fill up with."""


def jpeg(**how: object) -> Callable[[np.ndarray], bytes]:
    return lambda v: imagecodecs.jpeg8_encode(v, **how)


def deflated(values: np.ndarray) -> bytes:
    machine = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return machine.compress(values.tobytes()) + machine.flush()


def restarting(values: np.ndarray) -> bytes:
    """Lossless, a restart marker after every eighth line: interval by interval, as a scan of that many lines."""
    lines, parts, head = 8, [], b""
    for n in range(0, SIZE, lines):
        part = encode_frame(values[n : n + lines], Syntax.JPEG_LOSSLESS_SV1, 12)
        start = part.index(b"\xff\xda") + 10
        if n == 0:
            table = part[:start]
            head = table[:7] + SIZE.to_bytes(2, "big") + table[9:]
        parts.append(part[start:-2] if part[:start] == table else b"")
    at = head.index(b"\xff\xda")
    restart = b"\xff\xdd\x00\x04" + (lines * SIZE).to_bytes(2, "big")
    body = b"".join(p + bytes((0xFF, 0xD0 + n % 8)) for n, p in enumerate(parts))[:-2]
    return head[:at] + restart + head[at:] + body + b"\xff\xd9"


_J = "1.2.840.10008.1.2.4."
# cjpeg -quality 75 of ``PHOTO``, with "-restart 1 -optimize" and with "-progressive".
RESTARTING = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PT"
    "gyPC4zNDL/2wBDAQkJCQwLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjL/wAARCAAo"
    "ADgDASIAAhEBAxEB/8QAGwAAAwEBAAMAAAAAAAAAAAAAAAIGBAUBAwf/xAAdEAACAgIDAQAAAAAAAAAAAAAABAESAiEDBTET/8QAFwEBAQEBAA"
    "AAAAAAAAAAAAAABQcGBP/EACERAAAGAgIDAQAAAAAAAAAAAAABAgMEExQxBRIhQYEV/90ABAAE/9oADAMBAAIRAxEAPwD0oO40jY7ruPznZOIc"
    "nJSPR3eTkpPpzr4RvM37GkKYqoZHncbzsEXcbxsn3uTO8+nhHkzvBQPxG8PYCzFWj6Yk7jSNivO40nZwEuTkpHor3JyUn0nyeEbzNh05iqhlcd"
    "x+k7AnnOTP6T6BTYvCN1F5GdcmK7GP/9DAh18UjQ7vXxSdGpBnCkbHdZwpIEuXLzPo1pNNVCGe6+LzoEevi8aNzzOF52CLOF4KDly8P4AqmrR3"
    "UuvikaFe6+KTo6CTOFI3ArzOFJJ8mXLzPodNpqoQznXx9J0BucZwvIFMiy5dRDOuNNdjH//Rm0Gc6QO6znSfQASWy3ma9hglqq2JR5nO87kEWc"
    "7xsAKDS3h69ALuq3Yq0mc6R6K8znSfQAnyWW8zQdNaqtiUcZz+k7kAApkVluovAzrq1dj8j//Z"
)
PROGRESSIVE = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PT"
    "gyPC4zNDL/2wBDAQkJCQwLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjL/wgARCAAo"
    "ADgDASIAAhEBAxEB/8QAGgAAAgMBAQAAAAAAAAAAAAAAAAEDBAUCBv/EABcBAQEBAQAAAAAAAAAAAAAAAAYEBQP/2gAMAwEAAhADEAAAAeHnPn"
    "pRGekEHplQR6+IzhPneh6lY7VwycQw3lYR67DJxNnSMIe+UAgg1UB+/KATZ3//xAAYEAEBAQEBAAAAAAAAAAAAAAACAAEDIf/aAAgBAQABBQIO"
    "b8bg4Obm/Ruz3Z7DYbs92e+jnPnPnDnDnPnPn6FNTUFBTU1BTU1BQU1Ne//EABoRAAIDAQEAAAAAAAAAAAAAAAASAQIREwP/2gAIAQMBAT8B7S"
    "p2ljtKlvadFqotWFqpatdNlTZY2VLTOn//xAAbEQACAwEBAQAAAAAAAAAAAAAAAgEDExIEFP/aAAgBAgEBPwGfEux8S4keJdirxLyTbbsa24kW"
    "27FVtvJKLscLiQi7FSLyf//EABQQAQAAAAAAAAAAAAAAAAAAAFD/2gAIAQEABj8CD//EABgQAQEBAQEAAAAAAAAAAAAAAAABESEQ/9oACAEBAA"
    "E/IZYgS1LUMSxAyMC2rawMihycHZ2cHLwSxDEtS1DEsQ1bFMW1bVMWxQ//2gAMAwEAAgADAAAAEFBcjJwPw3A/AP/EABoRAAIDAQEAAAAAAAAA"
    "AAAAAAABEBFBIVH/2gAIAQMBAT8QUEsNgKP2e2FtPaPaXnT/xAAaEQEAAgMBAAAAAAAAAAAAAAAAEUEhUZGh/9oACAECAQE/ELy24tELl3nmdZ"
    "Dqi2hSgQOH/8QAGBAAAwEBAAAAAAAAAAAAAAAAABEhATH/2gAIAQEAAT8QW0eUa0S0W0a0aUU9HPRn0Rinox6MumSwyeGDwwWGSwweGDQX0fje"
    "icX3BuNxeP8Ao3uiei/o36Nrp//Z"
)
FORMS: dict[str, tuple[str, Callable[[np.ndarray], bytes], np.ndarray]] = {
    "rle": (Syntax.RLE, lambda v: encode_frame(v, Syntax.RLE, 12), GREY12),
    "baseline": (_J + "50", jpeg(level=90), GREY8),
    "baseline 4:4:4": (_J + "50", jpeg(level=90, subsampling="444"), COLOUR),
    "baseline 4:2:2": (_J + "50", jpeg(level=90, subsampling="422"), COLOUR),
    "baseline 4:2:0": (_J + "50", jpeg(level=90, subsampling="420"), COLOUR),
    "baseline, odd": (_J + "50", jpeg(level=90), np.ascontiguousarray(GREY8[:-3, :-5])),
    "restarting": (_J + "50", lambda v: RESTARTING, PHOTO),
    "progressive": (_J + "55", lambda v: PROGRESSIVE, PHOTO),
    "extended": (_J + "51", jpeg(level=95, bitspersample=12), GREY12),
    "lossless 14": (_J + "57", jpeg(lossless=True, predictor=6), GREY8),
    "lossless SV1": (_J + "70", jpeg(lossless=True, bitspersample=12), GREY12),
    "lossless, own tables": (_J + "70", lambda v: encode_frame(v, Syntax.JPEG_LOSSLESS_SV1, 12), GREY12),
    "lossless, flat end": (_J + "70", jpeg(lossless=True, bitspersample=12), FLAT_END),
    "lossless colour": (_J + "70", jpeg(lossless=True, colorspace="rgb", outcolorspace="rgb"), COLOUR),
    "jpeg-ls": (_J + "80", imagecodecs.jpegls_encode, GREY12),
    "near-lossless": (_J + "81", lambda v: imagecodecs.jpegls_encode(v, level=2), COLOUR),
    "jpeg 2000": (_J + "90", lambda v: imagecodecs.jpeg2k_encode(v, level=0, codecformat="j2k", reversible=True), GREY12),
    "jpeg 2000 lossy": (_J + "91", lambda v: imagecodecs.jpeg2k_encode(v, level=99, codecformat="j2k"), COLOUR),
    "htj2k": (_J + "201", lambda v: imagecodecs.htj2k_encode(v, reversible=True), GREY12),
    "jpeg xl": (_J + "110", lambda v: imagecodecs.jpegxl_encode(v, lossless=True), GREY12),
    "jpeg xl lossy": (_J + "112", lambda v: imagecodecs.jpegxl_encode(v, level=95), GREY8),
    "deflated frame": ("1.2.840.10008.1.2.8.1", deflated, GREY12),
}


def data_of(stream: bytes) -> tuple[int, int]:
    """Where the coded data begin and end; what is before and after stays."""
    if stream[:4] == b"\xff\x4f\xff\x51":
        return stream.index(b"\xff\x93") + 2, len(stream) - 2
    if stream[:3] == b"\xff\xd8\xff":
        at = stream.index(b"\xff\xda")
        return at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big"), stream.rindex(b"\xff\xd9")
    return (64 if stream[1:4] == b"\0\0\0" else 32), len(stream)


def damaged(stream: bytes) -> dict[str, bytes]:
    start, end = data_of(stream)
    data = stream[start:end]
    middle, lost = len(data) // 2, min(600, len(data) // 6)
    left = {
        "half removed": data[:middle],
        "a tenth removed at the end": data[: -len(data) // 10],
        "hole in the middle": data[:middle] + data[middle + lost :],
        "second half zeroed": data[:middle] + bytes(len(data) - middle),
        "zeros in the middle": data[:middle] + bytes(lost) + data[middle + lost :],
    }
    return {name: stream[:start] + kept + stream[end:] for name, kept in left.items()}


def described(values: np.ndarray) -> dict[str, object]:
    stored = 12 if values.dtype == np.uint16 else 8
    return {"BitsStored": stored, "HighBit": stored - 1}


@pytest.mark.parametrize("form", FORMS)
def test_what_is_lost_before_the_end_marker_is_an_error(tmp_path: Path, form: str) -> None:
    syntax, encode, values = FORMS[form]
    stream = bytes(encode(values))
    d = image(values, **described(values))
    whole = pixels(compressed(d, [stream], tmp_path / "whole.dcm", syntax))[0]
    assert whole.shape == values.shape
    if "lossless" in form and "near" not in form:
        assert np.array_equal(whole, values)
    for name, changed in damaged(stream).items():
        with pytest.raises(ProblemError) as caught:
            pixels(compressed(d, [changed], tmp_path / f"{name}.dcm", syntax))
        assert caught.value.problem.code.startswith("dicom.stream_"), name


def test_the_picture_is_the_decoder_s_own(tmp_path: Path) -> None:
    """Decoding taller changes nothing of the picture, whatever the subsampling and the size."""
    for n, (form, space) in enumerate((("baseline", 1), ("baseline, odd", 1), ("baseline 4:2:2", 2), ("baseline 4:2:0", 2))):
        syntax, encode, values = FORMS[form]
        stream = bytes(encode(values))
        expected = imagecodecs.jpeg8_decode(stream, colorspace=space, outcolorspace=space)
        d = image(values, **({"PhotometricInterpretation": "YBR_FULL_422"} if values.ndim == 3 else {}))
        assert np.array_equal(pixels(compressed(d, [stream], tmp_path / f"{n}.dcm", syntax))[0], expected)


def test_real_grey_at_the_end_is_no_cut(tmp_path: Path) -> None:
    values = GREY8.copy()
    values[SIZE // 2 :] = 128
    stream = imagecodecs.jpeg8_encode(values, level=90)
    found = pixels(compressed(image(values), [stream], tmp_path / "g.dcm", _J + "50"))[0]
    assert np.array_equal(found[-16:], values[-16:])


@pytest.mark.parametrize("value", [0, 1, 2047, 4095])
def test_flat_pictures_are_whole(tmp_path: Path, value: int) -> None:
    values = np.full((64, 80), value, np.uint16)
    d = image(values, BitsStored=12, HighBit=11)
    for n, (syntax, encode) in enumerate(
        (
            (_J + "70", jpeg(lossless=True, bitspersample=12)),
            (_J + "70", lambda v: encode_frame(v, Syntax.JPEG_LOSSLESS_SV1, 12)),
            (_J + "51", jpeg(level=90, bitspersample=12)),
            (_J + "80", imagecodecs.jpegls_encode),
            (_J + "90", lambda v: imagecodecs.jpeg2k_encode(v, level=0, codecformat="j2k", reversible=True)),
            (_J + "201", lambda v: imagecodecs.htj2k_encode(v, reversible=True)),
        )
    ):
        found = pixels(compressed(d, [bytes(encode(values))], tmp_path / f"{n}.dcm", syntax))[0]
        assert int(found.min()) == int(found.max())


@pytest.mark.parametrize("predictor", range(1, 8))
def test_every_predictor_ends_with_its_picture(predictor: int) -> None:
    for values in (GREY12, GREY8, COLOUR, FLAT_END, GREY12[:1], np.ascontiguousarray(GREY12[:, :1])):
        bits = 12 if values.dtype == np.uint16 else 8
        space = {"colorspace": "rgb", "outcolorspace": "rgb"} if values.ndim == 3 else {}
        stream = imagecodecs.jpeg8_encode(values, lossless=True, predictor=predictor, bitspersample=bits, **space)
        parts = jpeg_parts(stream)
        assert parts.scans[0].first == predictor
        assert ends_with(stream, parts, values)
        other = values.copy()
        other.reshape(-1)[-1] += 1
        assert not ends_with(stream, parts, other)


def test_restart_intervals_are_held_one_by_one(tmp_path: Path) -> None:
    lines = np.tile(GREY12[:8], (SIZE // 8, 1))
    stream = restarting(lines)
    d = image(lines, BitsStored=12, HighBit=11)
    assert np.array_equal(pixels(compressed(d, [stream], tmp_path / "whole.dcm", _J + "70"))[0], lines)
    at = stream.index(b"\xff\xd3")
    for name, changed in {
        "an interval cut": stream[: at - 200] + stream[at:],
        "an interval gone": stream[: stream.index(b"\xff\xd2")] + stream[at:],
        "zeros": stream[: at - 200] + bytes(200) + stream[at:],
    }.items():
        with pytest.raises(ProblemError):
            pixels(compressed(d, [changed], tmp_path / f"{name}.dcm", _J + "70"))


def test_empty_packets_are_no_hole() -> None:
    """A tile in small precincts may have thousands of packets without content: a byte of zeros each."""
    stream = bytes(imagecodecs.jpeg2k_encode(GREY12, level=0, codecformat="j2k", reversible=True))
    cod, sod = stream.index(b"\xff\x52"), stream.index(b"\xff\x93") + 2
    levels = stream[cod + 9]
    small = (
        stream[:cod]
        + b"\xff\x52"
        + (13 + levels).to_bytes(2, "big")
        + bytes((stream[cod + 4] | 1,))
        + stream[cod + 5 : cod + 14]
    )
    precincts = small + bytes((0x22,)) * (levels + 1) + stream[cod + 14 : sod]
    assert has_hole(stream[:sod] + bytes(LONGEST + 200) + stream[sod:], 0)
    assert not has_hole(precincts + bytes(LONGEST + 200) + stream[sod:], 0)
    assert has_hole(precincts + bytes(LONGEST + 4000) + stream[sod:], 0)


@pytest.mark.parametrize(("side", "value", "run"), [(2048, 33793, 170), (4096, 49153, 230), (2048, 32769, 520)])
def test_flat_backgrounds_of_htj2k_are_no_hole(side: int, value: int, run: int, tmp_path: Path) -> None:
    """Two lines of a block whose low bits are all zero; a lost block of the disk, of 512 bytes, is still told."""
    values = np.full((side, side), value, np.uint16)
    stream = bytes(imagecodecs.htj2k_encode(values, reversible=True))
    assert bytes(run) in stream
    d = image(values[:1, :1], BitsStored=16, HighBit=15, Rows=side, Columns=side)
    found = pixels(compressed(d, [stream], tmp_path / "flat.dcm", _J + "201"))[0]
    assert int(found.min()) == int(found.max()) == value
    middle = (stream.index(b"\xff\x93") + len(stream)) // 2
    assert has_hole(stream[:middle] + b"\x55" + bytes(512) + b"\x55" + stream[middle + 512 :], 0)


JPEGS = [name for name, (syntax, *_) in FORMS.items() if syntax[len(_J) :] in ("50", "51", "55", "57", "70", "80", "81")]


@pytest.mark.parametrize("form", JPEGS)
def test_other_bytes_behind_a_whole_picture_are_told_and_no_cut(tmp_path: Path, form: str) -> None:
    syntax, encode, values = FORMS[form]
    stream = bytes(encode(values))
    d = image(values, **described(values))
    others = b"\x01\x02 of the maker \xff\xd8\xff\xd9\x03\x04\x05"
    whole = pixels(compressed(d, [stream], tmp_path / "whole.dcm", syntax))[0]
    path = compressed(d, [stream + others], tmp_path / "more.dcm", syntax)
    assert np.array_equal(pixels(path)[0], whole)
    assert fragment_note(opened(path), SOURCE) == "dicom.repaired.trailing_bytes"
    assert fragment_note(opened(tmp_path / "whole.dcm"), SOURCE) == ""
    start, end = data_of(stream)
    for name, changed in {
        "cut": stream[: (start + end) // 2] + others,
        "half": stream[: (start + end) // 2] + stream[end:] + others,
        "without its end": stream[:end] + others[:10],
    }.items():
        with pytest.raises(ProblemError):
            pixels(compressed(d, [changed], tmp_path / f"{name}.dcm", syntax))


@pytest.mark.parametrize("zeros", [5, 8, 9, 40, 300])
@pytest.mark.parametrize("form", [n for n in FORMS if n.startswith("lossless")])
def test_zero_bytes_before_the_end_of_a_lossless_jpeg_are_no_damage(form: str, zeros: int) -> None:
    _, encode, values = FORMS[form]
    stream = bytes(encode(values))
    filled = stream[:-2] + bytes(zeros) + stream[-2:]
    assert ends_with(filled, jpeg_parts(filled), values)
    assert jpeg_with_proof(filled, jpeg_info(filled))[1]
    for n in (300, 600, 1000):
        lost = stream[: -2 - n] + bytes(n + zeros) + stream[-2:]
        found, whole = jpeg_with_proof(lost, jpeg_info(lost))
        assert not whole or np.array_equal(found, values), "zeros that were there before"


def dense(side: int) -> bytes:
    """A restart marker after every block of 8 x 8."""
    y, x = np.mgrid[:side, :side]
    values = (128 + 60 * np.sin(x / 11) * np.cos(y / 13) + _RNG.normal(0, 6, (side, side))).astype(np.uint8)
    parts = []
    for n in range(side * side // 64):
        row, column = divmod(n, side // 8)
        block = np.ascontiguousarray(values[8 * row : 8 * row + 8, 8 * column : 8 * column + 8])
        one = bytes(imagecodecs.jpeg8_encode(block, level=90))
        start, end = data_of(one)
        parts.append(one[start:end] + bytes((0xFF, 0xD0 + n % 8)))
    sof, sos = one.index(b"\xff\xc0"), one.index(b"\xff\xda")
    size = side.to_bytes(2, "big") * 2
    head = one[: sof + 5] + size + one[sof + 9 : sos] + b"\xff\xdd\x00\x04\x00\x01" + one[sos:start]
    return head + b"".join(parts)[:-2] + b"\xff\xd9"


def test_dense_restarts_are_proven_by_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = dense(320)
    decoded: list[int] = []
    own = imagecodecs_adapter.jpeg
    monkeypatch.setattr(imagecodecs_adapter, "jpeg", lambda s, info: (decoded.append(len(s)), own(s, info))[1])
    values, whole = jpeg_with_proof(stream, jpeg_info(stream))
    assert whole
    assert values.shape == (320, 320)
    assert 512 <= len(decoded) < 700, "of 1600 intervals"
    start, end = data_of(stream)
    middle = (start + end) // 2
    for changed in (
        stream[:middle] + stream[middle + 300 :],
        stream[:middle] + bytes(512) + stream[middle + 512 :],
        stream[: end - 20] + stream[end:],
        stream[:start] + stream[start + 12 :],
    ):
        assert not jpeg_with_proof(changed, jpeg_info(changed))[1]


def test_no_whole_stream_is_refused() -> None:
    """Sizes, contents and qualities at random: what decoders open and is whole stays open."""
    rng = np.random.default_rng(77)
    for _ in range(250):
        rows, columns = (int(n) for n in rng.integers(1, 90, 2))
        y, x = np.mgrid[:rows, :columns]
        values = (
            np.zeros((rows, columns)),
            np.full((rows, columns), 128.0),
            x * 255.0 / max(columns - 1, 1),
            rng.integers(0, 256, (rows, columns)).astype(float),
            np.where(y < rows // 2, rng.integers(0, 256, (rows, columns)), 0),
        )[int(rng.integers(5))].astype(np.uint8)
        if rng.random() < 0.5:
            predictor = int(rng.integers(1, 8))
            stream = imagecodecs.jpeg8_encode(values, lossless=True, predictor=predictor)
        else:
            colour = bool(rng.random() < 0.5)
            values = np.stack([values, values // 2, 255 - values], -1) if colour else values
            subsampling = str(rng.choice(["444", "422", "420"])) if colour else None
            stream = imagecodecs.jpeg8_encode(values, level=int(rng.integers(5, 100)), subsampling=subsampling)
        found, whole = jpeg_with_proof(stream, jpeg_info(stream))
        assert whole, (values.shape, len(stream))
        assert found.shape == values.shape
