"""The paper's approach: the CT binarised by Otsu, rigid cutouts, binary correlation.

Kirstein et al. (2026), 2.3.1: the map is reduced to the CT's pitch and cut into
overlapping cutouts of 180 x 180 pixels; rotation and translation of each are found on
the binarised CT. Their text does not say how the start is found nor which optimiser
runs. Here, `automatic`: the whole binary map is correlated with every slice of the
binary CT at level 8 (both mirror states, every 5 degrees, by FFT), each cutout searches
+-12 voxels in the plane and +-16 in height around that plane (step 4, three angles), and
Powell's method maximises the correlation over six degrees of freedom, coarse then fine.
`true start`: the same Powell from the cutout's true pose, without the searches, as if a
user had set every cutout by hand without an error.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from benchmarks.placement.measuring import PeakMemory, Row
from benchmarks.placement.rigid_pose import Pose, Window, fill, true_pose, windows
from benchmarks.placement.samples import Sample
from numpy.typing import NDArray
from scipy import fft, ndimage
from scipy.optimize import minimize
from skimage.filters import threshold_otsu

from napari_slagseg.phantom import PhantomMap

COARSE = 8
ANGLE_STEP = 5.0


def rows(row: Any, sample: Sample, cut: PhantomMap) -> list[Row]:
    """Both variants for one map."""
    pitch = cut.mineral_map.pixel_size_um / sample.ct.voxel_size_um[1]
    found = []
    for method in ("Otsu, automatic", "Otsu, true start"):
        r = row(method, "", cut.mineral_map.name)
        started, cpu = time.perf_counter(), time.process_time()
        with PeakMemory() as memory:
            job = _BinaryCutouts(sample, cut, pitch)
            plane = None
            if method == "Otsu, automatic":
                plane, mirrored = job.coarse_pose()
                r.mirror_right = mirrored == cut.mirrored
            placed = [(w, job.register(w, plane)) for w in windows(sample, cut, pitch)]
        r.seconds, r.cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
        r.peak_mb = memory.megabytes
        fill(r, sample, cut, pitch, placed)
        found.append(r)
    return found


def _box_means(data: NDArray[np.float32], edge: int) -> NDArray[np.float32]:
    z, y, x = (n // edge * edge for n in data.shape)
    whole = data[:z, :y, :x]
    return whole.reshape(z // edge, edge, y // edge, edge, x // edge, edge).mean(axis=(1, 3, 5))


class _BinaryCutouts:
    """Registration of one binarised map in one binarised CT."""

    def __init__(self, sample: Sample, cut: PhantomMap, pitch: float) -> None:
        self.cut, self.pitch = cut, pitch
        ct = sample.ct.data
        self.binary = (ct > threshold_otsu(ct)).astype(np.float32)
        solid = (cut.mineral_map.phases != 0).astype(np.float32)
        # area means over a CT voxel
        self.map = ndimage.uniform_filter(solid, 1 / pitch)
        self.smooth = {s: ndimage.gaussian_filter(self.binary, s) for s in (2.0, 0.7)}
        self.smooth_map = {s: ndimage.gaussian_filter(self.map, s / pitch) for s in (2.0, 0.7)}

    def coarse_pose(self) -> tuple[Pose, bool]:
        """Plane on which the whole binary map correlates best with a binary slice."""
        level = _box_means(self.binary, COARSE)
        n = self.cut.mineral_map.shape
        reach = int(min(n) * self.pitch / COARSE / 2)
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(float)
        disc = (np.hypot(y, x) <= reach).astype(np.float32)
        padded = [a + 2 * reach for a in level.shape[1:]]
        size = [fft.next_fast_len(a, real=True) for a in padded]
        grown = np.pad(level, ((0, 0), (reach, reach), (reach, reach)))

        def correlate(spectra: NDArray[Any], template: NDArray[np.float32]) -> NDArray[Any]:
            whole = np.zeros(size, np.float32)
            whole[: 2 * reach + 1, : 2 * reach + 1] = template
            kernel = np.conj(fft.rfft2(np.roll(whole, (-reach, -reach), axis=(0, 1))))
            return fft.irfft2(spectra * kernel, s=size)[:, : padded[0], : padded[1]]

        spectra, squares = fft.rfft2(grown, s=size), fft.rfft2(grown**2, s=size)
        mean = correlate(spectra, disc) / disc.sum()
        deviation = np.sqrt(np.maximum(correlate(squares, disc) / disc.sum() - mean**2, 0))
        deviation = np.maximum(deviation, 0.4 * np.median(deviation[deviation > 1e-3]))
        blurred = ndimage.gaussian_filter(self.map, 0.35 * COARSE / self.pitch)
        best: tuple[float, Any] = (-np.inf, None)
        for mirrored in (False, True):
            for angle in np.deg2rad(np.arange(0, 360, ANGLE_STEP)):
                frame = _frame(angle, mirrored)
                # CT (y, x) -> map pixels
                at = np.tensordot(frame[:2, 1:], np.stack([y, x]), axes=1) * COARSE / self.pitch
                at += (np.array(n)[:, None, None] - 1) / 2
                template = ndimage.map_coordinates(blurred, at, order=1) * disc
                template = (template - template.sum() / disc.sum()) * disc
                norm = np.sqrt((template**2).sum() * disc.sum())
                score = correlate(spectra, template.astype(np.float32)) / deviation / norm
                place = np.unravel_index(int(np.argmax(score)), score.shape)
                if score[place] > best[0]:
                    best = (float(score[place]), (place, frame, mirrored))
        (z, row, column), frame, mirrored = best[1]
        centre = (np.array([z, row - reach, column - reach]) + 0.5) * COARSE - 0.5
        return Pose(centre, frame), mirrored

    def register(self, window: Window, plane: Pose | None) -> Pose:
        """Rigid pose of one cutout."""
        half = window.height * self.pitch / 2
        if plane is None:
            pose = true_pose(self.cut, window)
        else:
            middle = (np.array(self.cut.mineral_map.shape) - 1) / 2
            off = (np.array(window.middle) - middle) * self.pitch
            pose = self._search(window, Pose(plane.at(*off[:, None])[0], plane.frame), half)
        for smoothing, step in ((2.0, 8), (0.7, 5)):
            v, u, values = self._points(window, step, smoothing)
            volume = self.smooth[smoothing]

            def cost(
                change: NDArray[np.float64],
                pose: Pose = pose,
                volume: NDArray[np.float32] = volume,
                points: Any = (v, u, values),
            ) -> float:
                return -_correlation(volume, pose.moved(change, half), *points)

            size = 2.0 if smoothing > 1 else 0.7
            found = minimize(
                cost,
                np.zeros(6),
                method="Powell",
                options={"maxfev": 500, "xtol": 0.02, "ftol": 1e-5, "direc": size * np.eye(6)},
            )
            pose = pose.moved(found.x, half)
        return pose

    def _points(self, window: Window, step: int, smoothing: float) -> Any:
        rows = np.arange(window.row + step // 2, window.row + window.height, step)
        columns = np.arange(window.column + step // 2, window.column + window.width, step)
        r, c = (a.ravel() for a in np.meshgrid(rows, columns, indexing="ij"))
        values = self.smooth_map[smoothing][r, c]
        return (
            (r - window.middle[0]) * self.pitch,
            (c - window.middle[1]) * self.pitch,
            values - values.mean(),
        )

    def _search(self, window: Window, start: Pose, half: float) -> Pose:
        v, u, values = self._points(window, 14, 2.0)
        best, top = start, -np.inf
        for turn in np.deg2rad([-2.5, 0.0, 2.5]) * half:
            turned = start.moved(np.array([0, 0, 0, 0, 0, turn]), half)
            for down in range(-12, 13, 4):
                for right in range(-12, 13, 4):
                    for up in range(-16, 17, 4):
                        pose = turned.moved(np.array([down, right, up, 0.0, 0.0, 0.0]), half)
                        score = _correlation(self.smooth[2.0], pose, v, u, values)
                        if score > top:
                            best, top = pose, score
        return best


def _frame(angle: float, mirrored: bool) -> NDArray[np.float64]:
    """As the phantoms' cuts: rows at `angle` from y towards x, columns a quarter on."""
    sign = -1.0 if mirrored else 1.0
    by_row = np.array([0.0, np.cos(angle), np.sin(angle)])
    by_column = sign * np.array([0.0, -np.sin(angle), np.cos(angle)])
    return np.stack([by_row, by_column, np.cross(by_row, by_column)])


def _correlation(
    volume: NDArray[np.float32],
    pose: Pose,
    v: NDArray[np.float64],
    u: NDArray[np.float64],
    values: NDArray[np.float32],
) -> float:
    at = pose.at(v, u).T
    seen = ndimage.map_coordinates(volume, at, order=1, mode="nearest", prefilter=False)
    seen = seen - seen.mean()
    norm = float(np.sqrt((seen**2).sum() * (values**2).sum()))
    return float((seen * values).sum()) / norm if norm > 0 else 0.0
