"""Placements whose geometry is known in closed form."""

import numpy as np
import pytest

from napari_slagseg.data import (
    Cutout,
    MineralMap,
    Phase,
    PhaseTable,
    PlacedMap,
    PlacementSurface,
)

PITCH = 1 / 2.3  # voxels a map pixel, as in K


class Cut:
    """A section given by a formula for map pixel -> CT voxel, and its placement."""

    def __init__(self, formula, map_shape, ct_shape, name="cut", grid=60, scores=None):
        self.formula, self.map_shape, self.ct_shape = formula, map_shape, ct_shape
        rows, columns = (np.linspace(0, n - 1, max(8, n // 12)) for n in map_shape)
        surface = PlacementSurface(
            rows, columns, formula(*np.meshgrid(rows, columns, indexing="ij"))
        )
        cutouts = []
        for r in range(0, map_shape[0] - grid + 1, grid // 2):
            for c in range(0, map_shape[1] - grid + 1, grid // 2):
                cutouts.append(self.cutout(r, c, grid))
        if scores is not None:
            cutouts = [Cutout(**{**vars(c), "score": float(s)}) for c, s in zip(cutouts, scores)]
        self.placed = PlacedMap(
            map_name=name,
            map_shape=map_shape,
            pixel_size_um=1.0,
            ct_shape=ct_shape,
            voxel_size_um=(2.3, 2.3, 2.3),
            placed=True,
            score=0.9,
            surface=surface,
            cutouts=tuple(cutouts),
        )

    def at(self, row, column):
        return self.formula(np.float64(row), np.float64(column))

    def cutout(self, row, column, size, score=0.9):
        middle = (size - 1) / 2
        r, c = row + middle, column + middle
        centre = self.at(r, c)
        down = (self.at(row + size - 1, c) - self.at(row, c)) / (size - 1)
        right = (self.at(r, column + size - 1) - self.at(r, column)) / (size - 1)
        return Cutout(row, column, size, size, tuple(centre), tuple(down), tuple(right), score)

    def mineral_map(self, phases, table):
        return MineralMap(phases, 1.0, table, name=self.placed.map_name)


def plane(origin, down, right):
    origin, down, right = (np.asarray(v, dtype=float) for v in (origin, down, right))
    return lambda r, c: origin + r[..., None] * down + c[..., None] * right


def curved(centre, tilt, bend, order=(0, 1, 2), angle=0.3):
    """Tilted, bent, rotated section; `order` puts its normal along another axis."""

    def formula(r, c):
        u = PITCH * (np.cos(angle) * r - np.sin(angle) * c)
        v = PITCH * (np.sin(angle) * r + np.cos(angle) * c)
        h = tilt[0] * u + tilt[1] * v + bend * ((u - 20) ** 2 - (v - 30) ** 2)
        zyx = np.stack([h, u, v], axis=-1) + np.asarray(centre)
        return zyx[..., list(order)]

    return formula


@pytest.fixture
def cuts():
    """The tools to make placements with."""
    return Cut, plane, curved


@pytest.fixture
def table():
    phases = (
        Phase(0, "background", "#000000"),
        Phase(1, "target", "#ff0000", group="lithium"),
        Phase(2, "eucryptite", "#00ff00"),
        Phase(3, "gehlenite", "#0000ff", group="rest"),
        Phase(5, "spinel", "#00ffff", group="rest"),
        Phase(6, "resin filler", "#ffff00", group="background"),
    )
    return PhaseTable(phases, "target")


@pytest.fixture
def flat_cut():
    """Arguments of `build_ground_truth`: a flat map, half of it solid, uncertain by 1.2 voxels."""
    shape = (8, 40, 40)
    axis = np.linspace(0, 79, 8)
    r, c = np.meshgrid(axis, axis, indexing="ij")
    # two map pixels a voxel, centres by the half-pixel rule
    zyx = np.stack([np.full_like(r, 4.0), (r + 0.5) / 2 - 0.5, (c + 0.5) / 2 - 0.5], axis=-1)
    surface = PlacementSurface(axis, axis, zyx, np.full((8, 8), 1.2))
    whole = Cutout(0, 0, 80, 80, (4.0, 19.5, 19.5), (0, 0.5, 0), (0, 0, 0.5), 0.9)
    placed = PlacedMap(
        "m", (80, 80), 1.0, shape, (2.0,) * 3, True, 0.9, surface=surface, cutouts=(whole,)
    )
    phases = np.zeros((80, 80), np.int16)
    phases[:, 40:] = 1
    table = PhaseTable((Phase(0, "background", "#000000"), Phase(1, "a", "#ff0000")), "a")
    return shape, (2.0,) * 3, [MineralMap(phases, 1.0, table, "m")], [placed], table
