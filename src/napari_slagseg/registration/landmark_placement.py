"""Where landmarks alone put a map, how far they are off a placement, and which one is wrong."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from napari_slagseg.data import (
    Cutout,
    Landmarks,
    PlacedMap,
    PlacementSurface,
    SlagsegError,
    VoxelSize,
    on_surface,
)
from napari_slagseg.registration.landmarks import OUTLIER_FACTOR, landmark_pose
from napari_slagseg.registration.pyramid import FloatArray
from napari_slagseg.registration.rigid_cutouts import windows
from napari_slagseg.registration.settings import RegistrationSettings

LEAST_SPREAD = 0.02
"""Pairs whose second extent is less than this share of the first lie in a line."""

STEEPEST_DEG = 15.0
"""No cut is meant to be steeper; landmarks that say so were clicked in wrong slices."""

SIZE_RANGE = (0.9, 1.1)
"""How far landmarks may stretch a map: clicks are less exact than a pixel size."""

STANDS_OUT_VOXELS, STANDS_OUT_FACTOR = 5.0, 2.5
"""A pair is marked from this distance on, and if it is so many times that of the others."""


class MapFrame(Protocol):
    """What is asked of a map here: a mineral map, or its entry in a project."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def shape(self) -> tuple[int, int]:
        """Pixels along (row, column)."""

    @property
    def pixel_size_um(self) -> float:
        """Edge of a pixel in micrometres."""


def check_landmarks(
    landmarks: Landmarks, mineral_map: MapFrame, ct_shape: tuple[int, int, int]
) -> None:
    """Refuse landmarks that cannot place a map.

    Parameters
    ----------
    landmarks : Landmarks
    mineral_map : MineralMap or an entry of a project's map
    ct_shape : (z, y, x)

    Raises
    ------
    SlagsegError
        If there are fewer than three pairs, one lies outside of the map or the CT, or
        all lie in a line; the message names the pair, counted from 1.
    """
    name = mineral_map.name
    if len(landmarks.pixels) != len(landmarks.voxels):
        raise SlagsegError(
            f"The landmarks of map {name} are pairs, but there are {len(landmarks.pixels)} map "
            f"pixels and {len(landmarks.voxels)} CT voxels. Remove the ones without a partner."
        )
    for what, places, shape, axes in (
        (f"map {name}", landmarks.pixels, mineral_map.shape, "row, column"),
        ("the CT", landmarks.voxels, ct_shape, "z, y, x"),
    ):
        limits = np.asarray(shape) - 0.5
        # "not inside" rather than "outside": NaN is neither
        bad = ~np.all((places >= -0.5) & (places <= limits), axis=1)
        if bad.any():
            k = int(np.flatnonzero(bad)[0])
            at = ", ".join(f"{x:g}" for x in places[k])
            raise SlagsegError(
                f"Landmark {k + 1} of map {name} lies at ({at}) ({axes}), outside of {what}, "
                f"which measures {' x '.join(map(str, shape))}. Move or remove it."
            )
    if len(landmarks) < 3:
        raise SlagsegError(
            f"Landmarks need at least three pairs; map {name} has {len(landmarks)}. Add "
            f"{3 - len(landmarks)} more."
        )
    spreads = [_spread(p) for p in (landmarks.pixels, landmarks.voxels)]
    if min(spreads) < LEAST_SPREAD:
        where = "map" if spreads[0] <= spreads[1] else "CT"
        raise SlagsegError(
            f"The landmarks of map {name} lie in one line in the {where}, which leaves open how "
            "it is turned about that line. Add one that lies beside it."
        )


def _spread(places: FloatArray) -> float:
    """Second extent of a cloud of points as a share of the first."""
    values = np.linalg.svd(places - places.mean(axis=0), compute_uv=False)
    return float(values[1] / values[0]) if values[0] > 0 else 0.0


