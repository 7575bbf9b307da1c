"""Why a prior hangs or does not, as words."""

from __future__ import annotations

from app.session.clock import dicom_date
from app.session.views import Words
from app.viewer.anatomy import Match
from app.viewer.hanging import Hanging

_LINES = {
    Match.SAME: "prior.same",
    Match.NEAR: "prior.near",
    Match.UNKNOWN: "prior.unknown",
    Match.OTHER_SIDE: "prior.other_side",
    Match.DIFFERENT: "prior.different",
}


def prior_lines(hanging: Hanging) -> tuple[Words, ...]:
    """One line a prior study, the newest first."""
    return tuple(
        Words(
            _LINES[judged.match],
            {
                "date": dicom_date(judged.study_datetime) or "–",
                "part": Words(f"body.{judged.regions[0]}") if judged.regions else "–",
            },
        )
        for judged in hanging.priors
    )


def order_of(hanging: Hanging) -> dict[str, int]:
    """Study to its place among the priors: those that go with this study first, then by date as they are."""
    ranked = sorted(hanging.priors, key=lambda j: j.match < Match.NEAR)
    return {judged.study_instance_uid: n for n, judged in enumerate(ranked)}
