"""The selective scan by the CUDA kernel of mamba-ssm (Gu and Dao 2023), where it was built.

The package can be installed without its kernel, and since 2.3.2 is by default, so what is asked
for is the extension module ``selective_scan_cuda``. It stores a state after every 2048 steps,
not 128; the other places of the states are zero. Its dB and dC are added up by atomics, so two
runs differ in the last bits; it has no gradient for the last state.

Not yet run on a GPU: held to the reference through a stand-in for the extension only.
"""

import importlib
import importlib.util
from typing import Any

import torch
from torch import Tensor

from remamber.errors import ExitCode, UserError
from remamber.ops._contract import CHUNK, Backend, ScanGradients, ScanInputs, state_count

_EXTENSION = "selective_scan_cuda"
_BUILD = "MAMBA_KEEP_CUDA_BUILD=TRUE pip install mamba-ssm --no-build-isolation"
_STRIDE = 2048
_MOST_STATES = 256
_DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def probe() -> Backend:
    """Whether the extension and a CUDA device are both there; never raises."""
    try:
        importlib.import_module(_EXTENSION)
    except Exception as error:  # a kernel built for another torch fails as it likes
        return _missing(_why_no_extension(error))
    if not torch.cuda.is_available():
        return _missing(f"its kernel {_EXTENSION} is built, but there is no CUDA device")
    return Backend("mamba-ssm", True, f"mamba-ssm's {_EXTENSION} on {torch.cuda.get_device_name()}")


def takes(device: torch.device, dtype: torch.dtype) -> bool:
    """CUDA tensors in at most 32 bits."""
    return device.type == "cuda" and dtype in _DTYPES


def forward(inputs: ScanInputs) -> tuple[Tensor, Tensor]:
    """Scan; y in u's dtype and the states (b, d, ceil(l / 128), n), filled every 2048 steps.

    Raises:
        UserError: there are more than 256 states (slug ``scan_backend``).
    """
    b, d, l, n, _ = inputs.sizes  # noqa: E741
    if n > _MOST_STATES:
        raise _refused(f"mamba-ssm's kernel takes at most {_MOST_STATES} states, these are {n}")
    x = _as_the_kernel_wants(inputs)
    y, pairs, *_ = _extension().fwd(
        x.u, x.delta, x.A, x.B, x.C, x.D, None, x.delta_bias, x.delta_softplus
    )
    states = x.A.new_zeros(b, d, state_count(l), n)
    states[:, :, _slots(l)] = pairs[..., 1::2]
    return y.to(inputs.u.dtype), states


def backward(
    inputs: ScanInputs, *, states: Tensor, dy: Tensor, dstates: Tensor | None
) -> ScanGradients:
    """Gradients; not the same bits twice.

    Raises:
        UserError: a gradient of the states is given (slug ``scan_backend``).
    """
    if dstates is not None:
        raise _refused("mamba-ssm's kernel has no gradient for the last state")
    x = _as_the_kernel_wants(inputs)
    dy = dy.to(x.u.dtype).contiguous()
    kept = states[:, :, _slots(x.u.shape[-1])]
    # The kernel stores pairs: the product of all decays so far, which it never reads, and h.
    pairs = torch.stack([torch.ones_like(kept), kept], -1).flatten(-2)
    grads = _extension().bwd(
        *(x.u, x.delta, x.A, x.B, x.C, x.D, None, x.delta_bias, dy, pairs, None, None),
        x.delta_softplus,
        False,
    )
    nothing = dy.new_empty(0)
    return ScanGradients(
        *(
            nothing if given is None else grad.to(given.dtype)
            for grad, given in zip(grads[:7], inputs[:7], strict=True)
        )
    )


def _as_the_kernel_wants(inputs: ScanInputs) -> ScanInputs:
    """One dtype for all that varies with the step, float32 for the rest, steps contiguous."""
    varying = (inputs.u, inputs.delta, inputs.B, inputs.C)
    same = all(t.dtype == inputs.u.dtype for t in varying)
    dtype = inputs.u.dtype if same else torch.float32
    u, delta, B, C = (t.to(dtype).contiguous() for t in varying)
    return ScanInputs(
        u,
        delta,
        inputs.A.float().contiguous(),
        B,
        C,
        None if inputs.D is None else inputs.D.float().contiguous(),
        None if inputs.delta_bias is None else inputs.delta_bias.float().contiguous(),
        inputs.delta_softplus,
    )


def _slots(length: int) -> list[int]:
    """Which of our states are the kernel's: those at the ends of its chunks, and the last."""
    last = state_count(length) - 1
    every = _STRIDE // CHUNK
    return [*range(every - 1, last, every), last]


def _extension() -> Any:  # noqa: ANN401  (a compiled module)
    return importlib.import_module(_EXTENSION)


def _why_no_extension(error: Exception) -> str:
    if importlib.util.find_spec("mamba_ssm") is None:
        return f"the package mamba-ssm is not installed (extra: gpu); {_BUILD}"
    return f"mamba-ssm is installed without its kernel ({error!r}); {_BUILD}"


def _missing(detail: str) -> Backend:
    return Backend("mamba-ssm", False, detail)


def _refused(what: str) -> UserError:
    return UserError(
        what, fix=["--scan-backend triton"], exit_code=ExitCode.MISSING, slug="scan_backend"
    )
