"""A spec's model on the meta device, its text encoder as published and from no file."""

import json
from functools import cache

import torch

from remamber.models import ModelInputs, Segmenter, build_model
from remamber.models._text_saved import SavedText, numbers_of
from remamber.plan.spec import ModelSpec

_CLIP = {
    "vocab_size": 49408,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "projection_dim": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
}
"""The text tower of CLIP ViT-L/14, the release's. BERT's defaults are those of BERT-base."""


def build_without_memory(spec: ModelSpec) -> Segmenter:
    """The model of a spec with parameters that have shapes alone.

    ``word`` has the special tokens in its vocabulary and no other.

    Raises:
        UserError: unknown model, fusion, scan ordering or option.
    """
    text = None if spec.text.name == "word" else _published(spec.text.name)
    spec = spec.model_copy(update={"start": None})
    with torch.device("meta"):
        return build_model(spec, ModelInputs((), text=text))


@cache
def _published(name: str) -> SavedText:
    # Slow to import, and only needed where a model is built.
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import BertConfig, CLIPTextConfig

    config = CLIPTextConfig(**_CLIP) if name == "clip" else BertConfig()
    files = {
        # It is never asked: there are no expressions, only their length.
        "tokenizer.json": Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]")).to_str(),
        "tokenizer_config.json": json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}),
    }
    return SavedText(tower=numbers_of(config.to_dict()), files=files)
