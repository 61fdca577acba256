"""Training steps a second and the share of waiting, beside a plain loop with torch's DataLoader.

The peer is what one writes by following torch's tutorials: a Dataset that cuts patches from an
array in memory, augments them with numpy and scipy and is read by a DataLoader with processes,
and a loop with the same network, loss, optimiser and precision. Both run in turns in one process,
on the same CT and truth; compare the ratio, not the numbers.

    python benchmarks/training.py --sizes tiny small --steps 6 --edge 160
    python benchmarks/training.py --sizes paper small tiny --steps 100 --patch 96 --batch 4
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, map_coordinates
from torch.utils.data import DataLoader, Dataset

from napari_slagseg.data import GroundTruth, ProgressEvent, Volume, phase_table_of
from napari_slagseg.networks import TrainingSettings, train_network
from napari_slagseg.networks.augmentation import turns
from napari_slagseg.networks.batches import BatchMaker
from napari_slagseg.networks.eight_bit import EightBitVolume, grey_limits
from napari_slagseg.networks.loss import focal_loss
from napari_slagseg.networks.patches import SparseLabels
from napari_slagseg.networks.precision import chosen_precision, mixed
from napari_slagseg.networks.reading_ahead import ReadAhead
from napari_slagseg.networks.threads import chosen_threads
from napari_slagseg.networks.unet import build_unet

TABLE = phase_table_of(["background", "ore", "rest"], ["#000000", "#d55e00", "#56b4e9"])
FIRST = 2
"""Steps that are not timed: buffers are made and kernels chosen in them."""


def sample(edge: int, seed: int) -> tuple[Volume, GroundTruth, np.ndarray]:
    """Blobs of two greys, known on three planes; and their phases as a dense array."""
    rng = np.random.default_rng(seed)
    shape = (edge,) * 3
    solid = gaussian_filter(rng.standard_normal(shape, np.float32), 4)
    kind = gaussian_filter(rng.standard_normal(shape, np.float32), 8)
    phases = np.where(solid > 0.3 * solid.std(), np.where(kind > 0, 1, 2), 0)
    grey = np.array([8000, 24000, 40000])[phases] + rng.normal(0, 2500, shape)
    known = np.zeros(shape, bool)
    known[[edge // 4, edge // 2, 3 * edge // 4]] = True
    voxels = np.flatnonzero(known)
    found = phases.reshape(-1)[voxels]
    n = len(voxels)
    truth = GroundTruth(
        shape=shape,
        voxels=voxels,
        phases=found.astype(np.int16),
        particles=(found > 0).astype(np.int32),
        foreground=(found > 0).astype(np.int8),
        phase_weights=np.ones(n, np.float32),
        particle_weights=np.ones(n, np.float32),
        map_index=np.zeros(n, np.int16),
        cutout_index=np.zeros(n, np.int16),
        table=TABLE,
        map_names=("cuts",),
    )
    dense = np.where(known, phases, -1).astype(np.int8)
    return Volume(grey.clip(0, 65535).astype(np.uint16), (2.0,) * 3), truth, dense


class PlainPatches(Dataset):
    """Patches as one writes them: an array in memory, numpy and scipy."""

    def __init__(self, ct: Volume, dense: np.ndarray, patch: int, elastic: bool, count: int):
        low, high = grey_limits(ct)
        self.grey = ((ct.data.astype(np.float32) - low) / (high - low)).clip(0, 1)
        self.dense, self.patch, self.elastic, self.count = dense, patch, elastic, count
        self.known = np.argwhere(dense >= 0)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> tuple[torch.Tensor, torch.Tensor]:
        rng = np.random.default_rng(i)
        centre = self.known[rng.integers(len(self.known))]
        start = [
            int(np.clip(c - rng.integers(self.patch), 0, n - self.patch))
            for c, n in zip(centre, self.grey.shape)
        ]
        box = tuple(slice(s, s + self.patch) for s in start)
        image, labels = self.grey[box], self.dense[box]
        for axes in ((0, 1), (1, 2), (0, 2)):
            quarter = int(rng.integers(4))
            image, labels = np.rot90(image, quarter, axes), np.rot90(labels, quarter, axes)
        if self.elastic:
            field = np.stack([gaussian_filter(rng.standard_normal(image.shape), 6) for _ in "zyx"])
            field *= 2 / np.sqrt((field**2).sum(0).mean())
            places = np.indices(image.shape) + field
            image = map_coordinates(image, places, order=1, mode="nearest")
            labels = map_coordinates(labels, places, order=0, mode="nearest")
        image = (image + rng.uniform(-0.04, 0.04)).astype(np.float32).clip(0, 1)
        return (
            torch.from_numpy(np.ascontiguousarray(image))[None],
            torch.from_numpy(np.ascontiguousarray(labels).astype(np.int64)),
        )


def plain_loop(
    ct: Volume, dense: np.ndarray, settings: TrainingSettings, workers: int
) -> dict[str, float]:
    """Steps a second and share of waiting of the peer."""
    device = torch.device(settings.device)
    precision = chosen_precision(settings.precision, device)
    steps = settings.steps_per_epoch
    patches = PlainPatches(ct, dense, settings.patch[0], settings.elastic, steps * settings.batch)
    loader = DataLoader(
        patches,
        batch_size=settings.batch,
        num_workers=workers,
        pin_memory=device.type == "cuda",
    )
    network = build_unet(len(TABLE), settings.widths, 0).to(device).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    waited, times, batches = 0.0, [], iter(loader)
    for step in range(steps):
        began = time.perf_counter()
        images, labels = next(batches)
        if step >= FIRST:
            waited += time.perf_counter() - began
        images = images.to(device, non_blocking=True)
        labels = labels.to(device, non_blocking=True)
        optimiser.zero_grad(set_to_none=True)
        with mixed(precision, device):
            logits = network(images)
        known = labels >= 0
        found = logits.permute(0, 2, 3, 4, 1)[known]
        loss = focal_loss(found, labels[known], torch.ones(len(found), device=device))
        loss.backward()
        optimiser.step()
        float(loss.detach())
        times.append(time.perf_counter())
    seconds = times[-1] - times[FIRST - 1]
    return {"steps_per_s": (steps - FIRST) / seconds, "waiting": waited / seconds}


def ours(ct: Volume, truth: GroundTruth, settings: TrainingSettings) -> dict[str, float]:
    """The same of `train_network`."""
    seen: list[tuple[float, float]] = []

    def listen(event: ProgressEvent) -> None:
        now = time.perf_counter()
        done = len(seen) + 1
        # what was waited since the start of the epoch, from the share that is told
        seen.append((now, event.values["waiting_share"] * done / event.values["steps_per_second"]))

    with tempfile.TemporaryDirectory() as folder:
        train_network(ct, truth, None, settings, Path(folder), progress=listen)
    # the last step also ends the epoch, which writes files
    (first, waited_first), (last, waited_last) = seen[FIRST - 1], seen[-2]
    seconds = last - first
    return {
        "steps_per_s": (len(seen) - 1 - FIRST) / seconds,
        "waiting": (waited_last - waited_first) / seconds,
    }


def loading(
    ct: Volume, truth: GroundTruth, dense: np.ndarray, settings: TrainingSettings, workers: int
) -> dict[str, float]:
    """Patches a second with nothing to wait for them, ours and the peer's."""
    patch = settings.patch
    allowed = turns(patch, ct.voxel_size_um)
    maker = BatchMaker(
        EightBitVolume(ct.data, grey_limits(ct)),
        SparseLabels.of(truth, settings.kind),
        patch,
        allowed,
        settings,
    )
    count = max(4, settings.steps_per_epoch)
    maker(0)  # compiles
    with ReadAhead(maker, range(count), threads=workers) as batches:
        began = time.perf_counter()
        for _ in range(count):
            batches.take()
        own = count * settings.batch / (time.perf_counter() - began)
    patches = PlainPatches(ct, dense, patch[0], settings.elastic, (count + 1) * settings.batch)
    loader = iter(DataLoader(patches, batch_size=settings.batch, num_workers=workers))
    next(loader)  # starts the processes
    began = time.perf_counter()
    for _ in range(count):
        next(loader)
    return {"own": own, "plain": count * settings.batch / (time.perf_counter() - began)}


