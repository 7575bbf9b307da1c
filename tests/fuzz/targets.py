"""The parser path that hostile bytes take: everything between a file's bytes and pixels, findings or a named refusal."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from app.dicom import tags
from app.dicom.display_sets import display_sets
from app.dicom.display_shutter import shutter_of_image
from app.dicom.documents import read_document
from app.dicom.encapsulated import extract_pdf
from app.dicom.frame_decoder import fragment_note, stored_frame
from app.dicom.frame_pixels import frame_pixels
from app.dicom.header import IsDirectory, _guarded, fetch_from_bytes, header_from_raw, is_directory
from app.dicom.instance_builder import FileHeader
from app.dicom.label_planes import LABEL_MAP, SEGMENTATION, open_label_planes
from app.dicom.mask_subtraction import steps_of
from app.dicom.media_index import listed_files
from app.dicom.parametric_map import read_heatmap
from app.dicom.picture_values import profile_of
from app.dicom.plain_pictures import decode_pages, inspect_picture, small
from app.dicom.presentation_state import read_presentation_state
from app.dicom.raw_header import FIRST_READ
from app.dicom.raw_items import RawDataset, RawFile
from app.dicom.real_world import read_real_world_values
from app.dicom.sample_export import sample_of
from app.dicom.saved_overlays import read_overlay
from app.dicom.scanner import scan
from app.dicom.segmentation import read_seg
from app.dicom.series_template import SeriesTemplates
from app.dicom.sr_reader import read_sr
from app.dicom.study_tree import StudyTree
from app.dicom.suv import suv_of
from app.dicom.tag_tree import read_tree
from app.dicom.volume_builder import build_volume
from app.domain.problem import ProblemError
from app.domain.study import Study


class BytesSource:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, locator: str) -> bytes:
        return self.data

    def read_range(self, locator: str, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]

    def plain_path(self, locator: str) -> None:
        return None


@dataclass
class Outcome:
    """What came of a case: words, and how deep it went."""

    words: list[str] = field(default_factory=list)
    depth: int = 0

    @property
    def key(self) -> str:
        return " ".join(self.words)

    @property
    def first(self) -> str:
        """How the case's own reader began; the explorer looks at everything before it."""
        return next((w for w in self.words if not w.startswith(("tree:", "sample:"))), "-")


class Mismatch(AssertionError):
    """Two ways of the same reader disagree."""


def _depth(dataset: RawDataset) -> int:
    inner = [_depth(item) for value in dataset.values.values() if isinstance(value, list) for item in value]
    return 1 + max(inner, default=0)


def _told(outcome: Outcome, step: str, call: Callable[[], object]) -> object:
    """Runs a step; a named refusal is an outcome, anything else is a finding."""
    try:
        result = call()
    except ProblemError as error:
        outcome.words.append(f"{step}:{error.problem.code}")
        return None
    except IsDirectory:
        outcome.words.append(f"{step}:directory")
        return None
    outcome.words.append(f"{step}:ok")
    return result


def header_of(data: bytes, name: str) -> tuple[RawFile, FileHeader]:
    raw = _guarded(fetch_from_bytes(data), len(data), tags.HEADER_TAGS, lambda: data)
    if is_directory(raw):
        raise IsDirectory
    return raw, header_from_raw(raw, f"object:{name}", len(data))


