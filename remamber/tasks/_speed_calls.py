"""What is timed: one iteration of a model, from inputs that all models of a group share."""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from remamber.datasets._transforms import normalise, resize_image
from remamber.models import ModelInputs, Segmenter, build_model
from remamber.models._text import Tokenizer
from remamber.plan.protocols import DEFAULT, find_protocol
from remamber.plan.spec import ModelSpec, TrainSpec
from remamber.plan.speed import SpeedSpec
from remamber.tasks._interleaving import Call
from remamber.tasks._loss import LOSSES
from remamber.tasks._optimiser import make_optimiser
from remamber.tasks._protocol_masks import predicted_mask
from remamber.tasks._speed_found import Asked

TEXTS = (
    "the man in the red shirt on the left",
    "woman holding an umbrella",
    "second zebra from the right, behind the tree",
    "the small white dog that looks at the camera",
)
PHOTOGRAPH = (480, 640)
"""Height and width of the photograph with which an end-to-end iteration begins."""

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Inputs(NamedTuple):
    """What every iteration reads: random pixels and fixed expressions, the same for all models."""

    image: Tensor
    target: Tensor
    photographs: list[NDArray[np.uint8]]
    texts: list[str]

    @property
    def bytes(self) -> int:
        """Of the tensors that the network reads."""
        return self.image.nbytes + self.target.nbytes


class Subject(NamedTuple):
    """A model, ready to be called.

    Attributes:
        key: its ``model_key``.
        call: one iteration.
        text: its text encoder alone.
        optimiser: in training, which holds memory of its own.
    """

    key: str
    model: Segmenter
    call: Call
    text: Call
    optimiser: torch.optim.Optimizer | None = None


def make_inputs(speed: SpeedSpec, device: torch.device, *, seed: int) -> Inputs:
    """Inputs of a group, from a seed."""
    drawn = np.random.default_rng(seed)
    height, width = PHOTOGRAPH
    photographs = [
        drawn.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(speed.batch)
    ]
    generator = torch.Generator().manual_seed(seed)
    side = speed.image_size
    image = torch.randn(speed.batch, 3, side, side, generator=generator)
    target = (torch.rand(speed.batch, 1, side, side, generator=generator) > 0.8).float()
    return Inputs(
        _laid_out(image.to(device), speed),
        target.to(device),
        photographs,
        [TEXTS[i % len(TEXTS)] for i in range(speed.batch)],
    )


def make_subject(
    spec: ModelSpec, key: str, inputs: Inputs, asked: Asked, device: torch.device
) -> Subject:
    """Build a model with first weights and make its iteration.

    Raises:
        UserError: unknown model or part, or a pretrained text encoder that is not there.
    """
    speed = asked.speed
    root = Path(asked.root) if asked.root else None
    model = build_model(spec, ModelInputs(TEXTS, backend=asked.backend, seed=asked.seed, root=root))
    model.to(device).train(speed.mode == "train")
    if speed.channels_last:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    tokens = model.tokenizer(inputs.texts)
    ids, mask = tokens.ids.to(device), tokens.mask.to(device)
    forward: Callable[..., Tensor] = torch.compile(model) if speed.compile else model
    text = _inference(lambda: model.encode_text(ids, mask), speed, device)
    if speed.mode == "train":
        optimiser = make_optimiser(model, TrainSpec(steps=1))
        call = _training(lambda: forward(inputs.image, ids, mask), optimiser, inputs, speed)
        return Subject(key, model, call, text, optimiser)
    if speed.scope == "e2e":
        tokenizer = model.tokenizer
        whole = lambda: _end_to_end(forward, tokenizer, inputs, speed)  # noqa: E731
        call = _inference(whole, speed, device)
    else:
        call = _inference(lambda: forward(inputs.image, ids, mask), speed, device)
    if speed.cuda_graph:
        call = _graphed(call)
    return Subject(key, model, call, text)


def state_key(model: Segmenter) -> str:
    """Hash of a model's parameter names and shapes: what was built, for the record."""
    shapes = [f"{name} {tuple(p.shape)}" for name, p in model.named_parameters()]
    return hashlib.sha256("\n".join(shapes).encode()).hexdigest()[:16]


def _laid_out(image: Tensor, speed: SpeedSpec) -> Tensor:
    return image.to(memory_format=torch.channels_last) if speed.channels_last else image


def _precision(speed: SpeedSpec, device: torch.device) -> AbstractContextManager[object]:
    """Mixed precision as in training and evaluation: autocast, weights in float32."""
    if speed.dtype == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=_DTYPES[speed.dtype])


def _inference(call: Call, speed: SpeedSpec, device: torch.device) -> Call:
    def run() -> object:
        with torch.inference_mode(), _precision(speed, device):
            return call()

    return run


def _training(
    forward: Call, optimiser: torch.optim.Optimizer, inputs: Inputs, speed: SpeedSpec
) -> Call:
    """Forward, loss, backward and the optimiser's step, as in training."""
    device = inputs.image.device
    scaler = torch.amp.GradScaler(device.type, enabled=speed.dtype == "fp16")
    loss_of = LOSSES[TrainSpec(steps=1).loss]

    def run() -> object:
        with _precision(speed, device):
            logits = forward()
        if not isinstance(logits, Tensor):
            raise TypeError(f"a model gave {type(logits).__name__} instead of logits")
        loss = loss_of(logits, inputs.target)
        optimiser.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        scaler.step(optimiser)
        scaler.update()
        return loss.detach()

    return run


def _end_to_end(
    forward: Callable[..., Tensor], tokenizer: Tokenizer, inputs: Inputs, speed: SpeedSpec
) -> object:
    """From photographs and texts to masks of the photographs' size, by the usual protocol."""
    device = inputs.image.device
    tokens = tokenizer(inputs.texts)
    pixels = np.stack([resize_image(p, speed.image_size) for p in inputs.photographs])
    image = _laid_out(torch.from_numpy(normalise(pixels)).to(device), speed)
    logits = forward(image, tokens.ids.to(device), tokens.mask.to(device)).float().cpu()
    protocol = find_protocol(DEFAULT)
    return [predicted_mask(one[0], protocol, shape=PHOTOGRAPH) for one in logits]


def _graphed(call: Call) -> Call:
    """The call as one CUDA graph; it is run a few times first on a stream of its own."""
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        kept = call()

    def replay() -> object:
        graph.replay()
        return kept

    return replay
