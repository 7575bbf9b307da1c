"""DICOM Hanging Protocol objects (PS3.3 A.44, C.23) out of a protocol's data, and back, also those of other makers.

The data are what ``resources/hanging_protocols/*.toml`` hold. Standard attributes say what other viewers can follow: image
sets by modality, laterality, view and description, priors, boxes, reformats, inversion, groups that scroll together. Our own
form travels in one private element, so that an object of ours comes back exactly as it was.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from app.dicom.data_set import data_set
from app.dicom.hanging_regions import required_rules
from app.domain.identity import new_uid
from app.domain.problem import ProblemError, fail

SOP_CLASS = "1.2.840.10008.5.1.4.38.1"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
PRIVATE_CREATOR = "EKINSHI HANGING"
_GROUP = 0x0073
RANK_OF_OTHERS = 5.0
"""An object of another maker goes before our protocols where it names the same region, and not before one of a region that
it does not name.
"""
LIMIT_BYTES = 4 << 20
"""A protocol is some kilobytes; what claims more is none."""

Cell = tuple[float, float, float, float]
CellsOf = Callable[[str], Sequence[Cell]]
_SELECTABLE: Mapping[str, tuple[int, str]] = {
    "Modality": (0x00080060, "CS"),
    "Laterality": (0x00200062, "CS"),
    "ViewPosition": (0x00185101, "CS"),
    "BodyPartExamined": (0x00180015, "CS"),
    "PresentationIntentType": (0x00080068, "CS"),
    "SeriesDescription": (0x0008103E, "LO"),
    "ConvolutionKernel": (0x00181210, "SH"),
    "Contrast": (0x00180010, "LO"),
}
"""Our attribute to the selector's tag and VR; other rules are ours alone and travel in the private element."""
_ATTRIBUTE = {tag: name for name, (tag, _) in _SELECTABLE.items()} | {0x00200060: "Laterality"}
_VALUE_KEYWORD = {"CS": "SelectorCSValue", "LO": "SelectorLOValue", "SH": "SelectorSHValue", "ST": "SelectorSTValue"}
_DIRECTION = {"axial": "TRANSVERSE", "coronal": "CORONAL", "sagittal": "SAGITTAL"}
_PLANE = {v: k for k, v in _DIRECTION.items()} | {"OBLIQUE": "axial"}
_VOI = {"LUNG": "lung", "MEDIASTINUM": "mediastinum", "ABDO_PELVIS": "abdomen", "LIVER": "liver", "SOFT_TISSUE": "abdomen",
        "BONE": "bone", "BRAIN": "brain", "POST_FOSSA": "brain"}  # fmt: skip
_VOI_TYPE = {"lung": "LUNG", "mediastinum": "MEDIASTINUM", "abdomen": "ABDO_PELVIS", "liver": "LIVER", "bone": "BONE",
             "brain": "BRAIN"}  # fmt: skip


def _item(**values: Any) -> Any:
    from pydicom.dataset import Dataset

    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def _selector(rule: Mapping[str, Any]) -> Any | None:
    """A rule on a plain attribute as an Image Set Selector item; None for what the standard's selector cannot say."""
    found = _SELECTABLE.get(str(rule["attribute"]))
    values = rule.get("equals", rule.get("one_of"))
    if found is None or values is None or isinstance(values, bool):
        return None
    values = values if isinstance(values, list) else [values]
    vr = found[1]
    item = _item(
        ImageSetSelectorUsageFlag="MATCH" if rule.get("required") else "NO_MATCH",
        SelectorAttribute=found[0],
        SelectorAttributeVR=vr,
        SelectorValueNumber=0,
    )
    setattr(item, _VALUE_KEYWORD[vr], [str(v) for v in values])
    return item


def _is_prior(rules: Sequence[Mapping[str, Any]]) -> bool:
    return any(r["attribute"] == "Prior" and r.get("equals") is True for r in rules)


def _image_sets(sets: Sequence[Mapping[str, Any]]) -> list[Any]:
    out = []
    for number, entry in enumerate(sets, start=1):
        rules = entry.get("rule", [])
        selectors = [s for s in map(_selector, rules) if s is not None]
        time = _item(ImageSetNumber=number, ImageSetLabel=str(entry["name"])[:64])
        if _is_prior(rules):
            time.ImageSetSelectorCategory = "ABSTRACT_PRIOR"
            time.AbstractPriorValue = [1, 1]
        else:
            time.ImageSetSelectorCategory = "RELATIVE_TIME"
            time.RelativeTime = [0, 0]
            time.RelativeTimeUnits = "SECONDS"
        out.append(_item(ImageSetSelectorSequence=selectors, TimeBasedImageSetsSequence=[time]))
    return out


