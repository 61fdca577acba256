"""The sample that statistics are computed of: a target, a filter, and a weight a particle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.data import ParticleTable, Phase, SlagsegError
from napari_slagseg.descriptors import retargeted
from napari_slagseg.liberation.curves import target_amount
from napari_slagseg.liberation.settings import SampleFilter

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """Particles (or particle sections) that take part, and how much each counts.

    Attributes
    ----------
    table : ParticleTable
        For the chosen target; rows that passed the filter, with their contacts and grains.
    weights : (n,) float64
        How often each row counts: 1, or its ``border_weight``.
    label : str
        What the sample is called in tables and figures.
    warnings : tuple of str
        What a reader of the results has to know of how the sample came about.
    whole : ParticleTable or None
        The same table before the filter.
    filters : SampleFilter
    one_particle_many_sections : bool
        Rows of the same ``label`` are sections of one particle, so they are drawn together
        when particles are resampled.
    """

    table: ParticleTable
    weights: Array
    label: str
    warnings: tuple[str, ...] = ()
    whole: ParticleTable | None = None
    filters: SampleFilter = field(default_factory=SampleFilter)
    one_particle_many_sections: bool = False

    def __len__(self) -> int:
        return len(self.table)

    @property
    def dimension(self) -> int:
        """3 for particles, 2 for sections."""
        return self.table.dimension

    @property
    def measure(self) -> str:
        """``volume`` or ``area``: what the sizes of particles are measured in."""
        return "volume" if self.dimension == 3 else "area"

    @property
    def target_name(self) -> str:
        """Name of the target; of a group, its phases joined by ``+``."""
        return " + ".join(self.table.targets)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Phases of the table but the background, in order of id."""
        return self.table.table.phases[1:]

    def column(self, name: str) -> Array:
        """Column of the table as numbers."""
        return self.table.frame[name].to_numpy(dtype=np.float64)

    def has(self, name: str) -> bool:
        """Whether the table has a column."""
        return name in self.table.frame

    @property
    def amounts(self) -> Array:
        """Volume (area) of each particle."""
        return self.column("volume_um3" if self.dimension == 3 else "area_um2")

    @property
    def target_amounts(self) -> Array:
        """Volume (area) of the target in each particle; 0 where it is not known."""
        if not self.table.targets:
            return np.zeros(len(self))
        return np.nan_to_num(target_amount(self.table.frame))

    def fractions(self) -> Array:
        """Share of every phase in every particle, (n, phases)."""
        columns = [self.column(f"fraction_{phase.name}") for phase in self.phases]
        return np.stack(columns, axis=1) if columns else np.zeros((len(self), 0))

    def units(self) -> NDArray[np.int64]:
        """Number of the unit of resampling that each row belongs to, from 0 on without gaps."""
        if not self.one_particle_many_sections:
            return np.arange(len(self))
        return np.unique(self.table.frame["label"].to_numpy(), return_inverse=True)[1]

    def rows_of(self, frame: pd.DataFrame) -> NDArray[np.int64]:
        """Row of the particle that each row of contacts or grains belongs to."""
        return _positions(self.table.frame, frame)


def sample_of(
    table: ParticleTable,
    *,
    target: str | Sequence[str] | None = None,
    filters: SampleFilter | None = None,
    label: str = "3D particles",
    one_particle_many_sections: bool = False,
) -> Sample:
    """Choose the target and the particles that statistics are computed of.

    Parameters
    ----------
    table : ParticleTable
    target : str, sequence of str or None
        Name of the target phase, or the phases of a group; None takes that of the table.
    filters : SampleFilter or None
        None leaves out the particles that touch the border, and no others.
    label : str
    one_particle_many_sections : bool
        See `Sample`; for sections of a 3D result, which carry the labels of its particles.

    Raises
    ------
    SlagsegError
        If the target is not a phase of the table, or border weights are asked for and were
        not measured.
    """
    filters = filters or SampleFilter()
    table = _for_target(table, target)
    frame = table.frame
    amount = "volume_um3" if table.dimension == 3 else "area_um2"
    needed = [amount, "equivalent_diameter_um", *_fraction_columns(table)]
    known = np.isfinite(frame[needed].to_numpy(dtype=np.float64)).all(axis=1)
    warnings = []
    if not known.all():
        warnings.append(
            f"{label}: {(~known).sum():,} of {len(frame):,} rows are left out, as their size or "
            "composition is not a number."
        )
    chosen = known & _chosen(frame, filters, table)
    touching = frame["touches_border"].to_numpy(dtype=bool)
    cut = known & _chosen(frame, replace(filters, border="include"), table) & touching
    warnings += _border_warnings(table, known, cut, filters, label)
    weights = np.ones(int(chosen.sum()))
    if filters.border == "weighted":
        weights = frame["border_weight"].to_numpy(dtype=np.float64)[chosen]
        if not np.isfinite(weights).all():
            warnings.append(f"{label}: rows without a border weight count as nothing.")
            weights = np.nan_to_num(weights)
    rows = frame[chosen]
    kept = replace(
        table,
        frame=rows.reset_index(drop=True),
        contacts=_belonging(table.contacts, rows),
        grains=_belonging(table.grains, rows),
    )
    return Sample(kept, weights, label, tuple(warnings), table, filters, one_particle_many_sections)


