"""A placed map: where every pixel of a mineral map lies in the CT."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data.errors import SlagsegError
from napari_slagseg.data.fields import FieldShift
from napari_slagseg.data.volume import VoxelSize

if TYPE_CHECKING:
    from scipy.interpolate import RectBivariateSpline

CutoutState = Literal["accepted", "rejected", "locked"]
CutoutGrade = Literal["good", "doubtful", "bad", "unknown"]

GOOD_FROM, DOUBTFUL_FROM = 0.9, 0.5
"""Probabilities from which a cutout counts as good, and as doubtful."""


def zyx_triple(values: Iterable[Any]) -> tuple[float, float, float]:
    """Three coordinates as plain numbers, as a `Cutout` has them.

    Raises
    ------
    ValueError
        If there are not three.
    """
    z, y, x = values
    return (float(z), float(y), float(x))


@dataclass(frozen=True)
class PlacementSurface:
    """The smooth surface of a polished cut, as CT coordinates on a lattice of map pixels.

    Between the lattice points it is a bicubic spline, so any registration that
    can be evaluated can be stored, and read back without its code.

    Attributes
    ----------
    rows : (n,) float64
        Map rows of the lattice, rising, n >= 4, first <= 0 and last >= rows - 1.
    columns : (m,) float64
        Map columns, likewise.
    zyx : (n, m, 3) float64
        CT voxel coordinates (z, y, x) of the lattice points.
    uncertainty_voxels : (n, m) float64 or None
        Standard deviation of the distance between stated and true place at the
        lattice points, in voxels; None where it is not known.
    """

    rows: NDArray[np.float64]
    columns: NDArray[np.float64]
    zyx: NDArray[np.float64]
    uncertainty_voxels: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        expected = (len(self.rows), len(self.columns), 3)
        if self.zyx.shape != expected or min(expected[:2]) < 4 or not np.isfinite(self.zyx).all():
            raise SlagsegError(
                f"A placement surface of {len(self.rows)} x {len(self.columns)} lattice points "
                f"(at least 4 x 4) needs finite coordinates of shape {expected}; "
                f"these have {self.zyx.shape}."
            )
        doubt = self.uncertainty_voxels
        if doubt is not None and (doubt.shape != expected[:2] or not np.all(doubt >= 0)):
            raise SlagsegError(
                f"The uncertainty of a placement surface needs {expected[:2]} numbers of at least "
                f"0; these have {doubt.shape}."
            )

    def _splines(self) -> list[RectBivariateSpline]:
        # takes as long to load as all else of this room, and few need it
        from scipy.interpolate import RectBivariateSpline

        return [RectBivariateSpline(self.rows, self.columns, self.zyx[..., i]) for i in range(3)]

    def at(
        self, rows: NDArray[np.floating[Any]], columns: NDArray[np.floating[Any]]
    ) -> NDArray[np.float64]:
        """CT (z, y, x) voxel coordinates of map positions.

        Parameters
        ----------
        rows, columns : arrays of one shape
            Map pixel coordinates (pixel centres at integers); positions outside
            the lattice take the value at its edge.

        Returns
        -------
        zyx : (..., 3) float64
        """
        rows, columns = np.broadcast_arrays(rows, columns)
        parts = [s.ev(rows.ravel(), columns.ravel()) for s in self._splines()]
        return np.stack(parts, axis=-1).reshape(*rows.shape, 3)

    def on_grid(
        self, rows: NDArray[np.floating[Any]], columns: NDArray[np.floating[Any]]
    ) -> NDArray[np.float64]:
        """CT coordinates on the grid spanned by rising `rows` (n,) and `columns` (m,).

        Returns
        -------
        zyx : (n, m, 3) float64
        """
        return np.stack([s(rows, columns) for s in self._splines()], axis=-1)

    def uncertainty_at(
        self, rows: NDArray[np.floating[Any]], columns: NDArray[np.floating[Any]]
    ) -> NDArray[np.float64]:
        """Uncertainty in voxels at map positions, linear between the lattice points; NaN unknown.

        Parameters
        ----------
        rows, columns : arrays of one shape
            Positions outside the lattice take the value at its edge.
        """
        rows, columns = np.broadcast_arrays(rows, columns)
        if self.uncertainty_voxels is None:
            return np.full(rows.shape, np.nan)
        from scipy.interpolate import RectBivariateSpline

        spline = RectBivariateSpline(self.rows, self.columns, self.uncertainty_voxels, kx=1, ky=1)
        return np.asarray(spline.ev(rows, columns), np.float64)


@dataclass(frozen=True)
class Cutout:
    """One rigidly registered piece of a mineral map (K 2.3.1).

    Attributes
    ----------
    row, column : int
        First map pixel of the cutout.
    height, width : int
        Its size in map pixels.
    centre_zyx : (3,) tuple of float
        CT voxel coordinates of the cutout's centre (map pixel
        ``row + (height - 1) / 2, column + (width - 1) / 2``).
    row_step_zyx, column_step_zyx : (3,) tuple of float
        CT voxels travelled per map row and per map column. A mirrored map has
        a left-handed pair; the pose stays a proper rotation in 3D.
    score : float
        Correlation of map and CT at this pose, -1 to 1.
    state : {"accepted", "rejected", "locked"}
        Locked: accepted by the user and not to be changed by a run.
    residual_voxels : float
        Distance from the consensus surface at the centre, in voxels.
    probability : float or None
        That the map's surface lies within two voxels of the truth all over this
        cutout; None where it was not judged.
    step_voxels : float or None
        Largest disagreement of smaller windows inside the cutout with the surface, in
        voxels: large across a crack. None where it was not looked for.
    """

    row: int
    column: int
    height: int
    width: int
    centre_zyx: tuple[float, float, float]
    row_step_zyx: tuple[float, float, float]
    column_step_zyx: tuple[float, float, float]
    score: float
    state: CutoutState = "accepted"
    residual_voxels: float = 0.0
    probability: float | None = None
    step_voxels: float | None = None

    @property
    def grade(self) -> CutoutGrade:
        """Good from a probability of 0.9, doubtful from 0.5, else bad."""
        if self.probability is None:
            return "unknown"
        if self.probability >= GOOD_FROM:
            return "good"
        return "doubtful" if self.probability >= DOUBTFUL_FROM else "bad"

    @property
    def accepted(self) -> bool:
        """Whether the cutout is used (accepted or locked)."""
        return self.state != "rejected"

    def at(
        self, rows: NDArray[np.floating[Any]], columns: NDArray[np.floating[Any]]
    ) -> NDArray[np.float64]:
        """CT coordinates (..., 3) of map positions by this cutout's own rigid pose."""
        r = np.asarray(rows) - (self.row + (self.height - 1) / 2)
        c = np.asarray(columns) - (self.column + (self.width - 1) / 2)
        return (
            np.asarray(self.centre_zyx)
            + r[..., None] * np.asarray(self.row_step_zyx)
            + c[..., None] * np.asarray(self.column_step_zyx)
        )


