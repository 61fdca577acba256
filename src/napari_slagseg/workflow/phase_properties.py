"""Density and chemistry of classes that hold several phases, from what the maps show of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from napari_slagseg.data import BACKGROUND, MineralMap, Phase, PhaseTable


def members_of_classes(table: PhaseTable, classes: PhaseTable) -> dict[int, str]:
    """Name of the class of each phase of a map's table.

    A phase that was trained on its own is its own class; any other belongs to the
    class of its group, which may be the background.
    """
    grouped, group_of = table.grouped()
    names = set(classes.names)
    return {
        phase.id: phase.name if phase.name in names else grouped.by_id(group_of[phase.id]).name
        for phase in table
    }


def areas_in_classes(
    maps: Iterable[MineralMap], classes: PhaseTable
) -> dict[str, dict[Phase, float]]:
    """Area in square micrometres of the phases of each class, over all maps."""
    areas: dict[str, dict[str, float]] = {}
    phases: dict[str, Phase] = {}
    for mineral_map in maps:
        member = members_of_classes(mineral_map.table, classes)
        pixels = np.bincount(
            mineral_map.phases[mineral_map.phases > BACKGROUND].ravel(),
            minlength=max(mineral_map.table.ids) + 1,
        )
        for phase in mineral_map.table:
            if phase.id == BACKGROUND or not pixels[phase.id]:
                continue
            of_class = areas.setdefault(member[phase.id], {})
            phases.setdefault(phase.name, phase)
            area = float(pixels[phase.id]) * mineral_map.pixel_size_um**2
            of_class[phase.name] = of_class.get(phase.name, 0.0) + area
    return {name: {phases[p]: area for p, area in of.items()} for name, of in areas.items()}


def with_densities(classes: PhaseTable, maps: Sequence[MineralMap]) -> PhaseTable:
    """Classes with the densities of groups filled in.

    The density of a class of several phases is the mean of theirs, weighted by their areas
    in the maps (areas in sections are as volumes; Delesse 1847). It stays None where
    a phase that occurs has no density.
    """
    areas = areas_in_classes(maps, classes)
    filled = tuple(
        replace(phase, density_g_cm3=_mean_density(areas.get(phase.name, {})))
        if phase.id != BACKGROUND and phase.density_g_cm3 is None
        else phase
        for phase in classes
    )
    return PhaseTable(filled, classes.target)


def _mean_density(areas: Mapping[Phase, float]) -> float | None:
    whole = sum(areas.values())
    if not whole or any(phase.density_g_cm3 is None for phase in areas):
        return None
    return sum(area * (phase.density_g_cm3 or 0.0) for phase, area in areas.items()) / whole


__all__ = ["areas_in_classes", "members_of_classes", "with_densities"]
