"""How a study hangs: every protocol is scored, the best one lays out the panes, and it can say why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from app.domain.geometry import Point2
from app.domain.pixels import VoiWindow
from app.domain.study import DisplaySet, Study
from app.viewer.anatomy import Match
from app.viewer.hanging_protocols import HangingProtocol, PaneSpec, Selector, shipped_protocols
from app.viewer.hanging_rules import (
    Candidate,
    Rule,
    RuleResult,
    candidates,
    documents,
    evaluate,
    is_localizer,
    score_of,
    slice_plane,
    study_attributes,
)
from app.viewer.layers import OverMode
from app.viewer.layouts import Cell, grid_for, layout_cells
from app.viewer.mount import SLOTS, Film, mounted
from app.viewer.presets import preset
from app.viewer.priors import JudgedPrior, aged, beside, matching, verdicts
from app.viewer.series_kind import likeness, most_like
from app.viewer.sides import letters_of, turned_to
from app.viewer.upright import SECTIONS, upright
from app.viewer.view_state import Plane, ViewState

PriorStudy = tuple[Study, tuple[DisplaySet, ...]]
MAX_GRID = 9
ABSOLUTE = frozenset({"CT"})
"""Modalities whose windows mean the same in every study."""


@dataclass(frozen=True)
class HungPane:
    """``view.display_set_id`` "" is an empty pane."""

    cell: Cell
    view: ViewState
    study_instance_uid: str = ""
    preset: str = ""
    window: VoiWindow | None = None
    """Of the preset; None: as the object says."""
    label: str = ""
    """Message id."""
    link: str = ""
    prior: bool = False
    needs_volume: bool = False
    selector: str = ""
    over: str = ""
    """Display set laid over it in colour, or empty."""
    ai: bool = True
    guessed: bool = False
    """Of a mount: nothing in the object says that it belongs here."""
    fit_exposed: bool = False
    """What zoom 1 fits is to become the exposed field, as soon as the picture is there."""
    over_mode: OverMode = OverMode.BLEND
    flicker: bool = False
    over_look: tuple[str, float] = ("", 0.0)
    """(colour table, opacity); "": its own."""
    over_preset: str = ""

    @property
    def display_set_id(self) -> str:
        return self.view.display_set_id


@dataclass(frozen=True)
class HungStage:
    name: str
    """Message id ``hanging.stage.<name>``."""
    layout: str
    panes: tuple[HungPane, ...]
    tool: str = ""
    """In the reader's hand while the stage hangs, unless the reader took another."""
    number: int = -1
    """Of the protocol's stages the one that it is; -1: none of them (a grid, what found no place)."""


@dataclass(frozen=True)
class Considered:
    """One protocol as it was judged; ``score`` None: a required rule failed."""

    protocol: str
    score: float | None
    rules: tuple[RuleResult, ...]
    title: str = ""


@dataclass(frozen=True)
class Hanging:
    protocol: str
    """Name; its title is the message ``hanging.<protocol>``. "" when there is nothing to show."""
    stages: tuple[HungStage, ...]
    score: float
    considered: tuple[Considered, ...]
    """All protocols, the chosen one first: the answer to "why did it hang like this?"."""
    priors: tuple[JudgedPrior, ...] = ()
    """Every earlier study, the newest first, and how it goes with this one."""

    @property
    def matching_priors(self) -> frozenset[str]:
        """Study Instance UIDs of those that show the same part."""
        return frozenset(j.study_instance_uid for j in self.priors if j.match >= Match.NEAR)


def ranked(rules: Sequence[Rule], pool: Sequence[Candidate]) -> list[Candidate]:
    """Those that every required rule allows: the present study, then the newest prior; of each the highest score first,
    then its own order."""
    scored: list[tuple[float, int, Candidate]] = []
    for order, candidate in enumerate(sorted(pool, key=is_localizer)):
        score = score_of(rules, candidate.attributes)
        if score is not None:
            scored.append((-score, order, candidate))
    scored.sort(key=lambda item: item[:2])
    scored.sort(key=lambda item: item[2].study.study_datetime if item[2].prior else "~", reverse=True)
    return [candidate for _, _, candidate in scored]


