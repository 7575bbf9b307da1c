"""Arithmetic JPEG (.52, .54, .56): the pixels are those of the Huffman stream of the same coefficients, 8 and 12 bits.

Streams of libjpeg-turbo's ``cjpeg -arithmetic [-progressive] -quality 75`` on the two pictures below, colour as 4:2:0.
"""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from app.domain.problem import ProblemError
from tests.dicom.builders import compressed, image
from tests.dicom.test_frame_decoder import pixels

GREY = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PT"
    "gyPC4zNDL/yQALCAAoADgBAREA/8wABgAQEAX/2gAIAQEAAD8A0qK7F3EnfR+sN2AfUujzNgeTm3QSxzgZrO75qeI4bPmRFxi1OTAxZ5Pnd3h9"
    "gjv9fbHKpaXgp11DXhbrJj2WvjDvO3zc4fZNU4lZABPLSuRhk/BjxHvEVsPxjhwFMXx5gNSaCKxOpNB4IGH5Fr/gAFpQ+twMKyYoif3h9D1eTD"
    "f04YMMn1L7EhxJtYiEYOx7WUNANCnRRK9FOmh4yWvKmF0NtB7/AAU73UHhrqIFVgBpJPh0wf/Z"
)
GREY_PROGRESSIVE = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PT"
    "gyPC4zNDL/ygALCAAoADgBAREA/8wABAAQ/9oACAEBAAAAAdJHTobC2nHcaqna4dMJLsQrAJESw8mXzQSXn3oA329A/8wABBAF/9oACAEBAAEF"
    "AhVM0Rsu8WqFAuvphCkkzsdz2ecqvjviAIpaQrhyyDIN+Hh92UOjyeh7TVb2q2qpUqD/zAAEEAX/2gAIAQEABj8CsP/MAAQQBf/aAAgBAQABPy"
    "HbEAdQxHVxkCvBPR/yj12/1+7s278Mqw3/2gAIAQEAAAAQ6kBbKfD/zAAEEAX/2gAIAQEAAT8Q6a5qNjPNzSDBlfZEaRz2IAqovatuOOJpaq2o"
    "BxWsCdTHh4khftioyP/Z"
)
COLOUR = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PT"
    "gyPC4zNDL/2wBDAQkJCQwLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjL/yQARCAAo"
    "ADgDASIAAhEBAxEB/8wACgAQEAUBEBEF/9oADAMBAAIRAxEAPwD7wkGNo0mtZ+iH8bvNNF94Ej2v6ixYubqRy1vlhsvoNZorQC3+B2n+HIYH5k"
    "mQoQwMGfXXVv8AIF+P8IoEfGj9HMB4yUG4/GKGxZyWoO3yvE2GlRq/tK/sCy/IA4lOt7ZnIKwflOotRMzU7A1x/j4Oro2IKSqX/wDYmsy7YY3+"
    "WMqz7AuT48VImgC1lLkNyvBAHxbayS2bpkvmaAxyMehlt1B7XqCPRcuIKfMuoy9nw4tCUvJnsF+o37gEco7a5ICyhcjsypvwfCbQTices5/Sch"
    "kItETGzho4ygnw8C9eWMFYAqo6Nenx33dO477qa40aHQG/hGu2eYv/2Q=="
)
COLOUR_PROGRESSIVE = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PT"
    "gyPC4zNDL/2wBDAQkJCQwLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjL/ygARCAAo"
    "ADgDASIAAhEBAxEB/8wABgAQARD/2gAMAwEAAhADEAAAAfZ63BF+CTrZLWT9ea+dzOhYYH/zxJAD0jjMCyPp1DWz/DLfohmol2IYVTTubUAh69"
    "h+sYw0H1D/zAAEEAX/2gAIAQEAAQUCF6UkZ3VhAAL/AOk7oCY3wwjKGO+52DEqZR4PC/xAZnD/zAAEEQX/2gAIAQMBAT8BhCLCdjzaGGFILwnZ"
    "k79Fu+DeZdj/zAAEEQX/2gAIAQIBAT8BKOMznxtWjdsbWO6O9S2oAXgdYB2qtSwxP63NPOcsQP/MAAQQBf/aAAgBAQAGPwKw/8wABBAF/9oACA"
    "EBAAE/IbgsFH4yZ6/I34ndgXmfcAWbfIuw/9oADAMBAAIAAwAAABA1wQ+rLOH6Z3X/zAAEEQX/2gAIAQMBAT8Q2EqH2a2Z2K12qpRDQP/MAAQR"
    "Bf/aAAgBAgEBPxDTHwBnt/j9eYwGdE9Kt4m//8wABBAF/9oACAEBAAE/ENq+3lnE2xUK4ybvvnSv4QmIA7KidxpdG7NRt/aBX8zV9C33ypP/2Q"
    "=="
)

