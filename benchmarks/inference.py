"""Prediction by tiles: ours beside MONAI's sliding window with the same network.

    python -m benchmarks.inference [--size tiny] [--edge 192] [--device cpu] [--threads N]
    python -m benchmarks.inference --project PROJECT            the project's phase network and CT
    python -m benchmarks.inference --halo PROJECT               what the halo changes
    python -m benchmarks.inference --backends PROJECT           what backend and precision change

Without a project, the network has random weights and the volume is smoothed noise: good for
time, not for labels. All ways run after each other in one process, on the same device, after
a first call on one tile that compiles. "like in one piece" is the share of voxels with the
class that the network gives with all it can see (halo 56, where tiles leave no trace).
MONAI's window of 0.5 overlap with Gaussian weights is what nnU-Net does; both its rows use
the folded network in the precision that ours uses. The matrix product that operations are
set against is measured in the same run.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_slagseg.data import phase_table_of
from napari_slagseg.networks import (
    SIZES,
    NetworkCard,
    PredictionSettings,
    TrainedNetwork,
    load_network,
    predict_volume,
)
from napari_slagseg.networks.checkpoints import pick_device
from napari_slagseg.networks.prediction.grey_values import eight_bit
from napari_slagseg.networks.prediction.settings import chosen_settings, has_openvino
from napari_slagseg.networks.prediction.tile_network import flops_per_voxel
from napari_slagseg.networks.threads import chosen_threads
from napari_slagseg.networks.unet import build_unet, fold_batch_norms
from napari_slagseg.project import Project

ALL_CONTEXT = 56
HALOS = (16, 24, 32, 40, 48)
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def random_case(size: str, edge: int) -> tuple[NDArray[np.uint16], TrainedNetwork]:
    """Noise, and a network that has not learnt anything."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    grey = gaussian_filter(rng.standard_normal((edge,) * 3, dtype=np.float32), 2)
    ct = (32_768 + 8_000 * grey / grey.std()).clip(0, 65_535).astype(np.uint16)
    table = phase_table_of(
        ["background", "a", "b", "c"], ["#000000", "#d55e00", "#56b4e9", "#009e73"]
    )
    limits = (0.0, 65_535.0)
    card = NetworkCard("phase", SIZES[size], 4, table, limits, (1.0, 1.0, 1.0))
    network = build_unet(4, SIZES[size], seed=0).eval()
    with torch.inference_mode():
        some = torch.from_numpy(eight_bit(ct[:64, :64, :64], limits))[None, None] / 255
        middle = network(some)[0].flatten(1).median(1).values
    # all four classes are to come up
    network.head.bias.data.sub_(middle.clone())
    return ct, TrainedNetwork(network, card, "random weights")


