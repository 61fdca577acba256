"""The numbers by which particles and pairs of neighbours are suspected."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.data import BlockRun, SlagsegError, VolumeLike, VoxelSize
from napari_slagseg.evaluation.suspects.boxes import (
    LARGEST_BOX,
    LARGEST_PAIR_BOX,
    MeasureBoxes,
    measured_boxes,
)
from napari_slagseg.evaluation.suspects.interfaces import summed_interfaces
from napari_slagseg.evaluation.suspects.missed import missed_pieces
from napari_slagseg.evaluation.suspects.population import Population
from napari_slagseg.segmentation.label_blocks import check_labels

LEAST_CONTACT = 0.04
"""Share of its surface by which the smaller of two particles must touch the other to be a pair."""


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
    population : Population
        Against which the z-scores are.
    missed : DataFrame or None
        Pieces of phases without a particle, see `missed.missed_pieces`; None if they were not
        looked for.
    """

    particles: pd.DataFrame
    pairs: pd.DataFrame
    population: Population
    missed: pd.DataFrame | None = None


def features_of_blocks(
    particles: VolumeLike,
    probability: VolumeLike,
    run: BlockRun,
    *,
    phases: VolumeLike | None = None,
    voxel_size_um: VoxelSize = (1.0, 1.0, 1.0),
    largest_box: int = LARGEST_BOX,
    missed: bool = True,
    smallest_missed: int | None = None,
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
    with_missed = missed and phases is not None
    ends = [part[0] + share * (part[1] - part[0]) for share in (0.25, 0.6, 0.85, 1.0)]
    if not with_missed:
        ends[2] = ends[3]
    frame, pairs = summed_interfaces(
        particles, probability, phases, voxel_size_um, run, (part[0], ends[0])
    )
    task = MeasureBoxes(particles, probability, voxel_size_um, largest_box)
    none = np.ones(len(frame))
    boxes = measured_boxes(
        task, frame.index.to_numpy()[:, None], *_boxes(frame), none, run, (ends[0], ends[1])
    )
    frame = pd.concat([frame, boxes.set_index(frame.index)], axis=1)
    population = Population.of(frame)
    frame = population.with_z(frame)
    pairs = chosen_pairs(frame, pairs)
    low, high = (
        f(np.stack([a, b]), axis=0)
        for f, a, b in zip(
            (np.min, np.max),
            _boxes(frame.loc[pairs["label"]]),
            _boxes(frame.loc[pairs["partner"]]),
        )
    )
    task = replace(task, largest=min(largest_box, LARGEST_PAIR_BOX))
    found = measured_boxes(
        task, pairs[["label", "partner"]].to_numpy(), low, high,
        pairs.pop("solidity").to_numpy(), run, (ends[1], ends[2]),
    )  # fmt: skip
    lost = None
    if with_missed and phases is not None:
        least = smallest_missed or max(population.smallest // 2, 1)
        lost = missed_pieces(
            particles, probability, phases, voxel_size_um, least, run, (ends[2], ends[3])
        )
    return SuspectFeatures(frame, pd.concat([pairs, found], axis=1), population, lost)


def _boxes(frame: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return frame[["z0", "y0", "x0"]].to_numpy(), frame[["z1", "y1", "x1"]].to_numpy()


def chosen_pairs(frame: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Pairs that touch over `LEAST_CONTACT`, and what is known without their boxes.

    Parameters
    ----------
    frame : DataFrame
        Particles by label: ``voxels``, ``surface``, ``solidity``, ``chance``, ``size_z``.
    pairs : DataFrame
        ``a``, ``b``, ``area``, ``chance``, as of `interfaces.summed_interfaces`.

    Returns
    -------
    DataFrame
        ``label``, ``partner``, ``contact``, ``chance``, ``share``, ``size_z`` as of
        `SuspectFeatures`, and ``solidity``: that of the two apart, weighted by volume.
    """
    names = frame.index.to_numpy()
    at = np.searchsorted(names, pairs[["a", "b"]].to_numpy())
    voxels = frame["voxels"].to_numpy()[at].reshape(-1, 2)
    swap = voxels[:, 1] < voxels[:, 0]
    at[swap], voxels[swap] = at[swap, ::-1], voxels[swap, ::-1]
    contact = pairs["area"].to_numpy() / frame["surface"].to_numpy()[at[:, 0]]
    taken = contact >= LEAST_CONTACT
    at, voxels, pairs = at[taken], voxels[taken], pairs[taken]
    share = voxels[:, 0] / voxels.sum(axis=1)

    def together(column: str) -> NDArray[np.float64]:
        values = frame[column].to_numpy()[at]
        return np.asarray(share * values[:, 0] + (1 - share) * values[:, 1])

    return pd.DataFrame(
        {
            "label": names[at[:, 0]],
            "partner": names[at[:, 1]],
            "contact": contact[taken],
            "chance": pairs["chance"].to_numpy() / np.maximum(together("chance"), 1e-6),
            "share": share,
            "size_z": frame["size_z"].to_numpy()[at[:, 0]],
            "solidity": together("solidity"),
        }
    )


__all__ = ["LEAST_CONTACT", "SuspectFeatures", "chosen_pairs", "features_of_blocks"]
