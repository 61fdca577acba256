"""A full run on a volume of the size of a real scan, with time and memory by step.

    python -m benchmarks.full_run FOLDER [--shape 1000 1256 1256] [--memory 8GB]

Makes a packing of rough particles (`benchmarks.packing`) block by block: a CT of 16 bit,
phases and particle probabilities. Then runs the commands that a user would: coarse copies
of the CT, `slagseg separate`, `slagseg describe`, and with `--network` also `slagseg
predict` with a network of that size and random weights (its speed does not depend on
what it has learnt). Memory is the peak of the command and all its processes together,
each page that several share counted once (PSS), looked at twice a second.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import tifffile
from benchmarks.packing import packing

from napari_slagseg import io
from napari_slagseg.data import Block, BlockGrid

EDGE = 256
GREY = np.array([9000, 22000, 26000], dtype=np.int32)
NOISE = 1800
VOXEL_UM = (2.0, 2.0, 2.0)


class PeakMemory:
    """Largest memory of a process and its children while the block runs, in bytes."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.peak = 0

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.5):
            total = 0
            try:
                for process in (self._root, *self._root.children(recursive=True)):
                    try:
                        total += process.memory_full_info().pss
                    except psutil.Error:
                        continue
            except psutil.Error:
                continue
            self.peak = max(self.peak, total)


def make_inputs(
    folder: Path, shape: tuple[int, int, int], threads: int, *, ct: bool = True
) -> None:
    """CT as TIFF (if asked for), phases and probabilities as one Zarr store."""
    store = folder / "predicted.zarr"
    made = io.create_result_arrays(
        store, {"phases": "uint8", "particle_probability": "uint8"}, shape, VOXEL_UM
    )
    scan = None
    if ct:
        scan = tifffile.memmap(
            folder / "ct.tif", shape=shape, dtype="uint16", bigtiff=True, photometric="minisblack"
        )

    def make(block: Block) -> None:
        _, phases, probability = packing(shape, start=block.start, stop=block.stop)
        made["phases"][block.box] = phases
        made["particle_probability"][block.box] = probability
        if scan is None:
            return
        rng = np.random.default_rng(block.start)
        for z, plane in enumerate(phases):
            noise = rng.standard_normal(plane.shape, dtype=np.float32) * NOISE
            grey = np.clip(GREY[plane] + noise, 0, 65535)
            scan[(block.start[0] + z, *block.box[1:])] = grey.astype(np.uint16)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(make, BlockGrid.of(shape, EDGE)))
    if scan is not None:
        scan.flush()


def random_networks(folder: Path, size: str) -> tuple[Path, Path]:
    """Networks of a size with random weights."""
    import torch

    from napari_slagseg.data import phase_table_of
    from napari_slagseg.networks.card import NetworkCard
    from napari_slagseg.networks.checkpoints import save_weights
    from napari_slagseg.networks.settings import SIZES
    from napari_slagseg.networks.unet import build_unet

    table = phase_table_of(["background", "ore", "rest"], ["#000000", "#d55e00", "#0072b2"])
    made = []
    for kind, channels in (("phase", 3), ("particle", 1)):
        torch.manual_seed(0)
        network = build_unet(channels, SIZES[size])
        card = NetworkCard(
            kind=kind, widths=SIZES[size], channels=channels, table=table,
            voxel_size_um=VOXEL_UM, grey_limits=(4000.0, 32000.0),
        )  # fmt: skip
        target = folder / f"{kind}_{size}"
        target.mkdir(exist_ok=True)
        save_weights(target, network.eval(), card)
        made.append(target)
    return made[0], made[1]


def commands(folder: Path, memory: str, workers: int) -> dict[str, list[str]]:
    """Commands on the inputs of a folder, in order."""
    within = ["--memory", memory, "--workers", str(workers), "--json", "--quiet"]
    store = str(folder / "predicted.zarr")
    return {
        "separate": [
            "separate", f"{store}/phases", f"{store}/particle_probability",
            "--out", str(folder / "particles.zarr"), *within,
        ],
        "describe": [
            "describe", f"{folder / 'particles.zarr'}/particles", f"{store}/phases",
            "--target", "1", "--out", str(folder / "particles.csv"), *within,
        ],
    }  # fmt: skip


def predict_command(folder: Path, size: str, memory: str, workers: int) -> list[str]:
    """Prediction by networks of a size with random weights."""
    phase, particle = random_networks(folder, size)
    return [
        "predict", str(folder / "ct.tif"), "--phase-model", str(phase),
        "--particle-model", str(particle), "--voxel-size", "2", "--threshold", "0.5",
        "--out", str(folder / "segmented.zarr"),
        "--memory", memory, "--workers", str(workers), "--json", "--quiet",
    ]  # fmt: skip


def run_command(arguments: list[str]) -> tuple[float, int, str]:
    """Seconds, peak memory in bytes and output of a command of the project."""
    command = [str(Path(sys.executable).with_name("slagseg")), *arguments]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        with PeakMemory(process.pid) as memory:
            output = process.communicate()[0]
        seconds = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}")
    return seconds, memory.peak, output.strip()


def main(argv: list[str] | None = None) -> None:
    """Make the inputs, run the steps, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shape", type=int, nargs=3, default=(1000, 1256, 1256))
    parser.add_argument("--memory", default="8GB")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--network", choices=["tiny", "small", "paper"])
    parser.add_argument("--only", choices=["separate", "describe", "predict"], action="append")
    args = parser.parse_args(argv)
    shape = tuple(args.shape)
    folder: Path = args.folder
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "inputs.json"
    if not done.is_file() or json.loads(done.read_text()) != list(shape):
        began = time.perf_counter()
        make_inputs(folder, shape, args.workers)
        done.write_text(json.dumps(list(shape)))
        print(f"inputs made in {time.perf_counter() - began:.0f} s", flush=True)
    steps = commands(folder, args.memory, args.workers)
    if args.network:
        steps["predict"] = predict_command(folder, args.network, args.memory, args.workers)
    voxels = int(np.prod(shape))
    print(f"{shape}: {voxels / 1e9:.2f} G voxels; --memory {args.memory}, {args.workers} workers")
    print(f"{'step':12}{'s':>8}{'Mvoxel/s':>10}{'peak GB':>9}{'B/voxel':>9}")
    for name, arguments in steps.items():
        if args.only and name not in args.only:
            continue
        shutil.rmtree(folder / ".work", ignore_errors=True)
        seconds, peak, output = run_command(arguments)
        print(
            f"{name:12}{seconds:8.1f}{voxels / seconds / 1e6:10.1f}{peak / 1e9:9.2f}"
            f"{peak / voxels:9.2f}",
            flush=True,
        )
        print(f"    {output[-300:]}", flush=True)


if __name__ == "__main__":
    main()
