"""Which second readers are installed, which of them accept a study, and why the others do not.

The folders of packages are walked at start-up. Only manifest, card and rules are read; a package that cannot be used is
listed by name with its reason. Rules that need pixels are the reader's own business (it answers *out of scope*).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.ai.package import open_head
from app.ai.selection import chosen_volume, film_reason, has_views, set_reason
from app.ai.trust import TrustList, read_trust
from app.domain.model_card import ModelCard
from app.domain.problem import Problem, ProblemError
from app.domain.study import DisplaySet, Study

SUFFIX = ".ekmodel"


@dataclass(frozen=True)
class InstalledPackage:
    """A usable package: its card, its file and the digest that every result will carry."""

    card: ModelCard
    path: Path
    digest: str
    signed_by: str

    @property
    def name(self) -> str:
        return self.card.reader_name


@dataclass(frozen=True)
class BrokenPackage:
    """A package file that cannot be used, named with its reason."""

    path: Path
    problem: Problem


@dataclass(frozen=True)
class Accepted:
    """One run to be made: a volume reader gets one display set, a film reader all that fit."""

    package: InstalledPackage
    display_sets: tuple[DisplaySet, ...]
    remarks: tuple[Problem, ...] = ()
    """What could not be judged from the headers (age unknown, body part not stated)."""

    @property
    def card(self) -> ModelCard:
        return self.package.card


@dataclass(frozen=True)
class NotAccepted:
    """Why a reader does not read a display set, or (without one) the whole study."""

    package: InstalledPackage
    reason: Problem
    display_set_id: str = ""


@dataclass(frozen=True)
class Acceptance:
    accepted: tuple[Accepted, ...]
    refused: tuple[NotAccepted, ...]


class Catalogue:
    """The packages of some folders (the program's own, then the site's); of one reader the latest version counts."""

    def __init__(self, folders: Sequence[Path], trust_paths: Sequence[Path | None]) -> None:
        self.trust_paths = tuple(p for p in trust_paths if p is not None)
        self._packages: dict[str, InstalledPackage] = {}
        self._broken: list[BrokenPackage] = []
        try:
            trust = read_trust(*self.trust_paths)
        except ProblemError as error:
            self._broken.append(BrokenPackage(Path(str(error.problem.params.get("name", ""))), error.problem))
            trust = TrustList()
        for path in _package_files(folders):
            self._add(path, trust)

    def _add(self, path: Path, trust: TrustList) -> None:
        try:
            head = open_head(path, trust)
        except ProblemError as error:
            self._broken.append(BrokenPackage(path, error.problem))
            return
        package = InstalledPackage(head.card, path, head.digest, head.signed_by.name)
        known = self._packages.get(package.name)
        if known is None or _version(package.card) >= _version(known.card):
            self._packages[package.name] = package

    def installed(self) -> tuple[InstalledPackage, ...]:
        return tuple(self._packages[name] for name in sorted(self._packages))

    def broken(self) -> tuple[BrokenPackage, ...]:
        return tuple(self._broken)

    def package(self, name: str) -> InstalledPackage | None:
        return self._packages.get(name)

    def card(self, name: str) -> ModelCard | None:
        package = self._packages.get(name)
        return package.card if package is not None else None

    def accepting(self, study: Study, display_sets: Sequence[DisplaySet]) -> Acceptance:
        """Every installed reader against every display set, by header rules. Order: packages by name."""
        accepted: list[Accepted] = []
        refused: list[NotAccepted] = []
        for package in self.installed():
            fitting: list[DisplaySet] = []
            remarks: dict[str, Problem] = {}
            for display_set in display_sets:
                reason, notes = set_reason(package.card.rules, study, display_set)
                if reason is None:
                    fitting.append(display_set)
                    remarks.update({note.code: note for note in notes})
                else:
                    refused.append(NotAccepted(package, reason, display_set.display_set_id))
            if not fitting:
                continue
            if package.card.rules.extra.get("kind") == "films":
                whole = film_reason(package.card.rules, study, fitting)
                if whole is not None:
                    refused.append(NotAccepted(package, whole))
                    continue
                chosen = [s for s in fitting if has_views(package.card.rules, study, s)]
            else:
                chosen = [chosen_volume(study, fitting)]
                other = Problem("ai.scope.other_series_chosen")
                refused += [NotAccepted(package, other, s.display_set_id) for s in fitting if s is not chosen[0]]
            accepted.append(Accepted(package, tuple(chosen), tuple(remarks.values())))
        return Acceptance(tuple(accepted), tuple(refused))


def _package_files(folders: Sequence[Path]) -> Iterable[Path]:
    for folder in folders:
        if folder.is_dir():
            yield from sorted(p for p in folder.iterdir() if p.name.endswith(SUFFIX))


def _version(card: ModelCard) -> tuple[int, ...]:
    return tuple(int(part) for part in card.version.split("."))
