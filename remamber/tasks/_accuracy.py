"""Measurements from the counts of scored splits: the metrics of every protocol."""

from collections.abc import Mapping

import numpy as np

from remamber.metrics import PixelCounts, is_defined, measure
from remamber.plan.protocols import NO_TARGET, find_protocol
from remamber.record.schema import Measurement
from remamber.tasks._scoring import ProtocolCounts, SplitCounts


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
            found += _measured(name, counts, {"split": split, **further, **(where or {})})
    return found


def _measured(name: str, counts: SplitCounts, where: dict[str, str]) -> list[Measurement]:
    """What is defined of the protocol's metrics, and those of no-target sets on such a set."""
    pixels = PixelCounts(counts["intersection"], counts["union"], counts["target"])
    no_target = NO_TARGET if np.any(pixels.target == 0) else ()
    return [
        Measurement(
            metric=metric,
            value=measure(
                metric, pixels.intersection, pixels.union, target=pixels.target, protocol=name
            ),
            unit="fraction",
            where=where,
        )
        for metric in dict.fromkeys((*find_protocol(name).metrics, *no_target))
        if is_defined(metric, pixels, protocol=name)
    ]
