"""Steering a placement by hand: nudges, and the smooth surface through what the user holds.

All of it is arithmetic on a placement; nothing here looks at the CT. How well a nudged
placement fits is told by `LiveFit`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.distance import cdist

from napari_slagseg.data import Cutout, PlacedMap, PlacementSurface, SlagsegError
from napari_slagseg.registration.agreement import find_consensus
from napari_slagseg.registration.landmark_placement import (
    check_landmarks,
    landmark_residuals,
    similarity_from_landmarks,
    worst_landmark,
)
from napari_slagseg.registration.live_fit import LiveFit
from napari_slagseg.registration.pyramid import FloatArray
from napari_slagseg.registration.settings import RegistrationSettings
from napari_slagseg.registration.surface import PolynomialSurface, basis

_HOLD_REACH = 2.0
"""Cutout edges over which the hold of a locked cutout fades away."""

_HOLD_CENTRE, _HOLD_RIM = 1e-6, 0.5
"""How softly the surface is held to a locked cutout's centre, and to its four quarter
points: its turn and tilt are known less well than its place."""

_ROUNDS, _SETTLED_VOXELS = 12, 0.002


@dataclass(frozen=True)
class Nudge:
    """A small rigid movement, in the map's own directions.

    Attributes
    ----------
    down, right : float
        Voxels along the map's rows (towards higher rows) and along its columns. A
        step of one changes the CT's voxel coordinates by a length of exactly one,
        also where voxels are not cubic.
    up : float
        Slices along the CT's z axis, towards higher z.
    turn_deg : float
        Rotation in the map's plane about its centre, from the direction of the
        columns towards that of the rows.

    Notes
    -----
    The nudge with all signs changed leads back exactly: the steps are taken in the
    directions half-way through the turn.
    """

    down: float = 0.0
    right: float = 0.0
    up: float = 0.0
    turn_deg: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not np.isfinite(value):
                raise SlagsegError(f"The nudge {name} = {value} is not a finite number.")


@dataclass(frozen=True)
class _Motion:
    """Rigid motion in micrometres: ``(point - about) @ turn.T + about + shift``."""

    turn: FloatArray
    shift: FloatArray
    about: FloatArray
    voxel: FloatArray

    @classmethod
    def of(
        cls,
        nudge: Nudge,
        centre: FloatArray,
        row_step: FloatArray,
        column_step: FloatArray,
        voxel: FloatArray,
    ) -> _Motion:
        """Of a piece that has its centre and steps in voxels."""
        by_row, by_column = row_step * voxel, column_step * voxel
        normal = np.cross(by_column, by_row)
        half = _turn_about(normal, nudge.turn_deg / 2)
        shift = np.array([nudge.up, 0.0, 0.0])
        for length, along in ((nudge.down, by_row), (nudge.right, by_column)):
            direction = (half @ along) / voxel
            shift = shift + length * direction / np.linalg.norm(direction)
        return cls(_turn_about(normal, nudge.turn_deg), shift * voxel, centre * voxel, voxel)

    def places(self, zyx: FloatArray) -> FloatArray:
        """(..., 3) voxel coordinates, moved."""
        moved = (zyx * self.voxel - self.about) @ self.turn.T + self.about + self.shift
        return np.asarray(moved / self.voxel, np.float64)

    def cutout(self, cutout: Cutout) -> Cutout:
        """The cutout moved; what was measured at its old pose is no longer known."""

        def turned(step: tuple[float, float, float]) -> tuple[float, float, float]:
            return _triple((np.asarray(step) * self.voxel) @ self.turn.T / self.voxel)

        return replace(
            cutout,
            centre_zyx=_triple(self.places(np.asarray(cutout.centre_zyx))),
            row_step_zyx=turned(cutout.row_step_zyx),
            column_step_zyx=turned(cutout.column_step_zyx),
            probability=None,
            step_voxels=None,
        )


def _triple(values: FloatArray) -> tuple[float, float, float]:
    return (float(values[0]), float(values[1]), float(values[2]))


def _turn_about(axis: FloatArray, degrees: float) -> FloatArray:
    """Rotation matrix by Rodrigues' formula."""
    a, b, c = axis / np.linalg.norm(axis)
    cross = np.array([[0.0, -c, b], [c, 0.0, -a], [-b, a, 0.0]])
    angle = np.radians(degrees)
    turned = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return np.asarray(turned, np.float64)


def _require_surface(placed: PlacedMap) -> PlacementSurface:
    if placed.surface is None:
        raise SlagsegError(
            f"Map {placed.map_name} lies nowhere yet, so there is nothing to nudge. Give it "
            "landmarks, or a height window, and place it first."
        )
    return placed.surface


def _by_hand(placed: PlacedMap) -> dict[str, object]:
    return {**placed.details, "by_hand": "nudged"}


