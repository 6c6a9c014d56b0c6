import os
import subprocess
import sys

import pytest

from remamber.errors import UserError
from remamber.registry import DATASETS, FUSIONS, SCAN_ORDERS, TASKS, Shelf


def test_names_are_known_without_importing_torch():
    code = (
        "import sys; from remamber import registry as r;"
        "names = [s.names() for s in (r.FUSIONS, r.MODELS, r.TASKS, r.DATASETS, r.SCAN_ORDERS)];"
        "assert all(names), names; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("shelf", [FUSIONS, SCAN_ORDERS, TASKS, DATASETS])
def test_every_entry_can_be_had_and_says_what_it_is(shelf):
    for name, entry in shelf.entries.items():
        assert callable(shelf.get(name))
        assert entry.summary.endswith("."), f"{name}: {entry.summary!r}"


def test_an_unknown_name_lists_the_known_and_the_nearest():
    with pytest.raises(UserError) as caught:
        FUSIONS.get("twistre")
    assert caught.value.what == "unknown fusion variant 'twistre'"
    assert "'twister'" in caught.value.fix[0]


def test_scan_orderings_stand_in_the_papers_order():
    assert SCAN_ORDERS.names() == [
        "channel",
        "spatial",
        "parallel",
        "spatial-channel",
        "channel-spatial",
    ]


def test_another_package_can_add_an_entry(tmp_path, monkeypatch):
    (tmp_path / "other_fusions.py").write_text("def mine():\n    return 42\n")
    info = tmp_path / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[remamber.fusions]\nmine = other_fusions:mine\n")
    monkeypatch.syspath_prepend(tmp_path)
    shelf = Shelf("remamber.fusions", noun="fusion variant")
    assert "mine" in shelf.names()
    assert shelf.get("mine")() == 42


def test_another_package_does_not_replace_an_entry_of_ours(tmp_path):
    (tmp_path / "taking_tasks.py").write_text("def mine():\n    return 42\n")
    info = tmp_path / "taking-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: taking\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[remamber.launch]\nlocal = taking_tasks:mine\n")
    code = "from remamber.registry import LAUNCHERS; print(LAUNCHERS.get('local').__module__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip().startswith("remamber.launch")


def test_an_entry_may_be_called_as_its_shelf(tmp_path, monkeypatch):
    folder = tmp_path / "things"
    folder.mkdir()
    (folder / "things.py").write_text('@register("things")\ndef things():\n    """Things."""\n')
    shelf = Shelf("remamber.things", noun="thing")
    monkeypatch.setattr(shelf, "_files", lambda: sorted(folder.glob("*.py")))
    assert shelf.entries["things"].module == "remamber.things.things"


@pytest.mark.parametrize("value", ["nowhere_at_all:x", "json:nothing"])
def test_a_broken_entry_of_another_package_is_named(tmp_path, monkeypatch, value):
    info = tmp_path / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[remamber.fusions]\nbroken = {value}\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="'broken' of the package other cannot be loaded") as caught:
        Shelf("remamber.fusions", noun="fusion variant").get("broken")
    assert value in caught.value.where[0]


def test_options_are_read_without_importing_the_entry_and_of_another_package_by_loading_it(
    tmp_path, monkeypatch
):
    info = tmp_path / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[remamber.fusions]\nmine = with_options_here:Mine\n")
    (tmp_path / "with_options_here.py").write_text('class Mine:\n    options = {"heads": 4}\n')
    monkeypatch.syspath_prepend(tmp_path)
    shelf = Shelf("remamber.fusions", noun="fusion variant")
    monkeypatch.setattr(shelf, "get", lambda name: pytest.fail(f"{name} was loaded"))
    assert shelf.options("attention")["head_channels"] == 32
    assert shelf.options("twister") == {}
    monkeypatch.undo()
    monkeypatch.syspath_prepend(tmp_path)
    assert Shelf("remamber.fusions", noun="fusion variant").options("mine") == {"heads": 4}
