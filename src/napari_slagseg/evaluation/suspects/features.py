"""The numbers by which particles and pairs of neighbours are suspected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.data import BlockRun, SlagsegError, VolumeLike, VoxelSize
from napari_slagseg.evaluation.suspects.boxes import LARGEST_BOX, MeasureBoxes, measured_boxes
from napari_slagseg.evaluation.suspects.interfaces import summed_interfaces
from napari_slagseg.segmentation.label_blocks import check_labels

LEAST_CONTACT = 0.04
"""Share of its surface by which the smaller of two particles must touch the other to be a pair."""

FEWEST = 8
"""Particles from which on one can stand out among them; with fewer, z-scores are 0."""


@dataclass(frozen=True)
class SuspectFeatures:
    """What is known of all particles and pairs before they are ranked.

    Attributes
    ----------
    particles : DataFrame
        One row a particle, by ``label``; columns of `interfaces.summed_interfaces`, of
        `boxes.PARTICLE_FEATURES` and z-scores ``size_z``, ``elongation_z``, ``solidity_z``,
        ``unsure_z``, ``denied_z``.
    pairs : DataFrame
        One row a pair, the smaller particle as ``label`` and the other as ``partner``:
        ``contact`` (share of the smaller one's surface), ``chance`` (across the interface,
        relative to the mean inside both), ``open`` (widest ball at the interface over the
        smaller widest ball in either), ``gain`` (solidity together less apart), ``share`` (of
        the smaller in the volume of both), ``size_z`` (of the smaller), place.
    """

    particles: pd.DataFrame
    pairs: pd.DataFrame


def robust_z(values: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    """Distance from the median in robust standard deviations (1.4826 MAD), within -4 and 4.

    Parameters
    ----------
    values : (n,) float64
    least : float
        Smallest standard deviation that is believed; among equal particles, a tiny
        difference is none.

    Returns
    -------
    (n,) float64
        0 for fewer than `FEWEST` values.
    """
    if len(values) < FEWEST:
        return np.zeros(len(values))
    middle = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - middle))
    return np.clip((values - middle) / max(float(spread), least), -4, 4)


def features_of_blocks(
    particles: VolumeLike,
    probability: VolumeLike,
    run: BlockRun,
    *,
    phases: VolumeLike | None = None,
    voxel_size_um: VoxelSize = (1.0, 1.0, 1.0),
    largest_box: int = LARGEST_BOX,
    part: tuple[float, float] = (0.0, 1.0),
) -> SuspectFeatures:
    """Measure all that suspects are ranked by; arguments as of `suspects_of_blocks`."""
    check_labels(particles)
    others = [("particle probability", probability)]
    others += [("phases", phases)] if phases is not None else []
    for what, volume in others:
        if tuple(volume.shape) != tuple(particles.shape):
            raise SlagsegError(
                f"The {what} have the shape {tuple(volume.shape)} and the particles "
                f"{tuple(particles.shape)}; all must come from the same volume."
            )
    if probability.dtype != np.uint8:
        raise SlagsegError(
            f"The particle probability is of type {probability.dtype}; "
            "suspects need the network's uint8, 0 to 255."
        )
    first = part[0] + 0.3 * (part[1] - part[0])
    second = part[0] + 0.7 * (part[1] - part[0])
    frame, pairs = summed_interfaces(
        particles, probability, phases, voxel_size_um, run, (part[0], first)
    )
    low = frame[["z0", "y0", "x0"]].to_numpy()
    high = frame[["z1", "y1", "x1"]].to_numpy()
    names = frame.index.to_numpy()
    task = MeasureBoxes(particles, probability, voxel_size_um, largest_box)
    none = np.ones(len(names))
    boxes = measured_boxes(task, names[:, None], low, high, none, run, (first, second))
    frame = pd.concat([frame, boxes.set_index(frame.index)], axis=1)
    for name, values, least in (
        ("size_z", np.log(frame["voxels"]), 0.2),
        ("elongation_z", np.log(frame["elongation"]), 0.1),
        ("solidity_z", frame["solidity"], 0.02),
        ("unsure_z", frame["unsure"], 0.02),
        ("denied_z", frame["denied"], 0.02),
    ):
        frame[name] = robust_z(values.to_numpy(), least)

    at = np.searchsorted(names, pairs[["a", "b"]].to_numpy())
    voxels = frame["voxels"].to_numpy()[at].reshape(-1, 2)
    swap = voxels[:, 1] < voxels[:, 0]
    at[swap], voxels[swap] = at[swap, ::-1], voxels[swap, ::-1]
    contact = pairs["area"].to_numpy() / frame["surface"].to_numpy()[at[:, 0]]
    taken = contact >= LEAST_CONTACT
    at, voxels, pairs = at[taken], voxels[taken], pairs[taken]
    share = voxels[:, 0] / voxels.sum(axis=1)
    apart = frame["solidity"].to_numpy()[at]
    inside = frame["chance"].to_numpy()[at]
    solidity = share * apart[:, 0] + (1 - share) * apart[:, 1]
    chance = share * inside[:, 0] + (1 - share) * inside[:, 1]
    both_low = np.minimum(low[at[:, 0]], low[at[:, 1]])
    both_high = np.maximum(high[at[:, 0]], high[at[:, 1]])
    found = measured_boxes(task, names[at], both_low, both_high, solidity, run, (second, part[1]))
    found.insert(0, "label", names[at[:, 0]])
    found.insert(1, "partner", names[at[:, 1]])
    found["contact"] = contact[taken]
    found["chance"] = pairs["chance"].to_numpy() / np.maximum(chance, 1e-6)
    found["share"] = share
    found["size_z"] = frame["size_z"].to_numpy()[at[:, 0]]
    return SuspectFeatures(frame, found)


__all__ = ["FEWEST", "LEAST_CONTACT", "SuspectFeatures", "features_of_blocks", "robust_z"]