def _display_sets(data: Mapping[str, Any], cells_of: CellsOf) -> tuple[list[Any], list[Any]]:
    """(display sets, groups that scroll together)."""
    numbers = {entry["name"]: n for n, entry in enumerate(data.get("set", []), start=1)}
    displays: list[Any] = []
    linked: dict[tuple[int, str], list[int]] = {}
    for group, stage in enumerate(data.get("stage", []), start=1):
        for pane, (x, y, w, h) in zip(stage["pane"], cells_of(stage["layout"]), strict=False):
            names = pane["set"] if isinstance(pane["set"], list) else [pane["set"]]
            if not names:
                continue  # a place that stays empty
            # Screen coordinates of the standard start at the lower left corner: (left, top, right, bottom).
            position = [round(v, 6) for v in (x, 1.0 - y, x + w, 1.0 - y - h)]
            box = _item(ImageBoxNumber=1, DisplayEnvironmentSpatialPosition=position, ImageBoxLayoutType="STACK")
            number = len(displays) + 1
            made = _item(
                DisplaySetNumber=number,
                DisplaySetPresentationGroup=group,
                DisplaySetPresentationGroupDescription=str(stage["name"])[:64],
                ImageSetNumber=numbers[names[0]],
                ImageBoxesSequence=[box],
                FilterOperationsSequence=[],
                SortingOperationsSequence=[],
                ShowGrayscaleInverted="YES" if pane.get("invert") else "NO",
            )
            plane = pane.get("plane", "stack")
            if plane in _DIRECTION:
                made.ReformattingOperationType = "SLAB" if pane.get("slab_mm") else "MPR"
                made.ReformattingThickness = float(pane.get("slab_mm", 0.0))
                made.ReformattingOperationInitialViewDirection = _DIRECTION[plane]
            if pane.get("preset") in _VOI_TYPE:
                made.VOIType = _VOI_TYPE[pane["preset"]]
            displays.append(made)
            if pane.get("link"):
                linked.setdefault((group, str(pane["link"])), []).append(number)
    groups = [_item(DisplaySetScrollingGroup=numbers_) for numbers_ in linked.values() if len(numbers_) > 1]
    return displays, groups


def hanging_object(
    data: Mapping[str, Any], cells_of: CellsOf, title: str, creator: str, at: datetime, level: str = "SITE"
) -> bytes:
    """A Part 10 file. ``cells_of`` gives a layout's rectangles (x, y, width, height in parts, y down)."""
    from pydicom.dataset import Dataset, FileMetaDataset

    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = EXPLICIT_LE
    ds.file_meta.MediaStorageSOPClassUID = SOP_CLASS
    ds.SOPClassUID, ds.SOPInstanceUID = SOP_CLASS, new_uid()
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.HangingProtocolName = str(data["name"])[:16]
    ds.HangingProtocolDescription = title[:64]
    ds.HangingProtocolLevel = level
    ds.HangingProtocolCreator = creator[:64]
    ds.HangingProtocolCreationDateTime = at.strftime("%Y%m%d%H%M%S")
    modalities: list[str] = []
    for rule in data.get("match", []):
        if rule["attribute"] == "Modality":
            values = rule.get("equals", rule.get("one_of", []))
            modalities += values if isinstance(values, list) else [values]
    ds.HangingProtocolDefinitionSequence = [
        _item(
            Modality=m, AnatomicRegionSequence=[], Laterality="", ProcedureCodeSequence=[],
            ReasonForRequestedProcedureCodeSequence=[],
        )
        for m in modalities or ["OT"]
    ]  # fmt: skip
    ds.HangingProtocolUserIdentificationCodeSequence = []
    sets = data.get("set", [])
    ds.NumberOfPriorsReferenced = int(any(_is_prior(s.get("rule", [])) for s in sets))
    ds.ImageSetsSequence = _image_sets(sets)
    ds.NumberOfScreens = 1
    ds.NominalScreenDefinitionSequence = [
        _item(
            NumberOfVerticalPixels=1080, NumberOfHorizontalPixels=1920, ScreenMinimumGrayscaleBitDepth=8,
            DisplayEnvironmentSpatialPosition=[0.0, 1.0, 1.0, 0.0], ApplicationMaximumRepaintTime=100,
        )
    ]  # fmt: skip
    displays, groups = _display_sets(data, cells_of)
    ds.DisplaySetsSequence = displays
    ds.PartialDataDisplayHandling = "MAINTAIN_LAYOUT"
    ds.SynchronizedScrollingSequence = groups
    block = ds.private_block(_GROUP, PRIVATE_CREATOR, create=True)
    block.add_new(0x01, "UT", json.dumps({"title": title, **data}, ensure_ascii=False))
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _rules_of(item: Any, prior: bool) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = [{"attribute": "Prior", "equals": prior, "required": True}]
    for selector in item.get("ImageSetSelectorSequence") or []:
        name = _ATTRIBUTE.get(int(selector.get("SelectorAttribute", 0)))
        keyword = _VALUE_KEYWORD.get(str(selector.get("SelectorAttributeVR", "")))
        value = selector.get(keyword) if keyword else None
        if name is None or value in (None, ""):
            continue
        values = [str(v) for v in value] if not isinstance(value, str) else [value]
        required = str(selector.get("ImageSetSelectorUsageFlag", "")) == "MATCH"
        rules.append({"attribute": name, "one_of": values, **({"required": True} if required else {"weight": 2.0})})
    return rules


