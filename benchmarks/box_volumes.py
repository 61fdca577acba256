"""How far above the smallest known box oriented boxes are, ours and trimesh's.

    python -m benchmarks.box_volumes [--particles 30]

The smallest known box of a particle is the smallest of ours, trimesh's and those found by
polishing from every face of the hull and from 400 random directions.
"""

from __future__ import annotations

import argparse

import numpy as np
from benchmarks.packing import packing


def polished_from_everywhere(mask: np.ndarray, random: np.random.Generator) -> float:
    """Volume of the smallest box that a long search finds."""
    from napari_slagseg.descriptors.hull_boxes import extreme_corners, lattice_hull, smallest_box

    corners = extreme_corners(np.ascontiguousarray(mask).astype(np.uint32), 1)
    _, vertices, _, outward, edges, _ = lattice_hull(corners, len(corners), np.ones(3))
    areas = np.linalg.norm(outward, axis=1)
    normals = outward[areas > 0] / areas[areas > 0, None]
    more = random.normal(size=(400, 3))
    more /= np.linalg.norm(more, axis=1, keepdims=True)
    directions = np.ascontiguousarray(np.vstack([np.eye(3), normals, more]))
    lengths, _ = smallest_box(vertices, outward, edges, directions, len(directions))
    return float(np.prod(lengths))


def main(argv: list[str] | None = None) -> None:
    """Print the mean and the largest excess of both."""
    import trimesh
    from scipy.ndimage import find_objects

    from napari_slagseg.descriptors import minimum_box

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--particles", type=int, default=30)
    arguments = parser.parse_args(argv)
    labels = packing(128)[0]
    random = np.random.default_rng(0)
    offsets = np.indices((2, 2, 2)).reshape(3, -1).T - 0.5
    volumes = []
    for label, cut in enumerate(find_objects(labels)[: arguments.particles], start=1):
        if cut is None:
            continue
        mask = labels[cut] == label
        corners = (np.argwhere(mask)[:, None] + offsets).reshape(-1, 3)
        _, extents = trimesh.bounds.oriented_bounds(corners)
        volumes.append(
            (minimum_box(mask).volume, np.prod(extents), polished_from_everywhere(mask, random))
        )
    found = np.array(volumes)
    excess = found[:, :2] / found.min(axis=1)[:, None] - 1
    print(f"{len(found)} particles of 24 voxels; volume above the smallest known box")
    print("method      mean        largest")
    for name, column in (("ours", excess[:, 0]), ("trimesh", excess[:, 1])):
        print(f"{name:10} {column.mean():9.2e}   {column.max():9.2e}")
    best = int(np.count_nonzero(excess[:, 0] < 1e-9))
    print(f"ours is the smallest known for {best} of {len(found)}")


if __name__ == "__main__":
    main()
