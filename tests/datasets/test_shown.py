"""Values of other people's files in messages: always short, never written out whole."""

import pickle

import pytest
from small_refcoco import write_small_refcoco

from remamber.datasets import DataPlace, open_dataset
from remamber.datasets._shown import shown
from remamber.errors import ExitCode, UserError
from remamber.plan.spec import DataSpec


def doubled(levels):
    value = []
    for _ in range(levels):
        value = [value, value]
    return value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("refs", "'refs'"),
        (7, "7"),
        (True, "True"),
        (None, "None"),
        (0.5, "0.5"),
        (2**20000, "a number of 20,001 bits"),
        (doubled(60), "a list of 2"),
        ({"a": doubled(60)}, "a dict of 1"),
        ((), "a tuple of 0"),
    ],
    ids=range(9),
)
def test_a_value_is_shown_in_a_few_words(value, text):
    assert shown(value) == text


@pytest.mark.parametrize("value", ["x" * 10**6, b"\xff" * 10**6, "\0" * 10**6], ids=range(3))
def test_long_text_is_cut(value):
    assert len(shown(value)) <= 60


@pytest.mark.parametrize("key", ["ref_id", "ann_id", "image_id", "split", "sentences"])
def test_a_refs_file_with_lists_doubled_sixty_times_is_refused_at_once(key, tmp_path):
    small = write_small_refcoco(tmp_path, images=2)
    refs = pickle.loads(small.refs.read_bytes(), encoding="latin1")
    refs[1][key] = doubled(60)
    small.refs.write_bytes(pickle.dumps(refs, protocol=2))
    with pytest.raises(UserError, match=r"refs\[1\]: ") as caught:
        open_dataset(DataSpec(name="refcoco"), DataPlace(root=tmp_path))
    assert caught.value.exit_code == ExitCode.DAMAGED
