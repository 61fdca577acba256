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


OUTLIER_FACTOR = 3.0
"""A pair is dropped if the others agree so many times better without it."""


@dataclass(frozen=True)
class _Similarity:
    """Map pixels to CT (y, x): ``(pixel - of) @ turn * scale + to``."""

    of: FloatArray
    to: FloatArray
    turn: FloatArray
    scale: float

    @classmethod
    def through(cls, pixels: FloatArray, yx: FloatArray) -> _Similarity | None:
        """Least squares (Procrustes); None for pairs in a line."""
        of, to = pixels.mean(axis=0), yx.mean(axis=0)
        a, b = pixels - of, yx - to
        flat = [np.linalg.svd(part, compute_uv=False) for part in (a, b)]
        if any(values[1] < 1e-6 * values[0] for values in flat):
            return None
        # the orthogonal matrix holds the mirror state in its determinant
        left, values, right = np.linalg.svd(a.T @ b)
        return cls(of, to, left @ right, float(values.sum() / np.sum(a**2)))

    def at(self, pixels: FloatArray) -> FloatArray:
        return np.asarray((pixels - self.of) @ self.turn * self.scale + self.to, np.float64)

    def residuals(self, pixels: FloatArray, yx: FloatArray) -> FloatArray:
        return np.asarray(np.linalg.norm(self.at(pixels) - yx, axis=1), np.float64)


def landmark_pose(
    pixels: FloatArray, lengths: FloatArray, map_centre: tuple[float, float]
) -> LandmarkPose:
    """In-plane similarity and mean height of landmark pairs (Procrustes).

    With four pairs or more, the one pair without which the others agree much better
    is left out.

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
    if len(pixels) != len(lengths):
        raise SlagsegError(
            f"Landmarks are pairs, but there are {len(pixels)} map pixels and {len(lengths)} CT "
            "voxels. Remove the ones without a partner."
        )
    if len(pixels) < 3:
        raise SlagsegError(f"Landmarks need at least three pairs; there are {len(pixels)}.")
    if not (np.isfinite(pixels).all() and np.isfinite(lengths).all()):
        raise SlagsegError("Landmarks hold coordinates that are not finite. Remove these pairs.")
    yx = lengths[:, 1:]
    fit = _Similarity.through(pixels, yx)
    if fit is None:
        raise SlagsegError("The landmarks lie in one line. Add one that lies beside it.")
    used = np.ones(len(pixels), dtype=bool)
    if len(pixels) >= 4:
        spread = _rms(fit.residuals(pixels, yx))
        for k in range(len(pixels)):
            rest = np.arange(len(pixels)) != k
            other = _Similarity.through(pixels[rest], yx[rest])
            if other is None:
                continue
            left = _rms(other.residuals(pixels[rest], yx[rest]))
            if left * OUTLIER_FACTOR < spread and left < _rms(fit.residuals(pixels, yx)[used]):
                fit, used = other, rest
    angle = float(np.degrees(np.arctan2(fit.turn[1, 0], fit.turn[1, 1])))
    centre = np.concatenate([[lengths[used, 0].mean()], fit.at(np.asarray(map_centre))])
    mirrored = bool(np.linalg.det(fit.turn) < 0)
    return LandmarkPose(angle, mirrored, centre, fit.residuals(pixels, yx))


def _rms(residuals: FloatArray) -> float:
    return float(np.sqrt(np.mean(residuals**2)))


__all__ = ["LandmarkPose", "landmark_pose"]
