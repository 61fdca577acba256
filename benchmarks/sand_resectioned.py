"""The whole job on a real CT of sand, with a map cut from the CT itself.

No public CT comes with SEM-EDS maps of the same sample. So a real CT of touching
sand grains is cut along a tilted, curved surface at finer pitch; the cut becomes a
mineral map (epoxy, grain, heavy mineral) by classical thresholds and a classical
separation of the grains in the cut, gets speckle, and its pose is forgotten. Then
the job runs as for a user: place, train both networks, segment, measure, report.
Maps made like this know no more than the grey values do; what is shown is that each
step works on grey values nobody here made, not that minerals can be told apart.

Run: python benchmarks/sand_resectioned.py [OUT] [--epochs N]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage.filters import threshold_otsu
from skimage.segmentation import find_boundaries

from napari_slagseg import io
from napari_slagseg.data import MineralMap, Phase, PhaseTable
from napari_slagseg.evaluation import score_particles, score_phases
from napari_slagseg.project import Project
from napari_slagseg.registration import placement_error, reslice
from napari_slagseg.segmentation import distance_watershed
from napari_slagseg.workflow import (
    QUICK_TRAINING,
    AnnotateConfig,
    SegmentConfig,
    TrainConfig,
    run_pipeline,
)

SOURCE = Path(__file__).parents[2] / "shared/data/sand_ct_grey/sand_100x200x200_u8.tif"
VOXEL_UM = 10.0
"""Not stated by the source: a round number, so that lengths are in tenths of voxels."""

REFINEMENT = 2.3
TABLE = PhaseTable(
    (
        Phase(0, "background", "#000000"),
        Phase(1, "grain", "#e69f00"),
        Phase(2, "heavy mineral", "#0072b2"),
    ),
    "heavy mineral",
)


def cut_surface(
    shape: tuple[int, ...], height: float, angle: float, tilt: float, sag: float, mirrored: bool
) -> NDArray[np.float64]:
    """CT coordinates (rows, columns, 3) of the pixels of a tilted, curved cut."""
    edge = int(0.92 * min(shape[1:]) * REFINEMENT)
    v, u = np.meshgrid(
        (np.arange(edge) - (edge - 1) / 2) / REFINEMENT,
        (np.arange(edge) - (edge - 1) / 2) / REFINEMENT,
        indexing="ij",
    )
    u = -u if mirrored else u
    a = np.deg2rad(angle)
    y, x = np.cos(a) * v - np.sin(a) * u, np.sin(a) * v + np.cos(a) * u
    half = edge / REFINEMENT / 2
    z = height + np.tan(np.deg2rad(tilt)) * x + sag * ((x**2 + 0.6 * y**2) / half**2 - 0.5)
    return np.stack([z, y + (shape[1] - 1) / 2, x + (shape[2] - 1) / 2], axis=-1)


def classical_map(grey: NDArray[np.float32], solid: float, heavy: float) -> NDArray[np.int16]:
    """Phases of a cut by thresholds; lines of background between grains by a watershed."""
    smooth = gaussian_filter(grey, 1.0)
    mask = smooth > solid
    grains = distance_watershed(mask[None], h=2.0, minimum_voxels=30)[0]
    phases = np.where(grains > 0, 1, 0).astype(np.int16)
    phases[(smooth > heavy) & (grains > 0)] = 2
    phases[find_boundaries(grains, mode="thick") & mask] = 0
    return phases


def main() -> None:
    """Run the job and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", nargs="?", default="scratch/sand")
    parser.add_argument("--epochs", type=int, default=QUICK_TRAINING["epochs"])
    arguments = parser.parse_args()
    if not SOURCE.is_file():
        print(f"skipped: {SOURCE} is not there")
        return
    out = Path(arguments.out)
    ct = np.asarray(io.read_volume(SOURCE, VOXEL_UM).data)
    solid = float(threshold_otsu(ct))
    heavy = float(np.quantile(ct[ct > solid], 0.985))
    rng = np.random.default_rng(0)
    poses = [
        (28.0, 37.0, 4.0, 4.0, False),
        (50.0, 141.0, -3.0, 5.0, True),
        (72.0, 265.0, 3.0, -4.0, False),
    ]
    truths = {}
    for i, (height, angle, tilt, sag, mirrored) in enumerate(poses):
        zyx = cut_surface(ct.shape, height, angle, tilt, sag, mirrored)
        grey = map_coordinates(
            ct.astype(np.float32), np.moveaxis(zyx, -1, 0), order=1, mode="nearest"
        )
        phases = classical_map(grey, solid, heavy)
        speckle = rng.random(phases.shape) < 0.01
        phases[speckle] = rng.integers(0, 3, int(speckle.sum()))
        name = f"cut_{i + 1}"
        truths[name] = zyx
        io.write_false_colour(
            MineralMap(phases, VOXEL_UM / REFINEMENT, TABLE, name), out / f"{name}.png"
        )
    io.write_legend(TABLE, out / "legend.csv")
    folder = out / "project"
    if (folder / "project.json").exists():
        project = Project(folder)
    else:
        project = Project.create(
            folder,
            ct=SOURCE,
            voxel_size_um=VOXEL_UM,
            maps=[out / f"{name}.png" for name in truths],
            legend=out / "legend.csv",
            pixel_size_um=VOXEL_UM / REFINEMENT,
            target="heavy mineral",
        )
    training = TrainConfig(**{**QUICK_TRAINING, "epochs": arguments.epochs})
    started = time.perf_counter()
    run_pipeline(
        project,
        {
            "annotate": AnnotateConfig(hold_out="map"),
            "train-phase": training,
            "train-particle": training,
            "segment": SegmentConfig(),
        },
        on_step=lambda step, result: print(
            step.title if result is None else f"  {result.message}", flush=True
        ),
    )
    print(f"the job took {time.perf_counter() - started:.0f} s")
    print("\nplacement error in voxels (the pose was forgotten)")
    for name, placed in project.placed_maps().items():
        error = placement_error(placed, truths[name])
        print(f"  {name}: " + ", ".join(f"{k} {v:.3f}" for k, v in error.items()))
    found = io.read_zarr_array(project.segmentation_path, "particles")
    phases = io.read_zarr_array(project.segmentation_path, "phases")
    by_shape = distance_watershed(ct > solid)
    print("\nagreement with the held-out cut, and with the cuts trained on")
    for name, placed in project.placed_maps().items():
        truth = project.mineral_map(name).phases
        seen = reslice(phases, placed, order=0)
        inside = np.isfinite(seen)
        scores = score_phases(
            np.where(inside, seen, -1).astype(np.int16), np.where(inside, truth, -1)
        )
        print(f"  {name}: Dice {scores['dice']:.3f}, accuracy {scores['accuracy']:.3f}")
    both = score_particles(found.astype(np.int64), by_shape.astype(np.int64))
    print(
        f"\ngrains: {int(found.max()):,} by the networks, {int(by_shape.max()):,} by a plain "
        f"distance-transform watershed (F1_match between the two {both['f1_match']:.3f})"
    )
    print(f"report: {folder / 'report.md'}")


if __name__ == "__main__":
    main()
