"""The person at the workstation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    VIEWER = "viewer"
    TECHNICIAN = "technician"
    RADIOLOGIST = "radiologist"
    SENIOR = "senior"
    ADMIN = "admin"
    AUDITOR = "auditor"


@dataclass(frozen=True)
class Person:
    person_id: str
    display_name: str
    role: Role = Role.RADIOLOGIST
    organisation: str = ""