def project_case(folder: str, edge: int | None) -> tuple[NDArray[Any], dict[str, Path]]:
    """CT of a project (its middle, if it is large) and its networks' folders."""
    project = Project(folder)
    ct = project.volume().data
    box = tuple(
        slice(max(0, (n - (edge or n)) // 2), max(0, (n - (edge or n)) // 2) + min(n, edge or n))
        for n in ct.shape
    )
    folders = {kind: project.model_folder(kind) for kind in ("phase", "particle")}
    return np.asarray(ct[box]), {k: f for k, f in folders.items() if f is not None}


def seconds_of(work: Callable[[], Any], device: torch.device) -> tuple[float, Any]:
    """Time of a call, and what it gave."""
    start = time.perf_counter()
    result = work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start, result


def matmul_peak(device: torch.device, precision: str) -> float:
    """Operations a second of a large square matrix product, best of nine."""
    n = 8192 if device.type == "cuda" else 2048
    a = torch.randn(n, n, device=device, dtype=TYPES[precision])
    a @ a
    return 2 * n**3 / min(seconds_of(lambda: a @ a, device)[0] for _ in range(9))


def sliding_window(
    ct: NDArray[Any],
    trained: TrainedNetwork,
    window: int,
    overlap: float,
    device: torch.device,
    precision: str,
) -> NDArray[np.uint8]:
    """Classes by MONAI."""
    from monai.inferers import sliding_window_inference

    network: Any = fold_batch_norms(trained.network).to(device=device, dtype=TYPES[precision])
    network = network.to(memory_format=torch.channels_last_3d)
    grey = torch.from_numpy(eight_bit(ct, trained.card.grey_limits))[None, None]
    with torch.inference_mode():
        logits = sliding_window_inference(
            grey.to(device=device, dtype=TYPES[precision]) / 255,
            (window,) * 3,
            1,
            network,
            overlap=overlap,
            mode="gaussian" if overlap else "constant",
        )
    return logits[0].argmax(0).to(torch.uint8).cpu().numpy()  # type: ignore[union-attr]


def compare(args: argparse.Namespace) -> None:
    """Print ours beside MONAI's."""
    device = pick_device(args.device)
    if args.project:
        ct, folders = project_case(args.project, args.edge)
        trained = load_network(folders["phase"])
    else:
        ct, trained = random_case(args.size, args.edge)
    widths, channels = trained.card.widths, trained.card.channels
    asked = PredictionSettings(device=args.device, threads=args.threads, tile=args.tile)
    chosen = chosen_settings(asked, widths)
    own = {
        "device": args.device,
        "threads": args.threads,
        "tile": chosen.tile,
    }
    peak = matmul_peak(device, chosen.precision)
    voxels = ct.size
    print(f"network of widths {widths}: {flops_per_voxel(widths, channels):,.0f} FLOP a voxel")
    print(f"CT {ct.shape} {ct.dtype}; tile {chosen.tile}, halo {chosen.halo}; {device}", end="; ")
    print(f"{args.threads or torch.get_num_threads()} threads")
    print(f"matrix product in {chosen.precision}: {peak / 1e9:,.0f} GFLOP/s\n")

    def ours(**others: Any) -> Callable[[], NDArray[np.uint8]]:
        def work() -> NDArray[np.uint8]:
            found = predict_volume(ct, phase=trained, particle=None, **{**own, **others}).phases
            assert found is not None
            return found

        return work

    tile, halo = chosen.edge, chosen.margin
    plain = flops_per_voxel(widths, channels)
    by_tile = flops_per_voxel(widths, channels, tile, halo)
    rows: list[tuple[str, Callable[[], NDArray[np.uint8]], float]] = [
        (f"ours, {chosen.backend} {chosen.precision}", ours(), by_tile),
    ]
    if device.type == "cpu" and chosen.backend != "torch":
        rows.append(("ours, torch fp32", ours(backend="torch", precision="fp32"), by_tile))
        if args.bf16:
            rows.append(("ours, torch bf16", ours(backend="torch", precision="bf16"), by_tile))
            rows.append(("ours, openvino bf16", ours(precision="bf16"), by_tile))
    if args.blended:
        rows.append(("ours, Gaussian overlap 0.5", ours(average=True, halo=0), 8 * plain))
    overlaps = (0.5, 0.0) if importlib.util.find_spec("monai") else ()
    if not overlaps:
        print("MONAI is not installed, so there is nothing to compare with: pip install monai")
    for overlap in overlaps:

        def monai(overlap: float = overlap) -> NDArray[np.uint8]:
            return sliding_window(ct, trained, tile, overlap, device, chosen.precision)

        step = tile * (1 - overlap)
        windows = math.prod(max(0, math.ceil((n - tile) / step)) + 1 for n in ct.shape)
        seen = windows * tile**3 / ct.size
        rows.append((f"MONAI window {tile}, overlap {overlap:g}", monai, seen * plain))
    with chosen_threads(args.threads):
        truth = ours(halo=ALL_CONTEXT)()
        print(f"{'':34}{'Mvoxel/s':>10}{'ratio':>8}{'of peak':>9}{'like in one piece':>20}")
        first = 0.0
        for name, work, flops in rows:
            if name.startswith("ours"):
                work()  # compiled and loaded, as for all blocks but the first
            seconds, classes = seconds_of(work, device)
            first = first or seconds
            same = float((classes == truth).mean())
            print(
                f"{name:34}{voxels / seconds / 1e6:10.3f}{seconds / first:8.2f}"
                f"{flops * voxels / seconds / peak:9.1%}{same:20.4%}",
                flush=True,
            )


def halos(args: argparse.Namespace) -> None:
    """Print what narrower halos change on a trained network."""
    ct, folders = project_case(args.halo, args.edge)
    own = {"device": args.device, "threads": args.threads, "tile": args.tile or 64}
    whole = predict_volume(ct, **networks_of(folders), halo=ALL_CONTEXT, **own)
    print(f"CT {ct.shape}, tiles of {own['tile']}; changed voxels, against halo {ALL_CONTEXT}")
    print(f"{'halo':>5}{'phases':>12}{'p > 0.5':>12}{'p > 0.8':>12}{'largest change of p':>22}")
    for halo in HALOS:
        found = predict_volume(ct, **networks_of(folders), halo=halo, **own)
        print(f"{halo:5}" + row_of_changes(found, whole), flush=True)


def backends(args: argparse.Namespace) -> None:
    """Print what backend and precision change on a trained network."""
    ct, folders = project_case(args.backends, args.edge)
    own = {"device": args.device, "threads": args.threads, "tile": args.tile}
    whole = predict_volume(ct, **networks_of(folders), backend="torch", precision="fp32", **own)
    print(f"CT {ct.shape}; changed voxels, against torch fp32")
    print(f"{'':15}{'phases':>12}{'p > 0.5':>12}{'p > 0.8':>12}{'largest change of p':>22}")
    ways = [("torch", "bf16")]
    if has_openvino():
        ways += [("openvino", "fp32"), ("openvino", "bf16")]
    for backend, precision in ways:
        found = predict_volume(
            ct,
            **networks_of(folders),
            backend=backend,
            precision=precision,
            **own,
        )
        print(f"{backend + ' ' + precision:15}" + row_of_changes(found, whole), flush=True)


def networks_of(folders: dict[str, Path]) -> dict[str, Any]:
    """Arguments of `predict_volume`."""
    return {kind: folders.get(kind) for kind in ("phase", "particle")}


def row_of_changes(found: Any, whole: Any) -> str:
    """Shares of voxels whose class changes, and the largest change of probability."""
    p, q = (r.particle_probability.astype(int) for r in (found, whole))
    shares = [
        (found.phases != whole.phases).mean(),
        ((p > 127) != (q > 127)).mean(),
        ((p > 204) != (q > 204)).mean(),
    ]
    return "".join(f"{s:12.2e}" for s in shares) + f"{np.abs(p - q).max() / 255:22.3f}"


def main(argv: list[str] | None = None) -> None:
    """Read the options and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--size", choices=list(SIZES), default="tiny")
    parser.add_argument("--edge", type=int, default=None, help="edge of the volume in voxels")
    parser.add_argument("--tile", type=int, default=None)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--project", default=None, help="project with trained networks")
    parser.add_argument("--bf16", action="store_true", help="bf16 too where it is imitated")
    parser.add_argument("--blended", action="store_true", help="our Gaussian overlap too")
    parser.add_argument("--halo", metavar="PROJECT", default=None)
    parser.add_argument("--backends", metavar="PROJECT", default=None)
    args = parser.parse_args(argv)
    if args.threads is None and hasattr(os, "sched_getaffinity"):
        args.threads = len(os.sched_getaffinity(0))
    if args.halo:
        halos(args)
    elif args.backends:
        backends(args)
    else:
        if not args.project:
            args.edge = args.edge or 192
        compare(args)


if __name__ == "__main__":
    main()
