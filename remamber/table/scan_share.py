"""Where the selective scan stands below the memory's roof, by the records of the kernel study."""

from collections.abc import Iterable, Mapping

from remamber.record.schema import Record
from remamber.table.kernels import ShapeResults


def scan_shares(records: Iterable[Record], *, machines: Iterable[str]) -> Mapping[str, float]:
    """A perfect kernel's bytes over the time taken, as a share of a copy's rate, by shape.

    Args:
        records: of everything that is in the store.
        machines: keys of those that count; shapes of other machines say nothing of these times.
    """
    known = set(machines)
    found = {}
    for record in sorted(records, key=lambda r: r.finished):
        kernels = record.spec.kernels
        if kernels is None or record.status != "ok" or kernels.machine not in known:
            continue
        shape = ShapeResults(case=kernels.case, record=record)
        share = shape.bandwidth_share("scan", record.environment.scan_backend, "forward")
        if share is not None:
            found[kernels.case] = share
    return found
