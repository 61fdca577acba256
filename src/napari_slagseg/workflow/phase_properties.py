"""Density and chemistry of classes that hold several phases, from what the maps show of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from napari_slagseg.data import (
    BACKGROUND,
    MineralMap,
    Phase,
    PhaseTable,
    element_mass_fractions,
    element_table,
)

ELEMENTS = "elements.json"
"""Name of the file beside the tables that holds `element_shares`."""


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


def element_shares(classes: PhaseTable, maps: Sequence[MineralMap]) -> dict[str, dict[str, float]]:
    """Mass share of every element in each class whose composition is known.

    A class with a formula takes it from there; a class of several phases is their mixture by
    area in the maps times density. Classes of which a phase has no formula or no density are
    left out.

    Raises
    ------
    SlagsegError
        Naming the phase whose formula cannot be read.
    """
    found = {name: dict(shares) for name, shares in element_table(classes).fractions.items()}
    for name, areas in areas_in_classes(maps, classes).items():
        if name in found or name not in classes.names or name == classes.names[0]:
            continue
        mixture = _mixture(areas)
        if mixture:
            found[name] = mixture
    return found


def _mixture(areas: Mapping[Phase, float]) -> dict[str, float]:
    """Mass shares of elements in a mixture of phases; empty where they are not known."""
    if any(phase.density_g_cm3 is None or not phase.formula.strip() for phase in areas):
        return {}
    masses = {phase: area * (phase.density_g_cm3 or 0.0) for phase, area in areas.items()}
    whole = sum(masses.values())
    mixture: dict[str, float] = {}
    for phase, mass in masses.items():
        for element, share in element_mass_fractions(phase.formula).items():
            mixture[element] = mixture.get(element, 0.0) + share * mass / whole
    return mixture


__all__ = ["ELEMENTS", "areas_in_classes", "element_shares", "members_of_classes", "with_densities"]
