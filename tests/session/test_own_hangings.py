"""Save this arrangement, learn from me, and the way through a DICOM Hanging Protocol object."""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset

from app.dicom.hanging_object import SOP_CLASS, hanging_object, read_hanging_object
from app.domain.problem import ProblemError
from app.domain.verdict import Overall
from app.session.own_hangings import OwnHangings
from app.viewer.arrangement import ArrangedPane, habit_key, protocol_data
from app.viewer.hanging import hang
from app.viewer.hanging_protocols import protocol_from, shipped_protocols
from app.viewer.layouts import layout_cells
from app.viewer.view_state import Plane, SlabMode, ViewState
from tests import phantoms
from tests.flows import stage
from tests.flows.stage import Stage
from tests.session.test_reading import desk, opened
from tests.viewer.test_hanging import MAMMO, study_of
from tests.viewer.test_hanging_anatomy import CASES, pictures

__all__ = ["desk"]


@pytest.mark.parametrize("case", ["abdomen", "pet", "prostate", "knee", "hand", "mount", "angiography", "brain"])
def test_an_arrangement_hangs_the_next_study_of_its_kind_the_same_way(case: str) -> None:
    description, entries, *_ = CASES[case]
    study, sets = study_of({"study_description": description, "display_set": entries})
    stage_ = hang(study, sets).stages[-1]
    panes = [ArrangedPane(p.display_set_id, p.view, p.preset, p.link, p.over) for p in stage_.panes][::-1]
    data = protocol_data("own", study, sets, (), stage_.layout, panes)
    following, following_sets = study_of({"study_description": description, "display_set": entries}, "1.7")
    hung = hang(following, following_sets, protocols=(protocol_from(data), *shipped_protocols().protocols))
    assert hung.protocol == "own"

    def said(p: object) -> tuple:
        return (p.display_set_id.rsplit(".", 1)[-1], p.view.plane, p.view.slab_mm, p.view.invert, p.preset)  # type: ignore[attr-defined]

    wanted = [said(p) for p in panes if p.display_set_id]
    assert [said(p) for p in hung.stages[0].panes if p.display_set_id] == wanted
    other, other_sets = study_of({"study_description": "US thyroid", "display_set": [{**entries[0], "modality": "US"}]})
    assert hang(other, other_sets, protocols=(protocol_from(data), *shipped_protocols().protocols)).protocol != "own"


def test_mammography_keeps_its_sides() -> None:
    study, sets = study_of(MAMMO)
    panes = [ArrangedPane(p.display_set_id, p.view) for p in hang(study, sets).stages[0].panes]
    data = protocol_data("own", study, sets, (), "1x4", panes)
    swapped = {**MAMMO, "display_set": MAMMO["display_set"][::-1]}
    hung = hang(*study_of(swapped), protocols=(protocol_from(data),))
    assert [p.display_set_id for p in hung.stages[0].panes] == ["1.2.2", "1.2.0", "1.2.1", "1.2.3"]
    assert [p.view.anchor[0] for p in hung.stages[0].panes] == [1.0, 0.0, 1.0, 0.0]


def test_nothing_arranged_is_no_protocol() -> None:
    study, sets = study_of(MAMMO)
    with pytest.raises(ValueError, match="nothing"):
        protocol_data("own", study, sets, (), "1x1", [ArrangedPane("", ViewState())])


