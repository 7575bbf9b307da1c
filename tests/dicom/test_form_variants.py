"""Every form and oddity of ``form_variants`` gives what was put in, or a reason."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from app.dicom.info import inspect
from tests.dicom import form_variants
from tests.dicom.form_variants import Variant

FAMILIES: tuple[Callable[[], Iterator[Variant]], ...] = (
    form_variants.native_forms,
    form_variants.native_colour,
    form_variants.subsampled,
    form_variants.single_bits,
    form_variants.floats,
    form_variants.encoded_forms,
    form_variants.lossy_forms,
    form_variants.fragments,
    form_variants.structures,
)


def fault_of(variant: Variant, path: Path) -> str:
    """Empty when the file is read as it must be."""
    from app.dicom.byte_source import FileByteSource
    from app.dicom.frame_decoder import stored_pixels
    from app.dicom.scanner import scan

    path.write_bytes(variant.data)
    (entry,) = inspect([path], pixels=True)["files"]
    told = f"{entry['state']} {entry.get('reason', '')}"
    if variant.state not in ("", entry["state"]) or variant.reason not in entry.get("reason", ""):
        return f"told as {told}"
    if variant.truth is None:
        return "" if entry["state"] == "refused" else f"opened: {told}"
    if entry["state"] == "refused":
        return told
    found = stored_pixels(scan([path]).files[0].instance, FileByteSource())
    if (found.shape, found.dtype) != (variant.truth.shape, variant.truth.dtype):
        return f"{found.shape} {found.dtype}"
    if variant.tolerance:
        apart = float(np.abs(found.astype(float) - variant.truth).mean())
        return "" if apart <= variant.tolerance else f"{apart:.2f} apart"
    return "" if np.array_equal(found, variant.truth, equal_nan=found.dtype.kind == "f") else "other values"


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.__name__)
def test_every_form_gives_what_was_put_in(family: Callable[[], Iterator[Variant]], tmp_path: Path) -> None:
    faults, count = {}, 0
    for count, variant in enumerate(family(), 1):  # noqa: B007 - counted
        fault = fault_of(variant, tmp_path / f"{count}.dcm")
        if fault:
            faults[variant.name] = fault
    assert count > 0
    assert not faults, dict(itertools.islice(faults.items(), 20))
