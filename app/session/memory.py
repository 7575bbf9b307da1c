"""The memory ceiling of this machine: the site's, else what was chosen on this PC, else half of the memory."""

from __future__ import annotations

import threading
from pathlib import Path

from app.dicom.memory_budget import LEAST_CEILING, default_ceiling, shared_budget
from app.dicom.volume_pool import shared_pool
from app.session.site_rules import site_rules
from app.store.library import Library
from app.viewer.pyramid import limit_levels

CEILING = "memory.ceiling_gb"
"""The setting of the library: what was chosen on this PC."""

CT_BYTES = 600 * 512 * 512 * 2
"""A chest: the volume whose page faults are paid ahead. The buffer serves every volume from half of this size."""
_LEAST_WARM = 64 << 20

_held = False
study_opened = threading.Event()
"""Set when the first study of this process is opened: what was made ready ahead is too late then."""


def ceiling_of(home: Path, chosen_gb: object = None) -> int:
    """Bytes from ``[memory] ceiling_gb`` of the site's file, else ``chosen_gb``, at least 2 GB; else half of the memory.

    Raises ``site.damaged`` when the file's entry is no number.
    """
    found = site_rules(home).ceiling_gb or chosen_gb
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not 0 < found < 1 << 20:
        return default_ceiling()
    return max(LEAST_CEILING, int(found * 2**30))


def configure(home: Path) -> None:
    """Sets the process's ceiling and puts the levels of pictures and the free buffers under it."""
    global _held
    shared_budget.set_ceiling(ceiling_of(home))
    if not _held:
        _held = True
        shared_budget.hold("levels", limit_levels)
        shared_budget.hold("free_buffers", shared_pool.limit)


def follow(library: Library) -> None:
    """The choice that lies in the library, once it is open, and whenever it changes."""
    shared_budget.set_ceiling(ceiling_of(library.home, library.settings.get(CEILING)))


def _still_wanted() -> bool:
    return not study_opened.is_set() and threading.main_thread().is_alive()


def warm_a_volume() -> bool:
    """Pre-faults one buffer for the first CT, within the share of free buffers; False when a study was opened meanwhile.

    On a thread of its own, in idle time: page faults cost more than reading the pixels. A ceiling that leaves free buffers
    little warms less, or nothing.
    """
    size = min(CT_BYTES, shared_budget.share_bytes("free_buffers"))
    return size < _LEAST_WARM or shared_pool.warm(size, _still_wanted)