@pytest.mark.parametrize("protocol", [p for p in shipped_protocols().protocols if p.stages], ids=lambda p: p.name)
def test_every_shipped_protocol_goes_through_the_object_unchanged(protocol: object) -> None:
    import tomllib

    from app.domain.resources import resource_path

    data = tomllib.loads(resource_path("hanging_protocols", f"{protocol.name}.toml").read_text(encoding="utf-8"))  # type: ignore[attr-defined]
    content = hanging_object(data, layout_cells, "Title", "Site", datetime(2026, 11, 23))
    assert read_hanging_object(content) == {"title": "Title", **data}
    ds = pydicom.dcmread(io.BytesIO(content))
    assert ds.SOPClassUID == SOP_CLASS
    displays = sum(len(s["pane"]) for s in data["stage"])
    assert [int(d.DisplaySetNumber) for d in ds.DisplaySetsSequence] == list(range(1, displays + 1))
    assert len(ds.ImageSetsSequence) == len(data["set"])
    for d in ds.DisplaySetsSequence:
        left, top, right, bottom = d.ImageBoxesSequence[0].DisplayEnvironmentSpatialPosition
        assert 0 <= left < right <= 1.000001
        assert 0 <= bottom < top <= 1.000001


def test_an_object_of_another_maker_hangs_by_its_standard_attributes() -> None:
    data = {
        "name": "x",
        "match": [{"attribute": "Modality", "equals": "MG", "required": True}],
        "set": [
            {"name": "a", "rule": [
                {"attribute": "Prior", "equals": False, "required": True},
                {"attribute": "Laterality", "equals": "L", "required": True},
                {"attribute": "ViewPosition", "equals": "CC", "required": True},
            ]},
            {"name": "b", "rule": [
                {"attribute": "Prior", "equals": True, "required": True},
                {"attribute": "Laterality", "equals": "L", "required": True},
                {"attribute": "ViewPosition", "equals": "CC", "required": True},
            ]},
        ],
        "stage": [
            {"name": "s", "layout": "1+2", "pane": [{"set": "a", "invert": True, "link": "g"}, {"set": "b", "link": "g"}]}
        ],
    }  # fmt: skip
    ds = pydicom.dcmread(io.BytesIO(hanging_object(data, layout_cells, "Foreign", "Other", datetime(2026, 1, 1))))
    ds.remove_private_tags()
    out = io.BytesIO()
    ds.save_as(out)
    read = read_hanging_object(out.getvalue())
    assert read["title"] == "Foreign"
    protocol = protocol_from(read)
    for cell, expected in zip(layout_cells(protocol.stages[0].layout), layout_cells("1+2"), strict=False):
        assert cell == pytest.approx(expected, abs=1e-5)
    study, sets = study_of(MAMMO)
    hung = hang(study, sets, [study_of(MAMMO, "1.3")], protocols=(protocol,))
    panes = hung.stages[0].panes
    assert [(p.display_set_id, p.prior) for p in panes] == [("1.2.3", False), ("1.3.3", True)]
    assert panes[0].view.invert
    assert panes[0].link == panes[1].link != ""


def test_what_is_no_hanging_protocol_is_refused() -> None:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=False)
    for content in (b"", b"not dicom", out.getvalue(), b"\0" * (5 << 20)):
        with pytest.raises(ProblemError) as refused:
            read_hanging_object(content)
        assert refused.value.problem.code in {"hanging.not_an_object", "hanging.object_unreadable"}


def test_free_layouts_stay_inside_the_room() -> None:
    assert layout_cells("cells:0,0,0.5,1;0.5,0,0.5,1") == layout_cells("1x2")
    for wrong in ("cells:", "cells:0,0,2,1", "cells:0,0,0,1", "cells:a,b,c,d", "cells:" + ";".join(["0,0,1,1"] * 49)):
        with pytest.raises(ValueError, match=r"."):
            layout_cells(wrong)


