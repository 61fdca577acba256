"""Time of an edit on a particle of 100^3 voxels against the size of the volume.

    python -m benchmarks.edit_latency [--edges 128 512] [--zarr 1024] [--edits 60] [--disk FOLDER]

The particle, a ball of 100 voxels across, is at another place for every edit of a volume of
balls; an edit gives one half of it a new label, as a split does. Timed is all that comes after
the new labels of the box are known: the delta, its record in the journal (with the wait for
the disk), the overlay; so is taking it back, which reads the journal, and what a plain append
and fsync of as many bytes takes on the same disk, to be subtracted in the mind.
`benchmarks.edits_by_hand` times whole edits, of every kind. *First* edits
copy their chunks from the base, *later* ones find them copied. `--zarr` adds a sharded OME-Zarr
store as the base. The volumes in memory are made of one period of balls, so that a large one
takes no longer to make than to fill.

Undo memory is what an edit adds: bytes in the journal on disk, and in the process (traced by
tracemalloc over all edits, without the overlay, which is shown by itself).
"""

from __future__ import annotations

import argparse
import gc
import os
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_slagseg.data import Action, EditedVolume, VolumeLike, delta_between
from napari_slagseg.io import create_result_arrays
from napari_slagseg.project.edits import EditJournal, History

ACROSS = 100
PERIOD = 128


