"""Pretrained Swin weights into the backbone that LAVT's training starts from.

Known are the names of Hugging Face's checkpoints, older and newer, and those of Swin's authors.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from remamber.models._checkpoint_files import read_checkpoint
from remamber.models._fit import fit_tensors, shapes_of
from remamber.models._lavt_encoder import LavtEncoder

_RENAMED = (
    (r"^swin\.", ""),
    (r"^embeddings\.patch_embeddings\.", "patch_embed."),
    (r"^embeddings\.norm\.", "patch_embed.norm."),
    (r"^patch_embed\.proj\.", "patch_embed.projection."),
    (r"^encoder\.layers\.", "layers."),
    (r"^layers\.(\d+)\.downsample\.", r"downsamples.\1."),
    (r"^layers\.(\d+)\.blocks\.", r"blocks.\1.layers."),
    (r"\.norm1\.", ".layernorm_before."),
    (r"\.norm2\.", ".layernorm_after."),
    (r"\.attn\.proj\.", ".attention.o_proj."),
    (r"\.attn\.", ".attention."),
    (r"\.attention\.self\.query\.", ".attention.q_proj."),
    (r"\.attention\.self\.key\.", ".attention.k_proj."),
    (r"\.attention\.self\.value\.", ".attention.v_proj."),
    (r"\.attention\.output\.dense\.", ".attention.o_proj."),
    (r"\.attention\.self\.", ".attention."),
    (
        r"\.attention\.relative_position_bias_table$",
        ".attention.relative_position_bias.relative_position_bias_table",
    ),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"(\.layers\.\d+)\.output\.dense\.", r"\1.mlp.fc2."),
)
"""Patterns of published names and ours, one after the other."""

_LEFT = ("layernorm.", "norm.", "classifier.", "head.")
"""The norm after the last stage and the classifier, which LAVT does not have."""

_DERIVED = ("relative_position_index", "attn_mask")
"""Buffers that follow from the size of a window."""

_TOGETHER = ".attention.qkv."
"""Query, key and value in one map: Swin's authors."""


def load_swin(encoder: LavtEncoder, path: Path) -> None:
    """Fill patch embedding, Swin blocks and patch merging, all of them; the rest stays as drawn.

    Args:
        encoder: of the size that the file is for.
        path: a Swin checkpoint.

    Raises:
        UserError: the file cannot be read, is refused, is no Swin or of another size or window.
    """
    tensors = our_names(read_checkpoint(path).tensors)
    own = ("patch_embed.", "blocks.", "downsamples.")
    wanted = {k: s for k, s in shapes_of(encoder.state_dict()).items() if k.startswith(own)}
    fit = fit_tensors(tensors, wanted, what="the Swin backbone of this size", left=_LEFT)
    fit.require(path=str(path))
    encoder.load_state_dict({key: tensors[key] for key in wanted}, strict=False)


def our_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A Swin checkpoint under the names of ``LavtEncoder``; what can be derived is left out."""
    return dict(part for key, value in tensors.items() for part in _parts(key, value))


def _parts(key: str, value: Tensor) -> Iterator[tuple[str, Tensor]]:
    if key.endswith(_DERIVED):
        return
    for pattern, name in _RENAMED:
        key = re.sub(pattern, name, key)
    if _TOGETHER not in key or value.shape[:1].numel() % 3:
        yield key, value
        return
    for letter, part in zip("qkv", torch.chunk(value, 3), strict=True):
        yield key.replace(_TOGETHER, f".attention.{letter}_proj."), part
