"""The targets of this site and the worker that sends to them. The embedded default is a DICOM folder inside the home."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.domain.outbox import OutboxState
from app.domain.ports import Clock
from app.domain.problem import Problem, ProblemError, fail
from app.security.secrets_box import SecretsBox
from app.session.views import TargetView, Words
from app.store.library import Library
from app.sync.discovery import make_target
from app.sync.store_outbox import StoreOutbox
from app.sync.target import StorageTarget
from app.sync.worker import DrainReport, SyncWorker

SITE_FILE = "site.toml"
ARCHIVE = "archive"
_PASSWORD = "target-password-{name}"


@dataclass(frozen=True)
class ConfiguredTarget:
    """One ``[[target]]`` of ``site.toml``: a name, a kind and the kind's settings; passwords lie in the secrets box."""

    name: str
    kind: str
    title: str
    settings: Mapping[str, str]
    password_in_file: bool = False
    """The site's file holds it in the open."""


def targets_of(home: Path, box: SecretsBox) -> tuple[ConfiguredTarget, ...]:
    """What the site configured; without a site file the embedded folder archive alone.

    Raises ``ProblemError`` ``site.damaged`` when the file cannot be read: nothing is sent to a guess.
    """
    file = home / SITE_FILE
    embedded = (ConfiguredTarget(ARCHIVE, "folder", "", {"path": str(home / ARCHIVE)}),)
    if not file.exists():
        return embedded
    try:
        entries = tomllib.loads(file.read_text(encoding="utf-8")).get("target")
        if entries is None:
            return embedded  # the file may speak of other things only
        out = []
        for entry in entries:
            settings = {k: str(v) for k, v in entry.items() if k not in ("name", "kind", "title")}
            in_file = "password" in settings
            password = box.get(_PASSWORD.format(name=entry["name"]))
            if password is not None:
                settings["password"] = password.decode()
            out.append(
                ConfiguredTarget(str(entry["name"]), str(entry["kind"]), str(entry.get("title", "")), settings, in_file)
            )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise fail("site.damaged", kept_safe="safe.in_outbox", next_step="next.configure_target", file=SITE_FILE) from error
    return tuple(out)


def keep_password(box: SecretsBox, target: str, password: str) -> None:
    """Into the box; an empty one is taken out of it."""
    if password:
        box.put(_PASSWORD.format(name=target), password.encode())
    else:
        box.remove(_PASSWORD.format(name=target))


def password_kept(box: SecretsBox, target: str) -> bool:
    return box.get(_PASSWORD.format(name=target)) is not None


class SyncService:
    """Main thread only, but for what the worker does on its own thread. ``changed`` may be called from any thread."""

    def __init__(self, library: Library, configured: tuple[ConfiguredTarget, ...], clock: Clock) -> None:
        self._library = library
        self._clock = clock
        self._configured = configured
        self._targets: dict[str, StorageTarget] = {}
        self._problems: dict[str, Problem] = {}
        self._changed: Callable[[], None] = lambda: None
        for target in configured:
            try:
                self._targets[target.name] = make_target(target.name, target.kind, target.settings, clock)
            except ProblemError as error:
                self._problems[target.name] = error.problem
        self._worker = SyncWorker(StoreOutbox(library), self._targets, clock, on_change=self._told)

    @property
    def configured(self) -> tuple[ConfiguredTarget, ...]:
        return self._configured

    def where(self, name: str) -> str:
        return next((_where(t) for t in self._configured if t.name == name), "")

    def use_password(self, name: str, password: str) -> None:
        """The target is made again with another password and what waits for it is tried. Raises as ``make_target``."""
        wanted = next(t for t in self._configured if t.name == name)
        settings = {k: v for k, v in wanted.settings.items() if k != "password"}
        target = make_target(
            wanted.name, wanted.kind, {**settings, "password": password} if password else settings, self._clock
        )
        self._targets[name] = target
        self._problems.pop(name, None)
        self._worker.replace(name, target)
        self._worker.wake()

    def start(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._worker.start()

    def _told(self, name: str) -> None:
        del name
        self._changed()

    def wake(self) -> None:
        self._worker.wake()

    def drain_once(self) -> DrainReport:
        return self._worker.drain_once()

    def stop(self) -> None:
        self._worker.stop()

    def names(self) -> tuple[str, ...]:
        return tuple(t.name for t in self._configured)

    def targets(self) -> tuple[TargetView, ...]:
        """How every configured target stands, by what its items last met."""
        views = []
        for target in self._configured:
            counts = self._library.outbox.counts(target.name)
            problem = self._problems.get(target.name)
            stuck = [s for s in OutboxState if s is not OutboxState.VERIFIED and counts[s]]
            open_items = self._library.outbox.items(target=target.name, states=stuck, limit=200) if stuck else ()
            told = next((i for i in open_items if i.last_problem), None)
            if problem is None and told is not None:
                problem = Problem(told.last_problem, told.last_params)
            proven = counts[OutboxState.VERIFIED] + counts[OutboxState.ACCEPTED] > 0
            down = counts[OutboxState.WAITING] > 0 or counts[OutboxState.AUTH] > 0
            up = False if down or target.name in self._problems else True if proven else None
            views.append(
                TargetView(
                    target.name,
                    target.title,
                    target.kind,
                    Words(f"target.{target.kind}", {"where": _where(target)}),
                    up,
                    counts,
                    problem,
                )
            )
        return tuple(views)


def _where(target: ConfiguredTarget) -> str:
    """Host or folder name, without user and password."""
    url = target.settings.get("url", "")
    if url:
        return url.split("://", 1)[-1].split("@")[-1].split("/", 1)[0]
    return Path(target.settings.get("path", "")).name
