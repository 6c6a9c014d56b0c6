"""The selective scan in Triton: any CUDA device that Triton supports, nothing to build.

Both ops run the same two kernels (``_triton_kernels``), which read and write through strides and
compute in float32. Of an image each direction writes its own part of y and of du, which one
reduction adds up: with programs of one direction four times as many run at once as if each
walked all four in turn, which a single sample needs to fill a large GPU, for the 8 bytes an
element more that are moved (of about 68, in SS2D with one state). Atomic additions would save
them, but not give the same bits twice.

Correct on the CPU too, under Triton's interpreter (TRITON_INTERPRET=1), for tests alone.
"""

import importlib
import importlib.util
import os
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from remamber.ops._contract import Backend, ScanGradients, ScanInputs, state_count
from remamber.ops._directional_contract import DirectionalGradients, DirectionalInputs

if TYPE_CHECKING:
    from remamber.ops._triton_launch import ScanView

_DTYPES = (torch.float32, torch.bfloat16, torch.float16)
_OLDEST = (3, 4)
_OLDEST_DEVICE = (8, 0)


def probe() -> Backend:
    """Available with triton and a CUDA device it compiles for, or under its interpreter."""
    try:
        version = str(importlib.import_module("triton").__version__)
    except Exception as error:  # a broken install fails as it likes
        return _missing(f"triton cannot be imported ({error!r}); pip install triton"[:300])
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
        return _missing(f"triton {version} is too old: its kernels are written for 3.4 and later")
    if _interpreted():
        detail = f"triton {version}, interpreted on the CPU (TRITON_INTERPRET): for tests alone"
        return Backend("triton", True, detail, by_name_only=True)
    if not torch.cuda.is_available():
        return _missing(f"triton {version} is installed, but there is no CUDA device")
    if torch.cuda.get_device_capability() < _OLDEST_DEVICE:
        name = torch.cuda.get_device_name()
        return _missing(f"triton compiles for compute capability 8.0 and later, {name} has less")
    return Backend("triton", True, f"triton {version} on {torch.cuda.get_device_name()}")


def takes(device: torch.device, dtype: torch.dtype) -> bool:
    """CUDA tensors, or under the interpreter any, in at most 32 bits."""
    return dtype in _DTYPES and (device.type == "cuda" or _interpreted())


def forward(inputs: ScanInputs) -> tuple[Tensor, Tensor]:
    """Scan in float32; y in u's dtype and the states (b, d, ceil(l / 128), n)."""
    b, d, l, n, _ = inputs.sizes  # noqa: E741
    states = inputs.u.new_empty(b, d, state_count(l), n, dtype=torch.float32)
    y = _launch().run_forward(_sequences(inputs, states), dtype=inputs.u.dtype)
    return y.reshape(b, d, l), states


def backward(
    inputs: ScanInputs, *, states: Tensor, dy: Tensor, dstates: Tensor | None
) -> ScanGradients:
    """Gradients; sums over samples and blocks of channels are taken in a fixed order."""
    g = inputs.B.shape[1]
    grads = _launch().run_backward(
        _sequences(inputs, states),
        _split(dy, g),
        None if dstates is None else _by_group(dstates, g),
        dtypes=(inputs.u.dtype, inputs.delta.dtype),
    )
    du, ddelta = grads.u.flatten(1, 2), grads.delta.flatten(1, 2)
    return ScanGradients(*_as_given((du, ddelta, *grads[2:]), inputs))


def directional_forward(inputs: DirectionalInputs) -> tuple[Tensor, Tensor]:
    """Scan an image along every direction; y (b, h, w, d) and states (b, k, chunks, n, d)."""
    b, k, h, w, d, n = inputs.sizes
    states = inputs.u.new_empty(b, k, state_count(h * w), n, d, dtype=torch.float32)
    y = _launch().run_forward(_image(inputs, states), dtype=torch.float32)
    return _merged(y).view(b, h, w, d), states


