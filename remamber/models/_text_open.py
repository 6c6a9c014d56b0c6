"""From a spec to a text encoder with its tokenizer."""

from collections.abc import Sequence
from pathlib import Path

from remamber.layers.seeding import seeded
from remamber.models._sizes import Size
from remamber.models._text import Text
from remamber.models._text_pretrained import PretrainedEncoder, PretrainedTokenizer
from remamber.models._text_saved import SavedText
from remamber.models._text_word import WordEncoder, WordTokenizer
from remamber.plan.spec import TextSpec
from remamber.plan.text_files import require_same, text_folder


def open_text(
    spec: TextSpec,
    *,
    texts: Sequence[str],
    size: Size,
    root: Path | None,
    seed: int,
    saved: SavedText | None = None,
    pooled: bool = True,
) -> Text:
    """The text encoder that a spec names.

    Args:
        spec: which, how long an expression may be, and the hash of a pretrained one's files.
        texts: expressions that define the vocabulary of ``word``.
        size: width and layers of ``word``; a pretrained encoder brings its own.
        root: the data root, below which a pretrained encoder may lie.
        seed: first weights of ``word`` follow from it.
        saved: what a file of weights holds of a pretrained encoder, in the place of its folder.
        pooled: whether the pooled feature is read; without, a pretrained encoder's parameters
            for it are not there.

    Raises:
        UserError: a pretrained encoder is missing, damaged, or not the planned one.
    """
    length = spec.length
    if spec.name == "word":
        tokenizer = WordTokenizer(texts, length=length)
        with seeded(f"{seed}.text"):
            encoder = WordEncoder(
                tokenizer.size, length=length, width=size.text_width, layers=size.text_layers
            )
        return Text(encoder, tokenizer)
    source: Path | SavedText
    if saved is None:
        source = text_folder(spec.name, root)
        require_same(spec, source)
    else:
        source = saved
    with seeded(f"{seed}.text"):
        return Text(
            PretrainedEncoder(spec.name, source, length=length, pooled=pooled),
            PretrainedTokenizer(source, length=length),
        )
