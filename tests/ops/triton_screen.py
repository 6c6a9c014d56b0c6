"""Compiles the Triton kernels for GPUs that are not here, and says what they take of one.

A script, and what ``test_triton_compile`` is made with: ``python tests/ops/triton_screen.py
[--target 90] [--tile 8,128,8,1,1]`` prints a Markdown table of registers, spills and shared
memory as ptxas reports them, so that tilings can be chosen between before a GPU is at hand.
"""

import argparse
import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import torch
import triton
from scan_cases import scan_arguments
from triton.backends.compiler import GPUTarget
from triton.runtime import driver

from remamber.ops import _triton_launch
from remamber.ops import triton as backend
from remamber.ops._contract import ScanInputs, state_count
from remamber.ops._directional_contract import DirectionalInputs
from remamber.ops._triton_tiles import Tile, backward_tile, forward_tile


class Case(NamedTuple):
    """What is scanned: the op, the pass, sizes (b, c, l, n, g) and the precision."""

    op: str
    step: str
    sizes: tuple[int, int, int, int, int]
    dtype: torch.dtype = torch.float32


class Built(NamedTuple):
    registers: int
    spilled: int
    shared: int
    conversions: int
    instructions: int
    shuffles: int
    barriers: int


class AbsentGpu:
    """Stands in for Triton's driver: it names a target and is never asked to launch."""

    def __init__(self, capability):
        self.target = GPUTarget("cuda", capability, 32)

    def get_current_target(self):
        return self.target

    def get_current_device(self):
        return 0

    def get_current_stream(self, device):
        return 0


class Compiler:
    """Takes a kernel's place in the launching code: compiles it instead of running it."""

    def __init__(self, kernel, built):
        self.kernel, self.built = kernel, built

    def __getitem__(self, grid):
        def compile_it(*arguments, **options):
            compiled = self.kernel.warmup(*arguments, grid=grid, **options)
            self.built.append(compiled.result() if hasattr(compiled, "result") else compiled)

        return compile_it


def build(case, *, capability, tile=None):
    """The kernel of this case, compiled for a GPU of this compute capability."""

    driver.set_active(AbsentGpu(capability))
    built = []
    names = ("scan_forward", "scan_backward")
    kernels = {name: getattr(_triton_launch, name) for name in names}
    try:
        for name, kernel in kernels.items():
            setattr(_triton_launch, name, Compiler(kernel, built))
        view = _view(case)
        if case.step == "forward":
            _triton_launch.run_forward(view, dtype=case.dtype, tile=tile)
        else:
            dtypes = (case.dtype, case.dtype)
            dy = torch.empty_like(view.u)
            _triton_launch.run_backward(view, dy, None, dtypes=dtypes, tile=tile)
    finally:
        for name, kernel in kernels.items():
            setattr(_triton_launch, name, kernel)

    return built[0]