def directional_backward(
    inputs: DirectionalInputs, *, states: Tensor, dy: Tensor
) -> DirectionalGradients:
    """Gradients, laid out as ``DirectionalGradients`` says."""
    _, k, h, _, _, _ = inputs.sizes
    grads = _launch().run_backward(
        _image(inputs, states),
        _every_way(dy, k),
        None,
        dtypes=(torch.float32, inputs.delta.dtype),
    )
    du = _merged(grads.u).view(inputs.u.shape)
    dB, dC = (_unrolled(grad, h).contiguous() for grad in (grads.B, grads.C))
    ddelta = _unrolled(grads.delta, h)
    return DirectionalGradients(
        *_as_given((du, ddelta, grads.A, dB, dC, grads.D, grads.delta_bias), inputs)
    )


def _sequences(inputs: ScanInputs, states: Tensor) -> "ScanView":
    g = inputs.B.shape[1]
    view: ScanView = _launch().ScanView(
        u=_split(inputs.u, g),
        delta=_split(inputs.delta, g),
        A=_single(inputs.A),
        B=inputs.B,
        C=inputs.C,
        D=_single(inputs.D),
        delta_bias=_single(inputs.delta_bias),
        states=_by_group(states, g),
        delta_softplus=inputs.delta_softplus,
    )
    return view


def _image(inputs: DirectionalInputs, states: Tensor) -> "ScanView":
    _, k, h, w, _, _ = inputs.sizes
    view: ScanView = _launch().ScanView(
        u=_every_way(inputs.u, k),
        delta=inputs.delta.flatten(2, 3).transpose(2, 3),
        A=_single(inputs.A),
        B=inputs.B.flatten(2, 3).transpose(2, 3),
        C=inputs.C.flatten(2, 3).transpose(2, 3),
        D=_single(inputs.D),
        delta_bias=_single(inputs.delta_bias),
        states=states,
        delta_softplus=inputs.delta_softplus,
        ways=_ways(inputs.directions, inputs.u.device),
        height=h,
        width=w,
    )
    return view


def _split(channels: Tensor, g: int) -> Tensor:
    """(b, d, ...) -> (b, g, d / g, ...), not copied."""
    return channels.view(channels.shape[0], g, -1, *channels.shape[2:])


def _every_way(image: Tensor, ways: int) -> Tensor:
    """(b, h, w, d) -> (b, k, d, l): the same numbers seen by every direction, not copied."""
    return image.flatten(1, 2).transpose(1, 2).unsqueeze(1).expand(-1, ways, -1, -1)


def _merged(terms: Tensor) -> Tensor:
    """(b, k, d, l), in memory (k, b, l, d) -> (b, l, d), summed over directions."""
    terms = terms.permute(1, 0, 3, 2)
    return terms[0] if len(terms) == 1 else terms.sum(0)


def _unrolled(rows: Tensor, height: int) -> Tensor:
    """(b, k, r, l) -> (b, k, h, w, r), not copied."""
    b, k, r, _ = rows.shape
    return rows.transpose(2, 3).view(b, k, height, -1, r)


def _by_group(states: Tensor, g: int) -> Tensor:
    """(b, d, chunks, n) -> (b, g, chunks, n, d / g), not copied."""
    return _split(states, g).permute(0, 1, 3, 4, 2)


@cache
def _ways(directions: tuple[int, ...], device: torch.device) -> Tensor:
    """Kept on the device: copying them there anew would wait for it at every call."""
    return torch.tensor(directions, dtype=torch.int32, device=device)


def _single(parameter: Tensor | None) -> Tensor | None:
    return None if parameter is None else parameter.to(torch.float32).contiguous()


def _as_given(
    grads: tuple[Tensor | None, ...], inputs: ScanInputs | DirectionalInputs
) -> list[Tensor]:
    nothing = inputs.u.new_empty(0)
    return [
        nothing if grad is None or given is None else grad.to(given.dtype)
        for grad, given in zip(grads, inputs[:7], strict=True)
    ]


def _interpreted() -> bool:
    return os.environ.get("TRITON_INTERPRET") == "1"


def _missing(detail: str) -> Backend:
    return Backend("triton", False, detail)


def _launch() -> Any:  # noqa: ANN401  (a module)
    # Imports triton, and with it decides whether its kernels are compiled or interpreted.
    return importlib.import_module("remamber.ops._triton_launch")
