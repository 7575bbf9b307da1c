"""What ``ekinshi info --tags`` says of a file: state, rules, and every element as a JSON-able dictionary or as lines."""

from __future__ import annotations

from itertools import islice
from typing import Any

from app.dicom.examine import Examination, Reason
from app.dicom.tag_tree import TagElement
from app.dicom.tag_values import multiplicity, search, shown
from app.domain.messages import sentence, translate

SCHEMA = "ekinshi.tags/1"
_LISTED = 20_000


def report(examination: Examination, find: str = "", language: str = "en") -> dict[str, Any]:
    """``find``: only elements whose tag, keyword or value holds it."""
    tree = examination.tree
    wanted = search(tree, find, _LISTED) if find else list(islice(tree.walk(), _LISTED))
    return {
        "state": examination.state,
        "sop_class": examination.sop_class,
        "transfer_syntax": examination.transfer_syntax,
        "bytes": tree.file_size,
        "offsets_in_inflated": tree.inflated,
        "reasons": [_reason(r, language) for r in examination.reasons],
        "elements": tree.count,
        "listed": len(wanted),
        "tags": [_element(examination, e) for e in wanted],
    }


def _reason(reason: Reason, language: str) -> dict[str, Any]:
    breach = reason.breach
    if reason.problem is not None:
        said = {"reason": reason.problem.code, "sentence": sentence(language, reason.problem)}
    else:
        code = breach.code if breach is not None else ""
        params = dict(breach.params) if breach is not None else {}
        said = {"reason": code, "sentence": translate(language, code, params)}
    return {
        **said,
        "refuses": reason.refuses,
        "clause": reason.clause,
        "rule": translate(language, reason.rule.message) if reason.rule is not None else "",
        "tag": f"({reason.rule.tag >> 16:04X},{reason.rule.tag & 0xFFFF:04X})" if reason.rule and reason.rule.tag else "",
        "path": breach.path if breach is not None else "",
        "offset": breach.offset if breach is not None else None,
    }


def _element(examination: Examination, element: TagElement) -> dict[str, Any]:
    value = shown(examination.tree, element, 400)
    return {
        "path": element.path(),
        "depth": element.depth,
        "kind": element.kind,
        "tag": element.tag_text,
        "keyword": element.keyword,
        "creator": element.creator,
        "vr": element.vr,
        "vm": multiplicity(examination.tree, element),
        "length": element.length,
        "offset": element.offset,
        "value": value.text,
        "read_as": value.repaired,
    }


def lines(answer: dict[str, Any]) -> list[str]:
    """The same for a terminal."""
    out = [f"{answer['state']}: {answer['sop_class']} · {answer['transfer_syntax']} · {answer['bytes']} bytes"]
    for reason in answer["reasons"]:
        place = f" {reason['path'] or reason['tag']}" + (
            f" at byte {reason['offset']}" if reason["offset"] is not None else ""
        )
        out.append(f"  ! {reason['sentence']} [{reason['clause']}]{place.rstrip()}")
        if reason["rule"]:
            out.append(f"    {reason['rule']}")
    for tag in answer["tags"]:
        indent = "  " * tag["depth"]
        name = tag["keyword"] or tag["creator"] or ("" if tag["kind"] == "element" else tag["kind"])
        length = "open" if tag["length"] is None else tag["length"]
        head = f"{tag['offset']:>10}  {indent}{tag['tag']} {tag['vr']:<2} {length!s:>6}  {name}"
        out.append(f"{head}  {tag['value']}".rstrip())
    return out
