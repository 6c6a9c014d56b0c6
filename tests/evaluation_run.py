"""An evaluation in this process: asked for, carried out, read back."""

import numpy as np
from tiny_run import request

from remamber.runner import Interruption, Request, execute


def asked(spec, store, root, weights=None, **more):
    path = {"weights": str(weights)} if weights is not None else {}
    return Request.model_validate_json(request(spec, store, root, **path, **more))


def run(spec, weights, store, root, interruption=None, **more):
    events = []
    interruption = interruption or Interruption()
    wanted = asked(spec, store, root, weights, **more)
    return execute(wanted, events.append, interruption), events


def read(store, spec):
    record = store.find(spec)
    assert record is not None
    with np.load(store.counts_path(record)) as counts:
        return record, dict(counts)