def _foreign(ds: Any) -> dict[str, Any]:
    """The data of an object that is not ours, as far as our panes can follow it."""
    sets: list[dict[str, Any]] = []
    names: dict[int, str] = {}
    for item in ds.get("ImageSetsSequence") or []:
        for time in item.get("TimeBasedImageSetsSequence") or []:
            number = int(time.ImageSetNumber)
            prior = str(time.get("ImageSetSelectorCategory", "")) == "ABSTRACT_PRIOR" or any(
                int(v) > 0 for v in (time.get("RelativeTime") or [0])
            )
            names[number] = f"set_{number}"
            sets.append({"name": names[number], "rule": _rules_of(item, prior)})
    linked: dict[int, str] = {}
    for n, group in enumerate(ds.get("SynchronizedScrollingSequence") or []):
        value = group.get("DisplaySetScrollingGroup")
        members = [value] if isinstance(value, int) else list(value or [])
        linked |= {int(m): f"group_{n + 1}" for m in members}
    stages: dict[int, dict[str, Any]] = {}
    for display in ds.get("DisplaySetsSequence") or []:
        number = int(display.get("ImageSetNumber", 0))
        boxes = display.get("ImageBoxesSequence") or []
        if number not in names or not boxes:
            continue
        left, top, right, bottom = (float(v) for v in boxes[0].DisplayEnvironmentSpatialPosition)
        group = int(display.get("DisplaySetPresentationGroup", 1))
        stage = stages.setdefault(group, {"name": "all", "cells": [], "pane": []})
        stage["cells"].append((left, 1.0 - top, right - left, top - bottom))
        pane: dict[str, Any] = {"set": names[number], "start": "middle"}
        direction = str(display.get("ReformattingOperationInitialViewDirection", ""))
        if display.get("ReformattingOperationType") in ("MPR", "SLAB") and direction in _PLANE:
            pane["plane"] = _PLANE[direction]
            if float(display.get("ReformattingThickness") or 0.0) > 0 and display.ReformattingOperationType == "SLAB":
                pane["slab_mm"] = float(display.ReformattingThickness)
        voi = _VOI.get(str(display.get("VOIType", "")))
        if voi:
            pane["preset"] = voi
        if str(display.get("ShowGrayscaleInverted", "NO")) == "YES":
            pane["invert"] = True
        if int(display.DisplaySetNumber) in linked:
            pane["link"] = linked[int(display.DisplaySetNumber)]
        stage["pane"].append(pane)
    definitions = list(ds.get("HangingProtocolDefinitionSequence") or [])
    modalities = [str(d.Modality) for d in definitions if d.get("Modality")]
    match: list[dict[str, Any]] = [{"attribute": "PictureCount", "at_least": 1, "required": True}]
    match += required_rules(definitions)
    if modalities:
        match.insert(0, {"attribute": "Modality", "one_of": modalities, "required": True, "weight": 2.0})
    for stage in stages.values():
        cells = stage.pop("cells")
        stage["layout"] = "cells:" + ";".join(",".join(f"{v:.6g}" for v in c) for c in cells)
    title = str(ds.get("HangingProtocolDescription", "") or ds.get("HangingProtocolName", ""))
    return {
        "title": title,
        "name": "imported",
        "rank": RANK_OF_OTHERS,
        "match": match,
        "set": sets,
        "stage": list(stages.values()),
    }


def read_hanging_object(content: bytes) -> dict[str, Any]:
    """The protocol's data with its ``title``. Raises ``hanging.not_an_object`` or ``hanging.object_unreadable``."""
    if len(content) > LIMIT_BYTES:
        raise fail("hanging.not_an_object")
    try:
        ds: Any = data_set(content)
        if str(ds.get("SOPClassUID", "")) != SOP_CLASS:
            raise fail("hanging.not_an_object")
        try:
            own = ds.private_block(_GROUP, PRIVATE_CREATOR)[0x01].value
        except KeyError:
            return _foreign(ds)
        data = json.loads(own)
        if not isinstance(data, dict):
            raise fail("hanging.object_unreadable", kind="ValueError")
        return data
    except ProblemError:
        raise
    except Exception as error:  # any maker's bytes
        raise fail("hanging.object_unreadable", kind=type(error).__name__) from error
