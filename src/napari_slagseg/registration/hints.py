"""What the user knows before the search, and what it leaves to search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_slagseg.data import Cutout, Landmarks, PlacedMap, SlagsegError
from napari_slagseg.registration.coarse import SearchSpace
from napari_slagseg.registration.landmarks import landmark_pose
from napari_slagseg.registration.pyramid import PreparedCT

ANGLE_HINT_DEG = 15.0
LANDMARK_HEIGHT_VOXELS = 60.0
LANDMARK_RADIUS_COARSE = 8.0
"""How far a hint is trusted: it narrows the search and does not replace it."""


@dataclass(frozen=True)
class Hints:
    """What a user knows of one map; nothing is needed.

    Attributes
    ----------
    height_window : (low, high) or None
        CT slices between which the map's centre lies.
    angle_deg : float or None
    mirror : {"auto", "yes", "no"}
    landmarks : Landmarks or None
    field_size : (rows, columns) or None
    start : PlacedMap or None
    locked : tuple of Cutout
        See `napari_slagseg.registration.place_map`.
    """

    height_window: tuple[float, float] | None = None
    angle_deg: float | None = None
    mirror: Literal["auto", "yes", "no"] = "auto"
    landmarks: Landmarks | None = None
    field_size: tuple[int, int] | None = None
    start: PlacedMap | None = None
    locked: tuple[Cutout, ...] = ()


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


__all__ = ["Hints", "search_space"]
