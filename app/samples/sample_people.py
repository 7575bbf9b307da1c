"""The invented patients of the sample studies: Kazakh, Russian and Latin spelling, so that search and sorting show."""

from __future__ import annotations

from app.domain.study import Patient, PersonName

ISSUER = "EKINSHI-DEMO"

ALIYA = Patient("DEMO-620314", ISSUER, PersonName("Серікбаева^Әлия^Маратқызы"), "19620314", "F")
BAUYRZHAN = Patient("DEMO-680422", ISSUER, PersonName("Омаров^Бауыржан^Қайратұлы"), "19680422", "M")
ALIYA_AKHMETOVA = Patient("DEMO-750803", ISSUER, PersonName("Ахметова^Алия^Тимуровна"), "19750803", "F")
ALIYA_NURGALIYEVA = Patient("DEMO-970512", ISSUER, PersonName("NURGALIYEVA^Aliya"), "19970512", "F")
SERIK = Patient("DEMO-700617", ISSUER, PersonName("Қасымов^Серік^Ермекұлы"), "19700617", "M")


def age_text(birth_date: str, date: str) -> str:
    """Age as DICOM AS (064Y) on ``date``; both YYYYMMDD."""
    years = int(date[:4]) - int(birth_date[:4]) - (1 if date[4:] < birth_date[4:] else 0)
    return f"{years:03d}Y"
