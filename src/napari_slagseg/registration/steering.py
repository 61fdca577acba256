"""Steering a placement by hand: nudges, and the smooth surface through what the user holds.

All of it is arithmetic on a placement; nothing here looks at the CT. How well a nudged
placement fits is told by `LiveFit`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.distance import cdist

from napari_slagseg.data import (
    Cutout,
    PlacedMap,
    PlacementSurface,
    SlagsegError,
    on_surface,
    zyx_triple,
)
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
from napari_slagseg.registration.surface import PolynomialSurface

_HOLD_REACH = 2.0
"""Cutout edges over which the hold of a locked cutout fades away."""

_FIRM, _SOFT = 1e-6, 0.02
"""How softly the surface follows the centre of a locked cutout, and its four quarter
points: those may lie beside another locked centre."""

_ROUNDS, _AGREED_VOXELS = 12, 0.03
_SETTLED_VOXELS = 0.002


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
            return zyx_triple((np.asarray(step) * self.voxel) @ self.turn.T / self.voxel)

        return replace(
            cutout,
            centre_zyx=zyx_triple(self.places(np.asarray(cutout.centre_zyx))),
            row_step_zyx=turned(cutout.row_step_zyx),
            column_step_zyx=turned(cutout.column_step_zyx),
            probability=None,
            step_voxels=None,
        )


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
    """Move one cutout, lock it, and take the surface along.

    The surface goes through the cutout's new centre, turns with it, and stays where it
    is at the other locked centres; the change fades away within two cutout edges, so
    that the far side of the map and its fine detail are left alone.

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
        The moved cutout's `score` is that of its old pose until `LiveFit.scored` renews
        it; its `probability` is None, for nobody has judged it there.

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
    changed = replace(placed, cutouts=cutouts, details=_by_hand(placed))
    return _with_residuals(_held(changed, index, motion.turn))


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
    """Lay the surface smoothly through the accepted cutouts, and hold it to the locked ones.

    To the surface is added what the cutouts agree it is off, as in a run: a robust
    polynomial of the order that so many cutouts can bear. Then it is drawn to the
    centres of the locked ones; that hold fades away within two cutout edges. Finer
    detail of the surface is kept.

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
    used = [c for c in placed.cutouts if c.accepted]
    if used:
        rows, columns = _middles(placed, used)
        off = _off(placed, used, rows, columns)
        scores = np.nan_to_num([c.score for c in used]) * _free_of_hold(used, rows, columns)
        centre = ((placed.map_shape[0] - 1) / 2, (placed.map_shape[1] - 1) / 2)
        change = PolynomialSurface(np.zeros((10, 3)), centre, max(placed.map_shape) / 2)
        for _ in range(_ROUNDS):
            # each call holds the higher orders near those it started from; repeated,
            # they become those of the cutouts
            outlier = RegistrationSettings().outlier_voxels
            agreed = find_consensus(change, rows, columns, off, scores, outlier, seed=0).surface
            moved = agreed.at(rows, columns) - change.at(rows, columns)
            change = agreed
            if np.abs(moved).max() < _AGREED_VOXELS:
                break
        lattice = np.meshgrid(surface.rows, surface.columns, indexing="ij")
        placed = _moved(placed, change.at(*lattice))
    return _with_residuals(_held(placed))


def _free_of_hold(used: Sequence[Cutout], rows: FloatArray, columns: FloatArray) -> FloatArray:
    """(n,) 0 to 1: cutouts near a locked one are off because the surface is held there."""
    held = np.array([c.state == "locked" for c in used])
    if not held.any():
        return np.ones(len(used))
    places = np.stack([rows, columns], axis=1)
    free = 1.0 - _fading(places, places[held], _reach([c for c in used if c.state == "locked"]))
    return np.asarray(np.where(held, 1.0, free.min(axis=1)), np.float64)


def _reach(locked: Sequence[Cutout]) -> float:
    """Map pixels over which the hold of locked cutouts fades away."""
    return _HOLD_REACH * float(np.mean([(c.height + c.width) / 2 for c in locked]))


def _middles(placed: PlacedMap, cutouts: Sequence[Cutout]) -> tuple[FloatArray, FloatArray]:
    """Where the surface has the cutouts' middles, in map pixels."""
    rows = np.array([c.row + (c.height - 1) / 2 for c in cutouts])
    columns = np.array([c.column + (c.width - 1) / 2 for c in cutouts])
    return on_surface(placed.fields, rows, columns)


