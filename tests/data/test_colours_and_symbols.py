import csv
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

import napari_slagseg.data
from napari_slagseg.data import Phase, PhaseTable
from napari_slagseg.data.colours import (
    OKABE_ITO,
    PAUL_TOL,
    SAFE_COLOURS,
    in_palette,
    phase_colours,
    safe_colours,
)
from napari_slagseg.data.minerals import symbol_of

# Machado, Oliveira & Fernandes (2009), severity 1, for linear RGB
PROTANOPIA = np.array(
    [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]
)
DEUTERANOPIA = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)


def seen(colour, eye):
    rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(eye @ linear, 0, 1)
    back = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return rgb2lab(back[None, None])[0, 0]


def nearest_pair(colours):
    return min(
        deltaE_ciede2000(seen(a, eye), seen(b, eye))
        for eye in (np.eye(3), PROTANOPIA, DEUTERANOPIA)
        for a, b in combinations(colours, 2)
    )


def test_safe_colours_are_apart_for_colour_blind_readers_too():
    # a just noticeable difference is about 1; 10 is told apart at a glance
    assert nearest_pair(OKABE_ITO) > 11
    assert nearest_pair(SAFE_COLOURS[:12]) > 9
    assert nearest_pair(SAFE_COLOURS) > 4
    # a common vendor choice is not: pure red and dark green, for deuteranopes
    assert nearest_pair(["#aa5500", "#6d6d00"]) < nearest_pair(OKABE_ITO)


def test_first_come_okabe_and_ito_then_tol_then_lighter_and_darker():
    assert safe_colours(3) == OKABE_ITO[:3]
    assert safe_colours(9) == (*OKABE_ITO, *PAUL_TOL[:2])
    sixty = safe_colours(60)
    assert len(set(sixty)) == 60
    assert safe_colours(61)[60] == sixty[0]
    assert sixty[20] == "#eebf55"  # e69f00, a third of the way to white


def test_taken_colours_are_passed_over():
    assert safe_colours(2, taken=["#E69F00"]) == OKABE_ITO[1:3]


def table(target=None):
    return PhaseTable(
        (
            Phase(0, "background", "#ffffff"),
            Phase(7, "quartz", "#ff0000"),
            Phase(3, "spinel", "#00ff00"),
        ),
        target,
    )


def test_phases_take_safe_colours_by_id_and_vendor_colours_by_choice():
    assert phase_colours(table()) == {0: "#000000", 3: OKABE_ITO[0], 7: OKABE_ITO[1]}
    assert phase_colours(table(), "vendor") == {0: "#ffffff", 3: "#00ff00", 7: "#ff0000"}
    assert phase_colours(table("quartz")) == phase_colours(table("spinel"))
    recoloured = in_palette(table("quartz"))
    assert recoloured.target == "quartz"
    assert recoloured.by_name("quartz").colour == OKABE_ITO[1]


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("Quartz", "Qz"),
        ("chalcopyrite", "Ccp"),
        (" Ulvospinel ", "Usp"),
        ("ulvöspinel", "Usp"),
        ("K_Feldspar", ""),
        ("K-feldspar", "Kfs"),
        ("Alkali feldspar", "Kfs"),
        ("sphene", "Ttn"),
        ("LiAlO2", ""),
        ("Hematite_Magnetite", ""),
        ("", ""),
    ],
)
def test_symbols_are_those_of_warr(name, symbol):
    assert symbol_of(name) == symbol


def test_no_symbol_stands_for_two_minerals():
    path = Path(napari_slagseg.data.__file__).with_name("minerals.csv")
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    assert len(rows) > 100
    for column in ("name", "symbol"):
        values = [row[column] for row in rows]
        assert len(set(values)) == len(values)
    assert [row["name"] for row in rows] == sorted(row["name"] for row in rows)
