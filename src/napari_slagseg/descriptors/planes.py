"""Planes in any direction through a volume, and sets of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_slagseg.data import SlagsegError, VoxelSize, checked_voxel_size

Floats = NDArray[np.float64]

_STRAIGHT = 1e-12
_MOST_TRIES = 1000


@dataclass(frozen=True)
class Plane:
    """All points p (z, y, x) in micrometres with ``normal . p = offset``.

    The origin is the centre of the volume's first voxel, as for centroids.

    Attributes
    ----------
    normal : (z, y, x)
        Any length but 0; kept at length 1.
    offset : float
        Micrometres from the origin along the normal.

    Raises
    ------
    SlagsegError
        If the normal has no direction, or a number is not finite.
    """

    normal: tuple[float, float, float]
    offset: float

    def __post_init__(self) -> None:
        vector = np.asarray(self.normal, dtype=np.float64)
        length = float(np.linalg.norm(vector)) if vector.shape == (3,) else 0.0
        if not (0 < length < np.inf and np.isfinite(self.offset)):
            raise SlagsegError(
                f"A plane with the normal {self.normal} and the offset {self.offset} um is none; "
                "the normal needs three numbers (z, y, x) that are not all 0."
            )
        unit = vector / length
        object.__setattr__(self, "normal", tuple(float(v) for v in unit))
        object.__setattr__(self, "offset", float(self.offset))

    @property
    def axis(self) -> int | None:
        """Axis that the plane is perpendicular to; None where it is oblique."""
        size = np.abs(self.normal)
        axis = int(size.argmax())
        return axis if np.delete(size, axis).max() < _STRAIGHT else None

    def directions(self) -> tuple[Floats, Floats]:
        """Unit vectors (z, y, x) along the rows' and the columns' index.

        The volume is looked at along the axis nearest to the normal: rows and columns
        run as near as they can to the other two axes, so planes perpendicular to an axis are
        the slices of the volume.
        """
        normal = np.asarray(self.normal)
        a, b = (k for k in range(3) if k != int(np.abs(normal).argmax()))
        column = np.eye(3)[b] - normal[b] * normal
        column /= np.linalg.norm(column)
        row = np.cross(normal, column)
        row *= np.sign(row[a])
        # no -0 and no 1e-17: slices of the volume are to be its voxels exactly
        return np.where(np.abs(row) < _STRAIGHT, 0.0, row), np.where(
            np.abs(column) < _STRAIGHT, 0.0, column
        )


def box_of(shape: Sequence[int], spacing: VoxelSize) -> tuple[Floats, Floats]:
    """Low and high corner (z, y, x) of a volume in micrometres."""
    edges = np.asarray(spacing)
    return -0.5 * edges, (np.asarray(shape) - 0.5) * edges


def polygon_of(plane: Plane, shape: Sequence[int], spacing: VoxelSize) -> Floats:
    """Corners (n, 2) of the part of a plane that lies in the volume, in order around it.

    Coordinates in micrometres along `Plane.directions`, from the foot of the origin on
    the plane; no corners where the plane misses the volume.
    """
    low, high = box_of(shape, spacing)
    row, column = plane.directions()
    normal = np.asarray(plane.normal)
    reach = 2 * float(np.abs(np.stack([low, high])).sum() + abs(plane.offset) + 1)
    polygon = reach * np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [1.0, -1.0]])
    for k in range(3):
        foot = normal[k] * plane.offset
        for side, bound in ((1.0, high[k]), (-1.0, -low[k])):
            slope = side * np.array([row[k], column[k]])
            limit = bound - side * foot
            if not slope.any():
                # the whole plane is on one side; the face itself belongs to the volume below
                if limit < 0 or (limit == 0 and side > 0):
                    return np.zeros((0, 2))
                continue
            polygon = clipped(polygon, slope, limit)
    return polygon


def clipped(polygon: Floats, slope: ArrayLike, limit: float) -> Floats:
    """Part of a convex polygon (n, 2) where ``slope . p <= limit``."""
    if not len(polygon):
        return polygon
    above = polygon @ np.asarray(slope) - limit
    following = np.roll(polygon, -1, axis=0)
    above_following = np.roll(above, -1)
    corners: list[Floats] = []
    for p, q, s, t in zip(polygon, following, above, above_following):
        if s <= 0:
            corners.append(p)
        if (s < 0 < t) or (t < 0 < s):
            corners.append(p + (q - p) * (s / (s - t)))
    return np.array(corners).reshape(-1, 2)


def goes_through(plane: Plane, box: Sequence[slice], spacing: VoxelSize) -> bool:
    """Whether a plane meets the voxels of a box (z, y, x), or touches them."""
    normal, edges = np.asarray(plane.normal), np.asarray(spacing)
    ends = np.array([[b.start - 0.5, b.stop - 0.5] for b in box]) * edges[:, None]
    reach = normal[:, None] * ends
    rounding = 1e-6 * float(edges.max())
    low, high = reach.min(axis=1).sum() - rounding, reach.max(axis=1).sum() + rounding
    return bool(low <= plane.offset <= high)


def polygon_area(polygon: Floats) -> float:
    """Area of a polygon (n, 2)."""
    if len(polygon) < 3:
        return 0.0
    x, y = polygon.T
    return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


def _extent(
    normal: tuple[float, float, float], shape: Sequence[int], spacing: VoxelSize
) -> tuple[float, float]:
    """Lowest and highest offset at which planes with this normal meet the volume."""
    low, high = box_of(shape, spacing)
    n = np.asarray(normal)
    ends = np.stack([n * low, n * high])
    return float(ends.min(axis=0).sum()), float(ends.max(axis=0).sum())


def _checked(count: int, shape: Sequence[int]) -> int:
    if count < 1 or len(shape) != 3 or min(shape) < 1:
        raise SlagsegError(
            f"{count} planes through a volume of shape {tuple(shape)} cannot be placed; "
            "at least one plane and one voxel along each axis are needed."
        )
    return int(count)


def slice_planes(
    axis: int, indices: ArrayLike, voxel_size_um: float | VoxelSize
) -> tuple[Plane, ...]:
    """Planes through the middles of slices of the volume.

    Parameters
    ----------
    axis : {0, 1, 2}
        That the planes are perpendicular to: 0 gives (y, x) slices.
    indices : sequence of int
    voxel_size_um : float or (z, y, x)

    Raises
    ------
    SlagsegError
        If there is no such axis.
    """
    if axis not in (0, 1, 2):
        raise SlagsegError(f"The section axis is {axis}; it must be 0 (z), 1 (y) or 2 (x).")
    edge = checked_voxel_size(voxel_size_um)[axis]
    normal = tuple(float(k == axis) for k in range(3))
    return tuple(
        Plane((normal[0], normal[1], normal[2]), int(i) * edge)
        for i in np.asarray(indices, dtype=np.int64).ravel()
    )


def parallel_planes(
    normal: tuple[float, float, float],
    count: int,
    shape: Sequence[int],
    voxel_size_um: float | VoxelSize,
    *,
    seed: int | None = None,
) -> tuple[Plane, ...]:
    """Equally spaced planes with one normal, all through the volume.

    Parameters
    ----------
    normal : (z, y, x)
    count : int
    shape : (z, y, x)
        Of the volume.
    voxel_size_um : float or (z, y, x)
    seed : int or None
        Shifts them all by a random part of their distance (systematic uniform random
        sampling, Baddeley and Jensen 2005); None puts each in the middle of
        its part.

    Raises
    ------
    SlagsegError
        If the count is below 1 or the normal has no direction.
    """
    count = _checked(count, shape)
    spacing = checked_voxel_size(voxel_size_um)
    unit = Plane(normal, 0.0).normal
    low, high = _extent(unit, shape, spacing)
    shift = 0.5 if seed is None else float(np.random.default_rng(seed).random())
    return tuple(Plane(unit, low + (i + shift) * (high - low) / count) for i in range(count))


def random_planes(
    count: int, shape: Sequence[int], voxel_size_um: float | VoxelSize, *, seed: int = 0
) -> tuple[Plane, ...]:
    """Isotropic uniform random planes through the volume.

    Every direction is as likely as any other, and every distance from the middle of the
    smallest ball around the volume; planes that miss the volume are drawn again. So each
    particle is cut with a probability in proportion to its mean width, and the expected
    area of its sections is in proportion to its volume, whatever its shape.

    Parameters
    ----------
    count : int
    shape : (z, y, x)
        Of the volume.
    voxel_size_um : float or (z, y, x)
    seed : int

    Raises
    ------
    SlagsegError
        If the count is below 1.

    References
    ----------
    Baddeley and Jensen 2005, *Stereology for Statisticians* (isotropic uniform random planes).
    """
    count = _checked(count, shape)
    spacing = checked_voxel_size(voxel_size_um)
    rng = np.random.default_rng(seed)
    low, high = box_of(shape, spacing)
    middle, radius = 0.5 * (low + high), 0.5 * float(np.linalg.norm(high - low))
    found: list[Plane] = []
    for _ in range(_MOST_TRIES * count):
        vector = rng.standard_normal(3)
        unit = vector / np.linalg.norm(vector)
        plane = Plane(
            (unit[0], unit[1], unit[2]), float(unit @ middle + radius * rng.uniform(-1, 1))
        )
        if polygon_area(polygon_of(plane, shape, spacing)) > 0:
            found.append(plane)
        if len(found) == count:
            return tuple(found)
    raise SlagsegError(
        f"A volume of shape {tuple(shape)} with voxels of {spacing} um is so thin that random "
        "planes miss it. Cut it with planes along its axes."
    )


__all__ = [
    "Plane",
    "goes_through",
    "parallel_planes",
    "polygon_area",
    "polygon_of",
    "random_planes",
    "slice_planes",
]
