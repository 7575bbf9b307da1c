"""HL7 CDA as lines to read. The parser takes no document type, no entities and nothing from outside; sizes are limited."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.parsers import expat

from app.domain.document import DocumentLine, LineKind
from app.domain.problem import ProblemError, fail

MAX_DEPTH = 200
MAX_NODES = 200_000
MAX_BYTES = 64 << 20


@dataclass
class _Node:
    name: str
    attributes: dict[str, str]
    parts: list[_Node | str] = field(default_factory=list)

    def child(self, *names: str) -> _Node | None:
        node: _Node | None = self
        for name in names:
            node = next((p for p in node.parts if isinstance(p, _Node) and p.name == name), None) if node else None
        return node

    def all(self, name: str) -> list[_Node]:
        return [p for p in self.parts if isinstance(p, _Node) and p.name == name]

    def words(self) -> str:
        return " ".join("".join(p if isinstance(p, str) else f" {p.words()} " for p in self.parts).split())


def parse(data: bytes) -> _Node:
    """Raises ``document.cda_unreadable``, or ``document.cda_unsafe`` for a document type or entities."""
    if len(data) > MAX_BYTES:
        raise fail("document.cda_unreadable", kept_safe="kept.original")
    root = _Node("", {})
    stack = [root]
    count = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > MAX_NODES or len(stack) > MAX_DEPTH:
            raise fail("document.cda_unreadable", kept_safe="kept.original")
        node = _Node(name.rsplit(":", 1)[-1], attributes)
        stack[-1].parts.append(node)
        stack.append(node)

    def text(words: str) -> None:
        parts = stack[-1].parts
        if parts and isinstance(parts[-1], str):
            parts[-1] += words
        else:
            parts.append(words)

    def refuse(*_: object) -> None:
        raise fail("document.cda_unsafe", kept_safe="kept.original")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _name: stack.pop()
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse  # type: ignore[assignment]
    try:
        parser.Parse(data.rstrip(b"\0"), True)
    except ProblemError:
        raise
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise fail("document.cda_unreadable", kept_safe="kept.original") from error
    return next(p for p in root.parts if isinstance(p, _Node))


def read_cda(data: bytes) -> tuple[str, tuple[tuple[str, str], ...], tuple[DocumentLine, ...]]:
    """(title, facts, lines) of a clinical document."""
    root = parse(data)
    title = root.child("title")
    facts = []
    patient = root.child("recordTarget", "patientRole", "patient", "name")
    if patient is not None:
        facts.append(("document.fact.patient", patient.words()))
    time = root.child("effectiveTime")
    if time is not None and time.attributes.get("value"):
        facts.append(("document.fact.time", time.attributes["value"]))
    author = root.child("author", "assignedAuthor", "assignedPerson", "name")
    if author is not None:
        facts.append(("document.fact.author", author.words()))
    lines: list[DocumentLine] = []
    body = root.child("component", "structuredBody")
    for component in body.all("component") if body is not None else ():
        for section in component.all("section"):
            _section(section, 0, lines)
    plain = root.child("component", "nonXMLBody", "text")
    if plain is not None:
        _flow(plain, 0, lines)
    return (title.words() if title is not None else "", tuple(facts), tuple(lines))


def _section(section: _Node, depth: int, lines: list[DocumentLine]) -> None:
    title, text = section.child("title"), section.child("text")
    if title is not None:
        lines.append(DocumentLine(depth, LineKind.HEADING, title.words()))
    if text is not None:
        _flow(text, depth + 1, lines)
    for component in section.all("component"):
        for inner in component.all("section"):
            _section(inner, depth + 1, lines)


_BLOCKS = frozenset({"paragraph", "list", "item", "table", "tr", "br", "caption", "thead", "tbody", "tfoot"})


def _flow(node: _Node, depth: int, lines: list[DocumentLine]) -> None:
    """Narrative blocks (paragraph, list, table) line by line; what stands between them too."""
    words: list[str] = []

    def flush() -> None:
        said = " ".join(" ".join(words).split())
        words.clear()
        if said:
            lines.append(DocumentLine(depth, LineKind.TEXT, value=said))

    for part in node.parts:
        if isinstance(part, str):
            words.append(part)
        elif part.name == "br":
            flush()
        elif part.name == "tr":
            flush()
            cells = [c.words() for c in part.parts if isinstance(c, _Node) and c.name in ("td", "th")]
            lines.append(DocumentLine(depth, LineKind.ROW, value="\t".join(cells)))
        elif part.name in _BLOCKS or any(isinstance(p, _Node) and p.name in _BLOCKS for p in part.parts):
            flush()
            _flow(part, depth + (part.name == "list"), lines)
        else:
            words.append(part.words())
    flush()
