"""Normalised correlation of round patches with all slices of the CT, by FFT."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from napari_slagseg.registration.patches import disc_of
from napari_slagseg.registration.pyramid import Block

TOGETHER = 8
"""Slices transformed at once: their products then stay in a core's own cache."""


class Correlator(Protocol):
    """What the search needs of a correlator; on the CPU, `SliceCorrelator`."""

    disc: NDArray[np.float32]
    margin: tuple[int, int]
    padded: tuple[int, int]

    def correlate(
        self,
        templates: Sequence[NDArray[np.float32]],
        volumes: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """(template, y, x) largest correlation over all slices, see `SliceCorrelator`."""


CorrelatorFactory = Callable[[Block, float, int], Correlator]
"""Takes the block, the radius of the patches in pixels, and a number of threads."""


class SliceCorrelator:
    """Normalised correlation of round patches with all slices of a block.

    Memory: 4 bytes for each voxel of the padded block for its transform and 4 for its
    local deviation; a few slices a thread beside.

    Parameters
    ----------
    block : Block
    radius : float
        Of the patches in pixels.
    workers : int
        Threads.

    Attributes
    ----------
    disc : (edge, edge) float32
    margin : (int, int)
        Rows and columns beyond each side of the block at which patches are still tried:
        what the transforms' size leaves, as a patch so far out tells little.
    padded : (int, int)
        Rows and columns with both margins.
    """

    def __init__(self, block: Block, radius: float, workers: int) -> None:
        data = block.data
        self.disc = disc_of(radius)
        self._reach = self.disc.shape[0] // 2
        spread = float(data.std()) or 1.0
        # single bright grains and metal must not decide alone
        clipped = np.clip(data, -3.0 * spread, 3.0 * spread)
        sides = data.shape[1:]
        # zeros for a disc that reaches beyond the rim, on either side: transforms wrap round
        self.size = tuple(fft.next_fast_len(n + self._reach, real=True) for n in sides)
        rows, columns = (
            min(size - n - self._reach, self._reach) for size, n in zip(self.size, sides)
        )
        self.margin = (rows, columns)
        self.padded = (sides[0] + 2 * rows, sides[1] + 2 * columns)
        grown = np.pad(clipped, ((0, 0), (rows, rows), (columns, columns)))
        self._pool = ThreadPoolExecutor(workers)
        self.chunks = [
            slice(z, min(z + TOGETHER, len(data))) for z in range(0, len(data), TOGETHER)
        ]
        self.spectra = np.empty((len(data), self.size[0], self.size[1] // 2 + 1), np.complex64)
        self.scale = np.empty((len(data), *self.padded), np.float32)
        area, kernel = float(self.disc.sum()), self.kernel(self.disc)

        def deviation(chunk: slice) -> None:
            self.spectra[chunk] = fft.rfft2(grown[chunk], s=self.size)
            mean = self._inverse(self.spectra[chunk] * kernel) / area
            square = self._inverse(fft.rfft2(grown[chunk] ** 2, s=self.size) * kernel) / area
            np.sqrt(np.maximum(square - mean**2, 0.0), out=self.scale[chunk])

        list(self._pool.map(deviation, self.chunks))
        # where there is next to nothing to see, noise must not be blown up
        seen = self.scale[self.scale > 0.05 * self.scale.max()]
        floor = 0.4 * float(np.median(seen))
        np.divide(np.float32(1.0), np.maximum(self.scale, floor), out=self.scale)

    def kernel(self, template: NDArray[np.float32]) -> NDArray[np.complex64]:
        """Conjugate transform of a template whose middle lies at pixel (0, 0)."""
        edge, r = template.shape[0], self._reach
        whole = np.zeros(self.size, dtype=np.float32)
        whole[:edge, :edge] = template
        return np.asarray(np.conj(fft.rfft2(np.roll(whole, (-r, -r), axis=(0, 1)))), np.complex64)

    def norm(self, template: NDArray[np.float32]) -> float:
        """What the correlation with a template of zero mean is divided by."""
        return max(float(np.sqrt((template**2).sum() * self.disc.sum())), 1e-9)

    def _inverse(self, spectra: NDArray[np.complex64]) -> NDArray[np.float32]:
        """(slice, y, x) of the padded block; entry (y, x) is at padded pixel (y, x)."""
        full = fft.irfft2(spectra, s=self.size, overwrite_x=True)
        return np.asarray(full[:, : self.padded[0], : self.padded[1]], dtype=np.float32)

    def correlate(
        self,
        templates: Sequence[NDArray[np.float32]],
        volumes: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Normalised correlation with templates of zero mean inside the disc.

        Parameters
        ----------
        templates : sequence of (edge, edge) float32
        volumes : (template, slice, y, x) float32, optional
            Filled with the correlations.

        Returns
        -------
        (template, y, x) float32
            Largest correlation over all slices.
        """

        def one(k: int) -> NDArray[np.float32]:
            kernel = self.kernel(templates[k]) / np.float32(self.norm(templates[k]))
            best = np.full(self.padded, -np.inf, dtype=np.float32)
            for chunk in self.chunks:
                found = self._inverse(self.spectra[chunk] * kernel)
                found *= self.scale[chunk]
                if volumes is not None:
                    volumes[k, chunk] = found
                np.maximum(best, found.max(axis=0), out=best)
            return best

        return np.stack(list(self._pool.map(one, range(len(templates)))))


__all__ = ["Correlator", "CorrelatorFactory", "SliceCorrelator"]
