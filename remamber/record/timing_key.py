"""What a measured time depends on besides its spec: the machine and the code, each as a hash.

Put into a spec before it runs, they keep a time from being reused where it would not be true.
"""

import hashlib
import json
import platform
from pathlib import Path

from remamber.record.environment import cpu_model, package_versions, usable_cores

_PACKAGE = Path(__file__).parents[1]
_KERNEL_SOURCES = (
    *("ops/*.py", "tasks/kernels.py", "tasks/_kernel_*.py", "tasks/_interleaving.py"),
    "plan/scan_shapes.py",
)
_SPEED_SOURCES = (
    *("ops/*.py", "layers/*.py", "fusions/*.py", "models/*.py"),
    *("tasks/speed.py", "tasks/_speed_*.py", "tasks/_interleaving.py", "tasks/_loss.py"),
)
_FLOPS_SOURCES = (*_SPEED_SOURCES[:4], "tasks/flops.py", "tasks/_flops_*.py")
_IRRELEVANT = ("remamber-bench", "pandas", "pydantic", "pycocotools", "pillow", "accelerate")
"""Packages that no timed scan touches."""


def machine_key(accelerator: str = "") -> str:
    """Hash of the processor, the versions of what computes, and the accelerator's name."""
    versions = {n: v for n, v in package_versions().items() if n not in _IRRELEVANT}
    facts = [
        cpu_model(),
        usable_cores(),
        platform.machine(),
        platform.python_version(),
        versions,
        accelerator,
    ]
    return _hash(json.dumps(facts, sort_keys=True).encode())


def kernel_code_key(package: Path = _PACKAGE) -> str:
    """Hash of the sources of the scans and of what times them."""
    return _sources_key(package, _KERNEL_SOURCES)


def speed_code_key(package: Path = _PACKAGE) -> str:
    """Hash of the sources of the models, of all that they are made of, and of what times them."""
    return _sources_key(package, _SPEED_SOURCES)


def flops_code_key(package: Path = _PACKAGE) -> str:
    """Hash of the models' sources, of what counts them, and of whose operators they call."""
    versions = [package_versions().get(name, "") for name in ("torch", "transformers")]
    sources = _sources_key(package, _FLOPS_SOURCES)
    return _hash(sources.encode(), *(version.encode() for version in versions))


def _sources_key(package: Path, patterns: tuple[str, ...]) -> str:
    paths = sorted(path for pattern in patterns for path in package.glob(pattern))
    return _hash(*(f"{p.relative_to(package)}\n".encode() + p.read_bytes() for p in paths))


def _hash(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
