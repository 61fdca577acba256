"""Painted errors, as the project keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.io import read_zarr_array, read_zarr_attributes, write_zarr_arrays


@dataclass(frozen=True)
class Correction:
    """One set of painted errors (K 2.3.4).

    Attributes
    ----------
    voxels : (n,) int64
        Flat C-order indices of the error voxels.
    predicted_foreground : (n,) bool
        The binarised prediction of the particle network there.
    origin : str
        Where they come from, if not from a brush: ``"edits of ID"`` of a segmentation. There is
        one set of an origin at most.
    known : (m,) int64
        Flat indices, rising, of voxels in and around the particles that edits left right.
    kinds : (m,) uint8
        What is known of them, see `ground_truth.taught.known_around`.
    """

    voxels: NDArray[np.int64]
    predicted_foreground: NDArray[np.bool_]
    origin: str = ""
    known: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    kinds: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))

    @property
    def teaches(self) -> bool:
        """Whether there is anything in it."""
        return bool(len(self.voxels) or len(self.known))


def read_correction(path: Path) -> Correction:
    """Read a set of painted errors; older ones know nothing but errors."""
    attributes = read_zarr_attributes(path)
    known = {}
    if attributes.get("known"):
        known = {
            "known": read_zarr_array(path, "known").astype(np.int64, copy=False),
            "kinds": read_zarr_array(path, "kinds"),
        }
    return Correction(
        read_zarr_array(path, "voxels").astype(np.int64, copy=False),
        read_zarr_array(path, "predicted_foreground").astype(bool),
        str(attributes.get("origin", "")),
        **known,
    )


def write_correction(path: Path, correction: Correction) -> None:
    """Store a set of painted errors, whole or not at all."""
    arrays: dict[str, NDArray[Any]] = {
        "voxels": correction.voxels,
        "predicted_foreground": correction.predicted_foreground.astype(np.uint8),
    }
    attributes: dict[str, Any] = {"origin": correction.origin} if correction.origin else {}
    if len(correction.known):
        arrays.update(known=correction.known, kinds=correction.kinds)
        attributes["known"] = len(correction.known)
    write_zarr_arrays(path, arrays, attributes=attributes or None)


__all__ = ["Correction", "read_correction", "write_correction"]
