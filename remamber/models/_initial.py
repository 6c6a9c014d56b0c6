"""A model as its training began: the control of what is seen inside a trained one."""

from pathlib import Path

from remamber.models import ModelInputs, Segmenter, build_model
from remamber.models._checkpoint_files import read_checkpoint
from remamber.models._evaluable import Evaluable
from remamber.models._text_word import WordTokenizer
from remamber.models._weights_config import config_in


def open_initial(
    found: Evaluable, *, seed: int, root: Path | None = None, backend: str = "auto"
) -> Segmenter:
    """The model of some weights before its training, in evaluation mode.

    A pretrained backbone or text encoder is as it was published, all else from the seed.

    Args:
        found: the trained weights; their file gives the vocabulary.
        seed: of the training.
        root: the data root, below which what the training started from lies.
        backend: name of a scan implementation, or "auto".

    Raises:
        UserError: what the training started from is missing.
    """
    config = config_in(read_checkpoint(found.path).metadata)
    words, text = (config.vocabulary, config.text) if config is not None else ((), None)
    inputs = ModelInputs(words, backend=backend, seed=seed, root=root, text=text)
    model = build_model(found.model, inputs)
    tokenizer = model.tokenizer
    if isinstance(tokenizer, WordTokenizer):
        # A word's first embedding is that of its id.
        numbers = sorted(tokenizer.ids.values())
        tokenizer.ids = dict(zip(words, numbers, strict=True))
    return model.eval()
