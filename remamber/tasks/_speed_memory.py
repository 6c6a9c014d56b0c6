"""Memory of one model in a process of its own: weights, activations, reserved, resident set."""

import gc

import torch

from remamber.plan.speed import model_key
from remamber.tasks._device import peak_memory
from remamber.tasks._resident import can_measure, give_back, reset_peak, resident, resident_peak
from remamber.tasks._speed_calls import Inputs, Subject, make_inputs, make_subject
from remamber.tasks._speed_found import Asked, Found
from remamber.tasks._speed_trouble import is_out_of_memory, last_words


def measure_memory(asked: Asked, device: torch.device) -> Found:
    """Peak of the first and of a later iteration, and what was resident before it."""
    found = Found()
    (key,) = asked.keys
    spec = next(m for m in asked.speed.models if model_key(m) == key)
    try:
        inputs = make_inputs(asked.speed, device, seed=asked.seed)
        subject = make_subject(spec, key, inputs, asked, device)
        _measure(found, subject, inputs, device)
    except Exception as error:  # noqa: BLE001 - any failure is a row
        found.fail(key, "oom" if is_out_of_memory(error) else "error", last_words(error))
        return found
    found.status[key] = "ok"
    return found


def _measure(found: Found, subject: Subject, inputs: Inputs, device: torch.device) -> None:
    where = {"model": subject.key}
    model = subject.model
    weights = sum(t.nbytes for t in (*model.parameters(), *model.buffers()))
    found.add("weights_bytes", weights, "bytes", **where)
    found.add("inputs_bytes", inputs.bytes, "bytes", **where)
    first = _call(subject, device)
    if first is not None:
        found.add("first_peak_bytes", first[1], "bytes", **where)
    later = _call(subject, device)
    state = _state_bytes(subject.optimiser) if subject.optimiser is not None else 0
    if later is not None:
        before, peak = later
        found.add("resident_bytes", before, "bytes", **where)
        found.add("peak_bytes", peak, "bytes", **where)
        activations = max(0, peak - before)
        found.add("activations_bytes", activations, "bytes", **where)
        # A resident set holds the libraries too, which say nothing of the model.
        needed = peak if device.type == "cuda" else weights + inputs.bytes + state + activations
        found.add("needed_bytes", needed, "bytes", **where)
    found.add("optimiser_bytes", state, "bytes", **where)
    if device.type == "cuda":
        reserved = torch.cuda.max_memory_reserved(device)
        found.add("reserved_bytes", reserved, "bytes", **where)
    found.add("rss_peak_bytes", peak_memory(torch.device("cpu"))[0], "bytes", **where)


def _call(subject: Subject, device: torch.device) -> tuple[int, int] | None:
    """Bytes before and at the peak of one iteration; None where the system keeps no peak."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        subject.call()
        torch.cuda.synchronize(device)
        return before, torch.cuda.max_memory_allocated(device)
    if not can_measure():
        subject.call()
        return None
    give_back()
    before = resident()
    reset_peak()
    subject.call()
    return before, resident_peak()


def _state_bytes(optimiser: torch.optim.Optimizer) -> int:
    return sum(
        value.nbytes
        for state in optimiser.state.values()
        for value in state.values()
        if isinstance(value, torch.Tensor)
    )