@dataclass(frozen=True)
class PlacedMap:
    """What registration found for one map.

    Attributes
    ----------
    map_name : str
    map_shape : (rows, columns)
    pixel_size_um : float
    ct_shape : (z, y, x)
    voxel_size_um : (z, y, x)
    placed : bool
        False where the map was refused; `reason` says why.
    score : float
        Multiple correlation of the whole map with the CT on the surface.
    mirrored : bool
        Whether the map's rows and columns run left-handed in the CT's (y, x).
    surface : PlacementSurface or None
        None only where no pose was found at all.
    cutouts : tuple of Cutout
    reason : str
        Why the map was refused, or what is uncertain about it; "" if all is well.
    details : mapping
        Numbers of the search (ratios, tilts, seconds), JSON values.
    probability : float or None
        That the map lies where it was placed; None where it was not judged.
    fields : tuple of FieldShift
        Offsets of the fields of a stitched map; empty where it counts as one piece.
    """

    map_name: str
    map_shape: tuple[int, int]
    pixel_size_um: float
    ct_shape: tuple[int, int, int]
    voxel_size_um: VoxelSize
    placed: bool
    score: float
    mirrored: bool = False
    surface: PlacementSurface | None = None
    cutouts: tuple[Cutout, ...] = ()
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    probability: float | None = None
    fields: tuple[FieldShift, ...] = ()

    def placed_mask(self) -> NDArray[np.bool_]:
        """(rows, columns) bool: pixels inside at least one accepted cutout."""
        mask = np.zeros(self.map_shape, dtype=bool)
        if self.placed and self.surface is not None:
            for c in self.cutouts:
                if c.accepted:
                    mask[c.row : c.row + c.height, c.column : c.column + c.width] = True
        return mask

    def coordinates(self) -> NDArray[np.float32]:
        """CT voxel coordinates of every map pixel.

        Returns
        -------
        zyx : (rows, columns, 3) float32
            NaN where the pixel lies in no accepted cutout.
        """
        rows, columns = self.map_shape
        if not self.placed or self.surface is None:
            return np.full((rows, columns, 3), np.nan, dtype=np.float32)
        zyx = self.on_grid(np.arange(float(rows)), np.arange(float(columns))).astype(np.float32)
        zyx[~self.placed_mask()] = np.nan
        return zyx

    def on_grid(
        self, rows: NDArray[np.floating[Any]], columns: NDArray[np.floating[Any]]
    ) -> NDArray[np.float64]:
        """CT coordinates of the map pixels on a grid, each field at its own place.

        Parameters
        ----------
        rows : (n,) array
            Rising map rows.
        columns : (m,) array
            Rising map columns.

        Returns
        -------
        zyx : (n, m, 3) float64

        Raises
        ------
        SlagsegError
            If the map lies nowhere.
        """
        if self.surface is None:
            raise SlagsegError(f"Map {self.map_name} lies nowhere yet. Place it first.")
        zyx = self.surface.on_grid(rows, columns)
        for f in self.fields:
            i, j = np.flatnonzero(f.holds_rows(rows)), np.flatnonzero(f.holds_columns(columns))
            if len(i) and len(j):
                zyx[np.ix_(i, j)] = self.surface.on_grid(
                    rows[i] + f.row_shift, columns[j] + f.column_shift
                )
        return zyx

    def uncertainty(self) -> NDArray[np.float32]:
        """Uncertainty of every map pixel's place in voxels.

        Returns
        -------
        voxels : (rows, columns) float32
            Standard deviation; NaN where the pixel lies in no accepted cutout, or
            nothing is known.
        """
        rows, columns = self.map_shape
        if not self.placed or self.surface is None:
            return np.full((rows, columns), np.nan, dtype=np.float32)
        grid = np.meshgrid(np.arange(float(rows)), np.arange(float(columns)), indexing="ij")
        out = self.surface.uncertainty_at(grid[0], grid[1]).astype(np.float32)
        out[~self.placed_mask()] = np.nan
        return out

    def with_states(self, states: Mapping[int, CutoutState]) -> PlacedMap:
        """Same placement with the states of some cutouts (by position) changed."""
        cutouts = tuple(
            replace(c, state=states[i]) if i in states else c for i, c in enumerate(self.cutouts)
        )
        return replace(self, cutouts=cutouts)


__all__ = [
    "Cutout",
    "CutoutGrade",
    "CutoutState",
    "PlacedMap",
    "PlacementSurface",
    "zyx_triple",
]
