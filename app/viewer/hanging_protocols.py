"""Hanging protocols as data: ``resources/hanging_protocols/*.toml`` read and checked; a broken file is told by name."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from app.domain.geometry import Point3
from app.domain.problem import Problem
from app.domain.resources import resource_path
from app.viewer.hanging_rules import Rule, rule_from
from app.viewer.layers import OverMode
from app.viewer.layouts import layout_cells
from app.viewer.presets import preset
from app.viewer.view_state import Plane, SlabMode


@dataclass(frozen=True)
class Selector:
    """Which candidate: every required rule must pass, the highest score wins, then the order of the study."""

    name: str
    rules: tuple[Rule, ...]
    nth: int = 0
    """0 the best, 1 the next best, ..."""


@dataclass(frozen=True)
class PaneSpec:
    sets: tuple[str, ...]
    """Names of selectors; the first that finds something hangs."""
    plane: Plane = Plane.STACK
    preset: str = ""
    start: str = "first"
    """first, middle or last frame of a stack."""
    link: str = ""
    """Panes with the same word scroll, zoom and pan together."""
    scale_group: str = ""
    """Panes with the same word show one scale (millimetres per pixel)."""
    anchor: tuple[float, float] = (0.5, 0.5)
    right_is: str = ""
    """Patient letter wanted at the right edge; the picture is mirrored when it says the opposite."""
    down_is: str = ""
    """As ``right_is``, of the lower edge."""
    slab_mm: float = 0.0
    slab_mode: SlabMode = SlabMode.MAXIMUM
    label: str = ""
    """Message id."""
    preset_by_set: tuple[tuple[str, str], ...] = ()
    """(selector, preset) where it differs from ``preset``."""
    over: str = ""
    """Selector of a volume that is laid over this one in colour (PET over CT)."""
    invert: bool = False
    zoom: float = 1.0
    """Below 1 a margin stays around the picture: what is burned into ultrasound is not written over."""
    fit: str = ""
    """"exposed": what zoom 1 fits is the exposed field of a film, without its even frame."""
    ai: bool = True
    """False: the second reader's marks stay off this pane after the reveal."""
    over_mode: OverMode = OverMode.BLEND
    """How ``over`` is shown: in colour, as a difference, or alone in its place."""
    flicker: bool = False
    """``over`` alone comes and goes."""
    over_look: tuple[str, float] = ("", 0.0)
    """(colour table, opacity) of ``over``; "": its own."""
    over_preset: str = ""
    """Window preset of ``over``; "": that of PET for a PET, its own values for others."""
    window: tuple[float, float] | None = None
    """(centre, width) of the reader's own, where no preset has these numbers; only for values with an absolute scale."""
    turn: tuple[float, bool, bool] = (0.0, False, False)
    """Of reformats, which have no stored way to stand: (degrees clockwise, mirrored, upside down)."""
    cut: tuple[Point3, Point3] | None = None
    """(to the right, down the pane): of an oblique plane and of a rendering; None: as these begin."""
    solid: str = ""
    """Look of a rendering."""
    crop: tuple[float, ...] = ()
    """Of a rendering: what is kept of its box."""


@dataclass(frozen=True)
class StageSpec:
    name: str
    layout: str
    panes: tuple[PaneSpec, ...]
    needs_prior: bool = False
    otherwise: bool = False
    """Only when no stage before it found enough to hang."""
    mount: bool = False
    """The panes are the places of a full-mouth mount; films go where their anatomy belongs."""
    tool: str = ""
    """Tool that the stage starts with; empty: the reader keeps the one in hand."""


@dataclass(frozen=True)
class HangingProtocol:
    name: str
    """Also its message id ``hanging.<name>``."""
    rules: tuple[Rule, ...]
    selectors: tuple[Selector, ...]
    stages: tuple[StageSpec, ...]
    rank: float = 0.0
    """Added to the score: a special protocol goes before a general one."""
    grid: bool = False
    """Instead of stages: every candidate in its own pane, in the study's order."""
    grid_pane: PaneSpec = PaneSpec((), link="grid", start="middle")
    """How the panes of a grid look at what hangs in them."""
    example: Mapping[str, Any] | None = None
    title: str = ""
    """Of a protocol of the reader's own; shipped ones have a message."""


