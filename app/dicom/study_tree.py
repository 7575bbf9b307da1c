"""Headers gathered into studies, and what is odd about the gathering."""

from __future__ import annotations

from app.dicom.instance_builder import FileHeader, SeriesAttributes, StudyAttributes
from app.domain.problem import Problem, Severity
from app.domain.study import Instance, Series, Study


class StudyTree:
    """Mutable while a scan runs; :meth:`studies` gives the frozen result."""

    def __init__(self) -> None:
        self._studies: dict[str, StudyAttributes] = {}
        self._series: dict[tuple[str, str], SeriesAttributes] = {}
        self._instances: dict[tuple[str, str], list[Instance]] = {}
        self._by_uid: dict[str, Instance] = {}
        self._mixed: set[str] = set()
        self.clashes = 0
        """Files with a known UID and other bytes."""

    def add(self, header: FileHeader) -> Instance | None:
        """Adds an object; returns the one that has its UID already, in which case nothing is added."""
        uid = header.instance.sop_instance_uid
        there = self._by_uid.get(uid)
        if there is not None:
            return there
        study_uid = header.study.study_instance_uid
        known = self._studies.get(study_uid)
        if known is not None and known is not header.study and known.patient.key != header.study.patient.key:
            # One Study Instance UID with two persons: never shown as one (identity stays with the pixels).
            self._mixed.add(study_uid)
            study_uid = f"{study_uid}#{'|'.join(header.study.patient.key)}"
            known = self._studies.get(study_uid)
        if known is None:
            self._studies[study_uid] = header.study
        self._by_uid[uid] = header.instance
        key = (study_uid, header.series.series_instance_uid)
        if key not in self._series:
            self._series[key] = header.series
            self._instances[key] = []
        self._instances[key].append(header.instance)
        return None

    def studies(self) -> tuple[Study, ...]:
        """Newest study first; series by number; instances by number."""
        found = []
        for key, attributes in self._studies.items():
            series = tuple(
                sorted(
                    (self._frozen(k, a) for k, a in self._series.items() if k[0] == key),
                    key=lambda s: (s.series_number is None, s.series_number or 0, s.series_instance_uid),
                )
            )
            found.append(
                Study(
                    attributes.study_instance_uid,
                    attributes.patient,
                    series,
                    attributes.study_datetime,
                    attributes.accession_number,
                    attributes.description,
                    attributes.referring_physician,
                    attributes.institution,
                    attributes.study_id,
                    attributes.patient_age,
                )
            )
        return tuple(sorted(found, key=lambda s: (s.study_datetime, s.study_instance_uid), reverse=True))

    def _frozen(self, key: tuple[str, str], attributes: SeriesAttributes) -> Series:
        instances = sorted(
            self._instances[key],
            key=lambda i: (i.instance_number is None, i.instance_number or 0, i.sop_instance_uid),
        )
        return Series(
            attributes.series_instance_uid,
            attributes.modality,
            tuple(instances),
            attributes.series_number,
            attributes.description,
            attributes.body_part_examined,
            attributes.laterality,
            attributes.protocol_name,
        )

    def remarks(self) -> tuple[Problem, ...]:
        found = []
        persons = {a.patient.key for a in self._studies.values()}
        if len(persons) > 1:
            found.append(Problem("dicom.several_patients", {"patients": len(persons)}, Severity.WARNING))
        if self._mixed:
            found.append(Problem("dicom.mixed_patients", {"studies": len(self._mixed)}, Severity.WARNING))
        if self.clashes:
            found.append(Problem("dicom.duplicate_uids", {"files": self.clashes}, Severity.WARNING))
        return tuple(found)
