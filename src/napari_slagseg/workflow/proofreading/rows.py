"""Rows of a table put in the place of others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from napari_slagseg.data import ParticleTable, SlagsegError

_FEW = 100
"""Keys for which a table is cut open; for more it is sorted again as a whole."""


def with_rows(
    table: ParticleTable,
    keys: Iterable[int],
    rows: Sequence[ParticleTable],
    by: str = "label",
) -> ParticleTable:
    """Table without some particles or planes, and with newly described ones.

    Parameters
    ----------
    table : ParticleTable
    keys : iterable of int
        Particles, or planes, whose old rows go.
    rows : sequence of ParticleTable
        Each of one particle or plane, with the columns of the table.
    by : str
        Column of the keys: ``"label"`` or ``"section"``.

    Raises
    ------
    SlagsegError
        If the columns differ: the table was measured in another way.
    """
    gone = list(keys)
    for new in rows:
        if list(new.frame.columns) != list(table.frame.columns):
            odd = set(new.frame.columns) ^ set(table.frame.columns)
            raise SlagsegError(
                "The table does not have the columns that measuring gives now "
                f"({', '.join(sorted(map(str, odd))) or 'in another order'}). Run 'measure' again."
            )
    return replace(
        table,
        frame=_joined(table.frame, gone, [new.frame for new in rows], by),
        contacts=_joined(table.contacts, gone, [new.contacts for new in rows], by),
        grains=_joined(table.grains, gone, [new.grains for new in rows], by)
        if by in table.grains
        else table.grains,
    )


def _joined(old: pd.DataFrame, gone: list[int], new: list[pd.DataFrame], by: str) -> pd.DataFrame:
    """Rows in order of the keys; those of one key stay in their order."""
    keys = old[by].to_numpy()
    few = len(gone) <= _FEW and bool((keys[1:] >= keys[:-1]).all())
    parts = _cut(old, gone, new, by) if few else [old[~old[by].isin(gone)], *new]
    parts = [part for part in parts if len(part)]
    if not parts:
        return old.iloc[:0].reset_index(drop=True)
    joined = pd.concat(parts, ignore_index=True)
    return joined if few else joined.sort_values(by, kind="stable", ignore_index=True)


def _cut(
    old: pd.DataFrame, gone: list[int], new: list[pd.DataFrame], by: str
) -> list[pd.DataFrame]:
    """New rows between what is left of rising old ones: nothing is sorted."""
    keys = old[by].to_numpy()
    news = {int(part[by].iloc[0]): part for part in new if len(part)}
    parts, at = [], 0
    for key in sorted({*gone, *news}):
        first, last = np.searchsorted(keys, key), np.searchsorted(keys, key, "right")
        parts.append(old.iloc[at:first])
        parts += [news[key]] if key in news else []
        at = int(last)
    return [*parts, old.iloc[at:]]


__all__ = ["with_rows"]
