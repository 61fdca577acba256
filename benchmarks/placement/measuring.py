"""One placement measured: errors against the truth, verdict, time and memory."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import psutil
from benchmarks.placement.cases import Task
from numpy.typing import NDArray

from napari_slagseg.data import PlacedMap, SlagsegError
from napari_slagseg.registration import PreparedCT, place_map

LOST_VOXELS = 2.0
"""A map accepted with a larger median error is lost."""

BIN = 0.01
BINS = 3000
"""Of the histogram that errors of all pixels of many maps are pooled in, in voxels."""

NAN = float("nan")


@dataclass
class Row:
    """One map in one CT."""

    method: str
    preset: str
    level: str
    seed: int
    case: str
    map: str
    own: bool
    verdict: str = "refused"
    """placed, LOST, refused; ACCEPTED for a foreign map."""
    median: float = NAN
    p95: float = NAN
    worst: float = NAN
    worst_anywhere: float = NAN
    """Pixels beyond the cylinder, where map and CT show nothing, included."""
    share_placed: float = NAN
    cutouts: int = 0
    """Accepted ones; the next two count those of them within one voxel."""
    centre_within_1: int = 0
    all_within_1: int = 0
    good: int = 0
    worst_good: float = NAN
    """Of all pixels of all cutouts graded good."""
    doubtful: int = 0
    bad: int = 0
    mirror_right: bool = False
    score: float = NAN
    ratio: float = NAN
    probability: float = NAN
    odd_even: float = NAN
    uncertainty: float = NAN
    """Median of what the placement states, in voxels."""
    seconds: float = NAN
    cpu_seconds: float = NAN
    peak_mb: float = NAN
    reason: str = ""
    histogram: NDArray[np.int64] | None = field(default=None, repr=False)

    def csv(self) -> dict[str, Any]:
        """All but the histogram."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "histogram"}


class PeakMemory:
    """Largest resident memory of this process while it is open, in MB."""

    def __enter__(self) -> PeakMemory:
        self._process = psutil.Process()
        self._largest = self._process.memory_info().rss
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self._largest = max(self._largest, self._process.memory_info().rss)

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        self.megabytes = max(self._largest, self._process.memory_info().rss) / 2**20


def place(row: Row, ct: PreparedCT, task: Task) -> PlacedMap | None:
    """Place a map, fill its row."""
    started, cpu = time.perf_counter(), time.process_time()
    placed, refused = None, ""
    with PeakMemory() as memory:
        try:
            placed = place_map(ct, task.given, **task.hints)
        except SlagsegError as error:
            refused = str(error)
    row.seconds, row.cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    row.peak_mb = memory.megabytes
    if placed is None:
        row.reason = refused
        return None
    judge(row, placed, task)
    return placed


def judge(row: Row, placed: PlacedMap, task: Task) -> None:
    """What came out, beside the truth."""
    details = placed.details
    row.score, row.reason = placed.score, placed.reason
    row.probability = NAN if placed.probability is None else placed.probability
    ratio = details.get("ratio_to_second_place")
    row.ratio = float("inf") if ratio is None else float(ratio)
    row.odd_even = float(details.get("odd_even_voxels") or NAN)
    row.mirror_right = placed.mirrored == task.mirrored
    if not row.own:
        row.verdict = "ACCEPTED" if placed.placed else "refused"
        return
    distance = distances(placed, task.coordinates)
    within = in_sample(placed, task)
    if not placed.placed or not np.isfinite(distance[within]).any():
        return
    row.worst_anywhere = float(np.nanmax(distance))
    distance[~within] = np.nan
    known = distance[np.isfinite(distance)]
    fill_errors(row, known)
    row.share_placed = len(known) / np.count_nonzero(within)
    uncertainty = placed.uncertainty()
    if np.isfinite(uncertainty).any():
        row.uncertainty = float(np.nanmedian(uncertainty))
    worst_good = []
    for c in placed.cutouts:
        if not c.accepted:
            continue
        part = distance[c.row : c.row + c.height, c.column : c.column + c.width]
        if not np.isfinite(part).any():
            continue
        worst, centre = float(np.nanmax(part)), float(part[c.height // 2, c.width // 2])
        row.cutouts += 1
        row.centre_within_1 += centre <= 1
        row.all_within_1 += worst <= 1
        if c.grade == "good":
            worst_good.append(worst)
        row.doubtful += c.grade == "doubtful"
        row.bad += c.grade == "bad"
    row.good = len(worst_good)
    row.worst_good = max(worst_good, default=NAN)
    right = row.mirror_right and row.median <= LOST_VOXELS
    row.verdict = "placed" if right else "LOST"


def fill_errors(row: Row, errors: NDArray[np.floating]) -> None:
    """Median, 95 %, worst and the histogram of errors in voxels."""
    row.median, row.p95 = (float(v) for v in np.percentile(errors, [50, 95]))
    row.worst = float(errors.max())
    bins = np.minimum((errors / BIN).astype(np.int64), BINS - 1)
    row.histogram = np.bincount(bins, minlength=BINS)


def in_sample(placed: PlacedMap, task: Task) -> NDArray[np.bool_]:
    """(rows, columns): pixels that truly lie in the CT and, where there is one, its cylinder."""
    true, inside = task.coordinates, _in_ct(placed, task.coordinates)
    if task.radius is not None:
        middle = (np.array(placed.ct_shape[1:]) - 1) / 2
        off = (true[..., 1:] - middle) * _in_plane(placed)[1:]
        inside &= np.hypot(off[..., 0], off[..., 1]) <= task.radius
    return inside


def _in_ct(placed: PlacedMap, true: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.all((true >= -0.5) & (true <= np.array(placed.ct_shape) - 0.5), axis=-1)


def _in_plane(placed: PlacedMap) -> NDArray[np.float32]:
    """Voxel edges in units of the mean edge in the plane."""
    edges = np.array(placed.voxel_size_um)
    return (edges / np.sqrt(edges[1] * edges[2])).astype(np.float32)


def distances(placed: PlacedMap, true: NDArray[np.float32]) -> NDArray[np.float32]:
    """(rows, columns) distance between placed and true place in units of the CT's
    in-plane voxel edge; NaN outside accepted cutouts and outside the CT.
    """
    off = np.linalg.norm((placed.coordinates() - true) * _in_plane(placed), axis=-1)
    off[~_in_ct(placed, true)] = np.nan
    return off
