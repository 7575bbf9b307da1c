"""Report templates: TOML files in ``resources/report_templates``, one file adds one template."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from app.domain.problem import fail
from app.domain.resources import resource_path
from app.domain.study import Study

GENERIC = "generic"


@dataclass(frozen=True)
class TemplateSection:
    section_id: str
    titles: Mapping[str, str]
    regions: tuple[str, ...]
    """Prefixes of the region ids whose findings go here."""
    phrases: tuple[Mapping[str, str], ...]
    """Normal wordings that the reader may insert; never inserted by themselves: they are the reader's statements."""

    def title(self, language: str) -> str:
        return self.titles.get(language) or self.titles["en"]

    def phrase_texts(self, language: str) -> tuple[str, ...]:
        return tuple(p.get(language) or p["en"] for p in self.phrases)


@dataclass(frozen=True)
class Template:
    template_id: str
    titles: Mapping[str, str]
    modalities: tuple[str, ...]
    body_parts: tuple[str, ...]
    words: tuple[str, ...]
    sections: tuple[TemplateSection, ...]

    def title(self, language: str) -> str:
        return self.titles.get(language) or self.titles["en"]

    def section_for(self, region: str) -> TemplateSection:
        for section in self.sections:
            if any(region == prefix or region.startswith(prefix + ".") for prefix in section.regions):
                return section
        return self.sections[0]


def load_template(file: Path) -> Template:
    """Raises ``report.template_damaged``."""
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
        sections = tuple(
            TemplateSection(
                str(s["id"]), dict(s["title"]), tuple(s.get("regions", ())), tuple(dict(p) for p in s.get("phrases", ()))
            )
            for s in data["section"]
        )
        template = Template(
            file.stem,
            dict(data["title"]),
            tuple(data.get("modalities", ())),
            tuple(data.get("body_parts", ())),
            tuple(data.get("words", ())),
            sections,
        )
        if not sections or any("en" not in s.titles for s in sections) or "en" not in template.titles:
            raise KeyError("title")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise fail("report.template_damaged", file=file.name) from error
    return template


@cache
def templates() -> Mapping[str, Template]:
    """Template id to template. Raises ``report.template_damaged`` naming the file."""
    return {f.stem: load_template(f) for f in sorted(resource_path("report_templates").glob("*.toml"))}


def choose_template(study: Study) -> Template:
    """By modality first, then body part and the words of the descriptions; the generic one when nothing fits."""
    text = " ".join([study.description, *(s.description for s in study.series), *(s.protocol_name for s in study.series)])
    text = text.casefold()
    parts = {s.body_part_examined.upper() for s in study.series}
    parts |= {i.body_part_examined.upper() for s in study.series for i in s.instances}
    best, best_score = templates()[GENERIC], 0
    for template in templates().values():
        if not set(template.modalities) & set(study.modalities):
            continue
        score = 2 * any(p in parts for p in template.body_parts) + any(w in text for w in template.words)
        if template.modalities in (("MG",), ("PX", "IO")):
            score += 1  # the modality itself names the body part
        if score > best_score:
            best, best_score = template, score
    return best
