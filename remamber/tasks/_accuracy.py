"""Measurements from the counts of scored splits: the metrics of every protocol."""

from collections.abc import Mapping, Sequence

import numpy as np

from remamber.metrics import PixelCounts, is_defined, measure
from remamber.plan.protocols import NO_TARGET, find_protocol
from remamber.record.schema import Measurement
from remamber.tasks._scoring import ProtocolCounts


def accuracy(
    splits: Mapping[str, ProtocolCounts], *, where: Mapping[str, str] | None = None
) -> list[Measurement]:
    """Every metric of every split; those of a further protocol say its name.

    Args:
        splits: counts by split and protocol, the protocols in the spec's order.
        where: what else all of them have in common.
    """
    found = []
    for split, by_protocol in splits.items():
        for place, (name, counts) in enumerate(by_protocol.items()):
            further = {"protocol": name} if place else {}
            pixels = PixelCounts(counts["intersection"], counts["union"], counts["target"])
            found += measured(
                pixels, protocol=name, where={"split": split, **further, **(where or {})}
            )
    return found


def measured(
    pixels: PixelCounts,
    *,
    protocol: str,
    where: Mapping[str, str],
    metrics: Sequence[str] | None = None,
) -> list[Measurement]:
    """What is defined of the metrics, and those of no-target sets where a target is empty.

    Args:
        pixels: counts by expression.
        protocol: name of the protocol by which pixels became counts.
        where: what the measurements have in common.
        metrics: in order; None takes the protocol's.
    """
    wanted = find_protocol(protocol).metrics if metrics is None else metrics
    no_target = NO_TARGET if np.any(pixels.target == 0) else ()
    return [
        Measurement(
            metric=metric,
            value=measure(
                metric, pixels.intersection, pixels.union, target=pixels.target, protocol=protocol
            ),
            unit="fraction",
            where=dict(where),
        )
        for metric in dict.fromkeys((*wanted, *no_target))
        if is_defined(metric, pixels, protocol=protocol)
    ]
