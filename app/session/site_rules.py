"""What the site's file says besides targets and memory: fixed choices of the interface, and its mouse.

The file belongs to the administrator; no screen writes it. A reader sees what it fixes, and cannot change that.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.domain.problem import fail
from app.session.sync_service import SITE_FILE

TEXT_PERCENT = (100, 125, 150, 175, 200)
"""Sizes of the interface that are offered; each is a whole or half step for the usual screens."""


@dataclass(frozen=True)
class SiteRules:
    """``[interface]``, ``[memory]`` and ``[mouse]`` of the site's file. What is None or empty, the site leaves free."""

    text_percent: int | None = None
    language: str = ""
    ceiling_gb: float | None = None
    mouse: Mapping[str, str] = field(default_factory=dict)
    mouse_fixed: bool = False


def site_rules(home: Path) -> SiteRules:
    """Raises ``site.damaged`` where an entry is not what it has to be: nothing is guessed."""
    file = home / SITE_FILE
    if not file.exists():
        return SiteRules()
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
        interface, mouse = dict(content.get("interface", {})), dict(content.get("mouse", {}))
        percent, ceiling = interface.get("text_percent"), content.get("memory", {}).get("ceiling_gb")
        fixed = mouse.pop("fixed", False)
        if percent is not None and percent not in TEXT_PERCENT:
            raise ValueError("text_percent")
        if ceiling is not None and (
            isinstance(ceiling, bool) or not isinstance(ceiling, (int, float)) or not 0 < ceiling < 1 << 20
        ):
            raise ValueError("ceiling_gb")
        if not isinstance(fixed, bool) or not all(isinstance(v, str) for v in mouse.values()):
            raise ValueError("mouse")
        return SiteRules(percent, str(interface.get("language", "")), ceiling, mouse, fixed)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise fail("site.damaged", kept_safe="safe.in_outbox", next_step="next.configure_target", file=SITE_FILE) from error