def test_one_click_keeps_the_arrangement_and_a_restart_hangs_it(tmp_path: Path) -> None:
    stage.write_study(tmp_path / "dicom")
    with stage.stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "dicom")
        reading = opened(s)
        base = reading.room.hanging.protocol
        reading.set_layout("2x1")
        reading.room.change_view(plane=Plane.SAGITTAL, slab_mm=6.0, slab_mode=SlabMode.MAXIMUM)
        reading.command("save_arrangement")
        assert s.notices[-1] == "hanging.saved"
        (own,) = reading.hangings.own.own()
        content = reading.hangings.own.export(own.name, "Test")
    with stage.stage(tmp_path / "home", None) as s:
        reading = opened(s)
        assert reading.room.hanging.protocol == f"{base}_own1"
        assert reading.hanging_title().id == "hanging.own"
        assert reading.layout().name == "2x1"
        assert reading.room.pane("pane-0").view.plane is Plane.SAGITTAL
        assert reading.room.pane("pane-0").view.slab_mm == 6.0
        reading.hangings.own.remove(own.name)
        assert reading.hangings.own.own() == ()
        brought = reading.hangings.own.bring(content)
        assert brought.title == own.title
    with stage.stage(tmp_path / "home", None) as s:
        assert opened(s).layout().name == "2x1"


def test_the_third_time_is_offered_once(tmp_path: Path) -> None:
    people = [phantoms.ALIYA] * 4
    with stage.stage(tmp_path / "home", None) as s:
        for n, patient in enumerate(people):
            uid = stage.write_study(tmp_path / f"dicom{n}", key=f"k{n}", patient=patient)
            s.bring(tmp_path / f"dicom{n}")
            reading = s.ws.open_study(uid)
            reading.set_layout("2x1")
            reading.commit(Overall.NOTHING)
            s.until(lambda: True)
            s.ws.library.write(lambda tx: None)
            assert ("hanging.habit" in s.notices) == (n >= 2)
        assert s.notices.count("hanging.habit") == 1


def test_the_arrangement_as_it_was_hung_is_no_habit(desk: Stage) -> None:
    reading = opened(desk)
    reading.commit(Overall.NOTHING)
    assert desk.notices == []


def test_two_kinds_of_arrangement_have_two_keys() -> None:
    study, sets = study_of(MAMMO)
    panes = [ArrangedPane(s.display_set_id, ViewState()) for s in sets[:2]]
    a = protocol_data("own", study, sets, (), "1x2", panes)
    assert habit_key(a) == habit_key(protocol_data("other", study, sets, (), "1x2", panes))
    assert habit_key(a) != habit_key(protocol_data("own", study, sets, (), "2x1", panes))
    assert habit_key(a) != habit_key(protocol_data("own", study, sets, (), "1x2", panes[::-1]))


class _Settings:
    def __init__(self) -> None:
        self.kept: dict[str, object] = {}

    def get(self, key: str, default: object) -> object:
        return self.kept.get(key, default)

    def set(self, tx: object, key: str, value: object, person: str) -> None:
        self.kept[key] = value


def test_a_chest_and_a_hand_are_kept_and_counted_each_for_itself() -> None:
    settings = _Settings()
    library = SimpleNamespace(settings=settings, write=lambda act: act(None), write_async=lambda act: act(None))
    own = OwnHangings(library, "me")  # type: ignore[arg-type]
    films = pictures("DX", 2)
    kept = []
    for description, uid in (("X-ray chest", "1.2"), ("X-ray hand", "1.3")):
        study, sets = study_of({"study_description": description, "display_set": films}, uid)
        panes = [ArrangedPane(s.display_set_id, ViewState(s.display_set_id)) for s in sets]
        kept.append(protocol_data("own", study, sets, (), "1x2", panes))
    chest, hand = kept
    assert [own.count(chest, "generic"), own.count(hand, "generic"), own.count(chest, "generic")] == [1, 1, 2]
    own.save(chest, "generic", "Chest")
    own.save(hand, "generic", "Hand")
    assert [o.title for o in own.own()] == ["Chest", "Hand"]
    assert own.count(chest, "generic") == own.count(chest, "generic_own1") == 0, "it is kept already"
    own.save(chest, "generic_own1", "Chest again")
    assert [o.title for o in own.own()] == ["Hand", "Chest again"]
    own.save(chest, "chest_film", "Of the film protocol")
    assert len(own.own()) == 3, "another protocol lies under it"