def _view(case):
    b, c, length, n, g = case.sizes
    values = scan_arguments(b, c * g, length, n, g, dtype=torch.float32)
    low = {k: v.to(case.dtype) if k in ("u", "delta", "B", "C") else v for k, v in values.items()}
    if case.op == "sequence":
        states = torch.empty(b, c * g, state_count(length), n)
        return backend._sequences(ScanInputs(*low.values(), True), states)
    h = 1 << (length.bit_length() // 2)
    images = {
        "u": low["u"][:, :c].reshape(b, c, h, -1).permute(0, 2, 3, 1).contiguous(),
        "delta": low["delta"].reshape(b, g, c, h, -1).permute(1, 0, 3, 4, 2).contiguous(),
        "B": low["B"].reshape(b, g, n, h, -1).permute(0, 1, 3, 4, 2).contiguous(),
        "C": low["C"].reshape(b, g, n, h, -1).permute(0, 1, 3, 4, 2).contiguous(),
    }
    images["delta"] = images["delta"].transpose(0, 1)
    ways = tuple(i % 4 for i in range(g))
    states = torch.empty(b, g, state_count(length), n, c)
    return backend._image(DirectionalInputs(*(low | images).values(), True, ways), states)


def measure(compiled, capability):
    """What ptxas says of it; conversions count the layouts changed through shared memory."""
    # Newer Tritons bring two and use the second, named for Blackwell, for every GPU.
    tools = Path(triton.__file__).parent / "backends/nvidia/bin"
    ptxas = sorted(tools.glob("ptxas*"))[-1]
    arch = f"sm_{capability}{'a' if capability >= 90 else ''}"
    with tempfile.NamedTemporaryFile("w", suffix=".ptx") as source:
        source.write(compiled.asm["ptx"])
        source.flush()
        found = subprocess.run(
            [ptxas, "-v", f"--gpu-name={arch}", source.name, "-o", "/dev/null"],
            capture_output=True, text=True, check=False,
        ).stderr  # fmt: skip
    assert "Used" in found, found
    registers = int(re.search(r"Used (\d+) registers", found)[1])
    spilled = int(re.search(r"(\d+) bytes spill stores", found)[1])
    conversions = compiled.asm["ttgir"].count("ttg.convert_layout")
    with tempfile.NamedTemporaryFile("wb", suffix=".cubin") as binary:
        binary.write(compiled.asm["cubin"])
        binary.flush()
        listing = subprocess.run(
            [tools / "cuobjdump", "-sass", binary.name], capture_output=True, text=True, check=True
        ).stdout
    words = re.findall(r"/\*[0-9a-f]{4,5}\*/\s+(?:@!?U?P\w+ )?([A-Z0-9_]+)", listing)
    words = [w for w in words if w != "NOP"]
    return Built(
        registers,
        spilled,
        compiled.metadata.shared,
        conversions,
        len(words),
        words.count("SHFL"),
        words.count("BAR"),
    )


CASES = {
    f"{op} {step} {n}-state": Case(op, step, (8, 256 if op == "image" else 1024, 4096, n, 4))
    for op in ("sequence", "image")
    for step in ("forward", "backward")
    for n in (1, 16)
}

HEADS = (
    "kernel", "channels x steps, run, warps, stages", "registers", "spilled bytes",
    "shared bytes", "layout changes", "warps per multiprocessor", "instructions",
    "per element", "shuffles per element", "barriers",
)  # fmt: skip


def row(name, tile, built):
    resident = 65536 // (built.registers * 32) // tile.warps * tile.warps
    each = tile.channels * tile.steps / tile.warps / 32
    return (
        name,
        f"{tile.channels} x {tile.steps}, {tile.run}, {tile.warps}, {tile.stages}",
        built.registers,
        built.spilled,
        built.shared,
        built.conversions,
        resident,
        built.instructions,
        round(built.instructions / each),
        round(built.shuffles / each, 1),
        built.barriers,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", type=int, default=90)
    parser.add_argument("--only", default="", help="cases whose name holds all these words")
    parser.add_argument("--tile", action="append", help="channels,steps,run,warps,stages; several")
    parser.add_argument("--json", action="store_true", help="one object instead of a table")
    options = parser.parse_args()
    wanted = options.only.split()
    chosen = {name: case for name, case in CASES.items() if all(word in name for word in wanted)}
    if options.json:
        built = {
            n: measure(build(c, capability=options.target), options.target)
            for n, c in chosen.items()
        }
        print(json.dumps({name: found._asdict() for name, found in built.items()}))
        return
    print(f"| {' | '.join(HEADS)} |\n|{'---|' * len(HEADS)}")
    for name, case in chosen.items():
        work = _view(case).work
        tiles = [forward_tile(work) if case.step == "forward" else backward_tile(work)]
        if options.tile:
            tiles = [Tile(*map(int, text.split(","))) for text in options.tile]
        for tile in tiles:
            built = measure(build(case, capability=options.target, tile=tile), options.target)
            print(f"| {' | '.join(map(str, row(name, tile, built)))} |", flush=True)


if __name__ == "__main__":
    main()
