"""Which tensors of a checkpoint fit a model: used, missing, too many, of another shape."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from remamber.errors import ExitCode, UserError

_SHOWN = 6
_FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_RENAMED = 24
"""Missing tensors for which a renamed one is looked for; comparing names is slow."""


class Misshapen(NamedTuple):
    """A tensor of the right name and the wrong shape."""

    key: str
    found: tuple[int, ...]
    expected: tuple[int, ...]


class Renamed(NamedTuple):
    """A tensor too many that has the shape, and nearly the name, of a missing one."""

    found: str
    expected: str


class Fit(NamedTuple):
    """How a checkpoint's tensors and a model's go together, under the checkpoint's names.

    Attributes:
        what: the model that they were held against.
        used: tensors that go into the model.
        left: tensors that are known and not needed, such as a classifier's.
        extra: tensors that the model has no place for.
        missing: tensors that the model needs.
        misshapen: tensors of another shape.
        renamed: guesses about extra and missing ones.
        other_type: tensors that are not dense floating-point numbers, nor a counter.
        not_finite: used tensors that hold NaN or infinity.
    """

    what: str
    used: tuple[str, ...]
    left: tuple[str, ...]
    extra: tuple[str, ...]
    missing: tuple[str, ...]
    misshapen: tuple[Misshapen, ...]
    renamed: tuple[Renamed, ...]
    other_type: tuple[str, ...]
    not_finite: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether the model gets every tensor and nothing is left over that is not known."""
        wrong = self.misshapen or self.other_type or self.not_finite
        return not (self.extra or self.missing or wrong)

    def troubles(self) -> list[str]:
        """One line for each kind of thing that does not fit; empty if all does."""
        shapes = [f"{m.key} is {_by(m.found)}, not {_by(m.expected)}" for m in self.misshapen]
        kinds = {
            "missing": self.missing,
            "too many": self.extra,
            "shape": shapes,
            "renamed": [f"{r.found} for {r.expected}?" for r in self.renamed],
            "type": self.other_type,
            "not finite": self.not_finite,
        }
        return [f"{kind:<10}  {_some(keys)}" for kind, keys in kinds.items() if keys]

    def require(self, *, likely: str = "", path: str | None = None) -> None:
        """Do nothing if everything fits.

        Args:
            likely: what the checkpoint probably is instead.
            path: the checkpoint's file, for the message.

        Raises:
            UserError: the report as an error (exit 6).
        """
        if self.fits:
            return
        raise UserError(
            f"the weights do not fit {self.what}",
            where=self.troubles() + ([f"likely      {likely}"] if likely else []),
            fix=["give the checkpoint of that model, whole and with its own names"],
            exit_code=ExitCode.DAMAGED,
            slug="weights_do_not_fit",
            path=path,
        )


def fit_tensors(
    found: Mapping[str, Tensor],
    expected: Mapping[str, Sequence[int]],
    *,
    what: str,
    left: Iterable[str] = (),
) -> Fit:
    """Hold a checkpoint's tensors against the shapes that a model expects.

    Args:
        found: the checkpoint's tensors.
        expected: the model's shapes under the checkpoint's names.
        what: the model, for messages.
        left: prefixes of tensors that are known and not needed.
    """
    known = tuple(left)
    unused = [k for k in found if k not in expected]
    spare = tuple(k for k in unused if known and k.startswith(known))
    extra = tuple(k for k in unused if k not in spare)
    missing = tuple(k for k in expected if k not in found)
    common = [k for k in expected if k in found]
    misshapen = tuple(
        Misshapen(k, tuple(found[k].shape), tuple(expected[k]))
        for k in common
        if not _same(found[k].shape, expected[k])
    )
    wrong = {m.key for m in misshapen}
    typed = {k: _other_type(found[k]) for k in common if k not in wrong}
    used = tuple(k for k, other in typed.items() if not other)
    return Fit(
        what=what,
        used=used,
        left=spare,
        extra=extra,
        missing=missing,
        misshapen=misshapen,
        renamed=_renamed({k: tuple(found[k].shape) for k in extra}, missing, expected),
        other_type=tuple(f"{k} is {other}" for k, other in typed.items() if other),
        not_finite=tuple(k for k in used if not _finite(found[k])),
    )


def reshaped(
    tensors: Mapping[str, Tensor], shapes: Mapping[str, Sequence[int]]
) -> dict[str, Tensor]:
    """The tensors in a model's shapes; a 1x1 convolution's weight may be 4-D in the file."""
    return {key: tensors[key].reshape(tuple(shape)) for key, shape in shapes.items()}


def shapes_of(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """The shapes of a state_dict's tensors."""
    return {key: tuple(value.shape) for key, value in state.items()}


def _same(found: Sequence[int], expected: Sequence[int]) -> bool:
    found, expected = tuple(found), tuple(expected)
    return found in (expected, (*expected, 1, 1)) and (found == expected or len(expected) == 2)


def _other_type(tensor: Tensor) -> str:
    """What a tensor is if it is no weight; empty if it can be one, or BatchNorm's counter."""
    if tensor.layout is not torch.strided or tensor.is_meta:
        return "without values" if tensor.is_meta else "sparse"
    counter = tensor.ndim == 0 and tensor.dtype is torch.int64
    return "" if counter or tensor.dtype in _FLOATS else str(tensor.dtype).removeprefix("torch.")


def _finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())


def _renamed(
    extra: Mapping[str, tuple[int, ...]],
    missing: Sequence[str],
    expected: Mapping[str, Sequence[int]],
) -> tuple[Renamed, ...]:
    guesses = []
    for key in missing[:_RENAMED]:
        alike = [k for k, shape in extra.items() if _same(shape, expected[key])]
        near = difflib.get_close_matches(key, alike, n=1, cutoff=0.6)
        guesses += [Renamed(near[0], key)] if near else []
    return tuple(guesses)


def _some(keys: Sequence[str]) -> str:
    more = f", and {len(keys) - _SHOWN:,} more" if len(keys) > _SHOWN else ""
    return ", ".join(keys[:_SHOWN]) + more


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "a scalar"
