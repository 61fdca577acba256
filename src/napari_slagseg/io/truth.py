"""Sparse ground truth as a Zarr group."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_slagseg.data import GroundTruth, SlagsegError
from napari_slagseg.io.formats import check_version, table_from_json, table_to_json
from napari_slagseg.io.zarr_store import read_zarr_array, read_zarr_attributes, write_zarr_arrays

FORMAT = 1
_KIND = "slagseg ground truth"
_ARRAYS = {
    "voxels": np.int64,
    "phases": np.int16,
    "particles": np.int32,
    "foreground": np.int8,
    "phase_weights": np.float32,
    "particle_weights": np.float32,
    "map_index": np.int16,
    "cutout_index": np.int16,
}


def write_ground_truth(truth: GroundTruth, path: str | Path) -> None:
    """Write the known voxels (about 27 bytes each before compression), atomically."""
    write_zarr_arrays(
        path,
        {name: getattr(truth, name) for name in _ARRAYS},
        attributes={
            "kind": _KIND,
            "format": FORMAT,
            "shape": list(truth.shape),
            "map_names": list(truth.map_names),
            **table_to_json(truth.table),
        },
    )


def read_ground_truth(path: str | Path) -> GroundTruth:
    """Read a ground truth, or say what is wrong with the store."""
    attributes = read_zarr_attributes(path)
    if attributes.get("kind") != _KIND:
        raise SlagsegError(f"{path} holds no ground truth. Run 'annotate' to make one.")
    check_version(attributes, FORMAT, path)
    try:
        z, y, x = attributes["shape"]
        return GroundTruth(
            shape=(int(z), int(y), int(x)),
            table=table_from_json(attributes),
            map_names=tuple(attributes["map_names"]),
            **{
                name: read_zarr_array(path, name).astype(dtype, copy=False)
                for name, dtype in _ARRAYS.items()
            },
        )
    except SlagsegError as error:
        raise SlagsegError(f"{path}: {error} Run 'annotate' again.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise SlagsegError(
            f"{path} is damaged ({type(error).__name__} {error}). Run 'annotate' again."
        ) from error


__all__ = ["read_ground_truth", "write_ground_truth"]
