"""An array as a file holds it, before anyone asked whether it is a CT, labels or a map."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_slagseg.data import VoxelSize
from napari_slagseg.io.box_reader import BoxReader
from napari_slagseg.io.grey_volume import GreyVolume
from napari_slagseg.io.guards import check_memory
from napari_slagseg.io.mapped_volume import shared_volume

_NAMES = {
    1e-6: ("pm", "picometer", "picometre"),
    1e-4: ("å", "\u212b", "angstrom"),
    1e-3: ("nm", "nanometer", "nanometre"),
    # micro sign, Greek mu, and ImageJ's escape
    1.0: ("um", "\u00b5m", "\u03bcm", "\\u00b5m", "micron", "micrometer", "micrometre"),
    1e3: ("mm", "millimeter", "millimetre"),
    1e4: ("cm", "centimeter", "centimetre"),
    1e6: ("m", "meter", "metre"),
    25400.0: ("inch", "in"),
}
_MICROMETRES = {name: factor for factor, names in _NAMES.items() for name in names}


def micrometres_per(unit: object) -> float | None:
    """Micrometres in a unit as image files name it; None for what is no unit of length."""
    name = str(unit or "").strip().lower()
    return _MICROMETRES.get(name) or _MICROMETRES.get(name.removesuffix("s"))


@dataclass(frozen=True)
class StoredArray:
    """An array with what its file says about it.

    Attributes
    ----------
    data : numpy array or BoxReader
        Memory-mapped or left on disk where the format allows it. Axes of length one that the
        file names as channel or time are gone.
    voxel_size_um : (z, y, x) or None
        None where the file does not state it.
    why_no_size : str
        What is missing then, for the message that asks for it.
    colour : bool
        Whether the last axis holds colours (RGB or RGBA).
    """

    data: Any
    voxel_size_um: VoxelSize | None = None
    why_no_size: str = "this format holds none"
    colour: bool = False

    def in_memory(self) -> StoredArray:
        """The same, read whole where it was left on disk (a memory map stays one)."""
        return replace(self, data=np.asanyarray(self.data))

    def converted(self, dtype: np.dtype[Any]) -> StoredArray:
        """The same of another type; on disk, what is on disk."""
        if dtype == self.data.dtype:
            return self
        data = shared_volume(self.data)
        if isinstance(data, BoxReader):
            return replace(self, data=GreyVolume(data, dtype.str))
        check_memory(data.size * dtype.itemsize, "The volume")
        return replace(self, data=data.astype(dtype))


__all__ = ["StoredArray", "micrometres_per"]
