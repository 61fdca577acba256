"""Densities of groups, from the areas of their phases in the maps."""

import numpy as np
import pytest

from napari_slagseg.data import MineralMap, Phase, PhaseTable
from napari_slagseg.workflow.phase_properties import (
    areas_in_classes,
    element_shares,
    with_densities,
)

PHASES = (
    Phase(0, "background", "#000000"),
    Phase(1, "ore", "#d55e00", density_g_cm3=4.0),
    Phase(2, "film", "#111111", group="background", density_g_cm3=9.0),
    Phase(3, "mica", "#222222", group="rest", density_g_cm3=3.0),
    Phase(4, "quartz", "#333333", group="rest", density_g_cm3=2.0),
)
TABLE = PhaseTable(PHASES, "ore")
CLASSES = TABLE.grouped()[0]


def cut(pixels, pixel_size_um=1.0, table=TABLE):
    return MineralMap(np.array([pixels], dtype=np.int16), pixel_size_um, table, "cut")


def test_a_group_s_density_is_that_of_its_areas():
    # 2 + 4 um^2 of mica, 1 + 8 um^2 of quartz: pixels of the second map are 2 um wide
    maps = [cut([-1, 0, 1, 2, 3, 3, 4]), cut([3, 4, 4], 2.0)]
    areas = {p.name: a for p, a in areas_in_classes(maps, CLASSES)["rest"].items()}
    assert areas == {"mica": 6.0, "quartz": 9.0}
    filled = with_densities(CLASSES, maps)
    assert filled.by_name("rest").density_g_cm3 == pytest.approx((6 * 3 + 9 * 2) / 15)
    assert filled.by_name("ore").density_g_cm3 == 4.0
    assert filled.target == "ore"


def test_a_density_that_is_not_known_stays_so():
    bare = PhaseTable((*PHASES[:4], Phase(4, "quartz", "#333333", group="rest")), "ore")
    assert with_densities(CLASSES, [cut([3, 4], table=bare)]).by_name("rest").density_g_cm3 is None
    # quartz does not occur
    filled = with_densities(CLASSES, [cut([3, 1], table=bare)])
    assert filled.by_name("rest").density_g_cm3 == 3.0
    assert with_densities(CLASSES, []).by_name("rest").density_g_cm3 is None


def test_a_group_s_elements_are_those_of_its_masses():
    table = PhaseTable(
        (
            Phase(0, "background", "#000000"),
            Phase(1, "ore", "#d55e00", formula="FeO"),
            Phase(2, "iron", "#111111", group="rest", density_g_cm3=8.0, formula="Fe"),
            Phase(3, "carbon", "#222222", group="rest", density_g_cm3=2.0, formula="C"),
        ),
        "ore",
    )
    classes = table.grouped()[0]
    shares = element_shares(classes, [cut([2, 3, 3, 3, 3, 1], table=table)])
    # 1 um^2 of 8 and 4 um^2 of 2 g/cm3: as much of one as of the other
    assert shares["rest"] == pytest.approx({"Fe": 0.5, "C": 0.5})
    assert shares["ore"]["Fe"] == pytest.approx(55.845 / (55.845 + 15.999), abs=1e-4)
    without = PhaseTable((*table.phases[:3], Phase(3, "carbon", "#222222", group="rest")), "ore")
    assert set(element_shares(classes, [cut([2, 3], table=without)])) == {"ore"}
