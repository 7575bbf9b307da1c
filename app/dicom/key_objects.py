"""Key Object Selection: which images show it (PS3.16 TID 2010)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
    frames: Mapping[str, Sequence[int]] | None = None,
) -> bytes:
    """A key object document naming ``sop_instance_uids``. Raises ``dicom.evidence_missing`` and ``dicom.no_images``.

    ``frames``: zero-based, of images that have several; without an entry the image as a whole is meant.
    """
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
    _name_frames(content, {str(i.SOPInstanceUID) for i in images if i.get("NumberOfFrames", 1) > 1}, frames or {})
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


def _name_frames(content: Any, several: set[str], frames: Mapping[str, Sequence[int]]) -> None:
    """Referenced Frame Number of the references (PS3.3 10.3), which the writer leaves out."""
    for item in content[0].ContentSequence:
        for reference in item.get("ReferencedSOPSequence") or ():
            uid = str(reference.ReferencedSOPInstanceUID)
            if uid in several and frames.get(uid):
                reference.ReferencedFrameNumber = [n + 1 for n in sorted(set(frames[uid]))]
