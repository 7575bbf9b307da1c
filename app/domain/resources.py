"""Finds ``resources/`` in a checkout and in an installation."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path


@cache
def resources_folder() -> Path:
    """``EKINSHI_RESOURCES``, else beside the package (installation), else beside ``app`` (checkout).

    Raises ``FileNotFoundError`` when there is none: the installation is broken.
    """
    package = Path(__file__).resolve().parent.parent
    candidates = [package / "_resources", package.parent / "resources"]
    configured = os.environ.get("EKINSHI_RESOURCES")
    if configured:
        candidates.insert(0, Path(configured))
    for folder in candidates:
        if (folder / "i18n").is_dir():
            return folder
    raise FileNotFoundError(f"no resources folder among {[str(c) for c in candidates]}")


def resource_path(*parts: str) -> Path:
    return resources_folder().joinpath(*parts)
