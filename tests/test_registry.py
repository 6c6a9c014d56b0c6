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
