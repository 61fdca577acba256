"""Whether a map can be placed at all, before anything is searched."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_slagseg.data import (
    BACKGROUND,
    UNKNOWN,
    GreyMap,
    MineralMap,
    SlagsegError,
    Volume,
    VoxelSize,
)

FEWEST_PARTICLES = 10
PARTICLE_PIXELS = 12
"""Smaller pieces are speckle."""

DENSE = 0.6
"""From this share of solid on, particles touch so much that pieces are counted instead."""


def check_map(
    ct_shape: tuple[int, ...],
    voxel_size_um: VoxelSize,
    mineral_map: MineralMap | GreyMap,
    size_tolerance: float,
) -> None:
    """Refuse a map that cannot be placed at all; the CT need not even be read.

    Parameters
    ----------
    ct_shape, voxel_size_um : (z, y, x)
    mineral_map : MineralMap or GreyMap
    size_tolerance : float
        See `RegistrationSettings`.

    Raises
    ------
    SlagsegError
        If it has a single phase or grey value, fewer than ten particles, or is larger
        than the CT's cross-section.
    """
    if isinstance(mineral_map, GreyMap):
        _check_grey(mineral_map)
    else:
        _check_phases(mineral_map)
    map_um = np.array(mineral_map.shape) * mineral_map.pixel_size_um
    ct_um = np.array(ct_shape) * np.array(voxel_size_um)
    longest = np.sort(ct_um[1:])[::-1]
    if np.any(np.sort(map_um)[::-1] > longest * (1 + size_tolerance)):
        in_plane_um = float(np.sqrt(voxel_size_um[1] * voxel_size_um[2]))
        swapped = map_um / mineral_map.pixel_size_um * in_plane_um
        hint = (
            " Were voxel size and pixel size exchanged?"
            if mineral_map.pixel_size_um > in_plane_um
            else ""
        )
        raise SlagsegError(
            f"Map {mineral_map.name} is larger than the CT: it measures {map_um[0]:,.0f} x "
            f"{map_um[1]:,.0f} um, the CT {ct_um[0]:,.0f} x {ct_um[1]:,.0f} x {ct_um[2]:,.0f} um "
            f"(z, y, x). Check the pixel size ({mineral_map.pixel_size_um:g} um; with the CT's "
            f"voxel size the map would measure {swapped[0]:,.0f} um) and crop the map.{hint}"
        )


def _check_phases(mineral_map: MineralMap) -> None:
    phases = mineral_map.phases
    present = np.unique(phases)
    known = present[present != UNKNOWN]
    if len(known) < 2 or not np.any(known != BACKGROUND):
        raise SlagsegError(
            f"Map {mineral_map.name} holds a single phase, so nothing in it can be matched with "
            "the CT. Check the legend and the file."
        )
    solid = phases > BACKGROUND
    particles = _pieces(solid)
    if particles >= FEWEST_PARTICLES:
        return
    dense = solid.sum() >= DENSE * np.count_nonzero(phases != UNKNOWN)
    if dense and sum(_pieces(phases == i) for i in known) >= FEWEST_PARTICLES:
        return
    raise SlagsegError(
        f"Map {mineral_map.name} holds {particles} particles of at least {PARTICLE_PIXELS} pixels; "
        f"at least {FEWEST_PARTICLES} are needed to tell its place from others. Check the legend "
        "and the file, or take a larger part of the map."
    )


def _pieces(mask: np.ndarray) -> int:
    labels, _ = ndimage.label(mask)
    return int(np.count_nonzero(np.bincount(labels.ravel())[1:] >= PARTICLE_PIXELS))


def _check_grey(grey_map: GreyMap) -> None:
    known = grey_map.grey[np.isfinite(grey_map.grey)]
    if known.size == 0 or not float(known.max()) > float(known.min()):
        value = f"every pixel is {float(known[0]):g}" if known.size else "no pixel is known"
        raise SlagsegError(
            f"Grey map {grey_map.name} shows nothing ({value}), so it cannot be matched with the "
            "CT. Check that the right file was opened."
        )


def check_field_size(mineral_map: MineralMap | GreyMap, field_size: tuple[int, int] | None) -> None:
    """Refuse a size of fields that cannot be.

    Raises
    ------
    SlagsegError
        If a side is not at least 16 pixels, or the whole map is one field.
    """
    if field_size is None:
        return
    if min(field_size) < 16 or (
        field_size[0] >= mineral_map.shape[0] and field_size[1] >= mineral_map.shape[1]
    ):
        raise SlagsegError(
            f"Fields of {field_size[0]} x {field_size[1]} pixels cannot make up map "
            f"{mineral_map.name} of {mineral_map.shape[0]} x {mineral_map.shape[1]}: give the size "
            "of one field of the microscope in map pixels, at least 16, or leave it out."
        )


def exchanged_sizes(volume: Volume, mineral_map: MineralMap | GreyMap) -> str:
    """A sentence where pixel and voxel size look exchanged; empty where they do not.

    They do where map pixels are the larger ones, and with sizes exchanged the map would
    cover the CT's cross-section.
    """
    in_plane_um = float(np.sqrt(volume.voxel_size_um[1] * volume.voxel_size_um[2]))
    if mineral_map.pixel_size_um <= in_plane_um:
        return ""
    side = float(np.sqrt(np.prod(mineral_map.shape))) * in_plane_um
    across = float(np.sqrt(np.prod(volume.shape[1:]))) * mineral_map.pixel_size_um
    if not 0.4 <= side / across <= 1.3:
        return ""
    return (
        f"The map's pixels ({mineral_map.pixel_size_um:g} um) are larger than the CT's voxels "
        f"({in_plane_um:g} um), and the other way round the map would cover the CT's "
        "cross-section: were the two sizes exchanged?"
    )


__all__ = ["check_field_size", "check_map", "exchanged_sizes"]