def nudge_cutout(placed: PlacedMap, index: int, nudge: Nudge) -> PlacedMap:
    """Move one cutout, lock it, and refit the surface.

    Parameters
    ----------
    placed : PlacedMap
    index : int
        Position of the cutout in `PlacedMap.cutouts`.
    nudge : Nudge
        About the cutout's own centre.

    Returns
    -------
    PlacedMap
        Its surface goes through the locked cutouts (see `refit_surface`). The moved
        cutout's `score` is that of its old pose until `LiveFit.scored` renews it; its
        `probability` is None, for nobody has judged it there.

    Raises
    ------
    SlagsegError
        If there is no such cutout.
    """
    if not 0 <= index < len(placed.cutouts):
        raise SlagsegError(
            f"Map {placed.map_name} has no cutout {index}; it has {len(placed.cutouts)}, "
            "counted from 0."
        )
    _require_surface(placed)
    old = placed.cutouts[index]
    motion = _Motion.of(
        nudge,
        np.asarray(old.centre_zyx),
        np.asarray(old.row_step_zyx),
        np.asarray(old.column_step_zyx),
        np.asarray(placed.voxel_size_um, np.float64),
    )
    moved = replace(motion.cutout(old), state="locked")
    cutouts = (*placed.cutouts[:index], moved, *placed.cutouts[index + 1 :])
    return refit_surface(replace(placed, cutouts=cutouts, details=_by_hand(placed)))


def nudge_map(placed: PlacedMap, nudge: Nudge) -> PlacedMap:
    """Move a map as a whole: its surface and all its cutouts, locked ones too.

    Parameters
    ----------
    placed : PlacedMap
    nudge : Nudge
        About the map's centre, in the directions that the surface has there.

    Returns
    -------
    PlacedMap
        Residuals, states, fields and uncertainty are as before; scores are those of
        the old place until `LiveFit.scored` renews them; probabilities are None.
    """
    surface = _require_surface(placed)
    row, column = ((n - 1) / 2 for n in placed.map_shape)
    centre, *ends = surface.at(
        np.array([row, row - 0.5, row + 0.5, row, row]),
        np.array([column, column, column, column - 0.5, column + 0.5]),
    )
    motion = _Motion.of(
        nudge,
        centre,
        ends[1] - ends[0],
        ends[3] - ends[2],
        np.asarray(placed.voxel_size_um, np.float64),
    )
    return replace(
        placed,
        surface=replace(surface, zyx=motion.places(surface.zyx)),
        cutouts=tuple(motion.cutout(c) for c in placed.cutouts),
        probability=None,
        details=_by_hand(placed),
    )


# -- the surface through the cutouts -----------------------------------------


def refit_surface(placed: PlacedMap) -> PlacedMap:
    """Lay a smooth surface through the accepted cutouts and hold it to the locked ones.

    What they agree on, as in a run: a polynomial of the order that so many can bear, and
    a smoothed spline of what they are still off, both without outliers. Then, around each
    locked cutout, what its centre (exactly), its turn and its tilt (softly) are still off.
    That hold fades away within two cutout edges, so a nudged cutout does not bend the far
    side of the map. With ten cutouts or more the result depends on where they are, not on
    the order in which they were moved; fewer leave the curvature as it was.

    Parameters
    ----------
    placed : PlacedMap

    Returns
    -------
    PlacedMap
        With a new surface on the old lattice and new residuals. The uncertainty is
        kept. Without an accepted cutout the surface stays as it is.
    """
    surface = _require_surface(placed)
    voxel = np.asarray(placed.voxel_size_um, np.float64)
    voxel = voxel / np.sqrt(voxel[1] * voxel[2])
    used = [c for c in placed.cutouts if c.accepted]
    if used:
        rows, columns = np.meshgrid(surface.rows, surface.columns, indexing="ij")
        start = _polynomial(placed.map_shape, rows, columns, surface.zyx * voxel)
        lengths = _through(start, used, voxel)(rows, columns)
        surface = replace(surface, zyx=lengths / voxel)
    middles = np.array([_middle(c) for c in placed.cutouts]).reshape(-1, 2)
    centres = np.array([c.centre_zyx for c in placed.cutouts]).reshape(-1, 3)
    off = (centres - surface.at(middles[:, 0], middles[:, 1])) * voxel
    residuals = np.linalg.norm(off, axis=1)
    cutouts = tuple(replace(c, residual_voxels=float(r)) for c, r in zip(placed.cutouts, residuals))
    return replace(placed, surface=surface, cutouts=cutouts)


def _middle(cutout: Cutout) -> tuple[float, float]:
    return (cutout.row + (cutout.height - 1) / 2, cutout.column + (cutout.width - 1) / 2)