def walk(data: bytes, name: str, templates: SeriesTemplates | None = None, explore: bool = True) -> Outcome:
    """Header, series template, study tree, display sets, fragments, pixels, volume; ``explore``: the tag tree, a sample."""
    outcome = Outcome()
    source = BytesSource(data)
    if explore:
        fetch = fetch_from_bytes(data)
        _told(outcome, "tree", lambda: sum(1 for _ in read_tree(fetch, len(data)).walk()))
        _told(outcome, "sample", lambda: sample_of(data, noise=len(data) % 2 == 0))
    found = _told(outcome, "header", lambda: header_of(data, name))
    matched = templates.match(data[:FIRST_READ], len(data), f"object:{name}") if templates is not None else None
    if not isinstance(found, tuple):
        if matched is not None:
            raise Mismatch("a template opened what the reader refuses")
        return outcome
    raw, header = found
    outcome.depth = _depth(raw.dataset)
    if header.instance.repairs:
        outcome.words.append(",".join(sorted({p.code for p in header.instance.repairs})))
    if matched is not None:
        outcome.words.append("template")
        if repr(matched) != repr(header):
            raise Mismatch("a template and the reader disagree")
    tree = StudyTree()
    tree.add(header)
    studies: list[Study] = []
    for study in tree.studies():
        display_sets(study)
        studies.append(study)
    _told(outcome, "suv", lambda: suv_of([header.instance]))
    _told(outcome, "mask", lambda: steps_of(header.instance))
    _told(outcome, "shutter", lambda: shutter_of_image(header.instance))
    fmt = header.instance.pixel_format
    if fmt is None or not header.instance.frames:
        return outcome
    if header.instance.sop_class_uid in (SEGMENTATION, LABEL_MAP):
        _told(outcome, "labels", lambda: open_label_planes(header.instance, source).whole())
    _told(outcome, "fragments", lambda: fragment_note(header.instance, source))
    _told(outcome, "stored", lambda: stored_frame(header.instance, 0, source))
    shown = _told(outcome, "pixels", lambda: frame_pixels(header.instance, fmt.frames - 1, source))
    if shown is not None and len(header.instance.frames) > 1:
        for study in studies:
            for chosen in display_sets(study):
                _told(outcome, "volume", lambda study=study, chosen=chosen: build_volume(study, chosen, source, threads=1))
    return outcome


def _file(data: bytes, folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def directory(data: bytes, folder: Path) -> Outcome:
    outcome = Outcome()
    path = _file(data, folder, "DICOMDIR")
    listed = _told(outcome, "listed", lambda: listed_files(path))
    if listed is not None:
        outcome.depth = int(np.log2(len(listed) + 1)) if isinstance(listed, list) else 0
    return outcome


def archive(data: bytes, folder: Path) -> Outcome:
    """A ZIP through the scanner: nothing raises, every member ends somewhere."""
    outcome = Outcome()
    result = scan([_file(data, folder, "a.zip")])
    outcome.words += sorted({f"refused:{r.problem.code}" for r in result.refused}) + [f"files:{len(result.files)}"]
    return outcome


def _readers(**steps: Callable[[bytes], object]) -> Callable[[bytes, Path], Outcome]:
    def run(data: bytes, folder: Path) -> Outcome:
        del folder
        outcome = Outcome()
        for step, call in steps.items():
            _told(outcome, step, lambda call=call: call(data))  # type: ignore[misc]
        return outcome

    return run


def _picture(data: bytes) -> object:
    info = inspect_picture(data)
    return profile_of(data, info.kind), small(data, info), decode_pages(data, info)


_names = itertools.count()

READERS: dict[str, Callable[[bytes, Path], Outcome]] = {
    "sr": _readers(sr=read_sr, document=read_document),
    "seg": _readers(seg=read_seg, overlay=read_overlay),
    "map": _readers(map=read_heatmap, overlay=read_overlay, values=read_real_world_values),
    "pdf": _readers(pdf=extract_pdf, document=read_document),
    "state": _readers(state=read_presentation_state),
    "structures": _readers(overlay=read_overlay),
    "curves": _readers(document=read_document),
    "picture": _readers(picture=_picture),
    "directory": directory,
    "zip": archive,
}
"""Readers of objects by seed kind; images take ``walk`` alone."""


def trained_templates(data: bytes) -> SeriesTemplates:
    """Templates that have seen two files like ``data``."""
    templates = SeriesTemplates()
    for n in range(2):
        try:
            raw, header = header_of(data, str(n))
        except (ProblemError, IsDirectory):
            break
        templates.learn(data[:FIRST_READ], len(data), raw, header)
    return templates


def exercise(
    kind: str, data: bytes, folder: Path, templates: SeriesTemplates | None = None, explore: bool = True
) -> Outcome:
    """Every reader that the kind is meant for. Anything raised is a finding."""
    if kind in ("zip", "directory", "picture"):
        return READERS[kind](data, folder)
    # The decoder remembers the last objects by their place, as content never changes there: every case has its own.
    outcome = walk(data, f"case-{next(_names)}", templates, explore)
    if kind in READERS:
        more = READERS[kind](data, folder)
        outcome.words += more.words
    return outcome
