"""The memory ceiling of this machine, from the site's file or half of the memory; all that keeps pixels hangs on it."""

from __future__ import annotations

import tomllib
from pathlib import Path

from app.dicom.memory_budget import LEAST_CEILING, default_ceiling, shared_budget
from app.dicom.volume_pool import shared_pool
from app.domain.problem import fail
from app.session.sync_service import SITE_FILE
from app.viewer.pyramid import limit_levels

_held = False


def ceiling_of(home: Path) -> int:
    """Bytes from ``[memory] ceiling_gb`` of the site's file, at least 2 GB; without it half of the machine's memory.

    Raises ``site.damaged`` when the entry is no number.
    """
    file = home / SITE_FILE
    if not file.exists():
        return default_ceiling()
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8")).get("memory", {}).get("ceiling_gb")
        if found is None:
            return default_ceiling()
        if isinstance(found, bool) or not isinstance(found, (int, float)) or not 0 < found < 1 << 20:
            raise ValueError("ceiling_gb")
    except (OSError, ValueError, AttributeError) as error:
        raise fail("site.damaged", kept_safe="safe.in_outbox", next_step="next.configure_target", file=SITE_FILE) from error
    return max(LEAST_CEILING, int(found * 2**30))


def configure(home: Path) -> None:
    """Sets the process's ceiling and puts the levels of pictures and the free buffers under it."""
    global _held
    shared_budget.set_ceiling(ceiling_of(home))
    if not _held:
        _held = True
        shared_budget.hold("levels", limit_levels)
        shared_budget.hold("free_buffers", shared_pool.limit)