_Y, _X = np.mgrid[:40, :56]
PICTURE = np.clip(128 + 70 * np.sin(_X / 5) + 50 * np.cos(_Y / 4), 0, 255).astype(np.uint8)
PHOTO = np.stack([PICTURE, PICTURE // 2, 255 - PICTURE], -1)
HUFFMAN = {
    2: imagecodecs.jpeg8_encode(PICTURE, level=75),
    3: imagecodecs.jpeg8_encode(PHOTO, level=75, subsampling="420"),
}
STREAMS = {"52": (GREY, COLOUR), "54": (GREY_PROGRESSIVE, COLOUR_PROGRESSIVE), "56": (GREY_PROGRESSIVE, COLOUR_PROGRESSIVE)}


def decoded(stream: bytes, values: np.ndarray, path: Path, tail: str) -> np.ndarray:
    d = image(values, **({"PhotometricInterpretation": "YBR_FULL_422"} if values.ndim == 3 else {}))
    if values.dtype == np.uint16:
        d.BitsStored, d.HighBit = 12, 11
    return pixels(compressed(d, [stream], path, f"1.2.840.10008.1.2.4.{tail}"))[0]


@pytest.mark.parametrize("tail", ["52", "54", "56"])
@pytest.mark.parametrize("n", [0, 1], ids=["grey", "colour"])
def test_eight_bits(tmp_path: Path, tail: str, n: int) -> None:
    values = (PICTURE, PHOTO)[n]
    expected = decoded(HUFFMAN[values.ndim], values, tmp_path / "h.dcm", "50")
    found = decoded(STREAMS[tail][n], values, tmp_path / "a.dcm", tail)
    assert np.array_equal(found, expected)
    assert float(np.abs(found[..., 0].astype(int) - expected[..., 0]).max()) == 0
    if n == 0:
        assert int(np.abs(found.astype(int) - PICTURE).max()) <= 12


def twelve(stream: bytes) -> bytes:
    """The same coefficients under a frame header of 12 bits: coding does not depend on the precision."""
    at = next(stream.index(bytes((0xFF, m))) for m in (0xC1, 0xC0, 0xC9, 0xCA) if bytes((0xFF, m, 0)) in stream)
    marker = 0xC1 if stream[at + 1] == 0xC0 else stream[at + 1]
    return stream[: at + 1] + bytes((marker,)) + stream[at + 2 : at + 4] + b"\x0c" + stream[at + 5 :]


@pytest.mark.parametrize("tail", ["52", "56"])
def test_twelve_bits(tmp_path: Path, tail: str) -> None:
    values = PICTURE.astype(np.uint16)
    expected = decoded(twelve(HUFFMAN[2]), values, tmp_path / "h.dcm", "51")
    found = decoded(twelve(STREAMS[tail][0]), values, tmp_path / "a.dcm", tail)
    assert expected.max() > 2048
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("tail", ["52", "56"])
@pytest.mark.parametrize("n", [0, 1], ids=["grey", "colour"])
@pytest.mark.parametrize("how", ["half", "zeros"])
def test_what_is_not_whole_is_refused(tmp_path: Path, tail: str, n: int, how: str) -> None:
    stream = STREAMS[tail][n]
    start = stream.index(b"\xff\xda")
    start += 2 + int.from_bytes(stream[start + 2 : start + 4], "big")
    data = stream[start:-2]
    middle = len(data) // 2
    left = {
        "half": data[:middle],
        "zeros": data[:middle] + bytes(len(data) - middle),
    }
    with pytest.raises(ProblemError):
        decoded(stream[:start] + left[how] + b"\xff\xd9", (PICTURE, PHOTO)[n], tmp_path / "cut.dcm", tail)
