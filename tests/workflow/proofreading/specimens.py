"""A small segmented project to correct by hand."""

import json

import numpy as np

from napari_slagseg import io
from napari_slagseg.data import MineralMap, Phase, PhaseTable
from napari_slagseg.project import Project
from napari_slagseg.workflow.segment import table_to_json

SHAPE = (24, 32, 40)
TABLE = PhaseTable(
    (
        Phase(0, "background", "#000000"),
        Phase(1, "ore", "#d55e00", formula="LiAlO2", density_g_cm3=2.62),
        Phase(2, "gangue", "#009e73", density_g_cm3=3.0655510847741447),
    ),
    "ore",
)


def specimen():
    """Particles and phases that every kind of edit has something to do with.

    1: two balls that share a neck, along x; 2 and 3: halves of a box that touch; 4: a box with a
    hole of 2^3 voxels, at the border of the volume; 5: a small box far from the others.
    """
    z, y, x = np.indices(SHAPE)
    labels = np.zeros(SHAPE, np.uint32)
    for middle in (8, 17):
        labels[(z - 7) ** 2 + (y - 7) ** 2 + (x - middle) ** 2 <= 25] = 1
    labels[14:20, 4:12, 4:10] = 2
    labels[14:20, 4:12, 10:16] = 3
    labels[4:12, 20:32, 26:36] = 4
    labels[7:9, 24:26, 30:32] = 0
    labels[18:22, 20:24, 4:8] = 5
    phases = np.where(labels > 0, np.where(z < 8, 1, 2), 0).astype(np.uint8)
    phases[14:20, 4:12, 4:16] = 1 + (y[14:20, 4:12, 4:16] > 7)
    return labels, phases


def store(project, labels, phases, identity="a1"):
    """A segmentation as 'segment' leaves it."""
    io.write_zarr_arrays(
        project.segmentation_path,
        {
            "particles": labels,
            "phases": phases,
            "particle_probability": np.where(labels > 0, 220, 20).astype(np.uint8),
        },
        voxel_size_um=(2.0, 2.0, 2.0),
        attributes={"id": identity, "phase_table": table_to_json(TABLE)},
    )


def made(folder, labels, phases, grey=None):
    """A project in a folder with these labels; the CT is bright in particles."""
    shape = labels.shape
    if grey is None:
        grey = np.where(labels > 0, 180, 40).astype(np.uint8)
    io.write_volume(folder / "ct.tif", grey, (2.0, 2.0, 2.0))
    io.write_legend(TABLE, folder / "l.csv")
    rng = np.random.default_rng(0)
    io.write_false_colour(
        MineralMap(rng.integers(0, 3, (20, 20)).astype(np.int16), 1.0, TABLE, "a"), folder / "a.png"
    )
    project = Project.create(
        folder / "p", ct=folder / "ct.tif", maps=[folder / "a.png"], legend=folder / "l.csv",
        pixel_size_um=1.0, target="ore",
    )  # fmt: skip
    assert project.volume().shape == shape
    store(project, labels, phases)
    return project


def arrays(proofreader):
    return proofreader.particles[...], proofreader.phases[...]


def as_json(values):
    """The same, if they are JSON values."""
    assert json.loads(json.dumps(values)) == values
    return values
