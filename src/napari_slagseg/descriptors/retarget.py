"""The same table for another target: no voxel is looked at again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.data import BACKGROUND, ParticleTable, PhaseTable, SlagsegError
from napari_slagseg.descriptors.formulas import ball_surface, ratio
from napari_slagseg.descriptors.phase_columns import ERODED_COLUMN

_INTERGROWTH = {
    3: (
        "intergrowth_boundary_um2",
        "amstutz_giger_index",
        "normalized_intergrowth_boundary",
        "exposed_target_area_um2",
    ),
    2: (
        "intergrowth_boundary_um",
        "amstutz_giger_index",
        "normalized_intergrowth_boundary",
    ),
}


def retargeted(table: ParticleTable, target: str | Sequence[str]) -> ParticleTable:
    """Table of the same particles for another target phase, or for several as one target.

    Parameters
    ----------
    table : ParticleTable
        With the fractions of all phases and, in 3D, the contacts.
    target : str or sequence of str
        Names of phases of ``table.table``. Several are one target: boundaries between them are
        no intergrowth.

    Returns
    -------
    ParticleTable
        ``volume_liberation``, ``surface_liberation`` (and its eroded kind), intergrowth
        boundary, Amstutz-Giger index, normalised intergrowth boundary and exposed target
        area of the new target; all else as before. `targets` names it in order of id; the
        target of the phase table is the first of them. In 2D the intergrowth columns are NaN, as
        perimeters of parts do not add up; they stay where the target is the one there is.

    Raises
    ------
    SlagsegError
        If a name is not in the phase table, none is given, or the table was made without the
        columns or contacts that this needs.

    Notes
    -----
    Kirstein et al., section 2.4.2. The same as measuring with that target (phases of a group
    given one id) but for rounding in the last digits.
    """
    phases, names = _targets(table.table, target)
    if set(names) == set(table.targets):
        return table
    frame = table.frame.copy()
    size = "n_voxels" if table.dimension == 3 else "n_pixels"
    shares = _sum_of(table, "fraction_{}", names)
    counts = np.rint(shares * frame[size].to_numpy(dtype=np.float64))
    frame["volume_liberation"] = ratio(counts, frame[size].to_numpy())
    frame["surface_liberation"] = _sum_of(table, "surface_fraction_{}", names)
    if ERODED_COLUMN in frame:
        frame[ERODED_COLUMN] = _sum_of(table, "surface_fraction_eroded_{}", names)
    if table.dimension == 3:
        ids = [phases.by_name(name).id for name in names]
        interface, exposed = _boundaries(table, ids)
        surface = frame["surface_area_um2"].to_numpy(dtype=np.float64)
        ball = ball_surface(counts * float(np.prod(table.voxel_size_um)))
        values = (
            interface,
            ratio(interface, interface + surface),
            ratio(ball, interface),
            exposed,
        )
        for column, value in zip(_INTERGROWTH[3], values):
            frame[column] = value
    else:
        for column in _INTERGROWTH[2]:
            frame[column] = np.nan
    return replace(table, frame=frame, table=phases, targets=names)


def _targets(table: PhaseTable, target: str | Sequence[str]) -> tuple[PhaseTable, tuple[str, ...]]:
    """Phase table and names of the target, in order of id."""
    given = [target] if isinstance(target, str) else list(target)
    if not given:
        raise SlagsegError(
            f"No target phase is given. Choose one or more of: {', '.join(table.names[1:])}."
        )
    wanted = {table.with_target(name).target for name in given}
    names = tuple(name for name in table.names if name in wanted)
    return table.with_target(names[0]), names


def _sum_of(table: ParticleTable, kind: str, names: tuple[str, ...]) -> NDArray[np.float64]:
    """Sum of the columns of the target's phases."""
    columns = [kind.format(name) for name in names]
    missing = [column for column in columns if column not in table.frame]
    if missing:
        raise SlagsegError(
            f"The particle table lacks the columns {', '.join(missing)}, which another target "
            "needs. It was made by an older version: run 'measure' again."
        )
    # 0.3 + 0.7 may be a last digit above 1
    return np.minimum(table.frame[columns].to_numpy(dtype=np.float64).sum(axis=1), 1.0)


def _boundaries(
    table: ParticleTable, ids: list[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Area of the target's boundary with the rest of each particle, and with the outside."""
    contacts = table.contacts
    if contacts.empty and len(table):
        raise SlagsegError(
            "The particle table has no contacts of phases, which another target needs. It was "
            "made by an older version, or its file of contacts was left behind: run 'measure' "
            "again."
        )
    labels = pd.Index(table.frame["label"])
    mine = contacts[contacts["phase_id"].isin(ids) & contacts["label"].isin(labels)]
    outer = mine["partner_id"] == BACKGROUND
    found = []
    for rows in (mine[~outer & ~mine["partner_id"].isin(ids)], mine[outer]):
        total = np.zeros(len(labels))
        place = labels.get_indexer(pd.Index(rows["label"]))
        np.add.at(total, place, rows["area_um2"].to_numpy(dtype=np.float64))
        found.append(total)
    return found[0], found[1]


__all__ = ["retargeted"]