def _for_target(table: ParticleTable, target: str | Sequence[str] | None) -> ParticleTable:
    if target is None:
        return table
    names = (target,) if isinstance(target, str) else tuple(target)
    names = tuple(table.table.by_name(name).name for name in names)
    if set(names) == set(table.targets):
        return table
    return retargeted(table, names)


def _fraction_columns(table: ParticleTable) -> list[str]:
    names = [f"fraction_{phase.name}" for phase in table.table.phases[1:]]
    missing = [name for name in names if name not in table.frame]
    if missing:
        raise SlagsegError(
            f"The particle table lacks the columns {', '.join(missing)}. Measure again, or open "
            "it with the phase table that it was measured with."
        )
    return names


def _chosen(frame: pd.DataFrame, filters: SampleFilter, table: ParticleTable) -> NDArray[np.bool_]:
    size = frame["equivalent_diameter_um"].to_numpy(dtype=np.float64)
    chosen = (size >= filters.min_size_um) & (size <= filters.max_size_um)
    if filters.border != "include":
        chosen &= ~frame["touches_border"].to_numpy(dtype=bool)
    if filters.border == "weighted" and "border_weight" not in frame:
        raise SlagsegError(
            "The particle table has no border weights. Measure again, or leave the particles "
            "that touch the border out."
        )
    if filters.locked != "all" and table.targets:
        exposed = frame["surface_liberation"].to_numpy(dtype=np.float64)
        locked = (target_amount(frame) > 0) & (exposed == 0)
        chosen &= ~locked if filters.locked == "without" else locked
    return np.asarray(chosen)


def _border_warnings(
    table: ParticleTable,
    known: NDArray[np.bool_],
    cut: NDArray[np.bool_],
    filters: SampleFilter,
    label: str,
) -> list[str]:
    """Say how much of the target may be cut off, where it is a tenth or more."""
    if not table.targets or not cut.any():
        return []
    target = np.nan_to_num(target_amount(table.frame))
    passing = known & _chosen(table.frame, replace(filters, border="include"), table)
    whole = target[passing].sum()
    share = target[cut].sum() / whole if whole > 0 else 0.0
    if share < 0.1:
        return []
    measure = "volume" if table.dimension == 3 else "area"
    done = {
        "exclude": "they are left out, so large particles are too rare here",
        "weighted": "they are left out, and whole particles of their size count more",
        "include": "they are taken as they are, though they are cut off",
    }[filters.border]
    return [
        f"{label}: {share:.0%} of the target {measure} is in particles that touch the border; "
        f"{done}."
    ]


def _keys(frame: pd.DataFrame, columns: list[str]) -> pd.Index:
    if len(columns) == 1:
        return pd.Index(frame[columns[0]])
    return pd.MultiIndex.from_frame(frame[columns])


def _positions(particles: pd.DataFrame, belonging: pd.DataFrame) -> NDArray[np.int64]:
    columns = [name for name in ("section", "label") if name in belonging and name in particles]
    keys = _keys(particles, columns)
    if not keys.is_unique:
        raise SlagsegError(
            f"The particle table has two rows of the {' and '.join(columns)} "
            f"{keys[keys.duplicated()][0]}, so its contacts belong to neither. Measure again."
        )
    found = keys.get_indexer(_keys(belonging, columns))
    return np.asarray(found, dtype=np.int64)


def _belonging(belonging: pd.DataFrame, particles: pd.DataFrame) -> pd.DataFrame:
    if belonging.empty:
        return belonging
    return belonging[_positions(particles, belonging) >= 0].reset_index(drop=True)


__all__ = ["Sample", "sample_of"]
