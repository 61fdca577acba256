"""Cutouts as the baselines see them: a rigid pose for each, no consensus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from benchmarks.placement.measuring import LOST_VOXELS, Row, fill_errors
from benchmarks.placement.samples import Sample
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from napari_slagseg.phantom import PhantomMap

EDGE, STRIDE = 180, 60
"""Of the cutouts, in CT voxels (K 2.3.1 states the edge)."""

MINIMUM_VALID, MINIMUM_PARTICLES = 0.6, 0.05


@dataclass(frozen=True)
class Window:
    """Rows and columns of the map that a cutout holds."""

    row: int
    column: int
    height: int
    width: int

    @property
    def middle(self) -> tuple[float, float]:
        """Map position of the centre."""
        return self.row + (self.height - 1) / 2, self.column + (self.width - 1) / 2


@dataclass(frozen=True)
class Pose:
    """Where a map or cutout lies.

    Attributes
    ----------
    centre : (3,) float64
        CT voxel coordinates (z, y, x) of the middle.
    frame : (3, 3) float64
        Rows: unit vectors (z, y, x) along map rows, along map columns, and normal.
    """

    centre: NDArray[np.float64]
    frame: NDArray[np.float64]

    def at(self, v: NDArray[np.floating], u: NDArray[np.floating]) -> NDArray[np.float64]:
        """CT coordinates of places v voxels down the rows and u along the columns."""
        return self.centre + v[..., None] * self.frame[0] + u[..., None] * self.frame[1]

    def moved(self, change: NDArray[np.float64], half: float) -> Pose:
        """Shifted by three voxels (down, right, normal), turned by three at the distance `half`."""
        turn = Rotation.from_rotvec((change[3:] / half) @ self.frame).as_matrix()
        return Pose(self.centre + change[:3] @ self.frame, self.frame @ turn.T)


def frame_of(by_row: NDArray[np.floating], by_column: NDArray[np.floating]) -> NDArray[np.float64]:
    """Orthonormal frame nearest to two steps in the CT."""
    left, _, right = np.linalg.svd(np.stack([by_row, by_column]), full_matrices=False)
    pair = left @ right
    return np.stack([*pair, np.cross(pair[0], pair[1])])


def in_cylinder(sample: Sample, cut: PhantomMap) -> NDArray[np.bool_]:
    """(rows, columns): pixels that truly lie in the sample."""
    _, height, width = sample.ct.shape
    y = cut.coordinates[..., 1] - (height - 1) / 2
    x = cut.coordinates[..., 2] - (width - 1) / 2
    return np.asarray(np.hypot(y, x) <= sample.packed.radius)


def windows(sample: Sample, cut: PhantomMap, pitch: float) -> list[Window]:
    """Overlapping cutouts with enough of the sample in them; judged by the truth.

    A map narrower than a cutout and a half takes cutouts of 45 % of its edge, as ours does.
    """
    edge = min(EDGE, 0.45 * min(cut.mineral_map.shape) * pitch)
    stride = edge * STRIDE / EDGE
    size = [min(n, round(edge / pitch)) for n in cut.mineral_map.shape]
    firsts = [
        np.linspace(0, n - s, max(1, int(np.ceil((n - s) * pitch / stride)) + 1)).round()
        for n, s in zip(cut.mineral_map.shape, size)
    ]
    inside = in_cylinder(sample, cut)
    found = []
    for r in firsts[0].astype(int):
        for c in firsts[1].astype(int):
            part = (slice(r, r + size[0]), slice(c, c + size[1]))
            valid = inside[part].mean()
            solid = (inside[part] & (cut.mineral_map.phases[part] > 0)).mean()
            if valid >= MINIMUM_VALID and solid >= MINIMUM_PARTICLES * valid:
                found.append(Window(int(r), int(c), size[0], size[1]))
    return found


def true_pose(cut: PhantomMap, window: Window) -> Pose:
    """Rigid pose nearest to the true surface in a window."""
    rows, columns = (
        window.row + np.linspace(0, window.height - 1, 12).round(),
        window.column + np.linspace(0, window.width - 1, 12).round(),
    )
    r, c = np.meshgrid(rows, columns, indexing="ij")
    return fitted_pose(
        r, c, cut.coordinates[r.astype(int), c.astype(int)].astype(float), window.middle
    )


def fitted_pose(
    rows: NDArray[np.floating],
    columns: NDArray[np.floating],
    zyx: NDArray[np.float64],
    middle: tuple[float, float],
) -> Pose:
    """Least-squares plane through CT places of map positions, as a rigid pose at `middle`."""
    terms = np.stack(
        [np.ones(rows.size), rows.ravel() - middle[0], columns.ravel() - middle[1]], axis=1
    )
    plane = np.linalg.lstsq(terms, zyx.reshape(-1, 3), rcond=None)[0]
    return Pose(plane[0], frame_of(plane[1], plane[2]))


def fill(
    row: Row, sample: Sample, cut: PhantomMap, pitch: float, placed: Sequence[tuple[Window, Pose]]
) -> None:
    """Errors of rigid cutouts: every pixel of the sample by its own cutout's pose."""
    every = []
    inside = in_cylinder(sample, cut)
    for window, pose in placed:
        middle = window.middle
        v = (np.arange(window.row, window.row + window.height) - middle[0]) * pitch
        u = (np.arange(window.column, window.column + window.width) - middle[1]) * pitch
        zyx = pose.at(*np.meshgrid(v, u, indexing="ij"))
        part = (
            slice(window.row, window.row + window.height),
            slice(window.column, window.column + window.width),
        )
        error = np.linalg.norm(zyx - cut.coordinates[part], axis=-1)
        within = error[inside[part]]
        every.append(within)
        row.cutouts += 1
        row.centre_within_1 += bool(error[window.height // 2, window.width // 2] <= 1)
        row.all_within_1 += bool(within.max() <= 1)
    if not every:
        row.reason = "no cutout holds enough of the sample"
        return
    fill_errors(row, np.concatenate(every))
    row.verdict = "placed" if row.median <= LOST_VOXELS else "LOST"
