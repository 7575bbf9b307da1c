"""What the site fixes, what the reader chooses, and that both come back after a restart."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest

from app.dicom.memory_budget import LEAST_CEILING, default_ceiling, machine_bytes, shared_budget
from app.domain.problem import ProblemError
from app.security.keys import MemoryKeyProvider
from app.security.secrets_box import open_box
from app.session.comforts import FILE, Comforts
from app.session.mouse_table import merged, shipped, tools_for
from app.session.settings_desk import text_percent
from app.session.site_rules import SiteRules, site_rules
from tests.flows import stage

GIB = 2**30


@pytest.fixture(autouse=True)
def ceiling() -> object:
    before = shared_budget.ceiling_bytes
    yield
    shared_budget.set_ceiling(before)


def site(home: Path, text: str) -> Path:
    home.mkdir(exist_ok=True)
    (home / "site.toml").write_text(text, encoding="utf-8")
    return home


def test_the_memory_of_the_reader_holds_at_once_and_after_a_restart(tmp_path: Path) -> None:
    with stage.stage(tmp_path / "home", None) as s:
        view = s.ws.settings.memory()
        assert (view.fixed, view.own) == (False, False)
        assert view.ceiling_gb == view.default_gb == default_ceiling() / GIB
        assert view.machine_gb == machine_bytes() / GIB
        s.ws.settings.set_memory(2.5)
        assert shared_budget.ceiling_bytes == int(2.5 * GIB)
        for wrong in (0.5, view.machine_gb + 1):
            with pytest.raises(ProblemError) as refused:
                s.ws.settings.set_memory(wrong)
            assert refused.value.problem.code == "settings.memory_range"
        assert shared_budget.ceiling_bytes == int(2.5 * GIB)
    shared_budget.set_ceiling(default_ceiling())
    with stage.stage(tmp_path / "home", None) as s:
        assert s.ws.settings.memory().own
        assert shared_budget.ceiling_bytes == int(2.5 * GIB)
        s.ws.settings.set_memory(None)
        assert shared_budget.ceiling_bytes == default_ceiling()


def test_what_the_site_fixes_is_shown_and_kept(tmp_path: Path) -> None:
    home = site(
        tmp_path / "home",
        '[interface]\ntext_percent = 150\nlanguage = "kk"\n'
        '[memory]\nceiling_gb = 2\n[mouse]\nfixed = true\nright = "zoom"\n',
    )
    assert text_percent(home) == 150
    with stage.stage(home, None, language="") as s:
        settings = s.ws.settings
        assert s.ws.language == "kk"
        assert (settings.text_fixed, settings.language_fixed, settings.memory().fixed, settings.mouse.fixed) == (True,) * 4
        assert settings.memory().ceiling_gb == LEAST_CEILING / GIB
        for change in (
            lambda: settings.set_memory(3.0),
            lambda: settings.set_text_percent(200),
            lambda: settings.mouse.set("right", "pan"),
        ):
            with pytest.raises(ProblemError) as refused:
                change()
            assert refused.value.problem.code == "settings.fixed"
        s.ws.set_language("en")
        assert s.ws.language == "kk"
        assert s.notices == ["settings.fixed"]
        assert settings.mouse.table() == {**shipped(), "right": "zoom"}


@pytest.mark.parametrize(
    "text",
    [
        "[interface]\ntext_percent = 110\n",
        "[memory]\nceiling_gb = true\n",
        '[mouse]\nfixed = "no"\n',
        "[mouse]\nright = 3\n",
        "[",
    ],
)
def test_a_damaged_site_file_is_told_and_nothing_is_guessed(tmp_path: Path, text: str) -> None:
    home = site(tmp_path / "home", text)
    with pytest.raises(ProblemError) as told:
        site_rules(home)
    assert told.value.problem.code == "site.damaged"
    assert text_percent(home) == 100
    assert site_rules(tmp_path / "nothing") == SiteRules()


def test_the_size_of_text_is_known_without_the_library(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with stage.stage(home, None) as s:
        assert s.ws.settings.text_percent == 100
        s.ws.settings.set_text_percent(175)
        with pytest.raises(ValueError, match="size"):
            s.ws.settings.set_text_percent(110)
    assert text_percent(home) == 175
    if sys.platform != "win32":
        assert stat.S_IMODE((home / FILE).stat().st_mode) == 0o600
    (home / FILE).write_text("[interface]\ntext_percent = 13", encoding="utf-8")
    assert text_percent(home) == 100
    (home / FILE).write_text("[[", encoding="utf-8")
    assert text_percent(home) == 100


def test_groups_of_comforts_do_not_touch_each_other(tmp_path: Path) -> None:
    comforts = Comforts(tmp_path)
    comforts.keep("a", {"x": 1, 'odd "name" \\': [1, -2], "on": True, "words": "Әлия\n"})
    comforts.keep("b", {"x": 2})
    again = Comforts(tmp_path)
    assert again.group("a") == {"x": 1, 'odd "name" \\': [1, -2], "on": True, "words": "Әлия\n"}
    assert again.group("b") == {"x": 2}
    assert again.group("c") == {}


def test_the_mouse_of_the_reader_goes_over_the_site_s(tmp_path: Path) -> None:
    home = site(tmp_path / "home", '[mouse]\nright = "zoom"\n"Shift+left" = "length"\n"Alt+middle" = "no_such_tool"\n')
    with stage.stage(home, None) as s:
        mouse = s.ws.settings.mouse
        assert mouse.table() == {**shipped(), "right": "zoom", "Shift+left": "length"}
        mouse.set("right", "pan")
        mouse.set("Shift+left", "")
        mouse.set("Shift+wheel", "zoom")
        for gesture, tool in (("left", "zoom"), ("wheel", "length"), ("wheel", ""), ("right", "gone"), ("Meta+left", "pan")):
            with pytest.raises(ProblemError) as refused:
                mouse.set(gesture, tool)
            assert refused.value.problem.code == "mouse.not_usable"
    with stage.stage(home, None) as s:
        assert s.ws.settings.mouse.table() == {**shipped(), "right": "pan", "Shift+wheel": "zoom"}
        s.ws.settings.mouse.reset()
        assert s.ws.settings.mouse.table()["right"] == "zoom"


def test_every_shipped_gesture_has_a_tool_that_there_is() -> None:
    assert merged() == dict(shipped())
    assert {"scroll", "zoom"} <= set(tools_for("wheel"))
    assert "length" not in tools_for("wheel")


def test_a_password_goes_into_the_box_and_into_use(tmp_path: Path) -> None:
    home = site(
        tmp_path / "home",
        '[[target]]\nname = "pacs"\nkind = "dicomweb"\ntitle = "PACS"\nurl = "http://127.0.0.1:9/dicom-web"\n'
        'username = "reader"\npassword = "in the open"\n[[target]]\nname = "a"\nkind = "folder"\npath = "x"\n',
    )
    with stage.stage(home, None) as s:
        (shown,) = s.ws.settings.passwords()
        assert (shown.target, shown.username, shown.kept, shown.in_file) == ("pacs", "reader", False, True)
        s.ws.settings.set_password("pacs", "sesame-Ә")
        assert s.ws.settings.passwords()[0].kept
        assert s.ws.sync._targets["pacs"]._settings.password == "sesame-Ә"
        assert s.ws.sync._worker._targets["pacs"] is s.ws.sync._targets["pacs"]
        assert "sesame" not in json.dumps(s.ws.library.settings.all(), ensure_ascii=False)
    files = [p for p in home.rglob("*") if p.is_file()]
    assert not [p for p in files if b"sesame" in p.read_bytes()]
    assert open_box(home, MemoryKeyProvider(stage.KEY)).get("target-password-pacs") == "sesame-Ә".encode()
    with stage.stage(home, None) as s:
        assert s.ws.sync._targets["pacs"]._settings.password == "sesame-Ә"
        s.ws.settings.set_password("pacs", "")
        assert not s.ws.settings.passwords()[0].kept
