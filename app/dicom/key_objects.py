"""Key Object Selection: which images show it (PS3.16 TID 2010)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.dicom.object_header import MANUFACTURER, ObjectHeader, evidence_of, finished, person_pn
from app.dicom.sr_groups import concept
from app.domain.measurement import Code
from app.domain.person import Person
from app.domain.problem import fail
from app.domain.study import Study

KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59"
TITLES: Mapping[str, Code] = {
    "of_interest": Code("113000", "DCM", "Of Interest"),
    "for_teaching": Code("113004", "DCM", "For Teaching"),
    "for_conference": Code("113005", "DCM", "For Conference"),
    "for_peer_review": Code("113008", "DCM", "For Peer Review"),
    "for_research": Code("113009", "DCM", "For Research"),
    "quality_issue": Code("113010", "DCM", "Quality Issue"),
}


def key_objects(
    study: Study,
    sop_instance_uids: Sequence[str],
    header: ObjectHeader,
    *,
    title: str = "of_interest",
    description: str = "",
    person: Person | None = None,
) -> bytes:
    """A key object document naming ``sop_instance_uids``. Raises ``dicom.evidence_missing`` and ``dicom.no_images``."""
    import highdicom as hd

    if not sop_instance_uids:
        raise fail("dicom.no_images")
    images = evidence_of(study, sop_instance_uids)
    observer = None
    if person is not None:
        observer = hd.sr.ObserverContext(
            observer_type=hd.sr.CodedConcept("121006", "DCM", "Person"),
            observer_identifying_attributes=hd.sr.PersonObserverIdentifyingAttributes(name=person_pn(person.display_name)),
        )
    content = hd.ko.KeyObjectSelection(
        document_title=concept(TITLES[title]),
        referenced_objects=images,
        observer_person_context=observer,
        description=description or None,
    )
    ds = hd.ko.KeyObjectSelectionDocument(
        evidence=images,
        content=content,
        series_instance_uid=header.series_instance_uid,
        series_number=header.series_number,
        sop_instance_uid=header.sop_instance_uid,
        instance_number=header.instance_number,
        manufacturer=MANUFACTURER,
    )
    return finished(ds, study, header)
