"""Colours of printed matter: the light tokens of ``resources/theme.toml``, with the design's values where it is absent."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache

from app.domain.resources import resource_path

_LIGHT = {
    "text": "#12171D",
    "secondary": "#46525F",
    "third": "#5F6B78",
    "line": "#D3DAE1",
    "mine": "#0B6FA4",
    "ai": "#8F5300",
    "ai_line": "#C27400",
    "bad": "#B3261E",
    "ok": "#12703F",
}


@cache
def _theme() -> Mapping[str, str]:
    try:
        data = tomllib.loads(resource_path("theme.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    light = data.get("light", {})
    return {k: v for k, v in light.items() if isinstance(v, str) and v.startswith("#") and len(v) == 7}


def light(token: str) -> str:
    """``#RRGGBB`` of a token in the light theme."""
    return _theme().get(token) or _LIGHT[token]
