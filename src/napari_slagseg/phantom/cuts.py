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


def cut(
    truth: ContinuousTruth,
    voxel_um: float,
    radius: float,
    level: DegradationLevel,
    height: float,
    name: str,
    rng: np.random.Generator,
) -> PhantomMap:
    """Cut the truth along a tilted, slightly curved surface and degrade the map.

    Parameters
    ----------
    height : float
        CT slice (z) of the cut's centre.
    radius : float
        Of the cylinder in voxels; the map covers it with a little margin.
    """
    true_pixel = PIXEL_UM * (1 + rng.uniform(-1, 1) * level.pixel_error)
    edge = round(2.06 * radius * voxel_um / PIXEL_UM)
    angle = rng.uniform(0, 2 * np.pi)
    mirrored = bool(rng.random() < 0.5)
    tilt = np.deg2rad(level.tilt_deg * rng.uniform(0.4, 1.0))
    towards = rng.uniform(0, 2 * np.pi)
    sag = level.sag * edge * PIXEL_UM / voxel_um * rng.uniform(0.5, 1.0)
    pitch = true_pixel / voxel_um
    v, u = np.meshgrid(
        (np.arange(edge) - (edge - 1) / 2) * pitch,
        (np.arange(edge) - (edge - 1) / 2) * pitch,
        indexing="ij",
    )
    if mirrored:
        u = -u
    y, x = np.cos(angle) * v - np.sin(angle) * u, np.sin(angle) * v + np.cos(angle) * u
    along = np.cos(towards) * x + np.sin(towards) * y
    across = -np.sin(towards) * x + np.cos(towards) * y
    s, t = along / radius, across / radius
    bend, twist = rng.uniform(0.4, 1.0), rng.uniform(-0.5, 0.5)
    curve = sag * (bend * s**2 + (1 - bend) * t**2 + twist * s * t + 0.15 * s**3 - 0.5)
    # a rigid tilt about the axis `across`: lengths along the cut shrink in projection
    shift_y, shift_x = rng.uniform(-0.03, 0.03, 2) * radius
    _, full_y, full_x = truth.shape
    coordinates = np.stack(
        [
            height + np.sin(tilt) * along + np.cos(tilt) * curve,
            (full_y - 1) / 2 + shift_y
            + np.sin(towards) * (np.cos(tilt) * along - np.sin(tilt) * curve)
            + np.cos(towards) * across,
            (full_x - 1) / 2 + shift_x
            + np.cos(towards) * (np.cos(tilt) * along - np.sin(tilt) * curve)
            - np.sin(towards) * across,
        ],
        axis=-1,
    )  # fmt: skip
    particles, phases = truth.at(coordinates.reshape(-1, 3))
    true_particles = particles.reshape(edge, edge).astype(np.int32)
    true_phases = phases.reshape(edge, edge).astype(np.int16)
    degraded = _degrade(true_phases.copy(), true_particles, level, rng)
    return PhantomMap(
        MineralMap(degraded, PIXEL_UM, PHASES, name),
        coordinates.astype(np.float32),
        true_particles,
        true_phases,
        mirrored,
        float(np.rad2deg(angle)),
        float(np.rad2deg(tilt)),
        float(sag),
        true_pixel,
    )


def _degrade(
    phases: NDArray[np.int16],
    particles: NDArray[np.int32],
    level: DegradationLevel,
    rng: np.random.Generator,
) -> NDArray[np.int16]:
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


__all__ = ["PhantomMap", "cut"]
