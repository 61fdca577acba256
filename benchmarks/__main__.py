"""All benchmarks of speed and memory that need no data of others, one after the other.

    python -m benchmarks [NAME ...] [--quick]

Each prints its figures beside those of what a user would pick instead, measured in the
same run: take the ratios. Without a name, all run (an hour or so on four cores); --quick
takes small volumes, to see that everything works.
"""

from __future__ import annotations

import argparse
import importlib
import platform
import sys
import time

import psutil

ALL: dict[str, tuple[list[str], list[str]]] = {
    "separation": (["--edge", "256", "512"], ["--edge", "96"]),
    "descriptors": (["--edge", "256", "512"], ["--edge", "96"]),
    "statistics": (["--coverage", "200"], ["--particles", "300"]),
    "errors": ([], ["--radii", "5", "--turns", "3"]),
    "box_volumes": ([], ["--particles", "4"]),
    "inference": (["--size", "tiny", "--edge", "192"], ["--size", "tiny", "--edge", "72"]),
    "training": ([], ["--sizes", "tiny", "--steps", "4", "--rounds", "1", "--edge", "96"]),
    "growth": ([], ["--edges", "64", "128", "--scaling-edge", "128"]),
    "suspects": (["--seeds", "20", "21", "22", "23", "24", "25"], ["--seeds", "20"]),
    "edits_by_hand": ([], ["--edges", "128", "--rounds", "1"]),
    "edit_latency": ([], ["--edges", "128", "--edits", "8"]),
    "edit_operations": ([], ["--edge", "40", "--repeats", "3"]),
    "viewing": (
        ["--shape", "512", "512", "512"],
        ["--shape", "96", "96", "96", "--slices", "8"],
    ),
}
"""Arguments of each benchmark, in full and quick."""


def main() -> None:
    """Run the benchmarks that were named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*ALL, []], help=f"of {', '.join(ALL)}")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    memory = psutil.virtual_memory().total / 1e9
    print(
        f"{platform.machine()}, {psutil.cpu_count()} cores, {memory:.0f} GB, "
        f"Python {platform.python_version()}, load {psutil.getloadavg()[0]:.1f}"
    )
    failed = []
    for name in args.names or ALL:
        arguments = ALL[name][args.quick]
        print(f"\n== {name} {' '.join(arguments)}", flush=True)
        began = time.perf_counter()
        try:
            importlib.import_module(f"benchmarks.{name}").main(arguments)
        except Exception as error:  # noqa: BLE001 - the others are to run all the same
            failed.append(name)
            print(f"{name} failed: {type(error).__name__}: {error}", flush=True)
        print(f"-- {time.perf_counter() - began:.0f} s", flush=True)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