def fitting(
    selector: Selector, current: Sequence[Candidate], older: Sequence[Candidate] = (), hung: Sequence[Candidate] = ()
) -> list[Candidate]:
    """The best first. ``hung``: what of the present study lies in the same stage; a prior has to go with it."""
    same, near = beside(selector.rules, hung, older)
    return (ranked(selector.rules, [*current, *same]) + ranked(selector.rules, near))[selector.nth :]


def _chosen(
    spec: PaneSpec,
    by_name: Mapping[str, Selector],
    current: Sequence[Candidate],
    older: Sequence[Candidate] = (),
    hung: Sequence[Candidate] = (),
) -> tuple[str, Candidate | None, Candidate | None]:
    """(selector, what it finds, what lies over it): of the first of the pane's selectors that finds something.

    What lies over an image is of the image's own study, else something that goes with it (a kept comparison with a prior).
    Of the priors one that has it goes first.
    """

    def over(candidate: Candidate) -> Candidate | None:
        selector = by_name[spec.over]
        of_one = [c for c in (*current, *older) if c.study is candidate.study]
        found = fitting(selector, of_one) or ([] if candidate.prior else fitting(selector, (), older, [candidate]))
        if spec.over_mode is not OverMode.BLEND:
            found = [c for c in found if not c.prior or likeness(candidate, c) is not None]
        return next(iter(found), None)

    for name in spec.sets:
        found = fitting(by_name[name], current, older, hung)
        if not found:
            continue
        if not spec.over:
            return name, found[0], None
        laid = [(c, over(c)) for c in (found if found[0].prior else found[:1])]
        return (name, *next(((c, o) for c, o in laid if o is not None), laid[0]))
    return "", None, None


def extent_mm(candidate: Candidate) -> Point2 | None:
    """(width, height) of a picture in mm at its own or its detector's spacing; for comparing scales only."""
    i = candidate.instance
    if i is None or i.pixel_format is None:
        return None
    spacing = i.pixel_spacing_mm or i.imager_pixel_spacing_mm
    if spacing is None:
        return None
    return (i.pixel_format.columns * spacing[1], i.pixel_format.rows * spacing[0])


