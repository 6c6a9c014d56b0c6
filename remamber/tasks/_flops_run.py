"""A model's pass run on tensors that have shapes and no values, and counted."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel

from remamber.models import Segmenter
from remamber.tasks._flops_ledger import Counter, Ledger
from remamber.tasks._flops_memo import Memo


class HollowModel:
    """A model whose parameters are shapes alone, counted on inputs that are shapes alone.

    All tensors are fake ones on a CPU, not meta tensors, on which neither CLIP's masks nor mixed
    precision work.

    Args:
        model: on the meta device; it must not be used otherwise any more.
        memo: what equal modules cost; None counts every module anew.
    """

    def __init__(self, model: Segmenter, memo: Memo | None = None) -> None:
        self._fake = FakeTensorMode(allow_non_fake_inputs=True)
        self._model, self._memo, self._counter = model.eval(), memo, Counter()
        self._hollow_out(model)
        structures = memo.structures(model) if memo is not None else {}
        for name, module in list(model.named_modules()):
            # A part without parts costs no more to run than to remember.
            known = next(module.children(), None) is not None
            structure = structures.get(module) if known else None
            module.forward = self._recorded(name, module.forward, structure)

    def count(self, side: int) -> Ledger:
        """Count one image and one expression.

        Args:
            side: of the image in pixels.

        Raises:
            UserError: the side is not a multiple of 32.
        """
        self._counter = counter = Counter()
        length = self._model.tokenizer.length
        with self._fake, _countable_attention(), torch.no_grad():
            image = torch.empty(1, 3, side, side)
            ids = torch.zeros(1, length, dtype=torch.long)
            mask = torch.ones(1, length, dtype=torch.bool)
            with counter:
                self._model(image, ids, mask)
        return counter.pages[0]

    def _hollow_out(self, model: Segmenter) -> None:
        """Put fake tensors in the place of all parameters and buffers, one for each."""
        made: dict[int, FakeTensor] = {}
        for module in model.modules():
            tables: list[dict[str, Any]] = [module._parameters, module._buffers]
            for own in tables:
                for name, tensor in own.items():
                    if tensor is None:
                        continue
                    if id(tensor) not in made:
                        hollow = FakeTensor(self._fake, tensor.detach(), torch.device("cpu"))
                        # By this torch chooses which product a linear map becomes.
                        hollow.requires_grad_(tensor.requires_grad)
                        # How torch marks a parameter of a type of tensor of its own.
                        hollow._is_param = own is tables[0]
                        made[id(tensor)] = hollow
                    own[name] = made[id(tensor)]

    def _recorded(
        self, name: str, forward: Callable[..., object], structure: int | None
    ) -> Callable[..., object]:
        """A module's ``forward`` that keeps a page of the ledger, or finds it in the memo."""

        def run(*args: object, **kwargs: object) -> tuple[Ledger, object]:
            with self._counter.page(name) as page:
                result = forward(*args, **kwargs)
            return page, result

        def recorded(*args: object, **kwargs: object) -> object:
            if self._memo is None or structure is None:
                page, result = run(*args, **kwargs)
            else:
                key = self._memo.key(structure, args, kwargs)
                found = self._memo.find(key)
                if found is None:
                    page, result = run(*args, **kwargs)
                    self._memo.keep(key, page, result)
                else:
                    page, result = found.ledger, found.result()
            self._counter.add(name, page)
            return result

        return recorded


@contextmanager
def _countable_attention() -> Iterator[None]:
    """Attention as products of matrices, which is what it is counted by; as it was afterwards.

    torch counts nothing for its fused attention on a CPU, nor for the fast path of its encoder.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
