"""The sample studies: five patients, two of them with a prior, as DICOM folders with known answers.

Everything is generated; no image comes from a person. Every object says DEMONSTRATION. The same version of the generators
gives the same bytes and UIDs, so the folder is written once and found again at the next start.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from app.domain.identity import uid_for
from app.domain.ports import Cancelled, Progress, SilentProgress
from app.domain.study import Patient, PersonName
from app.samples import sample_people
from app.samples.sample_writers import (
    Answer,
    Job,
    write_chest_ct,
    write_chest_film,
    write_head_ct,
    write_mammogram,
    write_panoramic,
)

__all__ = ["Answer", "SampleStudy", "content_version", "write_samples"]


@dataclass(frozen=True)
class SampleStudy:
    """One written study and what is in it."""

    key: str
    """chest_ct, chest_ct_prior, head_ct, mammogram, mammogram_prior, panoramic, chest_film."""
    modality: str
    study_instance_uid: str
    patient: Patient
    study_date: str
    description: str
    folder: Path
    files: int
    answers: tuple[Answer, ...] = ()
    prior_of: str = ""
    """Study Instance UID of the current study that this one is a prior of."""


@dataclass(frozen=True)
class _Recipe:
    key: str
    modality: str
    patient: Patient
    date: str
    time: str
    description: str
    seed: int
    write: Callable[[Job], tuple[Answer, ...]]
    share: float
    """Of the whole time, about."""
    prior_of: str = ""


_RECIPES = (
    _Recipe("chest_ct", "CT", sample_people.ALIYA, "20261117", "094200", "LDCT chest, screening", 7, write_chest_ct, 0.40),
    _Recipe(
        "chest_ct_prior",
        "CT",
        sample_people.ALIYA,
        "20250909",
        "112000",
        "LDCT chest, screening",
        7,
        write_chest_ct,
        0.2,
        "chest_ct",
    ),
    _Recipe(
        "head_ct", "CT", sample_people.BAUYRZHAN, "20261117", "102100", "CT head without contrast", 3, write_head_ct, 0.2
    ),
    _Recipe(
        "mammogram",
        "MG",
        sample_people.ALIYA_AKHMETOVA,
        "20261117",
        "085700",
        "Mammography, screening",
        3,
        write_mammogram,
        0.07,
    ),
    _Recipe(
        "mammogram_prior",
        "MG",
        sample_people.ALIYA_AKHMETOVA,
        "20241111",
        "091500",
        "Mammography, screening",
        3,
        write_mammogram,
        0.07,
        "mammogram",
    ),
    _Recipe(
        "panoramic", "PX", sample_people.ALIYA_NURGALIYEVA, "20261117", "082000", "Panoramic film", 3, write_panoramic, 0.03
    ),
    _Recipe("chest_film", "DX", sample_people.SERIK, "20261117", "101800", "Chest PA", 3, write_chest_film, 0.03),
)


@cache
def content_version() -> str:
    """Digest of the generators' own text: another version writes another folder and other UIDs."""
    import app.dicom.image_writer as image_writer
    import app.imaging.fields as fields

    digest = hashlib.sha256()
    here = Path(__file__).parent
    for path in [*sorted(here.glob("*.py")), Path(image_writer.__file__), Path(fields.__file__)]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def write_samples(folder: Path, progress: Progress | None = None, small: bool = False) -> list[SampleStudy]:
    """Writes the sample studies below ``folder``, or finds them there from an earlier time.

    ``small`` makes thumbnails of them for tests (coarse pixels, few slices, the same structure). Nothing half-written is
    left behind: the folder of a version appears when it is complete. Raises ``Cancelled``.
    """
    progress = progress or SilentProgress()
    root = folder / f"samples-{content_version()}{'-small' if small else ''}"
    found = _load(root)
    if found is not None:
        progress.report(1.0, "samples")
        return found
    folder.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".samples-", dir=folder))
    try:
        studies = _write_all(partial, progress, small)
        text = json.dumps([_as_json(s, partial) for s in studies], ensure_ascii=False, indent=1)
        if _load(root) is None:
            _publish(partial, root, text)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    written = _load(root)
    assert written is not None
    return written


