"""The bootstrap over particles, for all statistics of a sample at once.

Nearly every statistic here is a formula of weighted sums over particles. So each registers
what a particle adds to its sums, all sums of all resamples are one sparse product of the
resampled weights with these additions, and the formulas are applied to the sums. What is no
formula of sums (percentiles, the grade-recovery curve) is computed from the resampled weights
themselves, a chunk at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from napari_slagseg.liberation.samples import Sample
from napari_slagseg.liberation.settings import StatisticSettings
from napari_slagseg.liberation.sums import Sums, effective_number

Array = NDArray[np.float64]
OfWeights = Callable[[Array], Array]
"""From weights (resamples, particles) to (resamples, k) numbers."""

CHUNK = 2_000_000
"""Resampled weights that are held at a time."""

LEAST_IN_STRATUM = 10

FULL = 0.05
"""Share of a row that is not zero from which on it is multiplied as a full row."""


def size_strata(sizes: Array, strata: int) -> NDArray[np.int64]:
    """Number of the size class of each particle; classes of about equal particle number.

    No class has fewer than ten particles, so small samples have fewer classes.
    """
    n = len(sizes)
    strata = max(1, min(strata, n // LEAST_IN_STRATUM))
    ranks = np.empty(n, dtype=np.int64)
    ranks[np.argsort(sizes, kind="stable")] = np.arange(n)
    return ranks * strata // max(n, 1)


def resampled_weights(
    strata: NDArray[np.int64], resamples: int, seed: int, chunk: int = CHUNK
) -> Iterator[Array]:
    """Weights of the units in each resample, in chunks of (some, n) float64.

    Within each stratum of m units, m - 1 are drawn with replacement, and each draw counts
    m / (m - 1): so the variance of a sum is estimated without bias however small the strata
    are (Rao and Wu 1988, Journal of the American Statistical Association 83, 231-241).
    A stratum of one unit always counts once.
    """
    # numba takes a second to import: only those who compute wait for it
    from napari_slagseg.liberation.drawing import count_drawn

    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(strata == s) for s in np.unique(strata)]
    rows = max(1, chunk // max(len(strata), 1))
    for start in range(0, resamples, rows):
        b = min(rows, resamples - start)
        weights = np.zeros((b, len(strata)))
        for inside in members:
            m = len(inside)
            if m < 2:
                weights[:, inside] = 1.0
                continue
            drawn = rng.integers(0, m, size=(b, m - 1), dtype=np.uint32)
            count_drawn(drawn, inside, m / (m - 1), weights)
        yield weights


class Contributions:
    """What each particle of a sample adds to the sums that the statistics are made of.

    Parameters
    ----------
    sample : Sample
    """

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self._parts: list[sparse.csr_matrix] = []
        self._functions: list[tuple[slice, OfWeights, slice]] = []
        self._known: dict[object, slice] = {}
        self._width = 0

    def add(self, values: Array) -> slice:
        """Sum of one number a particle, (n,), or of several, (n, k)."""
        columns = values[:, None] if values.ndim == 1 else values
        part = sparse.csr_matrix(columns.T)
        # the target, above all, is asked for again and again
        key = (part.shape, part.indices.tobytes(), part.data.tobytes())
        if key not in self._known:
            self._known[key] = self._append(part)
        return self._known[key]

    def add_classes(
        self,
        classes: NDArray[np.int64],
        values: Array,
        n_classes: int,
        rows: NDArray[np.int64] | None = None,
    ) -> slice:
        """Sum of `values` in each class; entries of the class -1 are left out.

        Parameters
        ----------
        classes : (q,) int64
        values : (q,) float64
        n_classes : int
        rows : (q,) int64 or None
            Particle of each entry; None where there is one for each particle in order.
        """
        n = len(self.sample)
        rows = np.arange(n) if rows is None else rows
        used = (classes >= 0) & (rows >= 0)
        entries = (values[used], (classes[used], rows[used]))
        return self._append(sparse.csr_matrix(entries, shape=(n_classes, n)))

    def add_function(self, function: OfWeights, width: int, of: slice) -> slice:
        """What is no sum: a function of the weights, (b, n) to (b, width).

        Its effective number of particles is that of the sum in the columns `of`.
        """
        columns = self._append(sparse.csr_matrix((width, len(self.sample))))
        self._functions.append((columns, function, of))
        return columns

    def _append(self, part: sparse.csr_matrix) -> slice:
        columns = slice(self._width, self._width + part.shape[0])
        self._parts.append(part)
        self._width += part.shape[0]
        return columns

    def sums(self, settings: StatisticSettings, *, strata: int | None = None) -> Sums:
        """All sums, of the sample and of its resamples.

        Parameters
        ----------
        settings : StatisticSettings
        strata : int or None
            Size strata; None takes those of the settings.
        """
        sample, n = self.sample, len(self.sample)
        matrix = sparse.csr_matrix((0, n))
        if self._parts:
            matrix = sparse.vstack(self._parts, format="csr")
        matrix = (matrix @ sparse.diags_array(sample.weights)).tocsr()
        units = sample.units()
        n_units = int(units.max()) + 1 if n else 0
        if sample.one_particle_many_sections:
            matrix = (
                matrix @ sparse.csr_matrix((np.ones(n), (np.arange(n), units)), (n, n_units))
            ).tocsr()
        value = np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()
        squares = np.asarray(matrix.multiply(matrix).sum(axis=1), dtype=np.float64).ravel()
        effective = effective_number(value, squares)
        for columns, function, of in self._functions:
            value[columns] = function(sample.weights[None, :])[0]
            effective[columns] = effective[of]
        # one unit, drawn again and again, would look like certainty
        resamples = settings.resamples if n_units > 1 else 0
        wanted = settings.size_strata if strata is None else strata
        of_size = size_strata(_unit_sizes(sample, units, n_units), wanted)
        product = _Product(matrix)
        chunks = []
        for weights in resampled_weights(of_size, resamples, settings.seed):
            sums = product.of(weights)
            if self._functions:
                rows = weights[:, units] if sample.one_particle_many_sections else weights
                of_rows = rows * sample.weights
                for columns, function, _ in self._functions:
                    sums[:, columns] = function(of_rows)
            chunks.append(sums)
        resampled = np.concatenate(chunks) if chunks else np.zeros((0, self._width))
        return Sums(value, resampled, effective, settings.level)


class _Product:
    """Product of a matrix with many rows of weights: its full rows by BLAS, the others sparse."""

    def __init__(self, matrix: sparse.csr_matrix) -> None:
        filled = np.diff(matrix.indptr)
        self._full = filled > FULL * matrix.shape[1]
        self._dense = np.ascontiguousarray(matrix[self._full].toarray().T)
        self._sparse = matrix[~self._full]

    def of(self, weights: Array) -> Array:
        """Product with the weights (b, n): (b, k)."""
        from napari_slagseg.liberation.drawing import add_up

        found = np.zeros((len(weights), len(self._full)))
        found[:, self._full] = weights @ self._dense
        rest = self._sparse
        sums = np.zeros((len(weights), rest.shape[0]))
        add_up(weights, rest.indptr, rest.indices, rest.data, sums)
        found[:, ~self._full] = sums
        return found


def _unit_sizes(sample: Sample, units: NDArray[np.int64], n_units: int) -> Array:
    sizes = np.zeros(n_units)
    np.maximum.at(sizes, units, sample.column("equivalent_diameter_um"))
    return sizes


__all__ = ["Contributions", "resampled_weights", "size_strata"]
