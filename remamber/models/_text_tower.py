"""The text tower in a released checkpoint: a CLIP text model under older names."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from remamber.errors import ExitCode, UserError
from remamber.models._fit import Fit, fit_tensors

_OLD = "text_model."
_BUFFER = "embeddings.position_ids"
"""A buffer of transformers before 4.31; it holds 0, 1, 2 and is not needed."""


def present_names(tower: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A tower's tensors as transformers 5 names them: without ``text_model.``."""
    named = {key.removeprefix(_OLD): value for key, value in tower.items()}
    return {key: value for key, value in named.items() if key != _BUFFER}


def fit_text_tower(tower: Mapping[str, Tensor]) -> Fit:
    """How a tower's tensors fit the CLIP text model that their shapes imply.

    Raises:
        UserError: the tensors that say the size are not there.
    """
    # transformers is slow to import and only needed where there is a text tower.
    from transformers import CLIPTextConfig, CLIPTextModel

    tensors = present_names(tower)
    words, width = _shape(tensors, "embeddings.token_embedding.weight")
    length, _ = _shape(tensors, "embeddings.position_embedding.weight")
    inner, _ = _shape(tensors, "encoder.layers.0.mlp.fc1.weight")
    numbers = [re.match(r"encoder\.layers\.(\d+)\.", key) for key in tensors]
    config = CLIPTextConfig(
        vocab_size=words,
        hidden_size=width,
        intermediate_size=inner,
        projection_dim=width,
        num_hidden_layers=len({found[1] for found in numbers if found}),
        num_attention_heads=1,
        max_position_embeddings=length,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )
    with torch.device("meta"):
        expected = CLIPTextModel(config).state_dict()
    shapes = {key.removeprefix(_OLD): value.shape for key, value in expected.items()}
    return fit_tensors(tensors, shapes, what="a CLIP text tower")


def _shape(tensors: Mapping[str, Tensor], key: str) -> tuple[int, int]:
    if key not in tensors or tensors[key].ndim != 2 or not tensors[key].numel():
        raise UserError(
            f"the text tower in the checkpoint is not CLIP's: {key} is missing",
            fix=["give a whole checkpoint of the released ReMamber"],
            exit_code=ExitCode.DAMAGED,
            slug="weights_unknown",
        )
    first, second = tensors[key].shape
    return first, second
