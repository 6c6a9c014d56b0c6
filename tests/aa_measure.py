"""A against A, a hundred times: how often interleaved and sequential timing find a difference.

    python tests/aa_measure.py [TRIALS]

Prints JSON. ``simulated``: a clock with 1 % of noise and a drift; ``real``: the selective scan
against itself on this machine, as it is and while other processes come and go on its cores.
"""

import json
import multiprocessing
import random
import sys
import time

import numpy as np
import torch
from test_rounds import false_verdicts

from remamber.record.environment import cpu_model, usable_cores
from remamber.tasks._self_check import noise_floor


def hog(seed: int) -> None:
    """Keep a core busy now and then: a neighbour on a shared machine."""
    generator = random.Random(seed)
    while True:
        until = time.perf_counter() + generator.expovariate(1 / 2)
        while time.perf_counter() < until:
            np.linalg.norm(np.ones(4096))
        time.sleep(generator.expovariate(1 / 2))


def simulated(trials: int) -> list[dict[str, object]]:
    return [
        {
            "drift": kind,
            "size": size,
            **{
                name: false_verdicts(kind, drift=size, interleaved=name == "abba", trials=trials)
                for name in ("abba", "sequential")
            },
        }
        for kind in ("linear", "steps", "bursts")
        for size in (0.01, 0.03, 0.1, 0.3)
    ]


def real(trials: int) -> dict[str, object]:
    noise = noise_floor(trials=trials)
    return {
        "abba": noise.false_verdicts,
        "sequential": noise.false_one_after_other,
        "abba_largest": noise.floor,
        "sequential_largest": noise.one_after_other,
    }


def main() -> None:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    content = {
        "machine": cpu_model(),
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "trials": trials,
        "simulated": simulated(trials),
        "real": real(trials),
    }
    hogs = [multiprocessing.Process(target=hog, args=(i,), daemon=True) for i in range(2)]
    for process in hogs:
        process.start()
    try:
        content["real_loaded"] = real(trials)
    finally:
        for process in hogs:
            process.kill()
    print(json.dumps(content, indent=1))


if __name__ == "__main__":
    main()
