"""Time, memory and error of every implementation of the selective scan on one shape."""

import gc
import os

import torch

from remamber.errors import ExitCode, UserError
from remamber.ops import describe_backends, resolve_backend
from remamber.plan.scan_shapes import SHAPES, START_UP
from remamber.plan.spec import KernelsSpec, RunSpec
from remamber.record.event import Event
from remamber.registry import TASKS
from remamber.tasks import Outcome, Stopped, TaskContext
from remamber.tasks._device import device_name
from remamber.tasks._kernel_calls import why_absent
from remamber.tasks._kernel_case import Case, Findings, Tell
from remamber.tasks._kernel_startup import CACHES, start_up
from remamber.tasks._pressure import cpu_pressure

register = TASKS.register


@register("kernels")
def kernels(spec: RunSpec, context: TaskContext) -> Outcome:
    """Measure one shape of the study ``scan_kernels``, or what the first call costs.

    Raises:
        Stopped: asked to stop; it starts again the next time.
        UserError: the spec has no kernels section, or asks for a device that is not there.
    """
    settings = spec.kernels
    if settings is None:
        raise UserError("a run of the task 'kernels' needs a kernels section", slug="no_kernels")
    device = open_device(settings.device)
    tell = _telling(spec, context)
    pressure = cpu_pressure()
    # What was imported is not looked through again each time that garbage is collected.
    gc.freeze()
    if settings.case == START_UP:
        found = _start_up(settings, tell)
    else:
        found = Case(SHAPES[settings.case], device, settings, tell).measure()
    if pressure is not None:
        # From before the run: during it our own threads wait for cores as well.
        found.add("cpu_pressure", pressure, "fraction")
    return Outcome(
        measurements=tuple(found.measurements),
        curves={name: tuple(samples) for name, samples in found.samples.items()},
        data={f"absent {name}": reason for name, reason in found.absent.items()},
        device=device_name(device),
        scan_backend=resolve_backend("auto", device),
        details=_details(device),
    )


def open_device(name: str) -> torch.device:
    """The device of that name.

    Raises:
        UserError: CUDA was asked for and is not there (exit 3).
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError(
            f"device cuda was asked for, but torch {torch.__version__} sees no CUDA GPU",
            fix=["--device cpu"],
            exit_code=ExitCode.MISSING,
            slug="no_cuda",
        )
    return torch.device(name)


def _telling(spec: RunSpec, context: TaskContext) -> Tell:
    def tell(what: str, done: int, total: int) -> None:
        if context.should_stop():
            raise Stopped(0)
        event = Event(kind="prepare", run_id=spec.run_id, what=what, done=done, total=total)
        context.emit(event)

    return tell


def _start_up(settings: KernelsSpec, tell: Tell) -> Findings:
    found = Findings()
    for backend in describe_backends():
        if backend.name not in CACHES:
            continue
        absent = why_absent(backend.name, torch.device(settings.device))
        if absent is not None:
            found.absent[f"{START_UP} {backend.name}"] = absent
            continue
        tell(f"first call of {backend.name} in new processes", 0, 0)
        threads = torch.get_num_threads()
        found.measurements += start_up(backend.name, device=settings.device, threads=threads)
    return found


def _details(device: torch.device) -> dict[str, str]:
    details = {f"backend {b.name}": b.detail for b in describe_backends()}
    details["vector instructions"] = torch.backends.cpu.get_cpu_capability()
    details["GOMP_SPINCOUNT"] = os.environ.get("GOMP_SPINCOUNT", "default")
    if device.type == "cuda":
        details["CUDA"] = str(torch.version.cuda)
    return details
