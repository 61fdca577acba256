"""What is known before the search: whether a map can be placed at all, and the user's hints."""

from __future__ import annotations

from typing import Literal

import numpy as np

from napari_slagseg.data import BACKGROUND, Landmarks, MineralMap, SlagsegError, VoxelSize
from napari_slagseg.registration.coarse import SearchSpace
from napari_slagseg.registration.landmarks import landmark_pose
from napari_slagseg.registration.pyramid import PreparedCT

ANGLE_HINT_DEG = 15.0
LANDMARK_HEIGHT_VOXELS = 60.0
LANDMARK_RADIUS_COARSE = 8.0
"""How far a hint is trusted: it narrows the search and does not replace it."""


def check_map(
    ct_shape: tuple[int, ...],
    voxel_size_um: VoxelSize,
    mineral_map: MineralMap,
    size_tolerance: float,
) -> None:
    """Refuse a map that cannot be placed at all; the CT need not even be read.

    Parameters
    ----------
    ct_shape, voxel_size_um : (z, y, x)
    mineral_map : MineralMap
    size_tolerance : float
        See `RegistrationSettings`.

    Raises
    ------
    SlagsegError
        If it has a single phase, or is larger than the CT's cross-section.
    """
    present = np.unique(mineral_map.phases)
    known = present[present >= 0]
    if len(known) < 2 or not np.any(known != BACKGROUND):
        raise SlagsegError(
            f"Map {mineral_map.name} holds a single phase, so nothing in it can be matched with "
            "the CT. Check the legend and the file."
        )
    map_um = np.array(mineral_map.shape) * mineral_map.pixel_size_um
    ct_um = np.array(ct_shape) * np.array(voxel_size_um)
    in_plane_um = float(np.sqrt(voxel_size_um[1] * voxel_size_um[2]))
    longest = np.sort(ct_um[1:])[::-1]
    if np.any(np.sort(map_um)[::-1] > longest * (1 + size_tolerance)):
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


def search_space(
    prepared: PreparedCT,
    map_centre: tuple[float, float],
    height_window: tuple[float, float] | None,
    angle_deg: float | None,
    mirror: Literal["auto", "yes", "no"],
    landmarks: Landmarks | None,
    level: int,
) -> SearchSpace:
    """What the user's hints leave to search.

    Raises
    ------
    SlagsegError
        If a hint cannot be used; the message names it.
    """
    if mirror not in ("auto", "yes", "no"):
        raise SlagsegError(f"mirror is '{mirror}'; it must be auto, yes or no.")
    mirrors: tuple[bool, ...] = {"auto": (False, True), "yes": (True,), "no": (False,)}[mirror]
    heights = None
    voxel = prepared.voxel
    if height_window is not None:
        low, high = sorted(height_window)
        if high < 0 or low > prepared.volume.shape[0] - 1:
            raise SlagsegError(
                f"The height window {low:g} to {high:g} lies outside the CT, whose slices are 0 to "
                f"{prepared.volume.shape[0] - 1}."
            )
        heights = ((low + 0.5) * voxel[0], (high + 0.5) * voxel[0])
    angles = None
    if angle_deg is not None:
        angles = (angle_deg - ANGLE_HINT_DEG, angle_deg + ANGLE_HINT_DEG)
    centre = None
    if landmarks is not None:
        pose = landmark_pose(
            np.asarray(landmarks.pixels, float),
            (np.asarray(landmarks.voxels, float) + 0.5) * voxel,
            map_centre,
        )
        mirrors = (pose.mirrored,)
        angles = (pose.angle_deg - ANGLE_HINT_DEG, pose.angle_deg + ANGLE_HINT_DEG)
        heights = (pose.centre[0] - LANDMARK_HEIGHT_VOXELS, pose.centre[0] + LANDMARK_HEIGHT_VOXELS)
        centre = (pose.centre[1], pose.centre[2], LANDMARK_RADIUS_COARSE * level)
    return SearchSpace(heights, angles, mirrors, centre)


__all__ = ["check_map", "search_space"]
