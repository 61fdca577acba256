"""Defects of maps and scans as further rows of the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from benchmarks.placement.grey import grey_map
from benchmarks.placement.samples import Sample
from numpy.typing import NDArray

from napari_slagseg.data import MineralMap, Volume
from napari_slagseg.phantom import LEVELS, PhantomMap, cut_along, defects
from napari_slagseg.phantom.presets import VOXEL_UM, DegradationLevel

FIELD_PIXELS = (230, 230)
"""Of stitched maps: 100 voxels, so that a cutout covers several."""

FIELD_OFFSET = 4.0
"""Standard deviation of the offsets along each axis, in pixels."""


@dataclass
class Task:
    """One map to place: what a user would give, and where it truly lies."""

    given: Any
    coordinates: NDArray[np.float32]
    mirrored: bool
    radius: float | None = None
    """Of the cylinder in voxels; beyond it there is nothing to be placed."""
    hints: dict[str, Any] = field(default_factory=dict)


@dataclass
class Case:
    """The CT and the tasks of one case."""

    ct: Volume
    tasks: list[Task]


def task(cut: PhantomMap, given: Any = None, **hints: Any) -> Task:
    """Placing a phantom's map."""
    if given is None:
        given = cut.mineral_map
    return Task(given, cut.coordinates, cut.mirrored, cut.surface.radius, hints)


Make = Callable[[Sample, np.random.Generator], Case]


def _each(change: Callable[[Sample, PhantomMap, np.random.Generator], PhantomMap]) -> Make:
    def make(sample: Sample, rng: np.random.Generator) -> Case:
        return Case(sample.ct, [task(change(sample, m, rng)) for m in sample.maps])

    return make


def _crack(step: float, direction: Any) -> Make:
    return _each(
        lambda s, m, rng: defects.cracked(s.packed.truth, m, LEVELS[s.level], step, direction, rng)
    )


def _fields(told: bool) -> Make:
    def make(sample: Sample, rng: np.random.Generator) -> Case:
        hints = {"field_size": FIELD_PIXELS} if told else {}
        level = LEVELS[sample.level]
        tasks = []
        for m in sample.maps:
            cut, _ = defects.stitched(
                sample.packed.truth, m, level, FIELD_PIXELS, FIELD_OFFSET, rng
            )
            tasks.append(task(cut, **hints))
        return Case(sample.ct, tasks)

    return make


def _part(share: float, where: Any) -> Make:
    return _each(lambda s, m, rng: defects.share_of(m, s.ct.shape, s.packed.radius, share, where))


def _shape(**changes: float) -> Make:
    def change(s: Sample, m: PhantomMap, rng: np.random.Generator) -> PhantomMap:
        # in the middle, so that a steep cut stays in the volume
        surface = defects.reshaped(m.surface, height=s.ct.shape[0] / 2, **changes)
        name = m.mineral_map.name
        return cut_along(s.packed.truth, surface, VOXEL_UM, LEVELS[s.level], name, rng)

    return _each(change)


def _worse(**changes: float) -> Make:
    def change(s: Sample, m: PhantomMap, rng: np.random.Generator) -> PhantomMap:
        level: DegradationLevel = replace(LEVELS[s.level], **changes)
        name = m.mineral_map.name
        return cut_along(s.packed.truth, m.surface, VOXEL_UM, level, name, rng)

    return _each(change)


def _cube(sample: Sample, rng: np.random.Generator) -> Case:
    cube = defects.cropped_cube(sample.ct, sample.maps, sample.packed.radius)
    return Case(cube.ct, [task(m) for m in cube.maps])


def _slices(sample: Sample, rng: np.random.Generator) -> Case:
    thick = defects.longer_voxels(sample.ct, sample.maps, (2, 1, 1))
    return Case(thick.ct, [task(m) for m in thick.maps])


def _rings(sample: Sample, rng: np.random.Generator) -> Case:
    ct = defects.more_rings_and_cupping(sample.ct, sample.packed.radius, 0.5, 0.08, rng)
    return Case(ct, [task(m) for m in sample.maps])


def _bse(sample: Sample, rng: np.random.Generator) -> Case:
    torn = LEVELS[sample.level].torn
    tasks = []
    for m in sample.maps:
        grey = defects.backscatter(m, rng, torn=torn)
        known: MineralMap = m.mineral_map
        tasks.append(task(m, grey_map(grey, known.pixel_size_um, known.name)))
    return Case(sample.ct, tasks)


CASES: dict[str, Make] = {
    "crack plane 4": _crack(4.0, "plane"),
    "crack plane 10": _crack(10.0, "plane"),
    "crack height 4": _crack(4.0, "height"),
    "crack height 10": _crack(10.0, "height"),
    "fields untold": _fields(told=False),
    "fields told": _fields(told=True),
    "half, side": _part(1 / 2, "side"),
    "half, middle": _part(1 / 2, "middle"),
    "third, side": _part(1 / 3, "side"),
    "third, middle": _part(1 / 3, "middle"),
    "cropped cube": _cube,
    "thick slices": _slices,
    "strong rings": _rings,
    "tilt 10": _shape(tilt_deg=10.0),
    "sag 12": _shape(sag_voxels=12.0),
    "pixel +5 %": _shape(pixel_error=0.05),
    "pixel -5 %": _shape(pixel_error=-0.05),
    "torn 40 %": _worse(torn=0.4),
    "mislabelled": _worse(mislabelled=0.25),
    "BSE image": _bse,
}
"""Each changes one thing of a phantom of the level that is asked for."""
