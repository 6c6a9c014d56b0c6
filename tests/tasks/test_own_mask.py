"""One photograph and one sentence: a mask at its size, and the words that were not known."""

import numpy as np
import pytest
import torch

from remamber.errors import UserError
from remamber.models._text_word import WordTokenizer
from remamber.tasks._own_mask import own_mask, unknown_words, words_of


class Bright(torch.nn.Module):
    """Finds what is bright, whatever is said."""

    def __init__(self):
        super().__init__()
        self.tokenizer = WordTokenizer(["red cup on the left"], length=6)
        self.scale = torch.nn.Parameter(torch.ones(()))
        self.seen = []

    def forward(self, image, ids, mask):
        self.seen.append(tuple(image.shape))
        return self.scale * image.mean(dim=1, keepdim=True)


def photograph(height=90, width=60):
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[: height // 2] = 255
    return image


def test_the_mask_has_the_size_of_the_photograph_and_the_model_its_own():
    model = Bright()
    made = own_mask(model, photograph(), "red cup", size=32)
    assert model.seen == [(1, 3, 32, 32)]
    assert made.mask.shape == (90, 60)
    assert made.mask[:40].all()
    assert not made.mask[50:].any()
    assert (made.unknown, made.is_cut) == ((), False)


def test_unknown_words_are_named_once_and_a_cut_sentence_is_said_so():
    made = own_mask(Bright(), photograph(), "a RED mug, a red cup: left of it", size=32)
    assert made.unknown == ("a", "mug", "of", "it")
    assert made.is_cut


def test_a_sentence_that_the_model_knows_nothing_of_is_refused():
    with pytest.raises(UserError, match="knows none of the words") as caught:
        own_mask(Bright(), photograph(), "blue mug чашка", size=32)
    assert any("cup" in line for line in caught.value.fix)


def test_words_that_a_tokenizer_drops_are_unknown_to_it():
    tokenizer = WordTokenizer(["red cup"], length=6)
    assert unknown_words(tokenizer, ["red", "чашка", "half-red"]) == ("чашка", "half-red")


@pytest.mark.parametrize("text", ["", "   ", "!?", "..."])
def test_a_sentence_without_a_word_is_refused(text):
    with pytest.raises(UserError, match="empty|no word"):
        words_of(text)
