"""How time and memory grow with the volume, and shrink with workers.

    python -m benchmarks.growth [--edges 256 512 768 1024] [--scaling-edge 512]

Packings of rough particles (`benchmarks.packing`) on disk go through the commands that a
user runs, `slagseg separate` and `slagseg describe`: first cubes of growing edge with all
workers, then one cube with 1, 2 and 4 workers. Times include the start of the program and of
its workers, and the compiling of kernels where that has not been done on this machine.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from benchmarks.full_run import commands, make_inputs, run_command


def measured(folder: Path, edge: int, memory: str, workers: int) -> dict[str, tuple[float, int]]:
    """Seconds and peak memory of each command on a cube, whose inputs lie in `folder`."""
    found = {}
    for name, arguments in commands(folder, memory, workers).items():
        shutil.rmtree(folder / ".work", ignore_errors=True)
        seconds, peak, _ = run_command(arguments)
        found[name] = (seconds, peak)
    return found


def row(what: str, edge: int, found: dict[str, tuple[float, int]], first: float | None) -> str:
    """One line of the table."""
    voxels = edge**3
    cells = [
        f"{seconds:12.1f}{voxels / seconds / 1e6:9.1f}{peak / 1e9:8.2f}{peak / voxels:8.1f}"
        for seconds, peak in found.values()
    ]
    total = sum(seconds for seconds, _ in found.values())
    speed = "" if first is None else f"{first / total:9.2f}"
    return f"{what:>12}{''.join(cells)}{speed}"


def main(argv: list[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edges", type=int, nargs="+", default=[256, 512, 768, 1024])
    parser.add_argument("--scaling-edge", type=int, default=512)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--memory", default="8GB")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="slagseg-growth-") as place:
        folders: dict[int, Path] = {}
        for edge in sorted({*args.edges, args.scaling_edge}):
            folders[edge] = Path(place, str(edge))
            folders[edge].mkdir()
            make_inputs(folders[edge], (edge,) * 3, args.workers, ct=False)
        names = "".join(
            f"{name + ' s':>12}{'Mvox/s':>9}{'GB':>8}{'B/vox':>8}"
            for name in commands(folders[args.scaling_edge], args.memory, 1)
        )
        measured(folders[min(folders)], min(folders), args.memory, 1)  # compiles the kernels
        print(f"growth, {args.workers} workers, --memory {args.memory}\n{'edge':>12}{names}")
        for edge in args.edges:
            found = measured(folders[edge], edge, args.memory, args.workers)
            print(row(str(edge), edge, found, None), flush=True)
        print(f"strong scaling at {args.scaling_edge}^3\n{'workers':>12}{names}{'speed-up':>9}")
        first = None
        for workers in (1, 2, 4):
            found = measured(folders[args.scaling_edge], args.scaling_edge, args.memory, workers)
            first = first or sum(seconds for seconds, _ in found.values())
            print(row(str(workers), args.scaling_edge, found, first), flush=True)


if __name__ == "__main__":
    main()