def main(argv: list[str] | None = None) -> None:
    """Measure and print a row for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=["tiny", "small"])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--patch", type=int, default=48)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--edge", type=int, default=160, help="of the CT, in voxels")
    parser.add_argument("--workers", type=int, default=1, help="threads here, processes there")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--elastic", action="store_true")
    chosen = parser.parse_args(argv)
    ct, truth, dense = sample(chosen.edge, 0)
    for size in chosen.sizes:
        settings = TrainingSettings(
            kind="phase",
            size=size,
            epochs=1,
            steps_per_epoch=chosen.steps,
            batch=chosen.batch,
            patch=(chosen.patch,) * 3,
            elastic=chosen.elastic,
            device=chosen.device,
            threads=chosen.threads,
            loaders=chosen.workers,
        )
        rows: dict[str, list[dict[str, float]]] = {"own": [], "plain": [], "loading": []}
        with chosen_threads(chosen.threads):
            for _ in range(chosen.rounds):  # in turns, as a shared machine changes its speed
                rows["own"].append(ours(ct, truth, settings))
                rows["plain"].append(plain_loop(ct, dense, settings, chosen.workers))
                rows["loading"].append(loading(ct, truth, dense, settings, chosen.workers))
        middle = {
            f"{name} {what}": round(float(np.median([row[what] for row in found])), 3)
            for name, found in rows.items()
            for what in found[0]
        }
        ratio = middle["own steps_per_s"] / middle["plain steps_per_s"]
        faster = middle["loading own"] / middle["loading plain"]
        print(
            json.dumps(
                {
                    "size": size,
                    "device": chosen.device,
                    **middle,
                    "own patches_per_s": round(middle["own steps_per_s"] * chosen.batch, 2),
                    "steps, own to plain": round(ratio, 2),
                    "loading, own to plain": round(faster, 2),
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
