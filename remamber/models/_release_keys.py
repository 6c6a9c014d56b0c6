"""The key map: which tensor of the released ReMamber or of VMamba is which tensor of ours.

The tables are the whole of it, one line a family of keys; ``{i}`` is a stage or level, ``{j}``
a block or layer. Besides, the five tensors of the state space model stand under ``ssm`` in
ours, and VMamba's own checkpoints lack the prefix ``backbone.``.
"""

import re
from functools import cache
from typing import NamedTuple

BACKBONE, DECODER, TEXT = "backbone.", "decoder.", "text_encoder."
"""Prefixes of the three parts in a released checkpoint."""

_SSM = ("x_proj_weight", "dt_projs_weight", "dt_projs_bias", "A_logs", "Ds")

_ENCODER_KEYS = """
patch_embed.0                                         patch_embed.0
patch_embed.2                                         patch_embed.1
patch_embed.5                                         patch_embed.3
patch_embed.7                                         patch_embed.4
layers.{i}.blocks.{j}                                 blocks.{i}.{j}
layers.{i}.downsample.1                               downsamples.{i}.0
layers.{i}.downsample.3                               downsamples.{i}.1
text_guidencee.{i}.0                                  fusions.{i}.global_interaction.project
local_text_fusion.{i}.vis_proj.0                      fusions.{i}.local_interaction.image_proj
local_text_fusion.{i}.text_proj.0                     fusions.{i}.local_interaction.text_proj
local_text_fusion.{i}.unsqueeze.0                     fusions.{i}.local_interaction.map_conv
local_text_fusion.{i}.out_proj                        fusions.{i}.local_interaction.out_proj
multimodal_blocks.{i}.blocks.{j}.ln_1                 fusions.{i}.layers.{j}.norm
multimodal_blocks.{i}.blocks.{j}.self_attention.ss1d  fusions.{i}.layers.{j}.scans.channel.scan
multimodal_blocks.{i}.blocks.{j}.self_attention.ss2d  fusions.{i}.layers.{j}.scans.spatial
"""
_CONV_DECODER_KEYS = """
mixer3.conv1.conv   mixers.0.0
mixer3.conv1.bn     mixers.0.1
mixer3.dwconv       mixers.0.3
mixer3.norm         mixers.0.4
mixer3.conv2.conv   mixers.0.6
mixer3.conv2.bn     mixers.0.7
mixer2.conv1.conv   mixers.1.0
mixer2.conv1.bn     mixers.1.1
mixer2.dwconv       mixers.1.3
mixer2.norm         mixers.1.4
mixer2.conv2.conv   mixers.1.6
mixer2.conv2.bn     mixers.1.7
mixer1.conv1.conv   mixers.2.0
mixer1.conv1.bn     mixers.2.1
mixer1.dwconv       mixers.2.3
mixer1.norm         mixers.2.4
mixer1.conv2.conv   mixers.2.6
mixer1.conv2.bn     mixers.2.7
neck.0              neck.0.0
neck.1              neck.0.1
neck.4              neck.1.0
neck.5              neck.1.1
neck.8              head
"""
_MAMBA_DECODER_KEYS = """
text_guidencee.{i}.0                             levels.{i}.global_interaction.project
local_text_fusion.{i}.vis_proj.0                 levels.{i}.local_interaction.image_proj
local_text_fusion.{i}.text_proj.0                levels.{i}.local_interaction.text_proj
local_text_fusion.{i}.unsqueeze.0                levels.{i}.local_interaction.map_conv
local_text_fusion.{i}.out_proj                   levels.{i}.local_interaction.out_proj
in_proj.{i}                                      levels.{i}.in_proj
multimodal_blocks.{i}.blocks.{j}.ln_1            levels.{i}.layers.{j}.norm
multimodal_blocks.{i}.blocks.{j}.self_attention  levels.{i}.layers.{j}.scan
multimodal_blocks.{i}.downsample                 levels.{i}.upsample
hire_fusion.{i}.fusion                           skips.{i}.convolutions
proj_out.1                                       refine
proj_out.2                                       to_logits
"""


class _Rule(NamedTuple):
    """One line of a table: the pattern of a released or of our key, and the other's template."""

    pattern: re.Pattern[str]
    template: str


@cache
def _rules(*, to_ours: bool) -> tuple[_Rule, ...]:
    rules = []
    for prefixes, table in (
        ((BACKBONE, "encoder."), _ENCODER_KEYS),
        ((DECODER, "decoder."), _CONV_DECODER_KEYS),
        ((DECODER, "decoder."), _MAMBA_DECODER_KEYS),
    ):
        for line in table.split("\n")[1:-1]:
            pair = [prefix + key for prefix, key in zip(prefixes, line.split(), strict=True)]
            source, target = pair if to_ours else reversed(pair)
            pattern = re.escape(source).replace(r"\{", "{").replace(r"\}", "}")
            pattern = pattern.replace("{i}", r"(?P<i>\d+)").replace("{j}", r"(?P<j>\d+)")
            rules.append(_Rule(re.compile(rf"{pattern}\.(?P<rest>.+)"), target + ".{rest}"))
    return tuple(rules)


def our_key(key: str) -> str | None:
    """Our name of a tensor of a released checkpoint, None if there is no such tensor."""
    found = _through(key, to_ours=True)
    if found is None:
        return None
    head, _, last = found.rpartition(".")
    return f"{head}.ssm.{last}" if last in _SSM else found


def released_key(key: str) -> str | None:
    """The released name of one of our tensors, None if the release has no such tensor."""
    return _through(re.sub(rf"\.ssm\.({'|'.join(_SSM)})$", r".\1", key), to_ours=False)


def _through(key: str, *, to_ours: bool) -> str | None:
    for rule in _rules(to_ours=to_ours):
        found = rule.pattern.fullmatch(key)
        if found:
            return rule.template.format(**found.groupdict())
    return None
