"""Two processes that write generated data into one folder: one does, the other is told."""

import threading

from filelock import FileLock
from synthetic_recipes import small_recipe

from remamber.datasets import DataPlace, synthetic
from remamber.datasets._synthetic.form import Form
from remamber.errors import UserError


def test_two_exports_into_one_folder_never_mix(tmp_path):
    root, said = tmp_path / "data", []

    def second():
        try:
            synthetic.export(small_recipe(), root, DataPlace(workers=1), form=Form())
        except UserError as error:
            said.append(error.slug)

    with FileLock(tmp_path / ".data.lock"):
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
        root.mkdir()
        (root / "labels.txt").write_text("the first one's")
    waiting.join(60)
    assert said == ["not_empty"]
    assert [path.name for path in root.iterdir()] == ["labels.txt"]