def _publish(partial: Path, root: Path, manifest: str) -> None:
    """Puts a finished folder in its place, then its list beside it: a folder without its list counts as unfinished."""
    if root.exists():
        aside = Path(tempfile.mkdtemp(prefix=".samples-old-", dir=root.parent))
        os.replace(root, aside / "old")
        shutil.rmtree(aside, ignore_errors=True)
    try:
        os.replace(partial, root)
    except OSError:
        # Another process was quicker; the same version holds the same bytes.
        if not root.is_dir():
            raise
    handle, name = tempfile.mkstemp(prefix=".samples-", suffix=".json", dir=root.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(manifest)
    os.replace(name, _manifest(root))


def _manifest(root: Path) -> Path:
    """The list lies beside the folder, so that the folder holds nothing but DICOM."""
    return root.with_name(root.name + ".json")


def _write_all(root: Path, progress: Progress, small: bool) -> list[SampleStudy]:
    watch = _Shares(progress, [r.share for r in _RECIPES])
    uids = {r.key: uid_for("ekinshi sample", content_version(), str(small), r.key) for r in _RECIPES}

    def one(index: int) -> SampleStudy:
        recipe = _RECIPES[index]
        target = root / recipe.key
        target.mkdir()
        watch.part(index, recipe.key).report(0.0)
        job = Job(
            target,
            recipe.patient,
            uids[recipe.key],
            recipe.date,
            recipe.time,
            recipe.description,
            recipe.seed,
            bool(recipe.prior_of),
            small,
            watch.part(index, recipe.key),
        )
        answers = recipe.write(job)
        watch.part(index, recipe.key).report(1.0)
        return SampleStudy(
            recipe.key,
            recipe.modality,
            uids[recipe.key],
            recipe.patient,
            recipe.date,
            recipe.description,
            target,
            sum(1 for p in target.rglob("*.dcm")),
            answers,
            uids.get(recipe.prior_of, ""),
        )

    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(one, n) for n in range(len(_RECIPES))]
        try:
            return [f.result() for f in futures]
        except BaseException:
            for f in futures:
                f.cancel()
            raise


class _Shares:
    """Joins the progress of jobs that run side by side; reports from one thread at a time."""

    def __init__(self, progress: Progress, shares: list[float]) -> None:
        self._progress = progress
        self._shares = shares
        self._done = [0.0] * len(shares)
        self._lock = threading.Lock()

    def part(self, index: int, stage: str) -> Progress:
        return _Part(self, index, stage)

    def report(self, index: int, fraction: float, stage: str) -> None:
        if self._progress.cancelled():
            raise Cancelled
        with self._lock:
            self._done[index] = max(self._done[index], min(1.0, fraction))
            total = sum(d * s for d, s in zip(self._done, self._shares, strict=True)) / sum(self._shares)
            self._progress.report(total, stage)

    def cancelled(self) -> bool:
        return self._progress.cancelled()


class _Part:
    def __init__(self, shares: _Shares, index: int, stage: str) -> None:
        self._shares, self._index, self._stage = shares, index, stage

    def report(self, fraction: float, stage: str = "") -> None:
        del stage
        self._shares.report(self._index, fraction, self._stage)

    def cancelled(self) -> bool:
        return self._shares.cancelled()


def _as_json(study: SampleStudy, root: Path) -> dict[str, Any]:
    return {**asdict(study), "folder": study.folder.relative_to(root).as_posix()}


def _load(root: Path) -> list[SampleStudy] | None:
    """The studies of a complete folder; None where it is absent or files are gone."""
    try:
        rows = json.loads(_manifest(root).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    studies = [_from_json(row, root) for row in rows]
    complete = all(sum(1 for _ in s.folder.rglob("*.dcm")) == s.files for s in studies)
    return studies if complete else None


def _from_json(row: dict[str, Any], root: Path) -> SampleStudy:
    person = row["patient"]
    patient = Patient(**{**person, "name": PersonName(**person["name"])})
    answers = tuple(_answer(a) for a in row["answers"])
    study = SampleStudy(**{**row, "patient": patient, "answers": answers, "folder": root / row["folder"]})
    return replace(study, folder=root / row["folder"])


def _answer(row: dict[str, Any]) -> Answer:
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
    return Answer(**values)