def _pane(entry: Mapping[str, Any], selectors: set[str]) -> PaneSpec:
    names = entry["set"] if isinstance(entry["set"], list) else [entry["set"]]
    if not {*names, *([entry["over"]] if "over" in entry else [])} <= selectors:
        raise ValueError(f"a pane asks for {names}, known are {sorted(selectors)}")
    by_set = dict(entry.get("preset_by_set", {}))
    for wanted in (entry.get("preset", ""), entry.get("over_preset", ""), *by_set.values()):
        if wanted and preset(wanted) is None:
            raise ValueError(f"unknown window preset {wanted!r}")
    if entry.get("fit", "") not in ("", "exposed") or not 0.5 <= float(entry.get("zoom", 1.0)) <= 1.0:
        raise ValueError('"fit" is exposed, "zoom" lies between 0.5 and 1')
    if entry.get("start", "first") not in ("first", "middle", "last"):
        raise ValueError('"start" is first, middle or last')
    anchor = entry.get("anchor", [0.5, 0.5])
    plane = Plane(entry.get("plane", "stack"))
    if plane is Plane.CURVED:
        raise ValueError("a curve is drawn on one patient, no protocol can ask for it")
    return PaneSpec(
        tuple(names),
        plane,
        entry.get("preset", ""),
        entry.get("start", "first"),
        entry.get("link", ""),
        entry.get("scale_group", ""),
        (float(anchor[0]), float(anchor[1])),
        entry.get("right_is", ""),
        entry.get("down_is", ""),
        float(entry.get("slab_mm", 0.0)),
        SlabMode(entry.get("slab_mode", "max")),
        entry.get("label", ""),
        tuple(by_set.items()),
        entry.get("over", ""),
        bool(entry.get("invert", False)),
        float(entry.get("zoom", 1.0)),
        entry.get("fit", ""),
        bool(entry.get("ai", True)),
        OverMode(entry.get("over_mode", "blend")),
        bool(entry.get("flicker", False)),
        (str(entry["over_look"][0]), float(entry["over_look"][1])) if "over_look" in entry else ("", 0.0),
        str(entry.get("over_preset", "")),
        (float(entry["window"][0]), float(entry["window"][1])) if "window" in entry else None,
        _turn(entry.get("turn", (0.0, False, False))),
        (_point(entry["cut"][0]), _point(entry["cut"][1])) if "cut" in entry else None,
        str(entry.get("solid", "")),
        tuple(float(v) for v in entry.get("crop", ())),
    )


def _turn(values: Any) -> tuple[float, bool, bool]:
    degrees, mirrored, upside_down = values
    return (float(degrees), bool(mirrored), bool(upside_down))


def _point(values: Any) -> Point3:
    x, y, z = (float(v) for v in values)
    return (x, y, z)


def protocol_from(data: Mapping[str, Any]) -> HangingProtocol:
    """Of a parsed file. Raises ``ValueError``, ``KeyError`` or ``TypeError`` when it is not a protocol."""
    selectors = tuple(
        Selector(entry["name"], tuple(rule_from(r) for r in entry.get("rule", [])), int(entry.get("nth", 0)))
        for entry in data.get("set", [])
    )
    names = {s.name for s in selectors}
    stages = []
    for entry in data.get("stage", []):
        panes = tuple(_pane(p, names) for p in entry.get("pane", []))
        if len(panes) > len(layout_cells(entry["layout"])):
            raise ValueError(f"stage {entry['name']!r} has more panes than its layout")
        stages.append(
            StageSpec(
                entry["name"],
                entry["layout"],
                panes,
                bool(entry.get("needs_prior", False)),
                bool(entry.get("otherwise", False)),
                bool(entry.get("mount", False)),
                str(entry.get("tool", "")),
            )
        )
    grid = bool(data.get("grid", False))
    rules = tuple(rule_from(r) for r in data.get("match", []))
    if not rules or not (stages or grid):
        raise ValueError("a protocol needs match rules, and stages or grid = true")
    return HangingProtocol(
        data["name"],
        rules,
        selectors,
        tuple(stages),
        float(data.get("rank", 0.0)),
        grid,
        _pane({"link": "grid", "start": "middle", **data.get("grid_pane", {}), "set": []}, names),
        data.get("example"),
        str(data.get("title", "")),
    )


@dataclass(frozen=True)
class FoundProtocols:
    protocols: tuple[HangingProtocol, ...]
    problems: tuple[Problem, ...]


def load_protocols(folder: Path) -> FoundProtocols:
    found: list[HangingProtocol] = []
    problems: list[Problem] = []
    for file in sorted(folder.glob("*.toml")):
        try:
            found.append(protocol_from(tomllib.loads(file.read_text(encoding="utf-8"))))
        except (ValueError, KeyError, TypeError, OSError) as error:
            problems.append(Problem("viewer.protocol_broken", {"file": file.name, "reason": str(error)}))
    return FoundProtocols(tuple(found), tuple(problems))


@lru_cache(maxsize=1)
def shipped_protocols() -> FoundProtocols:
    return load_protocols(resource_path("hanging_protocols"))


def shipped_data(name: str) -> dict[str, Any]:
    """The data of a shipped protocol as its file holds them; empty for a name that none has."""
    if all(p.name != name for p in shipped_protocols().protocols):
        return {}
    return tomllib.loads(resource_path("hanging_protocols", f"{name}.toml").read_text(encoding="utf-8"))