class _Plane:
    """Map (row, column) in micrometres to CT (z, y, x) in micrometres, as a flat similarity."""

    def __init__(self, places: FloatArray, targets: FloatArray) -> None:
        self.of, self.to = places.mean(axis=0), targets.mean(axis=0)
        a, b = places - self.of, targets - self.to
        left, values, right = np.linalg.svd(a.T @ b, full_matrices=False)
        self.turn = left @ right
        self.scale = float(np.clip(values.sum() / np.sum(a**2), *SIZE_RANGE))

    def at(self, places: FloatArray) -> FloatArray:
        return np.asarray((places - self.of) @ self.turn * self.scale + self.to, np.float64)

    def residuals(self, places: FloatArray, targets: FloatArray) -> FloatArray:
        return np.asarray(np.linalg.norm(self.at(places) - targets, axis=1), np.float64)

    @property
    def tilt_deg(self) -> float:
        normal = np.cross(self.turn[0], self.turn[1])
        return float(np.degrees(np.arccos(min(1.0, abs(normal[0])))))


def _robust_plane(places: FloatArray, targets: FloatArray) -> _Plane:
    """Without the one pair, of four or more, without which the others agree much better."""
    fit = _Plane(places, targets)
    if len(places) < 4:
        return fit
    spread = best = _rms(fit.residuals(places, targets))
    for k in range(len(places)):
        rest = np.arange(len(places)) != k
        if min(_spread(places[rest]), _spread(targets[rest])) < LEAST_SPREAD:
            continue
        other = _Plane(places[rest], targets[rest])
        left = _rms(other.residuals(places[rest], targets[rest]))
        if left * OUTLIER_FACTOR < spread and left < best:
            fit, best = other, left
    return fit


def _rms(residuals: FloatArray) -> float:
    return float(np.sqrt(np.mean(residuals**2)))


def similarity_from_landmarks(
    landmarks: Landmarks,
    mineral_map: MapFrame,
    ct_shape: tuple[int, int, int],
    voxel_size_um: VoxelSize,
    map_name: str | None = None,
) -> PlacedMap:
    """Place a map by landmarks alone, to be shown before the fit begins.

    A plane by Procrustes in three dimensions: shift, turn, tilt, mirror state, and a
    size within `SIZE_RANGE` of the stated one. Of four pairs or more, the one without
    which the others agree three times better is left out. Landmarks that ask for a tilt
    beyond `STEEPEST_DEG` are taken as level.

    Parameters
    ----------
    landmarks : Landmarks
        Three pairs or more.
    mineral_map : MineralMap or an entry of a project's map
        Of which name, shape and pixel size are used.
    ct_shape, voxel_size_um : (z, y, x)
    map_name : str, optional
        By default that of `mineral_map`.

    Returns
    -------
    PlacedMap
        ``placed=True``; scores are 0, for nothing was compared with the CT; `reason`
        says so; ``details["by_hand"]`` is "landmarks".

    Raises
    ------
    SlagsegError
        As `check_landmarks`.
    """
    check_landmarks(landmarks, mineral_map, ct_shape)
    name = mineral_map.name if map_name is None else map_name
    voxel = np.asarray(voxel_size_um, np.float64)
    unit = float(np.sqrt(voxel[1] * voxel[2]))
    pixel = mineral_map.pixel_size_um
    pixels = np.asarray(landmarks.pixels, np.float64)
    targets = np.asarray(landmarks.voxels, np.float64) * voxel
    plane = _robust_plane(pixels * pixel, targets)
    middle = (np.asarray(mineral_map.shape) - 1) / 2
    centre = plane.at((middle * pixel)[None])[0]
    steps = plane.turn * plane.scale * pixel
    tilt = plane.tilt_deg
    doubt = ""
    if tilt > STEEPEST_DEG:
        level = landmark_pose(pixels, targets, (float(middle[0]), float(middle[1])))
        angle = np.radians(level.angle_deg)
        sign = -1.0 if level.mirrored else 1.0
        steps = pixel * np.array(
            [
                [0.0, sign * np.cos(angle), -sign * np.sin(angle)],
                [0.0, np.sin(angle), np.cos(angle)],
            ]
        )
        centre = level.centre
        doubt = (
            f" They ask for a tilt of {tilt:.0f} degrees, which no cut has, so the map was laid "
            "level: look at their slices (z)."
        )
    by_row, by_column = steps / voxel
    centre = centre / voxel

    def at(rows: FloatArray, columns: FloatArray) -> FloatArray:
        r = (np.asarray(rows) - middle[0])[..., None]
        c = (np.asarray(columns) - middle[1])[..., None]
        return np.asarray(centre + r * by_row + c * by_column, np.float64)

    settings = RegistrationSettings()
    spacing = settings.lattice_voxels * unit / pixel
    axes = [
        np.linspace(0, n - 1, max(4, int(np.ceil((n - 1) / spacing)) + 1))
        for n in mineral_map.shape
    ]
    surface = PlacementSurface(axes[0], axes[1], at(*np.meshgrid(*axes, indexing="ij")))
    cutouts = []
    for w in windows(mineral_map.shape, pixel / unit, settings):
        z, y, x = at(*map(np.asarray, w.centre))
        cutouts.append(
            Cutout(
                w.row, w.column, w.height, w.width, (float(z), float(y), float(x)),
                tuple(by_row.tolist()), tuple(by_column.tolist()), 0.0,
            )
        )  # fmt: skip
    return PlacedMap(
        map_name=name,
        map_shape=mineral_map.shape,
        pixel_size_um=pixel,
        ct_shape=ct_shape,
        voxel_size_um=voxel_size_um,
        placed=True,
        score=0.0,
        mirrored=bool(by_row[1] * by_column[2] - by_row[2] * by_column[1] < 0),
        surface=surface,
        cutouts=tuple(cutouts),
        reason=(
            f"placed by its {len(landmarks)} landmarks alone, not compared with the CT yet: "
            f"place it now to fit it.{doubt}"
        ),
        details={
            "by_hand": "landmarks",
            "angle_deg": round(float(np.degrees(np.arctan2(by_column[1], by_column[2]))), 3),
            "tilt_deg": round(0.0 if doubt else tilt, 3),
            "size": round(1.0 if doubt else plane.scale, 4),
        },
    )