def balls(edge: int) -> np.ndarray:
    """Labels of balls, one in every 128^3 voxels."""
    at = np.arange(edge) % PERIOD - PERIOD / 2 + 0.5
    square = at**2
    number = np.arange(edge) // PERIOD
    count = -(-edge // PERIOD)
    labels = np.empty((edge,) * 3, np.uint32)
    for z in range(edge):
        inside = square[z] + square[:, None] + square[None, :] <= (ACROSS / 2) ** 2
        names = 1 + number[None, :] + count * (number[:, None] + count * number[z])
        labels[z] = np.where(inside, names, 0)
    return labels


def on_disk(folder: Path, edge: int) -> VolumeLike:
    """The same labels in a sharded OME-Zarr store."""
    made = create_result_arrays(
        folder / f"{edge}.zarr", {"particles": "u4"}, (edge,) * 3, (1.0,) * 3, {}
    )["particles"]
    part = balls(256)
    period = 256 // PERIOD
    for z in range(0, edge, 256):
        for y in range(0, edge, 256):
            for x in range(0, edge, 256):
                shift = 1000 * (1 + x // 256 + period * 8 * (y // 256 + period * 8 * (z // 256)))
                block = np.where(part > 0, part + np.uint32(shift), np.uint32(0))
                made[z : z + 256, y : y + 256, x : x + 256] = block[
                    : edge - z, : edge - y, : edge - x
                ]
    return made


def quantiles(seconds: list[float]) -> str:
    """Median and 95 % in milliseconds."""
    if not seconds:
        return f"{'-':>8}{'-':>8}"
    low, high = np.quantile(seconds, [0.5, 0.95]) * 1e3
    return f"{low:8.1f}{high:8.1f}"


def timed(call: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def split(history: History, start: tuple[int, ...]) -> Callable[[], object]:
    """The step that gives one half of a ball a new label; the box is read and changed here."""
    volume = history.volumes["particles"]
    margin = 4
    low = [max(0, a - margin) for a in start]
    box = tuple(slice(a, b + ACROSS + margin) for a, b in zip(low, start))
    before = volume[box]
    (label,) = history.new_labels()
    old = int(before[tuple(n // 2 for n in before.shape)])
    after = before.copy()
    half = after[:, :, after.shape[2] // 2 :]
    half[half == old] = label

    def step() -> None:
        delta = delta_between("particles", tuple(low), before, after)
        history.do(Action("split", {"label": old}, (delta,), (old,), (old, label)))

    return step


def plain_append(path: Path, size: int) -> None:
    """Append as many bytes to a file and wait for the disk."""
    with path.open("ab") as file:
        file.write(b"\0" * size)
        file.flush()
        os.fsync(file.fileno())


def measure(name: str, base: VolumeLike, folder: Path, edits: int) -> None:
    """Edit one volume, and print a row."""
    volume = EditedVolume(base)
    journal = EditJournal(folder / f"{name.replace(' ', '-')}.slg")
    volumes = {"particles": volume}
    history = History(journal, volumes, require_lock=lambda: None, largest_label=10**6)
    history.recover()
    corner = (PERIOD - ACROSS) // 2
    places = [
        (corner + z, corner + y, corner + x)
        for z in range(0, base.shape[0] - PERIOD + 1, PERIOD)
        for y in range(0, base.shape[1] - PERIOD + 1, PERIOD)
        for x in range(0, base.shape[2] - PERIOD + 1, PERIOD)
    ]
    np.random.default_rng(0).shuffle(places)
    places = places[: max(1, edits // 2)]
    seen: set[tuple[int, ...]] = set()
    first, later, undo, redo, plain = [], [], [], [], []
    sizes = []
    for n in range(edits):
        start = tuple(places[n % len(places)])
        step = split(history, start)
        size = journal.size
        (later if start in seen else first).append(timed(step))
        seen.add(start)
        sizes.append(journal.size - size)
        plain.append(timed(lambda: plain_append(folder / "plain.bin", sizes[-1])))
    for _ in range(edits // 2):
        undo.append(timed(history.undo))
    for _ in range(edits // 2):
        redo.append(timed(history.redo))
    held = history_bytes(base, folder)
    opened = timed(
        lambda: History(
            journal, {"particles": EditedVolume(base)}, require_lock=lambda: None, largest_label=0
        )
    )
    print(
        f"{name:>12}{quantiles(first)}{quantiles(later)}{quantiles(undo)}{quantiles(redo)}"
        f"{quantiles(plain)}{np.median(sizes) / 1e3:9.1f}{held:8.0f}"
        f"{volume.overlay_bytes / 2**20:9.0f}{opened / (2 * edits) * 1e3:9.1f}",
        flush=True,
    )


def history_bytes(base: VolumeLike, folder: Path, edits: int = 100) -> float:
    """Bytes that an edit leaves in the process besides the overlay."""
    volume = EditedVolume(base)
    path = folder / "traced.slg"
    path.unlink(missing_ok=True)
    history = History(
        EditJournal(path),
        {"particles": volume},
        require_lock=lambda: None,
        largest_label=10**6,
        store_every=0,
    )
    start = ((PERIOD - ACROSS) // 2,) * 3
    tracemalloc.start()
    split(history, start)()
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(edits):
        split(history, start)()
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return grown / edits


def main(argv: list[str] | None = None) -> None:
    """Measure all volumes asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edges", type=int, nargs="*", default=[128, 512])
    parser.add_argument("--zarr", type=int, nargs="*", default=[])
    parser.add_argument("--edits", type=int, default=60)
    parser.add_argument("--disk", type=Path, help="where the journal is written (a real disk)")
    args = parser.parse_args(argv)
    heads = ["first", "later", "undo", "redo", "plain"]
    print(" " * 12 + "".join(f"{h + ' edit' if h in heads[:2] else h:>16}" for h in heads))
    print(
        f"{'volume':>12}"
        + "".join(f"{'median':>8}{'95 %':>8}" for _ in heads)
        + f"{'kB disk':>9}{'B held':>8}{'overlay':>9}{'opening':>9}"
    )
    with tempfile.TemporaryDirectory(dir=args.disk) as place:
        for edge in args.edges:
            measure(f"{edge}^3", balls(edge), Path(place), args.edits)
        for edge in args.zarr:
            measure(f"{edge}^3 Zarr", on_disk(Path(place), edge), Path(place), args.edits)
    print("(milliseconds; overlay in MiB; opening in ms a record)")


if __name__ == "__main__":
    main()
