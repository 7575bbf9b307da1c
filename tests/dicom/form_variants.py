"""Every pixel form and every oddity of a file that can be made here, with the stored values that it holds.

Lossless ones carry their values, so no decoder has to be trusted: what was put in must come out, or a reason.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt

from tests.dicom import raw_files as raw
from tests.dicom.raw_files import BIG, DEFLATED, EXPLICIT, IMPLICIT, Form

Array = npt.NDArray[Any]
RLE, SYNTAX = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4."


@dataclass(frozen=True)
class Variant:
    name: str
    data: bytes
    truth: Array | None = None
    """Stored values (frames, rows, columns[, samples]); None where the file must be refused."""
    tolerance: float = 0.0
    """Mean difference that a lossy codec may have."""
    state: str = ""
    """What the file must be told as, where that is certain: exact, repaired, refused."""
    reason: str = ""
    """Part of the message id of the repair or the refusal."""


def values_of(form: Form, seed: int = 0) -> Array:
    """Numbers over the whole range that the header allows, all bits used."""
    rng = np.random.default_rng([seed, form.stored, form.signed, form.rows, form.columns])
    shape = (form.frames, form.rows, form.columns) + ((form.samples,) if form.samples > 1 else ())
    low, high = (-(1 << (form.stored - 1)), 1 << (form.stored - 1)) if form.signed else (0, 1 << form.stored)
    kind = "i8" if form.signed or form.stored < 64 else "u8"
    found = rng.integers(low, high, shape, dtype=kind)
    found.ravel()[0], found.ravel()[-1] = low, high - 1
    width = 8 if form.allocated <= 8 else form.allocated if form.allocated % 16 == 0 else 16
    return found.astype(f"{'i' if form.signed else 'u'}{width // 8}")


def cells(values: Array, form: Form, syntax: str, vr: str, dirt: int = 0) -> bytes:
    """Native bytes as the syntax orders them; 8-bit cells in OW are swapped in pairs in big endian files."""
    if form.samples > 1 and form.planar:
        values = np.ascontiguousarray(np.moveaxis(values, -1, 1))
    found = raw.packed(values, form, ">" if syntax == BIG else "<", dirt)
    if syntax == BIG and vr == "OW" and form.allocated == 8:
        found = found + b"\0" * (len(found) % 2)
        found = np.frombuffer(found, np.uint8).reshape(-1, 2)[:, ::-1].tobytes()
    return found


DEPTHS = ((8, 8, 7), (8, 5, 4), (8, 6, 7), (16, 16, 15), (16, 12, 11), (16, 12, 15), (16, 10, 11), (16, 9, 8), (16, 8, 7))
WIDE = ((32, 32, 31), (32, 24, 23), (32, 17, 31))


def native_forms() -> Iterator[Variant]:
    """Syntax x depth x sign x frames x dirt, grey; odd sizes."""
    for syntax, (allocated, stored, high), signed, frames in itertools.product(
        (IMPLICIT, EXPLICIT, BIG, DEFLATED), DEPTHS + WIDE, (False, True), (1, 3)
    ):
        form = Form(3, 5, frames, 1, "MONOCHROME2", allocated, stored, high, signed)
        values = values_of(form)
        for vr, dirt in itertools.product(("OB", "OW") if allocated == 8 and syntax != IMPLICIT else ("OW",), (0, ~0)):
            name = (
                f"native {syntax[17:]} {allocated}/{stored}/{high} {'signed' if signed else ''} {frames}f {vr} dirt {dirt}"
            )
            yield Variant(name, raw.native(form, cells(values, form, syntax, vr, dirt), syntax, vr), values, state="exact")


def native_colour() -> Iterator[Variant]:
    """Three and four samples, planar 0 and 1, 8 and 16 bits, one and two frames."""
    for syntax, planar, (allocated, stored), frames, kind in itertools.product(
        (IMPLICIT, EXPLICIT, BIG), (0, 1), ((8, 8), (16, 16), (16, 12)), (1, 2), ("RGB", "YBR_FULL")
    ):
        form = Form(3, 5, frames, 3, kind, allocated, stored, planar=planar)
        values = values_of(form)
        for vr in ("OB", "OW") if allocated == 8 and syntax != IMPLICIT else ("OW",):
            name = f"colour {syntax[17:]} planar {planar} {stored} {frames}f {kind} {vr}"
            yield Variant(name, raw.native(form, cells(values, form, syntax, vr), syntax, vr), values, state="exact")


def subsampled() -> Iterator[Variant]:
    """Y0 Y1 Cb Cr, even and odd widths, one and two frames."""
    for columns, frames, kind in itertools.product((4, 5), (1, 2), ("YBR_FULL_422", "YBR_PARTIAL_422")):
        pairs = (columns + 1) // 2
        groups = np.random.default_rng(columns).integers(16, 230, (frames, 3, pairs, 4), dtype=np.uint8)
        luma = groups[..., :2].reshape(frames, 3, pairs * 2)[..., :columns]
        chroma = np.repeat(groups[..., 2:], 2, axis=2)[:, :, :columns]
        truth = np.concatenate([luma[..., None], chroma], axis=-1)
        form = Form(3, columns, frames, 3, kind, 8, 8)
        yield Variant(f"{kind} {columns} wide {frames}f", raw.native(form, groups.tobytes()), truth, state="exact")


def single_bits() -> Iterator[Variant]:
    """Bits that run across frames, in every syntax and both representations."""
    for syntax, vr, (rows, columns, frames) in itertools.product(
        (IMPLICIT, EXPLICIT, BIG, DEFLATED), ("OB", "OW"), ((3, 5, 1), (3, 5, 3), (5, 7, 4), (8, 16, 2), (1, 1, 9))
    ):
        if syntax == IMPLICIT and vr == "OB":
            continue
        form = Form(rows, columns, frames, 1, "MONOCHROME2", 1, 1)
        values = np.random.default_rng(rows).integers(0, 2, (frames, rows, columns), dtype=np.uint8)
        found = raw.even(np.packbits(values.ravel(), bitorder="little").tobytes())
        if syntax == BIG and vr == "OW":
            found = np.frombuffer(found, np.uint8).reshape(-1, 2)[:, ::-1].tobytes()
        name = f"bits {syntax[17:]} {vr} {rows}x{columns} {frames}f"
        yield Variant(name, raw.native(form, found, syntax, vr), values, state="exact")


def floats() -> Iterator[Variant]:
    for syntax, (tag, vr, kind), frames in itertools.product(
        (IMPLICIT, EXPLICIT, BIG, DEFLATED), ((0x7FE00008, "OF", "f4"), (0x7FE00009, "OD", "f8")), (1, 2)
    ):
        form = Form(3, 5, frames, 1, "MONOCHROME2", int(kind[1]) * 8, 0, pixel_tag=tag)
        values = np.random.default_rng(3).normal(size=(frames, 3, 5)).astype(kind)
        values[0, 0, :3] = np.nan, np.inf, -0.0
        found = values.astype((">" if syntax == BIG else "<") + kind).tobytes()
        order = ">" if syntax == BIG else "<"
        data = raw.body([*raw.header(form, order), (tag, vr, found)], syntax)
        yield Variant(f"float {syntax[17:]} {kind} {frames}f", raw.whole(data, syntax), values, state="exact")


def rle_frame(frame: Array, runs: bool = False) -> bytes:
    """PackBits planes, most significant byte first, each of even length."""
    planes = [frame[..., n] for n in range(frame.shape[-1])] if frame.ndim == 3 else [frame]
    segments = []
    for plane in planes:
        octets = np.ascontiguousarray(plane)[..., None].view(np.uint8).reshape(-1, plane.dtype.itemsize)
        for n in reversed(range(plane.dtype.itemsize)):
            flat, out = octets[:, n].tobytes(), b""
            for i in range(0, len(flat), 100):
                part = flat[i : i + 100]
                # No-operation bytes (128) may stand between runs (PS3.5 G.3.2).
                out += (b"\x80" if runs else b"") + bytes([len(part) - 1]) + part
            segments.append(raw.even(out))
    offsets = [64 + sum(map(len, segments[:n])) for n in range(len(segments))]
    return struct.pack("<16I", len(segments), *offsets, *[0] * (15 - len(offsets))) + b"".join(segments)


def _cells(values: Array, form: Form) -> Array:
    """As they lie in the file: shifted to the high bit, the unused ones full."""
    return np.frombuffer(raw.packed(values, form, dirt=~0), f"<u{form.allocated // 8}").reshape(values.shape)


def _jpegls(values: Array, form: Form) -> bytes:
    return bytes(imagecodecs.jpegls_encode(values))


def _lossless(predictor: int) -> Callable[[Array, Form], bytes]:
    def encode(values: Array, form: Form) -> bytes:
        plain = values.view(f"u{values.dtype.itemsize}")
        mask = np.array((1 << form.stored) - 1, plain.dtype)
        space = "rgb" if form.samples == 3 else None
        bits = max(form.stored, 2)
        return bytes(
            imagecodecs.jpeg8_encode(
                plain & mask, lossless=True, predictor=predictor, bitspersample=bits, colorspace=space, outcolorspace=space
            )
        )

    return encode


def _j2k(**options: Any) -> Callable[[Array, Form], bytes]:
    def encode(values: Array, form: Form) -> bytes:
        found = {"codecformat": "j2k", "reversible": True, "level": 0, "bitspersample": form.stored, **options}
        return bytes(imagecodecs.jpeg2k_encode(values, **found))

    return encode


def _htj2k(**options: Any) -> Callable[[Array, Form], bytes]:
    return lambda values, form: bytes(imagecodecs.htj2k_encode(values, reversible=True, **options))


def _plain(values: Array, form: Form) -> bytes:
    return raw.packed(values, form)


def _deflated(values: Array, form: Form) -> bytes:
    machine = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return machine.compress(raw.packed(values, form)) + machine.flush()


Encoder = Callable[[Array, Form], bytes]
GREY = ((8, 8, False), (16, 16, False), (16, 12, False), (16, 10, False), (16, 16, True), (16, 12, True), (8, 8, True))
LOSSLESS: tuple[tuple[str, str, Encoder, str], ...] = (
    ("rle", RLE, lambda v, f: rle_frame(_cells(v, f)), "gswc"),
    ("rle with pauses", RLE, lambda v, f: rle_frame(_cells(v, f), True), "gswc"),
    *((f"jpeg lossless {p}", SYNTAX + "57", _lossless(p), "gsc" if p in (1, 7) else "g") for p in range(1, 8)),
    ("jpeg lossless first", SYNTAX + "70", _lossless(1), "gsc"),
    ("jpeg-ls", SYNTAX + "80", _jpegls, "gc"),
    ("jpeg 2000", SYNTAX + "90", _j2k(), "gsc"),
    ("jpeg 2000 without mct", SYNTAX + "90", _j2k(mct=False), "c"),
    ("jpeg 2000 in jp2", SYNTAX + "90", _j2k(codecformat="jp2"), "gsc"),
    ("jpeg 2000 of one resolution", SYNTAX + "90", _j2k(resolutions=1), "g"),
    ("jpeg 2000, lossless under .91", SYNTAX + "91", _j2k(), "g"),
    ("htj2k", SYNTAX + "201", _htj2k(), "gsc"),
    ("htj2k in tiles", SYNTAX + "201", _htj2k(tile=(16, 16)), "g"),
    ("htj2k rpcl", SYNTAX + "202", _htj2k(), "g"),
    ("jpeg xl", SYNTAX + "110", lambda v, f: bytes(imagecodecs.jpegxl_encode(v, lossless=True)), "gc"),
    ("uncompressed in fragments", "1.2.840.10008.1.2.1.98", _plain, "gswc"),
    ("deflated frames", "1.2.840.10008.1.2.8.1", _deflated, "gswc"),
)
"""Name, transfer syntax, encoder, and what it takes: grey, signed, wide (32 bits), colour."""


def forms_for(kinds: str) -> Iterator[Form]:
    for frames in (1, 2):
        for allocated, stored, signed in GREY:
            if "g" in kinds and (not signed or "s" in kinds):
                yield Form(19, 23, frames, 1, "MONOCHROME2", allocated, stored, None, signed)
        if "w" in kinds:
            for signed in (False, True):
                yield Form(19, 23, frames, 1, "MONOCHROME2", 16, 12, 15, signed)
                yield Form(19, 23, frames, 1, "MONOCHROME2", 16, 10, 11, signed)
            yield Form(19, 23, frames, 1, "MONOCHROME2", 32, 32)
            yield Form(19, 23, frames, 1, "MONOCHROME2", 32, 32, None, True)
        if "c" in kinds:
            for planar in (0, 1):
                yield Form(19, 23, frames, 3, "RGB", 8, 8, planar=planar)
            yield Form(19, 23, frames, 3, "RGB", 16, 16)


def encoded_forms() -> Iterator[Variant]:
    for name, syntax, encode, kinds in LOSSLESS:
        for form in forms_for(kinds):
            values = values_of(form)
            if "jpeg 2000" in name and form.samples == 3 and form.allocated == 16:
                continue  # OpenJPEG's own encoder loses bits there
            told = form
            if form.samples == 3 and syntax.startswith(SYNTAX + "9") and "without" not in name:
                told = raw.changed(form, photometric="YBR_RCT")
            if name in ("uncompressed in fragments", "deflated frames") and form.planar:
                streams = [encode(np.ascontiguousarray(np.moveaxis(v, -1, 0)), form) for v in values]
            else:
                streams = [encode(v, form) for v in values]
            pieces = [[raw.even(s)] for s in streams]
            table = raw.table_of(pieces)
            value = raw.sequence_of([p[0] for p in pieces], table)
            label = f"{name} {form.samples}x{form.stored}/{form.allocated} {'signed' if form.signed else ''} {form.frames}f"
            yield Variant(f"{label} planar {form.planar}", raw.encapsulated(told, value, syntax), values, state="exact")


def lossy_forms() -> Iterator[Variant]:
    """What a lossy codec gives back lies near what went in."""
    y, x = np.mgrid[0:37, 0:43]
    grey = (np.hypot(x - 20, y - 15) * 5 % 256).astype(np.uint8)
    smooth = np.clip(np.stack([x * 5, y * 6, 250 - x * 2 - y * 3], axis=-1), 0, 255).astype(np.uint8)
    ramp = (x * 60 + y * 30).astype(np.uint16)
    ybr = (
        np.stack(
            [
                0.299 * smooth[..., 0] + 0.587 * smooth[..., 1] + 0.114 * smooth[..., 2],
                -0.168736 * smooth[..., 0] - 0.331264 * smooth[..., 1] + 0.5 * smooth[..., 2] + 128,
                0.5 * smooth[..., 0] - 0.418688 * smooth[..., 1] - 0.081312 * smooth[..., 2] + 128,
            ],
            axis=-1,
        )
        .round()
        .clip(0, 255)
        .astype(np.uint8)
    )

    def made(
        name: str, syntax: str, stream: bytes, truth: Array, photometric: str, stored: int, tolerance: float
    ) -> Variant:
        samples = 3 if truth.ndim == 3 else 1
        form = Form(37, 43, 1, samples, photometric, truth.dtype.itemsize * 8, stored)
        value = raw.sequence_of([raw.even(stream)])
        return Variant(name, raw.encapsulated(form, value, syntax), truth[None], tolerance, "exact")

    encode = imagecodecs.jpeg8_encode
    yield made("jpeg baseline", SYNTAX + "50", encode(grey, level=97), grey, "MONOCHROME2", 8, 1.5)
    yield made("jpeg extended", SYNTAX + "51", encode(ramp, level=97, bitspersample=12), ramp, "MONOCHROME2", 12, 4.0)
    for sampling in ("444", "422", "420", "411", "440"):
        stream = encode(smooth, level=97, subsampling=sampling)
        told = "YBR_FULL_422" if sampling != "444" else "YBR_FULL"
        yield made(f"jpeg colour {sampling}", SYNTAX + "50", stream, ybr, told, 8, 3.0)
    stream = encode(smooth, level=97, colorspace="rgb", outcolorspace="rgb")
    yield made("jpeg colour rgb", SYNTAX + "50", stream, smooth, "RGB", 8, 1.5)
    for lossy in (True, False):
        stream = imagecodecs.jpeg2k_encode(smooth, level=45, codecformat="j2k", reversible=not lossy, mct=True)
        yield made(f"jpeg 2000 colour {lossy}", SYNTAX + "91", stream, smooth, "YBR_ICT" if lossy else "YBR_RCT", 8, 2.0)
    stream = imagecodecs.jpeg2k_encode(ramp, level=80, codecformat="j2k", reversible=False, bitspersample=12)
    yield made("jpeg 2000 grey", SYNTAX + "91", stream, ramp, "MONOCHROME2", 12, 4.0)
    stream = imagecodecs.htj2k_encode(grey, level=0.003, reversible=False)
    yield made("htj2k grey", SYNTAX + "203", stream, grey, "MONOCHROME2", 8, 2.0)
    stream = imagecodecs.htj2k_encode(smooth, level=0.003, reversible=False)
    yield made("htj2k colour", SYNTAX + "203", stream, smooth, "YBR_ICT", 8, 2.0)
    yield made("jpeg-ls near", SYNTAX + "81", imagecodecs.jpegls_encode(grey, level=2), grey, "MONOCHROME2", 8, 2.0)
    yield made("jpeg xl", SYNTAX + "112", imagecodecs.jpegxl_encode(smooth, distance=0.5), smooth, "XYB", 8, 3.0)


FORM = Form(19, 23, 3, 1, "MONOCHROME2", 16, 12)


def fragments() -> Iterator[Variant]:
    """Ways to cut three frames into fragments and to tell of it, right and wrong."""
    values = values_of(FORM)
    one, first = raw.changed(FORM, frames=1), values[:1]
    syntax = SYNTAX + "80"
    streams = [bytes(imagecodecs.jpegls_encode(v)) for v in values]
    whole = [[raw.even(s)] for s in streams]
    halves = [[raw.even(s)[:100], raw.even(s)[100:]] for s in streams]
    flat, flat_halves = [p for f in whole for p in f], [p for f in halves for p in f]

    def file(value: bytes, form: Form = FORM, **options: Any) -> bytes:
        return raw.encapsulated(form, value, syntax, **options)

    def long_table(frames: Sequence[Sequence[bytes]], shift: int = 0) -> tuple[raw.Element, raw.Element]:
        starts = struct.unpack(f"<{len(frames)}I", raw.table_of(frames))
        lengths = [sum(map(len, f)) for f in frames]
        return (
            (0x7FE00001, "OV", struct.pack(f"<{len(frames)}Q", *(s + shift for s in starts))),
            (0x7FE00002, "OV", struct.pack(f"<{len(frames)}Q", *lengths)),
        )

    yes = "exact"
    yield Variant("table", file(raw.sequence_of(flat, raw.table_of(whole))), values, state=yes)
    yield Variant("empty table", file(raw.sequence_of(flat)), values, state=yes)
    yield Variant("halves, table", file(raw.sequence_of(flat_halves, raw.table_of(halves))), values, state=yes)
    yield Variant("halves, empty table", file(raw.sequence_of(flat_halves)), values, state=yes)
    yield Variant("no table item", file(raw.sequence_of(flat, None)), values, state="repaired", reason="offset_table")
    yield Variant(
        "halves, no table item", file(raw.sequence_of(flat_halves, None)), values, state="repaired", reason="offset_table"
    )
    for shift in (4, 8, 20, 1 << 20):
        found = raw.sequence_of(flat, raw.table_of(whole, shift))
        yield Variant(f"table off by {shift}", file(found), values, state="repaired", reason="offset_table")
        found = raw.sequence_of(flat_halves, raw.table_of(halves, shift))
        yield Variant(f"halves, table off by {shift}", file(found), values, state="repaired", reason="offset_table")
    for name, table in (
        ("of one", raw.table_of(whole)[:4]),
        ("of zeros", bytes(12)),
        ("of seven bytes", raw.table_of(whole)[:7]),
        ("too long", raw.table_of(whole) + struct.pack("<I", 1 << 30)),
        ("backwards", raw.table_of(whole)[8:] + raw.table_of(whole)[:8]),
    ):
        yield Variant(f"table {name}", file(raw.sequence_of(flat, table)), values, state="repaired", reason="offset_table")
    yield Variant("long table", file(raw.sequence_of(flat), extra=long_table(whole)), values, state=yes)
    yield Variant("long table, halves", file(raw.sequence_of(flat_halves), extra=long_table(halves)), values, state=yes)
    found = file(raw.sequence_of(flat), extra=long_table(whole, 2))
    yield Variant("long table that lies", found, values, state="repaired", reason="offset_table")
    found = file(raw.sequence_of(flat), extra=long_table(whole[:2]))
    yield Variant("long table too short", found, values, state="repaired", reason="offset_table")
    odd = [s if len(s) % 2 else s + b"\0" for s in streams]
    yield Variant("odd fragments", file(raw.sequence_of(odd)), values)
    yield Variant(
        "odd pieces",
        file(raw.sequence_of([raw.even(s)[:33] for s in streams[:1]] + [raw.even(streams[0])[33:]]), one),
        first,
    )
    yield Variant("single bytes", file(raw.sequence_of([bytes([b]) for b in raw.even(streams[0])]), one), first)
    yield Variant("empty fragment first", file(raw.sequence_of([b"", raw.even(streams[0])]), one), first)
    yield Variant("empty fragment last", file(raw.sequence_of([raw.even(streams[0]), b""]), one), first)
    yield Variant("empty fragments between", file(raw.sequence_of([p for f in flat for p in (f, b"")])), values)
    yield Variant("padded fragments", file(raw.sequence_of([f + bytes(64) for f in flat])), values)
    yield Variant(
        "padded by one byte of anything",
        file(raw.sequence_of([s if len(s) % 2 == 0 else s + b"_" for s in streams])),
        values,
    )
    yield Variant("padded by ones", file(raw.sequence_of([f + b"\xff" * 64 for f in flat])), values)
    yield Variant("no end", file(raw.sequence_of(flat, b"", b"")), values, state="repaired", reason="sequence_end")
    yield Variant("end with a length", file(raw.sequence_of(flat, b"", raw.delimiter(length=8))), values)
    yield Variant("bytes after the end", file(raw.sequence_of(flat), after=bytes(512)), values)
    yield Variant("noise after the end", file(raw.sequence_of(flat), after=b"\x17\xee" * 99), values)
    padding = raw.element(0xFFFCFFFC, "OB", bytes(200))
    yield Variant("data set padding", file(raw.sequence_of(flat), after=padding), values, state=yes)
    yield Variant(
        "one frame too many", file(raw.sequence_of([*flat, flat[0]])), values, state="repaired", reason="more_frames"
    )
    yield Variant("one frame too few", file(raw.sequence_of(flat[:2])), None, state="refused")
    yield Variant("frames in one fragment", file(raw.sequence_of([b"".join(flat)])), None, state="refused")
    stated = file(raw.sequence_of(flat), length=len(raw.sequence_of(flat)))
    yield Variant("encapsulated with a length", stated, values, state="repaired", reason="structure")
    yield Variant("cut in the last frame", file(raw.sequence_of(flat, b"", b""))[:-60], None, reason="truncated")
    plain = [raw.packed(v, FORM) for v in values]
    for lost in (1, 2, 4, 7, 8):
        # The last fragment then reaches into the end mark.
        holed = raw.encapsulated(FORM, raw.sequence_of(plain), "1.2.840.10008.1.2.1.98")
        holed = holed[:-40] + holed[-40 + lost :]
        yield Variant(f"{lost} bytes lost in the last frame", holed, None, state="refused", reason="truncated")
    yield Variant("nothing in it", file(raw.sequence_of([])), None, state="refused")
    run = [rle_frame(v) for v in values]
    for name, table in (("empty", b""), ("right", raw.table_of([[r] for r in run]))):
        yield Variant(f"rle, table {name}", raw.encapsulated(FORM, raw.sequence_of(run, table), RLE), values, state=yes)
    pieces = raw.sequence_of([run[0][:70], run[0][70:]])
    yield Variant("rle in two fragments", raw.encapsulated(one, pieces, RLE), first)


def structures() -> Iterator[Variant]:
    """Odd but readable files around plain pixels."""
    form = Form(3, 5, 1, 1, "MONOCHROME2", 16, 12)
    values = values_of(form)
    pixels = raw.packed(values, form)
    head, pixel = raw.header(form), (0x7FE00010, "OW", pixels)
    data = raw.body([*head, pixel], EXPLICIT)
    plain = raw.body([*head, pixel], IMPLICIT)
    big = raw.body([*raw.header(form, ">"), (0x7FE00010, "OW", raw.packed(values, form, ">"))], BIG)

    def made(name: str, found: bytes, state: str = "", reason: str = "") -> Variant:
        return Variant(name, found, values, state=state, reason=reason)

    def extra(*more: raw.Element, syntax: str = EXPLICIT) -> bytes:
        return raw.whole(raw.body(raw.with_extra([*head, pixel], *more), syntax), syntax)

    for shift in (-20, -2, 2, 400, 1 << 30):
        length = len(raw.meta(EXPLICIT)) - 12 + shift
        yield made(f"meta length off by {shift}", raw.whole(data, EXPLICIT, raw.meta(EXPLICIT, length)))
    yield made("no meta length", raw.whole(data, EXPLICIT, raw.meta(EXPLICIT, group_length=False)))
    yield made("no meta at all", raw.whole(data, EXPLICIT, b""), "repaired")
    yield made("no meta at all, implicit", raw.whole(plain, IMPLICIT, b""), "repaired")
    yield made("no meta at all, big endian", raw.whole(big, BIG, b""), "repaired")
    yield made("no preamble", raw.meta(EXPLICIT) + data)
    yield Variant("no preamble, DICM first", b"DICM" + raw.meta(EXPLICIT) + data, None, state="refused")
    for name, bare in (("explicit", data), ("implicit", plain), ("big endian", big)):
        yield made(f"bare {name}", bare, "repaired")
    yield made("implicit told as explicit", raw.whole(plain, EXPLICIT), "repaired")
    yield made("explicit told as implicit", raw.whole(data, IMPLICIT), "repaired")
    yield made("big endian told as little", raw.whole(big, EXPLICIT), "repaired")
    yield made("little endian told as big", raw.whole(data, BIG), "repaired")
    for name, tail in (("zeros", bytes(300)), ("one zero", b"\0"), ("noise", b"\x5a\xa5" * 77)):
        yield made(f"{name} at the end", raw.whole(data, EXPLICIT) + tail)
    deflated = raw.deflate(data)
    yield made("deflated", raw.whole(b"", EXPLICIT, raw.meta(DEFLATED)) + deflated, "exact")
    yield made("deflated with garbage", raw.whole(b"", EXPLICIT, raw.meta(DEFLATED)) + deflated + b"\x13\x37" * 40)
    yield made("deflated by zlib", raw.whole(b"", EXPLICIT, raw.meta(DEFLATED)) + zlib.compress(data))
    cut = raw.whole(b"", EXPLICIT, raw.meta(DEFLATED)) + deflated[: len(deflated) // 2]
    yield Variant("deflated and cut", cut, None, state="refused")
    yield made("told as deflated, is not", raw.whole(b"", EXPLICIT, raw.meta(DEFLATED)) + data)
    for vr, value in (("UL", struct.pack("<I", 3)), ("SS", b"\3\0"), ("UN", b"\3\0")):
        yield made(f"Rows as {vr}", extra((0x00280010, vr, value)))
    for vr in ("UN", "OB"):
        yield made(f"pixels as {vr}", extra((0x7FE00010, vr, pixels)))
    for name, found in (
        ("Rows as text", extra((0x00280010, "IS", b"3 "))),
        ("Rows twice", extra((0x00280010, "US", b"\3\0\3\0"))),
        ("pixels as US", extra((0x7FE00010, "US", pixels))),
    ):
        yield Variant(name, found, None, state="refused")
    later = data.replace(b"\x08\x00\x60\x00CS\2\0", b"\x08\x00\x60\x00ZZ\0\0\2\0\0\0")
    yield made("representation of a later edition", raw.whole(later, EXPLICIT), "repaired", "structure")
    wrong = data.replace(b"\x08\x00\x60\x00CS", b"\x08\x00\x60\x00??")
    yield made("unknown representation", raw.whole(wrong, EXPLICIT), "repaired", "structure")
    blank = data.replace(b"\x08\x00\x60\x00CS", b"\x08\x00\x60\x00\0\0")
    yield made("zero representation", raw.whole(blank, EXPLICIT), "repaired", "structure")
    yield made("odd value", extra((0x00104000, "LT", b"odd")))
    yield made("group lengths", extra((0x00080000, "UL", struct.pack("<I", 7)), (0x00280000, "UL", bytes(4))))
    yield made("command group first", extra((0x00000002, "UI", raw.CAPTURE)))
    yield made("private of an unknown kind", extra((0x00091001, "UN", bytes(31))))
    inner = raw.body([(0x00080100, "SH", b"A "), (0x00080104, "LO", b"word")], EXPLICIT)
    deep_open = raw.element(0x00081140, "SQ", raw.item(inner, False) + raw.delimiter(), length=raw.UNDEFINED)
    for name, content in (
        ("empty", b""),
        ("one item", raw.item(inner)),
        ("open items", raw.item(inner, False) * 2),
        ("nested", raw.item(raw.element(0x00081140, "SQ", raw.item(inner, False)), False)),
        ("nested and open", raw.item(deep_open, False)),
    ):
        for tag, vr in ((0x00081115, "SQ"), (0x00091010, "SQ"), (0x00400555, "SQ")):
            yield made(f"sequence {name} {tag:08x}", extra((tag, vr, content)))
            head_of = raw.element(tag, vr, content + raw.delimiter(), length=raw.UNDEFINED)
            where = data.find(raw.tag_bytes(0x00280002)) if tag < 0x00280000 else data.find(raw.tag_bytes(0x7FE00010))
            yield made(f"open sequence {name} {tag:08x}", raw.whole(data[:where] + head_of + data[where:], EXPLICIT))
    where = data.find(raw.tag_bytes(0x00280002))
    unknown = raw.body([(0x00080100, "SH", b"A ")], IMPLICIT)
    for defined in (True, False):
        value = raw.item(unknown, defined) + raw.delimiter()
        found = raw.element(0x00091011, "UN", value, length=raw.UNDEFINED)
        yield made(f"unknown open sequence {defined}", raw.whole(data[:where] + found + data[where:], EXPLICIT))
    icon = [
        (0x00280010, "US", b"\1\0"),
        (0x00280011, "US", b"\2\0"),
        (0x00280100, "US", b"\x08\0"),
        (0x7FE00010, "OB", b"\1\2"),
    ]
    small = raw.body(icon, EXPLICIT)
    jpeg = raw.sequence_of([raw.even(bytes(imagecodecs.jpeg8_encode(np.zeros((8, 8), np.uint8))))])
    packed_icon = raw.body(icon[:3], EXPLICIT) + raw.element(0x7FE00010, "OB", jpeg, length=raw.UNDEFINED)
    for name, content in (("plain", small), ("compressed", packed_icon)):
        for defined in (True, False):
            value = raw.item(content, defined)
            where = data.find(raw.tag_bytes(0x7FE00010))
            for sequence_defined in (True, False):
                found = (
                    raw.element(0x00880200, "SQ", value)
                    if sequence_defined
                    else raw.element(0x00880200, "SQ", value + raw.delimiter(), length=raw.UNDEFINED)
                )
                label = f"icon {name}, item {defined}, sequence {sequence_defined}"
                yield made(label, raw.whole(data[:where] + found + data[where:], EXPLICIT))
    after = raw.element(0xFFFCFFFC, "OB", bytes(64))
    yield made("padding after the pixels", raw.whole(data + after, EXPLICIT), "exact")
    yield made(
        "a signature sequence after the pixels", raw.whole(data + raw.element(0xFFFAFFFA, "SQ", raw.item(inner)), EXPLICIT)
    )
    yield made("pixels with bytes too many", extra((0x7FE00010, "OW", pixels + bytes(10))))
    yield Variant("pixels short", extra((0x7FE00010, "OW", pixels[:-2])), None, state="refused", reason="pixels_short")
    yield Variant("pixels cut", raw.whole(data, EXPLICIT)[:-2], None, state="refused", reason="truncated")
    undefined = raw.body(head, EXPLICIT) + raw.element(0x7FE00010, "OW", pixels, length=raw.UNDEFINED)
    yield Variant("native of undefined length", raw.whole(undefined, EXPLICIT), None)
    for tag, name in ((0x00280010, "rows"), (0x00280100, "bits")):
        found = raw.body([e for e in [*head, pixel] if e[0] != tag], EXPLICIT)
        yield Variant(f"without {name}", raw.whole(found, EXPLICIT), None, state="refused")
    shuffled = raw.body([*head[::-1], pixel], EXPLICIT)
    yield made("elements out of order", raw.whole(shuffled, EXPLICIT))


def all_variants() -> Iterator[Variant]:
    for family in (
        native_forms, native_colour, subsampled, single_bits, floats, encoded_forms, lossy_forms, fragments, structures,
    ):  # fmt: skip
        yield from family()