def landmark_residuals(landmarks: Landmarks, placed: PlacedMap) -> FloatArray:
    """Distance of each pair from a placement.

    Parameters
    ----------
    landmarks : Landmarks
    placed : PlacedMap

    Returns
    -------
    voxels : (n,) float64
        In mean in-plane voxel edges, so that they mean the same along all axes; NaN for
        a map that lies nowhere.
    """
    if placed.surface is None:
        return np.full(len(landmarks), np.nan)
    clicked = np.asarray(landmarks.pixels, np.float64).reshape(-1, 2)
    rows, columns = on_surface(placed.fields, clicked[:, 0], clicked[:, 1])
    voxel = np.asarray(placed.voxel_size_um, np.float64)
    off = (placed.surface.at(rows, columns) - np.reshape(landmarks.voxels, (-1, 3))) * voxel
    return np.asarray(np.linalg.norm(off, axis=1) / np.sqrt(voxel[1] * voxel[2]), np.float64)


def worst_landmark(residuals: FloatArray) -> int | None:
    """Pair that stands out from the others, by position.

    Parameters
    ----------
    residuals : (n,) float64
        In voxels.

    Returns
    -------
    int or None
        None where none is at least `STANDS_OUT_VOXELS` off and `STANDS_OUT_FACTOR` times
        as far as the median of the others, or there are fewer than three.
    """
    if len(residuals) < 3 or not np.isfinite(residuals).all():
        return None
    k = int(np.argmax(residuals))
    others = float(np.median(np.delete(residuals, k)))
    stands_out = residuals[k] >= max(STANDS_OUT_VOXELS, STANDS_OUT_FACTOR * others)
    return k if stands_out else None


__all__ = [
    "MapFrame",
    "check_landmarks",
    "landmark_residuals",
    "similarity_from_landmarks",
    "worst_landmark",
]
