"""Rows of a particle table put in the place of others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from napari_slagseg.data import ParticleTable, SlagsegError

_FEW = 100
"""Particles for which a table is cut open; for more it is sorted again as a whole."""


def with_rows(
    table: ParticleTable, labels: Iterable[int], rows: Sequence[ParticleTable]
) -> ParticleTable:
    """Table without some particles, and with newly described ones.

    Parameters
    ----------
    table : ParticleTable
    labels : iterable of int
        Particles whose old rows go.
    rows : sequence of ParticleTable
        Each of one particle, with the columns of the table.

    Raises
    ------
    SlagsegError
        If the columns differ: the table was measured in another way.
    """
    gone = list(labels)
    for new in rows:
        if list(new.frame.columns) != list(table.frame.columns):
            odd = set(new.frame.columns) ^ set(table.frame.columns)
            raise SlagsegError(
                "The particle table does not have the columns that measuring gives now "
                f"({', '.join(sorted(map(str, odd))) or 'in another order'}). Run 'measure' again."
            )
    return replace(
        table,
        frame=_joined(table.frame, gone, [new.frame for new in rows]),
        contacts=_joined(table.contacts, gone, [new.contacts for new in rows]),
        grains=_joined(table.grains, gone, [new.grains for new in rows]),
    )


def _joined(old: pd.DataFrame, gone: list[int], new: list[pd.DataFrame]) -> pd.DataFrame:
    """Rows in order of label; those of one particle stay in their order."""
    labels = old["label"].to_numpy()
    few = len(gone) <= _FEW and bool((labels[1:] >= labels[:-1]).all())
    parts = _cut(old, gone, new) if few else [old[~old["label"].isin(gone)], *new]
    parts = [part for part in parts if len(part)]
    if not parts:
        return old.iloc[:0].reset_index(drop=True)
    joined = pd.concat(parts, ignore_index=True)
    return joined if few else joined.sort_values("label", kind="stable", ignore_index=True)


def _cut(old: pd.DataFrame, gone: list[int], new: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """New rows between what is left of rising old ones: nothing is sorted."""
    labels = old["label"].to_numpy()
    news = {int(part["label"].iloc[0]): part for part in new if len(part)}
    parts, at = [], 0
    for label in sorted({*gone, *news}):
        first, last = np.searchsorted(labels, label), np.searchsorted(labels, label, "right")
        parts.append(old.iloc[at:first])
        parts += [news[label]] if label in news else []
        at = int(last)
    return [*parts, old.iloc[at:]]


__all__ = ["with_rows"]
