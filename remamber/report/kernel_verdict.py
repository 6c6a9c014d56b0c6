"""The verdict of a kernel report: what the slowest and the fastest shape say, and what is open."""

from collections.abc import Callable, Iterable

from remamber.report import format as fmt
from remamber.rounds import DELTA, RoundRatio
from remamber.table.kernel_cells import is_image
from remamber.table.kernels import PASSES, KernelResults, ShapeResults

WORDS = {"forward": "forward", "training": "forward and backward"}


def kernel_verdict(results: KernelResults) -> str:
    """How the scan that is used here stands to the reference, the peers and the memory."""
    shapes = results.measured
    if not shapes:
        return "No shape was measured, so nothing can be said."
    subject = results.label(results.subject)
    count = f"{fmt.number_word(len(shapes))} shape{'s' if len(shapes) > 1 else ''}"
    parts = [
        f"On {count}, {subject} is {_lead(results)}",
        _peers(results),
        _bandwidth(results),
        _fused(results),
        _errors(results),
    ]
    return "; ".join(part for part in parts if part) + "." + _open(results)


def _lead(results: KernelResults) -> str:
    baseline = results.analysis.kernels.baseline
    said = [
        f"{_range(values, len(results.measured))} {WORDS[which]}"
        for which in PASSES
        if (values := _ratios(results, lambda s, w: results.against(s, baseline, w), which))
    ]
    if not said:
        return f"not comparable with {results.label(baseline)}, which was not run"
    return f"faster than {results.label(baseline)} by a factor of {_and(said)}"


def _peers(results: KernelResults) -> str:
    said = [
        f"{_range(values, len(results.measured))} {WORDS[which]}"
        for which in PASSES
        if (
            values := _ratios(
                results, lambda s, w: results.against(s, results.fastest_peer(s, w), w), which
            )
        )
    ]
    return f"than the fastest peer of each shape by {_and(said)}" if said else ""


def _bandwidth(results: KernelResults) -> str:
    said = []
    for which in PASSES:
        found = [s.bandwidth_share("scan", results.subject, which) for s in results.measured]
        shares = [share for share in found if share is not None]
        if shares:
            low, high = fmt.share(min(shares)), fmt.share(max(shares))
            span = low if low == high else f"{low.removesuffix(' %')} to {high}"
            said.append(f"{span} {WORDS[which]}")
    return f"it reaches {_and(said)} of the measured copy bandwidth" if said else ""


def _fused(results: KernelResults) -> str:
    images = sum(is_image(shape) for shape in results.measured)
    said = [
        f"{_range(values, images)} {WORDS[which]}"
        for which in PASSES
        if (values := _ratios(results, results.against_composed, which))
    ]
    if not said:
        return ""
    return f"the fused SS2D is faster than scan and copies apart by {_and(said)}"


def _errors(results: KernelResults) -> str:
    name = results.subject
    outputs = [s.error("scan", name, "y") for s in results.measured]
    gradients = [s.worst_gradient("scan", name) for s in results.measured]
    worst = [
        max((e for e in found if e is not None), default=None) for found in (outputs, gradients)
    ]
    if worst[0] is None:
        return ""
    said = f"the scan's error against float64 is at most {fmt.error(worst[0])}"
    return said + (f", {fmt.error(worst[1])} in gradients" if worst[1] is not None else "")


def _open(results: KernelResults) -> str:
    """Shapes on which the subject is slower than something, or that were not measured."""
    slower = []
    for shape in results.measured:
        for which in PASSES:
            for name in results.names.get("scan", ()):
                ratio = results.against(shape, name, which) if name != results.subject else None
                if ratio is not None and is_slower(ratio):
                    slower.append(f"{results.label(name)} on {shape.case} {WORDS[which]}")
    text = f" It is slower than {fmt.listed(slower)}." if slower else ""
    failed = [s.case for s in results.shapes if s.record is not None and not s.ok]
    if failed:
        text += f" {fmt.listed(failed)} failed."
    missing = [s.case for s in results.shapes if s.record is None]
    if missing:
        text += f" {fmt.listed(missing)} not measured yet."
    return text


def is_slower(ratio: RoundRatio) -> bool:
    """Whether the interval, or the value where there is none, lies below one by more than noise."""
    high = ratio.high if ratio.high is not None else ratio.value
    return high < 1 - DELTA


def _ratios(
    results: KernelResults,
    of: Callable[[ShapeResults, str], RoundRatio | None],
    which: str,
) -> list[float]:
    found: Iterable[RoundRatio | None] = (of(shape, which) for shape in results.measured)
    return [ratio.value for ratio in found if ratio is not None]


def _range(values: list[float], shapes: int) -> str:
    """``77 to 430``, from the ratios of all shapes, or of those that have one."""
    low, high = (fmt.times(v).removesuffix("×") for v in (min(values), max(values)))
    part = f" (on {len(values)} of them)" if len(values) < shapes else ""
    return (low if low == high else f"{low} to {high}") + part


def _and(said: list[str]) -> str:
    """Passes one after the other; one of them has an "and" of its own."""
    return ", ".join(said)
