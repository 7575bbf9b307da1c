"""What can be set, what the site has fixed, and where things lie on this PC."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.dicom.memory_budget import LEAST_CEILING, default_ceiling, machine_bytes, shared_budget
from app.domain.problem import fail
from app.security.secrets_box import SecretsBox
from app.session import memory
from app.session.comforts import FILE as COMFORTS_FILE
from app.session.comforts import Comforts
from app.session.homes import cache_folder
from app.session.memory import CEILING
from app.session.mouse_table import MouseTable
from app.session.site_rules import TEXT_PERCENT, SiteRules, site_rules
from app.session.sync_service import SITE_FILE, SyncService, keep_password, password_kept
from app.session.views import Words
from app.store.library import Library

INTERFACE = "interface"
_NEEDS_PASSWORD = frozenset({"dicomweb"})


@dataclass(frozen=True)
class MemoryView:
    """All in GB of 2**30 bytes."""

    ceiling_gb: float
    default_gb: float
    machine_gb: float
    least_gb: float
    fixed: bool
    own: bool
    """Chosen on this PC; else the machine's default (or the site's)."""


@dataclass(frozen=True)
class PasswordView:
    """One storage that can want a password. The password itself is never shown."""

    target: str
    title: str
    where: Words
    username: str
    kept: bool
    """It lies in the secrets box."""
    in_file: bool
    """The site has written it into its file; the box goes before it."""


@dataclass(frozen=True)
class Place:
    """What lies where."""

    what: Words
    where: str


def text_percent(home: Path) -> int:
    """Size of the interface, known before the library is opened: the site's, else the reader's, else 100.

    A damaged site file is told where the library is opened; here it counts as none.
    """
    from app.domain.problem import ProblemError

    try:
        site = site_rules(home).text_percent
    except ProblemError:
        site = None
    own = Comforts(home).group(INTERFACE).get("text_percent", 100)
    return site or (own if isinstance(own, int) and own in TEXT_PERCENT else 100)


class SettingsDesk:
    """Main thread only."""

    def __init__(
        self, library: Library, person: Callable[[], str], box: SecretsBox | None, sync: SyncService, key_place: str
    ) -> None:
        self._library = library
        self._person = person
        self._box = box
        self._sync = sync
        self._key_place = key_place
        self.site: SiteRules = site_rules(library.home)
        self.comforts = Comforts(library.home)

    # -- memory

    def memory(self) -> MemoryView:
        gb = 2.0**30
        return MemoryView(
            shared_budget.ceiling_bytes / gb,
            default_ceiling() / gb,
            machine_bytes() / gb,
            LEAST_CEILING / gb,
            self.site.ceiling_gb is not None,
            self._library.settings.get(CEILING) is not None,
        )

    def set_memory(self, ceiling_gb: float | None) -> None:
        """Holds at once; None: the machine's default. Raises ``settings.fixed``, ``settings.memory_range``."""
        if self.site.ceiling_gb is not None:
            raise fail("settings.fixed")
        view = self.memory()
        if ceiling_gb is not None and not view.least_gb <= ceiling_gb <= max(view.least_gb, view.machine_gb):
            raise fail("settings.memory_range", least=round(view.least_gb, 1), most=round(view.machine_gb, 1))
        self._keep(CEILING, ceiling_gb)
        memory.follow(self._library)

    # -- the look

    @property
    def text_percent(self) -> int:
        return text_percent(self._library.home)

    @property
    def text_fixed(self) -> bool:
        return self.site.text_percent is not None

    def set_text_percent(self, percent: int) -> None:
        """Raises ``settings.fixed``; ``ValueError`` for a size that is not offered."""
        if self.text_fixed:
            raise fail("settings.fixed")
        if percent not in TEXT_PERCENT:
            raise ValueError("no such size")
        self.comforts.keep(INTERFACE, {**self.comforts.group(INTERFACE), "text_percent": percent})

    @property
    def language_fixed(self) -> bool:
        return bool(self.site.language)

    @property
    def mouse(self) -> MouseTable:
        return MouseTable(self._library, self._person(), self.site)

    # -- passwords of storages

    def passwords(self) -> tuple[PasswordView, ...]:
        return tuple(
            PasswordView(
                target.name,
                target.title or target.name,
                Words(f"target.{target.kind}", {"where": self._sync.where(target.name)}),
                target.settings.get("username", ""),
                self._box is not None and password_kept(self._box, target.name),
                target.password_in_file,
            )
            for target in self._sync.configured
            if target.kind in _NEEDS_PASSWORD
        )

    def set_password(self, target: str, password: str) -> None:
        """Into the secrets box, and into use at once. Empty: taken out of it. Raises ``ProblemError``."""
        if self._box is None:
            raise fail("settings.no_box")
        keep_password(self._box, target, password)
        self._sync.use_password(target, password)

    # -- where things are

    def places(self) -> tuple[Place, ...]:
        home = self._library.home
        return (
            Place(Words("settings.place.library"), str(home)),
            Place(Words("settings.place.site"), str(home / SITE_FILE)),
            Place(Words("settings.place.reader"), str(home / COMFORTS_FILE)),
            Place(Words("settings.place.models"), str(home / "models")),
            Place(Words("settings.place.cache"), str(cache_folder())),
        )

    def key_words(self) -> Words:
        return Words("settings.place.key", {"place": self._key_place})

    def _keep(self, key: str, value: object) -> None:
        self._library.write(lambda tx: self._library.settings.set(tx, key, value, self._person()))