def _polynomial(
    map_shape: tuple[int, int], rows: FloatArray, columns: FloatArray, lengths: FloatArray
) -> PolynomialSurface:
    """Second-order polynomial nearest to a lattice."""
    centre = ((map_shape[0] - 1) / 2, (map_shape[1] - 1) / 2)
    blank = PolynomialSurface(np.zeros((10, 3)), centre, max(map_shape) / 2)
    u, v = blank.normalised(rows.ravel(), columns.ravel())
    change = np.linalg.lstsq(basis(u, v, 2), lengths.reshape(-1, 3), rcond=None)[0]
    return blank.plus(np.asarray(change, np.float64))


_Lengths = Callable[[FloatArray, FloatArray], FloatArray]


def _through(start: PolynomialSurface, used: list[Cutout], voxel: FloatArray) -> _Lengths:
    """Positions (..., 3) as lengths over map rows and columns."""
    middles = np.array([_middle(c) for c in used])
    centres = np.array([c.centre_zyx for c in used]) * voxel
    rows, columns = middles[:, 0], middles[:, 1]
    scores = np.array([1.0 if c.state == "locked" else c.score for c in used])
    smooth = start
    for _ in range(_ROUNDS):
        # each call holds the higher orders near those it started from; repeated, they
        # become those of the cutouts
        agreed = find_consensus(
            smooth,
            rows,
            columns,
            centres,
            np.nan_to_num(scores, nan=0.0),
            RegistrationSettings().outlier_voxels,
            seed=0,
        )
        moved = agreed.surface.at(rows, columns) - smooth.at(rows, columns)
        smooth = agreed.surface
        if np.abs(moved).max() < _SETTLED_VOXELS:
            break
    spline = None
    if not _in_a_line(middles[agreed.inliers]):
        spline = agreed.spline(rows, columns, centres)
    low, high = middles.min(axis=0), middles.max(axis=0)

    def before(r: FloatArray, c: FloatArray) -> FloatArray:
        lengths = smooth.at(r, c)
        if spline is None:
            return lengths
        # beyond the cutouts' centres a spline runs away: hold it at their rim
        held = smooth.normalised(np.clip(r, low[0], high[0]), np.clip(c, low[1], high[1]))
        more = spline(np.stack([part.ravel() for part in held], axis=1))
        return np.asarray(lengths + more.reshape(lengths.shape), np.float64)

    locked = [c for c in used if c.state == "locked"]
    return _held(before, locked, voxel) if locked else before


def _in_a_line(places: FloatArray) -> bool:
    values = np.linalg.svd(places - places.mean(axis=0), compute_uv=False)
    return bool(values[-1] < 1e-3 * values[0]) if len(places) >= 3 else True


def _held(before: _Lengths, locked: list[Cutout], voxel: FloatArray) -> _Lengths:
    """The surface `before`, drawn to the locked cutouts' centres, turns and tilts."""
    places, off, softness = [], [], []
    for c in locked:
        row, column = _middle(c)
        r = row + c.height / 4 * np.array([0, -1, -1, 1, 1])
        k = column + c.width / 4 * np.array([0, -1, 1, -1, 1])
        now = before(r, k)
        # the pose is a plane; the surface keeps its own curvature over it
        by_row = (now[3] + now[4] - now[1] - now[2]) / c.height
        by_column = (now[2] + now[4] - now[1] - now[3]) / c.width
        flat = now[0] + (r - row)[:, None] * by_row + (k - column)[:, None] * by_column
        places.append(np.stack([r, k], axis=1))
        off.append(c.at(r, k) * voxel - flat)
        softness += [_HOLD_CENTRE] + 4 * [_HOLD_RIM]
    knots, wanted = np.concatenate(places), np.concatenate(off)
    reach = _HOLD_REACH * float(np.mean([(c.height + c.width) / 2 for c in locked]))
    kernel = _fading(knots, knots, reach) + np.diag(softness)
    pull = np.linalg.solve(kernel, wanted)

    def after(r: FloatArray, c: FloatArray) -> FloatArray:
        at = np.stack([np.ravel(r), np.ravel(c)], axis=1).astype(np.float64)
        lengths = before(r, c)
        return lengths + (_fading(at, knots, reach) @ pull).reshape(lengths.shape)

    return after


def _fading(a: FloatArray, b: FloatArray, reach: float) -> FloatArray:
    """Wendland's C2 function of the distances (n, m): 1 at no distance, 0 from `reach` on."""
    d = np.minimum(cdist(a, b) / reach, 1.0)
    return np.asarray((1 - d) ** 4 * (4 * d + 1), np.float64)


__all__ = [
    "LiveFit",
    "Nudge",
    "check_landmarks",
    "landmark_residuals",
    "nudge_cutout",
    "nudge_map",
    "refit_surface",
    "similarity_from_landmarks",
    "worst_landmark",
]
