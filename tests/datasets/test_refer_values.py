"""Values in REFER's files that are rare, odd or meant to do harm: said, or refused."""

import json
import pickle

import pytest
from small_refcoco import write_small_refcoco

from remamber.datasets import DataPlace, open_dataset
from remamber.errors import ExitCode, UserError
from remamber.plan.spec import DataSpec


@pytest.fixture
def small(tmp_path):
    return write_small_refcoco(tmp_path)


@pytest.fixture
def refs(small):
    return pickle.loads(small.refs.read_bytes(), encoding="latin1")


@pytest.fixture
def instances(small):
    return json.loads(small.instances.read_text())


def damage(small):
    with pytest.raises(UserError) as caught:
        open_dataset(DataSpec(name="refcoco"), DataPlace(root=small.root))
    assert caught.value.exit_code == ExitCode.DAMAGED
    assert caught.value.fix
    return caught.value


def test_a_category_that_no_list_names_is_warned_of(small, instances, caplog):
    instances["annotations"][0]["category_id"] = 99
    small.instances.write_text(json.dumps(instances))
    assert open_dataset(DataSpec(name="refcoco"), DataPlace(root=small.root)).refs("train")
    assert "refs of a category that 'instances.json' does not name: 1" in caplog.text


def test_a_split_without_a_name_is_refused(small, refs):
    refs[0]["split"] = ""
    small.refs.write_bytes(pickle.dumps(refs))
    assert "1 of" in damage(small).what
    assert "stand in no split" in damage(small).what


def test_a_sentence_without_a_word_is_left_out_and_said(small, refs, caplog):
    refs[0]["sentences"][0].update(sent="", raw=" ")
    small.refs.write_bytes(pickle.dumps(refs))
    opened = open_dataset(DataSpec(name="refcoco"), DataPlace(root=small.root))
    assert len(opened.refs("train")[0].expressions) == 1
    assert "expressions without a word left out: 1" in caplog.text


def test_a_value_that_doubles_itself_is_refused_before_it_is_written_out(small, refs):
    doubled = []
    for _ in range(60):
        doubled = [doubled, doubled]
    refs[0]["sentences"][0]["needs"] = [doubled]
    small.refs.write_bytes(pickle.dumps(refs))
    assert "'needs' is not a list of text" in damage(small).what


def test_a_number_of_thousands_of_digits_is_refused(small):
    text = small.instances.read_text().replace('"height": 72', f'"height": {"9" * 5000}', 1)
    small.instances.write_text(text)
    assert "a number of thousands of digits" in damage(small).what
