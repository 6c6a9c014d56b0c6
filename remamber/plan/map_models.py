"""Which models hold image positions against words, and so have maps to look at (Fig. 4)."""

from remamber.errors import UserError
from remamber.plan.model_spec import ModelSpec

_WITHOUT = ("in-context", "norm-adaptation")
"""Fusions that read the words without a map."""


def has_maps(model: ModelSpec) -> bool:
    """Whether a model may have maps; of what other packages bring, only its parts can tell."""
    if not model.fused:
        return True
    fusion = model.fusion
    return fusion.name not in _WITHOUT and (
        fusion.name != "twister" or "local" in fusion.cube.split("-")
    )


def no_maps(name: str) -> UserError:
    """The error of a model that has none.

    Args:
        name: of the model, in words.
    """
    return UserError(
        f"the model '{name}' has no interaction or attention map",
        where=[
            "the Twister has one where its cube has local features; so have the fusion 'attention'",
            "and LAVT; 'in-context' and 'norm-adaptation' hold no position against a word",
        ],
        fix=["remamber-bench attention twister attention"],
        slug="no_maps",
    )
