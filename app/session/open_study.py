"""A study that is open, and the words for a place in it."""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.finding import Finding
from app.domain.study import DisplaySet, Study
from app.session.views import Words


@dataclass(frozen=True, eq=False)
class OpenStudy:
    """A study and its display sets; priors are opened the same way."""

    study: Study
    display_sets: tuple[DisplaySet, ...]


def place_words(opened: OpenStudy, finding: Finding) -> Words:
    """Series, image and z of a finding."""
    location = finding.location
    z = f"{location.centre_lps_mm[2]:.1f}" if location.centre_lps_mm is not None else ""
    uid = location.sop_instance_uid or (finding.source_sop_instance_uids[0] if finding.source_sop_instance_uids else "")
    for chosen in opened.display_sets:
        for number, ref in enumerate(chosen.frames, 1):
            if ref.sop_instance_uid == uid and ref.frame == location.frame:
                series = next(s for s in opened.study.series if s.series_instance_uid == chosen.series_instance_uid)
                params = {
                    "series": series.series_number if series.series_number is not None else "–",
                    "image": number,
                    "z": z,
                }
                return Words("place.series_image_z" if z else "place.series_image", params)
    return Words("place.z", {"z": z}) if z else Words("place.unknown")
