"""Puts a workstation together from its parts; the window, the command line and the tests all come through here."""

from __future__ import annotations

import getpass
import tempfile
from dataclasses import dataclass
from pathlib import Path

from app.ai.catalogue import Catalogue
from app.ai.client import SecondReaderClient
from app.ai.worker_process import WorkerOptions
from app.domain.person import Person, Role
from app.domain.ports import Clock, KeyProvider, MainLoop
from app.security.keys import MemoryKeyProvider
from app.security.secrets_box import open_box, seal_keys
from app.session import memory
from app.session.clock import SystemClock
from app.session.homes import cache_folder, model_folders, trust_lists
from app.session.signers import DEMO_PIN, BoxSigner
from app.session.site_rules import site_rules
from app.session.sync_service import SyncService, targets_of
from app.session.workstation import Parts, Workstation
from app.store.library import Library

DEMO_PERSON = Person("demo-reader", "Жақсыбекова Айнұр Ерланқызы", Role.RADIOLOGIST, "DEMONSTRATION")


class BoxSealKeys:
    """The seal's pair out of the secrets box; asked for the private half by ``second_read`` only."""

    def __init__(self, public: bytes, private: bytes) -> None:
        self._public = public
        self._private = private

    def public_key(self) -> bytes:
        return self._public

    def private_key(self) -> bytes:
        return self._private


@dataclass(frozen=True)
class Options:
    home: Path
    keys: KeyProvider
    demo: bool = False
    person: Person | None = None
    language: str = ""
    """Empty: the one that this library was last used in."""
    second_readers: bool = True
    """False: no worker process is started (lists, imports and sync only)."""
    threads: int = 0
    model_folders: tuple[Path, ...] = ()
    """Further packages, for tests."""
    own_models: bool = True
    """False: without the packages of the program and the site."""
    trust: tuple[Path, ...] = ()
    priors_beside: bool = False
    """Of a window: a study opens before its earlier ones are read. Else all of them are there when it is open."""
    test_code: Path | None = None
    """Readers that only tests have."""


def this_person() -> Person:
    """The person of this operating system's account, until accounts of our own exist at the site."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "reader"
    return Person(name, name)


def open_workstation(options: Options, loop: MainLoop, clock: Clock | None = None) -> Workstation:
    """Raises ``ProblemError`` when the library cannot be opened; nothing keeps running then."""
    clock = clock or SystemClock()
    memory.configure(options.home)
    library = Library.open(options.home, options.keys, clock, demo=options.demo)
    try:
        memory.follow(library)
        box = open_box(options.home, options.keys)
        pair = seal_keys(box)
        signer = BoxSigner(box)
        person = options.person or (DEMO_PERSON if library.is_demo else this_person())
        if library.is_demo and signer.certificate_file() is None:
            signer.make_demo(person.display_name, DEMO_PIN)
        trust = (*trust_lists(options.home), *options.trust)
        folders = (*(model_folders(options.home) if options.own_models else ()), *options.model_folders)
        catalogue = Catalogue(folders, trust)
        client = None
        if options.second_readers:
            worker = WorkerOptions(
                trust=trust, cache=cache_folder() / "engines", threads=options.threads, test_code=options.test_code
            )
            client = SecondReaderClient(loop, worker)
        sync = SyncService(library, targets_of(options.home, box), clock)
        return Workstation(
            Parts(
                library=library,
                clock=clock,
                loop=loop,
                person=person,
                catalogue=catalogue,
                client=client,
                seal_keys=BoxSealKeys(pair.public_key, pair.private_key),
                signer=signer,
                sync=sync,
                key_place=options.keys.describe(),
                samples_folder=cache_folder() / "samples",
                language=options.language
                or site_rules(options.home).language
                or str(library.settings.get("language", "en")),
                box=box,
                priors_beside=options.priors_beside,
            )
        )
    except BaseException:
        library.close()
        raise


class EphemeralHome:
    """A throw-away home with its key in memory only: ``demo``, ``info`` and ``read``. Gone when closed."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ekinshi-", ignore_cleanup_errors=True)
        self.path = Path(self._folder.name)
        self.keys = MemoryKeyProvider()

    def __enter__(self) -> EphemeralHome:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()
