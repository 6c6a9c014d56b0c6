import pytest

from remamber.errors import UserError
from remamber.plan.tap_names import is_known, names, require_known


@pytest.mark.parametrize("phrase", ["stage 3", "after channel scan", "Stage 2  Cube", "channel"])
def test_a_phrase_of_whole_words_is_known(phrase):
    assert is_known(phrase)


def test_a_phrase_names_whole_words_only():
    assert names("stage 1", "stage 1 layer 1 cube")
    assert not names("stage 1", "stage 10 layer 1 cube")
    assert not names("put", "stage 1 layer 1 output")


def test_an_unknown_tap_is_refused_with_the_nearest():
    with pytest.raises(UserError) as error:
        require_known(["after chanel scan"])
    assert "did you mean 'after channel scan'?" in error.value.fix


def test_another_packages_tap_is_known_where_the_model_is():
    require_known(["gyre"], ["stage 1 gyre"])


@pytest.mark.parametrize("phrase", ["", "  "])
def test_no_word_at_all_names_no_tap(phrase):
    with pytest.raises(UserError) as error:
        require_known([phrase], ["stage 1 layer 1 cube"])
    assert error.value.slug == "unknown_tap"
