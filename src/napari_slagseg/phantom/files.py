"""Phantoms as files, as a user would have them, with the truth beside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg import io
from napari_slagseg.data import SlagsegError
from napari_slagseg.io.npy import read_npy
from napari_slagseg.phantom.make import Phantom


@dataclass(frozen=True)
class PhantomTruth:
    """Truth of a written phantom.

    Attributes
    ----------
    phases, particles : (z, y, x) arrays
    coordinates : dict of map name to (rows, columns, 3) float32
    exact : DataFrame
        See `Phantom.exact`.
    """

    phases: NDArray[np.uint8]
    particles: NDArray[np.uint32]
    coordinates: dict[str, NDArray[np.float32]]
    exact: pd.DataFrame


def write_phantom(phantom: Phantom, folder: str | Path) -> None:
    """Write ``ct.tif``, the maps (PNG and raster), ``legend.csv`` and ``truth/``."""
    folder = Path(folder)
    size = phantom.ct.voxel_size_um
    io.write_volume(folder / "ct.tif", np.asarray(phantom.ct.data), size)
    io.write_legend(phantom.table, folder / "legend.csv")
    for m in phantom.maps:
        name = m.mineral_map.name
        io.write_false_colour(m.mineral_map, folder / f"{name}.png")
        io.write_raster(m.mineral_map, folder / f"{name}_raster.tif")
        io.write_volume(folder / "truth" / f"coordinates_{name}.npy", m.coordinates, None)
    io.write_volume(folder / "truth" / "phases.tif", phantom.phases, size)
    io.write_volume(folder / "truth" / "particles.tif", phantom.particles, size)
    io.write_frame(folder / "truth" / "exact.csv", phantom.exact)
    # last: a folder with a sample.json is whole
    io.write_json(
        folder / "sample.json",
        {
            **phantom.config,
            "voxel_size_um": size,
            "pixel_size_um": phantom.maps[0].mineral_map.pixel_size_um if phantom.maps else None,
            "target": phantom.table.target,
            "maps": [
                {
                    "name": m.mineral_map.name,
                    "mirrored": m.mirrored,
                    "angle_deg": m.angle_deg,
                    "tilt_deg": m.tilt_deg,
                    "sag_voxels": m.sag_voxels,
                    "true_pixel_um": m.true_pixel_um,
                }
                for m in phantom.maps
            ],
        },
    )


def read_phantom_truth(folder: str | Path) -> PhantomTruth:
    """Read the truth of a written phantom.

    Raises
    ------
    SlagsegError
        If a file of it is missing or damaged.
    """
    truth, description = Path(folder) / "truth", Path(folder) / "sample.json"
    content = io.read_json(description, "the phantom's description")
    try:
        names = [str(m["name"]) for m in content["maps"]]
    except (KeyError, TypeError) as error:
        raise SlagsegError(
            f"{description} does not describe a phantom: it names no maps. Make the phantom again."
        ) from error
    return PhantomTruth(
        phases=io.read_labels(truth / "phases.tif").astype(np.uint8, copy=False),
        particles=io.read_labels(truth / "particles.tif").astype(np.uint32, copy=False),
        coordinates={
            name: np.array(read_npy(truth / f"coordinates_{name}.npy").data) for name in names
        },
        exact=io.read_frame(truth / "exact.csv", "the exact volumes"),
    )


__all__ = ["PhantomTruth", "read_phantom_truth", "write_phantom"]
