"""What a finding was in an earlier study, in its measurement group: how it changed, and the earlier one by its tracking UID.

TID 1501 is extensible and has no row for it. The change is told by CID 6134 (Chest Qualitative Temporal Difference) and
"New finding" of CID 6002; the earlier finding is a container "Previous Finding" (121069, CID 7002). The present finding
keeps a tracking UID of its own: the earlier one is named, and whoever joins the two joins them by a person's word.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.dicom import coding, sr_groups
from app.domain.measurement import Code, Quantity
from app.domain.prior_match import Change, PriorMatch

CHANGES: Mapping[Change, Code] = {
    Change.NEW: Code("129721008", "SCT", "New finding"),
    Change.GROWN: Code("15454001", "SCT", "Increase in size"),
    Change.SHRUNK: Code("19776001", "SCT", "Decrease in size"),
    Change.STEADY: Code("129723006", "SCT", "No significant changes in the finding"),
}
PREVIOUS = Code("121069", "DCM", "Previous Finding")
_TRACKING = Code("112040", "DCM", "Tracking Unique Identifier")
_STUDY = Code("110180", "DCM", "Study Instance UID")
_DATE = Code("111060", "DCM", "Study Date")


def prior_items(match: PriorMatch) -> list[Any]:
    """Content items for the group of ``match.finding_id``."""
    import highdicom as hd

    inner = [sr_groups.uidref_item("CONTAINS", _TRACKING, match.then_id)] if match.then_id else []
    inner.append(sr_groups.uidref_item("CONTAINS", _STUDY, match.study_instance_uid))
    day = datetime.strptime(match.study_date, "%Y%m%d").date()
    inner.append(hd.sr.DateContentItem(sr_groups.concept(_DATE), day, "CONTAINS"))
    for name, value, unit in (
        (coding.QUANTITIES[Quantity.MEAN_DIAMETER], match.then_mm, "mm"),
        (coding.QUANTITIES[Quantity.VOLUME], match.then_mm3, "mm3"),
        (coding.DOUBLING_TIME, match.doubling_days, "d"),
    ):
        if value is not None:
            what, measured_in = sr_groups.concept(name), sr_groups.concept(coding.unit_code(unit))
            inner.append(hd.sr.NumContentItem(what, float(value), measured_in, relationship_type="CONTAINS"))
    items = [sr_groups.container_item("CONTAINS", PREVIOUS, inner)]
    change = CHANGES.get(match.change)
    if change is not None:
        items.insert(0, sr_groups.code_item("CONTAINS", coding.CHANGE_SINCE, change))
    return items
