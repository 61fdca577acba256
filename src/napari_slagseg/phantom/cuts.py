"""SEM maps: cuts through the continuous truth, with everything that goes wrong there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, gaussian_filter

from napari_slagseg.data import UNKNOWN, MineralMap
from napari_slagseg.phantom.presets import PHASES, PIXEL_UM, DegradationLevel
from napari_slagseg.phantom.truth import ContinuousTruth


@dataclass(frozen=True)
class CutSurface:
    """The surface of a polished cut: a tilted, slightly curved sheet.

    Attributes
    ----------
    shape : (rows, columns)
        Of the map, in pixels.
    middle : (row, column)
        Map position of the point that it is tilted about.
    centre_zyx : (3,) tuple of float
        CT voxel coordinates of that point.
    pitch : float
        Voxels that a pixel truly measures.
    radius : float
        Voxels from the centre at which `sag` is reckoned.
    angle_rad : float
        In-plane angle of the rows.
    mirrored : bool
    tilt_rad, towards_rad : float
        Tilt, and the direction in the CT's plane in which the surface rises.
    sag : float
        Depth of the curvature, in voxels.
    bend, twist : float
        Shape of the curvature.
    """

    shape: tuple[int, int]
    middle: tuple[float, float]
    centre_zyx: tuple[float, float, float]
    pitch: float
    radius: float
    angle_rad: float
    mirrored: bool
    tilt_rad: float
    towards_rad: float
    sag: float
    bend: float
    twist: float

    def at(self, rows: NDArray[np.floating], columns: NDArray[np.floating]) -> NDArray[np.float64]:
        """CT (z, y, x) voxel coordinates of map positions, also beyond the map.

        Parameters
        ----------
        rows, columns : arrays of one shape
            Map pixel coordinates, pixel centres at integers.

        Returns
        -------
        zyx : (..., 3) float64
        """
        v = (rows - self.middle[0]) * self.pitch
        u = (columns - self.middle[1]) * self.pitch
        if self.mirrored:
            u = -u
        angle, towards, tilt = self.angle_rad, self.towards_rad, self.tilt_rad
        y, x = np.cos(angle) * v - np.sin(angle) * u, np.sin(angle) * v + np.cos(angle) * u
        along = np.cos(towards) * x + np.sin(towards) * y
        across = -np.sin(towards) * x + np.cos(towards) * y
        s, t = along / self.radius, across / self.radius
        curve = self.sag * (
            self.bend * s**2 + (1 - self.bend) * t**2 + self.twist * s * t + 0.15 * s**3 - 0.5
        )
        # a rigid tilt about the axis `across`: lengths along the cut shrink in projection
        return np.stack(
            [
                self.centre_zyx[0] + np.sin(tilt) * along + np.cos(tilt) * curve,
                self.centre_zyx[1]
                + np.sin(towards) * (np.cos(tilt) * along - np.sin(tilt) * curve)
                + np.cos(towards) * across,
                self.centre_zyx[2]
                + np.cos(towards) * (np.cos(tilt) * along - np.sin(tilt) * curve)
                - np.sin(towards) * across,
            ],
            axis=-1,
        )

    def coordinates(self) -> NDArray[np.float64]:
        """(rows, columns, 3) CT coordinates of every pixel."""
        rows, columns = (np.arange(float(n)) for n in self.shape)
        return self.at(*np.meshgrid(rows, columns, indexing="ij"))

    @property
    def normal(self) -> NDArray[np.float64]:
        """(3,) unit normal (z, y, x) where the surface is tilted about; points up."""
        tilt, towards = self.tilt_rad, self.towards_rad
        sine = np.sin(tilt)
        return np.array([np.cos(tilt), -sine * np.sin(towards), -sine * np.cos(towards)])


@dataclass(frozen=True)
class PhantomMap:
    """A map and the truth about it.

    Attributes
    ----------
    mineral_map : MineralMap
        As a user would get it, degraded.
    coordinates : (rows, columns, 3) float32
        CT voxel coordinates (z, y, x) of every pixel, also outside the CT.
    particles : (rows, columns) int32
        True particle of every pixel, before degradation.
    phases : (rows, columns) int16
        True phase of every pixel, before degradation.
    mirrored : bool
    angle_deg, tilt_deg, sag_voxels : float
    true_pixel_um : float
        The map states `PIXEL_UM`; this is what a pixel truly measures.
    surface : CutSurface
        That it was cut along, in voxels of the CT as drawn. A map with a defect may
        lie off it in places, and a CT may be resampled: `coordinates` say where.
    """

    mineral_map: MineralMap
    coordinates: NDArray[np.float32]
    particles: NDArray[np.int32]
    phases: NDArray[np.int16]
    mirrored: bool
    angle_deg: float
    tilt_deg: float
    sag_voxels: float
    true_pixel_um: float
    surface: CutSurface


def draw_surface(
    shape: tuple[int, int, int],
    voxel_um: float,
    radius: float,
    level: DegradationLevel,
    height: float,
    rng: np.random.Generator,
) -> CutSurface:
    """A random surface as a level of degradation has them.

    Parameters
    ----------
    shape : (z, y, x)
        Of the CT.
    voxel_um : float
    radius : float
        Of the cylinder in voxels; the map covers it with a little margin.
    level : DegradationLevel
    height : float
        CT slice (z) of the cut's centre.
    rng : numpy.random.Generator
    """
    true_pixel = PIXEL_UM * (1 + rng.uniform(-1, 1) * level.pixel_error)
    edge = round(2.06 * radius * voxel_um / PIXEL_UM)
    angle = rng.uniform(0, 2 * np.pi)
    mirrored = bool(rng.random() < 0.5)
    tilt = np.deg2rad(level.tilt_deg * rng.uniform(0.4, 1.0))
    towards = rng.uniform(0, 2 * np.pi)
    sag = level.sag * edge * PIXEL_UM / voxel_um * rng.uniform(0.5, 1.0)
    bend, twist = rng.uniform(0.4, 1.0), rng.uniform(-0.5, 0.5)
    shift_y, shift_x = rng.uniform(-0.03, 0.03, 2) * radius
    _, full_y, full_x = shape
    return CutSurface(
        (edge, edge),
        ((edge - 1) / 2, (edge - 1) / 2),
        (height, (full_y - 1) / 2 + shift_y, (full_x - 1) / 2 + shift_x),
        true_pixel / voxel_um,
        radius,
        angle,
        mirrored,
        float(tilt),
        towards,
        sag,
        bend,
        twist,
    )


def cut(
    truth: ContinuousTruth,
    voxel_um: float,
    radius: float,
    level: DegradationLevel,
    height: float,
    name: str,
    rng: np.random.Generator,
) -> PhantomMap:
    """Cut the truth along a random surface and degrade the map; see `draw_surface`."""
    surface = draw_surface(truth.shape, voxel_um, radius, level, height, rng)
    return cut_along(truth, surface, voxel_um, level, name, rng)


def cut_along(
    truth: ContinuousTruth,
    surface: CutSurface,
    voxel_um: float,
    level: DegradationLevel,
    name: str,
    rng: np.random.Generator,
    coordinates: NDArray[np.float64] | None = None,
) -> PhantomMap:
    """Cut the truth along a given surface and degrade the map.

    Parameters
    ----------
    coordinates : (rows, columns, 3) float64, optional
        Where the pixels lie instead of on the surface, for a map with a defect.
    """
    if coordinates is None:
        coordinates = surface.coordinates()
    particles, phases = truth.at(coordinates.reshape(-1, 3))
    true_particles = particles.reshape(coordinates.shape[:2]).astype(np.int32)
    true_phases = phases.reshape(coordinates.shape[:2]).astype(np.int16)
    degraded = degrade(true_phases.copy(), true_particles, level, rng)
    return PhantomMap(
        MineralMap(degraded, PIXEL_UM, PHASES, name),
        coordinates.astype(np.float32),
        true_particles,
        true_phases,
        surface.mirrored,
        float(np.rad2deg(surface.angle_rad)),
        float(np.rad2deg(surface.tilt_rad)),
        float(surface.sag),
        surface.pitch * voxel_um,
        surface,
    )


def degrade(
    phases: NDArray[np.int16],
    particles: NDArray[np.int32],
    level: DegradationLevel,
    rng: np.random.Generator,
) -> NDArray[np.int16]:
    """Tear particles out of a map and put wrong and unknown pixels in; overwrites `phases`."""
    present = np.unique(particles[particles > 0])
    torn = present[rng.random(len(present)) < level.torn]
    solid = phases > 0
    # wrong areas: a smooth random field, cut so that the wanted share of solid is wrong
    field = gaussian_filter(rng.standard_normal(phases.shape), 6)
    if solid.any() and level.mislabelled > 0:
        wrong = solid & (field > np.quantile(field[solid], 1 - level.mislabelled))
        # one other phase an area, not a pixel
        patches = (gaussian_filter(rng.standard_normal(phases.shape), 10) * 1e3).astype(np.int64)
        other = (patches % (len(PHASES) - 1) + 1).astype(np.int16)
        phases[wrong] = other[wrong]
    rim = solid & ~binary_erosion(solid, iterations=2)
    wrong = rim & (rng.random(phases.shape) < level.rim)
    phases[wrong] = rng.integers(0, len(PHASES), int(wrong.sum()))
    wrong = rng.random(phases.shape) < level.speckle
    phases[wrong] = rng.integers(0, len(PHASES), int(wrong.sum()))
    phases[solid & (rng.random(phases.shape) < level.unknown)] = UNKNOWN
    phases[np.isin(particles, torn)] = 0
    return phases


__all__ = ["CutSurface", "PhantomMap", "cut", "cut_along", "degrade", "draw_surface"]
