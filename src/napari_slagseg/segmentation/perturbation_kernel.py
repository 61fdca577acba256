"""The loop that moves boundaries by one voxel."""

from __future__ import annotations

import numpy as np
from numba import njit

_FACES = ((-1, 0, 0), (0, -1, 0), (0, 0, -1), (0, 0, 1), (0, 1, 0), (1, 0, 0))

_GROWN, _SHRUNK, _TARGET_GROWN, _TARGET_SHRUNK, _RANDOM = range(5)


@njit(cache=True, nogil=True)
def _stirred(value):  # type: ignore[no-untyped-def]
    """One step of splitmix64."""
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@njit(cache=True, nogil=True)
def _drawn(z, y, x, seed):  # type: ignore[no-untyped-def]
    """Number of 64 bits of a voxel: the same whatever box it is read in."""
    value = _stirred(seed ^ np.uint64(z))
    value = _stirred(value ^ np.uint64(y))
    return _stirred(value ^ np.uint64(x))


@njit(cache=True, nogil=True)
def _is_target(phase, target_ids):  # type: ignore[no-untyped-def]
    found = False
    for i in range(len(target_ids)):
        found = found or phase == target_ids[i]
    return found


@njit(cache=True, nogil=True)
def moved(  # type: ignore[no-untyped-def]
    labels, phases, inner, low, change, target_ids, seed, chance, out_labels, out_phases
):
    """Fill the outputs with the inner box after a change.

    Parameters
    ----------
    labels, phases : (z, y, x) integer
        The box with one voxel around it, as far as the volume reaches.
    inner : (3, 2) int64
        First and last voxel (outside) of the box in these.
    low : (3,) int64
        Where they begin in the volume.
    change : int
        Place in `perturbation.CHANGES`.
    """
    depth, height, width = labels.shape
    near_label = np.zeros(6, dtype=labels.dtype)
    near_phase = np.zeros(6, dtype=phases.dtype)
    no_label, no_phase = near_label[0], near_phase[0]
    for z in range(inner[0, 0], inner[0, 1]):
        for y in range(inner[1, 0], inner[1, 1]):
            for x in range(inner[2, 0], inner[2, 1]):
                label, phase = labels[z, y, x], phases[z, y, x]
                n = 0
                for dz, dy, dx in _FACES:
                    a, b, c = z + dz, y + dy, x + dx
                    if 0 <= a < depth and 0 <= b < height and 0 <= c < width:
                        near_label[n] = labels[a, b, c]
                        near_phase[n] = phases[a, b, c]
                        n += 1
                if change == _GROWN:
                    if label <= 0:
                        most = 0
                        for i in range(n):
                            if near_label[i] <= 0:
                                continue
                            shared = 0
                            for j in range(n):
                                shared += near_label[j] == near_label[i]
                            if shared > most or (shared == most and near_label[i] < label):
                                most, label, phase = shared, near_label[i], near_phase[i]
                elif change == _SHRUNK:
                    if label > 0:
                        for i in range(n):
                            if near_label[i] != label:
                                label, phase = no_label, no_phase
                                break
                elif change == _RANDOM:
                    differing = 0
                    for i in range(n):
                        same = near_label[i] == label or (near_label[i] <= 0 and label <= 0)
                        if not same or (label > 0 and near_phase[i] != phase):
                            near_label[differing] = near_label[i]
                            near_phase[differing] = near_phase[i]
                            differing += 1
                    if differing > 0:
                        drawn = _drawn(z + low[0], y + low[1], x + low[2], seed)
                        if (drawn >> np.uint64(11)) * (1.0 / (1 << 53)) < chance:
                            i = _stirred(drawn) % np.uint64(differing)
                            label, phase = near_label[i], near_phase[i]
                elif label > 0:
                    inside = _is_target(phase, target_ids)
                    if inside == (change == _TARGET_SHRUNK):
                        for i in range(n):
                            if (
                                near_label[i] == label
                                and _is_target(near_phase[i], target_ids) != inside
                            ):
                                phase = near_phase[i]
                                break
                at = z - inner[0, 0], y - inner[1, 0], x - inner[2, 0]
                out_labels[at] = label
                out_phases[at] = phase


__all__ = ["moved"]
