"""Landmarks: pairs of places that a user saw to be the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_slagseg.data import SlagsegError
from napari_slagseg.registration.pyramid import FloatArray


@dataclass(frozen=True)
class LandmarkPose:
    """Rough pose from landmarks, as lengths.

    Attributes
    ----------
    angle_deg : float
    mirrored : bool
    centre : (3,) float64
        Of the map.
    residuals : (n,) float64
        Distance of each pair from the pose.
    """

    angle_deg: float
    mirrored: bool
    centre: FloatArray
    residuals: FloatArray


def landmark_pose(
    pixels: FloatArray, lengths: FloatArray, map_centre: tuple[float, float]
) -> LandmarkPose:
    """In-plane similarity and mean height of landmark pairs (Procrustes).

    Parameters
    ----------
    pixels : (n, 2) float64
        Map (row, column); n >= 3 and not in a line.
    lengths : (n, 3) float64
        CT positions as lengths.
    map_centre : (row, column)

    Raises
    ------
    SlagsegError
        If there are fewer than three pairs, or they lie in a line.
    """
    if len(pixels) < 3 or len(pixels) != len(lengths):
        raise SlagsegError(
            f"Landmarks need at least three pairs; there are {min(len(pixels), len(lengths))}."
        )
    a, b = pixels - pixels.mean(axis=0), lengths[:, 1:] - lengths[:, 1:].mean(axis=0)
    left, values, right = np.linalg.svd(a.T @ b)
    if values[1] < 1e-6 * values[0]:
        raise SlagsegError("The landmarks lie in one line. Add one that lies beside it.")
    turn = left @ right  # a row vector of the map times this is one of the CT
    scale = values.sum() / np.sum(a**2)
    fitted = a @ turn * scale
    # the least-squares orthogonal matrix already holds the mirror state in its determinant
    mirrored = bool(np.linalg.det(turn) < 0)
    by_column = turn[1]
    angle = float(np.degrees(np.arctan2(by_column[0], by_column[1])))
    middle = (np.asarray(map_centre) - pixels.mean(axis=0)) @ turn * scale
    centre = np.concatenate([[lengths[:, 0].mean()], lengths[:, 1:].mean(axis=0) + middle])
    return LandmarkPose(angle, mirrored, centre, np.linalg.norm(fitted - b, axis=1))


__all__ = ["LandmarkPose", "landmark_pose"]
