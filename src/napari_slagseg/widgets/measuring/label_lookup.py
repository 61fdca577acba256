"""Labels drawn as other numbers: the particles' own voxels, looked up as they are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_slagseg.widgets.lazy_array import DirectReader, LazyArray, Ranges, Reader
from napari_slagseg.widgets.quick_reader import Arrivals, QuickReader, quickened

if TYPE_CHECKING:
    from napari.layers import Labels

DENSE = 1 << 26
"""Labels below this are looked up in a table of one byte each; sparse ones are searched for."""


class Lookup:
    """A number from 0 to 255 for each label; 0 for those without one.

    napari's own colours by label (`DirectLabelColormap`) take seconds for 150,000 labels;
    so the layer has 256 colours, and which of them a label has is looked up here.
    """

    def __init__(self) -> None:
        self._labels: NDArray[np.int64] = np.empty(0, np.int64)
        self._values: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._table: NDArray[np.uint8] | None = np.zeros(1, np.uint8)

    def set(self, labels: ArrayLike, values: ArrayLike) -> None:
        """Give these labels these numbers, and all others 0."""
        found = np.asarray(labels, np.int64).ravel()
        order = np.argsort(found, kind="stable")
        self._labels, self._values = found[order], np.asarray(values, np.uint8).ravel()[order]
        largest = int(self._labels[-1]) if len(found) else 0
        self._table = None
        if largest < DENSE or not len(found):
            table = np.zeros(largest + 2, np.uint8)
            table[self._labels] = self._values
            table[0] = table[-1] = 0
            self._table = table

    def of(self, labels: NDArray[Any]) -> NDArray[np.uint8]:
        """Numbers of an array of labels."""
        if self._table is not None:
            # whatever lies above the largest label meets the last entry, which is 0
            return self._table[np.minimum(labels, len(self._table) - 1).astype(np.intp)]
        wanted = labels.astype(np.int64)
        at = np.minimum(np.searchsorted(self._labels, wanted), len(self._labels) - 1)
        return np.where(self._labels[at] == wanted, self._values[at], 0).astype(np.uint8)


class LookedUp:
    """Reads labels and gives their numbers.

    Parameters
    ----------
    source : Reader
    lookup : Lookup
    """

    dtype: np.dtype[Any] = np.dtype(np.uint8)

    def __init__(self, source: Reader, lookup: Lookup) -> None:
        self.source, self.lookup = source, lookup

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along (z, y, x)."""
        return self.source.shape

    def read(self, ranges: Ranges) -> NDArray[Any]:
        """Numbers at the places of three ranges."""
        return self.lookup.of(self.source.read(ranges))

    def forget(self, ranges: Ranges) -> None:
        """Keep nothing of a part that was read before: it has changed."""
        self.source.forget(ranges)


def looked_up(layer: Labels, lookup: Lookup) -> tuple[list[LazyArray], Arrivals]:
    """Levels of a labels layer as numbers; they share the chunks that the layer keeps."""
    arrivals = Arrivals()
    stored: Sequence[Any] = list(layer.data) if layer.multiscale else [layer.data]
    levels = quickened([_exact(level) for level in stored], arrivals)
    return [LazyArray(LookedUp(level, lookup)) for level in levels], arrivals


def _exact(level: Any) -> LazyArray:
    if not isinstance(level, LazyArray):
        return LazyArray(DirectReader(level))
    reader = level.reader
    return LazyArray(reader.exact) if isinstance(reader, QuickReader) else level


__all__ = ["LookedUp", "Lookup", "looked_up"]