def _start(spec: PaneSpec, candidate: Candidate) -> int:
    if not candidate.is_stack:
        return candidate.frame_index
    last = len(candidate.display_set.frames) - 1
    return {"first": 0, "middle": last // 2, "last": last}[spec.start]


def stored_letters(found: Candidate) -> tuple[str, str]:
    """Where the rows and the columns of a candidate's picture lead in the patient."""
    said = found.instance.patient_orientation if found.instance is not None else ()
    plane = slice_plane(found)
    return letters_of(() if plane is not None and found.display_set.modality in SECTIONS else said, plane)


def _stands(view: ViewState, spec: PaneSpec, found: Candidate) -> ViewState:
    """Turned to the sides that the protocol wants; a section of which it wants none stands upright."""
    shown = slice_plane(found)
    if not (spec.right_is or spec.down_is) and shown is not None and found.display_set.modality in SECTIONS:
        return upright(view, shown)
    return turned_to(view, stored_letters(found), spec.right_is, spec.down_is)


def _cut(view: ViewState, spec: PaneSpec) -> ViewState:
    """A reformat or a rendering as the protocol wants it."""
    degrees, mirrored, upside_down = spec.turn
    view = replace(view, rotation_deg=degrees, flip_h=mirrored, flip_v=upside_down)
    if spec.cut is not None:
        view = replace(view, oblique_row=spec.cut[0], oblique_column=spec.cut[1])
    if len(spec.crop) == 6:
        view = replace(view, crop=spec.crop)
    return replace(view, volume_preset=spec.solid) if spec.solid else view


def _hang_pane(spec: PaneSpec, cell: Cell, found: Candidate | None, name: str, over: Candidate | None = None) -> HungPane:
    if found is None:
        return HungPane(cell, ViewState(), label=spec.label, link=spec.link)
    plane = spec.plane if found.is_stack else Plane.STACK
    view = ViewState(
        display_set_id=found.display_set.display_set_id,
        plane=plane,
        frame_index=_start(spec, found),
        anchor=spec.anchor,
        slab_mm=spec.slab_mm if plane is not Plane.STACK else 0.0,
        slab_mode=spec.slab_mode,
        invert=spec.invert,
        zoom=spec.zoom,
    )
    view = _stands(view, spec, found) if plane is Plane.STACK else _cut(view, spec)
    wanted = dict(spec.preset_by_set).get(name, spec.preset)
    chosen = preset(wanted) if wanted else None
    own = VoiWindow(*spec.window) if spec.window is not None and found.display_set.modality in ABSOLUTE else None
    laid = over is not None and found.is_stack and plane is not Plane.RENDERED
    return HungPane(
        cell,
        view,
        found.study.study_instance_uid,
        wanted,
        chosen.window if chosen else own,
        spec.label,
        spec.link,
        found.prior,
        plane is not Plane.STACK,
        name,
        over.display_set.display_set_id if over is not None and laid else "",
        spec.ai,
        fit_exposed=spec.fit == "exposed",
        over_mode=spec.over_mode,
        flicker=spec.flicker,
        over_look=spec.over_look,
        over_preset=spec.over_preset,
    )


def _aspect(found: Sequence[Candidate]) -> float:
    """Width to height of the pictures, the middle one of all."""
    known = []
    for c in found:
        pixels = c.instance.pixel_format if c.instance is not None else None
        if pixels is not None and pixels.rows and pixels.columns:
            known.append(pixels.columns / pixels.rows)
    return min(4.0, max(0.25, sorted(known)[len(known) // 2])) if known else 1.0


def _film(candidate: Candidate) -> Film:
    i, series = candidate.instance, candidate.series
    extra = i.extra if i is not None else {}
    words = [extra.get("anatomy", ""), series.description if series is not None else "", candidate.display_set.label]
    side = (i.laterality if i is not None else "") or (series.laterality if series is not None else "")
    return Film(frozenset(int(t) for t in extra.get("teeth", "").split()), side, " ".join(w for w in words if w))


def _mount(name: str, layout: str, current: Sequence[Candidate]) -> list[HungStage]:
    """The mount, and what finds no place in it on a page of its own."""
    films = [c for c in current if c.display_set.modality in ("IO", "DX", "CR", "RG", "OT")]
    places, rest = mounted([_film(c) for c in films])
    panes = []
    for slot, place, cell in zip(SLOTS, places, layout_cells(layout), strict=True):
        spec = PaneSpec((), label=f"mount.{slot.name}")
        hung = _hang_pane(spec, cell, films[place.film] if place is not None else None, "")
        panes.append(replace(hung, guessed=place is not None and place.guessed))
    out = [HungStage(name, layout, tuple(panes))]
    if rest:
        more = [films[n] for n in rest][:MAX_GRID]
        grid = grid_for(len(more), _aspect(more))
        out.append(
            HungStage(
                "all",
                grid,
                tuple(_hang_pane(PaneSpec(()), c, f, "") for c, f in zip(layout_cells(grid), more, strict=False)),
            )
        )
    return out


def _one_scale(panes: list[HungPane], specs: Sequence[PaneSpec], found: Sequence[Candidate | None]) -> list[HungPane]:
    """Panes of a scale group get the largest extent of the group as what zoom 1 fits."""
    out = list(panes)
    for group in {s.scale_group for s in specs if s.scale_group}:
        members = [n for n, s in enumerate(specs) if s.scale_group == group and found[n] is not None]
        extents = [extent_mm(c) for n in members if (c := found[n]) is not None]
        known = [e for e in extents if e is not None]
        if len(known) != len(members) or not known:
            continue  # one picture without a scale: nothing may be claimed for the group
        largest = (max(e[0] for e in known), max(e[1] for e in known))
        for n in members:
            out[n] = replace(out[n], view=replace(out[n].view, fit_extent_mm=largest))
    return out


def _stages(protocol: HangingProtocol, current: Sequence[Candidate], priors: Sequence[Candidate]) -> tuple[HungStage, ...]:
    if protocol.grid:
        shown = sorted(current, key=is_localizer)[:MAX_GRID]
        layout = grid_for(len(shown), _aspect(shown))
        cells = layout_cells(layout)
        filled = [_hang_pane(protocol.grid_pane, cell, c, "") for cell, c in zip(cells, shown, strict=False)]
        filled += [HungPane(cell, ViewState()) for cell in cells[len(filled) :]]
        return (HungStage("all", layout, tuple(filled)),)
    by_name = {s.name: s for s in protocol.selectors}
    out: list[HungStage] = []
    for number, stage in enumerate(protocol.stages):
        if (stage.needs_prior and not priors) or (stage.otherwise and out):
            continue
        cells = layout_cells(stage.layout)
        if stage.mount:
            out.extend(_mount(stage.name, stage.layout, current))
            continue
        found: list[Candidate | None] = []
        panes: list[HungPane] = []
        hung = [c for spec in stage.panes if (c := _chosen(spec, by_name, current)[1]) is not None]
        older = most_like(hung, priors)
        for spec, cell in zip(stage.panes, cells, strict=False):
            name, candidate, over = _chosen(spec, by_name, current, older, hung)
            found.append(candidate)
            panes.append(_hang_pane(spec, cell, candidate, name, over))
        if 2 * sum(c is not None for c in found) <= sum(bool(spec.sets) for spec in stage.panes):
            continue  # a stage that is half empty is no arrangement
        panes = _one_scale(panes, stage.panes, found)
        panes += [HungPane(cell, ViewState()) for cell in cells[len(panes) :]]
        out.append(HungStage(stage.name, stage.layout, tuple(panes), stage.tool, number))
    return tuple(out)


def may_hang(study: Study, current: Sequence[Candidate], priors: Sequence[PriorStudy]) -> tuple[Candidate, ...]:
    """What of the earlier studies may hang beside the present one by itself, with its age; the newest study first."""
    return matching(study, current, _earlier(study, priors))


def _earlier(study: Study, priors: Sequence[PriorStudy]) -> list[Candidate]:
    return aged(study, [c for prior, sets in priors for c in candidates(prior, sets, prior=True)])


def hang(
    study: Study,
    display_sets: Sequence[DisplaySet],
    priors: Sequence[PriorStudy] = (),
    protocols: Sequence[HangingProtocol] | None = None,
) -> Hanging:
    """The best protocol's panes, stage by stage, with the reasons. ``priors``: of the same patient (the caller's duty);
    which of them may hang: ``app.viewer.priors``. A study with nothing to show hangs nothing.
    """
    current = candidates(study, display_sets, prior=False)
    every = _earlier(study, priors)
    older, told = matching(study, current, every), verdicts(study, current, every)
    offered = shipped_protocols().protocols if protocols is None else protocols
    attributes = study_attributes(study, current, older)
    judged: list[tuple[float, Considered, HangingProtocol]] = []
    for protocol in offered:
        score, rules = evaluate(protocol.rules, attributes)
        total = None if score is None or not current else score + protocol.rank
        judged.append((-1e9 if total is None else total, Considered(protocol.name, total, rules, protocol.title), protocol))
    judged.sort(key=lambda item: (-item[0], item[1].protocol))
    for score, chosen, protocol in judged:
        if chosen.score is None:
            break
        stages = _stages(protocol, current, older)
        if stages:
            rest = tuple(c for _, c, _ in judged if c is not chosen)
            return Hanging(protocol.name, stages, score, (chosen, *rest), told)
    rest = tuple(c for _, c, _ in judged)
    papers = documents(study, display_sets)
    if papers and not current:  # a study of reports alone opens on its reports
        layout = grid_for(min(2, len(papers)), 0.7)
        cells = layout_cells(layout)
        panes = [_hang_pane(PaneSpec(()), cell, c, "") for cell, c in zip(cells, papers, strict=False)]
        return Hanging("documents", (HungStage("all", layout, tuple(panes)),), 0.0, rest, told)
    return Hanging("", (), 0.0, rest, told)
