"""How a mammographic view differs from the plain one of its name: magnified, spot compressed, rolled..."""

from __future__ import annotations

from app.domain.study import Instance, Series
from app.viewer.word_match import says

_WORDS = {
    "magnification": ("mag", "magn*", "vergröß*", "увелич*", "үлкейт*"),
    "spot compression": ("spot*", "cone compress*", "прицел*", "нысана*"),
    "rolled": ("rolled*", "roll"),
    "tangential": ("tangent*", "танген*"),
    "implant displaced": ("eklund*", "implant displ*"),
}
_MAGNIFIED = 1.3
"""Contact views lie a little off the detector; a magnification stand begins far above this factor."""


def view_modifiers(instance: Instance, series: Series | None) -> tuple[str, ...]:
    """Of the View Modifier Code Sequence (PS3.16 CID 4015), else of the geometry and the words of the series."""
    said = [w for w in instance.extra.get("view_modifiers", "").split("; ") if w]
    try:
        factor = float(instance.extra.get("estimated_radiographic_magnification_factor", "") or 1.0)
    except ValueError:
        factor = 1.0
    if factor >= _MAGNIFIED:
        said.append("magnification")
    words = f"{series.description} {series.protocol_name}" if series is not None else ""
    said += [name for name, patterns in _WORDS.items() if says(patterns, words)]
    return tuple(dict.fromkeys(said))
