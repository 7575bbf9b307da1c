"""What the list says about this computer: its readers, its cores and memory, its library."""

from __future__ import annotations

import os
import shutil

from app.ai.catalogue import Catalogue
from app.dicom.memory_budget import shared_budget
from app.session.views import ReaderOnThisPc, Words
from app.store.library import Library


def readers(catalogue: Catalogue, language: str) -> tuple[ReaderOnThisPc, ...]:
    lines = []
    for package in catalogue.installed():
        card = package.card
        title = card.titles.get(language) or card.titles.get("en", card.reader_name)
        lines.append(
            ReaderOnThisPc(
                card.reader_name,
                card.version,
                title,
                card.rules.modality[0] if card.rules.modality else "",
                Words("readers.version", {"name": card.reader_name, "version": card.version}),
                card.seconds_hint,
                "ready",
                mode=card.mode,
            )
        )
    for broken in catalogue.broken():
        lines.append(
            ReaderOnThisPc(
                broken.path.name, "", broken.path.name, "", Words("readers.broken"), None, "broken", broken.problem
            )
        )
    return tuple(lines)


def machine_words() -> tuple[Words, ...]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 if hasattr(os, "sysconf") else 0.0
    words = [Words("machine.cores", {"n": os.cpu_count() or 1})]
    if memory:
        words.append(Words("machine.memory", {"value": round(memory)}))
    ceiling = shared_budget.ceiling_bytes / 2**30
    words.append(Words("machine.ceiling", {"value": round(ceiling) if ceiling >= 4 else round(ceiling, 1)}))
    return tuple(words)


def library_words(library: Library, key_place: str) -> Words:
    free = shutil.disk_usage(library.home).free / 1e9
    return Words("library.encrypted", {"place": key_place, "free": round(free)})
