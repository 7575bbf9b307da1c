"""Where things lie on this PC: the library's home, the folder of the samples, the trust lists, the models."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from app.domain.resources import resource_path


def home_folder() -> Path:
    """``EKINSHI_HOME`` or the platform's data folder for this user."""
    configured = os.environ.get("EKINSHI_HOME")
    if configured:
        return Path(configured)
    return _data_folder() / "ekinshi"


def cache_folder() -> Path:
    """For what can be made again: sample studies, exported graphs."""
    configured = os.environ.get("EKINSHI_HOME")
    if configured:
        return Path(configured) / "cache"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "ekinshi" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/ekinshi"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ekinshi"


def _data_folder() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA", Path.home() / "AppData/Roaming"))
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support"
    return Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local/share"))


def model_folders(home: Path) -> tuple[Path, ...]:
    """The program's own packages, then the site's."""
    return (resource_path("models"), home / "models")


def trust_lists(home: Path) -> tuple[Path, ...]:
    """The program's list of publishers, then the site's own where there is one."""
    site = home / "models" / "trust.json"
    shipped = resource_path("models", "trust.json")
    return tuple(p for p in (shipped, site) if p.exists())
