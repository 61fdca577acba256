"""A sample so small that every result can be worked out by hand."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from napari_slagseg.data import CONTACT_COLUMNS, ParticleTable, Phase, PhaseTable

PHASES = PhaseTable(
    (
        Phase(0, "background", "#000000"),
        Phase(1, "A", "#0072b2", density_g_cm3=2.0),
        Phase(2, "B", "#e69f00", density_g_cm3=4.0),
        Phase(3, "C", "#009e73", density_g_cm3=3.0),
    ),
    "A",
)

# label, volume, A, B, C, surface liberation, diameter, touches the border, border weight
ROWS = [
    (1, 100.0, 1.0, 0.0, 0.0, 1.0, 20.0, False, 1.0),
    (2, 100.0, 0.5, 0.5, 0.0, 0.25, 40.0, False, 1.5),
    (3, 200.0, 0.25, 0.25, 0.5, 0.0, 45.0, False, 2.0),
    (4, 50.0, 0.0, 1.0, 0.0, 0.0, 15.0, False, 1.0),
    (5, 400.0, 0.1, 0.9, 0.0, 0.05, 80.0, True, 0.0),
]

# label, phase, partner (0 outside), area; both sides of every contact
CONTACTS = [
    (1, 1, 0, 90.0),
    (2, 1, 0, 20.0), (2, 2, 0, 40.0), (2, 1, 2, 30.0), (2, 2, 1, 30.0),
    (3, 2, 0, 50.0), (3, 3, 0, 80.0), (3, 1, 2, 40.0), (3, 2, 1, 40.0),
    (3, 1, 3, 20.0), (3, 3, 1, 20.0),
    (4, 2, 0, 60.0),
    (5, 1, 0, 10.0), (5, 2, 0, 150.0), (5, 1, 2, 30.0), (5, 2, 1, 30.0),
]  # fmt: skip


def hand_table(rows: list[tuple[object, ...]] = ROWS) -> ParticleTable:
    """Particle table with the columns that statistics ask for."""
    names = ("label", "volume_um3", "fraction_A", "fraction_B", "fraction_C")
    names += ("surface_liberation", "equivalent_diameter_um", "touches_border", "border_weight")
    frame = pd.DataFrame(rows, columns=names)
    frame = frame.astype({name: float for name in names[1:] if name != "touches_border"})
    frame["touches_border"] = frame["touches_border"].astype(bool)
    frame["volume_liberation"] = frame["fraction_A"]
    frame["n_voxels"] = frame["volume_um3"].astype(int)
    frame["surface_fraction_A"] = frame["surface_liberation"]
    frame["surface_fraction_B"] = 1 - frame["surface_liberation"]
    frame["surface_fraction_C"] = 0.0
    contacts = pd.DataFrame(CONTACTS, columns=CONTACT_COLUMNS)
    contacts = contacts[contacts["label"].isin(frame["label"])].reset_index(drop=True)
    outside = contacts[contacts["partner_id"] == 0].groupby("label")["area_um2"].sum()
    frame["surface_area_um2"] = frame["label"].map(outside).astype(float)
    return ParticleTable(frame, {}, (1.0, 1.0, 1.0), PHASES, contacts=contacts)


def random_table(n: int, seed: int = 0, phases: PhaseTable = PHASES) -> ParticleTable:
    """Particles of lognormal sizes, some pure, some mixed; surface near the volume."""
    rng = np.random.default_rng(seed)
    diameter = np.exp(rng.normal(np.log(60), 0.4, n))
    volume = np.pi / 6 * diameter**3
    pure = rng.random(n) < 0.4
    fractions = rng.dirichlet([0.8, 0.8, 0.4], n)
    fractions[pure] = np.eye(3)[rng.integers(0, 3, pure.sum())]
    surface = np.clip(fractions[:, 0] + rng.normal(0, 0.05, n) * ~pure, 0, 1)
    touches = rng.random(n) < 0.1
    frame = pd.DataFrame(
        {
            "label": np.arange(1, n + 1),
            "touches_border": touches,
            "volume_um3": volume,
            "equivalent_diameter_um": diameter,
            "volume_liberation": fractions[:, 0],
            "surface_liberation": surface,
            "border_weight": np.where(touches, 0.0, 1 + diameter / 500),
            "fraction_A": fractions[:, 0],
            "fraction_B": fractions[:, 1],
            "fraction_C": fractions[:, 2],
        }
    )
    area = np.pi * diameter**2
    rows = [
        pd.DataFrame(
            {
                "label": frame["label"],
                "phase_id": i + 1,
                "partner_id": j,
                "area_um2": area * fractions[:, i] * (1 if j == 0 else fractions[:, j - 1]),
            }
        )
        for i in range(3)
        for j in range(4)
        if j != i + 1
    ]
    contacts = pd.concat(rows, ignore_index=True)
    contacts = contacts[contacts["area_um2"] > 0].reset_index(drop=True)
    return ParticleTable(frame, {}, (1.0, 1.0, 1.0), phases, contacts=contacts)


@pytest.fixture
def by_hand() -> Callable[..., ParticleTable]:
    return hand_table


@pytest.fixture
def by_chance() -> Callable[..., ParticleTable]:
    return random_table