def _edges(placed: PlacedMap) -> FloatArray:
    """Voxel edges in units of length."""
    size = np.asarray(placed.voxel_size_um, np.float64)
    return np.asarray(size / np.sqrt(size[1] * size[2]), np.float64)


def _off(
    placed: PlacedMap, cutouts: Sequence[Cutout], rows: FloatArray, columns: FloatArray
) -> FloatArray:
    """(n, 3) lengths from the surface to the cutouts' centres."""
    centres = np.array([c.centre_zyx for c in cutouts]).reshape(-1, 3)
    return (centres - _require_surface(placed).at(rows, columns)) * _edges(placed)


def _moved(placed: PlacedMap, lengths: FloatArray) -> PlacedMap:
    """With the lattice of its surface displaced."""
    surface = _require_surface(placed)
    return replace(placed, surface=replace(surface, zyx=surface.zyx + lengths / _edges(placed)))


def _with_residuals(placed: PlacedMap) -> PlacedMap:
    rows, columns = _middles(placed, placed.cutouts)
    residuals = np.linalg.norm(_off(placed, placed.cutouts, rows, columns), axis=1)
    cutouts = tuple(replace(c, residual_voxels=float(r)) for c, r in zip(placed.cutouts, residuals))
    return replace(placed, cutouts=cutouts)


def hold_surface(placed: PlacedMap) -> PlacedMap:
    """Draw the surface to the locked cutouts, and leave it alone further away.

    For locked cutouts that were registered again on a surface that is right elsewhere;
    see `refit_surface` for one that is not.
    """
    _require_surface(placed)
    return _with_residuals(_held(placed))


def _held(
    placed: PlacedMap, index: int = -1, turn: FloatArray | None = None, rounds: int = 4
) -> PlacedMap:
    """With the surface drawn to the centres of the locked cutouts.

    Parameters
    ----------
    placed : PlacedMap
    index : int
        Cutout that was just turned, too.
    turn : (3, 3) float64, optional
        Its rotation in micrometres.
    rounds : int
        Most repetitions.
    """
    surface, voxel = _require_surface(placed), _edges(placed)
    numbers = [k for k, c in enumerate(placed.cutouts) if c.state == "locked"]
    if not numbers:
        return placed
    locked = [placed.cutouts[k] for k in numbers]
    rows, columns = _middles(placed, locked)
    wanted = _off(placed, locked, rows, columns)
    knots, pulls = [], []
    for k, c in enumerate(locked):
        # a cutout moves as a piece: four quarter points go with its centre
        arms = np.array([[0, 0], [-1, -1], [-1, 1], [1, -1], [1, 1]]) * (c.height / 4, c.width / 4)
        knots.append(np.array([rows[k], columns[k]]) + arms)
        pull = np.tile(wanted[k], (5, 1))
        if turn is not None and numbers[k] == index:
            steps = np.array([c.row_step_zyx, c.column_step_zyx]) * voxel
            pull += arms @ steps - arms @ steps @ turn  # they are turned already
        pulls.append(pull)
    at, reach = np.concatenate(knots), _reach(locked)
    softness = np.tile([_FIRM, _SOFT, _SOFT, _SOFT, _SOFT], len(locked))
    weights = np.linalg.solve(_fading(at, at, reach) + np.diag(softness), np.concatenate(pulls))
    lattice = np.meshgrid(surface.rows, surface.columns, indexing="ij")
    points = np.stack([part.ravel() for part in lattice], axis=1)
    placed = _moved(placed, (_fading(points, at, reach) @ weights).reshape(surface.zyx.shape))
    left = np.abs(_off(placed, locked, rows, columns)).max()
    # between the lattice's points the spline is not quite the function that was meant
    again = rounds > 1 and left > _SETTLED_VOXELS
    return _held(placed, rounds=rounds - 1) if again else placed


def _fading(a: FloatArray, b: FloatArray, reach: float) -> FloatArray:
    """Wendland's C2 function of the distances (n, m): 1 at no distance, 0 from `reach` on."""
    d = np.minimum(cdist(a, b) / reach, 1.0)
    return np.asarray((1 - d) ** 4 * (4 * d + 1), np.float64)


__all__ = [
    "LiveFit",
    "Nudge",
    "check_landmarks",
    "hold_surface",
    "landmark_residuals",
    "nudge_cutout",
    "nudge_map",
    "refit_surface",
    "similarity_from_landmarks",
    "worst_landmark",
]
