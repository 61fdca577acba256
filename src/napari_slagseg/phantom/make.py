"""Making a phantom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.data import (
    CancelToken,
    PhaseTable,
    Progress,
    ProgressEvent,
    SlagsegError,
    Volume,
    no_progress,
    stop_if_cancelled,
)
from napari_slagseg.phantom.ct import scan
from napari_slagseg.phantom.cuts import PhantomMap, cut
from napari_slagseg.phantom.particles import pack
from napari_slagseg.phantom.presets import (
    AIR_GREY,
    GREYS,
    LEVELS,
    PHASES,
    PRESETS,
    VOXEL_UM,
    Degradation,
    Preset,
)
from napari_slagseg.phantom.truth import ContinuousTruth, rasterise


@dataclass(frozen=True)
class Phantom:
    """A correlative sample with exact truth.

    Attributes
    ----------
    ct : Volume
        uint16.
    phases : (z, y, x) uint8
        True phase at every voxel's centre; pores are background.
    particles : (z, y, x) uint32
        True particle at every voxel's centre, labels 1 to n.
    maps : tuple of PhantomMap
    table : PhaseTable
        With the target set and the groups of K.
    exact : DataFrame
        One row a particle with voxels: ``label``, ``volume_um3`` and one
        ``volume_um3_<phase>`` a phase, from sub-voxel points inside the volume.
    config : dict
        Preset, degradation and seed.
    truth : ContinuousTruth
        That all of it was sampled from; further cuts can be taken of it.
    radius : float
        Of the cylinder, in voxels.
    """

    ct: Volume
    phases: NDArray[np.uint8]
    particles: NDArray[np.uint32]
    maps: tuple[PhantomMap, ...]
    table: PhaseTable
    exact: pd.DataFrame
    config: dict[str, Any]
    truth: ContinuousTruth
    radius: float


@dataclass(frozen=True)
class PackedSample:
    """Packed particles, not yet drawn; maps can be cut from it already.

    Attributes
    ----------
    preset, seed
    truth : ContinuousTruth
    radius : float
        Of the cylinder, in voxels.
    """

    preset: str
    seed: int
    truth: ContinuousTruth
    radius: float


@dataclass(frozen=True)
class DrawnSample:
    """A sample before any scan; every level of degradation starts from the same.

    Attributes
    ----------
    packed : PackedSample
    particles, phases, grey, counts
        As `rasterise` gives them.
    """

    packed: PackedSample
    particles: NDArray[np.uint32]
    phases: NDArray[np.uint8]
    grey: NDArray[np.float32]
    counts: NDArray[np.int64]


def make_phantom(
    preset: Preset = "tiny",
    degradation: Degradation = "easy",
    seed: int = 0,
    *,
    n_maps: int | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Phantom:
    """Make a phantom; the same arguments give the same arrays on any number of threads.

    Parameters
    ----------
    preset : {"tiny", "sample", "512", "slab", "coarse", "full"}
    degradation : {"easy", "medium", "hard", "extreme"}
    seed : int
        Seeds differ in packing, structure, noise and cuts.
    n_maps : int or None
        None takes the preset's.

    Raises
    ------
    SlagsegError
        If preset or degradation is not known, or a number is negative.
    """
    _check(preset, degradation, seed, n_maps)
    drawn = draw_sample(preset, seed, progress=progress, cancel=cancel)
    return degrade_sample(drawn, degradation, n_maps=n_maps, progress=progress, cancel=cancel)


def _check(preset: str, degradation: str, seed: int, n_maps: int | None) -> None:
    if preset not in PRESETS:
        raise SlagsegError(f"There is no preset '{preset}'. Choose: {', '.join(PRESETS)}.")
    if degradation not in LEVELS:
        raise SlagsegError(f"There is no degradation '{degradation}'. Choose: {', '.join(LEVELS)}.")
    for name, number in (("seed", seed), ("number of maps", n_maps or 0)):
        if number < 0:
            raise SlagsegError(f"The {name} is {number}; it must be 0 or a whole number above.")


def _streams(preset: str, seed: int) -> list[np.random.SeedSequence]:
    """One stream each for packing, scan and maps: another noise leaves the packing as it is."""
    return np.random.SeedSequence([seed, list(PRESETS).index(preset)]).spawn(3)


def pack_sample(preset: Preset, seed: int) -> PackedSample:
    """Pack the particles of a phantom.

    Raises
    ------
    SlagsegError
        If the preset is not known or the seed negative.
    """
    _check(preset, "easy", seed, None)
    size = PRESETS[preset]
    radius = 0.47 * min(size.shape[1:])
    packing = pack(size, VOXEL_UM, radius, np.random.default_rng(_streams(preset, seed)[0]))
    return PackedSample(preset, seed, ContinuousTruth.of(packing, size.shape), radius)


def draw_sample(
    preset: Preset,
    seed: int,
    *,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> DrawnSample:
    """Pack the particles and draw them on the voxel grid.

    Raises
    ------
    SlagsegError
        If the preset is not known or the seed negative.
    """
    progress(ProgressEvent("packing particles", 0.0))
    packed = pack_sample(preset, seed)
    stop_if_cancelled(cancel)

    def on_slab(share: float) -> None:
        stop_if_cancelled(cancel)
        progress(ProgressEvent("drawing particles", 0.1 + 0.6 * share))

    subsamples = PRESETS[preset].subsamples
    drawn = rasterise(packed.truth, subsamples, GREYS, AIR_GREY, packed.radius, on_slab)
    return DrawnSample(packed, *drawn)


def cut_maps(
    packed: PackedSample,
    degradation: Degradation,
    *,
    n_maps: int | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> tuple[PhantomMap, ...]:
    """Cut the maps of a packed sample at one level of degradation; see `make_phantom`."""
    _check(packed.preset, degradation, packed.seed, n_maps)
    size, level = PRESETS[packed.preset], LEVELS[degradation]
    count = size.n_maps if n_maps is None else n_maps
    maps = []
    # what tilt and curvature take up must stay inside the volume
    depth, radius = size.shape[0], packed.radius
    reach = radius * np.sin(np.deg2rad(level.tilt_deg)) + level.sag * 2 * radius
    low, high = min(reach + 2, depth * 0.4), max(depth - 3 - reach, depth * 0.6)
    for i, stream in enumerate(_streams(packed.preset, packed.seed)[2].spawn(count)):
        rng = np.random.default_rng(stream)
        progress(ProgressEvent(f"cutting map {i + 1}", 0.8 + 0.2 * i / max(count, 1)))
        centre = low + (high - low) * (i + rng.uniform(0.35, 0.65)) / count
        maps.append(cut(packed.truth, VOXEL_UM, radius, level, centre, f"map_{i + 1}", rng))
        stop_if_cancelled(cancel)
    return tuple(maps)


def degrade_sample(
    drawn: DrawnSample,
    degradation: Degradation,
    *,
    n_maps: int | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Phantom:
    """Scan a drawn sample and cut maps from it, at one level of degradation.

    Parameters
    ----------
    drawn : DrawnSample
        Left as it is.
    degradation, n_maps, progress, cancel
        See `make_phantom`.

    Raises
    ------
    SlagsegError
        If the degradation is not known or a number is negative.
    """
    packed = drawn.packed
    preset, seed = packed.preset, packed.seed
    _check(preset, degradation, seed, n_maps)
    progress(ProgressEvent("scanning", 0.75))
    stream = _streams(preset, seed)[1]
    ct = scan(drawn.grey, LEVELS[degradation], packed.radius, np.random.default_rng(stream))
    stop_if_cancelled(cancel)
    return Phantom(
        ct=Volume(ct, (VOXEL_UM,) * 3, f"phantom {preset} {degradation}"),
        phases=drawn.phases,
        particles=drawn.particles,
        maps=cut_maps(packed, degradation, n_maps=n_maps, progress=progress, cancel=cancel),
        table=PHASES,
        exact=_exact(drawn.counts, PRESETS[preset].subsamples),
        config={"preset": preset, "degradation": degradation, "seed": seed},
        truth=packed.truth,
        radius=packed.radius,
    )


def _exact(counts: NDArray[np.int64], subsamples: int) -> pd.DataFrame:
    unit = (VOXEL_UM / subsamples) ** 3
    present = np.flatnonzero(counts.sum(axis=1))
    frame = pd.DataFrame({"label": present + 1, "volume_um3": counts[present].sum(axis=1) * unit})
    for phase in PHASES:
        if phase.id:
            frame[f"volume_um3_{phase.name}"] = counts[present, phase.id] * unit
    return frame


__all__ = [
    "DrawnSample",
    "PackedSample",
    "Phantom",
    "cut_maps",
    "degrade_sample",
    "draw_sample",
    "make_phantom",
    "pack_sample",
]
