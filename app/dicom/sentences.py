"""English sentences of this package's problems, for the command line's JSON."""

from __future__ import annotations

import tomllib
from functools import lru_cache

from app.domain.problem import Problem
from app.domain.resources import resource_path


@lru_cache(maxsize=1)
def _messages() -> dict[str, dict[str, str]]:
    try:
        with resource_path("i18n", "messages", "dicom.toml").open("rb") as stream:
            return tomllib.load(stream)
    except (OSError, tomllib.TOMLDecodeError):
        return {}


class _Gaps(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def sentence(problem: Problem, language: str = "en") -> str:
    """The sentence of a problem; its bare code where no sentence is installed."""
    text = _messages().get(problem.code, {}).get(language, "")
    return text.format_map(_Gaps(problem.params)) if text else problem.code
