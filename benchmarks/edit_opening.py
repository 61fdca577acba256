"""Time to open a project's edits, with and without the chunks that are stored on the way.

    python -m benchmarks.edit_opening [--edge 512] [--edits 2000] [--disk FOLDER]

The volume is a sharded OME-Zarr store of balls of 100 voxels across, as in `edit_latency`; every
edit gives half of one a new label. Opened is a new history over the volume: from the journal
alone (every edit is done again), from the chunks stored at the end, and from chunks stored 199
edits before, the most that a kill can leave to be done again. Every way of opening must give the
same voxels.

Then: the time that storing takes while edits wait for nothing, the bytes on disk for each edit,
and the memory that the edited chunks take, as arrays and compressed.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from benchmarks.edit_latency import ACROSS, PERIOD, on_disk, quantiles, split

from napari_slagseg.data import EditedVolume, VolumeLike
from napari_slagseg.project.edits import EditJournal, History


def opened(base: VolumeLike, folder: Path) -> History:
    """A history over the volume, as after a start of the program."""
    return History(
        EditJournal(folder / "journal.slg"),
        {"particles": EditedVolume(base)},
        require_lock=lambda: None,
        largest_label=10**7,
        store_every=0,
    )


def timed_opening(what: str, base: VolumeLike, folder: Path) -> History:
    """Open, and print how long it took."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        history = opened(base, folder)
        times.append(time.perf_counter() - began)
    print(f"{what:<44}{min(times):9.3f} s", flush=True)
    return history


def bytes_in(folder: Path, pattern: str) -> tuple[int, int]:
    """Files and their bytes."""
    files = [p for p in folder.rglob(pattern) if p.is_file()]
    return len(files), sum(p.stat().st_size for p in files)


def main(argv: list[str] | None = None) -> None:
    """Edit, store, open."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edge", type=int, default=512)
    parser.add_argument("--edits", type=int, default=2000)
    parser.add_argument("--disk", type=Path, help="where all is written (a real disk)")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=args.disk) as place:
        base = on_disk(Path(place), args.edge)
        folder = Path(place, "edits")
        folder.mkdir()
        history = opened(base, folder)
        history.recover()
        corner = (PERIOD - ACROSS) // 2
        starts = [
            (corner + z, corner + y, corner + x)
            for z in range(0, args.edge - PERIOD + 1, PERIOD)
            for y in range(0, args.edge - PERIOD + 1, PERIOD)
            for x in range(0, args.edge - PERIOD + 1, PERIOD)
        ]
        np.random.default_rng(0).shuffle(starts)
        seconds = []
        for n in range(args.edits):
            if n == args.edits - 199:
                history.store()
            step = split(history, tuple(starts[n % len(starts)]))
            began = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - began)
        print(f"{args.edits} edits, {args.edge}^3; median, 95 % in ms:{quantiles(seconds)}")
        arrays = history.volumes["particles"].overlay_bytes
        wanted = history.volumes["particles"][...]

        alone = Path(place, "alone")
        alone.mkdir()
        shutil.copy(folder / "journal.slg", alone)
        replayed = timed_opening("opening from the journal alone", base, alone)
        late = timed_opening("opening, 199 edits after storing", base, folder)
        before = bytes_in(folder, "*.chunk")
        began = time.perf_counter()
        history.store()
        print(f"{'storing after 199 edits':<44}{time.perf_counter() - began:9.3f} s")
        stored = timed_opening("opening from stored chunks", base, folder)
        for found in (replayed, late, stored):
            assert np.array_equal(found.volumes["particles"][...], wanted)
            assert found.done == history.done
        packed = stored.volumes["particles"].overlay_bytes
        began = time.perf_counter()
        for _ in range(20):
            stored.undo()
        print(f"{'undo past stored chunks, each':<44}{(time.perf_counter() - began) / 20:9.3f} s")

        files, size = bytes_in(folder, "*.chunk")
        print(
            f"journal {history.journal.size / args.edits / 1e3:.1f} kB an edit; stored chunks: "
            f"{files} files, {size / files / 1e3:.1f} kB each, "
            f"{(size - before[1]) / 199 / 1e3:.1f} kB more for each of the last 199 edits; "
            f"memory of the edited chunks: {arrays / 2**20:.0f} MiB as they are edited, "
            f"{packed / 2**20:.1f} MiB opened"
        )


if __name__ == "__main__":
    main()
